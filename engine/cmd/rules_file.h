/*
 * A file of tests of rules:
 *
 *     config: ../weir.yaml     # optional: the config that is tested, the built-in defaults else
 *     rules: [...]             # any key of a config goes before that file's
 *     tests:
 *       - name: a slow checkout fires
 *         series:
 *           - of: {service: checkout, operation: POST /cart, kind: SERVER}
 *             spans: 100x30 0x6
 *             latency: 100msx12 900ms
 *             errors: 0x29 100
 *         until: 10m
 *         only: [checkout-slow]
 *         alerts:
 *           - {at: 4m, state: firing, rule: checkout-slow, labels: {team: shop}}
 *
 * A value is one pane's, VALUExN that of N panes on end. After its last value `spans` is 0, the others
 * stay as they are.
 */
#ifndef ENGINE_CMD_RULES_FILE_H
#define ENGINE_CMD_RULES_FILE_H

#include "engine/base/option.h"
#include "engine/plan.h"

enum {
    RULES_TESTS_MAX = 256,
    RULES_SERIES_MAX = 64,  /* of one test */
    RULES_ALERTS_MAX = 256, /* of one test */
    RULES_PANES_MAX = 100000,
    RULES_RUNS_MAX = 256, /* of one sequence */
};

/* Values over panes: [count] runs of equal ones. */
struct sequence {
    struct {
        uint64_t panes;
        int64_t value; /* spans, or ns */
    } * run;
    size_t count;
};

struct rules_series {
    struct pairs of; /* what the spans are of: service, operation, kind, attributes */
    const char *spans_text, *errors_text, *latency_text;
    struct sequence spans, errors, latency;
    const struct node *written;
};

struct rules_alert {
    int64_t at_ns; /* from the test's beginning */
    int state;     /* 0: firing, 1: resolved */
    const char *rule, *series, *severity;
    struct pairs labels, annotations;
    const struct node *written;
};

struct rules_case {
    const char *name;
    int64_t until_ns;
    struct texts only;
    struct rules_series *series;
    size_t serieses;
    struct rules_alert *alert;
    size_t alerts;
    uint64_t panes; /* how long it runs */
    const struct node *written;
};

struct rules_file {
    const char *path;
    struct pool pool;
    struct config base, config;
    struct plan plan; /* points into the config: the file stays where it is */
    struct rules_case *test;
    size_t tests;
};

/* returns  ST_OK; ST_FATAL, with file, line and column */
enum status rules_file_read(struct rules_file *file, const char *path, struct error *err) MUST_USE;
void rules_file_release(struct rules_file *file);

/* The value of a sequence in a pane; after its end the last one, or `after` where that is not negative. */
int64_t sequence_at(const struct sequence *s, uint64_t pane, int64_t after);

#endif
