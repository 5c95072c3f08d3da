/* weir top: the newest rows of all series, read from Redis alone, again and again. */
#include "engine/base/clock.h"
#include "engine/base/instant.h"
#include "engine/base/node.h"
#include "engine/cmd/arguments.h"
#include "engine/cmd/board.h"
#include "engine/cmd/cmd.h"
#include "engine/cmd/sheet.h"
#include "engine/stop.h"
#include "schemas/series_name.h"

#include <math.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { ALERTS_SHOWN = 10 };
#define TIMEOUT_NS  (5 * NS_PER_S)
#define INTERVAL_NS (100 * NS_PER_MS) /* at the least */

struct top {
    const char *redis, *prefix;
    struct tls_files tls;
    int64_t window, interval;
    int sort; /* enum board_order */
    bool once;
};

static const char *const orders[] = {"rate", "z", NULL};

#define TOP_FILE(named, field)                                                      \
    {                                                                               \
        .key = (named), .type = OPTION_TEXT, .offset = offsetof(struct top, field), \
        .fallback = "", .help = "a PEM file"                                        \
    }
static const struct option top_options[] = {
    OPTION(TEXT, top, redis, "redis://127.0.0.1:6379", "a URL, as in redis://127.0.0.1:6379"),
    TOP_FILE("ca-file", tls.ca),
    TOP_FILE("certificate-file", tls.certificate),
    TOP_FILE("key-file", tls.key),
    OPTION(TEXT, top, prefix, "weir", "of the keys, as in `weir`"),
    OPTION(DURATION, top, window, "0", "a rolling window, as in 1m"),
    OPTION(DURATION, top, interval, "1s", "a duration, as in 1s"),
    {.key = "sort",
        .type = OPTION_CHOICE,
        .offset = offsetof(struct top, sort),
        .fallback = "rate",
        .choices = orders,
        .help = "rate or z"},
    OPTION(FLAG, top, once, "false", "true or false"),
    {0},
};

static const char top_help[] =
    "Usage: weir top [OPTION]...\n"
    "\n"
    "Show the newest row of every series, and what alerts fire. Reads Redis only. Redraws in "
    "place\n"
    "on a terminal until Ctrl-C, and prints once elsewhere.\n"
    "\n"
    "  --redis URL       redis://[[user]:password@]host[:port][/db], unix:///path[?db=n] or\n"
    "                    sentinel://host[:port],.../master; rediss and sentinels: over TLS\n"
    "                    [redis://127.0.0.1:6379]\n"
    "  --ca-file FILE    who may sign Redis' certificate [whom the system trusts]\n"
    "  --certificate-file FILE, --key-file FILE\n"
    "                    our own certificate, where Redis asks for one [none]\n"
    "  --prefix TEXT     of the keys [weir]\n"
    "  --window LENGTH   rolling window to show [the shortest that there is]\n"
    "  --sort rate|z     largest first [rate]\n"
    "  --interval TIME   between two looks [1s]\n"
    "  --once            print once and leave\n"
    "\n"
    "RATE/S is spans a second, ERR% those with status ERROR, P50 and so on their latency in ms, Z "
    "the\n"
    "score of the last closed pane that is farthest from zero, CAPT% spans counted of those "
    "known.\n"
    "\n"
    "Example: what is least usual right now:\n"
    "  weir top --sort z\n"
    "Exit codes: 0 done, 1 Redis failed, 2 wrong usage.\n";

extern const struct command command_top;

/* A picture being drawn. */
struct picture {
    const struct top *options;
    const char *address;
    size_t width, height; /* 0: no limit */
    const char *line_end;
    bool terminal;
    struct sheet sheet;
    char title[BOARD_QUANTILES][BOARD_NAME_BYTES];
    struct buffer out, text;
};

static void put_line(struct picture *p, size_t from)
{
    struct bytes line = {p->out.data + from, p->out.size - from};
    size_t shown = 0, size = 0;
    for (; size < line.size && p->width != 0; size++) {
        if ((line.data[size] & 0xc0) != 0x80 && shown++ == p->width) break;
    }
    if (p->width != 0) p->out.size = from + size;
    buffer_append(&p->out, p->line_end, strlen(p->line_end));
}

static void put_head(struct picture *p, const struct board *board)
{
    size_t from = p->out.size;
    buffer_print(&p->out, "weir top  %s  prefix %s  window %s  %zu series", p->address,
        p->options->prefix, board->window.text, board->count);
    if (board->newest_ms != 0)
        buffer_print(&p->out, "  until %s", instant_print(board->newest_ms * NS_PER_MS).text);
    buffer_print(
        &p->out, "  %zu alert%s", board->alerts.count, board->alerts.count == 1 ? "" : "s");
    put_line(p, from);
}

static size_t quantiles(const struct board *board)
{
    size_t count = 0;
    while (count < BOARD_QUANTILES && board->quantile[count][0] != '\0')
        count++;
    return count;
}

