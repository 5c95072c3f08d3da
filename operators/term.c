#include "operators/term.h"

#include "engine/base/duration.h"
#include "engine/base/text.h"

#include <math.h>
#include <stdio.h>

enum { HINTS = 3, WINDOW_BYTES_MAX = 32 };

static bool ends_with(const char *name, const char *end)
{
    size_t name_size = strlen(name), end_size = strlen(end);
    return name_size >= end_size && strcmp(name + name_size - end_size, end) == 0;
}

void terms_init(struct terms *terms, const struct vocabulary *v)
{
    *terms = (struct terms){.count = 0};
    for (int c = 0; c < COLUMN_COUNT; c++) {
        if (ends_with(v->columns->name[c], "_level"))
            terms->levels[c / 64] |= UINT64_C(1) << c % 64;
    }
}

static bool has_levels(const struct terms *terms)
{
    return (terms->levels[0] | terms->levels[1]) != 0;
}

static bool is_count(const char *name)
{
    static const char *const counts[] = {"spans", "errors", "late", "too_late", "skewed"};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        if (strcmp(counts[i], name) == 0) return true;
    }
    return strncmp(name, "latency_le_", strlen("latency_le_")) == 0;
}

/* What is expected of a column, and the band around it, is in the column's own unit. */
static bool strip_band(const char *name, char *stem, size_t room)
{
    static const char *const ends[] = {"_expected", "_low", "_high"};
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        if (!ends_with(name, ends[i])) continue;
        snprintf(stem, room, "%.*s", (int)(strlen(name) - strlen(ends[i])), name);
        return true;
    }
    return false;
}

static enum unit unit_of(const char *name)
{
    char stem[COLUMN_NAME_BYTES];
    if (strip_band(name, stem, sizeof(stem))) {
        if (strcmp(stem, "latency") == 0) return UNIT_MS;
        enum unit unit = unit_of(stem);
        return unit == UNIT_COUNT ? UNIT_NUMBER : unit; /* 2.5 errors are expected */
    }
    if (is_count(name)) return UNIT_COUNT;
    if (ends_with(name, "_ms")) return UNIT_MS;
    if (ends_with(name, "_ns")) return UNIT_NS;
    if (ends_with(name, "_ratio") || strcmp(name, "apdex") == 0) return UNIT_RATIO;
    if (ends_with(name, "_budget_left")) return UNIT_SHARE;
    return ends_with(name, "_level") ? UNIT_LEVEL : UNIT_NUMBER;
}

enum naming vocabulary_find(
    const struct vocabulary *v, struct bytes name, int *column, bool *short_form)
{
    char full[COLUMN_NAME_BYTES + sizeof("latency__ms")];
    *short_form = false;
    *column = columns_find(v->columns, name);
    if (*column >= 0) return NAMES_COLUMN;
    if (name.size < COLUMN_NAME_BYTES) {
        snprintf(full, sizeof(full), "latency_%.*s_ms", (int)name.size, (const char *)name.data);
        *column = columns_find(v->columns, bytes_of(full));
        *short_form = *column >= 0;
        if (*column >= 0) return NAMES_COLUMN;
    }
    for (size_t i = 0; v->dimension != NULL && v->dimension[i] != NULL; i++) {
        if (bytes_are(name, v->dimension[i])) return NAMES_DIMENSION;
    }
    return NAMES_NOTHING;
}

/* The known names nearest to one that is not known, nearest first. */
struct hints {
    const char *wanted;
    char name[HINTS][COLUMN_NAME_BYTES];
    size_t distance[HINTS];
    size_t count;
};

static void hint(struct hints *h, const char *name)
{
    size_t distance = text_distance(h->wanted, name);
    size_t at = h->count;
    while (at > 0 && h->distance[at - 1] > distance)
        at--;
    if (at == HINTS) return;
    if (h->count < HINTS) h->count++;
    for (size_t i = h->count - 1; i > at; i--) {
        memcpy(h->name[i], h->name[i - 1], COLUMN_NAME_BYTES);
        h->distance[i] = h->distance[i - 1];
    }
    snprintf(h->name[at], COLUMN_NAME_BYTES, "%s", name);
    h->distance[at] = distance;
}

