/* What an alert is shown with: how far its series is out of the ordinary, its traces, its errors. */
#ifndef ENGINE_EVIDENCE_H
#define ENGINE_EVIDENCE_H

#include "engine/plan.h"
#include "operators/operator.h"

/*
 * row    of the newest closed slice that is scored; its texts are borrowed
 * alert  its signal, exemplars and error kinds are written
 */
void evidence_give(const struct plan *plan, const struct row *row, struct alert *alert);

/*
 * What came after that slice says more of the fault: its exemplars and its error kinds, each where there
 * are any, take the place of the slice's.
 *
 * since  of what has been closed since the slice's end; its texts are borrowed
 */
void evidence_renew(const struct row *since, struct alert *alert);

#endif