static void put_columns(struct picture *p, const struct board *board)
{
    sheet_reset(&p->sheet);
    sheet_column(&p->sheet, "SERVICE", SHEET_LEFT, true);
    sheet_column(&p->sheet, "OPERATION", SHEET_LEFT, true);
    sheet_column(&p->sheet, "KIND", SHEET_LEFT, false);
    sheet_column(&p->sheet, "RATE/S", SHEET_RIGHT, false);
    sheet_column(&p->sheet, "ERR%", SHEET_RIGHT, false);
    for (size_t q = 0; q < quantiles(board); q++) {
        snprintf(p->title[q], sizeof(p->title[q]), "P%s", board->quantile[q] + 1);
        sheet_column(&p->sheet, p->title[q], SHEET_RIGHT, false);
    }
    sheet_column(&p->sheet, "Z", SHEET_RIGHT, false);
    sheet_column(&p->sheet, "CAPT%", SHEET_RIGHT, false);
    sheet_column(&p->sheet, "ALERTS", SHEET_RIGHT, false);
}

static void dimension_cell(struct picture *p, struct bytes series, const char *dimension)
{
    buffer_reset(&p->text);
    series_name_decode(series_name_value(series, bytes_of(dimension)), &p->text);
    sheet_cell(&p->sheet, buffer_bytes(&p->text));
}

/* The operation, and whatever else the view groups by. */
static void operation_cell(struct picture *p, struct bytes series)
{
    buffer_reset(&p->text);
    while (series.size > 0) {
        const uint8_t *semicolon = memchr(series.data, ';', series.size);
        size_t size = semicolon == NULL ? series.size : (size_t)(semicolon - series.data);
        struct bytes one = {series.data, size};
        size_t past = size + (semicolon != NULL);
        series = (struct bytes){series.data + past, series.size - past};
        const uint8_t *equals = size == 0 ? NULL : memchr(one.data, '=', size);
        struct bytes name = {one.data, equals == NULL ? size : (size_t)(equals - one.data)};
        if (bytes_are(name, "service") || bytes_are(name, "kind")) continue;
        if (p->text.size != 0) buffer_append(&p->text, " ", 1);
        if (bytes_are(name, "operation")) one = (struct bytes){equals + 1, size - name.size - 1};
        series_name_decode(one, &p->text);
    }
    sheet_cell(&p->sheet, buffer_bytes(&p->text));
}

/* Three digits are what an eye can compare. */
static void ms_cell(struct picture *p, double ms)
{
    sheet_number(&p->sheet, ms < 10 ? 2 : ms < 100 ? 1 : 0, ms);
}

static void put_row(struct picture *p, const struct board *board, const struct board_line *line)
{
    dimension_cell(p, line->series, "service");
    operation_cell(p, line->series);
    dimension_cell(p, line->series, "kind");
    sheet_number(&p->sheet, line->rate_per_s < 100 ? 2 : 0, line->rate_per_s);
    sheet_number(&p->sheet, 2, 100 * line->error_ratio);
    for (size_t q = 0; q < quantiles(board); q++)
        ms_cell(p, line->quantile_ms[q]);
    if (isnan(line->z))
        sheet_cell(&p->sheet, (struct bytes){0});
    else
        sheet_print_cell(&p->sheet, "%+.1f", line->z);
    sheet_number(&p->sheet, 1, 100 * line->capture_ratio);
    if (line->alerts == 0)
        sheet_cell(&p->sheet, (struct bytes){0});
    else
        sheet_print_cell(&p->sheet, "%zu", line->alerts);
}

static void text_in(const json_t *alert, const char *name, struct buffer *out)
{
    const char *text = json_string_value(json_object_get(alert, name));
    sheet_escape(bytes_of(text == NULL ? "?" : text), out);
}

static void put_alert(struct picture *p, const struct read_item *item)
{
    size_t from = p->out.size;
    json_t *alert = json_loadb((const char *)item->value.data, item->value.size, 0, NULL);
    int64_t since_ms = (int64_t)json_integer_value(json_object_get(alert, "since_ms"));
    buffer_print(&p->out, "  ! ");
    text_in(alert, "rule", &p->out);
    buffer_print(&p->out, " (");
    text_in(alert, "severity", &p->out);
    buffer_print(&p->out, ") since %s: ", instant_print(since_ms * NS_PER_MS).text);
    text_in(alert, "series", &p->out);
    buffer_print(&p->out, ": ");
    text_in(alert, "condition", &p->out);
    const json_t *value = json_object_get(alert, "value");
    if (json_is_number(value)) buffer_print(&p->out, ", value %.4g", json_number_value(value));
    put_line(p, from);
    json_decref(alert);
}

