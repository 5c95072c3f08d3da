/* The rows topic read back, and compared with what should be there. */
#include "oracle_rows.h"

#include "oracle.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN_MAX = 20, VALUE_BYTES = 64 };

/* One record of the topic; of equal (series, window, status) the last one counts. */
struct told {
    Weir__Output *output;
    bool seen; /* by the comparison */
};

struct rows {
    const struct plan *plan;
    struct book keys;  /* only its table of names */
    struct told *told; /* told[i] is the row of key i */
    size_t tolds, capacity;
    Weir__Output **alert;
    size_t alerts, alerts_capacity;
    uint64_t provisional;
    uint64_t equal, differ, missing, unexpected;
    uint64_t repeated; /* final rows that were told again */
};

/* --- reading --------------------------------------------------------------------------------- */

static const char *const status_names[] = {"provisional", "final", "revised"};

/* What tells one row from another: sorts by series, then window, then time, then status. */
static void key_print(char *out, size_t bytes, const char *series, bool rolling, int64_t start_ns,
    int64_t end_ns, int status)
{
    snprintf(out, bytes, "%s\t%s %" PRId64 "s\t%020" PRId64 "\t%s", series,
        rolling ? "rolling" : "slice", (end_ns - start_ns) / (1000 * NS_PER_MS), end_ns,
        status_names[status]);
}

static void row_keep(struct rows *rows, Weir__Output *output)
{
    char key[16384];
    const Weir__Row *row = output->row;
    key_print(
        key, sizeof(key), row->series, row->rolling, row->start_ns, row->end_ns, (int)row->status);
    uint32_t at = book_find(&rows->keys, key, true);
    if (at == rows->tolds) {
        rows->told = array_room(rows->told, rows->tolds, &rows->capacity, sizeof(*rows->told));
        rows->told[rows->tolds++] = (struct told){0};
    } else {
        weir__output__free_unpacked(rows->told[at].output, NULL);
        rows->repeated += row->status == WEIR__ROW_STATUS__FINAL;
    }
    rows->told[at].output = output;
}

static void alert_keep(struct rows *rows, Weir__Output *output)
{
    rows->alert =
        array_room(rows->alert, rows->alerts, &rows->alerts_capacity, sizeof(Weir__Output *));
    rows->alert[rows->alerts++] = output;
}

static void row_take(void *self, const struct record *record)
{
    struct rows *rows = self;
    Weir__Output *output = weir__output__unpack(NULL, record->value_bytes, record->value);
    if (output == NULL)
        die("rows topic, partition %d offset %" PRId64 ": not an Output", record->partition,
            record->offset);
    if (output->what_case == WEIR__OUTPUT__WHAT_ALERT) {
        alert_keep(rows, output);
    } else if (output->what_case != WEIR__OUTPUT__WHAT_ROW) {
        die("rows topic, partition %d offset %" PRId64 ": neither row nor alert", record->partition,
            record->offset);
    } else if (output->row->status == WEIR__ROW_STATUS__PROVISIONAL) {
        rows->provisional++;
        weir__output__free_unpacked(output, NULL);
    } else {
        row_keep(rows, output);
    }
}

static void rows_read(
    struct rows *rows, const struct plan *plan, const char *brokers, const char *topic)
{
    *rows = (struct rows){.plan = plan};
    topic_read(brokers, topic, true, row_take, rows);
}

static void rows_release(struct rows *rows)
{
    for (size_t i = 0; i < rows->tolds; i++)
        weir__output__free_unpacked(rows->told[i].output, NULL);
    for (size_t i = 0; i < rows->alerts; i++)
        weir__output__free_unpacked(rows->alert[i], NULL);
    free(rows->told);
    free(rows->alert);
    book_release(&rows->keys);
}

const Weir__RowColumn *row_column(const Weir__Row *row, const char *name)
{
    for (size_t i = 0; i < row->n_column; i++) {
        if (strcmp(row->column[i]->name, name) == 0) return row->column[i];
    }
    return NULL;
}

/* A trace id of another size is nobody's. */
static const uint8_t *trace_of(const ProtobufCBinaryData *id)
{
    static const uint8_t none[TRACE_BYTES];
    return id->len == TRACE_BYTES ? id->data : none;
}

