/* Signatures seen before: a retry of the same record is a success, anything else a replay. */
#include "governed.h"

static const char good[] = "{\"id\":\"a\",\"total\":1}";

static struct client_outcome send_record(struct shop *s, int32_t partition,
                                         const struct client_record *r, size_t n, int codec)
{
    struct client_producer none = CLIENT_PRODUCER_NONE;
    none.codec = codec;
    return client_produce(s->w, s->conn, ORDERS, partition, &none, r, n);
}

static void test_retry_and_replay(void **state)
{
    (void)state;
    struct shop s = shop_open_seed(1);
    struct wire_record_header header[2];
    struct client_record r = shop_record(&s, good, header);
    assert_int_equal(send_record(&s, 0, &r, 1, 0).base_offset, 0);
    assert_int_equal(shop_send(&s, 0, good).base_offset, 1);
    /* Byte-equal, compressed or not, at another time: a retry. */
    world_sleep_ms(s.w, 1000);
    struct client_outcome o = send_record(&s, 0, &r, 1, WIRE_CODEC_LZ4);
    assert_int_equal(o.error, 0);
    assert_int_equal(o.base_offset, 0);
    /* The same signature with one more header: a replay. */
    header[1].key = SLICE_LIT("extra");
    header[1].value = SLICE_LIT("1");
    r.headers_n = 2;
    o = send_record(&s, 0, &r, 1, 0);
    assert_int_equal(o.error, WIRE_E_INVALID_RECORD);
    assert_int_equal(shop_last_code(&s), VERDICT_SIGNATURE_REPLAYED);
    assert_non_null(strstr(o.message, "signature.replayed"));
    const struct world_rejection *all;
    size_t n = world_rejections(s.w, &all);
    assert_string_equal(all[n - 1].key_id, "shop/main");
    /* The promise is per partition. */
    r.headers_n = 1;
    assert_int_equal(send_record(&s, 1, &r, 1, 0).error, 0);
    assert_int_equal(client_list_offset(s.w, s.conn, ORDERS, 0, -1), 2);
    world_free(s.w);
}

static void test_batches(void **state)
{
    (void)state;
    struct shop s = shop_open_seed(2);
    struct wire_record_header header[6][1];
    struct client_record r[6];
    for (int i = 0; i < 6; i++)
        r[i] = shop_record(&s, good, header[i]);
    /* Twice in one batch. */
    struct client_record twice[4] = {r[5], r[0], r[1], r[0]};
    struct client_outcome o = send_record(&s, 0, twice, 4, 0);
    assert_int_equal(o.error, WIRE_E_INVALID_RECORD);
    assert_int_equal(o.record_errors_n, 1);
    assert_int_equal(o.record_error_index[0], 3);
    /* Nothing of that was remembered. */
    assert_int_equal(send_record(&s, 0, r, 4, WIRE_CODEC_ZSTD).base_offset, 0);
    /* The whole batch again, and a part of it in another grouping. */
    assert_int_equal(send_record(&s, 0, r, 4, WIRE_CODEC_ZSTD).base_offset, 0);
    o = send_record(&s, 0, r + 1, 2, 0);
    assert_int_equal(o.error, 0);
    assert_int_equal(o.base_offset, 1);
    /* Some stored, some new: the stored ones are named. */
    o = send_record(&s, 0, r + 2, 4, 0);
    assert_int_equal(o.error, WIRE_E_INVALID_RECORD);
    assert_int_equal(o.record_errors_n, 2);
    assert_int_equal(o.record_error_index[1], 1);
    /* And the new ones are still new. */
    assert_int_equal(send_record(&s, 0, r + 4, 2, 0).base_offset, 4);
    assert_int_equal(client_list_offset(s.w, s.conn, ORDERS, 0, -1), 6);
    world_free(s.w);
}

static void test_memory_survives_restarts(void **state)
{
    (void)state;
    for (uint64_t seed = 10; seed < 20; seed++) {
        struct shop s = shop_open_seed(seed);
        struct wire_record_header header[20][2];
        struct client_record r[20];
        for (int i = 0; i < 20; i++) {
            r[i] = shop_record(&s, good, header[i]);
            assert_int_equal(send_record(&s, 0, &r[i], 1, i % WIRE_CODECS_N).base_offset, i);
            world_sleep_ms(s.w, (int64_t)world_random(s.w, 3000));
        }
        if (seed % 2)
            world_crash(s.w);
        else
            world_kill(s.w);
        world_start(s.w, NULL);
        s.conn = world_connect(s.w);
        for (int i = 0; i < 20; i++) {
            assert_int_equal(send_record(&s, 0, &r[i], 1, 0).base_offset, i); /* a retry */
            header[i][1].key = SLICE_LIT("extra");
            header[i][1].value = SLICE_LIT("1");
            r[i].headers_n = 2;
            assert_int_equal(send_record(&s, 0, &r[i], 1, 0).error, WIRE_E_INVALID_RECORD);
            assert_int_equal(shop_last_code(&s), VERDICT_SIGNATURE_REPLAYED);
        }
        assert_int_equal(client_list_offset(s.w, s.conn, ORDERS, 0, -1), 20);
        world_free(s.w);
    }
}

