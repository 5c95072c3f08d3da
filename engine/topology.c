/*
 * Reading a topology: names first, so that calls may point forward, then what each operation does.
 */
#include "engine/topology.h"

#include "engine/base/memory.h"
#include "engine/base/node.h"
#include "engine/base/option.h"

#include <math.h>
#include <stdlib.h>

const char *const deviation_name[DEVIATIONS] = {"late", "out_of_order", "skewed", "bad_ids"};

struct reading {
    struct topology *topology;
    const struct node *attributes; /* of every service */
    const struct node *operation[TOPOLOGY_OPERATIONS_MAX];
    struct error *err;
};

#define DEVIATION_OPTION(kind, number, member, named, usual, text) \
    {                                                              \
        .key = (named), .type = OPTION_##kind,                     \
        .offset = offsetof(struct topology, deviation) +           \
                  (number) * sizeof(struct topology_deviation) +   \
                  offsetof(struct topology_deviation, member),     \
        .fallback = (usual), .help = (text)                        \
    }
#define NAMED_OPTION(kind, owner, field, named, usual, text)                            \
    {                                                                                   \
        .key = (named), .type = OPTION_##kind, .offset = offsetof(struct owner, field), \
        .fallback = (usual), .help = (text)                                             \
    }
#define NODE_OPTION(named, usual, text)                                          \
    {                                                                            \
        .key = (named), .type = OPTION_NODE, .fallback = (usual), .help = (text) \
    }

/* clang-format off */
enum { ROOT_ATTRIBUTES, ROOT_SERVICES, ROOT_ENTRIES, ROOT_FAULTS };
static const struct option root_options[] = {
    [ROOT_ATTRIBUTES] = NODE_OPTION("attributes", "{}", "resource attributes of every service"),
    [ROOT_SERVICES] = NODE_OPTION("services", NULL, "name: {attributes, operations}"),
    [ROOT_ENTRIES] = NODE_OPTION("entries", NULL, "list of {to, rate}"),
    [ROOT_FAULTS] = NODE_OPTION("faults", "[]", "list of times in which a service is not well"),
    NAMED_OPTION(DURATION, topology, batch_ns, "batch", "1s", "what one message covers"),
    OPTION(COUNT, topology, batch_spans, "1000", "spans in one message, at most"),
    OPTION(COUNT, topology, collectors, "2", "how many send messages"),
    NAMED_OPTION(DURATION, topology, network_ns, "network", "500us", "mean time of one way"),
    DEVIATION_OPTION(NUMBER, DEVIATION_LATE, share, "late.share", "0", "of all spans"),
    DEVIATION_OPTION(DURATION, DEVIATION_LATE, from_ns, "late.from", "35s", "late by this"),
    DEVIATION_OPTION(DURATION, DEVIATION_LATE, to_ns, "late.to", "4m", "up to this"),
    DEVIATION_OPTION(NUMBER, DEVIATION_OUT_OF_ORDER, share, "out_of_order.share", "0", "of all spans"),
    DEVIATION_OPTION(DURATION, DEVIATION_OUT_OF_ORDER, from_ns, "out_of_order.from", "2s", "behind by this"),
    DEVIATION_OPTION(DURATION, DEVIATION_OUT_OF_ORDER, to_ns, "out_of_order.to", "20s", "up to this"),
    DEVIATION_OPTION(NUMBER, DEVIATION_SKEWED, share, "skewed.share", "0", "of all spans"),
    DEVIATION_OPTION(DURATION, DEVIATION_SKEWED, from_ns, "skewed.from", "6s", "ahead by this"),
    DEVIATION_OPTION(DURATION, DEVIATION_SKEWED, to_ns, "skewed.to", "30s", "up to this"),
    DEVIATION_OPTION(NUMBER, DEVIATION_BAD_IDS, share, "bad_ids", "0", "share of all spans"),
    {0},
};

enum { SERVICE_ATTRIBUTES, SERVICE_OPERATIONS };
static const struct option service_options[] = {
    [SERVICE_ATTRIBUTES] = NODE_OPTION("attributes", "{}", "of its resource"),
    [SERVICE_OPERATIONS] = NODE_OPTION("operations", NULL, "name: {latency, errors, calls}"),
    {0},
};

