/*
 * A program that tells others: an SMS gateway's, `send_nsca`, `zabbix_sender`. `command: [program, "--to",
 * "{{labels.team}}"]` is run once for each notice, without a shell: an argument stays one argument whatever
 * characters it holds. The alert is on its standard input as JSON, and in WEIR_ALERT_... of its
 * environment, which holds little else: none of our secrets. Exit code 0 says that it was told.
 */
#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "sinks/child_run.h"
#include "sinks/notifier.h"
#include "sinks/template.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    WORD_BYTES_MAX = 8192, /* of an argument or a variable; what is beyond is cut off */
    ENVIRONMENT_MAX = 128,
};

struct command {
    struct notifier_keys keys;
    struct texts argv;
    struct texts environment;
    int64_t timeout_ns;
};

static const struct option command_options[] = {
    {.key = "command",
        .type = OPTION_TEXTS,
        .offset = offsetof(struct command, argv),
        .help = "a program and its arguments, with places as {{labels.service}}; no shell"},
    NOTIFIER_OPTIONS(command),
    OPTION(TEXTS, command, environment, "[]",
        "variables of our own environment that it gets, besides PATH, HOME, LANG and TZ"),
    {.key = "timeout",
        .type = OPTION_DURATION,
        .offset = offsetof(struct command, timeout_ns),
        .fallback = "10s",
        .help = "after which it and what it started is killed"},
    {0},
};

struct line {
    const struct command *self;
    bool (*stopping)(void);
};

static bool is_variable(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    return *name != '\0' && !isdigit((unsigned char)*name) && strspn(name, allowed) == strlen(name);
}

static enum status command_check(const void *self, const char **key, struct error *err)
{
    const struct command *c = self;
    enum status status = ST_OK;
    *key = "command";
    if (c->argv.count == 0 || c->argv.text[0][0] == '\0')
        return error_set(err, ST_FATAL, 0, "want a program, as in [/usr/local/bin/send-sms]");
    if (strstr(c->argv.text[0], "{{") != NULL)
        return error_set(err, ST_FATAL, 0, "which program is run must not depend on the alert");
    for (size_t i = 0; i < c->argv.count && status == ST_OK; i++)
        status = template_check(c->argv.text[i], err);
    if (status != ST_OK) return status;
    *key = "environment";
    for (size_t i = 0; i < c->environment.count; i++) {
        if (!is_variable(c->environment.text[i]))
            return error_set(err, ST_FATAL, 0, "want names of variables, without values");
    }
    *key = "timeout";
    if (c->timeout_ns < 100 * NS_PER_MS || c->timeout_ns > 600 * NS_PER_S)
        return error_set(err, ST_FATAL, 0, "it is out of range; want 100ms to 10m");
    return ST_OK;
}

static size_t command_places(const void *self)
{
    (void)self;
    return 1;
}

static void command_place(const void *self, size_t i, char name[NOTIFIER_PLACE_BYTES])
{
    (void)self, (void)i;
    name[0] = '\0';
}

static int64_t command_patience_ns(const void *self)
{
    return ((const struct command *)self)->timeout_ns;
}

static enum status command_open(
    void **line, const void *self, size_t place, bool (*stopping)(void), struct error *err)
{
    struct line *opened = memory_zeroed(1, sizeof(*opened));
    (void)place, (void)err;
    *opened = (struct line){self, stopping};
    *line = opened;
    return ST_OK;
}

static void command_close(void *line)
{
    free(line);
}

/* Words of an argv or an environment, each on the heap, ended by NULL. */
struct words {
    char *word[ENVIRONMENT_MAX + 1];
    size_t count;
};

static void words_add(struct words *words, const char *name, struct bytes value)
{
    if (words->count == ENVIRONMENT_MAX) return;
    struct buffer text = {0};
    if (name != NULL) buffer_print(&text, "%s=", name);
    buffer_append(&text, value.data, value.size < WORD_BYTES_MAX ? value.size : WORD_BYTES_MAX);
    buffer_append(&text, "", 1);
    words->word[words->count++] = (char *)text.data;
}

static void words_release(struct words *words)
{
    for (size_t i = 0; i < words->count; i++)
        free(words->word[i]);
}

static void argv_make(const struct command *c, const json_t *view, struct words *argv)
{
    struct buffer word = {0};
    for (size_t i = 0; i < c->argv.count; i++) {
        buffer_reset(&word);
        template_render(c->argv.text[i], view, TEMPLATE_TEXT, &word);
        words_add(argv, NULL, buffer_bytes(&word));
    }
    buffer_release(&word);
}

