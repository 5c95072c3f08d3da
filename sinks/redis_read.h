/*
 * Reading what weir keeps in Redis, for `weir top`, `weir query` and tests.
 *
 * Answers are copied into a list of the caller's. Many keys are asked for at once, so a thousand
 * series take a few round trips.
 *
 * Every call  returns  ST_OK, also for what is not there: the list is empty; ST_RETRY, the server is
 *                      away; ST_FATAL, wrong password, no permission, Cluster, or too much asked for
 *             threads  one per `struct redis_read`
 */
#ifndef SINKS_REDIS_READ_H
#define SINKS_REDIS_READ_H

#include "engine/base/bytes.h"
#include "engine/base/error.h"
#include "engine/base/pool.h"
#include "engine/base/trace_link.h"
#include "sinks/tls_files.h"

enum {
    READ_ITEMS_MAX = 100000,  /* newest first, of one index */
    READ_BUCKETS_MAX = 20000, /* of one range: four months of 10 s, two years of 1 m */
    READ_HISTORIES_MAX = 8,
};

struct redis_read;

struct read_item {
    struct bytes name;  /* service, series or alert id, encoded as stored */
    struct bytes field; /* of the newest rows: "1m", "10s", "open" */
    struct bytes value; /* JSON, a history row or a sketch */
    int64_t at_ms;      /* end of the newest pane, or of the slice */
};

/* A zeroed list is empty and ready. */
struct read_list {
    struct read_item *item;
    size_t count, capacity;
    struct pool text; /* what the items point at */
};

void read_list_reset(struct read_list *list);
void read_list_release(struct read_list *list);
/* Append an item whose texts are copied; too long ones, which weir does not write, are left out. */
void read_list_append(struct read_list *list, const struct read_item *item);

/* How the keys are laid out, as the sink says in `<prefix>:about`. */
struct read_about {
    int version;     /* 0: nothing was ever written under the prefix */
    int64_t pane_ns; /* 0: unknown */
    uint32_t sketch_scale;
    size_t histories; /* finest first */
    struct {
        int64_t resolution_ns;
        int64_t retain_ns;
        bool sketches;
    } history[READ_HISTORIES_MAX];
    char trace_link[TRACE_LINK_BYTES_MAX + 1]; /* a good one; "": none */
};

/* Connect. `tls` and its texts must outlive `read`; NULL: no files. */
enum status redis_read_open(struct redis_read **read, const char *url, const struct tls_files *tls,
    const char *prefix, int64_t timeout_ns, struct error *err) MUST_USE;
void redis_read_close(struct redis_read *read);                /* NULL is fine */
const char *redis_read_address(const struct redis_read *read); /* without the password */

enum status redis_read_about(
    struct redis_read *read, struct read_about *about, struct error *err) MUST_USE;
/* Services by name and newest pane; then the series of these, newest first. */
enum status redis_read_services(
    struct redis_read *read, struct read_list *list, struct error *err) MUST_USE;
enum status redis_read_series(struct redis_read *read, const struct read_list *services,
    struct read_list *list, struct error *err) MUST_USE;
/* Every newest row of these series, in the order of the series: name, field and JSON. */
enum status redis_read_now(struct redis_read *read, const struct read_list *series,
    struct read_list *list, struct error *err) MUST_USE;

struct read_range {
    struct bytes series;
    int64_t resolution_ns;
    int64_t from_ms, to_ms; /* slices that begin at or after `from` and end at or before `to` */
};

/* In order of time: history rows (sinks/row_compact.h), or sketches in wire form. */
enum status redis_read_history(struct redis_read *read, const struct read_range *range,
    struct read_list *list, struct error *err) MUST_USE;
enum status redis_read_sketches(struct redis_read *read, const struct read_range *range,
    struct read_list *list, struct error *err) MUST_USE;

/*
 * What came and went, oldest first of the newest `most`: id, `field` the state, `at_ms` the event
 * time, and the whole entry as a JSON object of texts.
 */
enum status redis_read_transitions(
    struct redis_read *read, size_t most, struct read_list *list, struct error *err) MUST_USE;

/* What fires now: id and JSON. */
enum status redis_read_alerts(
    struct redis_read *read, struct read_list *list, struct error *err) MUST_USE;

#endif
