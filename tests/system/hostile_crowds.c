/* Too much of something: of topics in a request, of connections, of answers that nobody reads. */
#include "hostile.h"

#include "base/check.h"
#include "base/mem.h"
#include "wire/api.h"
#include "wire/error.h"

#include <poll.h>
#include <stdio.h>
#include <time.h>

/* Whatever the answer is: it comes, and the honest connection does not wait for it. */
static enum outcome send_giant(struct hostile *h, int16_t key, int16_t version, const void *request)
{
    struct kafka_client *c = hostile_connect(h);
    struct bytes out = {0};
    kafka_set_timeout(c, 20000);
    kafka_frame(c, key, version, request, &out);
    kafka_write(c, bytes_slice(&out), NULL);
    hostile_check_honest(h, wire_api_find(key)->name);
    enum outcome o = hostile_outcome(c);
    kafka_close(c);
    bytes_free(&out);
    return o;
}

static void giant_metadata(struct hostile *h, int32_t n)
{
    struct wire_metadata_request r = wire_metadata_request_default;
    char(*name)[12] = mem_zalloc((size_t)n, sizeof(*name));
    r.topics = mem_zalloc((size_t)n, sizeof(*r.topics));
    r.topics_n = n;
    r.allow_auto_topic_creation = n > 100000; /* try that too */
    for (int32_t i = 0; i < n; i++) {
        int len = snprintf(name[i], sizeof(name[i]), "t%d", (int)i);
        r.topics[i] = wire_metadata_request_topic_default;
        r.topics[i].name = slice_of(name[i], (size_t)len);
    }
    for (int16_t v = 4; v <= 12; v += 8) {
        enum outcome o = send_giant(h, WIRE_METADATA, v, &r);
        expect(h, o != OUTCOME_SILENT, "Metadata %d of %d topics: %s", v, (int)n, outcome_name(o));
    }
    mem_free(r.topics);
    mem_free(name);
}

static void giant_fetch(struct hostile *h, int32_t n)
{
    struct wire_fetch_request_topic t = wire_fetch_request_topic_default;
    struct wire_fetch_request r = wire_fetch_request_default;
    t.topic = slice_str(h->topic);
    t.partitions = mem_zalloc((size_t)n, sizeof(*t.partitions));
    t.partitions_n = n;
    for (int32_t i = 0; i < n; i++) {
        t.partitions[i] = wire_fetch_request_partition_default;
        t.partitions[i].partition_max_bytes = INT32_MAX;
        t.partitions[i].partition = i % 2 ? i : 0;
    }
    r.max_bytes = INT32_MAX;
    r.min_bytes = 1;
    r.topics = &t;
    r.topics_n = 1;
    enum outcome o = send_giant(h, WIRE_FETCH, 12, &r);
    expect(h, o != OUTCOME_SILENT, "Fetch of %d partitions: %s", (int)n, outcome_name(o));
    mem_free(t.partitions);
}

static void giant_list_offsets(struct hostile *h, int32_t n)
{
    struct wire_list_offsets_request_topic t = wire_list_offsets_request_topic_default;
    struct wire_list_offsets_request r = wire_list_offsets_request_default;
    t.name = slice_str(h->topic);
    t.partitions = mem_zalloc((size_t)n, sizeof(*t.partitions));
    t.partitions_n = n;
    for (int32_t i = 0; i < n; i++) {
        t.partitions[i] = wire_list_offsets_request_partition_default;
        t.partitions[i].timestamp = 1700000000000;
    }
    r.topics = &t;
    r.topics_n = 1;
    enum outcome o = send_giant(h, WIRE_LIST_OFFSETS, 7, &r);
    expect(h, o != OUTCOME_SILENT, "ListOffsets of %d partitions: %s", (int)n, outcome_name(o));
    mem_free(t.partitions);
}

static void giant_produce(struct hostile *h, int32_t n)
{
    struct bytes batch = {0};
    struct wire_produce_request_topic t = wire_produce_request_topic_default;
    struct wire_produce_request r = wire_produce_request_default;
    hostile_make_batch(WIRE_CODEC_NONE, 1, &batch);
    t.name = SLICE_LIT("hostile.none");
    t.partition_data = mem_zalloc((size_t)n, sizeof(*t.partition_data));
    t.partition_data_n = n;
    for (int32_t i = 0; i < n; i++) {
        t.partition_data[i].index = i;
        t.partition_data[i].records = i % 1000 ? SLICE_NULL : bytes_slice(&batch);
    }
    r.acks = -1;
    r.topic_data = &t;
    r.topic_data_n = 1;
    enum outcome o = send_giant(h, WIRE_PRODUCE, 9, &r);
    expect(h, o != OUTCOME_SILENT, "Produce of %d partitions: %s", (int)n, outcome_name(o));
    mem_free(t.partition_data);
    bytes_free(&batch);
}