void row_traces_print(const Weir__Row *row, struct traces_text *text)
{
    static const char *const kinds[] = {"slow", "error", "typical"};
    static const uint8_t none[TRACE_BYTES];
    *text = (struct traces_text){.size = 0};
    for (size_t i = 0; i < row->n_exemplar; i++) {
        const Weir__Exemplar *e = row->exemplar[i];
        traces_say(text, kinds[e->kind % 3], trace_of(&e->trace_id), e->duration_ns);
    }
    for (size_t i = 0; i < row->n_error_kind; i++) {
        const Weir__ErrorKind *kind = row->error_kind[i];
        char name[2 * MASKED_MAX + 2];
        snprintf(name, sizeof(name), "%s\t%s", kind->type, kind->message);
        traces_say(text, name, trace_of(&kind->trace_id), kind->count);
    }
    if (row->errors_else != 0) traces_say(text, "else", none, row->errors_else);
}

struct rows *rows_open(const char *brokers, const char *topic)
{
    struct rows *rows = calloc(1, sizeof(*rows));
    if (rows == NULL) die("no memory for rows");
    rows_read(rows, NULL, brokers, topic);
    return rows;
}

void rows_close(struct rows *rows)
{
    rows_release(rows);
    free(rows);
}

void rows_each(const struct rows *rows, void (*take)(void *self, const Weir__Row *row), void *self)
{
    for (size_t i = 0; i < rows->tolds; i++)
        take(self, rows->told[i].output->row);
}

/* --- comparing ------------------------------------------------------------------------------- */

/* One row being compared: the first column that is wrong is told, once. */
struct check {
    struct rows *rows;
    const struct expected *expected;
    const Weir__Row *row;
    const char *key;
    bool wrong;
};

static void say(struct rows *rows, const char *format, ...)
{
    va_list args;
    if (rows->differ + rows->missing + rows->unexpected > SHOWN_MAX) return;
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
}

static void check_failed(
    struct check *check, const char *column, const char *expected, const Weir__RowColumn *got)
{
    if (!check->wrong) check->rows->differ++;
    check->wrong = true;
    if (got == NULL) {
        say(check->rows, "differs: %s: %s: expected %s, absent\n", check->key, column, expected);
    } else if (got->value_case == WEIR__ROW_COLUMN__VALUE_INTEGER) {
        say(check->rows, "differs: %s: %s: expected %s, got %" PRIu64 "\n", check->key, column,
            expected, got->integer);
    } else {
        say(check->rows, "differs: %s: %s: expected %s, got %.17g\n", check->key, column, expected,
            got->number);
    }
}

static void check_integer(struct check *check, const char *column, uint64_t expected)
{
    char text[VALUE_BYTES];
    const Weir__RowColumn *got = row_column(check->row, column);
    if (got != NULL && got->value_case == WEIR__ROW_COLUMN__VALUE_INTEGER &&
        got->integer == expected)
        return;
    snprintf(text, sizeof(text), "%" PRIu64, expected);
    check_failed(check, column, text, got);
}

/* error: relative; 0 asks for the very same double. */
static void check_number(struct check *check, const char *column, double expected, double error)
{
    char text[VALUE_BYTES];
    const Weir__RowColumn *got = row_column(check->row, column);
    if (got != NULL && got->value_case == WEIR__ROW_COLUMN__VALUE_NUMBER &&
        fabs(got->number - expected) <= error * fabs(expected))
        return;
    snprintf(text, sizeof(text), "%.17g", expected);
    check_failed(check, column, text, got);
}

static void check_absent(struct check *check, const char *column)
{
    const Weir__RowColumn *got = row_column(check->row, column);
    if (got != NULL) check_failed(check, column, "it absent", got);
}

static void check_counts(struct check *check)
{
    char column[VALUE_BYTES];
    const struct plan *plan = check->rows->plan;
    const struct expected *e = check->expected;
    check_integer(check, "spans", e->spans);
    check_integer(check, "errors", e->errors);
    check_integer(check, "late", e->late);
    check_integer(check, "too_late", e->too_late);
    check_integer(check, "skewed", e->skewed);
    check_integer(check, "latency_sum_ns", e->sum_ns);
    for (size_t t = 0; t < plan->thresholds; t++) {
        snprintf(column, sizeof(column), "latency_le_%s", plan->threshold_text[t]);
        check_integer(check, column, e->threshold[t]);
    }
}

static double in_ms(uint64_t ns)
{
    return (double)ns / 1e6;
}

