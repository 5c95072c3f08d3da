/* Any bytes as a config: loaded and planned, or refused with a reason. */
#include "engine/config.h"
#include "engine/plan.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config config;
    struct error err = {.text = ""};
    enum status status =
        config_load_bytes(&config, "fuzz.yaml", (struct bytes){data, size}, NULL, &err);
    if (status != ST_OK) {
        assert(status == ST_FATAL && err.text[0] != '\0');
        return 0;
    }
    static struct plan plan;
    status = plan_init(&plan, &config, &err);
    assert(status == ST_OK || (status == ST_FATAL && err.text[0] != '\0'));
    config_release(&config);
    return 0;
}
