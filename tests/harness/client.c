#include "harness/client.h"

#include "base/check.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

void client_create_topic(struct world *w, uint64_t conn, const char *topic, int32_t partitions)
{
    struct wire_create_topics_request req = wire_create_topics_request_default;
    struct wire_create_topics_request_topic t = wire_create_topics_request_topic_default;
    t.name = slice_str(topic);
    t.num_partitions = partitions;
    t.replication_factor = 1;
    req.topics = &t;
    req.topics_n = 1;
    struct wire_create_topics_response *r = world_call(w, conn, WIRE_CREATE_TOPICS, 7, &req);
    assert_non_null(r);
    if (r->topics[0].error_code)
        fail_msg("create %s: %d %.*s", topic, r->topics[0].error_code,
                 SLICE_FMT(r->topics[0].error_message));
}

/* ---- produce ---- */

void client_batch(struct world *w, struct client_producer *p, const struct client_record *record,
                  size_t n, struct bytes *out)
{
    struct wire_batch_builder bb;
    struct err err = {0};
    wire_batch_builder_init(&bb, p->codec);
    bb.producer_id = p->id;
    bb.producer_epoch = p->epoch;
    bb.base_sequence = p->sequence;
    for (size_t i = 0; i < n; i++)
        wire_batch_builder_add(&bb,
                               record[i].timestamp_ms ? record[i].timestamp_ms : world_now_ms(w),
                               record[i].key ? slice_str(record[i].key) : SLICE_NULL,
                               record[i].value, record[i].header, record[i].headers_n);
    if (wire_batch_builder_finish(&bb, out, &err))
        fail_msg("batch: %s", err.msg);
    wire_batch_builder_free(&bb);
    if (p->id >= 0)
        p->sequence += (int32_t)n;
}

void client_send_batch(struct world *w, uint64_t conn, const char *topic, int32_t partition,
                       struct slice batch, int16_t acks, int16_t version)
{
    struct wire_produce_request req = wire_produce_request_default;
    struct wire_produce_request_topic t = wire_produce_request_topic_default;
    struct wire_produce_request_partition p = wire_produce_request_partition_default;
    p.index = partition;
    p.records = batch;
    t.name = slice_str(topic);
    t.partition_data = &p;
    t.partition_data_n = 1;
    req.acks = acks;
    req.timeout_ms = 30000;
    req.topic_data = &t;
    req.topic_data_n = 1;
    world_send(w, conn, WIRE_PRODUCE, version, &req);
}

struct client_outcome client_outcome(const struct wire_produce_response *r)
{
    struct client_outcome o = {0};
    if (!r) {
        o.closed = true;
        return o;
    }
    assert_int_equal(r->responses_n, 1);
    assert_int_equal(r->responses[0].partition_responses_n, 1);
    const struct wire_produce_response_partition *p = &r->responses[0].partition_responses[0];
    o.error = p->error_code;
    o.base_offset = p->base_offset;
    o.log_start_offset = p->log_start_offset;
    o.record_errors_n = p->record_errors_n;
    snprintf(o.message, sizeof o.message, "%.*s", SLICE_FMT(p->error_message));
    for (int32_t i = 0; i < p->record_errors_n && i < 128; i++) {
        o.record_error_index[i] = p->record_errors[i].batch_index;
        if (i < 16)
            snprintf(o.record_error[i], sizeof o.record_error[i], "%.*s",
                     SLICE_FMT(p->record_errors[i].batch_index_error_message));
    }
    return o;
}

struct client_outcome client_produce_batch(struct world *w, uint64_t conn, const char *topic,
                                           int32_t partition, struct slice batch)
{
    client_send_batch(w, conn, topic, partition, batch, -1, 9);
    return client_outcome(world_receive(w, conn));
}

struct client_outcome client_produce(struct world *w, uint64_t conn, const char *topic,
                                     int32_t partition, struct client_producer *p,
                                     const struct client_record *record, size_t n)
{
    struct bytes batch = {0};
    client_batch(w, p, record, n, &batch);
    struct client_outcome o = client_produce_batch(w, conn, topic, partition, bytes_slice(&batch));
    bytes_free(&batch);
    return o;
}

struct client_outcome client_produce_text(struct world *w, uint64_t conn, const char *topic,
                                          int32_t partition, const char *value)
{
    struct client_producer none = CLIENT_PRODUCER_NONE;
    struct client_record r = {.value = slice_str(value)};
    return client_produce(w, conn, topic, partition, &none, &r, 1);
}

struct client_producer client_init_producer(struct world *w, uint64_t conn)
{
    struct wire_init_producer_id_request req = wire_init_producer_id_request_default;
    req.transactional_id = SLICE_NULL;
    struct wire_init_producer_id_response *r = world_call(w, conn, WIRE_INIT_PRODUCER_ID, 4, &req);
    assert_non_null(r);
    assert_int_equal(r->error_code, 0);
    return (struct client_producer){.id = r->producer_id, .epoch = r->producer_epoch};
}

/* ---- fetch ---- */

