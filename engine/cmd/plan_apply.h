/* `weir plan apply`: a file of its own beside the other uses of `weir plan`. */
#ifndef ENGINE_CMD_PLAN_APPLY_H
#define ENGINE_CMD_PLAN_APPLY_H

#include "engine/cmd/cmd.h"
#include "engine/plan.h"

/* yes  false: only say what would be done. Returns the exit code. */
int plan_apply(const struct command *command, const struct plan *plan, bool yes);

#endif
