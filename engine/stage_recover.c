/* What a stage's thread does when an epoch failed: pause, go back, open anew, or end the process. */
#include "engine/base/clock.h"
#include "engine/base/failpoint.h"
#include "engine/base/log.h"
#include "engine/metrics.h"
#include "engine/trouble.h"
#include "engine/worker.h"

#include <stdio.h>

enum { RETRY_MS = 500, FENCED_TWICE_S = 60, SAY_S = 10 };

void worker_fail(struct worker *worker, const struct error *err)
{
    if (!atomic_exchange(&worker->failing, true)) {
        worker->failure = *err;
        atomic_store(&worker->failed, true);
        log_error("worker", "cannot go on, leaving", "error=%s", err->text);
        failpoint("worker", "failed");
    }
    atomic_store(&worker->stopping, true);
}

void worker_pause(const struct worker *worker, int64_t for_ns)
{
    int64_t until_ns = clock_ns() + for_ns;
    while (clock_ns() < until_ns && !worker_stopping(worker))
        clock_sleep(50 * NS_PER_MS);
}

/* Fenced: another instance with our name is alive. Once can be a zombie's end; twice is a wrong config. */
static bool fenced_too_often(struct fencing *fencing)
{
    int64_t now_ns = clock_ns();
    fencing->count = now_ns - fencing->last_ns < FENCED_TWICE_S * NS_PER_S ? fencing->count + 1 : 1;
    fencing->last_ns = now_ns;
    return fencing->count > 3;
}

static void recover_lost(struct worker *worker, struct kafka **kafka, struct fencing *fencing,
    const char *stage, struct error *err)
{
    kafka_close(*kafka);
    *kafka = NULL;
    bool too_often = fenced_too_often(fencing);
    trouble_happened(TROUBLE_FENCED, worker->instance, "stage %s: %s", stage, err->text);
    if (!too_often) return;
    char why[sizeof(err->text)];
    snprintf(why, sizeof(why), "%s", err->text);
    error_set(err, ST_FATAL, err->code,
        "%s was fenced off again and again: is another worker running with instance \"%s\"? Last: "
        "%.200s",
        stage, worker->instance, why);
    worker_fail(worker, err);
}

void stage_trouble(const char *stage, const struct error *err)
{
    static struct log_gate gate;
    if (log_every(&gate, SAY_S * NS_PER_S))
        log_warn(stage, "trouble, trying again", "error=%s", err->text);
}

void stage_recover(struct worker *worker, struct kafka **kafka, enum status status,
    struct fencing *fencing, const char *stage, struct error *err)
{
    static struct log_gate gate;
    if (status == ST_FATAL) {
        worker_fail(worker, err);
        return;
    }
    if (log_every(&gate, SAY_S * NS_PER_S)) {
        log_warn(stage, "epoch not finished, going back to the last committed offset", "error=%s",
            err->text);
    }
    metric_add(metric_of(METRIC_COUNTER, "weir_epochs_aborted_total",
                   "Epochs that were dropped and done again.", "stage=\"%s\"", stage),
        1);
    if (status == ST_RETRY) worker_pause(worker, RETRY_MS * NS_PER_MS);
    if (*kafka == NULL) return;
    bool waits = status == ST_RETRY; /* for a broker or a right, not for a rival */
    if (status != ST_LOST) status = kafka_abort(*kafka, err);
    if (status == ST_OK || status == ST_ABORT) {
        kafka_rewind(*kafka);
    } else if (status == ST_FATAL) {
        worker_fail(worker, err);
    } else if (status == ST_LOST && !waits) {
        recover_lost(worker, kafka, fencing, stage, err);
    } else {
        kafka_close(*kafka);
        *kafka = NULL;
    }
}
