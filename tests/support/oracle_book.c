/* Every span of the topic, judged and written down under each series that counts it. */
#include "oracle.h"

#include <stdlib.h>
#include <string.h>

enum { TEXT_BYTES_MAX = 1024, SERIES_BYTES_MAX = DIMENSIONS_MAX * (3 * TEXT_BYTES_MAX + 16) };

int64_t floor_div(int64_t a, int64_t b)
{
    int64_t quotient = a / b;
    return a % b < 0 ? quotient - 1 : quotient;
}

/* --- series ---------------------------------------------------------------------------------- */

static uint64_t hash_of(const char *text)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(1099511628211);
    return hash;
}

/* The slot where `series` is, or would be. */
static size_t slot_of(const struct book *book, const char *series)
{
    size_t at = hash_of(series) % book->slots;
    while (book->slot[at] != 0 && strcmp(book->series[book->slot[at] - 1], series) != 0)
        at = (at + 1) % book->slots;
    return at;
}

static void slots_grow(struct book *book)
{
    free(book->slot);
    book->slots = book->slots == 0 ? 1024 : book->slots * 2;
    book->slot = calloc(book->slots, sizeof(*book->slot));
    if (book->slot == NULL) die("no memory for %zu series", book->slots);
    for (size_t i = 0; i < book->serieses; i++)
        book->slot[slot_of(book, book->series[i])] = (uint32_t)i + 1;
}

uint32_t book_find(struct book *book, const char *series, bool make)
{
    if (book->serieses * 2 >= book->slots) slots_grow(book);
    size_t at = slot_of(book, series);
    if (book->slot[at] != 0) return book->slot[at] - 1;
    if (!make) return UINT32_MAX;
    book->series =
        array_room(book->series, book->serieses, &book->series_capacity, sizeof(*book->series));
    book->series[book->serieses] = strdup(series);
    book->slot[at] = (uint32_t)++book->serieses;
    return (uint32_t)book->serieses - 1;
}