/* A small request whose honest answer would be huge. */
static void giant_describe_configs(struct hostile *h, int32_t n)
{
    struct wire_describe_configs_request r = wire_describe_configs_request_default;
    r.include_synonyms = true;
    r.include_documentation = true;
    r.resources = mem_zalloc((size_t)n, sizeof(*r.resources));
    r.resources_n = n;
    for (int32_t i = 0; i < n; i++) {
        r.resources[i] = wire_describe_configs_request_resource_default;
        r.resources[i].resource_type = 2;
        r.resources[i].resource_name = slice_str(h->topic);
        r.resources[i].configuration_keys_n = -1;
    }
    enum outcome o = send_giant(h, WIRE_DESCRIBE_CONFIGS, 4, &r);
    expect(h, o != OUTCOME_SILENT, "DescribeConfigs of %d resources: %s", (int)n, outcome_name(o));
    mem_free(r.resources);
}

static void giant_create_topics(struct hostile *h, int32_t n)
{
    struct wire_create_topics_request r = wire_create_topics_request_default;
    char(*name)[24] = mem_zalloc((size_t)n, sizeof(*name));
    r.topics = mem_zalloc((size_t)n, sizeof(*r.topics));
    r.topics_n = n;
    r.validate_only = true;
    for (int32_t i = 0; i < n; i++) {
        int len = snprintf(name[i], sizeof(name[i]), "hostile.new.%d", (int)i);
        r.topics[i] = wire_create_topics_request_topic_default;
        r.topics[i].name = slice_of(name[i], (size_t)len);
        r.topics[i].num_partitions = INT32_MAX;
        r.topics[i].replication_factor = 1;
    }
    enum outcome o = send_giant(h, WIRE_CREATE_TOPICS, 7, &r);
    expect(h, o != OUTCOME_SILENT, "CreateTopics of %d topics: %s", (int)n, outcome_name(o));
    mem_free(r.topics);
    mem_free(name);
}

void case_giant_requests(struct hostile *h)
{
    giant_metadata(h, 50000);
    giant_metadata(h, 1000000);
    giant_fetch(h, 200000);
    giant_list_offsets(h, 200000);
    giant_produce(h, 100000);
    giant_create_topics(h, 20000);
    giant_describe_configs(h, 100000);
}

/* Asks for a megabyte two thousand times and reads nothing. */
void case_never_reading(struct hostile *h)
{
    struct bytes batch = {0};
    struct kafka_produced p;
    struct err e = {0};
    struct wire_batch_builder bb;
    uint8_t *value = mem_zalloc(1, 500000);
    wire_batch_builder_init(&bb, WIRE_CODEC_NONE);
    wire_batch_builder_add(&bb, (int64_t)time(NULL) * 1000, SLICE_NULL, slice_of(value, 500000),
                           NULL, 0);
    wire_batch_builder_finish(&bb, &batch, &e);
    int rv = 0;
    for (int i = 0; i < 4 && rv == 0; i++)
        rv = kafka_produce(h->honest, h->topic, 0, -1, bytes_slice(&batch), &p, &e);
    expect(h, rv == 0 && p.error_code == 0, "cannot fill the topic: %s %d", e.msg, p.error_code);
    int64_t first = p.base_offset - 3;

    struct wire_fetch_request_partition fp = wire_fetch_request_partition_default;
    struct wire_fetch_request_topic t = wire_fetch_request_topic_default;
    struct wire_fetch_request r = wire_fetch_request_default;
    fp.fetch_offset = first;
    fp.partition_max_bytes = 2 << 20;
    t.topic = slice_str(h->topic);
    t.partitions = &fp;
    t.partitions_n = 1;
    r.max_bytes = 2 << 20;
    r.topics = &t;
    r.topics_n = 1;
    struct kafka_client *c = hostile_connect(h);
    kafka_set_timeout(c, 1000);
    int sent = 0;
    while (sent < 2000 && kafka_send(c, WIRE_FETCH, 11, &r, &e) == 0)
        sent++;
    poll(NULL, 0, 1000);
    kafka_close(c);
    wire_batch_builder_free(&bb);
    bytes_free(&batch);
    mem_free(value);
}

