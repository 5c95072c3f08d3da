#include "engine/kafka_refusal.h"

#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/metrics.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { SAID_MAX = 128, NAME_BYTES = 256, BROKERS_BYTES = 256 };

/* A client tries again every 2 s, so what is silent for this long is over. */
#define OVER_NS  (15 * NS_PER_S)
#define AGAIN_NS (10 * NS_PER_S)

static struct {
    pthread_mutex_t lock;
    char name[NAME_BYTES], brokers[BROKERS_BYTES], principal[NAME_BYTES];
    char dead_letter[NAME_BYTES]; /* "": none */
    const char *needs;
    /* Each refusal is said once in a while, however many clients meet it. */
    struct {
        char what[128];
        struct log_gate gate;
    } said[SAID_MAX];
    size_t count;    /* of refusals since the start; the newest SAID_MAX are in `said` */
    int64_t last_ns; /* 0: none is shown */
} about = {.lock = PTHREAD_MUTEX_INITIALIZER,
    .name = "weir",
    .brokers = "BROKER",
    .needs = "--operation Read"};

void kafka_refusal_about(const struct config *config, const char *needs)
{
    pthread_mutex_lock(&about.lock);
    about.needs = needs;
    snprintf(about.name, sizeof(about.name), "%s", config->name);
    snprintf(about.brokers, sizeof(about.brokers), "%s", config->brokers);
    snprintf(about.dead_letter, sizeof(about.dead_letter), "%s",
        config->dead_letter == NULL ? "" : config->dead_letter);
    about.principal[0] = '\0';
    for (size_t i = 0; i < config->kafka_settings; i++) {
        if (strcmp(config->kafka[i].key, "sasl.username") == 0)
            snprintf(about.principal, sizeof(about.principal), "%s", config->kafka[i].value);
        bool in_clear = strcmp(config->kafka[i].key, "security.protocol") == 0 &&
                        strcasecmp(config->kafka[i].value, "sasl_plaintext") == 0;
        static struct log_gate gate; /* once for all clients of a start */
        if (in_clear && log_every(&gate, INT64_MAX / 2))
            log_warn("kafka",
                "security.protocol is sasl_plaintext: whoever stands between can read "
                "and change everything, with PLAIN also the password; use sasl_ssl",
                NULL);
    }
    pthread_mutex_unlock(&about.lock);
}

/* OpenSSL's X509_V_ERR_..., which are part of its interface; weir does not link with it. */
enum {
    X509_NO_ISSUER = 2,
    X509_NOT_YET_VALID = 9,
    X509_EXPIRED = 10,
    X509_SELF_SIGNED = 18,
    X509_SELF_SIGNED_IN_CHAIN = 19,
    X509_NO_LOCAL_ISSUER = 20,
    X509_NOT_VERIFIED = 21,
    X509_REVOKED = 23,
    X509_OTHER_HOST = 62,
    X509_OTHER_ADDRESS = 64,
};

struct kafka_refusal kafka_refusal_of_certificate(int x509, const char *broker)
{
    struct kafka_refusal r = {.reason = "certificate"};
    const char *wrong, *todo;
    switch (x509) {
    case X509_EXPIRED:
        wrong = "has expired";
        todo = "give the broker a new certificate; if it has one, set the clock of this machine";
        break;
    case X509_NOT_YET_VALID:
        wrong = "is not valid yet";
        todo = "set the clock of this machine, or wait";
        break;
    case X509_OTHER_HOST:
    case X509_OTHER_ADDRESS:
        wrong = "is made for another host";
        todo = "write in `brokers`, and in the broker's advertised.listeners, a host name that its "
               "certificate names (subjectAltName); an IP address will not do";
        break;
    case X509_NO_ISSUER:
    case X509_SELF_SIGNED:
    case X509_SELF_SIGNED_IN_CHAIN:
    case X509_NO_LOCAL_ISSUER:
    case X509_NOT_VERIFIED:
        wrong = "is of a CA that is not trusted";
        todo = "set ssl.ca.location under `kafka:` to the PEM file of the CA that signed it";
        break;
    case X509_REVOKED:
        wrong = "is revoked";
        todo = "give the broker a new certificate";
        break;
    default:
        wrong = "is not valid";
        todo = "look at it with openssl s_client -connect BROKER -showcerts";
        break;
    }
    snprintf(r.what, sizeof(r.what), "the certificate of %.64s %s", broker, wrong);
    snprintf(r.todo, sizeof(r.todo), "%s", todo);
    return r;
}

