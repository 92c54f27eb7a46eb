/* The view moves while work is under way: contracts appear, change and go. */
#include "governed.h"

static const char good[] = "{\"id\":\"a\",\"total\":1}";

static void apply(struct shop *s, const char *documents)
{
    world_apply(s->w, documents);
}

static void remove_topic(struct shop *s, const char *topic)
{
    struct request *q = request_new(REQUEST_DELETE);
    q->target_kind = DOCUMENT_TOPIC;
    q->name = slice_str(topic);
    q->accept.item = arena_alloc(&q->arena, sizeof *q->accept.item);
    q->accept.item[0] = SLICE_LIT("loses-records");
    q->accept.n = 1;
    struct result *out = world_request(s->w, q);
    assert_int_equal(out->code, ERR_OK);
    result_free(out);
    mem_free(out);
}

/* A name space without governance, and what happens to its topics when it gets some. */
static void test_a_name_space_becomes_governed(void **state)
{
    (void)state;
    struct shop s = shop_open_seed(1);
    apply(&s,
          "[{\"kind\":\"Policy\",\"name\":\"play\",\"prefix\":\"play.\",\"governance\":\"off\"}]");
    client_create_topic(s.w, s.conn, "play.a", 1);
    client_create_topic(s.w, s.conn, "play.b", 1);
    assert_int_equal(client_produce_text(s.w, s.conn, "play.a", 0, "x").error, 0);
    apply(&s, "[{\"kind\":\"Topic\",\"name\":\"play.a\",\"team\":\"orders\",\"value\":{\"format\":"
              "\"bytes\"},\"signing\":{\"required\":true}}]");
    /* The prefix is still off: its contract is not enforced. */
    assert_int_equal(client_produce_text(s.w, s.conn, "play.a", 0, "x").error, 0);
    struct request *q = request_new(REQUEST_DELETE);
    q->target_kind = DOCUMENT_POLICY;
    q->name = SLICE_LIT("play");
    struct result *out = world_request(s.w, q);
    if (out->code == ERR_OK) {
        struct client_outcome o = client_produce_text(s.w, s.conn, "play.a", 0, "x");
        assert_int_equal(o.error, WIRE_E_INVALID_RECORD);
        assert_int_equal(shop_last_code(&s), VERDICT_SIGNATURE_MISSING);
        o = client_produce_text(s.w, s.conn, "play.b", 0, "x");
        assert_int_equal(o.error, WIRE_E_POLICY_VIOLATION);
        assert_int_equal(shop_last_code(&s), VERDICT_TOPIC_UNGOVERNED);
    } else { /* the catalogue may ask that nothing without contract is left there */
        assert_true(strlen(out->message) > 10);
    }
    result_free(out);
    mem_free(out);
    struct client_fetched got[4];
    assert_int_equal(client_read_all(s.w, s.conn, "play.a", 0, 0, got, 4), 2); /* reading goes on */
    world_free(s.w);
}

/* The topic is removed while batches of it are in the pool, in the queue or at the disk: every one
 * is answered, and a new topic of the same name begins anew. */
static void test_removal_under_load(void **state)
{
    (void)state;
    for (uint64_t seed = 10; seed < 30; seed++) {
        struct shop s = shop_open_seed(seed);
        for (int i = 0; i < 12; i++) {
            struct client_producer none = CLIENT_PRODUCER_NONE;
            struct wire_record_header header[1];
            struct client_record r = shop_record(&s, good, header);
            struct bytes batch = {0};
            client_batch(s.w, &none, &r, 1, &batch);
            client_send_batch(s.w, s.conn, ORDERS, i % 2, bytes_slice(&batch), -1, 9);
            bytes_free(&batch);
        }
        for (uint64_t k = world_random(s.w, 30); k > 0; k--)
            world_step(s.w);
        remove_topic(&s, ORDERS);
        for (int i = 0; i < 12; i++) {
            struct client_outcome o = client_outcome(world_receive(s.w, s.conn));
            assert_true(o.error == 0 || o.error == WIRE_E_UNKNOWN_TOPIC_OR_PARTITION ||
                        o.error == WIRE_E_POLICY_VIOLATION);
        }
        shop_apply(&s, "");
        assert_int_equal(shop_send(&s, 0, good).base_offset, 0);
        world_run_ms(s.w, 5000);
        world_crash(s.w);
        world_start(s.w, NULL);
        s.conn = world_connect(s.w);
        assert_int_equal(client_list_offset(s.w, s.conn, ORDERS, 0, -1), 1);
        world_free(s.w);
    }
}

