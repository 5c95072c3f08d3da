#include "tests/support/receiver.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void give_up(const char *what, const char *why)
{
    fprintf(stderr, "a receiver for a test: %s: %s\n", what, why);
    exit(1);
}

void receiver_config(struct config *config, const char *format, ...)
{
    char receivers[4096];
    struct buffer yaml = {0};
    struct error err;
    va_list args;
    va_start(args, format);
    vsnprintf(receivers, sizeof(receivers), format, args);
    va_end(args);
    buffer_print(&yaml, "notify: {receivers: [%s]}\n", receivers);
    if (config_load_bytes(config, "test", buffer_bytes(&yaml), NULL, &err) != ST_OK)
        give_up(receivers, err.text);
    buffer_release(&yaml);
}

struct notice receiver_notice(const char *id, enum notice_state state, int64_t at_ms)
{
    struct buffer json = {0};
    struct notice notice;
    struct error err;
    buffer_print(&json,
        "{\"id\":\"%s\",\"rule\":\"slow\",\"severity\":\"page\",\"series\":\"service=cart\","
        "\"condition\":\"p99[5m] > 500ms\",\"value\":750.5,\"since_ms\":%lld,\"at_ms\":%lld,"
        "\"labels\":{\"alertname\":\"slow\",\"severity\":\"page\",\"service\":\"cart\","
        "\"alert\":\"%s\"}}",
        id, (long long)at_ms - 60000, (long long)at_ms, id);
    if (notice_of_json(&notice, buffer_bytes(&json), state, &err) != ST_OK) give_up(id, err.text);
    buffer_release(&json);
    return notice;
}

enum status receiver_tell(const struct config *config, const struct notice *notice,
    struct notify_failure *failure, struct error *err)
{
    const struct receiver *receiver = &config->receiver[0];
    const struct notice *const notices[] = {notice};
    void *line = NULL;
    enum status status = receiver->kind->open(&line, receiver->self, 0, NULL, err);
    if (status != ST_OK) give_up(receiver->kind->name, err->text);
    status = receiver->kind->send(line, notices, 1, failure, err);
    receiver->kind->close(line);
    return status;
}