/* As it is called, or in its short form where that is nearer. */
static void hint_column(struct hints *h, const char *name)
{
    static const char begin[] = "latency_";
    char stem[COLUMN_NAME_BYTES];
    size_t size = strlen(name), around = strlen(begin) + strlen("_ms");
    bool is_short =
        size > around && strncmp(name, begin, strlen(begin)) == 0 && ends_with(name, "_ms");
    snprintf(stem, sizeof(stem), "%.*s", is_short ? (int)(size - around) : 0, name + strlen(begin));
    bool nearer = is_short && text_distance(h->wanted, stem) < text_distance(h->wanted, name);
    hint(h, nearer ? stem : name);
}

enum status term_unknown(const struct cursor *c, size_t at, const struct vocabulary *v,
    struct bytes name, struct error *err)
{
    char wanted[TEXT_WORD_BYTES_MAX + 1];
    snprintf(wanted, sizeof(wanted), "%.*s", (int)name.size, (const char *)name.data);
    struct hints h = {.wanted = wanted};
    for (int i = 0; i < COLUMN_COUNT; i++) {
        if (v->columns->name[i][0] != '\0') hint_column(&h, v->columns->name[i]);
    }
    for (size_t i = 0; v->dimension != NULL && v->dimension[i] != NULL; i++)
        hint(&h, v->dimension[i]);
    if (h.count == 0)
        return cursor_error(c, at, err, "there is no column %s", cursor_show_bytes(name).text);

    char near[HINTS * (COLUMN_NAME_BYTES + 2)] = "";
    size_t size = 0, shown = 0;
    for (size_t i = 0; i < h.count; i++) {
        if (shown != 0 && h.distance[i] > h.distance[0] + 1) break;
        size += (size_t)snprintf(
            near + size, sizeof(near) - size, "%s%s", shown++ == 0 ? "" : ", ", h.name[i]);
    }
    return cursor_error(c, at, err, "%s is no column; the nearest %s %s",
        cursor_show_bytes(name).text, shown == 1 ? "is" : "are", near);
}

static bool is_listed(const int64_t *widths, int64_t width_ns)
{
    for (; widths != NULL && *widths != 0; widths++) {
        if (*widths == width_ns) return true;
    }
    return false;
}

static void list_widths(char *out, size_t room, const int64_t *widths)
{
    size_t size = strlen(out);
    for (; widths != NULL && *widths != 0 && size < room; widths++)
        size += (size_t)snprintf(out + size, room - size, ", %s", duration_print(*widths).text);
}

static enum status no_window(const struct cursor *c, size_t at, const struct vocabulary *v,
    int64_t width_ns, struct error *err)
{
    char known[160];
    snprintf(known, sizeof(known), "%s", duration_print(v->pane_ns).text);
    list_widths(known, sizeof(known), v->windows_ns);
    list_widths(known, sizeof(known), v->slices_ns);
    return cursor_error(c, at, err, "there is no window of %s; there are %s (the pane first)",
        duration_print(width_ns).text, known);
}

/* `[5m]`, or nothing: `*width_ns` is 0 then. */
static enum status take_width(struct cursor *c, int64_t *width_ns, size_t *at, struct error *err)
{
    struct cursor ahead = *c;
    *width_ns = 0;
    *at = c->at;
    if (!cursor_take(&ahead, "[")) return ST_OK;
    *c = ahead;
    cursor_skip(c);
    *at = c->at;
    struct bytes written = cursor_take_until(c, "]");
    char text[WINDOW_BYTES_MAX];
    snprintf(text, sizeof(text), "%.*s", (int)written.size, (const char *)written.data);
    bool read = written.size < sizeof(text) && duration_parse(text, width_ns) && *width_ns > 0;
    if (!read)
        return cursor_error(c, *at, err, "%s is no window; write a duration, as in [5m]",
            cursor_show_bytes(written).text);
    if (!cursor_take(c, "]")) {
        cursor_skip(c);
        return cursor_error(c, c->at, err, "the [ before it is not closed; want ]");
    }
    return ST_OK;
}

/* What objectives make stands in every pane, other scores in what is scored. */
static bool is_of_objective(const struct vocabulary *v, const struct term *term)
{
    const char *name = term->kind == TERM_ANOMALY ? "" : v->columns->name[term->column];
    return ends_with(name, "_budget_left") || strstr(name, "_burn_") != NULL;
}

