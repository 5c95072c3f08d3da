/* Secrets in texts that others may come to see: command lines, errors. */
#ifndef ENGINE_BASE_SECRET_H
#define ENGINE_BASE_SECRET_H

#include <stdbool.h>

/* Does `key` of a setting name a secret, as sasl.password does? */
bool secret_is_key(const char *key);

/*
 * Overwrite by `*` what is or may be a secret: the user and password of a URL, and whatever comes after
 * the name of a secret and `=` or `:`. Rather too much than too little.
 *
 * returns  whether anything was overwritten; the length stays
 */
bool secret_mask(char *text);

/*
 * Keep secrets of the command line from `ps`: the texts are copied, `argv` names the copies, and in the
 * process's own memory, where others look, they are masked. The copies live as long as the process.
 */
void secret_hide_arguments(int argc, char **argv);

#endif
