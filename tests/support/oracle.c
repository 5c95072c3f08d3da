/* weir_oracle: says whether a rows topic is what follows from an input topic; see oracle.h. */
#include "oracle.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: weir_oracle COMMAND --brokers HOST:PORT ...\n"
    "\n"
    "  rows      --topic T --rows-topic R   compare R with what follows from T\n"
    "  ranges    --topic T --count N        N random `series from_ms to_ms quantile true_ms "
    "spans`\n"
    "  quantile  --topic T --series S --from MS --to MS --quantile Q\n"
    "  spans     --topic T                  how many spans T holds, and of which kinds\n"
    "  dump      --rows-topic R             all closed rows and alerts, in order, without wall "
    "clocks\n"
    "  live      --topic T --rows-topic R [--to MS]   last rows of panes against all spans\n"
    "  shown     --rows-topic R <LINES      compare R with what Redis shows; see oracle.h\n"
    "  total     --rows-topic R             what the last rows of the finest slices add up to\n"
    "  feed      [--topic T] --rows-topic R a small input and its rows [--tamper N: one is wrong]\n"
    "  create    --topic T --partitions N\n"
    "  grow      --topic T --partitions N   more partitions\n"
    "  delete    --topic T\n"
    "  copy      --topic T --into U --partitions N --from MS --to MS   partition p goes to p % N\n"
    "\n"
    "  the plan: --pane 10s --lateness 30s --skew 5s --allowed-lateness 5m\n"
    "            --view service,operation,kind (again for more)\n"
    "            --window 5m/30s (again)  --history 1m (again)\n"
    "            --threshold 250ms (again)  --quantiles 50 (again)\n"
    "            --break pane-boundary|on-time|too-late|arrival|mask   one rule wrong on purpose\n";

struct wanted {
    struct plan plan;
    const char *brokers, *topic, *into, *rows_topic, *series, *quantile;
    int64_t from_ms, to_ms, count, partitions, tamper, seed;
};

void die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "weir_oracle: ");
    vfprintf(stderr, format, args);
    fprintf(stderr, "\n");
    va_end(args);
    exit(2);
}

void *array_room(void *array, size_t count, size_t *capacity, size_t item_bytes)
{
    if (count < *capacity) return array;
    *capacity = *capacity == 0 ? 64 : *capacity * 2;
    void *grown = realloc(array, *capacity * item_bytes);
    if (grown == NULL) die("no memory for %zu items", *capacity);
    return grown;
}

/* --- options --------------------------------------------------------------------------------- */

int64_t duration_ns(const char *text)
{
    static const struct {
        const char *unit;
        int64_t ns;
    } units[] = {{"ms", NS_PER_MS}, {"s", 1000 * NS_PER_MS}, {"m", 60000 * NS_PER_MS},
        {"h", 3600000 * NS_PER_MS}};
    char *end;
    int64_t number = strtoll(text, &end, 10);
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(end, units[i].unit) == 0 && end != text) return number * units[i].ns;
    }
    die("not a duration: %s", text);
}

static enum dimension dimension_of(const char *name)
{
    static const char *const names[] = {"service", "operation", "kind"};
    for (int i = 0; i < DIMENSIONS_MAX; i++) {
        if (strcmp(name, names[i]) == 0) return (enum dimension)i;
    }
    die("no dimension %s: service, operation or kind", name);
}

static void view_add(struct plan *plan, char *text)
{
    if (plan->views == WINDOWS_MAX) die("too many views");
    struct view *view = &plan->view[plan->views++];
    char *rest = text;
    for (char *name; (name = strsep(&rest, ",")) != NULL;) {
        if (view->dimensions == DIMENSIONS_MAX) die("too many dimensions: %s", name);
        view->dimension[view->dimensions++] = dimension_of(name);
    }
}

static void window_add(struct plan *plan, char *text, bool rolling)
{
    if (plan->windows == WINDOWS_MAX) die("too many windows");
    char *hop = strchr(text, '/');
    if (hop != NULL) *hop++ = '\0';
    int64_t width_ns = duration_ns(text);
    plan->window[plan->windows++] = (struct window){.width_ns = width_ns,
        .hop_ns = hop == NULL ? width_ns : duration_ns(hop),
        .rolling = rolling};
}