static enum status choose_window(const struct cursor *c, size_t at, const struct vocabulary *v,
    int64_t width_ns, struct term *term, struct error *err)
{
    bool is_score = term->kind == TERM_ANOMALY || term->column >= COLUMN_SCORE;
    term->window_ns = width_ns == 0 && !is_score ? v->pane_ns : width_ns;
    if (width_ns == 0) return ST_OK;
    if (width_ns == v->pane_ns && (!is_score || is_of_objective(v, term))) return ST_OK;
    if (is_score) {
        if (width_ns == v->score_ns) return ST_OK;
        return cursor_error(c, at, err,
            "scores are of slices, not of rolling windows: leave [%s] out",
            duration_print(width_ns).text);
    }
    term->rolling = is_listed(v->windows_ns, width_ns);
    if (term->rolling || is_listed(v->slices_ns, width_ns)) return ST_OK;
    return no_window(c, at, v, width_ns, err);
}

static bool is_same(const struct term *a, const struct term *b)
{
    return a->kind == b->kind && a->column == b->column && a->window_ns == b->window_ns &&
           a->rolling == b->rolling;
}

static enum status terms_add(const struct cursor *c, size_t at, struct terms *terms,
    const struct term *term, uint32_t *number, struct error *err)
{
    for (*number = 0; *number < terms->count; ++*number) {
        if (is_same(&terms->term[*number], term)) return ST_OK;
    }
    if (terms->count == TERMS_MAX)
        return cursor_error(c, at, err,
            "this is one value too many; at most %d different ones are taken", TERMS_MAX);
    terms->term[terms->count++] = *term;
    return ST_OK;
}

/* The scores there are, as `anomaly()` takes them. */
static enum status no_score(const struct cursor *c, size_t at, const struct vocabulary *v,
    const struct terms *terms, struct bytes name, struct error *err)
{
    char known[160] = "";
    size_t size = 0;
    for (int i = 0; i < COLUMN_COUNT && size < sizeof(known); i++) {
        const char *column = v->columns->name[i];
        if ((terms->levels[i / 64] >> i % 64 & 1) == 0) continue;
        size += (size_t)snprintf(known + size, sizeof(known) - size, "%.*s, ",
            (int)(strlen(column) - strlen("_level")), column);
    }
    if (size == 0)
        return cursor_error(
            c, at, err, "nothing is scored for anomalies: list what shall be under `anomaly:`");
    return cursor_error(c, at, err, "%s is not scored; scored are %sand any of them (any)",
        cursor_show_bytes(name).text, known);
}

/* After `anomaly(`. */
static enum status take_anomaly(struct cursor *c, const struct vocabulary *v,
    const struct terms *terms, struct term *term, struct error *err)
{
    char column[COLUMN_NAME_BYTES + sizeof("_level")];
    cursor_skip(c);
    size_t at = c->at;
    struct bytes name = cursor_take_name(c);
    term->unit = UNIT_LEVEL;
    snprintf(column, sizeof(column), "%.*s_level",
        (int)(name.size < COLUMN_NAME_BYTES ? name.size : COLUMN_NAME_BYTES),
        name.size == 0 ? "" : (const char *)name.data);
    if (bytes_are(name, "any") && has_levels(terms)) {
        term->kind = TERM_ANOMALY;
    } else {
        term->column = columns_find(v->columns, bytes_of(column));
        if (term->column < 0 || name.size == 0) return no_score(c, at, v, terms, name, err);
    }
    if (cursor_take(c, ")")) return ST_OK;
    cursor_skip(c);
    return cursor_error(c, c->at, err, "the ( before it is not closed; want )");
}

static enum status take_absent(
    struct cursor *c, const struct vocabulary *v, struct term *term, struct error *err)
{
    size_t at;
    enum status status = take_width(c, &term->window_ns, &at, err);
    if (status != ST_OK) return status;
    term->kind = TERM_ABSENT;
    if (term->window_ns == 0)
        return cursor_error(c, at, err, "say for how long, as in absent[10m]");
    if (term->window_ns >= v->pane_ns) return ST_OK;
    return cursor_error(c, at, err,
        "absence is told by panes, which are %s wide: want at least that",
        duration_print(v->pane_ns).text);
}