enum { OPERATION_CALLS, OPERATION_ATTRIBUTES };
static const struct option operation_options[] = {
    [OPERATION_CALLS] = NODE_OPTION("calls", "[]", "list of `service operation` or {to, times}"),
    [OPERATION_ATTRIBUTES] = NODE_OPTION("attributes", "{}", "of its spans"),
    NAMED_OPTION(DURATION, topology_operation, latency_ns, "latency", NULL, "median own time"),
    OPTION(NUMBER, topology_operation, spread, "0.4", "deviation of the logarithm of own time"),
    OPTION(NUMBER, topology_operation, errors, "0", "share that fails by itself"),
    {0},
};
/* clang-format on */

struct call_text {
    struct topology_call call;
    const char *to;
};
static const struct option call_options[] = {
    OPTION(TEXT, call_text, to, NULL, "`service operation`"),
    NAMED_OPTION(NUMBER, call_text, call.times, "times", "1", "per request, 1.5 is once or twice"),
    NAMED_OPTION(FLAG, call_text, call.optional, "optional", "false", "its failure does no harm"),
    NAMED_OPTION(DURATION, call_text, call.queue_ns, "queue", "0", "mean wait; 0: a direct call"),
    {0},
};

struct entry_text {
    const char *to;
    double rate_per_s;
};
static const struct option entry_options[] = {
    OPTION(TEXT, entry_text, to, NULL, "`service operation`"),
    NAMED_OPTION(NUMBER, entry_text, rate_per_s, "rate", NULL, "requests a second"),
    {0},
};

struct fault_text {
    struct topology_fault fault;
    const char *service, *operation;
};
static const struct option fault_options[] = {
    OPTION(TEXT, fault_text, service, NULL, "the one that is not well"),
    OPTION(TEXT, fault_text, operation, "", "all of them unless given"),
    NAMED_OPTION(DURATION, fault_text, fault.from_ns, "from", NULL, "since the reference time"),
    NAMED_OPTION(DURATION, fault_text, fault.to_ns, "to", NULL, "end of it"),
    NAMED_OPTION(DURATION, fault_text, fault.every_ns, "every", "0", "again after each of these"),
    NAMED_OPTION(NUMBER, fault_text, fault.latency, "latency", "1", "factor on own time"),
    NAMED_OPTION(NUMBER, fault_text, fault.errors, "errors", "0", "share that fails by itself"),
    {0},
};

int topology_service(const struct topology *topology, const char *name)
{
    for (uint32_t i = 0; i < topology->services; i++) {
        if (strcmp(topology->service[i].name, name) == 0) return (int)i;
    }
    return -1;
}

int topology_operation(const struct topology *topology, uint32_t service, const char *name)
{
    for (uint32_t i = 0; i < topology->operations; i++) {
        const struct topology_operation *operation = &topology->operation[i];
        if (operation->service == service && strcmp(operation->name, name) == 0) return (int)i;
    }
    return -1;
}

static enum status check_name(const struct reading *r, const struct node *node)
{
    if (strlen(node->key) <= TOPOLOGY_NAME_BYTES_MAX) return ST_OK;
    return node_error_at_key(node, r->err, "this name has %zu bytes, at most %d are taken",
        strlen(node->key), TOPOLOGY_NAME_BYTES_MAX);
}

/* A share, or a number with another upper end; written so that no NaN passes. */
static enum status check_number(const struct reading *r, const struct node *node, const char *key,
    double number, double least, double most)
{
    if (number >= least && number <= most) return ST_OK;
    return node_error(node, key, r->err, "%g is out of range, want %g to %g", number, least, most);
}

static enum status read_attribute(
    struct reading *r, const struct node *node, struct otlp_attribute *into, size_t *count)
{
    if (node->kind != NODE_TEXT)
        return node_error(node, node->key, r->err, "an attribute is one text");
    if (strlen(node->text) > TOPOLOGY_NAME_BYTES_MAX)
        return node_error(node, node->key, r->err, "%zu bytes, at most %d are taken",
            strlen(node->text), TOPOLOGY_NAME_BYTES_MAX);
    if (*count == TOPOLOGY_ATTRIBUTES_MAX)
        return node_error(node, node->key, r->err, "one attribute too many, at most %d are taken",
            TOPOLOGY_ATTRIBUTES_MAX);
    into[(*count)++] = (struct otlp_attribute){bytes_of(node->key), bytes_of(node->text)};
    return check_name(r, node);
}

/* Attributes of `common`, where there is one, and then of `own`. */
static enum status read_attributes(struct reading *r, const struct node *common,
    const struct node *own, struct otlp_attribute **attribute, size_t *count)
{
    *attribute = pool_take(&r->topology->pool, TOPOLOGY_ATTRIBUTES_MAX * sizeof(**attribute));
    const struct node *const maps[] = {common, own};
    for (size_t i = 0; i < 2; i++) {
        if (maps[i] == NULL) continue;
        if (maps[i]->kind != NODE_MAP)
            return node_error(maps[i], "attributes", r->err, "want a map, as in {zone: west}");
        for (const struct node *at = maps[i]->first; at != NULL; at = at->next) {
            enum status status = read_attribute(r, at, *attribute, count);
            if (status != ST_OK) return status;
        }
    }
    return ST_OK;
}