static void put_own(const char *name, struct words *environment)
{
    const char *value = getenv(name);
    if (value != NULL) words_add(environment, name, bytes_of(value));
}

/* WEIR_ALERT_LABEL_SERVICE for `service`. */
static void put_label(const char *name, const char *value, struct words *environment)
{
    char variable[128];
    int size = snprintf(variable, sizeof(variable), "WEIR_ALERT_LABEL_%s", name);
    if (size >= (int)sizeof(variable)) return;
    for (char *c = variable; *c != '\0'; c++)
        *c = isalnum((unsigned char)*c) && (unsigned char)*c < 0x80
                 ? (char)toupper((unsigned char)*c)
                 : '_';
    words_add(environment, variable, bytes_of(value));
}

static void environment_make(const struct command *c, const json_t *view, struct words *environment)
{
    static const char *const usual[] = {"PATH", "HOME", "LANG", "TZ"};
    static const char *const told[][2] = {{"WEIR_ALERT_ID", "{{id}}"},
        {"WEIR_ALERT_STATE", "{{state}}"}, {"WEIR_ALERT_RULE", "{{rule}}"},
        {"WEIR_ALERT_SERIES", "{{series}}"}, {"WEIR_ALERT_SEVERITY", "{{severity}}"},
        {"WEIR_ALERT_CONDITION", "{{condition}}"}, {"WEIR_ALERT_VALUE", "{{value}}"},
        {"WEIR_ALERT_SINCE", "{{since}}"}, {"WEIR_ALERT_AT", "{{at}}"},
        {"WEIR_ALERT_SUMMARY", "{{annotations.summary}}"}};
    struct buffer value = {0};
    const char *name;
    json_t *label;
    for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
        put_own(usual[i], environment);
    for (size_t i = 0; i < c->environment.count; i++)
        put_own(c->environment.text[i], environment);
    for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
        buffer_reset(&value);
        template_render(told[i][1], view, TEMPLATE_TEXT, &value);
        words_add(environment, told[i][0], buffer_bytes(&value));
    }
    buffer_release(&value);
    json_object_foreach(json_object_get(view, "labels"), name, label)
    {
        put_label(name, json_string_value(label), environment);
    }
}

static enum status came_of(const struct command *c, const struct child_result *result,
    struct notify_failure *failure, struct error *err)
{
    const char *program = c->argv.text[0];
    const char *says = result->said[0] == '\0' ? "" : "; it says: ";
    failure->reason = NOTIFY_EXIT;
    switch (result->end) {
    case CHILD_NOT_STARTED:
        failure->reason = NOTIFY_START;
        return error_set(err, ST_RETRY, result->code, "%.150s cannot be started: %s", program,
            strerror(result->code));
    case CHILD_TIMED_OUT:
        failure->reason = NOTIFY_TIMEOUT;
        return error_set(err, ST_RETRY, 0, "%.150s did not end in time and was killed%s%.150s",
            program, says, result->said);
    case CHILD_KILLED:
        return error_set(err, ST_RETRY, result->code, "%.150s was ended by signal %d%s%.150s",
            program, result->code, says, result->said);
    case CHILD_EXITED:
        break;
    }
    if (result->code == 0) return ST_OK;
    return error_set(err, ST_RETRY, result->code, "%.150s ended with exit code %d%s%.150s", program,
        result->code, says, result->said);
}

static enum status command_send(void *line, const struct notice *const *notices, size_t count,
    struct notify_failure *failure, struct error *err)
{
    const struct line *l = line;
    struct words argv = {.count = 0}, environment = {.count = 0};
    struct child_result result;
    (void)count; /* one: batch_max */
    *failure = (struct notify_failure){.reason = NOTIFY_START};
    json_t *view = template_view(notices[0]);
    argv_make(l->self, view, &argv);
    environment_make(l->self, view, &environment);
    char *in = json_dumps(view, JSON_COMPACT);
    json_decref(view);
    const struct child_run run = {.argv = (const char *const *)argv.word,
        .environment = (const char *const *)environment.word,
        .in = in == NULL ? (struct bytes){0} : bytes_of(in),
        .timeout_ns = l->self->timeout_ns,
        .stopping = l->stopping};
    child_run(&run, &result);
    free(in);
    words_release(&argv);
    words_release(&environment);
    return came_of(l->self, &result, failure, err);
}

const struct notifier notifier_command = {
    .name = "command",
    .help = "a program that is run for each notice",
    .options = command_options,
    .self_bytes = sizeof(struct command),
    .batch_max = 1,
    .check = command_check,
    .places = command_places,
    .place = command_place,
    .patience_ns = command_patience_ns,
    .open = command_open,
    .send = command_send,
    .close = command_close,
};
