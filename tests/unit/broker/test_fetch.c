/* Fetch: long polling, sizes, errors, and the order of answers on one connection. */
#include "harness/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct world *open_world(uint64_t seed)
{
    struct world *w = world_new(&(struct world_options){.seed = seed, .governance_off = true});
    uint64_t c = world_connect(w);
    client_create_topic(w, c, "t", 3);
    return w;
}

static const struct wire_fetch_response_partition *only(const struct wire_fetch_response *r)
{
    assert_non_null(r);
    assert_int_equal(r->error_code, 0);
    assert_int_equal(r->responses_n, 1);
    assert_int_equal(r->responses[0].partitions_n, 1);
    return &r->responses[0].partitions[0];
}

static void send_fetch(struct world *w, uint64_t conn, int64_t offset, int32_t wait_ms,
                       int32_t min_bytes)
{
    struct wire_fetch_request req = wire_fetch_request_default;
    struct wire_fetch_request_topic t = wire_fetch_request_topic_default;
    struct wire_fetch_request_partition p[3];
    for (int i = 0; i < 3; i++) {
        p[i] = wire_fetch_request_partition_default;
        p[i].partition = i;
        p[i].fetch_offset = i == 0 ? offset : 0;
        p[i].partition_max_bytes = 1 << 20;
    }
    t.topic = SLICE_LIT("t");
    t.partitions = p;
    t.partitions_n = 3;
    req.max_wait_ms = wait_ms;
    req.min_bytes = min_bytes;
    req.topics = &t;
    req.topics_n = 1;
    world_send(w, conn, WIRE_FETCH, 11, &req);
}

static void test_waits_for_the_first_record(void **state)
{
    (void)state;
    struct world *w = open_world(1);
    uint64_t reader = world_connect(w), writer = world_connect(w);
    send_fetch(w, reader, 0, 10000, 1);
    world_run_ms(w, 2000);
    assert_int_equal(world_answers_waiting(w, reader), 0);
    assert_int_equal(client_produce_text(w, writer, "t", 1, "x").error, 0);
    int64_t before = world_now_ms(w);
    struct wire_fetch_response *r = world_receive(w, reader);
    assert_true(world_now_ms(w) - before < 100);
    assert_int_equal(r->responses[0].partitions_n, 3);
    assert_int_equal(r->responses[0].partitions[0].records.n, 0);
    assert_true(r->responses[0].partitions[1].records.n > 0);
    assert_int_equal(r->responses[0].partitions[1].high_watermark, 1);
    world_free(w);
}

static void test_gives_up_at_max_wait(void **state)
{
    (void)state;
    struct world *w = open_world(2);
    uint64_t reader = world_connect(w);
    int64_t before = world_now_ms(w);
    send_fetch(w, reader, 0, 750, 1);
    struct wire_fetch_response *r = world_receive(w, reader);
    assert_int_equal(r->responses[0].partitions[0].records.n, 0);
    assert_in_range(world_now_ms(w) - before, 750, 770);
    world_free(w);
}

static void test_waits_for_min_bytes(void **state)
{
    (void)state;
    struct world *w = open_world(3);
    uint64_t reader = world_connect(w), writer = world_connect(w);
    send_fetch(w, reader, 0, 60000, 1000);
    for (int i = 0; i < 9; i++) { /* batches of some 75 bytes on two partitions */
        client_produce_text(w, writer, "t", i % 2, "1234567");
        world_run_ms(w, 50);
        assert_int_equal(world_answers_waiting(w, reader), 0);
    }
    for (int i = 0; i < 8; i++)
        client_produce_text(w, writer, "t", 0, "1234567");
    struct wire_fetch_response *r = world_receive(w, reader);
    size_t n = 0;
    for (int i = 0; i < 3; i++)
        n += r->responses[0].partitions[i].records.n;
    assert_true(n >= 1000);
    world_free(w);
}

