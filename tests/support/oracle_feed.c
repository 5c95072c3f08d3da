/*
 * A small input, and its rows as a person works them out with pencil and paper.
 *
 * Panes are 10 s, lateness 30 s, skew 5 s, allowed_lateness 20 s. All times are seconds after BASE.
 * Partition 0's clock: none, -25, 15, 16, 35, 36. Partition 1's: none, -18.
 *
 *   record     its spans
 *   p0 at 5    a  SERVER  ends  4  100 ms        no clock yet: on time, pane 0
 *              b  CLIENT  ends  4  300 ms error  pane 0
 *   p0 at 45   c  SERVER  ends 10  250 ms        at the boundary: pane 1
 *   p0 at 46   d  SERVER  ends  9   50 ms        clock 15: pane 0 is closed, late, arrives in pane 1
 *              e  SERVER  ends 19  400 ms        pane 1 is the clock's: on time
 *   p0 at 65   not OTLP                          moves the clock all the same
 *   p0 at 66   f  SERVER  ends  8  600 ms        clock 35 >= 10 + 20: too late, counted in pane 3
 *              g  SERVER  ends 80  500 ms error  past 66 + 5: skewed, pane 6
 *   p1 at 12   h  INTERNAL ends 11 before it starts, without a service: pane 1, 0 ms
 *              and one with an all-zero trace id: dropped
 *
 * Each span is in the trace of its letter, but e is in c's. b throws, g has a status and a code.
 *
 * The last pane is 6, so everything up to 70 is closed.
 */
#include "oracle.h"
#include "otlp.pb-c.h"
#include "row.pb-c.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define S    INT64_C(1000000000)
#define BASE (INT64_C(1700000040) * S)

/* --- the input ------------------------------------------------------------------------------- */

struct fed {
    int32_t partition;
    int64_t record_s;
    const char *service; /* NULL: none */
    const char *name;
    Weir__Otlp__SpanKind kind;
    int64_t end_s, duration_ms;
    const char *failed; /* NULL: no; else what it says */
    char trace;         /* 0: all zeros */
};

#define SERVER   WEIR__OTLP__SPAN_KIND__SPAN_KIND_SERVER
#define CLIENT   WEIR__OTLP__SPAN_KIND__SPAN_KIND_CLIENT
#define INTERNAL WEIR__OTLP__SPAN_KIND__SPAN_KIND_INTERNAL

/* Neighbours of equal partition and record time are one record; a name of NULL is not OTLP. */
static const char thrown[] = "no answer within 300 ms", status_told[] = "order 'x7' failed";

static const struct fed fed[] = {
    {0, 5, "checkout", "GET /", SERVER, 4, 100, NULL, 'a'},
    {0, 5, "checkout", "query", CLIENT, 4, 300, thrown, 'b'},
    {0, 45, "checkout", "GET /", SERVER, 10, 250, NULL, 'c'},
    {0, 46, "checkout", "GET /", SERVER, 9, 50, NULL, 'd'},
    {0, 46, "checkout", "GET /", SERVER, 19, 400, NULL, 'c'},
    {0, 65, NULL, NULL, 0, 0, 0, NULL, 0},
    {0, 66, "checkout", "GET /", SERVER, 8, 600, NULL, 'f'},
    {0, 66, "checkout", "GET /", SERVER, 80, 500, status_told, 'g'},
    {1, 12, NULL, "a b", INTERNAL, 11, -7, NULL, 'h'},
    {1, 12, NULL, "a b", INTERNAL, 11, 3, NULL, 0},
};
enum { SPANS = sizeof(fed) / sizeof(fed[0]) };

/* An attribute with a text, or with a number where text is NULL. */
struct packed_pair {
    Weir__Otlp__AnyValue value;
    Weir__Otlp__KeyValue pair, *pairs;
};

