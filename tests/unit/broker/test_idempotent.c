/* Idempotent producers: ids, retries, gaps, epochs, refused batches, restarts (KIP-98, KIP-360). */
#include "governed.h"

static struct world *open_world(uint64_t seed, uint64_t *conn)
{
    struct world *w = world_new(&(struct world_options){.seed = seed, .governance_off = true});
    *conn = world_connect(w);
    client_create_topic(w, *conn, "t", 2);
    return w;
}

static struct client_outcome send_one(struct world *w, uint64_t c, struct client_producer *p,
                                      const char *value)
{
    struct client_record r = {.value = slice_str(value)};
    return client_produce(w, c, "t", 0, p, &r, 1);
}

static void test_ids_are_never_given_twice(void **state)
{
    (void)state;
    uint64_t c;
    struct world *w = open_world(1, &c);
    enum { N = 2500 };
    static bool seen[1000000];
    memset(seen, 0, sizeof seen);
    for (int i = 0; i < N; i++) {
        struct client_producer p = client_init_producer(w, c);
        assert_in_range(p.id, 0, (int64_t)(sizeof seen) - 1);
        assert_false(seen[p.id]);
        seen[p.id] = true;
        if (i % 500 == 499) {
            world_kill(w);
            world_start(w, NULL);
            c = world_connect(w);
        }
        world_forget(w);
    }
    /* A burst while the catalogue is away is answered when it is back, or told to try again. */
    world_hold_catalogue(w, true);
    for (int i = 0; i < 1500; i++) {
        struct wire_init_producer_id_request req = wire_init_producer_id_request_default;
        req.transactional_id = SLICE_NULL;
        world_send(w, c, WIRE_INIT_PRODUCER_ID, 0, &req);
    }
    world_run_ms(w, 2000);
    world_hold_catalogue(w, false);
    size_t given = 0;
    for (int i = 0; i < 1500; i++) {
        struct wire_init_producer_id_response *r = world_receive(w, c);
        if (r->error_code)
            continue;
        assert_false(seen[r->producer_id]);
        seen[r->producer_id] = true;
        given++;
    }
    assert_int_equal(given, 1500);
    struct wire_init_producer_id_request req = wire_init_producer_id_request_default;
    req.transactional_id = SLICE_LIT("tx");
    struct wire_init_producer_id_response *r = world_call(w, c, WIRE_INIT_PRODUCER_ID, 4, &req);
    assert_int_equal(r->error_code, WIRE_E_TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
    world_free(w);
}

static void test_duplicates_and_gaps(void **state)
{
    (void)state;
    uint64_t c;
    struct world *w = open_world(2, &c);
    struct client_producer p = client_init_producer(w, c);
    for (int i = 0; i < 7; i++)
        assert_int_equal(send_one(w, c, &p, "x").base_offset, i);
    /* The last five are remembered. */
    for (int i = 2; i < 7; i++) {
        struct client_producer again = {.id = p.id, .epoch = p.epoch, .sequence = i};
        struct client_outcome o = send_one(w, c, &again, "x");
        assert_int_equal(o.error, 0);
        assert_int_equal(o.base_offset, i);
    }
    struct client_producer old = {.id = p.id, .epoch = p.epoch, .sequence = 1};
    assert_int_equal(send_one(w, c, &old, "x").error, WIRE_E_OUT_OF_ORDER_SEQUENCE_NUMBER);
    struct client_producer gap = {.id = p.id, .epoch = p.epoch, .sequence = 9};
    assert_int_equal(send_one(w, c, &gap, "x").error, WIRE_E_OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert_int_equal(send_one(w, c, &p, "x").base_offset, 7);
    struct client_producer unknown = {.id = p.id + 1, .epoch = 0, .sequence = 4};
    assert_int_equal(send_one(w, c, &unknown, "x").error, WIRE_E_UNKNOWN_PRODUCER_ID);
    assert_int_equal(client_list_offset(w, c, "t", 0, -1), 8);
    world_free(w);
}

/* A client raises its epoch by itself and begins at 0 again; the old epoch is fenced. */
static void test_epochs(void **state)
{
    (void)state;
    uint64_t c;
    struct world *w = open_world(3, &c);
    struct client_producer p = client_init_producer(w, c);
    send_one(w, c, &p, "x");
    struct client_producer next = {.id = p.id, .epoch = 1, .sequence = 0};
    assert_int_equal(send_one(w, c, &next, "y").base_offset, 1);
    assert_int_equal(send_one(w, c, &p, "z").error, WIRE_E_INVALID_PRODUCER_EPOCH);
    struct client_producer skip = {.id = p.id, .epoch = 2, .sequence = 3};
    assert_int_equal(send_one(w, c, &skip, "z").error, WIRE_E_OUT_OF_ORDER_SEQUENCE_NUMBER);
    world_free(w);
}

static void test_memory_survives_restarts(void **state)
{
    (void)state;
    for (uint64_t seed = 10; seed < 20; seed++) {
        uint64_t c;
        struct world *w = open_world(seed, &c);
        struct client_producer p = client_init_producer(w, c), other = client_init_producer(w, c);
        int64_t last = -1;
        for (int i = 0; i < 60; i++) {
            struct client_producer before = p;
            struct client_outcome o = send_one(w, c, &p, "x");
            assert_int_equal(o.error, 0);
            last = o.base_offset;
            if (i % 7 == 0)
                assert_int_equal(send_one(w, c, &other, "o").error, 0);
            if (i % 20 == 19) {
                if (seed % 2)
                    world_crash(w);
                else
                    world_kill(w);
                world_start(w, NULL);
                c = world_connect(w);
                o = send_one(w, c, &before, "x"); /* the retry of what was acknowledged */
                assert_int_equal(o.error, 0);
                assert_int_equal(o.base_offset, last);
            }
        }
        assert_int_equal(client_list_offset(w, c, "t", 0, -1), 60 + 9);
        world_free(w);
    }
}

/* The retry comes while the first one still waits for the disk: both are answered, once it is safe.
 */
static void test_duplicate_waits_for_the_disk(void **state)
{
    (void)state;
    struct world *w =
        world_new(&(struct world_options){.seed = 30, .governance_off = true, .sync_us = 50000});
    uint64_t c = world_connect(w), d = world_connect(w);
    client_create_topic(w, c, "t", 1);
    struct client_producer p = client_init_producer(w, c);
    struct client_record r = {.value = SLICE_LIT("x")};
    struct bytes batch = {0};
    client_batch(w, &p, &r, 1, &batch);
    client_send_batch(w, c, "t", 0, bytes_slice(&batch), -1, 9);
    world_run_ms(w, 5);
    client_send_batch(w, d, "t", 0, bytes_slice(&batch), -1, 9);
    world_run_ms(w, 5);
    assert_int_equal(world_answers_waiting(w, c), 0);
    assert_int_equal(world_answers_waiting(w, d), 0);
    assert_int_equal(client_outcome(world_receive(w, c)).base_offset, 0);
    struct client_outcome o = client_outcome(world_receive(w, d));
    assert_int_equal(o.error, 0);
    assert_int_equal(o.base_offset, 0);
    assert_int_equal(client_list_offset(w, c, "t", 0, -1), 1);
    bytes_free(&batch);
    world_free(w);
}

/* Pipelined batches of which the second is refused: the first is stored, the third is out of order,
 * and the sequence that the refused one had is still free. */
static void test_refused_batch_leaves_the_sequence(void **state)
{
    (void)state;
    struct shop s = shop_open_seed(40);
    struct client_producer p = client_init_producer(s.w, s.conn);
    const char *value[4] = {"{\"id\":\"a\",\"total\":1}", "{\"id\":\"a\",\"total\":-1}",
                            "{\"id\":\"a\",\"total\":3}", "{\"id\":\"a\",\"total\":4}"};
    for (int i = 0; i < 4; i++) {
        struct wire_record_header header[1];
        struct client_record r = shop_record(&s, value[i], header);
        struct bytes batch = {0};
        client_batch(s.w, &p, &r, 1, &batch);
        client_send_batch(s.w, s.conn, ORDERS, 0, bytes_slice(&batch), -1, 8);
        bytes_free(&batch);
    }
    const int16_t expected[4] = {0, WIRE_E_INVALID_RECORD, WIRE_E_OUT_OF_ORDER_SEQUENCE_NUMBER,
                                 WIRE_E_OUT_OF_ORDER_SEQUENCE_NUMBER};
    for (int i = 0; i < 4; i++)
        assert_int_equal(client_outcome(world_receive(s.w, s.conn)).error, expected[i]);
    p.sequence = 1; /* as kafkajs does */
    struct wire_record_header header[1];
    struct client_record r = shop_record(&s, value[2], header);
    assert_int_equal(client_produce(s.w, s.conn, ORDERS, 0, &p, &r, 1).base_offset, 1);
    world_free(s.w);
}

/* An idempotent retry of a signed record is answered from memory: also when its signature has
 * expired and its key is revoked by now. */
static void test_retry_is_not_judged(void **state)
{
    (void)state;
    struct shop s = shop_open_seed(50);
    struct client_producer p = client_init_producer(s.w, s.conn);
    struct wire_record_header header[1];
    struct client_record r = shop_record(&s, "{\"id\":\"a\",\"total\":1}", header);
    struct bytes batch = {0};
    client_batch(s.w, &p, &r, 1, &batch);
    assert_int_equal(client_produce_batch(s.w, s.conn, ORDERS, 0, bytes_slice(&batch)).error, 0);
    world_sleep_ms(s.w, 600000);
    struct client_outcome o = client_produce_batch(s.w, s.conn, ORDERS, 0, bytes_slice(&batch));
    assert_int_equal(o.error, 0);
    assert_int_equal(o.base_offset, 0);
    assert_int_equal(client_list_offset(s.w, s.conn, ORDERS, 0, -1), 1);
    bytes_free(&batch);
    world_free(s.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids_are_never_given_twice),
        cmocka_unit_test(test_duplicates_and_gaps),
        cmocka_unit_test(test_epochs),
        cmocka_unit_test(test_memory_survives_restarts),
        cmocka_unit_test(test_duplicate_waits_for_the_disk),
        cmocka_unit_test(test_refused_batch_leaves_the_sequence),
        cmocka_unit_test(test_retry_is_not_judged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
