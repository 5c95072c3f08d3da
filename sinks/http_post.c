#include "sinks/http_post.h"

#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "engine/base/text.h"
#include "sinks/http_echo.h"
#include "sinks/secret_file.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

enum {
    LINE_BYTES_MAX = 8192,
    SAID_BYTES = 160,                         /* of an answer's body, for the error */
    KEPT_BYTES = SAID_BYTES + LINE_BYTES_MAX, /* so that no secret is cut where that ends */
    WAIT_S_MAX = 300,
    HURRY_MS = 2000, /* what a request that is under way has left once we stop */
};

struct http_post {
    CURL *curl;
    const struct http_settings *settings;
    bool (*stopping)(void);
    int64_t hurry_ns;           /* it ends by then, by clock_ns; 0: we do not stop */
    struct curl_slist *headers; /* of the post under way */
    const char *url, *token;    /* likewise */
    char secret[SECRET_BYTES];  /* where the token is a file's */
    char said[KEPT_BYTES + 1];  /* the beginning of what the server answered */
    size_t said_bytes;
    char failed[CURL_ERROR_SIZE];
};

/* What goes into a header must not end it. */
static bool is_line(const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f) return false;
    }
    return strlen(text) <= LINE_BYTES_MAX;
}

static bool is_header(const char *line)
{
    static const char token[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    size_t name = strspn(line, token);
    return name > 0 && line[name] == ':' && line[name + 1] == ' ' && is_line(line);
}

static enum status wrong(const char **key, const char *which, struct error *err, const char *what)
{
    *key = which;
    return error_set(err, ST_FATAL, 0, "%s", what);
}

static enum status check_credentials(
    const struct http_settings *s, const char **key, struct error *err)
{
    bool user = *s->user != '\0', password = *s->password != '\0';
    bool token = *s->token != '\0', file = *s->token_file != '\0';
    if (user != password) {
        return wrong(key, user ? "user" : "password", err,
            "user and password go together; give both, or neither");
    }
    if (user + token + file > 1) {
        return wrong(key,
            token  ? "token"
            : user ? "user"
                   : "token_file",
            err, "give one of token, token_file, and user with password");
    }
    if (!is_line(s->token)) return wrong(key, "token", err, "it holds a control character");
    if (!is_line(s->user) || strchr(s->user, ':') != NULL)
        return wrong(key, "user", err, "a user without a colon and control characters is wanted");
    return ST_OK;
}

enum status http_settings_check(const struct http_settings *s, const char **key, struct error *err)
{
    bool certificate = *s->certificate_file != '\0', own_key = *s->key_file != '\0';
    if (s->timeout_ns < 100 * NS_PER_MS || s->timeout_ns > 60 * NS_PER_S)
        return wrong(key, "timeout", err, "it is out of range; want 100ms to 1m");
    if (certificate != own_key) {
        return wrong(key, certificate ? "certificate_file" : "key_file", err,
            "certificate_file and key_file go together; give both, or neither");
    }
    for (size_t i = 0; i < s->headers.count; i++) {
        if (is_header(s->headers.text[i])) continue;
        return wrong(
            key, "headers", err, "want lines as `X-Name: value`, without control characters");
    }
    if (*s->proxy != '\0') {
        *key = "proxy";
        enum status status = http_url_check(s->proxy, err);
        if (status != ST_OK) return status;
    }
    return check_credentials(s, key, err);
}

/* A part of a URL, to be freed by curl_free; NULL: it has none. */
static char *part_of(CURLU *url, CURLUPart part, unsigned flags)
{
    char *text = NULL;
    return curl_url_get(url, part, &text, flags) == CURLUE_OK ? text : NULL;
}

static const char *url_fault(CURLU *url, const char *text)
{
    if (url == NULL) return "no memory is left to read it";
    if (curl_url_set(url, CURLUPART_URL, text, 0) != CURLUE_OK || !is_line(text))
        return "it is no URL; write https://host/path";
    char *scheme = part_of(url, CURLUPART_SCHEME, 0), *user = part_of(url, CURLUPART_USER, 0);
    const char *fault = NULL;
    if (scheme == NULL || (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0))
        fault = "only http:// and https:// are spoken";
    else if (user != NULL)
        fault = "user and password stand in keys of their own, not in the URL";
    curl_free(scheme);
    curl_free(user);
    return fault;
}

enum status http_url_check(const char *text, struct error *err)
{
    CURLU *url = curl_url();
    const char *fault = url_fault(url, text);
    curl_url_cleanup(url);
    return fault == NULL ? ST_OK : error_set(err, ST_FATAL, 0, "%s", fault);
}

void http_url_show(const char *text, char shown[NOTIFIER_PLACE_BYTES])
{
    CURLU *url = curl_url();
    char *host = NULL, *port = NULL;
    if (url != NULL && curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK) {
        host = part_of(url, CURLUPART_HOST, 0);
        port = part_of(url, CURLUPART_PORT, CURLU_DEFAULT_PORT);
    }
    snprintf(
        shown, NOTIFIER_PLACE_BYTES, "%s:%s", host == NULL ? "?" : host, port == NULL ? "?" : port);
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(url);
}

static pthread_once_t library_once = PTHREAD_ONCE_INIT;

static void library_open(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT); /* curl_easy_init says whether it went well */
}