static enum status name_operations(struct reading *r, const struct node *map, uint32_t service)
{
    struct topology *topology = r->topology;
    if (map->kind != NODE_MAP || map->count == 0)
        return node_error(map, "operations", r->err, "want a map of name: {latency, ...}");
    for (const struct node *node = map->first; node != NULL; node = node->next) {
        enum status status = check_name(r, node);
        if (status != ST_OK) return status;
        if (topology->operations == TOPOLOGY_OPERATIONS_MAX)
            return node_error_at_key(
                node, r->err, "more than %d operations in all", TOPOLOGY_OPERATIONS_MAX);
        r->operation[topology->operations] = node;
        topology->operation[topology->operations++] =
            (struct topology_operation){.name = node->key, .service = service};
    }
    return ST_OK;
}

static enum status name_service(struct reading *r, const struct node *node)
{
    struct topology *topology = r->topology;
    const struct node *chosen[OPTIONS_MAX] = {NULL};
    enum status status = check_name(r, node);
    if (status != ST_OK) return status;
    if (strchr(node->key, ' ') != NULL)
        return node_error_at_key(node, r->err, "a service's name holds no space");
    if (topology->services == TOPOLOGY_SERVICES_MAX)
        return node_error_at_key(node, r->err, "more than %d services", TOPOLOGY_SERVICES_MAX);

    uint32_t service = topology->services++;
    struct topology_service *into = &topology->service[service];
    into->name = node->key;
    status = options_choose(service_options, node, chosen, r->err);
    if (status == ST_OK)
        status = options_fill(service_options, into, node, chosen, &topology->pool, r->err);
    if (status == ST_OK)
        status = read_attributes(
            r, r->attributes, chosen[SERVICE_ATTRIBUTES], &into->attribute, &into->attributes);
    if (status == ST_OK) status = name_operations(r, chosen[SERVICE_OPERATIONS], service);
    return status;
}

static enum status name_services(struct reading *r, const struct node *map)
{
    if (map->kind != NODE_MAP || map->count == 0)
        return node_error(map, "services", r->err, "want a map of name: {operations: ...}");
    for (const struct node *node = map->first; node != NULL; node = node->next) {
        enum status status = name_service(r, node);
        if (status != ST_OK) return status;
    }
    return ST_OK;
}

/* "cart GET /cart": the service up to the first space, then its operation. */
static enum status find_operation(
    struct reading *r, const struct node *node, const char *to, uint32_t *operation)
{
    char name[TOPOLOGY_NAME_BYTES_MAX + 1];
    const char *space = strchr(to, ' ');
    size_t size = space == NULL ? strlen(to) : (size_t)(space - to);
    if (space == NULL || size == 0 || size >= sizeof(name))
        return node_error(node, "to", r->err, "\"%s\" is not `service operation`, as in `%s %s`",
            node_show(to).text, r->topology->service[0].name, r->topology->operation[0].name);
    memcpy(name, to, size);
    name[size] = '\0';

    int service = topology_service(r->topology, name);
    if (service < 0)
        return node_error(node, "to", r->err, "there is no service \"%s\"", node_show(name).text);
    int found = topology_operation(r->topology, (uint32_t)service, space + 1);
    if (found < 0)
        return node_error(node, "to", r->err, "service %s has no operation \"%s\"",
            node_show(name).text, node_show(space + 1).text);
    *operation = (uint32_t)found;
    return ST_OK;
}

static enum status read_call(struct reading *r, const struct node *node, struct topology_call *into)
{
    struct call_text text = {.to = node->text, .call.times = 1};
    enum status status = ST_OK;
    if (node->kind != NODE_TEXT)
        status = options_read(call_options, &text, node, &r->topology->pool, r->err);
    if (status == ST_OK) status = find_operation(r, node, text.to, &text.call.operation);
    if (status == ST_OK)
        status = check_number(r, node, "times", text.call.times, 0, TOPOLOGY_CALL_TIMES_MAX);
    if (status != ST_OK) return status;
    text.call.queued = text.call.queue_ns > 0;
    *into = text.call;
    return ST_OK;
}

