/*
 * The progress line: a bar where the whole is known, the rate, and the time left.
 */
#include "engine/progress.h"

#include "engine/base/clock.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

enum { BAR_CELLS = 24, SHOW_EVERY_MS = 200 };

void progress_open(struct progress *progress, FILE *out, const char *doing, const char *what)
{
    *progress = (struct progress){
        .out = out,
        .terminal = isatty(fileno(out)) == 1,
        .doing = doing,
        .what = what,
        .started_ns = clock_ns(),
    };
}

static void bar_draw(char bar[BAR_CELLS + 1], double share)
{
    int filled = (int)(fmin(share, 1.0) * BAR_CELLS);
    memset(bar, '.', BAR_CELLS);
    memset(bar, '#', (size_t)filled);
    bar[BAR_CELLS] = '\0';
}

void progress_line(
    char *line, const char *doing, const char *what, uint64_t count, double share, double seconds)
{
    unsigned long long done = count;
    double rate = seconds > 0 ? (double)count / seconds : 0;
    if (share < 0) {
        snprintf(line, PROGRESS_BYTES, "%s: %llu %s, %.0f/s", doing, done, what, rate);
        return;
    }
    char bar[BAR_CELLS + 1];
    bar_draw(bar, share);
    double left = share > 0 ? seconds * (1 - fmin(share, 1.0)) / share : 0;
    snprintf(line, PROGRESS_BYTES, "%s: [%s] %3.0f%% %llu %s, %.0f/s, %.0f s left", doing, bar,
        100 * share, done, what, rate, left);
}

void progress_show(struct progress *progress, uint64_t count, double share)
{
    if (!progress->terminal) return;
    int64_t now_ns = clock_ns();
    if (now_ns - progress->shown_ns < SHOW_EVERY_MS * NS_PER_MS) return;
    progress->shown_ns = now_ns;

    char line[PROGRESS_BYTES];
    double seconds = (double)(now_ns - progress->started_ns) / (double)NS_PER_S;
    progress_line(line, progress->doing, progress->what, count, share, seconds);
    fprintf(progress->out, "\r\033[K%s", line);
    fflush(progress->out);
}

void progress_close(struct progress *progress)
{
    if (!progress->terminal) return;
    fputs("\r\033[K", progress->out);
    fflush(progress->out);
}
