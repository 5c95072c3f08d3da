/* Every measure and operator there is. Adding one is its file and its line here. */
#include "operators/measure.h"
#include "operators/operator.h"

extern const struct measure measure_count, measure_errors, measure_latency, measure_exemplar,
    measure_error_kinds;
extern const struct window_operator window_operator_zscore, window_operator_anomaly,
    window_operator_slos, window_operator_rules;

const struct measure *const measures[] = {
    &measure_count, /* first: others report ratios of its spans */
    &measure_errors,
    &measure_latency,
    &measure_exemplar, /* behind latency: it looks for what is near the median */
    &measure_error_kinds,
    NULL,
};

const struct window_operator *const window_operators[] = {
    &window_operator_zscore, /* first: rules may read its columns, and those of anomaly */
    &window_operator_anomaly,
    &window_operator_slos,
    &window_operator_rules,
    NULL,
};
