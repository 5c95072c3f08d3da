/* The table of weir rules backtest. */
#include "engine/base/duration.h"
#include "engine/base/instant.h"
#include "engine/cmd/rules_backtest.h"
#include "engine/cmd/sheet.h"

#include <inttypes.h>

static void time_cell(struct sheet *sheet, const struct episode *e, int64_t ns, const char *open)
{
    if (e == NULL)
        sheet_cell(sheet, bytes_of("-"));
    else
        sheet_cell(sheet, bytes_of(ns == EPISODE_OPEN ? open : instant_print(ns).text));
}

/* "fires 40s later, ends 2m sooner"; times that nobody knows are not compared. */
static bool moved(const char *what, int64_t ran_ns, int64_t tested_ns, struct buffer *out)
{
    if (ran_ns == tested_ns) return false;
    const char *comma = out->size == 0 ? "" : ", ";
    if (tested_ns == EPISODE_OPEN || ran_ns == EPISODE_OPEN) {
        bool begins = what[0] == 'f';
        const char *mine = begins ? "fired before" : "still fires";
        const char *theirs = begins ? "fires anew" : "is over";
        buffer_print(out, "%s%s", comma, tested_ns == EPISODE_OPEN ? mine : theirs);
        return true;
    }
    bool later = tested_ns > ran_ns;
    buffer_print(out, "%s%s %s %s", comma, what,
        duration_print(later ? tested_ns - ran_ns : ran_ns - tested_ns).text,
        later ? "later" : "sooner");
    return true;
}

enum kind { ALIKE, CHANGED, NEW, GONE, KINDS };

static enum kind kind_of(const struct episode_pair *p, struct buffer *difference)
{
    buffer_reset(difference);
    if (p->ran == NULL || p->tested == NULL) {
        buffer_print(difference, p->ran == NULL ? "new" : "gone");
        return p->ran == NULL ? NEW : GONE;
    }
    bool differs = moved("fires", p->ran->fired_ns, p->tested->fired_ns, difference);
    differs = moved("ends", p->ran->resolved_ns, p->tested->resolved_ns, difference) || differs;
    if (!differs) buffer_print(difference, "the same");
    return differs ? CHANGED : ALIKE;
}

static void print_row(struct sheet *sheet, const struct episode_pair *p, struct buffer *difference)
{
    const struct episode *one = p->tested != NULL ? p->tested : p->ran;
    sheet_cell(sheet, one->rule);
    sheet_cell(sheet, one->severity);
    sheet_cell(sheet, one->series);
    time_cell(sheet, p->tested, p->tested == NULL ? 0 : p->tested->fired_ns, "before");
    time_cell(sheet, p->tested, p->tested == NULL ? 0 : p->tested->resolved_ns, "firing");
    time_cell(sheet, p->ran, p->ran == NULL ? 0 : p->ran->fired_ns, "before");
    time_cell(sheet, p->ran, p->ran == NULL ? 0 : p->ran->resolved_ns, "firing");
    sheet_cell(sheet, buffer_bytes(difference));
}

void rules_backtest_print(
    const struct episode_pair *pair, size_t count, size_t width, struct buffer *out)
{
    static const char *const titles[] = {"rule", "severity", "series", "these: fired", "ended",
        "those that ran: fired", "ended", "difference"};
    uint64_t of[KINDS] = {0};
    struct sheet sheet = {0};
    struct buffer difference = {0};
    for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++)
        sheet_column(&sheet, titles[i], SHEET_LEFT, i == 2);
    for (size_t i = 0; i < count; i++) {
        of[kind_of(&pair[i], &difference)]++;
        print_row(&sheet, &pair[i], &difference);
    }
    if (count > 0) sheet_write(&sheet, width, sheet_rows(&sheet), "\n", out);
    buffer_print(out,
        "%" PRIu64 " alerts by these rules, %" PRIu64 " by those that ran: %" PRIu64
        " the same, %" PRIu64 " changed, %" PRIu64 " new, %" PRIu64 " gone\n",
        of[ALIKE] + of[CHANGED] + of[NEW], of[ALIKE] + of[CHANGED] + of[GONE], of[ALIKE],
        of[CHANGED], of[NEW], of[GONE]);
    buffer_release(&difference);
    sheet_release(&sheet);
}
