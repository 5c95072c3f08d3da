#include "engine/combine_counts.h"

#include "engine/base/clock.h"
#include "engine/base/log.h"

static void count(
    const char *name, const char *help, const char *reason, uint64_t now, uint64_t *said)
{
    struct metric *metric = reason == NULL
                                ? metric_of(METRIC_COUNTER, name, help, NULL)
                                : metric_of(METRIC_COUNTER, name, help, "reason=\"%s\"", reason);
    metric_add(metric, now - *said);
    *said = now;
}

/* The least lateness, in seconds, that would have held 99 % of the spans seen. */
static double lateness_needed(const struct combine_counts *counts)
{
    uint64_t all = 0, held = 0;
    for (int s = 0; s <= BEHIND_SECONDS; s++)
        all += counts->behind[s];
    for (int s = 0; s <= BEHIND_SECONDS; s++) {
        held += counts->behind[s];
        if (held * 100 >= all * 99) return s + 1.0;
    }
    return BEHIND_SECONDS;
}

/* Now and then, and only where it would have helped: what to set `lateness` to. */
static void advise(const struct combine_counts *counts, double needed_s, double lateness_s)
{
    static struct log_gate gate;
    if (counts->late + counts->too_late == 0 || needed_s <= lateness_s) return;
    if (!log_every(&gate, 600 * NS_PER_S)) return;
    log_info("combine", "a longer `lateness` would have held 99 % of the spans on time",
        "needed_s=%.0f lateness_s=%.0f late=%llu too_late=%llu", needed_s, lateness_s,
        (unsigned long long)counts->late, (unsigned long long)counts->too_late);
}

void combine_counts_say(const struct combine *combine, struct combine_counts *said, uint32_t thread,
    int64_t lateness_ns)
{
    static const char spans_help[] = "Spans decoded.";
    static const char not_in[] = "Spans that are in no final row, by reason.";
    const struct combine_counts *now = combine_counts(combine);
    double needed_s = lateness_needed(now);
    count("weir_messages_total", "Messages read.", NULL, now->messages, &said->messages);
    count("weir_bytes_total", "Bytes of messages read.", NULL, now->bytes, &said->bytes);
    count("weir_spans_total", spans_help, NULL, now->spans, &said->spans);
    count(
        "weir_spans_late_total", "Spans that revised a closed pane.", NULL, now->late, &said->late);
    count("weir_spans_skewed_total", "Spans that ended after their record's timestamp + skew.",
        NULL, now->skewed, &said->skewed);
    count("weir_records_ahead_total", "Records with a timestamp ahead of the wall clock.", NULL,
        now->ahead, &said->ahead);
    count("weir_spans_dropped_total", not_in, "too_late", now->too_late, &said->too_late);
    count("weir_spans_dropped_total", not_in, "trace_id", now->dropped[DROP_TRACE_ID],
        &said->dropped[DROP_TRACE_ID]);
    count("weir_spans_dropped_total", not_in, "span_id", now->dropped[DROP_SPAN_ID],
        &said->dropped[DROP_SPAN_ID]);
    count("weir_spans_dropped_total", not_in, "time", now->dropped[DROP_TIME],
        &said->dropped[DROP_TIME]);
    metric_set(
        metric_of(METRIC_GAUGE, "weir_lateness_needed_seconds",
            "The `lateness` that would have held 99 % of the spans.", "thread=\"%u\"", thread),
        needed_s);
    advise(now, needed_s, (double)lateness_ns / 1e9);
}

void sources_say(const struct sources *sources, const struct kafka *kafka)
{
    for (size_t i = 0; i < sources->count; i++) {
        const struct source *source = &sources->source[i];
        const struct source_clock *clock = &source->clock;
        int64_t end = kafka_end_seen(kafka, clock->topic, (int32_t)clock->partition);
        int64_t lag =
            end > clock->position && source->idle_at != clock->position ? end - clock->position : 0;
        metric_set(source->lag_records, (double)lag);
        if (clock->watermark_ns == WATERMARK_NONE) continue;
        metric_set(source->watermark, (double)clock->watermark_ns / 1e9);
        int64_t newest_ns = clock->watermark_ns + sources->worker->config->lateness_ns;
        double behind = (double)(clock_wall_ns() - newest_ns) / 1e9;
        metric_set(source->lag_seconds, lag == 0 || behind < 0 ? 0 : behind);
    }
}