enum status http_post_open(struct http_post **post, const struct http_settings *settings,
    bool (*stopping)(void), struct error *err)
{
    pthread_once(&library_once, library_open);
    CURL *curl = curl_easy_init();
    if (curl == NULL) return error_set(err, ST_FATAL, 0, "http: libcurl cannot be started");
    *post = memory_zeroed(1, sizeof(**post));
    **post = (struct http_post){.curl = curl, .settings = settings, .stopping = stopping};
    return ST_OK;
}

void http_post_close(struct http_post *post)
{
    if (post == NULL) return;
    curl_easy_cleanup(post->curl);
    free(post);
}

/* The beginning is kept for the error, the rest passed over. */
static size_t on_answer(char *data, size_t one, size_t bytes, void *opaque)
{
    struct http_post *post = opaque;
    (void)one;
    size_t room = KEPT_BYTES - post->said_bytes, take = bytes < room ? bytes : room;
    memcpy(post->said + post->said_bytes, data, take);
    post->said_bytes += take;
    return bytes;
}

static bool is_stopping(const struct http_post *post)
{
    return post->stopping != NULL && post->stopping();
}

/* What is cut off now may have been taken, and would be told twice. */
static int on_progress(
    void *opaque, curl_off_t down_all, curl_off_t down, curl_off_t up_all, curl_off_t up)
{
    struct http_post *post = opaque;
    (void)down_all, (void)down, (void)up_all, (void)up;
    if (!is_stopping(post)) return 0;
    if (post->hurry_ns == 0) post->hurry_ns = clock_ns() + HURRY_MS * NS_PER_MS;
    return clock_ns() >= post->hurry_ns;
}

static enum status header_add(struct http_post *post, const char *line, struct error *err)
{
    struct curl_slist *more = curl_slist_append(post->headers, line);
    if (more == NULL) return error_set(err, ST_RETRY, 0, "http: out of memory");
    post->headers = more;
    return ST_OK;
}

static enum status headers_set(struct http_post *post, const char *const *more, struct error *err)
{
    const struct http_settings *s = post->settings;
    /* No waiting for a 100 before the body. */
    enum status status = header_add(post, "Expect:", err);
    for (size_t i = 0; i < s->headers.count && status == ST_OK; i++)
        status = header_add(post, s->headers.text[i], err);
    for (; more != NULL && *more != NULL && status == ST_OK; more++)
        status = header_add(post, *more, err);
    curl_easy_setopt(post->curl, CURLOPT_HTTPHEADER, post->headers);
    return status;
}

static enum status credentials_set(
    struct http_post *post, struct notify_failure *failure, struct error *err)
{
    const struct http_settings *s = post->settings;
    post->token = s->token;
    if (*s->token_file != '\0') {
        enum status status = secret_file_read(s->token_file, post->secret, err);
        failure->reason = NOTIFY_SECRET;
        if (status != ST_OK) return status;
        post->token = post->secret;
    }
    if (*post->token != '\0') {
        curl_easy_setopt(post->curl, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
        curl_easy_setopt(post->curl, CURLOPT_XOAUTH2_BEARER, post->token);
    } else if (*s->user != '\0') {
        curl_easy_setopt(post->curl, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
        curl_easy_setopt(post->curl, CURLOPT_USERNAME, s->user);
        curl_easy_setopt(post->curl, CURLOPT_PASSWORD, s->password);
    }
    return ST_OK;
}

static void tls_set(const struct http_post *post)
{
    const struct http_settings *s = post->settings;
    CURL *curl = post->curl;
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
    if (*s->ca_file != '\0') {
        curl_easy_setopt(curl, CURLOPT_CAINFO, s->ca_file);
        curl_easy_setopt(curl, CURLOPT_CAPATH, NULL); /* else the system's vouch besides */
    }
    if (*s->certificate_file == '\0') return;
    curl_easy_setopt(curl, CURLOPT_SSLCERT, s->certificate_file);
    curl_easy_setopt(curl, CURLOPT_SSLKEY, s->key_file);
}

static void post_set(struct http_post *post, const char *url, struct bytes body)
{
    CURL *curl = post->curl;
    long timeout_ms = (long)(post->settings->timeout_ns / NS_PER_MS);
    curl_easy_reset(curl); /* keeps its connections */
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, timeout_ms);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, timeout_ms);
    curl_easy_setopt(curl, CURLOPT_PROXY, post->settings->proxy);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "weir/" WEIR_VERSION);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.size);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, (const char *)body.data);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_answer);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, post);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, post);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, post->failed);
    tls_set(post);
    post->url = url;
    post->said_bytes = 0;
    post->failed[0] = '\0';
    post->hurry_ns = is_stopping(post) ? clock_ns() : 0; /* nothing is begun any more */
}

