#include "engine/notify_settled.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool starts(struct bytes text, const char *with)
{
    size_t size = strlen(with);
    return text.size >= size && memcmp(text.data, with, size) == 0;
}

/* -1: the field is no partition's. */
static int partition_of(struct bytes field)
{
    char digits[8];
    if (field.size == 0 || field.size >= sizeof(digits)) return -1;
    memcpy(digits, field.data, field.size);
    digits[field.size] = '\0';
    if (strspn(digits, "0123456789") != field.size) return -1;
    long partition = strtol(digits, NULL, 10);
    return partition < SETTLED_PARTITIONS_MAX ? (int)partition : -1;
}

/* Another plan has partitions of its own. */
static void take_plan(struct notify_settled *settled, struct bytes plan)
{
    char text[sizeof(settled->plan)];
    snprintf(text, sizeof(text), "%.*s", (int)plan.size, (const char *)plan.data);
    if (strcmp(text, settled->plan) == 0) return;
    *settled = (struct notify_settled){.plan = ""};
    memcpy(settled->plan, text, sizeof(text));
}

bool notify_settled(struct notify_settled *settled, const struct read_list *applied)
{
    bool there[SETTLED_PARTITIONS_MAX] = {false};
    bool has_plan = false, refilled = false;
    for (size_t i = 0; i < applied->count; i++) {
        const struct read_item *item = &applied->item[i];
        int partition = partition_of(item->name);
        if (partition >= 0) there[partition] = true;
        refilled = refilled || starts(item->name, "refill:");
        if (!bytes_are(item->name, "plan")) continue;
        has_plan = true;
        take_plan(settled, item->value);
    }
    bool missing = false;
    for (size_t p = 0; p < SETTLED_PARTITIONS_MAX; p++) {
        missing = missing || (settled->seen[p] && !there[p]);
        settled->seen[p] = settled->seen[p] || there[p];
    }
    return has_plan && !refilled && !missing;
}
