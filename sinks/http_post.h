/*
 * Posting to an HTTP server: once, with every deadline, following no redirect, and with one answer to
 * the question whether it was taken.
 *
 * Servers are verified always. The environment's proxies are not used: `proxy` names one.
 */
#ifndef SINKS_HTTP_POST_H
#define SINKS_HTTP_POST_H

#include "engine/base/bytes.h"
#include "sinks/notifier.h"

/* How to talk to a server: options of every receiver that is one. */
struct http_settings {
    int64_t timeout_ns; /* of one post, connecting included */
    const char *user, *password;
    const char *token, *token_file;
    const char *ca_file, *certificate_file, *key_file;
    const char *proxy;
    struct texts headers;
};

#define HTTP_OPTION(kind, owner, name, field, usual, text)                                  \
    {                                                                                       \
        .key = (name), .type = OPTION_##kind, .offset = offsetof(struct owner, http.field), \
        .fallback = (usual), .help = (text)                                                 \
    }
/* For a struct with a member `http`. */
#define HTTP_OPTIONS(owner)                                                                       \
    HTTP_OPTION(DURATION, owner, "timeout", timeout_ns, "10s", "of one request"),                 \
        HTTP_OPTION(TEXT, owner, "user", user, "", "for basic authentication"),                   \
        HTTP_OPTION(TEXT, owner, "password", password, "", "for basic authentication"),           \
        HTTP_OPTION(TEXT, owner, "token", token, "", "bearer token"),                             \
        HTTP_OPTION(TEXT, owner, "token_file", token_file, "", "file that holds the token"),      \
        HTTP_OPTION(TEXT, owner, "ca_file", ca_file, "",                                          \
            "who may sign the server's certificate, PEM; empty: whom the system trusts"),         \
        HTTP_OPTION(TEXT, owner, "certificate_file", certificate_file, "",                        \
            "our own certificate, PEM, where the server asks for one"),                           \
        HTTP_OPTION(TEXT, owner, "key_file", key_file, "", "its key, PEM, without a passphrase"), \
        HTTP_OPTION(TEXT, owner, "proxy", proxy, "", "URL of a proxy; empty: none"),              \
        HTTP_OPTION(TEXTS, owner, "headers", headers, "[]", "further headers, as `Name: value`")

/* As `check` of struct notifier. */
enum status http_settings_check(
    const struct http_settings *settings, const char **key, struct error *err) MUST_USE;
/* returns  ST_OK; ST_FATAL: not http or https, or with a user and password in it */
enum status http_url_check(const char *url, struct error *err) MUST_USE;
/* Scheme, host and port alone, as paths and queries often are secrets. */
void http_url_show(const char *url, char shown[NOTIFIER_PLACE_BYTES]);

struct http_post;

/* settings and `stopping` are borrowed; a post under way has two seconds left. returns  ST_OK; ST_FATAL, out of memory */
enum status http_post_open(struct http_post **post, const struct http_settings *settings,
    bool (*stopping)(void), struct error *err) MUST_USE;
void http_post_close(struct http_post *post); /* NULL is fine */

/*
 * Post `body` to `url`.
 *
 * headers  further ones, `Name: value`, NULL-terminated; or NULL
 * returns  as `send` of struct notifier
 */
enum status http_post_send(struct http_post *post, const char *url, struct bytes body,
    const char *const *headers, struct notify_failure *failure, struct error *err) MUST_USE;

#endif