static enum status read_calls(
    struct reading *r, const struct node *list, struct topology_operation *into)
{
    if (list->kind != NODE_LIST || list->count > TOPOLOGY_CALLS_MAX)
        return node_error(list, "calls", r->err, "want a list of at most %d `service operation`",
            TOPOLOGY_CALLS_MAX);
    into->call = pool_take(&r->topology->pool, (list->count + 1) * sizeof(*into->call));
    for (const struct node *node = list->first; node != NULL; node = node->next) {
        enum status status = read_call(r, node, &into->call[into->calls++]);
        if (status != ST_OK) return status;
    }
    return ST_OK;
}

static enum status check_operation(
    struct reading *r, const struct node *node, const struct topology_operation *operation)
{
    if (operation->latency_ns <= 0) return node_error(node, "latency", r->err, "want more than 0");
    enum status status = check_number(r, node, "spread", operation->spread, 0, 5);
    if (status == ST_OK) status = check_number(r, node, "errors", operation->errors, 0, 1);
    return status;
}

static enum status read_operation(struct reading *r, uint32_t number)
{
    const struct node *node = r->operation[number], *chosen[OPTIONS_MAX] = {NULL};
    struct topology_operation *into = &r->topology->operation[number];
    struct pool *pool = &r->topology->pool;
    enum status status = options_choose(operation_options, node, chosen, r->err);
    if (status == ST_OK) status = options_fill(operation_options, into, node, chosen, pool, r->err);
    if (status == ST_OK) status = check_operation(r, node, into);
    if (status == ST_OK)
        status = read_attributes(
            r, NULL, chosen[OPERATION_ATTRIBUTES], &into->attribute, &into->attributes);
    if (status == ST_OK) status = read_calls(r, chosen[OPERATION_CALLS], into);
    return status;
}

/*
 * Work out how many spans a request makes at most. Operations under way are marked, so that a
 * circle of calls is found.
 */
static enum status count_spans(struct reading *r, uint32_t number)
{
    enum { UNDER_WAY = UINT16_MAX };
    struct topology_operation *operation = &r->topology->operation[number];
    const struct node *node = r->operation[number];
    if (operation->spans == UNDER_WAY)
        return node_error_at_key(node, r->err, "this operation ends up calling itself");
    if (operation->spans > 0) return ST_OK;

    operation->spans = UNDER_WAY;
    uint32_t spans = 1;
    for (size_t i = 0; i < operation->calls; i++) {
        const struct topology_call *call = &operation->call[i];
        enum status status = count_spans(r, call->operation);
        if (status != ST_OK) return status;
        spans += (uint32_t)ceil(call->times) * (1 + r->topology->operation[call->operation].spans);
    }
    if (spans > TOPOLOGY_REQUEST_SPANS_MAX)
        return node_error_at_key(node, r->err,
            "one request makes up to %u spans, at most %d are taken", spans,
            TOPOLOGY_REQUEST_SPANS_MAX);
    operation->spans = spans;
    return ST_OK;
}

static enum status read_operations(struct reading *r)
{
    enum status status = ST_OK;
    for (uint32_t i = 0; i < r->topology->operations && status == ST_OK; i++) {
        status = read_operation(r, i);
    }
    for (uint32_t i = 0; i < r->topology->operations && status == ST_OK; i++) {
        status = count_spans(r, i);
    }
    return status;
}

static enum status read_entry(struct reading *r, const struct node *node)
{
    struct topology *topology = r->topology;
    struct entry_text text = {0};
    uint32_t operation;
    enum status status = options_read(entry_options, &text, node, &topology->pool, r->err);
    if (status == ST_OK) status = find_operation(r, node, text.to, &operation);
    if (status == ST_OK)
        status = check_number(r, node, "rate", text.rate_per_s, 1e-6, TOPOLOGY_RATE_MAX);
    if (status != ST_OK) return status;
    topology->entry[topology->entries++] = (struct topology_entry){operation, text.rate_per_s};
    return ST_OK;
}

static enum status find_fault(struct reading *r, const struct node *node, struct fault_text *text)
{
    int service = topology_service(r->topology, text->service);
    if (service < 0)
        return node_error(
            node, "service", r->err, "there is no service \"%s\"", node_show(text->service).text);
    text->fault.service = (uint32_t)service;
    text->fault.operation = FAULT_ANY_OPERATION;
    if (text->operation[0] == '\0') return ST_OK;

    int operation = topology_operation(r->topology, text->fault.service, text->operation);
    if (operation < 0)
        return node_error(node, "operation", r->err, "service %s has no operation \"%s\"",
            node_show(text->service).text, node_show(text->operation).text);
    text->fault.operation = (uint32_t)operation;
    return ST_OK;
}