void case_many_connections(struct hostile *h)
{
    enum { N = 400 };
    struct kafka_client *c[N];
    struct wire_api_versions_request r = wire_api_versions_request_default;
    void *response;
    struct err e = {0};
    for (int i = 0; i < N; i++)
        c[i] = hostile_connect(h);
    for (int i = 0; i < N; i += 40)
        expect(h, kafka_call(c[i], WIRE_API_VERSIONS, 3, &r, &response, &e) == 0,
               "connection %d of %d is not served: %s", i, N, e.msg);
    for (int i = 0; i < N; i++)
        kafka_close(c[i]);
}

/* Ten thousand requests, up to a thousand ahead of their answers: all answered, in order. */
void case_pipelining(struct hostile *h)
{
    enum { N = 10000, AT_ONCE = 500 };
    struct kafka_client *c = hostile_connect(h);
    struct wire_api_versions_request r = wire_api_versions_request_default;
    struct bytes out = {0};
    void *response;
    struct err e = {0};
    int got = 0;
    kafka_set_timeout(c, 10000);
    for (int i = 0; i < N; i += AT_ONCE) {
        bytes_clear(&out);
        for (int k = 0; k < AT_ONCE; k++)
            kafka_frame(c, WIRE_API_VERSIONS, 0, &r, &out);
        if (!expect(h, kafka_write(c, bytes_slice(&out), &e) == 0, "pipelining: %s", e.msg))
            break;
        /* keep a window of two bursts open, so that neither side's buffers decide */
        for (int k = 0; i > 0 && k < AT_ONCE; k++, got++) {
            if (!expect(h, kafka_receive(c, WIRE_API_VERSIONS, 0, &response, &e) == 0,
                        "pipelining, answer %d: %s", got, e.msg))
                break;
        }
    }
    for (; got < N; got++) {
        if (!expect(h, kafka_receive(c, WIRE_API_VERSIONS, 0, &response, &e) == 0,
                    "pipelining, answer %d: %s", got, e.msg))
            break;
    }
    kafka_close(c);
    bytes_free(&out);
}

/* Fifty megabytes of batches before the first answer is read, more than the node keeps before its
 * journal: they wait, none is refused, and they are stored in the order in which they were sent. */
void case_burst(struct hostile *h)
{
    enum { N = 120, VALUE_BYTES = 450000 };
    struct kafka_client *c = hostile_connect(h);
    struct bytes batch = {0};
    struct wire_batch_builder bb;
    struct err e = {0};
    uint8_t *value = mem_zalloc(1, VALUE_BYTES);
    struct wire_produce_request_partition p = wire_produce_request_partition_default;
    struct wire_produce_request_topic t = wire_produce_request_topic_default;
    struct wire_produce_request r = wire_produce_request_default;
    void *response;
    int64_t last = -1;
    int sent = 0;
    wire_batch_builder_init(&bb, WIRE_CODEC_NONE);
    wire_batch_builder_add(&bb, (int64_t)time(NULL) * 1000, SLICE_NULL,
                           slice_of(value, VALUE_BYTES), NULL, 0);
    wire_batch_builder_finish(&bb, &batch, &e);
    p.records = bytes_slice(&batch);
    t.name = slice_str(h->topic);
    t.partition_data = &p;
    t.partition_data_n = 1;
    r.acks = -1;
    r.topic_data = &t;
    r.topic_data_n = 1;
    kafka_set_timeout(c, 20000);
    while (sent < N && kafka_send(c, WIRE_PRODUCE, 7, &r, &e) == 0)
        sent++;
    expect(h, sent == N, "only %d of %d batches could be sent: %s", sent, N, e.msg);
    for (int i = 0; i < sent; i++) {
        if (!expect(h, kafka_receive(c, WIRE_PRODUCE, 7, &response, &e) == 0, "answer %d: %s", i,
                    e.msg))
            break;
        const struct wire_produce_response *out = response;
        const struct wire_produce_response_partition *one = out->responses[0].partition_responses;
        if (!expect(h, one->error_code == 0 && one->base_offset > last,
                    "batch %d: %s, offset %lld after %lld", i, wire_error_name(one->error_code),
                    (long long)one->base_offset, (long long)last))
            break;
        last = one->base_offset;
    }
    kafka_close(c);
    wire_batch_builder_free(&bb);
    bytes_free(&batch);
    mem_free(value);
}
