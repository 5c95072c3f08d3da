/*
 * The thread that looks whether Kafka still has what a worker works on: its topics with all their
 * partitions, and no transaction that holds up the readers. What it finds goes to engine/trouble.h.
 */
#ifndef ENGINE_WATCH_H
#define ENGINE_WATCH_H

#include "engine/worker.h"

void *watch_main(void *worker); /* runs until the worker stops */

#endif