static void put_alerts(struct picture *p, const struct board *board)
{
    if (board->alerts.count == 0) return;
    put_line(p, p->out.size);
    for (size_t i = 0; i < board->alerts.count && i < ALERTS_SHOWN; i++)
        put_alert(p, &board->alerts.item[i]);
    if (board->alerts.count <= ALERTS_SHOWN) return;
    size_t from = p->out.size;
    buffer_print(
        &p->out, "  ! and %zu more: weir query alerts", board->alerts.count - ALERTS_SHOWN);
    put_line(p, from);
}

/* How many rows fit above the alerts. */
static size_t rows_shown(const struct picture *p, const struct board *board)
{
    size_t below = board->alerts.count > ALERTS_SHOWN ? ALERTS_SHOWN + 1 : board->alerts.count;
    if (p->height == 0) return board->count;
    size_t taken = 3 + (below == 0 ? 0 : below + 1);
    return p->height > taken ? p->height - taken : 1;
}

static void put_empty(struct picture *p)
{
    size_t from = p->out.size;
    buffer_print(&p->out,
        "no rows yet under prefix %s at %s: is a worker running (weir run), and is --prefix right?",
        p->options->prefix, p->address);
    put_line(p, from);
}

static void draw(struct picture *p, const struct board *board)
{
    buffer_reset(&p->out);
    if (p->terminal) buffer_print(&p->out, "\033[H");
    put_head(p, board);
    if (board->count == 0) {
        put_empty(p);
    } else {
        size_t rows = rows_shown(p, board);
        put_columns(p, board);
        for (size_t i = 0; i < board->count && i < rows; i++)
            put_row(p, board, &board->line[i]);
        sheet_write(&p->sheet, p->width, rows, p->line_end, &p->out);
    }
    put_alerts(p, board);
    if (p->terminal) buffer_print(&p->out, "\033[J");
}

static void show(struct picture *p)
{
    fwrite(p->out.data, 1, p->out.size, stdout);
    fflush(stdout);
}

static void measure(struct picture *p)
{
    struct winsize size;
    p->width = p->height = 0;
    if (!p->terminal || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return;
    p->width = size.ws_col;
    p->height = size.ws_row;
}

/* Redis went away for a while: say so in the first line and leave the last rows where they are. */
static void show_failure(struct picture *p, const struct error *why)
{
    buffer_reset(&p->out);
    buffer_print(&p->out, "\033[H");
    size_t from = p->out.size;
    sheet_escape(bytes_of(why->text), &p->out);
    put_line(p, from);
    show(p);
}

static enum status look(
    struct picture *p, struct board *board, struct redis_read *read, struct error *err)
{
    enum status status =
        board_load(board, read, p->options->window, (enum board_order)p->options->sort, err);
    measure(p);
    if (status == ST_OK) {
        draw(p, board);
        show(p);
    }
    return status;
}

/* Until Ctrl-C; what is worth another try is tried again. */
static enum status watch(
    struct picture *p, struct board *board, struct redis_read *read, struct error *err)
{
    enum status status = ST_OK;
    printf("\033[2J\033[?25l");
    while (!stop_asked()) {
        status = look(p, board, read, err);
        if (status == ST_RETRY) show_failure(p, err);
        if (status != ST_OK && status != ST_RETRY) break;
        if (!stop_asked()) clock_sleep(p->options->interval);
    }
    printf("\033[?25h");
    fflush(stdout);
    return stop_asked() ? ST_OK : status;
}

static enum status top_show(const struct top *options, struct error *err)
{
    struct redis_read *read = NULL;
    struct board board = {0};
    bool terminal = isatty(STDOUT_FILENO) == 1 && !options->once;
    struct picture picture = {
        .options = options, .terminal = terminal, .line_end = terminal ? "\033[K\n" : "\n"};

    enum status status =
        redis_read_open(&read, options->redis, &options->tls, options->prefix, TIMEOUT_NS, err);
    if (status == ST_OK) {
        picture.address = redis_read_address(read);
        status = terminal ? watch(&picture, &board, read, err) : look(&picture, &board, read, err);
    }
    redis_read_close(read);
    board_release(&board);
    sheet_release(&picture.sheet);
    buffer_release(&picture.out);
    buffer_release(&picture.text);
    return status;
}

static int top_run(int argc, char **argv)
{
    struct arguments arguments = {0};
    struct top options;
    struct error err;
    int exit_code = EXIT_DONE;
    if (arguments_read(&arguments, top_options, &options, argc, argv, &err) != ST_OK) {
        exit_code = command_misused(&command_top, "%s", err.text);
    } else if (arguments.count != 0) {
        exit_code = command_misused(
            &command_top, "takes no argument %s", node_show(arguments.rest[0]).text);
    } else {
        if (options.interval < INTERVAL_NS) options.interval = INTERVAL_NS;
        stop_on_signals();
        if (top_show(&options, &err) != ST_OK)
            exit_code = command_failed(&command_top, &err, EXIT_FAILED);
    }
    arguments_release(&arguments);
    return exit_code;
}

const struct command command_top = {
    .name = "top",
    .summary = "watch the newest rows of all series, from Redis",
    .help = top_help,
    .run = top_run,
};
