#include "engine/kafka_embedded.h"

#include "engine/base/memory.h"

#include <stdlib.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

struct kafka_embedded {
    rd_kafka_t *host; /* the handle whose threads serve it */
    rd_kafka_mock_cluster_t *cluster;
};

/* The handle that hosts the broker complains that it has no broker. */
static void on_log(const rd_kafka_t *host, int level, const char *facility, const char *text)
{
    (void)host;
    (void)level;
    (void)facility;
    (void)text;
}

enum status kafka_embedded_open(struct kafka_embedded **broker, struct error *err)
{
    struct kafka_embedded *b = memory_zeroed(1, sizeof(*b));
    char why[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "client.id", "embedded", NULL, 0);
    rd_kafka_conf_set_log_cb(conf, on_log);
    b->host = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
    if (b->host == NULL) {
        rd_kafka_conf_destroy(conf);
        free(b);
        return error_set(err, ST_FATAL, 0, "embedded broker: %s", why);
    }
    b->cluster = rd_kafka_mock_cluster_new(b->host, 1);
    if (b->cluster == NULL) {
        kafka_embedded_close(b);
        return error_set(err, ST_FATAL, 0, "embedded broker: cannot listen on 127.0.0.1");
    }
    *broker = b;
    return ST_OK;
}

const char *kafka_embedded_address(const struct kafka_embedded *broker)
{
    return rd_kafka_mock_cluster_bootstraps(broker->cluster);
}

enum status kafka_embedded_topic(
    struct kafka_embedded *broker, const char *topic, uint32_t partitions, struct error *err)
{
    rd_kafka_resp_err_t code =
        rd_kafka_mock_topic_create(broker->cluster, topic, (int)partitions, 1);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return ST_OK;
    return error_set(err, ST_FATAL, (int)code, "embedded broker: cannot make topic %s: %s", topic,
        rd_kafka_err2str(code));
}

void kafka_embedded_close(struct kafka_embedded *broker)
{
    if (broker == NULL) return;
    if (broker->cluster != NULL) rd_kafka_mock_cluster_destroy(broker->cluster);
    rd_kafka_destroy(broker->host);
    free(broker);
}