static void pair_init(struct packed_pair *packed, const char *key, const char *text, int64_t number)
{
    weir__otlp__any_value__init(&packed->value);
    weir__otlp__key_value__init(&packed->pair);
    packed->pairs = &packed->pair;
    packed->pair.key = (char *)(uintptr_t)key;
    packed->pair.value = &packed->value;
    if (text != NULL) {
        packed->value.value_case = WEIR__OTLP__ANY_VALUE__VALUE_STRING_VALUE;
        packed->value.string_value = (char *)(uintptr_t)text;
    } else {
        packed->value.value_case = WEIR__OTLP__ANY_VALUE__VALUE_INT_VALUE;
        packed->value.int_value = number;
    }
}

/* Why a span failed, in the two ways that there are. */
struct packed_error {
    Weir__Otlp__Status status;
    Weir__Otlp__Event event, *events;
    struct packed_pair type, message, code;
    Weir__Otlp__KeyValue *exception[2];
};

static void error_init(struct packed_error *e, const struct fed *f, Weir__Otlp__Span *span)
{
    weir__otlp__status__init(&e->status);
    weir__otlp__event__init(&e->event);
    e->status.code = WEIR__OTLP__STATUS_CODE__STATUS_CODE_ERROR;
    span->status = &e->status;
    if (f->failed == status_told) {
        pair_init(&e->code, "http.response.status_code", NULL, 503);
        e->status.message = (char *)(uintptr_t)f->failed;
        span->n_attributes = 1;
        span->attributes = &e->code.pairs;
        return;
    }
    pair_init(&e->type, "exception.type", "TimeoutError", 0);
    pair_init(&e->message, "exception.message", f->failed, 0);
    e->exception[0] = &e->type.pair;
    e->exception[1] = &e->message.pair;
    e->event.name = (char *)(uintptr_t) "exception";
    e->event.n_attributes = 2;
    e->event.attributes = e->exception;
    e->events = &e->event;
    span->n_events = 1;
    span->events = &e->events;
}

/* Append one span as a ResourceSpans of its own; concatenated messages merge. */
static size_t fed_pack(const struct fed *f, uint8_t *out)
{
    static uint8_t good[16] = {1};
    uint8_t trace[16];
    struct packed_error error;
    Weir__Otlp__Span span = WEIR__OTLP__SPAN__INIT, *spans = &span;
    memset(trace, f->trace, sizeof(trace));
    span.trace_id = (ProtobufCBinaryData){16, trace};
    span.span_id = (ProtobufCBinaryData){8, good};
    span.name = (char *)(uintptr_t)f->name;
    span.kind = f->kind;
    span.end_time_unix_nano = (uint64_t)(BASE + f->end_s * S);
    span.start_time_unix_nano = (uint64_t)(BASE + f->end_s * S - f->duration_ms * NS_PER_MS);
    if (f->failed != NULL) error_init(&error, f, &span);

    struct packed_pair service;
    Weir__Otlp__Resource resource = WEIR__OTLP__RESOURCE__INIT;
    pair_init(&service, "service.name", f->service == NULL ? "" : f->service, 0);
    resource.n_attributes = f->service != NULL;
    resource.attributes = &service.pairs;

    Weir__Otlp__ScopeSpans scope = WEIR__OTLP__SCOPE_SPANS__INIT, *scopes = &scope;
    Weir__Otlp__ResourceSpans outer = WEIR__OTLP__RESOURCE_SPANS__INIT, *outers = &outer;
    Weir__Otlp__TracesData data = WEIR__OTLP__TRACES_DATA__INIT;
    scope.n_spans = 1;
    scope.spans = &spans;
    outer.resource = &resource;
    outer.n_scope_spans = 1;
    outer.scope_spans = &scopes;
    data.n_resource_spans = 1;
    data.resource_spans = &outers;
    return weir__otlp__traces_data__pack(&data, out);
}

static bool is_same_record(const struct fed *a, const struct fed *b)
{
    return a->partition == b->partition && a->record_s == b->record_s;
}

static void input_write(const char *brokers, const char *topic)
{
    uint8_t value[4096];
    size_t bytes = 0;
    topic_create(brokers, topic, 2);
    struct topic_writer *writer = topic_writer_open(brokers, topic);
    for (size_t i = 0; i < SPANS; i++) {
        if (fed[i].name == NULL) {
            value[bytes++] = 0x0a; /* a field of five bytes, and then the end */
            value[bytes++] = 0x05;
        } else {
            bytes += fed_pack(&fed[i], value + bytes);
        }
        if (i + 1 < SPANS && is_same_record(&fed[i], &fed[i + 1])) continue;
        int64_t at_ms = (BASE + fed[i].record_s * S) / NS_PER_MS;
        topic_write(writer, fed[i].partition, at_ms, value, bytes);
        bytes = 0;
    }
    topic_writer_close(writer);
}