static struct kafka_refusal authentication(const char *words)
{
    struct kafka_refusal r = {.reason = "authentication"};
    bool mechanism = strstr(words, "mechanism handshake failed") != NULL ||
                     strstr(words, "Unsupported SASL mechanism") != NULL;
    if (mechanism) {
        static const char before[] = "supported mechanisms: ";
        const char *offers = strstr(words, before);
        offers = offers == NULL ? "?" : offers + strlen(before);
        snprintf(r.what, sizeof(r.what), "the broker does not have this SASL mechanism");
        snprintf(r.todo, sizeof(r.todo),
            "set sasl.mechanism under `kafka:` to one that it has: %.*s",
            (int)strcspn(offers, " ("), offers);
        return r;
    }
    snprintf(r.what, sizeof(r.what), "the broker does not take user name and password");
    snprintf(r.todo, sizeof(r.todo),
        "correct sasl.username, sasl.password and sasl.mechanism under `kafka:`, or the user in "
        "Kafka; it said: %.140s",
        words);
    return r;
}

struct kafka_refusal kafka_refusal_of_error(int code, const char *words)
{
    struct kafka_refusal none = {.reason = NULL};
    switch (code) {
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM:
    case RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE:
        return authentication(words);
    case RD_KAFKA_RESP_ERR__SSL:
        break;
    default:
        return none;
    }
    struct kafka_refusal r = {.reason = "certificate"};
    snprintf(r.what, sizeof(r.what), "the TLS handshake with a broker failed");
    snprintf(r.todo, sizeof(r.todo),
        "compare security.protocol and ssl.* under `kafka:` with the broker's listener: %.200s",
        words);
    return r;
}

static bool is_own(const char *topic)
{
    static const char *const suffixes[] = {".partials", ".rows", ".state", ".plan"};
    size_t bytes = strlen(about.name);
    if (strncmp(topic, about.name, bytes) != 0) return false;
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        size_t size = strlen(suffixes[i]);
        if (strncmp(topic + bytes, suffixes[i], size) != 0) continue;
        char next = topic[bytes + size]; /* later plans have topics as weir.rows-2 */
        if (next == '\0' || next == '-') return true;
    }
    return false;
}

static const char prefixed[] = " --resource-pattern-type prefixed";

/* The line of an administrator that gives all that weir needs of this kind, not only the next step. */
static void allow(struct kafka_refusal *r, const char *operations, const char *resource,
    const char *name, const char *more)
{
    bool known = about.principal[0] != '\0';
    snprintf(r->todo, sizeof(r->todo),
        "kafka-acls.sh --bootstrap-server %.60s --add --allow-principal User:%.60s %s %s %.80s%s%s",
        about.brokers, known ? about.principal : "PRINCIPAL", operations, resource, name, more,
        known ? "" : " (PRINCIPAL: weir's, as the broker's log names it)");
}

static void allow_topic(struct kafka_refusal *r, const char *topic)
{
    char name[NAME_BYTES + 2];
    snprintf(name, sizeof(name), "%s.", about.name);
    if (is_own(topic))
        allow(r, "--operation Read --operation Write --operation Create --operation Delete",
            "--topic", name, prefixed);
    else if (about.dead_letter[0] != '\0' && strcmp(about.dead_letter, topic) == 0)
        allow(r, "--operation Write --operation Describe --operation Create", "--topic", topic, "");
    else
        allow(r, about.needs, "--topic", topic, "");
}

