/*
 * weir_calibrate: how often the scores of `anomaly` cry where nothing is wrong, and how soon they
 * find what is. `weir_calibrate [--full] [--seed N] [--only nulls|tails|fleet|power] [--to FILE]
 * [--series N] [--days N]`
 *
 * Exit code 1 where a target is missed.
 */
#include "tests/calibrate/calibrate.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    void (*run)(struct report *);
} parts[] = {{"nulls", calibrate_nulls}, {"tails", calibrate_tails}, {"fleet", calibrate_fleet},
    {"power", calibrate_power}};

const char *verdict(struct report *report, bool met)
{
    if (met) return "";
    report->missed++;
    return " **missed**";
}

int main(int argc, char **argv)
{
    struct report report = {.out = stdout, .seed = 1};
    const char *only = NULL;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--full") == 0)
            report.full = true;
        else if (i + 1 < argc && strcmp(argv[i], "--seed") == 0)
            report.seed = (unsigned)atol(argv[++i]);
        else if (i + 1 < argc && strcmp(argv[i], "--series") == 0)
            report.series = (unsigned)atol(argv[++i]);
        else if (i + 1 < argc && strcmp(argv[i], "--days") == 0)
            report.days = (unsigned)atol(argv[++i]);
        else if (i + 1 < argc && strcmp(argv[i], "--only") == 0)
            only = argv[++i];
        else if (i + 1 < argc && strcmp(argv[i], "--to") == 0)
            report.out = fopen(argv[++i], "w");
        else
            return 2;
    }
    if (report.out == NULL) return 2;
    setvbuf(report.out, NULL, _IOLBF, 0);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (only == NULL || strcmp(only, parts[i].name) == 0) parts[i].run(&report);
    }
    fprintf(report.out, "\n%d targets missed\n", report.missed);
    return report.missed > 0;
}