static bool is_unreserved(unsigned char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

/* Rule 4: unreserved bytes stand for themselves, others are %XX; text is cut at 1024 bytes. */
static char *put_encoded(char *at, const char *text)
{
    for (size_t i = 0; text[i] != '\0' && i < TEXT_BYTES_MAX; i++) {
        unsigned char c = (unsigned char)text[i];
        if (is_unreserved(c)) {
            *at++ = (char)c;
        } else {
            at += snprintf(at, 4, "%%%02X", c);
        }
    }
    return at;
}

static char *put_dimension(char *at, enum dimension dimension, const struct seen_span *span)
{
    static const char *const kinds[] = {
        "UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"};
    static const char *const names[] = {"service=", "operation=", "kind="};
    const char *value = dimension == DIMENSION_SERVICE ? span->service
                        : dimension == DIMENSION_OPERATION
                            ? span->operation
                            : kinds[span->kind <= 5 ? span->kind : 0];
    for (const char *name = names[dimension]; *name != '\0'; name++)
        *at++ = *name;
    return put_encoded(at, value);
}

static void series_spell(const struct view *view, const struct seen_span *span, char *out)
{
    char *at = out;
    for (size_t i = 0; i < view->dimensions; i++) {
        if (i > 0) *at++ = ';';
        at = put_dimension(at, view->dimension[i], span);
    }
    *at = '\0';
}

/* Rule 5: the view by service alone counts what enters a service: SERVER and CONSUMER. */
static bool view_counts(const struct view *view, const struct seen_span *span)
{
    bool by_service = view->dimensions == 1 && view->dimension[0] == DIMENSION_SERVICE;
    return !by_service || span->kind == 2 || span->kind == 5;
}

/* --- judgement ------------------------------------------------------------------------------- */

/* Rule 6: a span is in the pane in which it ends; past record + skew it is in the record's pane. */
static void sighting_place(
    const struct plan *plan, int64_t record_ns, int64_t end_ns, struct sighting *s)
{
    s->skewed = end_ns > record_ns + plan->skew_ns;
    int64_t at_ns = s->skewed ? record_ns : end_ns;
    if (plan->breakage == BREAK_PANE_BOUNDARY) at_ns -= 1;
    s->pane = floor_div(at_ns, plan->pane_ns);
    s->arrival = s->pane;
}

/*
 * Rule 7: against the clock as it was before the record, a span is on time if its pane is the
 * clock's or later, else late while the clock is not allowed_lateness past its pane's end, else too
 * late. Late and too late spans arrive in the clock's pane.
 */
static void sighting_judge(const struct plan *plan, int64_t clock_ns, struct sighting *s)
{
    if (clock_ns == NEVER) return;
    int64_t arrival = floor_div(clock_ns, plan->pane_ns);
    int64_t first_on_time = plan->breakage == BREAK_ON_TIME ? arrival + 1 : arrival;
    if (s->pane >= first_on_time) return;
    int64_t allowed_ns = plan->allowed_lateness_ns;
    if (plan->breakage == BREAK_TOO_LATE) allowed_ns += plan->pane_ns;
    s->arrival = arrival;
    s->late = clock_ns < (s->pane + 1) * plan->pane_ns + allowed_ns;
    if (s->late) return;
    *s = (struct sighting){.too_late = true, .pane = arrival, .arrival = arrival};
}

void book_note(struct book *book, const char *series, struct sighting sighting)
{
    sighting.series = book_find(book, series, true);
    book->sighting = array_room(
        book->sighting, book->sightings, &book->sightings_capacity, sizeof(*book->sighting));
    book->sighting[book->sightings++] = sighting;
}

/* The kind of a failure by what it says. */
static uint32_t kind_find(struct book *book, const struct seen_span *span)
{
    char name[2 * MASKED_MAX + 2], message[MASKED_MAX + 1];
    mask_type(span->error_type, name);
    if (book->plan->breakage == BREAK_MASK)
        mask_type(span->error_message, message);
    else
        mask_message(span->error_message, message);
    size_t bytes = strlen(name);
    snprintf(name + bytes, sizeof(name) - bytes, "\t%s", message);
    return book_find(book->errors, name, true);
}

/* One record being read. */
struct reading {
    struct book *book;
    int64_t record_ns, clock_ns;
};

static void span_take(void *self, const struct seen_span *span)
{
    struct reading *reading = self;
    struct book *book = reading->book;
    const struct plan *plan = book->plan;
    struct sighting s = {.failed = span->failed, .duration_ns = span->duration_ns};
    memcpy(s.trace_id, span->trace_id, TRACE_BYTES);
    if (s.failed) s.kind = kind_find(book, span);
    sighting_place(plan, reading->record_ns, span->end_ns, &s);
    sighting_judge(plan, reading->clock_ns, &s);
    if (s.arrival > book->last_pane) book->last_pane = s.arrival;
    book->spans++;
    book->late += s.late;
    book->too_late += s.too_late;
    book->skewed += s.skewed;
    for (size_t v = 0; v < plan->views; v++) {
        char series[SERIES_BYTES_MAX];
        if (!view_counts(&plan->view[v], span)) continue;
        series_spell(&plan->view[v], span, series);
        book_note(book, series, s);
    }
}

/* Rule 8: the clock follows record timestamps alone, never back; a malformed message moves it, too. */
static void clock_move(struct book *book, int64_t *clock_ns, int64_t record_ns)
{
    int64_t moved_ns = record_ns - book->plan->lateness_ns;
    if (moved_ns > *clock_ns) *clock_ns = moved_ns;
    int64_t pane = floor_div(*clock_ns, book->plan->pane_ns);
    if (pane > book->last_pane) book->last_pane = pane;
}

static int64_t *clock_of(struct book *book, int32_t partition)
{
    size_t wanted = (size_t)partition + 1;
    if (wanted > book->clocks) {
        book->clock_ns = realloc(book->clock_ns, wanted * sizeof(*book->clock_ns));
        if (book->clock_ns == NULL) die("no memory for %zu clocks", wanted);
        for (; book->clocks < wanted; book->clocks++)
            book->clock_ns[book->clocks] = NEVER;
    }
    return &book->clock_ns[partition];
}

static void record_take(void *self, const struct record *record)
{
    struct book *book = self;
    int64_t *clock_ns = clock_of(book, record->partition);
    struct reading reading = {
        .book = book, .record_ns = record->timestamp_ms * NS_PER_MS, .clock_ns = *clock_ns};
    book->records++;
    if (!otlp_read(record->value, record->value_bytes, &book->dropped, span_take, &reading))
        book->malformed++;
    clock_move(book, clock_ns, reading.record_ns);
}

/* --- the book -------------------------------------------------------------------------------- */

static int by_series_and_pane(const void *left, const void *right)
{
    const struct sighting *a = left, *b = right;
    if (a->series != b->series) return a->series < b->series ? -1 : 1;
    return (a->pane > b->pane) - (a->pane < b->pane);
}

void book_read(struct book *book, const struct plan *plan, const char *brokers, const char *topic)
{
    *book = (struct book){.plan = plan, .last_pane = INT64_MIN};
    book->errors = calloc(1, sizeof(*book->errors));
    if (book->errors == NULL) die("no memory for error kinds");
    topic_read(brokers, topic, false, record_take, book);
    if (book->sightings > 0)
        qsort(book->sighting, book->sightings, sizeof(*book->sighting), by_series_and_pane);
}

/* The first sighting of `series` or a later one. */
static size_t first_of(const struct book *book, uint32_t series)
{
    size_t low = 0, high = book->sightings;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (book->sighting[middle].series < series) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

void book_series(const struct book *book, uint32_t series, size_t *from, size_t *to)
{
    *from = first_of(book, series);
    *to = first_of(book, series + 1);
}

void book_release(struct book *book)
{
    for (size_t i = 0; i < book->serieses; i++)
        free(book->series[i]);
    free(book->series);
    free(book->slot);
    free(book->sighting);
    free(book->clock_ns);
    if (book->errors != NULL) book_release(book->errors);
    free(book->errors);
}