struct kafka_refusal kafka_refusal_of_answer(int code, const char *topic)
{
    struct kafka_refusal r = {.reason = "authorization"};
    char name[NAME_BYTES + 2];
    pthread_mutex_lock(&about.lock);
    switch (code) {
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
        snprintf(r.what, sizeof(r.what), "Kafka denies weir topic %.90s", topic);
        allow_topic(&r, topic);
        break;
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
        snprintf(
            r.what, sizeof(r.what), "Kafka denies weir its consumer groups %.80s-*", about.name);
        snprintf(name, sizeof(name), "%s-", about.name);
        allow(&r, "--operation Read", "--group", name, prefixed);
        break;
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
        snprintf(r.what, sizeof(r.what), "Kafka denies weir its transactions %.80s-*", about.name);
        snprintf(name, sizeof(name), "%s-", about.name);
        allow(&r, "--operation Write", "--transactional-id", name, prefixed);
        break;
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
        snprintf(r.what, sizeof(r.what), "Kafka denies weir to write with idempotence");
        allow(&r, "--operation IdempotentWrite", "--cluster", "", "");
        break;
    default:
        r.reason = NULL;
        break;
    }
    pthread_mutex_unlock(&about.lock);
    return r;
}

/*
 * Whether it is time to say this; called with the lock held. There is room for all topics and more, so
 * what makes way for a new refusal, the oldest, is rarely one that lasts.
 */
static bool is_due(const char *what)
{
    size_t known = about.count < SAID_MAX ? about.count : SAID_MAX, i = 0;
    while (i < known && strcmp(about.said[i].what, what) != 0)
        i++;
    if (i == known) {
        i = about.count++ % SAID_MAX;
        snprintf(about.said[i].what, sizeof(about.said[i].what), "%s", what);
        about.said[i].gate = (struct log_gate){0};
    }
    return log_every(&about.said[i].gate, AGAIN_NS);
}

bool kafka_refusal_say(const struct kafka_refusal *refusal)
{
    if (refusal->reason == NULL) return false;
    metric_add(metric_of(METRIC_COUNTER, "weir_kafka_refused_total",
                   "What a broker refused weir, or weir a broker, for security.", "reason=\"%s\"",
                   refusal->reason),
        1);
    char why[sizeof(refusal->what) + sizeof(refusal->todo) + 3];
    snprintf(why, sizeof(why), "%s: %s", refusal->what, refusal->todo);
    pthread_mutex_lock(&about.lock);
    about.last_ns = clock_ns();
    ready_set("kafka_access", why);
    bool due = is_due(refusal->what);
    pthread_mutex_unlock(&about.lock);
    if (due) log_error("kafka", refusal->what, "reason=%s todo=%s", refusal->reason, refusal->todo);
    return true;
}

bool kafka_refusal_answer(int code, const char *topic)
{
    struct kafka_refusal refusal = kafka_refusal_of_answer(code, topic);
    return kafka_refusal_say(&refusal);
}

void kafka_refusal_over(void)
{
    pthread_mutex_lock(&about.lock);
    if (about.last_ns != 0 && clock_ns() - about.last_ns > OVER_NS) {
        about.last_ns = 0;
        ready_set("kafka_access", NULL);
    }
    pthread_mutex_unlock(&about.lock);
}

int kafka_refusal_verify(rd_kafka_t *handle, const char *broker, int32_t broker_id, int *x509,
    int depth, const char *certificate, size_t bytes, char *why, size_t why_bytes, void *opaque)
{
    (void)handle, (void)broker_id, (void)depth, (void)certificate, (void)bytes, (void)opaque;
    if (*x509 == 0) return 1;
    struct kafka_refusal refusal = kafka_refusal_of_certificate(*x509, broker);
    kafka_refusal_say(&refusal);
    snprintf(why, why_bytes, "%s", refusal.what);
    return 0;
}