/* --- the rows -------------------------------------------------------------------------------- */

#define CHECKOUT "service=checkout"
#define GET      "service=checkout;operation=GET%20%2F;kind=SERVER"
#define QUERY    "service=checkout;operation=query;kind=CLIENT"
#define UNKNOWN  "service=unknown_service;operation=a%20b;kind=INTERNAL"

#define FINAL   ROW_FINAL
#define REVISED ROW_REVISED

/* width 60 is rolling; 61 stands for a slice of 60 s. */
enum { SLICE_60 = 61 };

struct worked_out {
    const char *series;
    int64_t width_s, end_s;
    enum row_status status;
    uint64_t spans, errors, late, too_late, skewed, sum_ms, le_250ms;
    uint64_t min_ms, p50_ms, max_ms;
    const char *traces; /* kind, letter and ms of each: s slow, e error, t typical */
    char failed;        /* the letter of the one failure in it; 0: none */
};

/* The least hash decides nothing here: no row has more than three traces. */
#define A   "sa100 ta100"
#define AD  "sa100 sd50 td50"
#define C   "sc400 tc400"
#define G   "sg500 eg500 tg500"
#define ALL "sc400 sa100 sd50 ta100"
#define CG  "sg500 sc400 eg500 tc400"
#define B   "sb300 eb300 tb300"
#define H   "sh0 th0"

/* clang-format off */
#define ENTRY_ROWS(series)                                                           \
    {series, 10, 10, FINAL, 1, 0, 0, 0, 0, 100, 1, 100, 100, 100, A, 0},             \
    {series, 10, 10, REVISED, 2, 0, 1, 0, 0, 150, 2, 50, 50, 100, AD, 0},            \
    {series, 10, 20, FINAL, 2, 0, 0, 0, 0, 650, 1, 250, 250, 400, C, 0},             \
    {series, 10, 40, FINAL, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, "", 0},                    \
    {series, 10, 70, FINAL, 1, 1, 0, 0, 1, 500, 0, 500, 500, 500, G, 'g'},           \
    {series, SLICE_60, 60, FINAL, 4, 0, 1, 1, 0, 800, 3, 50, 100, 400, ALL, 0},      \
    {series, 60, 10, FINAL, 1, 0, 0, 0, 0, 100, 1, 100, 100, 100, A, 0},             \
    {series, 60, 20, FINAL, 4, 0, 1, 0, 0, 800, 3, 50, 100, 400, ALL, 0},            \
    {series, 60, 30, FINAL, 4, 0, 1, 0, 0, 800, 3, 50, 100, 400, ALL, 0},            \
    {series, 60, 40, FINAL, 4, 0, 1, 1, 0, 800, 3, 50, 100, 400, ALL, 0},            \
    {series, 60, 50, FINAL, 4, 0, 1, 1, 0, 800, 3, 50, 100, 400, ALL, 0},            \
    {series, 60, 60, FINAL, 4, 0, 1, 1, 0, 800, 3, 50, 100, 400, ALL, 0},            \
    {series, 60, 70, FINAL, 3, 1, 0, 1, 1, 1150, 1, 250, 400, 500, CG, 'g'}

#define SAME_QUERY(width, end) \
    {QUERY, width, end, FINAL, 1, 1, 0, 0, 0, 300, 0, 300, 300, 300, B, 'b'}
#define SAME_UNKNOWN(width, end) \
    {UNKNOWN, width, end, FINAL, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, H, 0}
/* clang-format on */

