/* record_errors BOOTSTRAP TOPIC: what librdkafka shows an application of a refusal. A batch of five
 * orders, two of which break the contract ("total": minimum 0, number). Needs librdkafka 2.4 or
 * later at run time (KIP-467); with an older one it says so and ends with 77. */
#include <librdkafka/rdkafka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Since librdkafka 2.4; Debian's header is older, so the symbol is asked for at run time. */
extern const char *rd_kafka_message_produce_errstr(const rd_kafka_message_t *m)
    __attribute__((weak));

enum { RECORDS = 5, INVALID_DIFFERENT_RECORD = -138, WAIT_MS = 20000 };

struct report {
    int code;
    char text[512];
};

static int passed, failed;

static void check(int ok, const char *what)
{
    printf("%s %s\n", ok ? "ok    " : "FAILED", what);
    if (ok)
        passed++;
    else
        failed++;
}

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *m, void *arg)
{
    (void)rk;
    (void)arg;
    struct report *r = m->_private;
    r->code = m->err;
    snprintf(r->text, sizeof r->text, "%s", m->err ? rd_kafka_message_produce_errstr(m) : "stored");
}

static void send_orders(const char *bootstrap, const char *topic, const char *const *total,
                        struct report *report)
{
    char err[512] = "";
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", bootstrap, err, sizeof err);
    rd_kafka_conf_set(conf, "linger.ms", "500", err, sizeof err);
    rd_kafka_conf_set(conf, "enable.idempotence", "true", err, sizeof err);
    rd_kafka_conf_set(conf, "message.timeout.ms", "15000", err, sizeof err);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, err, sizeof err);
    if (!rk) {
        fprintf(stderr, "%s\n", err);
        exit(1);
    }
    for (int i = 0; i < RECORDS; i++) {
        char value[64];
        snprintf(value, sizeof value, "{\"total\":%s}", total[i]);
        snprintf(report[i].text, sizeof report[i].text, "no report");
        report[i].code = -1;
        rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(0),
                          RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                          RD_KAFKA_V_VALUE(value, strlen(value)), RD_KAFKA_V_OPAQUE(&report[i]),
                          RD_KAFKA_V_END);
    }
    rd_kafka_flush(rk, WAIT_MS);
    rd_kafka_destroy(rk);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: record_errors BOOTSTRAP TOPIC\n");
        return 2;
    }
    printf("librdkafka %s\n", rd_kafka_version_str());
    if (!rd_kafka_message_produce_errstr) {
        printf("too old to show record_errors\n");
        return 77;
    }
    static const char *const bad[RECORDS] = {"1", "2", "-3", "\"4\"", "5"};
    static const char *const good[RECORDS] = {"1", "2", "3", "4", "5"};
    struct report r[RECORDS];
    send_orders(argv[1], argv[2], bad, r);
    for (int i = 0; i < RECORDS; i++)
        printf("  record %d: %d %s\n", i, r[i].code, r[i].text);
    check(strstr(r[2].text, "payload.invalid at /total: must be >= 0") != NULL,
          "a culprit carries code, place and reason");
    check(strstr(r[2].text, "contract shop.orders v1") != NULL, "and the contract");
    check(strstr(r[3].text, "payload.invalid at /total: must be number") != NULL,
          "so does the other");
    check(r[2].code == RD_KAFKA_RESP_ERR_INVALID_RECORD && r[3].code == r[2].code,
          "both have Kafka's code 87");
    check(r[0].code == INVALID_DIFFERENT_RECORD && r[1].code == r[0].code && r[4].code == r[0].code,
          "the others fail for another's fault");
    send_orders(argv[1], argv[2], good, r);
    int stored = 0;
    for (int i = 0; i < RECORDS; i++)
        stored += r[i].code == 0;
    check(stored == RECORDS, "the corrected batch is accepted");
    printf("%d passed, %d failed\n", passed, failed);
    return failed ? 1 : 0;
}
