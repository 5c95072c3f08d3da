#include "tests/calibrate/plain.h"

#include "tests/calibrate/fleet.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void plain_open(struct plain *plain, const char *column, uint32_t series)
{
    char config[64];
    struct error err;
    struct node *map = NULL;
    *plain = (struct plain){0};
    columns_name(&plain->columns);
    struct operator_context context = {
        .columns = &plain->columns, .pane_ns = WINDOW_NS, .score_ns = WINDOW_NS};
    for (size_t i = 0; window_operators[i] != NULL; i++)
        if (strcmp(window_operators[i]->name, "zscore") == 0) plain->op = window_operators[i];
    snprintf(config, sizeof(config), "{column: %s}", column);
    plain->self = calloc(1, plain->op->self_bytes);
    must(node_read(bytes_of(config), "calibrate", false, &plain->pool, &map, &err), &err);
    must(options_read(plain->op->options, plain->self, map, &plain->pool, &err), &err);
    must(plain->op->prepare(plain->self, &context, &err), &err);
    plain->state_bytes = plain->op->state_bytes(plain->self);
    plain->states = calloc(series, plain->state_bytes);
}

void plain_close(struct plain *plain)
{
    free(plain->self);
    free(plain->states);
    pool_release(&plain->pool);
}

double plain_z(struct plain *plain, uint32_t series, const struct row *row)
{
    struct row scored = *row;
    void *state = plain->states + (size_t)series * plain->state_bytes;
    plain->op->step(plain->self, state, &scored);
    return row_has(&scored, COLUMN_SCORE) ? row_number(&scored, COLUMN_SCORE) : NAN;
}