static enum status take_column(struct cursor *c, const struct vocabulary *v, struct term *term,
    bool *short_form, struct error *err)
{
    cursor_skip(c);
    size_t at = c->at;
    struct bytes name = cursor_take_name(c);
    if (name.size == 0)
        return cursor_error(c, at, err, "want a column, not %s", cursor_show(c).text);
    enum naming naming = vocabulary_find(v, name, &term->column, short_form);
    if (naming == NAMES_DIMENSION)
        return cursor_error(c, at, err, "%s is a dimension, want a column: it has no number",
            cursor_show_bytes(name).text);
    if (naming == NAMES_NOTHING) return term_unknown(c, at, v, name, err);
    term->unit = unit_of(v->columns->name[term->column]);
    int64_t width_ns;
    enum status status = take_width(c, &width_ns, &at, err);
    return status == ST_OK ? choose_window(c, at, v, width_ns, term, err) : status;
}

enum status term_take(struct cursor *c, const struct vocabulary *v, struct terms *terms,
    uint32_t *term, bool *short_form, struct error *err)
{
    bool unused;
    struct term taken = {.kind = TERM_COLUMN};
    enum status status;
    cursor_skip(c);
    size_t from = c->at;
    if (short_form == NULL) short_form = &unused;
    *short_form = false;
    struct cursor ahead = *c;
    if (cursor_take_word(&ahead, "anomaly") && cursor_take(&ahead, "(")) {
        *c = ahead;
        status = take_anomaly(c, v, terms, &taken, err);
    } else if (cursor_take_word(c, "absent")) {
        status = take_absent(c, v, &taken, err);
    } else {
        status = take_column(c, v, &taken, short_form, err);
    }
    taken.text = (struct bytes){c->text.data + from, c->at - from};
    return status == ST_OK ? terms_add(c, from, terms, &taken, term, err) : status;
}

static bool has_level(const struct terms *terms, const struct row *row)
{
    return ((terms->levels[0] & row->filled[0]) | (terms->levels[1] & row->filled[1])) != 0;
}

bool term_reads(const struct terms *terms, const struct term *term, const struct row *row)
{
    if (term->kind == TERM_ABSENT || row->rolling != term->rolling) return false;
    if (term->window_ns != 0) return row->end_ns - row->start_ns == term->window_ns;
    return term->kind == TERM_ANOMALY ? has_level(terms, row) : row_has(row, term->column);
}

static double level_most(const struct terms *terms, const struct row *row)
{
    double most = NAN;
    for (int c = COLUMN_SCORE; c < COLUMN_COUNT; c++) {
        if ((terms->levels[c / 64] >> c % 64 & 1) == 0 || !row_has(row, c)) continue;
        most = fmax(most, row_number(row, c)); /* NaN gives way */
    }
    return most;
}

double term_value(const struct terms *terms, const struct term *term, const struct row *row)
{
    if (term->kind == TERM_ANOMALY) return level_most(terms, row);
    return row_has(row, term->column) ? row_number(row, term->column) : NAN;
}

const char *const level_name[] = {"none", "notice", "page"};

static void show_time(double ns, struct buffer *out)
{
    static const struct {
        double ns;
        const char *name;
    } units[] = {{3.6e12, "h"}, {6e10, "m"}, {1e9, "s"}, {1e6, "ms"}, {1e3, "us"}};
    enum { COARSE = 2 };
    for (int i = 0; i < (int)(sizeof(units) / sizeof(units[0])); i++) {
        /* Three digits are enough, and 90 s are more than 1.5 m. */
        double least = i < COARSE ? 10 * units[i].ns : 0.9995 * units[i].ns;
        if (ns < least) continue;
        buffer_print(out, "%.3g%s", ns / units[i].ns, units[i].name);
        return;
    }
    buffer_print(out, "%.3gns", ns);
}

void value_show(double value, enum unit unit, struct buffer *out)
{
    enum { LEVELS = sizeof(level_name) / sizeof(level_name[0]) };
    if (isnan(value)) {
        buffer_print(out, "absent");
    } else if (unit == UNIT_LEVEL && value >= 0 && value < LEVELS) {
        buffer_print(out, "%s", level_name[(int)value]);
    } else if (unit == UNIT_RATIO || unit == UNIT_SHARE) {
        buffer_print(out, fabs(value) < 10 ? "%.3g%%" : "%.0f%%", value * 100);
    } else if ((unit == UNIT_MS || unit == UNIT_NS) && isfinite(value) && value >= 0) {
        show_time(unit == UNIT_MS ? value * 1e6 : value, out);
    } else if ((unit == UNIT_COUNT || fabs(value) >= 1e4) && fabs(value) < 1e15) {
        buffer_print(out, "%.0f", value);
    } else {
        buffer_print(out, "%.4g", value);
    }
}