static void threshold_add(struct plan *plan, const char *text)
{
    if (plan->thresholds == THRESHOLDS_MAX) die("too many thresholds");
    plan->threshold_text[plan->thresholds] = text;
    plan->threshold_ns[plan->thresholds++] = duration_ns(text);
}

static void quantile_add(struct plan *plan, const char *percent)
{
    if (plan->quantiles == QUANTILES_MAX) die("too many quantiles");
    plan->quantile_text[plan->quantiles] = percent;
    plan->quantile[plan->quantiles++] = strtod(percent, NULL) / 100;
}

static enum breakage breakage_of(const char *name)
{
    static const char *const names[] = {
        "nothing", "pane-boundary", "on-time", "too-late", "arrival", "mask"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(name, names[i]) == 0) return (enum breakage)i;
    }
    die("cannot break %s", name);
}

static void view_option(struct plan *plan, char *text)
{
    view_add(plan, text);
}

static void window_option(struct plan *plan, char *text)
{
    window_add(plan, text, true);
}

static void history_option(struct plan *plan, char *text)
{
    window_add(plan, text, false);
}

static void threshold_option(struct plan *plan, char *text)
{
    threshold_add(plan, text);
}

static void quantiles_option(struct plan *plan, char *text)
{
    quantile_add(plan, text);
}

static void break_option(struct plan *plan, char *text)
{
    plan->breakage = breakage_of(text);
}

enum option_type { TEXT, NUMBER, DURATION, PLAN };

static const struct option {
    const char *name;
    enum option_type type;
    size_t offset; /* in struct wanted */
    void (*plan)(struct plan *plan, char *text);
} options[] = {
    {"--brokers", TEXT, offsetof(struct wanted, brokers), NULL},
    {"--topic", TEXT, offsetof(struct wanted, topic), NULL},
    {"--into", TEXT, offsetof(struct wanted, into), NULL},
    {"--rows-topic", TEXT, offsetof(struct wanted, rows_topic), NULL},
    {"--series", TEXT, offsetof(struct wanted, series), NULL},
    {"--quantile", TEXT, offsetof(struct wanted, quantile), NULL},
    {"--from", NUMBER, offsetof(struct wanted, from_ms), NULL},
    {"--to", NUMBER, offsetof(struct wanted, to_ms), NULL},
    {"--count", NUMBER, offsetof(struct wanted, count), NULL},
    {"--seed", NUMBER, offsetof(struct wanted, seed), NULL},
    {"--partitions", NUMBER, offsetof(struct wanted, partitions), NULL},
    {"--tamper", NUMBER, offsetof(struct wanted, tamper), NULL},
    {"--pane", DURATION, offsetof(struct wanted, plan.pane_ns), NULL},
    {"--lateness", DURATION, offsetof(struct wanted, plan.lateness_ns), NULL},
    {"--skew", DURATION, offsetof(struct wanted, plan.skew_ns), NULL},
    {"--allowed-lateness", DURATION, offsetof(struct wanted, plan.allowed_lateness_ns), NULL},
    {"--view", PLAN, 0, view_option},
    {"--window", PLAN, 0, window_option},
    {"--history", PLAN, 0, history_option},
    {"--threshold", PLAN, 0, threshold_option},
    {"--quantiles", PLAN, 0, quantiles_option},
    {"--break", PLAN, 0, break_option},
};

static void option_set(struct wanted *wanted, const struct option *option, char *value)
{
    void *field = (char *)wanted + option->offset;
    switch (option->type) {
    case TEXT:
        *(const char **)field = value;
        break;
    case NUMBER:
        *(int64_t *)field = strtoll(value, NULL, 10);
        break;
    case DURATION:
        *(int64_t *)field = duration_ns(value);
        break;
    case PLAN:
        option->plan(&wanted->plan, value);
        break;
    }
}

static const struct option *option_find(const char *name)
{
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        if (strcmp(name, options[i].name) == 0) return &options[i];
    }
    die("not understood: %s\n%s", name, usage);
}