static void test_first_batch_is_returned_whatever_its_size(void **state)
{
    (void)state;
    struct world *w = open_world(4);
    uint64_t c = world_connect(w);
    char big[5000];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = 0;
    for (int i = 0; i < 3; i++)
        assert_int_equal(client_produce_text(w, c, "t", 0, big).error, 0);
    struct client_fetch f = {.offset = 1, .partition_max_bytes = 100, .leader_epoch = -1};
    const struct wire_fetch_response_partition *p = only(client_fetch(w, c, "t", 0, &f));
    struct wire_batch b;
    assert_int_equal(wire_batch_parse(p->records, &b, NULL), 0);
    assert_int_equal(b.bytes.n, p->records.n); /* exactly one batch */
    assert_int_equal(b.base_offset, 1);
    /* Whole batches only: two fit, the third does not. */
    f = (struct client_fetch){.partition_max_bytes = 12000, .leader_epoch = -1};
    p = only(client_fetch(w, c, "t", 0, &f));
    assert_in_range(p->records.n, 10000, 12000);
    world_free(w);
}

static void test_max_bytes_bounds_the_whole_answer(void **state)
{
    (void)state;
    struct world *w = open_world(5);
    uint64_t c = world_connect(w);
    char big[2000];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = 0;
    for (int i = 0; i < 6; i++)
        assert_int_equal(client_produce_text(w, c, "t", i % 3, big).error, 0);
    struct wire_fetch_request req = wire_fetch_request_default;
    struct wire_fetch_request_topic t = wire_fetch_request_topic_default;
    struct wire_fetch_request_partition p[3];
    for (int i = 0; i < 3; i++) {
        p[i] = wire_fetch_request_partition_default;
        p[i].partition = i;
        p[i].partition_max_bytes = 1 << 20;
    }
    t.topic = SLICE_LIT("t");
    t.partitions = p;
    t.partitions_n = 3;
    req.min_bytes = 1;
    req.max_bytes = 5000; /* two batches of 2 KB; the third partition must wait its turn */
    req.topics = &t;
    req.topics_n = 1;
    struct wire_fetch_response *r = world_call(w, c, WIRE_FETCH, 4, &req);
    size_t n = 0;
    for (int i = 0; i < 3; i++)
        n += r->responses[0].partitions[i].records.n;
    assert_in_range(n, 4000, 5000);
    req.max_bytes = 1;
    r = world_call(w, c, WIRE_FETCH, 4, &req);
    assert_true(r->responses[0].partitions[0].records.n > 2000);
    assert_int_equal(r->responses[0].partitions[1].records.n, 0);
    world_free(w);
}

static void test_errors(void **state)
{
    (void)state;
    struct world *w = open_world(6);
    uint64_t c = world_connect(w);
    client_produce_text(w, c, "t", 0, "x");
    struct client_fetch f = {.offset = 2, .leader_epoch = -1, .max_wait_ms = 30000};
    int64_t before = world_now_ms(w);
    assert_int_equal(only(client_fetch(w, c, "t", 0, &f))->error_code, WIRE_E_OFFSET_OUT_OF_RANGE);
    f.offset = -1;
    assert_int_equal(only(client_fetch(w, c, "t", 0, &f))->error_code, WIRE_E_OFFSET_OUT_OF_RANGE);
    f.offset = 0;
    assert_int_equal(only(client_fetch(w, c, "t", 3, &f))->error_code,
                     WIRE_E_UNKNOWN_TOPIC_OR_PARTITION);
    assert_int_equal(only(client_fetch(w, c, "nope", 0, &f))->error_code,
                     WIRE_E_UNKNOWN_TOPIC_OR_PARTITION);
    f.leader_epoch = 7;
    assert_int_equal(only(client_fetch(w, c, "t", 0, &f))->error_code, WIRE_E_UNKNOWN_LEADER_EPOCH);
    assert_true(world_now_ms(w) - before < 1000); /* an error never waits */
    /* A session that we never gave. */
    struct wire_fetch_request req = wire_fetch_request_default;
    req.session_id = 5;
    req.session_epoch = 3;
    struct wire_fetch_response *r = world_call(w, c, WIRE_FETCH, 12, &req);
    assert_int_equal(r->error_code, WIRE_E_FETCH_SESSION_ID_NOT_FOUND);
    world_free(w);
}

