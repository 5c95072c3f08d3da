/*
 * An OTLP message moved in time: old spans replayed as if they happened now.
 */
#ifndef ENGINE_OTLP_SHIFT_H
#define ENGINE_OTLP_SHIFT_H

#include "engine/base/bytes.h"
#include "engine/base/error.h"

/*
 * Add `by_ns` to the start, end and event times of every span, where they are given. The message
 * keeps its length: times are of fixed width.
 *
 * message  TracesData, written to; on ST_SKIP some of its spans may have moved
 * returns  ST_OK; ST_SKIP, malformed: `err` names the byte
 * source   opentelemetry-proto, trace/v1/trace.proto
 */
enum status otlp_shift(uint8_t *message, size_t bytes, int64_t by_ns, struct error *err) MUST_USE;

#endif
