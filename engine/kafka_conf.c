#include "engine/kafka_conf.h"

#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/base/secret.h"
#include "engine/kafka_refusal.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* librdkafka's levels are those of syslog, whose header takes the names of ours away. */
enum { SYSLOG_ERROR = 3 };

#define QUIET_NS (60 * NS_PER_S)

/* What kafka_refusal.c says better. */
static bool is_refusal(const char *facility, const char *text)
{
    return strcmp(facility, "SSLCERTVRFY") == 0 || strstr(text, ": SSL handshake failed") != NULL ||
           strstr(text, "certificate verify failed") != NULL || strstr(text, ": SASL ") != NULL;
}

/* While a broker is away librdkafka says so every second, for every client: once in a while will do. */
static void on_log(const rd_kafka_t *handle, int level, const char *facility, const char *text)
{
    static struct log_gate gate;
    if (strcmp(facility, "CONFWARN") == 0) return; /* a consumer is told of producer settings */
    bool told = level <= SYSLOG_ERROR && !is_refusal(facility, text) && log_every(&gate, QUIET_NS);
    log_line(told ? LOG_WARN : LOG_DEBUG, "kafka", "librdkafka says",
        "client=%s facility=%s text=%s", handle == NULL ? "-" : rd_kafka_name(handle), facility,
        text);
}

static void on_error(rd_kafka_t *handle, int code, const char *reason, void *opaque)
{
    (void)opaque;
    /* That a certificate is not taken was said with more detail while it was looked at. */
    if (code == RD_KAFKA_RESP_ERR__SSL && strstr(reason, "certificate verify failed") != NULL)
        return;
    struct kafka_refusal refusal = kafka_refusal_of_error(code, reason);
    if (kafka_refusal_say(&refusal)) return;
    static struct log_gate gate;
    if (!log_every(&gate, QUIET_NS)) return;
    log_warn("kafka", "trouble with a broker, librdkafka keeps trying",
        "client=%s code=%s reason=%s", rd_kafka_name(handle),
        rd_kafka_err2name((rd_kafka_resp_err_t)code), reason);
}

void kafka_conf_set(rd_kafka_conf_t *conf, const char *key, const char *value)
{
    char why[256];
    rd_kafka_conf_res_t result = rd_kafka_conf_set(conf, key, value, why, sizeof(why));
    assert(result == RD_KAFKA_CONF_OK);
    (void)result;
}

/* What every client has, unless the user's settings say otherwise. */
static const struct kafka_setting common[] = {
    {"topic.metadata.refresh.interval.ms", "10000"},
    {"socket.nagle.disable", "true"},
    {"retry.backoff.ms", "50"},
    {"reconnect.backoff.max.ms", "2000"},
    /* A broker that is cut off closes nothing; sessions and transactions are over by then anyway. */
    {"socket.timeout.ms", "10000"},
    {NULL, NULL},
};

static void set_all(rd_kafka_conf_t *conf, const struct kafka_setting *setting)
{
    for (; setting->key != NULL; setting++)
        kafka_conf_set(conf, setting->key, setting->value);
}

rd_kafka_conf_t *kafka_conf(const struct config *config, const char *client_id,
    const struct kafka_setting *usual, struct error *err)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    kafka_conf_set(conf, "client.id", client_id);
    set_all(conf, common);
    set_all(conf, usual);
    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_ssl_cert_verify_cb(conf, kafka_refusal_verify);
    kafka_refusal_about(config, "--operation Read");

    char why[256];
    if (rd_kafka_conf_set(conf, "bootstrap.servers", config->brokers, why, sizeof(why)) !=
        RD_KAFKA_CONF_OK) {
        error_set(err, ST_FATAL, 0, "brokers: %s", why);
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    for (size_t i = 0; i < config->kafka_settings; i++) {
        const struct kafka_setting *s = &config->kafka[i];
        if (rd_kafka_conf_set(conf, s->key, s->value, why, sizeof(why)) == RD_KAFKA_CONF_OK)
            continue;
        error_set(err, ST_FATAL, 0, "kafka.%s: %s", s->key,
            secret_is_key(s->key) ? "its value will not do" : why);
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    return conf;
}

bool kafka_is_fenced(int code)
{
    return code == RD_KAFKA_RESP_ERR__FENCED || code == RD_KAFKA_RESP_ERR_PRODUCER_FENCED ||
           code == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH;
}

static enum status move_after(const rd_kafka_error_t *failure)
{
    rd_kafka_resp_err_t code = rd_kafka_error_code(failure);
    if (kafka_is_fenced((int)code)) return ST_LOST;
    if (rd_kafka_error_is_fatal(failure))
        return ST_LOST; /* the handle is done for; a new one goes on */
    if (rd_kafka_error_txn_requires_abort(failure)) return ST_ABORT;
    if (rd_kafka_error_is_retriable(failure)) return ST_RETRY;
    return ST_FATAL; /* "treat all other errors as fatal", says the header */
}

enum status kafka_status(rd_kafka_error_t *failure, const char *doing, struct error *err)
{
    if (failure == NULL) return ST_OK;
    error_set(err, move_after(failure), (int)rd_kafka_error_code(failure), "kafka: cannot %s: %s",
        doing, rd_kafka_error_string(failure));
    rd_kafka_error_destroy(failure);
    return err->status;
}
