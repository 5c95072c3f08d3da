#include "sinks/notifier.h"

static const char *const names[NOTIFY_REASONS] = {
    [NOTIFY_UNREACHABLE] = "unreachable",
    [NOTIFY_TIMEOUT] = "timeout",
    [NOTIFY_TLS] = "tls",
    [NOTIFY_CUT] = "cut",
    [NOTIFY_REDIRECT] = "redirect",
    [NOTIFY_DENIED] = "denied",
    [NOTIFY_THROTTLED] = "throttled",
    [NOTIFY_SERVER] = "server",
    [NOTIFY_REFUSED] = "refused",
    [NOTIFY_SECRET] = "secret",
    [NOTIFY_START] = "start",
    [NOTIFY_EXIT] = "exit",
};

const char *notify_reason_name(enum notify_reason reason)
{
    return names[reason];
}
