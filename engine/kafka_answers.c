#include "engine/kafka_answers.h"

#include "engine/base/clock.h"
#include "engine/trouble.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { QUESTIONS_MAX = 32, QUESTION_BYTES = 320 };

/* What nobody asks again is not waited for. */
#define FORGOTTEN_NS (15 * NS_PER_S)

/* A question without an answer. */
struct question {
    char text[QUESTION_BYTES];
    int64_t asked_ns;
};

/*
 * While one of several brokers is away some questions are answered and others are not, so each is
 * remembered until the same one is answered.
 */
static struct {
    pthread_mutex_t lock;
    struct question open[QUESTIONS_MAX];
    size_t count;
} questions = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool means_unreachable(rd_kafka_resp_err_t code)
{
    switch (code) {
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__RESOLVE:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE:
    case RD_KAFKA_RESP_ERR__WAIT_COORD:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
    case RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION:
        return true;
    default:
        return false;
    }
}

/* Take out `text`, and what was not asked again for long. */
static void questions_drop(const char *text, int64_t now_ns)
{
    size_t kept = 0;
    for (size_t i = 0; i < questions.count; i++) {
        const struct question *q = &questions.open[i];
        bool keep = strcmp(q->text, text) != 0 && now_ns - q->asked_ns < FORGOTTEN_NS;
        if (keep) questions.open[kept++] = *q;
    }
    questions.count = kept;
}

void kafka_outcome(
    const struct config *config, rd_kafka_resp_err_t code, const char *doing, const char *what)
{
    char text[QUESTION_BYTES];
    int64_t now_ns = clock_ns();
    bool unanswered = means_unreachable(code);
    snprintf(text, sizeof(text), "%s %s", doing, what);
    pthread_mutex_lock(&questions.lock);
    questions_drop(text, now_ns);
    if (unanswered && questions.count < QUESTIONS_MAX) {
        struct question *q = &questions.open[questions.count++];
        snprintf(q->text, sizeof(q->text), "%s", text);
        q->asked_ns = now_ns;
    }
    bool all_answered = questions.count == 0;
    if (unanswered) {
        trouble_begin(
            TROUBLE_BROKER, config->brokers, "cannot %s: %s", text, rd_kafka_err2str(code));
    } else if (all_answered) {
        trouble_end(TROUBLE_BROKER, config->brokers);
    }
    pthread_mutex_unlock(&questions.lock);
}