/* Answers keep the order of the requests, whatever each of them waits for: the harness asserts the
 * correlation id of every answer. */
static void test_pipelined_answers_keep_their_order(void **state)
{
    (void)state;
    struct world *w = open_world(7);
    uint64_t c = world_connect(w);
    struct client_producer none = CLIENT_PRODUCER_NONE;
    struct wire_metadata_request meta = wire_metadata_request_default;
    meta.topics_n = -1;
    for (int i = 0; i < 40; i++) {
        struct bytes batch = {0};
        struct client_record r = {.value = SLICE_LIT("v")};
        client_batch(w, &none, &r, 1, &batch);
        client_send_batch(w, c, "t", i % 3, bytes_slice(&batch), i % 2 ? -1 : 1,
                          (int16_t)(3 + i % 8));
        bytes_free(&batch);
        if (i % 5 == 0)
            send_fetch(w, c, 0, 100, 1 << 20); /* waits its 100 ms */
        if (i % 7 == 0)
            world_send(w, c, WIRE_METADATA, 9, &meta);
    }
    for (int i = 0; i < 40; i++) {
        struct wire_produce_response *p = world_receive(w, c);
        assert_int_equal(client_outcome(p).error, 0);
        if (i % 5 == 0)
            assert_non_null(world_receive(w, c));
        if (i % 7 == 0)
            assert_non_null(world_receive(w, c));
    }
    world_free(w);
}

static void test_a_reader_that_leaves(void **state)
{
    (void)state;
    struct world *w = open_world(8);
    uint64_t writer = world_connect(w);
    for (int i = 0; i < 20; i++) {
        uint64_t reader = world_connect(w);
        send_fetch(w, reader, 0, 100000, 1);
        world_run_ms(w, (int64_t)world_random(w, 20));
        world_disconnect(w, reader);
        if (i % 3 == 0) { /* and one that leaves at the moment when its answer is due */
            struct client_producer none = CLIENT_PRODUCER_NONE;
            struct client_record r = {.value = SLICE_LIT("v")};
            struct bytes batch = {0};
            client_batch(w, &none, &r, 1, &batch);
            client_send_batch(w, writer, "t", 0, bytes_slice(&batch), -1, 9);
            bytes_free(&batch);
            assert_int_equal(client_outcome(world_receive(w, writer)).error, 0);
        }
    }
    world_run_ms(w, 1000);
    world_free(w);
}

static void test_deleted_topic_ends_the_wait(void **state)
{
    (void)state;
    struct world *w = open_world(9);
    uint64_t reader = world_connect(w), admin = world_connect(w);
    send_fetch(w, reader, 0, 100000, 1);
    world_run_ms(w, 100);
    struct wire_delete_topics_request del = wire_delete_topics_request_default;
    struct wire_delete_topics_request_topic t = wire_delete_topics_request_topic_default;
    t.name = SLICE_LIT("t");
    del.topics = &t;
    del.topics_n = 1;
    del.timeout_ms = 5000;
    struct wire_delete_topics_response *d = world_call(w, admin, WIRE_DELETE_TOPICS, 6, &del);
    assert_int_equal(d->responses[0].error_code, 0);
    struct wire_fetch_response *r = world_receive(w, reader);
    assert_int_equal(r->responses[0].partitions[0].error_code, WIRE_E_UNKNOWN_TOPIC_OR_PARTITION);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waits_for_the_first_record),
        cmocka_unit_test(test_gives_up_at_max_wait),
        cmocka_unit_test(test_waits_for_min_bytes),
        cmocka_unit_test(test_first_batch_is_returned_whatever_its_size),
        cmocka_unit_test(test_max_bytes_bounds_the_whole_answer),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_pipelined_answers_keep_their_order),
        cmocka_unit_test(test_a_reader_that_leaves),
        cmocka_unit_test(test_deleted_topic_ends_the_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
