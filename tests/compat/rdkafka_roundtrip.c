/* rdkafka_roundtrip HOST:PORT: librdkafka against a node with governance off: topics by its admin
 * API, records with each codec and with idempotence, everything read back and compared, offsets by
 * time, records deleted. No consumer groups: partitions are assigned. */
#include <librdkafka/rdkafka.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { RECORDS = 2000, PARTITIONS = 3 };

static const char *broker;
static int64_t start_ms; /* an hour ago: young enough for any retention */

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

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char text[512];
    if (rd_kafka_conf_set(conf, name, value, text, sizeof(text)) != RD_KAFKA_CONF_OK)
        fail("%s", text);
}

struct delivered {
    int count;
    int64_t highest[PARTITIONS];
};

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
    struct delivered *d = opaque;
    (void)rk;
    if (m->err)
        fail("a record is refused: %s", rd_kafka_err2str(m->err));
    if (m->offset > d->highest[m->partition])
        d->highest[m->partition] = m->offset;
    d->count++;
}

static rd_kafka_t *client(rd_kafka_type_t type, const char *codec, const char *idempotence,
                          struct delivered *d)
{
    char text[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", broker);
    set(conf, "socket.timeout.ms", "10000");
    if (type == RD_KAFKA_PRODUCER) {
        set(conf, "compression.codec", codec);
        set(conf, "enable.idempotence", idempotence);
        set(conf, "linger.ms", "5");
        set(conf, "batch.num.messages", "300");
        rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
        rd_kafka_conf_set_opaque(conf, d);
    } else {
        set(conf, "group.id", "none"); /* wanted by the library, never used */
        set(conf, "enable.auto.commit", "false");
        set(conf, "auto.offset.reset", "error");
        set(conf, "enable.partition.eof", "true");
        set(conf, "check.crcs", "true");
    }
    rd_kafka_t *rk = rd_kafka_new(type, conf, text, sizeof(text));
    if (!rk)
        fail("%s", text);
    return rk;
}

static void admin_event(rd_kafka_t *rk, rd_kafka_queue_t *q, const char *what)
{
    rd_kafka_event_t *e = rd_kafka_queue_poll(q, 15000);
    if (!e)
        fail("%s: no answer", what);
    if (rd_kafka_event_error(e))
        fail("%s: %s", what, rd_kafka_event_error_string(e));
    if (rd_kafka_event_type(e) == RD_KAFKA_EVENT_CREATETOPICS_RESULT) {
        size_t n;
        const rd_kafka_topic_result_t **r =
            rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(e), &n);
        if (n != 1 || rd_kafka_topic_result_error(r[0]))
            fail("%s: %s", what, n ? rd_kafka_topic_result_error_string(r[0]) : "no topic");
    }
    rd_kafka_event_destroy(e);
    (void)rk;
}

static void create_topic(const char *topic)
{
    char text[512];
    rd_kafka_t *rk = client(RD_KAFKA_PRODUCER, "none", "false", NULL);
    rd_kafka_queue_t *q = rd_kafka_queue_new(rk);
    rd_kafka_NewTopic_t *t = rd_kafka_NewTopic_new(topic, PARTITIONS, 1, text, sizeof(text));
    rd_kafka_CreateTopics(rk, &t, 1, NULL, q);
    admin_event(rk, q, "CreateTopics");
    rd_kafka_NewTopic_destroy(t);
    rd_kafka_queue_destroy(q);
    rd_kafka_destroy(rk);
}

static int make_value(int i, char *out, size_t cap)
{
    int n = snprintf(out, cap, "record %d ", i);
    for (int k = 0; k < i % 30 && (size_t)n + 20 < cap; k++)
        n += snprintf(out + n, cap - (size_t)n, "and more %d ", k % 3);
    return n;
}

static void write_all(const char *topic, const char *codec, const char *idempotence)
{
    struct delivered d = {.highest = {-1, -1, -1}};
    rd_kafka_t *rk = client(RD_KAFKA_PRODUCER, codec, idempotence, &d);
    for (int i = 0; i < RECORDS; i++) {
        char key[32], value[1024];
        int kn = snprintf(key, sizeof(key), "%d", i);
        int vn = make_value(i, value, sizeof(value));
        rd_kafka_resp_err_t e = rd_kafka_producev(
            rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(i % PARTITIONS),
            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(key, (size_t)kn),
            RD_KAFKA_V_VALUE(value, (size_t)vn), RD_KAFKA_V_HEADER("i", key, kn),
            RD_KAFKA_V_TIMESTAMP(start_ms + i), RD_KAFKA_V_END);
        if (e)
            fail("produce: %s", rd_kafka_err2str(e));
        rd_kafka_poll(rk, 0);
    }
    if (rd_kafka_flush(rk, 30000) || d.count != RECORDS)
        fail("%s: only %d of %d records were acknowledged", codec, d.count, RECORDS);
    for (int p = 0; p < PARTITIONS; p++) {
        if (d.highest[p] != (RECORDS - p + PARTITIONS - 1) / PARTITIONS - 1)
            fail("%s: partition %d ends at %lld", codec, p, (long long)d.highest[p]);
    }
    rd_kafka_destroy(rk);
}

