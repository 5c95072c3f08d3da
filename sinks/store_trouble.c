#include "sinks/store_trouble.h"

static const char *const names[] = {
    [STORE_AWAY] = "away",
    [STORE_SLOW] = "slow",
    [STORE_FULL] = "full",
    [STORE_READ_ONLY] = "read_only",
    [STORE_BUSY] = "busy",
    [STORE_FAIL_OVER] = "fail_over",
    [STORE_TLS] = "tls",
    [STORE_REFUSED] = "refused",
};

const char *store_trouble_name(enum store_trouble trouble)
{
    return names[trouble];
}
