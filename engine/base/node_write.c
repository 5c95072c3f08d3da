/* A tree as YAML that reads back as the same tree, in one line. */
#include "engine/base/node.h"

#include <string.h>

/* What YAML takes for one text without quotes, wherever it stands; empty is null. */
static bool is_bare(const struct node *node)
{
    static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._%";
    return node->plain && strspn(node->text, safe) == strlen(node->text);
}

static void write_quoted(const char *text, struct buffer *out)
{
    buffer_print(out, "\"");
    for (const char *at = text; *at != '\0'; at++) {
        unsigned char c = (unsigned char)*at;
        if (c == '"' || c == '\\')
            buffer_print(out, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            buffer_print(out, "\\x%02x", c);
        else if (c == '$' && at[1] == '{')
            buffer_print(out, "$$"); /* was expanded once, and is not again */
        else
            buffer_append(out, at, 1);
    }
    buffer_print(out, "\"");
}

void node_write(const struct node *node, struct buffer *out)
{
    if (node->kind == NODE_TEXT && is_bare(node)) {
        buffer_print(out, "%s", node->text);
        return;
    }
    if (node->kind == NODE_TEXT) {
        write_quoted(node->text, out);
        return;
    }
    buffer_print(out, node->kind == NODE_LIST ? "[" : "{");
    for (const struct node *e = node->first; e != NULL; e = e->next) {
        if (e != node->first) buffer_print(out, ", ");
        if (node->kind == NODE_MAP) {
            write_quoted(e->key, out);
            buffer_print(out, ": ");
        }
        node_write(e, out);
    }
    buffer_print(out, node->kind == NODE_LIST ? "]" : "}");
}
