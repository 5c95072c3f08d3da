/*
 * The arguments of a subcommand, read by the same option tables as the config.
 *
 *     static const struct option options[] = {OPTION(TEXT, play, topic, "otlp_spans", "..."), {0}};
 *     status = arguments_read(&arguments, options, &play, argc, argv, &err);
 *
 * `--key value` and `--key=value` are the same; a flag takes no value unless it is `=false`; an
 * option that takes a list may come again. What starts with no dash, and all after `--`, is the rest.
 */
#ifndef ENGINE_CMD_ARGUMENTS_H
#define ENGINE_CMD_ARGUMENTS_H

#include "engine/base/option.h"
#include "engine/base/pool.h"
#include "engine/config.h"

enum { ARGUMENTS_MAX = 1024 };

struct arguments {
    const char **rest; /* borrowed from argv */
    size_t count;
    struct pool pool; /* what the filled struct points to */
};

/*
 * arguments  zeroed; to be released whatever is returned
 * self       filled in, from the fallbacks where an option is not given
 * argv       argv[0] is the command's name
 * returns    ST_OK; ST_FATAL: `err` says what is wrong and what was probably meant
 */
enum status arguments_read(struct arguments *arguments, const struct option *options, void *self,
    int argc, char **argv, struct error *err) MUST_USE;

/*
 * Split the `key=value` texts of a --kafka option; ${NAME} in a value comes from the environment.
 *
 * setting  room for OPTION_LIST_MAX; the texts are the arguments', good until they are released
 */
enum status arguments_settings(struct arguments *arguments, const struct texts *texts,
    struct kafka_setting *setting, struct error *err) MUST_USE;

void arguments_release(struct arguments *arguments);

#endif
