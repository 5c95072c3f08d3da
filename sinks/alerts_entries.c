#include "sinks/alerts_entries.h"

void alerts_entries_release(struct alerts_entries *entries)
{
    for (size_t i = 0; i < entries->count; i++)
        notice_release(&entries->item[i].notice);
    entries->count = 0;
}
