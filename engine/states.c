#include "engine/states.h"

_Static_assert(OPERATORS_MAX <= 64, "a series' operators are bits of one word");

static bool is_concerned(const struct operator_instance *o, struct bytes series)
{
    return o->operator_->concerns == NULL || o->operator_->concerns(o->self, series);
}

uint64_t states_concerned(const struct config *config, struct bytes series)
{
    uint64_t concerned = 0;
    for (size_t i = 0; i < config->operator_count; i++) {
        if (is_concerned(&config->operators[i], series)) concerned |= UINT64_C(1) << i;
    }
    return concerned;
}

size_t states_bytes(const struct config *config, uint64_t concerned)
{
    size_t bytes = 0;
    for (size_t i = 0; i < config->operator_count; i++) {
        const struct operator_instance *o = &config->operators[i];
        if ((concerned >> i & 1) != 0) bytes += o->operator_->state_bytes(o->self);
    }
    return bytes;
}

struct states_walk states_begin(const struct config *config, uint64_t concerned, void *states)
{
    return (struct states_walk){.config = config, .left = concerned, .next = states};
}

bool states_next(struct states_walk *walk)
{
    if (walk->left == 0) return false;
    walk->index = (size_t)__builtin_ctzll(walk->left);
    walk->left &= walk->left - 1;
    const struct operator_instance *o = &walk->config->operators[walk->index];
    walk->operator_ = o->operator_;
    walk->self = o->self;
    walk->state = walk->next;
    walk->next += o->operator_->state_bytes(o->self);
    return true;
}

bool states_awake(const struct config *config, uint64_t concerned, void *states)
{
    struct states_walk walk = states_begin(config, concerned, states);
    while (states_next(&walk)) {
        if (walk.operator_->awake != NULL && walk.operator_->awake(walk.self, walk.state))
            return true;
    }
    return false;
}
