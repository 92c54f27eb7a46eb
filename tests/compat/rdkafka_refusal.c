/* rdkafka_refusal HOST:PORT TOPIC KEY TRACE VALUES SIGNATURES (see tests/system/refusal.sh): what
 * an application with librdkafka sees of a refused batch. From 2.4 on the bad records carry error
 * 87 and the others say that they were refused for another's sake (KIP-467); before, all carry
 * error 87. No version tries again. The broker's words are not compared: 2.15.1 hands out a pointer
 * into a response that is freed already (rd_kafka_message_produce_errstr); the test `refusal` reads
 * them off the wire. */
#include "../system/signed_lines.h"

#include <librdkafka/rdkafka.h>

#include <stdarg.h>

enum { FIRST_ROUND = 10 }; /* the rounds before are used up by the other program */

static int seen, bad_rule, bad_json, innocent;

static void __attribute__((format(printf, 1, 2), noreturn)) fail(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fputs("FAIL ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    exit(1);
}

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
    int index = (int)(intptr_t)m->_private % ROUND;
    int tells = rd_kafka_version() >= 0x02040000;
    (void)rk;
    (void)opaque;
    seen++;
    if (index == BAD_RULE || index == BAD_JSON) {
        if (m->err != RD_KAFKA_RESP_ERR_INVALID_RECORD)
            fail("record %d: %s", index, rd_kafka_err2name(m->err));
        *(index == BAD_RULE ? &bad_rule : &bad_json) += 1;
    } else if (tells && strcmp(rd_kafka_err2name(m->err), "_INVALID_DIFFERENT_RECORD") != 0) {
        fail("record %d of a refused batch: %s", index, rd_kafka_err2name(m->err));
    } else if (!tells && m->err != RD_KAFKA_RESP_ERR_INVALID_RECORD) {
        fail("record %d of a refused batch: %s", index, rd_kafka_err2name(m->err));
    } else {
        innocent++;
    }
}

static rd_kafka_t *producer(const char *broker)
{
    static const char *const setting[][2] = {
        {"linger.ms", "300"}, /* one batch for the whole round */
        {"message.timeout.ms", "10000"},
        {"enable.idempotence", "true"},
    };
    char text[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    int bad = rd_kafka_conf_set(conf, "bootstrap.servers", broker, text, sizeof(text));
    for (size_t i = 0; i < sizeof(setting) / sizeof(setting[0]) && bad == 0; i++)
        bad = rd_kafka_conf_set(conf, setting[i][0], setting[i][1], text, sizeof(text));
    rd_kafka_t *rk = bad == 0 ? rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text)) : NULL;
    if (!rk)
        fail("%s", text);
    return rk;
}

int main(int argc, char **argv)
{
    struct signed_lines l;
    if (argc != 7) {
        fputs("usage: rdkafka_refusal HOST:PORT TOPIC KEY TRACE VALUES SIGNATURES\n", stderr);
        return 2;
    }
    signed_lines_read(&l, argv[5], argv[6]);
    rd_kafka_t *rk = producer(argv[1]);
    for (int i = FIRST_ROUND * ROUND; i < FIRST_ROUND * ROUND + ROUND; i++) {
        rd_kafka_resp_err_t e = rd_kafka_producev(
            rk, RD_KAFKA_V_TOPIC(argv[2]), RD_KAFKA_V_PARTITION(0),
            RD_KAFKA_V_KEY(argv[3], strlen(argv[3])),
            RD_KAFKA_V_VALUE(l.value[i], strlen(l.value[i])),
            RD_KAFKA_V_HEADER("traceparent", argv[4], (ssize_t)strlen(argv[4])),
            RD_KAFKA_V_HEADER("x-jws-signature", l.signature[i], (ssize_t)strlen(l.signature[i])),
            RD_KAFKA_V_OPAQUE((void *)(intptr_t)i), RD_KAFKA_V_END);
        if (e)
            fail("produce: %s", rd_kafka_err2str(e));
    }
    if (rd_kafka_flush(rk, 20000) || seen != ROUND)
        fail("%d of %d records were answered", seen, ROUND);
    if (bad_rule != 1 || bad_json != 1 || innocent != 3)
        fail("%d, %d and %d records of each kind", bad_rule, bad_json, innocent);
    rd_kafka_destroy(rk);
    signed_lines_free(&l);
    printf("librdkafka %s: refusals as they should be\n", rd_kafka_version_str());
    return 0;
}
