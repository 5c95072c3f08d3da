/*
 * `notify.receivers`: whom `weir notify` tells of alerts, and of which.
 */
#ifndef ENGINE_CONFIG_RECEIVERS_H
#define ENGINE_CONFIG_RECEIVERS_H

#include "engine/base/node.h"
#include "engine/base/pool.h"
#include "engine/config.h"
#include "sinks/notice.h"

/* returns  ST_OK; ST_FATAL with place, key and what to write; never a secret */
enum status config_read_receivers(
    struct config *config, const struct node *node, struct pool *pool, struct error *err) MUST_USE;

/* Whether the receiver is told of this alert: every label of `match` has a value that fits. */
bool receiver_wants(const struct receiver *receiver, const struct notice *notice);

/* The name of one of its places: its own, or `name@host:port` where there can be several. */
void receiver_place(const struct receiver *receiver, size_t i, char name[RECEIVER_PLACE_BYTES]);

#endif
