#include "sinks/trouble.h"

static const char *const names[] = {
    [TROUBLE_AWAY] = "away",
    [TROUBLE_SLOW] = "slow",
    [TROUBLE_FULL] = "full",
    [TROUBLE_READ_ONLY] = "read_only",
    [TROUBLE_BUSY] = "busy",
    [TROUBLE_FAIL_OVER] = "fail_over",
    [TROUBLE_TLS] = "tls",
    [TROUBLE_REFUSED] = "refused",
};

const char *trouble_name(enum trouble trouble)
{
    return names[trouble];
}