static void check_latency(struct check *check)
{
    static const double rounding = 1e-12; /* of one division, in any order */
    char column[VALUE_BYTES];
    const struct plan *plan = check->rows->plan;
    const struct expected *e = check->expected;
    check_number(check, "latency_min_ms", in_ms(e->duration_ns[0]), rounding);
    check_number(check, "latency_max_ms", in_ms(e->duration_ns[e->spans - 1]), rounding);
    check_number(check, "latency_mean_ms", (double)e->sum_ns / (double)e->spans / 1e6, rounding);
    check_number(check, "error_ratio", (double)e->errors / (double)e->spans, rounding);
    for (size_t q = 0; q < plan->quantiles; q++) {
        uint64_t truth = expect_quantile(e->duration_ns, e->spans, plan->quantile[q]);
        snprintf(column, sizeof(column), "latency_p%s_ms", plan->quantile_text[q]);
        check_number(check, column, in_ms(truth), plan->quantile_error);
    }
}

static void check_without_latency(struct check *check)
{
    char column[VALUE_BYTES];
    const struct plan *plan = check->rows->plan;
    check_absent(check, "latency_min_ms");
    check_absent(check, "latency_max_ms");
    check_absent(check, "latency_mean_ms");
    for (size_t q = 0; q < plan->quantiles; q++) {
        snprintf(column, sizeof(column), "latency_p%s_ms", plan->quantile_text[q]);
        check_absent(check, column);
    }
}

static void check_traces(struct check *check)
{
    struct traces_text expected, got;
    traces_print(check->expected, &expected);
    row_traces_print(check->row, &got);
    if (strcmp(expected.text, got.text) == 0) return;
    if (!check->wrong) check->rows->differ++;
    check->wrong = true;
    say(check->rows, "differs: %s: traces: expected%s\n  got%s\n", check->key, expected.text,
        got.text);
}

static void expected_take(void *self, const struct expected *e)
{
    char key[16384];
    struct rows *rows = self;
    key_print(key, sizeof(key), e->series, e->rolling, e->start_ns, e->end_ns, (int)e->status);
    uint32_t at = book_find(&rows->keys, key, false);
    if (at == UINT32_MAX) {
        rows->missing++;
        say(rows, "missing: %s: expected %" PRIu64 " spans\n", key, e->spans);
        return;
    }
    rows->told[at].seen = true;
    struct check check = {
        .rows = rows, .expected = e, .row = rows->told[at].output->row, .key = key};
    check_counts(&check);
    if (e->spans > 0) {
        check_latency(&check);
    } else {
        check_without_latency(&check);
    }
    check_traces(&check);
    if (!check.wrong) rows->equal++;
}

bool rows_compare(const struct book *book, const char *brokers, const char *topic)
{
    struct rows rows;
    rows_read(&rows, book->plan, brokers, topic);
    expect_rows(book, expected_take, &rows);
    for (size_t i = 0; i < rows.tolds; i++) {
        if (rows.told[i].seen) continue;
        rows.unexpected++;
        say(&rows, "unexpected: %s\n", rows.keys.series[i]);
    }
    printf("oracle: %" PRIu64 " records, %" PRIu64 " malformed, %" PRIu64 " spans, %" PRIu64
           " dropped, %" PRIu64 " late, %" PRIu64 " too late, %" PRIu64 " skewed, %zu series\n",
        book->records, book->malformed, book->spans, book->dropped, book->late, book->too_late,
        book->skewed, book->serieses);
    printf("oracle: %" PRIu64 " rows equal, %" PRIu64 " differ, %" PRIu64 " missing, %" PRIu64
           " unexpected, %" PRIu64 " repeated\n",
        rows.equal, rows.differ, rows.missing, rows.unexpected, rows.repeated);
    bool equal = rows.equal > 0 && rows.differ + rows.missing + rows.unexpected == 0;
    rows_release(&rows);
    return equal;
}

/* --- dumping --------------------------------------------------------------------------------- */

static const struct rows *sorting; /* for qsort, which takes no context */

static int by_key(const void *left, const void *right)
{
    const uint32_t *a = left, *b = right;
    return strcmp(sorting->keys.series[*a], sorting->keys.series[*b]);
}

static uint32_t *rows_sorted(const struct rows *rows)
{
    uint32_t *order = calloc(rows->tolds + 1, sizeof(*order));
    if (order == NULL) die("no memory for %zu rows", rows->tolds);
    for (uint32_t i = 0; i < rows->tolds; i++)
        order[i] = i;
    sorting = rows;
    qsort(order, rows->tolds, sizeof(*order), by_key);
    return order;
}