static const struct worked_out worked_out[] = {
    ENTRY_ROWS(CHECKOUT),
    ENTRY_ROWS(GET),
    SAME_QUERY(10, 10),
    SAME_QUERY(SLICE_60, 60),
    SAME_QUERY(60, 10),
    SAME_QUERY(60, 20),
    SAME_QUERY(60, 30),
    SAME_QUERY(60, 40),
    SAME_QUERY(60, 50),
    SAME_QUERY(60, 60),
    {QUERY, 60, 70, FINAL, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, "", 0}, /* just become empty */
    SAME_UNKNOWN(10, 20),
    SAME_UNKNOWN(SLICE_60, 60),
    SAME_UNKNOWN(60, 20),
    SAME_UNKNOWN(60, 30),
    SAME_UNKNOWN(60, 40),
    SAME_UNKNOWN(60, 50),
    SAME_UNKNOWN(60, 60),
    SAME_UNKNOWN(60, 70),
};
enum { WORKED_OUT = sizeof(worked_out) / sizeof(worked_out[0]), COLUMNS_MAX = 16 };
enum { TAMPER_TRACE = 12, TAMPER_EXEMPLARS, TAMPER_ERRORS, TAMPER_ROW }; /* behind the columns */

struct row_writer {
    struct topic_writer *topic;
    Weir__RowColumn column[COLUMNS_MAX];
    Weir__RowColumn *columns[COLUMNS_MAX];
    size_t count;
    Weir__Exemplar exemplar[KINDS_MAX], *exemplars[KINDS_MAX];
    size_t traces;
    uint8_t trace_id[KINDS_MAX][TRACE_BYTES], failed_id[TRACE_BYTES];
    Weir__ErrorKind kind, *kinds;
    bool failed;
    uint64_t errors_else;
};

static Weir__RowColumn *column_add(struct row_writer *writer, const char *name)
{
    Weir__RowColumn *column = &writer->column[writer->count];
    weir__row_column__init(column);
    column->name = (char *)(uintptr_t)name;
    writer->columns[writer->count++] = column;
    return column;
}

static void integer_add(struct row_writer *writer, const char *name, uint64_t integer)
{
    Weir__RowColumn *column = column_add(writer, name);
    column->value_case = WEIR__ROW_COLUMN__VALUE_INTEGER;
    column->integer = integer;
}

static void number_add(struct row_writer *writer, const char *name, double number)
{
    Weir__RowColumn *column = column_add(writer, name);
    column->value_case = WEIR__ROW_COLUMN__VALUE_NUMBER;
    column->number = number;
}

static void columns_add(struct row_writer *writer, const struct worked_out *w)
{
    writer->count = 0;
    integer_add(writer, "spans", w->spans);
    integer_add(writer, "errors", w->errors);
    integer_add(writer, "late", w->late);
    integer_add(writer, "too_late", w->too_late);
    integer_add(writer, "skewed", w->skewed);
    integer_add(writer, "latency_sum_ns", w->sum_ms * (uint64_t)NS_PER_MS);
    integer_add(writer, "latency_le_250ms", w->le_250ms);
    if (w->spans == 0) return;
    number_add(writer, "error_ratio", (double)w->errors / (double)w->spans);
    number_add(writer, "latency_mean_ms", (double)w->sum_ms / (double)w->spans);
    number_add(writer, "latency_min_ms", (double)w->min_ms);
    number_add(writer, "latency_max_ms", (double)w->max_ms);
    number_add(writer, "latency_p50_ms", (double)w->p50_ms * 1.004); /* within the bound */
}

/* Such as `sc400 tc400`. */
static void traces_add(struct row_writer *writer, const char *words)
{
    char kind, letter;
    long long ms;
    int bytes;
    for (writer->traces = 0; sscanf(words, " %c%c%lld%n", &kind, &letter, &ms, &bytes) == 3;) {
        size_t i = writer->traces++;
        Weir__Exemplar *exemplar = &writer->exemplar[i];
        weir__exemplar__init(exemplar);
        memset(writer->trace_id[i], letter, TRACE_BYTES);
        exemplar->kind = kind == 's'   ? WEIR__EXEMPLAR_KIND__SLOW
                         : kind == 'e' ? WEIR__EXEMPLAR_KIND__ERROR
                                       : WEIR__EXEMPLAR_KIND__TYPICAL;
        exemplar->trace_id = (ProtobufCBinaryData){TRACE_BYTES, writer->trace_id[i]};
        exemplar->duration_ns = (uint64_t)(ms * NS_PER_MS);
        writer->exemplars[i] = exemplar;
        words += bytes;
    }
}

