#include "engine/notify_meter.h"

#include <stdio.h>

static const char *const omissions[NOTIFY_OMISSIONS] = {
    [NOTIFY_OVER] = "over",
    [NOTIFY_TOLD] = "told",
    [NOTIFY_UNWANTED] = "unwanted",
    [NOTIFY_SHARED] = "shared",
    [NOTIFY_PAST] = "past",
    [NOTIFY_MALFORMED] = "malformed",
};

static void open_reasons(struct notify_meter *m, const char *place)
{
    for (int r = 0; r < NOTIFY_REASONS; r++) {
        m->failed[r] = metric_of(METRIC_COUNTER, "weir_notify_failed_total",
            "Attempts that a receiver did not take, by reason.", "receiver=\"%s\",reason=\"%s\"",
            place, notify_reason_name((enum notify_reason)r));
    }
    for (int o = 0; o < NOTIFY_OMISSIONS; o++) {
        m->omitted[o] = metric_of(METRIC_COUNTER, "weir_notify_omitted_total",
            "Notices that were not to be told, by reason.", "receiver=\"%s\",reason=\"%s\"", place,
            omissions[o]);
    }
}

static void open_counters(struct notify_meter *m, const char *place)
{
    static const char dropped[] = "Notices that were given up, by reason.";
    for (int s = NOTICE_FIRING; s <= NOTICE_RESOLVED; s++) {
        m->sent[s] =
            metric_of(METRIC_COUNTER, "weir_notify_sent_total", "Notices that a receiver took.",
                "receiver=\"%s\",state=\"%s\"", place, notice_state_name[s]);
    }
    m->retries = metric_of(METRIC_COUNTER, "weir_notify_retries_total",
        "Notices that were sent once more because an attempt had failed.", "receiver=\"%s\"",
        place);
    m->resent = metric_of(METRIC_COUNTER, "weir_notify_resent_total",
        "Notices said again because the receiver forgets them otherwise.", "receiver=\"%s\"",
        place);
    m->refused = metric_of(METRIC_COUNTER, "weir_notify_dropped_total", dropped,
        "receiver=\"%s\",reason=\"refused\"", place);
    m->too_old = metric_of(METRIC_COUNTER, "weir_notify_dropped_total", dropped,
        "receiver=\"%s\",reason=\"age\"", place);
}

static void open_others(struct notify_meter *m, const char *place)
{
    static const char delay[] = "Until a receiver took a notice: from the event time of the "
                                "transition, and from its entry in Redis.";
    m->delay_event = metric_of(METRIC_SUMMARY, "weir_notify_delay_seconds", delay,
        "receiver=\"%s\",from=\"event\"", place);
    m->delay_entry = metric_of(METRIC_SUMMARY, "weir_notify_delay_seconds", delay,
        "receiver=\"%s\",from=\"entry\"", place);
    m->waiting = metric_of(METRIC_GAUGE, "weir_notify_waiting",
        "Notices that this notifier has in hand.", "receiver=\"%s\"", place);
    m->pending = metric_of(METRIC_GAUGE, "weir_notify_pending",
        "Entries that a notifier has read and not acknowledged, of all notifiers.",
        "receiver=\"%s\"", place);
    m->firing = metric_of(METRIC_GAUGE, "weir_notify_firing",
        "Alerts that a receiver was told to fire and not to be resolved.", "receiver=\"%s\"",
        place);
}

void notify_meter_open(struct notify_meter *meter, const char *place)
{
    struct metric_label label = metric_label(place);
    snprintf(meter->ready, sizeof(meter->ready), "receiver %s", place);
    open_reasons(meter, label.text);
    open_counters(meter, label.text);
    open_others(meter, label.text);
    metric_set(meter->waiting, 0);
    metric_set(meter->firing, 0);
}