/* Doubles are printed by their bits, so that equal text is equal value. */
static void row_print(const char *key, const Weir__Row *row)
{
    printf("%s", key);
    for (size_t i = 0; i < row->n_column; i++) {
        const Weir__RowColumn *column = row->column[i];
        if (column->value_case == WEIR__ROW_COLUMN__VALUE_INTEGER) {
            printf(" %s=%" PRIu64, column->name, column->integer);
        } else {
            printf(" %s=%a", column->name, column->number);
        }
    }
    if (row->sketch.len > 0) printf(" sketch=");
    for (size_t i = 0; i < row->sketch.len; i++)
        printf("%02x", row->sketch.data[i]);
    struct traces_text traces;
    row_traces_print(row, &traces);
    printf("%s\n", traces.text);
}

static void alert_print(const Weir__Alert *a)
{
    printf("%s %020" PRId64 " %s %s %d %s %s %s %a %" PRId64 " %s %s\n",
        a->changed ? "change" : "alert", a->at_ns, a->series, a->rule, (int)a->state, a->id,
        a->severity, a->condition, a->value, a->since_ns, a->labels, a->annotations);
}

static int by_alert(const void *left, const void *right)
{
    const Weir__Alert *a = (*(Weir__Output *const *)left)->alert;
    const Weir__Alert *b = (*(Weir__Output *const *)right)->alert;
    if (a->at_ns != b->at_ns) return a->at_ns < b->at_ns ? -1 : 1;
    int order = strcmp(a->id, b->id);
    return order != 0 ? order : (int)a->state - (int)b->state;
}

void rows_dump(const char *brokers, const char *topic)
{
    struct rows rows;
    rows_read(&rows, NULL, brokers, topic);
    uint32_t *order = rows_sorted(&rows);
    for (size_t i = 0; i < rows.tolds; i++)
        row_print(rows.keys.series[order[i]], rows.told[order[i]].output->row);
    if (rows.alerts > 0) qsort(rows.alert, rows.alerts, sizeof(Weir__Output *), by_alert);
    for (size_t i = 0; i < rows.alerts; i++)
        alert_print(rows.alert[i]->alert);
    free(order);
    rows_release(&rows);
}

/* --- totals ---------------------------------------------------------------------------------- */

enum { KINDS = 4 };
static const char *const kind_names[KINDS] = {
    "service", "operation", "service-overflow", "operation-overflow"};

/* A series of one dimension is a service; an overflow series says of which view it is. */
static size_t kind_of(const Weir__Row *row)
{
    if (strstr(row->series, "otel.metric.overflow=true") != NULL)
        return strstr(row->series, "view=service;") != NULL ? 2 : 3;
    return strchr(row->series, ';') == NULL ? 0 : 1;
}

static bool is_revised_later(struct rows *rows, const Weir__Row *row)
{
    char key[16384];
    if (row->status == WEIR__ROW_STATUS__REVISED) return false;
    key_print(key, sizeof(key), row->series, row->rolling, row->start_ns, row->end_ns, ROW_REVISED);
    return book_find(&rows->keys, key, false) != UINT32_MAX;
}

static int64_t finest_slice_ns(const struct rows *rows)
{
    int64_t finest_ns = INT64_MAX;
    for (size_t i = 0; i < rows->tolds; i++) {
        const Weir__Row *row = rows->told[i].output->row;
        int64_t width_ns = row->end_ns - row->start_ns;
        if (!row->rolling && width_ns < finest_ns) finest_ns = width_ns;
    }
    return finest_ns;
}

static uint64_t integer_of(const Weir__Row *row, const char *name)
{
    const Weir__RowColumn *column = row_column(row, name);
    return column == NULL ? 0 : column->integer;
}

void rows_total(const char *brokers, const char *topic)
{
    uint64_t spans[KINDS] = {0}, too_late[KINDS] = {0}, count[KINDS] = {0};
    struct rows rows;
    rows_read(&rows, NULL, brokers, topic);
    int64_t finest_ns = finest_slice_ns(&rows);
    for (size_t i = 0; i < rows.tolds; i++) {
        const Weir__Row *row = rows.told[i].output->row;
        if (row->rolling || row->end_ns - row->start_ns != finest_ns) continue;
        if (is_revised_later(&rows, row)) continue;
        size_t kind = kind_of(row);
        spans[kind] += integer_of(row, "spans");
        too_late[kind] += integer_of(row, "too_late");
        count[kind]++;
    }
    for (size_t k = 0; k < KINDS; k++)
        printf("%s %" PRIu64 " spans %" PRIu64 " too_late %" PRIu64 " rows\n", kind_names[k],
            spans[k], too_late[k], count[k]);
    rows_release(&rows);
}
