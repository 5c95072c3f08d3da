/*
 * Config keys, declared beside the struct they fill.
 *
 * One table is the schema: it checks a file, prints --help, hints at misspelt keys and writes the
 * commented sample. Loading zeroes the struct, fills it from the fallbacks, then from the file.
 */
#ifndef ENGINE_BASE_OPTION_H
#define ENGINE_BASE_OPTION_H

#include <stddef.h>
#include <stdint.h>

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
};

struct option {
    const char
        *key; /* as written in config, dotted where nested: "limits.series"; NULL ends the list */
    enum option_type type;
    size_t offset;
    const char *fallback; /* as one would write it: "[50ms, 1s]"; NULL when the key is required */
    const char *const *choices; /* OPTION_CHOICE: ends with NULL */
    const char *help;           /* one line, with the unit */
};

struct texts {
    const char **text;
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

#endif