static void options_read(struct wanted *wanted, char **argument)
{
    for (; *argument != NULL; argument += 2) {
        const struct option *option = option_find(argument[0]);
        if (argument[1] == NULL) die("%s wants a value", argument[0]);
        option_set(wanted, option, argument[1]);
    }
    if (wanted->brokers == NULL) die("--brokers is missing\n%s", usage);
}

static const char *needed(const char *value, const char *name)
{
    if (value == NULL) die("%s is missing\n%s", name, usage);
    return value;
}

/* --- commands -------------------------------------------------------------------------------- */

static void book_open(struct book *book, const struct wanted *wanted)
{
    book_read(book, &wanted->plan, wanted->brokers, needed(wanted->topic, "--topic"));
}

static int command_rows(const struct wanted *wanted)
{
    struct book book;
    const char *rows = needed(wanted->rows_topic, "--rows-topic");
    book_open(&book, wanted);
    bool equal = rows_compare(&book, wanted->brokers, rows);
    book_release(&book);
    return equal ? 0 : 1;
}

static int command_live(const struct wanted *wanted)
{
    struct book book;
    struct plan plan = wanted->plan;
    plan.lateness_ns = INT64_C(1000) * 3600 * 1000 * NS_PER_MS;
    book_read(&book, &plan, wanted->brokers, needed(wanted->topic, "--topic"));
    bool equal = live_compare(
        &book, wanted->brokers, needed(wanted->rows_topic, "--rows-topic"), wanted->to_ms);
    book_release(&book);
    return equal ? 0 : 1;
}

/* The true quantile in ms over all spans of a series in the panes of [from, to); -1: no spans. */
static double true_quantile(const struct book *book, uint32_t series, int64_t from_ms,
    int64_t to_ms, double q, size_t *spans)
{
    size_t from, to, n = 0;
    book_series(book, series, &from, &to);
    uint64_t *duration_ns = calloc(to - from + 1, sizeof(*duration_ns));
    if (duration_ns == NULL) die("no memory for %zu durations", to - from);
    for (; from < to; from++) {
        const struct sighting *s = &book->sighting[from];
        int64_t at_ms = s->pane * book->plan->pane_ns / NS_PER_MS;
        if (!s->too_late && at_ms >= from_ms && at_ms < to_ms) duration_ns[n++] = s->duration_ns;
    }
    sort_durations(duration_ns, n);
    double value = n == 0 ? -1 : (double)expect_quantile(duration_ns, n, q) / 1e6;
    free(duration_ns);
    *spans = n;
    return value;
}

static int command_quantile(const struct wanted *wanted)
{
    struct book book;
    book_open(&book, wanted);
    uint32_t series = book_find(&book, needed(wanted->series, "--series"), false);
    if (series == UINT32_MAX) die("no series %s", wanted->series);
    size_t spans;
    printf("%.9g\n", true_quantile(&book, series, wanted->from_ms, wanted->to_ms,
                         strtod(wanted->quantile, NULL), &spans));
    book_release(&book);
    return 0;
}

static unsigned random_below(unsigned *seed, unsigned limit)
{
    return (unsigned)rand_r(seed) % limit;
}

/* One random range of whole, closed minutes that holds spans of a random series; -1: not this time. */
static double range_try(
    const struct book *book, unsigned *seed, struct wanted *range, size_t *spans)
{
    static const char *const quantiles[] = {"0.01", "0.5", "0.9", "0.95", "0.99", "1"};
    const int64_t minute_ms = 60000, pane_ms = book->plan->pane_ns / NS_PER_MS;
    const struct sighting *s = &book->sighting[random_below(seed, (unsigned)book->sightings)];
    int64_t minute = floor_div(s->pane * pane_ms, minute_ms);
    range->series = book->series[s->series];
    range->quantile = quantiles[random_below(seed, sizeof(quantiles) / sizeof(quantiles[0]))];
    range->from_ms = (minute - random_below(seed, 3)) * minute_ms;
    range->to_ms = (minute + 1 + random_below(seed, 3)) * minute_ms;
    if (range->to_ms > (book->last_pane + 1) * pane_ms) return -1;
    return true_quantile(
        book, s->series, range->from_ms, range->to_ms, strtod(range->quantile, NULL), spans);
}

