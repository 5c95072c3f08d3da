/*
 * Config keys, declared beside the struct they fill.
 *
 * One table is the schema: it checks a file, prints --help, hints at misspelt keys and writes the
 * commented sample. Loading zeroes the struct, fills it from the fallbacks, then from the file.
 */
#ifndef ENGINE_BASE_OPTION_H
#define ENGINE_BASE_OPTION_H

#include "engine/base/error.h"
#include "engine/base/node.h"
#include "engine/base/pool.h"

#include <stddef.h>
#include <stdint.h>

enum {
    OPTIONS_MAX = 96,     /* in one table */
    OPTION_LIST_MAX = 64, /* entries of one TEXTS, DURATIONS, NUMBERS or PAIRS */
};

enum option_type {
    OPTION_COUNT,     /* uint64_t; "5000", also "5k", "2M" */
    OPTION_BYTES,     /* uint64_t; "64KiB", "1GiB" */
    OPTION_NUMBER,    /* double; "0.5", also "2%" */
    OPTION_DURATION,  /* int64_t, ns; "250ms", "5m" */
    OPTION_FLAG,      /* bool; true, false */
    OPTION_CHOICE,    /* int, the index in `choices` */
    OPTION_TEXT,      /* const char *, owned by the config */
    OPTION_TEXTS,     /* struct texts: a list of texts, or one */
    OPTION_DURATIONS, /* struct durations */
    OPTION_NUMBERS,   /* struct numbers */
    OPTION_PAIRS,     /* struct pairs: a map of names to texts */
    OPTION_NODE,      /* a shape of its own: the table's owner reads it from the chosen node */
};

struct option {
    const char
        *key; /* as written in config, dotted where nested: "limits.series"; NULL ends the list */
    enum option_type type;
    size_t offset;
    const char *fallback; /* as one would write it: "[50ms, 1s]"; NULL when the key is required */
    const char *const *choices; /* OPTION_CHOICE: ends with NULL */
    const char *help;           /* one line, with the unit */
    bool is_old;                /* still read, but no longer told of */
};

struct texts {
    const char **text; /* [count], then NULL */
    size_t count;
};

struct pairs {
    const char **key, **text; /* [count], in the order of the file */
    size_t count;
};

struct durations {
    int64_t *ns;
    size_t count;
};

struct numbers {
    double *number;
    size_t count;
};

/* The key is the field's name. */
#define OPTION(kind, owner, field, usual, text)                                        \
    {                                                                                  \
        .key = #field, .type = OPTION_##kind, .offset = offsetof(struct owner, field), \
        .fallback = (usual), .help = (text)                                            \
    }

/*
 * Sort the entries of `map` to the options they name, through nested maps for dotted keys.
 *
 * chosen   one place per option of the table; an entry not in `map` stays as it was
 * returns  ST_OK; ST_FATAL: not a map, an unknown key, a key twice, a key without a value
 */
enum status options_choose(const struct option *options, const struct node *map,
    const struct node **chosen, struct error *err) MUST_USE;

/*
 * Fill `self` from the chosen nodes, and where there is none from the fallback, which is then
 * chosen. Fields of OPTION_NODE are left alone, but have their fallback chosen.
 *
 * map      where the options stand, for the error when a required one is missing; may be NULL
 * pool     owns what `self` points to
 */
enum status options_fill(const struct option *options, void *self, const struct node *map,
    const struct node **chosen, struct pool *pool, struct error *err) MUST_USE;

/* Both at once. A NULL map is an empty one. */
enum status options_read(const struct option *options, void *self, const struct node *map,
    struct pool *pool, struct error *err) MUST_USE;

/* A list of texts, or one text as a list of one. */
enum status option_read_texts(const char *key, const struct node *node, struct texts *out,
    struct pool *pool, struct error *err) MUST_USE;

extern const char option_origin_default[]; /* origin of nodes that came from a fallback */

/* The known key that `key` was probably meant to be, or NULL. */
const char *option_nearest(const struct option *options, const char *key);

#endif