struct wire_fetch_response *client_fetch(struct world *w, uint64_t conn, const char *topic,
                                         int32_t partition, const struct client_fetch *f)
{
    struct wire_fetch_request req = wire_fetch_request_default;
    struct wire_fetch_request_topic t = wire_fetch_request_topic_default;
    struct wire_fetch_request_partition p = wire_fetch_request_partition_default;
    p.partition = partition;
    p.fetch_offset = f->offset;
    p.current_leader_epoch = f->leader_epoch;
    p.partition_max_bytes = f->partition_max_bytes ? f->partition_max_bytes : 1 << 20;
    t.topic = slice_str(topic);
    t.partitions = &p;
    t.partitions_n = 1;
    req.max_wait_ms = f->max_wait_ms ? f->max_wait_ms : 500;
    req.min_bytes = f->min_bytes ? f->min_bytes : 1;
    req.max_bytes = f->max_bytes ? f->max_bytes : 50 << 20;
    req.topics = &t;
    req.topics_n = 1;
    return world_call(w, conn, WIRE_FETCH, 12, &req);
}

/* The records of a Fetch answer from `from` on. */
static size_t client_unpack(struct world *w, struct slice records, int64_t from,
                            struct client_fetched *out, size_t max)
{
    size_t n = 0;
    while (records.n > 0) {
        struct wire_batch batch;
        struct err err = {0};
        struct bytes scratch = {0};
        struct slice plain;
        if (wire_batch_parse(records, &batch, &err))
            fail_msg("served batch: %s", err.msg);
        assert_true(wire_batch_crc_ok(&batch));
        if (wire_batch_records(&batch, 64 << 20, NULL, &scratch, &plain, &err))
            fail_msg("served records: %s", err.msg);
        plain = arena_copy(world_arena(w), plain);
        struct wire_record_iter it;
        struct wire_record rec;
        wire_record_iter_init(&it, plain, &batch, true);
        int more;
        while ((more = wire_record_next(&it, &rec, &err)) == 1) {
            int64_t offset = batch.base_offset + rec.offset_delta;
            if (offset < from || n == max)
                continue;
            out[n++] =
                (struct client_fetched){.offset = offset, .key = rec.key, .value = rec.value};
        }
        assert_int_equal(more, 0);
        bytes_free(&scratch);
        records.p += batch.bytes.n;
        records.n -= batch.bytes.n;
    }
    return n;
}

size_t client_read_all(struct world *w, uint64_t conn, const char *topic, int32_t partition,
                       int64_t offset, struct client_fetched *out, size_t max)
{
    size_t n = 0;
    for (;;) {
        struct client_fetch f = {.offset = offset, .max_wait_ms = 1, .leader_epoch = -1};
        struct wire_fetch_response *r = client_fetch(w, conn, topic, partition, &f);
        assert_non_null(r);
        assert_int_equal(r->error_code, 0);
        const struct wire_fetch_response_partition *p = &r->responses[0].partitions[0];
        if (p->error_code)
            fail_msg("fetch at %lld: error %d", (long long)offset, p->error_code);
        if (p->records.n == 0) {
            assert_int_equal(offset, p->high_watermark);
            return n;
        }
        size_t got = client_unpack(w, p->records, offset, out + n, max - n);
        assert_true(got > 0);
        for (size_t i = 0; i < got; i++)
            assert_int_equal(out[n + i].offset, offset + (int64_t)i); /* dense */
        n += got;
        offset += (int64_t)got;
    }
}

int64_t client_list_offset(struct world *w, uint64_t conn, const char *topic, int32_t partition,
                           int64_t timestamp)
{
    struct wire_list_offsets_request req = wire_list_offsets_request_default;
    struct wire_list_offsets_request_topic t = wire_list_offsets_request_topic_default;
    struct wire_list_offsets_request_partition p = wire_list_offsets_request_partition_default;
    p.partition_index = partition;
    p.timestamp = timestamp;
    t.name = slice_str(topic);
    t.partitions = &p;
    t.partitions_n = 1;
    req.topics = &t;
    req.topics_n = 1;
    struct wire_list_offsets_response *r = world_call(w, conn, WIRE_LIST_OFFSETS, 7, &req);
    assert_non_null(r);
    assert_int_equal(r->topics[0].partitions[0].error_code, 0);
    return r->topics[0].partitions[0].offset;
}

/* ---- signatures ---- */

void client_key(uint64_t number, uint8_t public_key[32], uint8_t secret_key[64])
{
    uint8_t seed[32] = {0};
    ASSERT(sodium_init() >= 0);
    memcpy(seed, &number, sizeof number);
    crypto_sign_seed_keypair(public_key, secret_key, seed);
}

void client_sign(struct world *w, const char *topic, const char *kid, const uint8_t secret_key[64],
                 struct client_record *record, struct wire_record_header *header)
{
    uint8_t jti[SIGN_JTI_BYTES];
    struct bytes out = {0};
    struct err err = {0};
    for (size_t i = 0; i < sizeof jti; i++)
        jti[i] = (uint8_t)world_random(w, 256);
    struct sign_record r = {
        .topic = slice_str(topic),
        .key = record->key ? slice_str(record->key) : SLICE_NULL,
        .value = record->value,
    };
    if (sign_make(&r, slice_str(kid), secret_key, world_now_ms(w), jti, NULL, 0, &out, &err))
        fail_msg("sign: %s", err.msg);
    header[0].key = SLICE_LIT(SIGN_HEADER_NAME);
    header[0].value = arena_copy(world_arena(w), bytes_slice(&out));
    record->header = header;
    record->headers_n = 1;
    bytes_free(&out);
}