static enum notify_reason reason_of(CURLcode code)
{
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
        return NOTIFY_UNREACHABLE;
    case CURLE_OPERATION_TIMEDOUT:
        return NOTIFY_TIMEOUT;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_ENGINE_INITFAILED:
        return NOTIFY_TLS;
    default:
        return NOTIFY_CUT;
    }
}

/* What a server or a library says stands in logs: one line, nothing that steers a terminal. */
static void make_shown(char *text, size_t size)
{
    text[size] = '\0';
    for (char *c = text; *c != '\0'; c++) {
        if ((unsigned char)*c < ' ' || (unsigned char)*c >= 0x7f) *c = ' ';
    }
}

static enum status not_posted(struct http_post *post, const char *shown, CURLcode code,
    struct notify_failure *failure, struct error *err)
{
    failure->reason = reason_of(code);
    make_shown(post->failed, strlen(post->failed));
    return error_set(err, ST_RETRY, (int)code, "%s: %s", shown,
        post->failed[0] == '\0' ? curl_easy_strerror(code) : post->failed);
}

static const struct {
    long first, last;
    enum notify_reason reason;
    enum status status;
    const char *advice;
} codes[] = {
    {300, 399, NOTIFY_REDIRECT, ST_RETRY,
        "it points elsewhere, which is not followed: give the URL that it points to"},
    {400, 400, NOTIFY_REFUSED, ST_SKIP, "it does not take this alert"},
    {401, 401, NOTIFY_DENIED, ST_RETRY, "it wants another token, or user and password"},
    {403, 403, NOTIFY_DENIED, ST_RETRY, "it does not let us in: see its token or its rights"},
    {404, 404, NOTIFY_DENIED, ST_RETRY, "there is nothing at that path: see the URL"},
    {413, 413, NOTIFY_REFUSED, ST_SKIP, "this alert is too large for it"},
    {422, 422, NOTIFY_REFUSED, ST_SKIP, "it does not take this alert"},
    {429, 429, NOTIFY_THROTTLED, ST_RETRY, "it is asked too often"},
    {400, 499, NOTIFY_DENIED, ST_RETRY, "it does not take requests like ours"},
    {500, 599, NOTIFY_SERVER, ST_RETRY, "it has a trouble of its own: see its log"},
};

/* What the server said for the error, with words before it; or why it is left out. */
static const char *make_said(struct http_post *post, const char **before)
{
    post->said[post->said_bytes] = '\0';
    *before = "";
    if (post->said[0] == '\0') return "";
    if (http_echoes(post->said, post->settings, post->url, post->token))
        return "; what it says repeats our URL or a secret";
    *before = "; it says: ";
    make_shown(post->said, post->said_bytes < SAID_BYTES ? post->said_bytes : SAID_BYTES);
    return post->said;
}

static enum status answered(
    struct http_post *post, const char *shown, struct notify_failure *failure, struct error *err)
{
    long code = 0;
    curl_off_t wait_s = 0;
    curl_easy_getinfo(post->curl, CURLINFO_RESPONSE_CODE, &code);
    curl_easy_getinfo(post->curl, CURLINFO_RETRY_AFTER, &wait_s);
    if (code >= 200 && code <= 299) return ST_OK;
    failure->wait_ns = (wait_s > WAIT_S_MAX ? WAIT_S_MAX : wait_s) * NS_PER_S;
    const char *before, *said = make_said(post, &before);
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        if (code < codes[i].first || code > codes[i].last) continue;
        failure->reason = codes[i].reason;
        return error_set(err, codes[i].status, (int)code, "%s answers %ld: %s%s%s", shown, code,
            codes[i].advice, before, said);
    }
    failure->reason = NOTIFY_CUT;
    return error_set(err, ST_RETRY, (int)code, "%s answers %ld, which is no answer", shown, code);
}

enum status http_post_send(struct http_post *post, const char *url, struct bytes body,
    const char *const *headers, struct notify_failure *failure, struct error *err)
{
    char shown[NOTIFIER_PLACE_BYTES];
    *failure = (struct notify_failure){.reason = NOTIFY_CUT};
    http_url_show(url, shown);
    post_set(post, url, body);
    enum status status = headers_set(post, headers, err);
    if (status == ST_OK) status = credentials_set(post, failure, err);
    if (status == ST_OK) {
        CURLcode code = curl_easy_perform(post->curl);
        status = code == CURLE_OK ? answered(post, shown, failure, err)
                                  : not_posted(post, shown, code, failure, err);
    }
    curl_slist_free_all(post->headers);
    post->headers = NULL;
    return status;
}
