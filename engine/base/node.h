/*
 * What a YAML text says, as a small tree in which each node knows where it was written.
 *
 * The text is data from a person, so everything has a limit and every refusal names its place.
 * Environment variables are expanded per value after parsing: an expanded value is always one text,
 * whatever YAML syntax it holds. Aliases and tags are refused, so the tree is no larger than its text.
 */
#ifndef ENGINE_BASE_NODE_H
#define ENGINE_BASE_NODE_H

#include "engine/base/buffer.h"
#include "engine/base/bytes.h"
#include "engine/base/error.h"
#include "engine/base/pool.h"

#include <stdarg.h>

enum {
    NODE_INPUT_BYTES_MAX = 1 << 20,
    NODE_DEPTH_MAX = 16,
    NODE_ENTRIES_MAX = 1024, /* in one list or map */
    NODES_MAX = 20000,       /* in one text */
    NODE_KEY_BYTES_MAX = 255,
};

enum node_kind { NODE_TEXT, NODE_LIST, NODE_MAP };

struct node {
    enum node_kind kind;
    bool plain;          /* NODE_TEXT: written without quotes */
    const char *text;    /* NODE_TEXT: expanded, never with a NUL inside; else "" */
    const char *key;     /* in a map; else NULL */
    struct node *first;  /* of the entries, in order */
    struct node *next;   /* entry of the same list or map */
    size_t count;        /* entries */
    const char *origin;  /* the file, or "command line" */
    size_t line, column; /* from 1; line 0: the origin has no lines worth naming */
    size_t key_line, key_column;
};

/*
 * Read one YAML document; an empty one is an empty map.
 *
 * origin   of the text, for errors; borrowed as long as the tree
 * lines    whether a line and column mean anything to the reader of an error
 * pool     holds the tree
 * returns  ST_OK; ST_FATAL: not YAML, over a limit, a key twice, a variable that is not set
 */
enum status node_read(struct bytes text, const char *origin, bool lines, struct pool *pool,
    struct node **root, struct error *err) MUST_USE;

/* A text that was not written in YAML, as it is; `text` and `origin` are borrowed. */
struct node *node_of_text(const char *text, const char *origin, struct pool *pool);

/* `key:` with nothing after it, or null. */
bool node_is_null(const struct node *node);

/* Append the tree as YAML in one line; reading that gives the same tree, with nothing left to expand. */
void node_write(const struct node *node, struct buffer *out);

/* ST_FATAL, the text starting with where the node's value stands and `key`, where that is not NULL. */
enum status node_error(const struct node *node, const char *key, struct error *err,
    const char *format, ...) PRINTF_LIKE(4, 5);
enum status node_error_list(const struct node *node, const char *key, struct error *err,
    const char *format, va_list args) PRINTF_LIKE(4, 0);
/* The same for the node's key. */
enum status node_error_at_key(const struct node *node, struct error *err, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* A foreign text made fit for an error: in one line, not too long, secrets masked. */
struct node_shown {
    char text[72];
};
struct node_shown node_show(const char *text);

#endif