static enum status read_fault(struct reading *r, const struct node *node)
{
    struct topology *topology = r->topology;
    struct fault_text text = {0};
    enum status status = options_read(fault_options, &text, node, &topology->pool, r->err);
    if (status == ST_OK) status = find_fault(r, node, &text);
    if (status == ST_OK && text.fault.to_ns <= text.fault.from_ns)
        status = node_error(node, "to", r->err, "it ends before it begins");
    if (status == ST_OK && text.fault.every_ns > 0 && text.fault.to_ns > text.fault.every_ns)
        status = node_error(node, "every", r->err, "it comes again before it is over");
    if (status == ST_OK) status = check_number(r, node, "latency", text.fault.latency, 0.001, 1e6);
    if (status == ST_OK) status = check_number(r, node, "errors", text.fault.errors, 0, 1);
    if (status == ST_OK) topology->fault[topology->faults++] = text.fault;
    return status;
}

static enum status read_list(struct reading *r, const struct node *list, const char *key,
    size_t most, enum status (*read)(struct reading *, const struct node *))
{
    if (list->kind != NODE_LIST || list->count > most)
        return node_error(list, key, r->err, "want a list of at most %zu", most);
    for (const struct node *node = list->first; node != NULL; node = node->next) {
        enum status status = read(r, node);
        if (status != ST_OK) return status;
    }
    return ST_OK;
}

static enum status check_deviations(const struct reading *r, const struct node *root)
{
    double sum = 0;
    for (int i = 0; i < DEVIATIONS; i++) {
        const struct topology_deviation *deviation = &r->topology->deviation[i];
        enum status status = check_number(r, root, deviation_name[i], deviation->share, 0, 1);
        if (status != ST_OK) return status;
        if (deviation->to_ns < deviation->from_ns)
            return node_error(root, deviation_name[i], r->err, "`to` is less than `from`");
        sum += deviation->share;
    }
    if (sum <= 1) return ST_OK;
    return node_error(root, NULL, r->err,
        "late, out_of_order, skewed and bad_ids together are %g of the spans, want at most 1", sum);
}

static enum status check_batches(const struct reading *r, const struct node *root)
{
    const struct topology *topology = r->topology;
    enum status status = check_deviations(r, root);
    if (status == ST_OK)
        status = check_number(r, root, "batch", (double)topology->batch_ns, 1e6, 3600e9);
    if (status == ST_OK)
        status = check_number(
            r, root, "batch_spans", (double)topology->batch_spans, 1, TOPOLOGY_BATCH_SPANS_MAX);
    if (status == ST_OK)
        status = check_number(
            r, root, "collectors", (double)topology->collectors, 1, TOPOLOGY_COLLECTORS_MAX);
    return status;
}

static enum status read_root(struct reading *r, const struct node *root)
{
    const struct node *chosen[OPTIONS_MAX] = {NULL};
    struct pool *pool = &r->topology->pool;
    enum status status = options_choose(root_options, root, chosen, r->err);
    if (status == ST_OK)
        status = options_fill(root_options, r->topology, root, chosen, pool, r->err);
    if (status == ST_OK) status = check_batches(r, root);
    if (status != ST_OK) return status;

    r->attributes = chosen[ROOT_ATTRIBUTES];
    status = name_services(r, chosen[ROOT_SERVICES]);
    if (status == ST_OK) status = read_operations(r);
    if (status == ST_OK)
        status = read_list(r, chosen[ROOT_ENTRIES], "entries", TOPOLOGY_ENTRIES_MAX, read_entry);
    if (status == ST_OK)
        status = read_list(r, chosen[ROOT_FAULTS], "faults", TOPOLOGY_FAULTS_MAX, read_fault);
    if (status == ST_OK && r->topology->entries == 0)
        status = node_error(chosen[ROOT_ENTRIES], "entries", r->err, "nobody asks for anything");
    return status;
}

enum status topology_read(
    struct topology **out, struct bytes text, const char *origin, struct error *err)
{
    struct topology *topology = memory_zeroed(1, sizeof(*topology));
    struct reading reading = {.topology = topology, .err = err};
    struct node *root;
    enum status status = node_read(text, origin, true, &topology->pool, &root, err);
    if (status == ST_OK) status = read_root(&reading, root);
    if (status != ST_OK) {
        topology_free(topology);
        return status;
    }
    *out = topology;
    return ST_OK;
}

void topology_free(struct topology *topology)
{
    if (topology == NULL) return;
    pool_release(&topology->pool);
    free(topology);
}
