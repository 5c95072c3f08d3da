/*
 * The keys of the config that are not one value or a list of values.
 *
 * Each reads one chosen node into the config. `node` is never NULL; everything kept borrows from
 * the tree or is taken from `pool`. All return ST_OK, or ST_FATAL with place, key and what to write.
 */
#ifndef ENGINE_CONFIG_SHAPES_H
#define ENGINE_CONFIG_SHAPES_H

#include "engine/base/node.h"
#include "engine/base/pool.h"
#include "engine/config.h"

enum status config_read_brokers(
    struct config *config, const struct node *node, struct pool *pool, struct error *err) MUST_USE;
enum status config_read_views(
    struct config *config, const struct node *node, struct error *err) MUST_USE;
enum status config_read_history(
    struct config *config, const struct node *node, struct pool *pool, struct error *err) MUST_USE;
/* more  `--set kafka.KEY=VALUE`: goes beside and before `node` */
enum status config_read_kafka(struct config *config, const struct node *node,
    const struct node *more, struct pool *pool, struct error *err) MUST_USE;
enum status config_read_operators(struct config *config, const struct window_operator *op,
    const struct node *node, struct pool *pool, struct error *err) MUST_USE;

#endif