static void range_print(const struct book *book, unsigned *seed)
{
    enum { TRIES = 100000 };
    struct wanted range = {0};
    for (int tries = 0; tries < TRIES; tries++) {
        size_t spans;
        double value = range_try(book, seed, &range, &spans);
        if (value < 0) continue;
        printf("%s %" PRId64 " %" PRId64 " %s %.9g %zu\n", range.series, range.from_ms, range.to_ms,
            range.quantile, value, spans);
        return;
    }
    die("no whole minute holds spans");
}

static int command_ranges(const struct wanted *wanted)
{
    struct book book;
    unsigned seed = (unsigned)wanted->seed;
    book_open(&book, wanted);
    if (book.sightings == 0) die("topic %s holds no spans", wanted->topic);
    for (int64_t i = 0; i < wanted->count; i++)
        range_print(&book, &seed);
    book_release(&book);
    return 0;
}

static int command_spans(const struct wanted *wanted)
{
    struct book book;
    book_open(&book, wanted);
    printf("%" PRIu64 " spans %" PRIu64 " dropped %" PRIu64 " late %" PRIu64 " too_late\n",
        book.spans, book.dropped, book.late, book.too_late);
    book_release(&book);
    return 0;
}

static int command_shown(const struct wanted *wanted)
{
    return shown_compare(stdin, wanted->brokers, needed(wanted->rows_topic, "--rows-topic")) ? 0
                                                                                             : 1;
}

static int command_dump(const struct wanted *wanted)
{
    rows_dump(wanted->brokers, needed(wanted->rows_topic, "--rows-topic"));
    return 0;
}

static int command_total(const struct wanted *wanted)
{
    rows_total(wanted->brokers, needed(wanted->rows_topic, "--rows-topic"));
    return 0;
}

static int command_feed(const struct wanted *wanted)
{
    feed_write(wanted->brokers, wanted->topic, needed(wanted->rows_topic, "--rows-topic"),
        (int)wanted->tamper);
    return 0;
}

static int command_create(const struct wanted *wanted)
{
    topic_create(wanted->brokers, needed(wanted->topic, "--topic"), (int)wanted->partitions);
    return 0;
}

static int command_grow(const struct wanted *wanted)
{
    topic_grow(wanted->brokers, needed(wanted->topic, "--topic"), (int)wanted->partitions);
    return 0;
}

static int command_delete(const struct wanted *wanted)
{
    topic_delete(wanted->brokers, needed(wanted->topic, "--topic"));
    return 0;
}

static int command_copy(const struct wanted *wanted)
{
    topic_copy(wanted->brokers, needed(wanted->topic, "--topic"), needed(wanted->into, "--into"),
        (int)wanted->partitions, wanted->from_ms, wanted->to_ms);
    return 0;
}

static const struct {
    const char *name;
    int (*run)(const struct wanted *wanted);
} commands[] = {
    {"rows", command_rows},
    {"ranges", command_ranges},
    {"quantile", command_quantile},
    {"spans", command_spans},
    {"shown", command_shown},
    {"dump", command_dump},
    {"total", command_total},
    {"feed", command_feed},
    {"create", command_create},
    {"grow", command_grow},
    {"delete", command_delete},
    {"copy", command_copy},
    {"live", command_live},
};

/* weir's own defaults; a list that is given at all replaces the default one. */
static void plan_defaults(struct plan *plan)
{
    static char views[][32] = {"service", "service,operation,kind"};
    for (size_t i = 0; plan->views < 2 && i < 2; i++)
        view_add(plan, views[i]);
}

int main(int argc, char **argv)
{
    const int64_t second_ns = 1000 * NS_PER_MS;
    struct wanted wanted = {.plan = {.pane_ns = 10 * second_ns,
                                .lateness_ns = 30 * second_ns,
                                .skew_ns = 5 * second_ns,
                                .allowed_lateness_ns = 300 * second_ns,
                                .quantile_error = 0.0055},
        .quantile = "0.5",
        .count = 1,
        .seed = 1,
        .partitions = 1,
        .tamper = -1};
    const char *name = argc > 1 ? argv[1] : "";
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(name, commands[i].name) != 0) continue;
        options_read(&wanted, argv + 2);
        if (wanted.plan.views == 0) plan_defaults(&wanted.plan);
        return commands[i].run(&wanted);
    }
    die("%s", usage);
}