static void kinds_add(struct row_writer *writer, char letter)
{
    static char types[][16] = {"TimeoutError", "503"};
    static char messages[][32] = {"no answer within <num> ms", "order <str> failed"};
    int which = letter == 'g';
    weir__error_kind__init(&writer->kind);
    memset(writer->failed_id, letter, TRACE_BYTES);
    writer->kind.type = types[which];
    writer->kind.message = messages[which];
    writer->kind.count = 1;
    writer->kind.trace_id = (ProtobufCBinaryData){TRACE_BYTES, writer->failed_id};
    writer->kinds = &writer->kind;
    writer->failed = letter != 0;
    writer->errors_else = 0;
}

static void row_write(struct row_writer *writer, const struct worked_out *w)
{
    uint8_t value[4096];
    Weir__Output output = WEIR__OUTPUT__INIT;
    Weir__Row row = WEIR__ROW__INIT;
    int64_t width_s = w->width_s == SLICE_60 ? 60 : w->width_s;
    row.series = (char *)(uintptr_t)w->series;
    row.start_ns = BASE + (w->end_s - width_s) * S;
    row.end_ns = BASE + w->end_s * S;
    row.rolling = w->width_s == 60;
    row.status = w->status == ROW_REVISED ? WEIR__ROW_STATUS__REVISED : WEIR__ROW_STATUS__FINAL;
    row.n_column = writer->count;
    row.column = writer->columns;
    row.n_exemplar = writer->traces;
    row.exemplar = writer->exemplars;
    row.n_error_kind = writer->failed;
    row.error_kind = &writer->kinds;
    row.errors_else = writer->errors_else;
    output.version = 1;
    output.what_case = WEIR__OUTPUT__WHAT_ROW;
    output.row = &row;
    size_t bytes = weir__output__pack(&output, value);
    topic_write(writer->topic, 0, row.end_ns / NS_PER_MS, value, bytes);
}

static void tamper_traces(struct row_writer *writer, size_t which)
{
    if (which == TAMPER_TRACE && writer->traces > 0)
        writer->trace_id[0][TRACE_BYTES - 1] ^= 1;
    else if (which == TAMPER_EXEMPLARS && writer->traces > 0)
        writer->traces--;
    else if (which == TAMPER_ERRORS && writer->failed)
        writer->kind.count++;
    else
        writer->errors_else = 1;
}

/* One row is left out, or one of its columns or traces is a little off. */
static bool tampered(struct row_writer *writer, int tamper)
{
    size_t column = (size_t)tamper % COLUMNS_MAX;
    if (column == TAMPER_ROW || (column >= writer->count && column < TAMPER_TRACE)) return false;
    if (column >= TAMPER_TRACE) {
        tamper_traces(writer, column);
        return true;
    }
    Weir__RowColumn *c = writer->columns[column];
    if (c->value_case == WEIR__ROW_COLUMN__VALUE_INTEGER) {
        c->integer++;
    } else {
        c->number = c->number * 1.01 + 0.01;
    }
    return true;
}

static void rows_write(const char *brokers, const char *topic, int tamper)
{
    struct row_writer writer = {.topic = NULL};
    topic_create(brokers, topic, 1);
    writer.topic = topic_writer_open(brokers, topic);
    for (int i = 0; i < WORKED_OUT; i++) {
        columns_add(&writer, &worked_out[i]);
        traces_add(&writer, worked_out[i].traces);
        kinds_add(&writer, worked_out[i].failed);
        bool aimed_at = tamper >= 0 && i == tamper % WORKED_OUT;
        if (aimed_at && !tampered(&writer, tamper)) continue;
        row_write(&writer, &worked_out[i]);
    }
    topic_writer_close(writer.topic);
}

void feed_write(const char *brokers, const char *input, const char *rows, int tamper)
{
    if (input != NULL) input_write(brokers, input);
    rows_write(brokers, rows, tamper);
}
