#include "engine/kafka_members.h"

#include <string.h>

enum { MEMBERS_MS = 10000 };

enum status kafka_members_of(
    rd_kafka_t *handle, const char *group, uint32_t *members, struct error *err)
{
    const struct rd_kafka_group_list *list = NULL;
    rd_kafka_resp_err_t code = rd_kafka_list_groups(handle, group, &list, MEMBERS_MS);
    *members = 0;
    for (int i = 0; list != NULL && i < list->group_cnt; i++) {
        const struct rd_kafka_group_info *info = &list->groups[i];
        if (strcmp(info->group, group) != 0) continue;
        if (info->err != RD_KAFKA_RESP_ERR_NO_ERROR) code = info->err;
        *members += (uint32_t)info->member_cnt;
    }
    if (list != NULL) rd_kafka_group_list_destroy(list);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return ST_OK;
    return error_set(err, ST_RETRY, (int)code, "kafka: cannot ask who is in group %s: %s", group,
        rd_kafka_err2str(code));
}