/* A longer window reaches back: what was stored under the shorter one is still known. */
static void test_window_grows(void **state)
{
    (void)state;
    struct shop s = shop_open_seed(2);
    struct wire_record_header header[2];
    struct client_record r = shop_record(&s, good, header);
    struct client_producer none = CLIENT_PRODUCER_NONE;
    r.timestamp_ms = world_now_ms(s.w);
    assert_int_equal(client_produce(s.w, s.conn, ORDERS, 0, &none, &r, 1).error, 0);
    world_sleep_ms(s.w, 200000); /* past the two minutes */
    apply(&s, "[{\"kind\":\"Topic\",\"name\":\"" ORDERS "\",\"team\":\"orders\",\"value\":{"
              "\"format\":\"json\",\"schema\":{\"type\":\"object\"}},\"signing\":{"
              "\"required\":true,\"window\":\"10m\"},"
              "\"partitions\":2}]");
    header[1].key = SLICE_LIT("extra");
    header[1].value = SLICE_LIT("1");
    r.headers_n = 2;
    assert_int_equal(client_produce(s.w, s.conn, ORDERS, 0, &none, &r, 1).error,
                     WIRE_E_INVALID_RECORD);
    assert_int_equal(shop_last_code(&s), VERDICT_SIGNATURE_REPLAYED);
    world_free(s.w);
}

static void test_contract_changes(void **state)
{
    (void)state;
    struct shop s = shop_open_seed(3);
    assert_int_equal(shop_send(&s, 0, "{\"id\":\"a\",\"total\":-1}").error, WIRE_E_INVALID_RECORD);
    apply(&s, "[{\"kind\":\"Topic\",\"name\":\"" ORDERS "\",\"team\":\"orders\",\"value\":{"
              "\"format\":\"json\",\"schema\":{\"type\":\"object\"}},\"signing\":{\"required\":"
              "true},\"partitions\":5}]");
    assert_int_equal(shop_send(&s, 0, "{\"id\":\"a\",\"total\":-1}").error, 0);
    assert_int_equal(shop_send(&s, 4, "{}").error, 0); /* partitions grew with the contract */
    struct client_outcome o = shop_send(&s, 0, "[]");
    assert_int_equal(o.error, WIRE_E_INVALID_RECORD);
    assert_non_null(strstr(o.message, "v2)"));
    world_free(s.w);
}

/* Views that come while nothing is under way, hundreds of them, cost nothing that stays. */
static void test_many_views(void **state)
{
    (void)state;
    struct shop s = shop_open_seed(4);
    for (int i = 0; i < 200; i++) {
        char doc[300];
        snprintf(doc, sizeof doc,
                 "[{\"kind\":\"Topic\",\"name\":\"shop.t%d\",\"team\":\"orders\",\"value\":{"
                 "\"format\":\"bytes\"}}]",
                 i);
        apply(&s, doc);
    }
    for (int i = 0; i < 200; i += 2) {
        char name[32];
        snprintf(name, sizeof name, "shop.t%d", i);
        remove_topic(&s, name);
    }
    assert_int_equal(client_produce_text(s.w, s.conn, "shop.t1", 0, "x").error, 0);
    assert_int_equal(client_produce_text(s.w, s.conn, "shop.t0", 0, "x").error,
                     WIRE_E_POLICY_VIOLATION);
    assert_int_equal(shop_last_code(&s), VERDICT_TOPIC_DELETED);
    world_kill(s.w);
    world_start(s.w, NULL);
    s.conn = world_connect(s.w);
    assert_int_equal(client_list_offset(s.w, s.conn, "shop.t1", 0, -1), 1);
    world_free(s.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_name_space_becomes_governed),
        cmocka_unit_test(test_removal_under_load),
        cmocka_unit_test(test_window_grows),
        cmocka_unit_test(test_contract_changes),
        cmocka_unit_test(test_many_views),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
