/* Patterns over names from spans: `*` is any bytes, `?` is any one byte, all else is itself. */
#ifndef OPERATORS_GLOB_H
#define OPERATORS_GLOB_H

#include "engine/base/bytes.h"

/* encoded  a value as it stands in a series' name, percent-encoded; matched as what it stands for */
bool glob_matches(struct bytes pattern, struct bytes encoded);

#endif
