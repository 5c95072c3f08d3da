/* Rows that follow from the book, each added up from single spans. */
#include "oracle.h"

#include <math.h>
#include <stdlib.h>

/* What is needed for the rows of one series in one window. */
struct series_rows {
    const struct book *book;
    const struct window *window;
    const char *series;
    const struct sighting *sighting; /* of this series, by pane */
    size_t sightings;
    int64_t *end_ns; /* candidate row ends */
    size_t ends, ends_capacity;
    uint64_t *duration_ns;          /* scratch */
    const struct sighting **picked; /* scratch: those of one row */
    void (*take)(void *self, const struct expected *row);
    void *self;
};

static int by_value(const void *left, const void *right)
{
    const uint64_t *a = left, *b = right;
    return (*a > *b) - (*a < *b);
}

void sort_durations(uint64_t *duration_ns, size_t n)
{
    if (n > 0) qsort(duration_ns, n, sizeof(*duration_ns), by_value);
}

uint64_t expect_quantile(const uint64_t *ascending, size_t n, double q)
{
    double rank = ceil(q * (double)n - 1e-9); /* 0.07 * 100 is a little more than 7 */
    if (rank < 1) rank = 1;
    if (rank > (double)n) rank = (double)n;
    return ascending[(size_t)rank - 1];
}

static void row_add(
    struct expected *row, uint64_t *durations, const struct plan *plan, const struct sighting *s)
{
    if (s->too_late) {
        row->too_late++;
        return;
    }
    durations[row->spans++] = s->duration_ns;
    row->errors += s->failed;
    row->late += s->late;
    row->skewed += s->skewed;
    row->sum_ns += s->duration_ns;
    for (size_t t = 0; t < plan->thresholds; t++)
        row->threshold[t] += s->duration_ns <= (uint64_t)plan->threshold_ns[t];
}

/* Rule 9: what arrived in pane A is known from A's end on. */
static bool is_known_at(const struct plan *plan, const struct sighting *s, int64_t at_ns)
{
    int64_t shown = plan->breakage == BREAK_ARRIVAL && s->late ? s->arrival : s->arrival + 1;
    return shown * plan->pane_ns <= at_ns;
}

/* The row over [end - width, end) of what was known at `known_ns`. */
static struct expected row_at(const struct series_rows *rows, int64_t end_ns, int64_t known_ns)
{
    const struct plan *plan = rows->book->plan;
    struct expected row = {.series = rows->series,
        .start_ns = end_ns - rows->window->width_ns,
        .end_ns = end_ns,
        .rolling = rows->window->rolling,
        .status = ROW_FINAL,
        .duration_ns = rows->duration_ns};
    int64_t first = row.start_ns / plan->pane_ns, past = end_ns / plan->pane_ns;
    for (size_t i = 0; i < rows->sightings; i++) {
        const struct sighting *s = &rows->sighting[i];
        if (s->pane >= past) break;
        if (s->pane < first || !is_known_at(plan, s, known_ns)) continue;
        if (!s->too_late) rows->picked[row.spans] = s;
        row_add(&row, rows->duration_ns, plan, s);
    }
    sort_durations(rows->duration_ns, row.spans);
    traces_expect(rows->book, rows->picked, row.spans, &row);
    return row;
}

static bool is_empty(const struct expected *row)
{
    return row->spans == 0 && row->too_late == 0;
}

/* Rule 10: a rolling window has a row while it holds anything, and one when it has become empty. */
static void rolling_row(const struct series_rows *rows, int64_t end_ns)
{
    int64_t before_ns = end_ns - rows->window->hop_ns;
    struct expected row = row_at(rows, end_ns, end_ns);
    if (is_empty(&row)) {
        struct expected before = row_at(rows, before_ns, before_ns);
        if (is_empty(&before)) return;
    }
    rows->take(rows->self, &row);
}

/*
 * Rule 11: a slice's final row holds what was known at its end; if late spans came after that, the
 * last revised row holds all of them.
 */
static void slice_rows(const struct series_rows *rows, int64_t end_ns)
{
    struct expected final = row_at(rows, end_ns, end_ns);
    uint64_t spans = final.spans;
    if (!is_empty(&final)) rows->take(rows->self, &final);
    struct expected revised = row_at(rows, end_ns, INT64_MAX);
    revised.status = ROW_REVISED;
    if (revised.spans != spans) rows->take(rows->self, &revised);
}

static void end_note(struct series_rows *rows, int64_t end_ns)
{
    rows->end_ns =
        array_room(rows->end_ns, rows->ends, &rows->ends_capacity, sizeof(*rows->end_ns));
    rows->end_ns[rows->ends++] = end_ns;
}

static int by_time(const void *left, const void *right)
{
    const int64_t *a = left, *b = right;
    return (*a > *b) - (*a < *b);
}

/* The ends at which a row may be due: those that cover some sighting, and one more. */
static void ends_gather(struct series_rows *rows)
{
    const struct window *window = rows->window;
    int64_t pane_ns = rows->book->plan->pane_ns, last_covered = INT64_MIN;
    rows->ends = 0;
    for (size_t i = 0; i < rows->sightings; i++) {
        int64_t pane = rows->sighting[i].pane;
        if (pane == last_covered) continue;
        last_covered = pane;
        int64_t end_ns = (floor_div(pane * pane_ns, window->hop_ns) + 1) * window->hop_ns;
        int64_t past_ns = end_ns + window->width_ns + (window->rolling ? 0 : -window->hop_ns);
        for (; end_ns <= past_ns; end_ns += window->hop_ns)
            end_note(rows, end_ns);
    }
    if (rows->ends > 0) qsort(rows->end_ns, rows->ends, sizeof(*rows->end_ns), by_time);
}

static void window_rows(struct series_rows *rows)
{
    const struct book *book = rows->book;
    int64_t over_ns = (book->last_pane + 1) * book->plan->pane_ns;
    ends_gather(rows);
    for (size_t i = 0; i < rows->ends && rows->end_ns[i] <= over_ns; i++) {
        if (i > 0 && rows->end_ns[i] == rows->end_ns[i - 1]) continue;
        if (rows->window->rolling) {
            rolling_row(rows, rows->end_ns[i]);
        } else {
            slice_rows(rows, rows->end_ns[i]);
        }
    }
}

void expect_rows(
    const struct book *book, void (*take)(void *self, const struct expected *row), void *self)
{
    struct series_rows rows = {.book = book, .take = take, .self = self};
    rows.duration_ns = calloc(book->sightings + 1, sizeof(*rows.duration_ns));
    rows.picked = calloc(book->sightings + 1, sizeof(*rows.picked));
    if (rows.duration_ns == NULL || rows.picked == NULL)
        die("no memory for %zu sightings", book->sightings);
    for (uint32_t series = 0; series < book->serieses; series++) {
        size_t from, to;
        book_series(book, series, &from, &to);
        rows.series = book->series[series];
        rows.sighting = book->sighting + from;
        rows.sightings = to - from;
        for (size_t w = 0; w < book->plan->windows; w++) {
            rows.window = &book->plan->window[w];
            window_rows(&rows);
        }
    }
    free(rows.end_ns);
    free(rows.duration_ns);
    free(rows.picked);
}