/* A retry that overtakes its original's sync waits for it. */
static void test_retry_in_flight(void **state)
{
    (void)state;
    struct shop s =
        shop_open(&(struct world_options){.seed = 3, .sync_us = 100000, .quiet_pool = true});
    uint64_t other = world_connect(s.w);
    struct wire_record_header header[1];
    struct client_record r = shop_record(&s, good, header);
    struct client_producer none = CLIENT_PRODUCER_NONE;
    struct bytes batch = {0};
    client_batch(s.w, &none, &r, 1, &batch);
    client_send_batch(s.w, s.conn, ORDERS, 0, bytes_slice(&batch), -1, 9);
    client_send_batch(s.w, other, ORDERS, 0, bytes_slice(&batch), -1, 9);
    struct client_outcome o = client_outcome(world_receive(s.w, s.conn));
    assert_int_equal(o.error, 0);
    assert_int_equal(o.base_offset, 0);
    o = client_outcome(world_receive(s.w, other));
    assert_int_equal(o.error, 0);
    assert_int_equal(o.base_offset, 0);
    assert_int_equal(client_list_offset(s.w, s.conn, ORDERS, 0, -1), 1);
    bytes_free(&batch);
    world_free(s.w);
}

/* When the memory is full, writes get a retriable error; nothing is forgotten early; and it passes.
 */
static void test_full_memory(void **state)
{
    (void)state;
    struct shop s = shop_open(&(struct world_options){.seed = 4, .replay_memory_bytes = 16384});
    struct wire_record_header first[1];
    struct client_record r = shop_record(&s, good, first);
    assert_int_equal(send_record(&s, 0, &r, 1, 0).error, 0);
    int stored = 1;
    struct client_outcome o = {0};
    while (stored < 1000 && (o = shop_send(&s, 0, good)).error == 0)
        stored++;
    assert_int_equal(o.error, WIRE_E_NOT_ENOUGH_REPLICAS);
    assert_true(stored > 10);
    assert_int_equal(send_record(&s, 0, &r, 1, 0).base_offset, 0); /* still known */
    world_sleep_ms(s.w, 200000); /* the window, and a second for each shard of the memory */
    assert_int_equal(shop_send(&s, 0, good).error, 0);
    world_free(s.w);
}

/* A restart with less memory than the log needs: signed writes wait until the window has passed. */
static void test_memory_that_cannot_be_rebuilt(void **state)
{
    (void)state;
    struct shop s = shop_open(&(struct world_options){.seed = 5, .replay_memory_bytes = 1 << 20});
    struct wire_record_header first[2];
    struct client_record r = shop_record(&s, good, first);
    assert_int_equal(send_record(&s, 0, &r, 1, 0).error, 0);
    for (int i = 0; i < 500; i++)
        assert_int_equal(shop_send(&s, 0, good).error, 0);
    world_kill(s.w);
    world_set_replay_memory(s.w, 4096);
    world_start(s.w, NULL);
    s.conn = world_connect(s.w);
    first[1].key = SLICE_LIT("extra");
    first[1].value = SLICE_LIT("1");
    r.headers_n = 2;
    assert_int_equal(send_record(&s, 0, &r, 1, 0).error, WIRE_E_NOT_ENOUGH_REPLICAS);
    world_sleep_ms(s.w, 125000);
    assert_int_equal(shop_send(&s, 0, good).error, 0);
    assert_int_equal(send_record(&s, 0, &r, 1, 0).error, WIRE_E_INVALID_RECORD); /* expired */
    world_free(s.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_retry_and_replay),
        cmocka_unit_test(test_batches),
        cmocka_unit_test(test_memory_survives_restarts),
        cmocka_unit_test(test_retry_in_flight),
        cmocka_unit_test(test_full_memory),
        cmocka_unit_test(test_memory_that_cannot_be_rebuilt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
