/*
 * What an operator that raises alerts says of them: labels, by which they are told apart and routed,
 * and annotations, which people read. Written into the transition as JSON objects of texts.
 *
 * Labels are alertname, severity, the dimensions of the series, and the operator's own, which go
 * before dimensions of the same name.
 */
#ifndef OPERATORS_ALERT_WORDING_H
#define OPERATORS_ALERT_WORDING_H

#include "engine/base/option.h"
#include "operators/operator.h"
#include "operators/wording.h"

enum { ALERT_LABELS_MAX = 16, ALERT_ANNOTATIONS_MAX = 16 };

struct alert_wording {
    const struct pairs *labels, *annotations; /* as configured */
    struct wording label[ALERT_LABELS_MAX];
    struct wording annotation[ALERT_ANNOTATIONS_MAX];
};

/*
 * labels, annotations  outlive the wording
 * terms                what annotations read is added to
 * fails                ST_FATAL: "labels: team: column 4: ..."; too many, or a name that no label can have
 */
enum status alert_wording_read(struct alert_wording *w, const struct pairs *labels,
    const struct pairs *annotations, const struct vocabulary *v, struct terms *terms,
    struct error *err) MUST_USE;

/* Write both for the transition's alert; nothing where its text is NULL. */
void alert_wording_fill(const struct alert_wording *w, const struct wording_facts *facts,
    struct bytes severity, struct transition *out);

#endif