static void check_message(const rd_kafka_message_t *m, const char *codec)
{
    char value[1024], key[32];
    int i = (int)m->offset * PARTITIONS + m->partition;
    int n = make_value(i, value, sizeof(value));
    int kn = snprintf(key, sizeof(key), "%d", i);
    rd_kafka_headers_t *headers;
    const void *header;
    size_t header_n;
    rd_kafka_timestamp_type_t type;
    if (m->len != (size_t)n || memcmp(m->payload, value, m->len) != 0)
        fail("%s: value of record %d differs", codec, i);
    if (m->key_len != (size_t)kn || memcmp(m->key, key, m->key_len) != 0)
        fail("%s: key of record %d differs", codec, i);
    if (rd_kafka_message_headers(m, &headers) ||
        rd_kafka_header_get_last(headers, "i", &header, &header_n) || header_n != (size_t)kn ||
        memcmp(header, key, header_n) != 0)
        fail("%s: header of record %d differs", codec, i);
    if (rd_kafka_message_timestamp(m, &type) != start_ms + i)
        fail("%s: time of record %d differs", codec, i);
}

static void read_all(const char *topic, const char *codec)
{
    rd_kafka_t *rk = client(RD_KAFKA_CONSUMER, NULL, NULL, NULL);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(PARTITIONS);
    for (int p = 0; p < PARTITIONS; p++)
        rd_kafka_topic_partition_list_add(list, topic, p)->offset = 0;
    rd_kafka_assign(rk, list);
    int got = 0, ends = 0;
    int64_t next[PARTITIONS] = {0};
    while (ends < PARTITIONS) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(rk, 15000);
        if (!m)
            fail("%s: %d of %d records came, then nothing", codec, got, RECORDS);
        if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            ends++;
        } else if (m->err) {
            fail("%s: %s", codec, rd_kafka_message_errstr(m));
        } else {
            if (m->offset != next[m->partition]++)
                fail("%s: offset %lld out of order", codec, (long long)m->offset);
            check_message(m, codec);
            got++;
        }
        rd_kafka_message_destroy(m);
    }
    if (got != RECORDS)
        fail("%s: %d records of %d", codec, got, RECORDS);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_consumer_close(rk);
    rd_kafka_destroy(rk);
}

static void offsets(const char *topic)
{
    rd_kafka_t *rk = client(RD_KAFKA_CONSUMER, NULL, NULL, NULL);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    int64_t low, high;
    if (rd_kafka_query_watermark_offsets(rk, topic, 0, &low, &high, 10000) || low != 0 ||
        high != (RECORDS + PARTITIONS - 1) / PARTITIONS)
        fail("watermarks %lld %lld", (long long)low, (long long)high);
    for (int i = 0; i < RECORDS; i += 333) { /* multiples of 3: all in partition 0 */
        list->cnt = 0;
        rd_kafka_topic_partition_list_add(list, topic, 0)->offset = start_ms + i;
        if (rd_kafka_offsets_for_times(rk, list, 10000) || list->elems[0].offset != i / PARTITIONS)
            fail("the offset of time %d is %lld", i, (long long)list->elems[0].offset);
    }
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(rk);
}

static void delete_records(const char *topic)
{
    rd_kafka_t *rk = client(RD_KAFKA_PRODUCER, "none", "false", NULL);
    rd_kafka_queue_t *q = rd_kafka_queue_new(rk);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, 0)->offset = 100;
    rd_kafka_DeleteRecords_t *d = rd_kafka_DeleteRecords_new(list);
    rd_kafka_DeleteRecords(rk, &d, 1, NULL, q);
    admin_event(rk, q, "DeleteRecords");
    int64_t low, high;
    if (rd_kafka_query_watermark_offsets(rk, topic, 0, &low, &high, 10000) || low != 100)
        fail("the log starts at %lld after DeleteRecords", (long long)low);
    rd_kafka_DeleteRecords_destroy(d);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_queue_destroy(q);
    rd_kafka_destroy(rk);
}

int main(int argc, char **argv)
{
    static const char *const codecs[] = {"none", "gzip", "snappy", "lz4", "zstd", "none"};
    char topic[64];
    if (argc != 2) {
        fputs("usage: rdkafka_roundtrip HOST:PORT\n", stderr);
        return 2;
    }
    broker = argv[1];
    start_ms = ((int64_t)time(NULL) - 3600) * 1000;
    for (size_t i = 0; i < sizeof(codecs) / sizeof(codecs[0]); i++) {
        const char *idempotence = i == 5 ? "true" : "false";
        snprintf(topic, sizeof(topic), "rdkafka-%zu-%lld", i, (long long)time(NULL));
        create_topic(topic);
        write_all(topic, codecs[i], idempotence);
        read_all(topic, codecs[i]);
    }
    offsets(topic);
    delete_records(topic);
    printf("librdkafka %s: all as it should be\n", rd_kafka_version_str());
    return 0;
}
