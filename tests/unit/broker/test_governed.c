/* Topics with a contract: what is accepted, what is refused and how it is said. */
#include "governed.h"

static void test_accepts_a_signed_valid_record(void **state)
{
    (void)state;
    struct shop s = shop_open_seed(1);
    struct client_outcome o = shop_send(&s, 0, "{\"id\":\"a\",\"total\":3}");
    assert_int_equal(o.error, 0);
    assert_int_equal(o.base_offset, 0);
    struct client_fetched got[4];
    assert_int_equal(client_read_all(s.w, s.conn, ORDERS, 0, 0, got, 4), 1);
    const struct world_rejection *r;
    assert_int_equal(world_rejections(s.w, &r), 0);
    world_free(s.w);
}

static void test_refusal_names_rule_and_place(void **state)
{
    (void)state;
    struct shop s = shop_open_seed(2);
    struct client_outcome o = shop_send(&s, 1, "{\"id\":\"a\",\"total\":-3}");
    assert_int_equal(o.error, WIRE_E_INVALID_RECORD);
    assert_int_equal(o.record_errors_n, 1);
    assert_int_equal(o.record_error_index[0], 0);
    assert_string_equal(o.record_error[0],
                        "payload.invalid at /total: must be >= 0 (contract " ORDERS " v1)");
    assert_string_equal(o.message, o.record_error[0]);
    const struct world_rejection *r;
    assert_int_equal(world_rejections(s.w, &r), 1);
    assert_string_equal(r->topic, ORDERS);
    assert_int_equal(r->partition, 1);
    assert_int_equal(r->code, VERDICT_PAYLOAD_INVALID);
    assert_string_equal(r->path, "/total");
    assert_string_equal(r->key_id, "shop/main");
    assert_string_equal(r->principal, "anonymous");
    assert_string_equal(r->client_id, "harness");
    /* Nothing of it is stored, and the next one is fine. */
    assert_int_equal(client_list_offset(s.w, s.conn, ORDERS, 1, -1), 0);
    assert_int_equal(shop_send(&s, 1, "{\"id\":\"b\",\"total\":0}").base_offset, 0);
    world_free(s.w);
}

static void test_each_kind_of_refusal(void **state)
{
    (void)state;
    struct shop s = shop_open_seed(3);
    struct client_producer none = CLIENT_PRODUCER_NONE;
    struct wire_record_header header[2];
    uint8_t other_public[32], other_secret[64];
    client_key(8, other_public, other_secret);

    assert_int_equal(shop_send(&s, 0, "{\"id\":1,\"total\":").error, WIRE_E_INVALID_RECORD);
    assert_int_equal(shop_last_code(&s), VERDICT_PAYLOAD_MALFORMED);

    struct client_record r = {.value = SLICE_LIT("{\"id\":\"a\",\"total\":1}")};
    assert_int_equal(client_produce(s.w, s.conn, ORDERS, 0, &none, &r, 1).error,
                     WIRE_E_INVALID_RECORD);
    assert_int_equal(shop_last_code(&s), VERDICT_SIGNATURE_MISSING);

    client_sign(s.w, ORDERS, "shop/other", s.secret_key, &r, header);
    client_produce(s.w, s.conn, ORDERS, 0, &none, &r, 1);
    assert_int_equal(shop_last_code(&s), VERDICT_SIGNATURE_KEY_UNKNOWN);

    client_sign(s.w, ORDERS, "shop/main", other_secret, &r, header);
    client_produce(s.w, s.conn, ORDERS, 0, &none, &r, 1);
    assert_int_equal(shop_last_code(&s), VERDICT_SIGNATURE_INVALID);

    client_sign(s.w, "shop.other", "shop/main", s.secret_key, &r, header);
    client_produce(s.w, s.conn, ORDERS, 0, &none, &r, 1);
    assert_int_equal(shop_last_code(&s), VERDICT_SIGNATURE_CONTEXT);

    client_sign(s.w, ORDERS, "shop/main", s.secret_key, &r, header);
    r.value = SLICE_LIT("{\"id\":\"a\",\"total\":2}");
    client_produce(s.w, s.conn, ORDERS, 0, &none, &r, 1);
    assert_int_equal(shop_last_code(&s), VERDICT_SIGNATURE_INVALID);

    client_sign(s.w, ORDERS, "shop/main", s.secret_key, &r, header);
    world_sleep_ms(s.w, 121000);
    r.timestamp_ms = world_now_ms(s.w);
    client_produce(s.w, s.conn, ORDERS, 0, &none, &r, 1);
    assert_int_equal(shop_last_code(&s), VERDICT_SIGNATURE_EXPIRED);

    char big[6000];
    memset(big, ' ', sizeof big - 1);
    big[sizeof big - 1] = 0;
    memcpy(big, "{\"id\":\"a\",\"total\":1}", 20);
    assert_int_equal(shop_send(&s, 0, big).error, WIRE_E_MESSAGE_TOO_LARGE);
    assert_int_equal(shop_last_code(&s), VERDICT_RECORD_TOO_LARGE);

    struct client_record note = {.value = SLICE_LIT("n")};
    client_produce(s.w, s.conn, NOTES, 0, &none, &note, 1);
    assert_int_equal(shop_last_code(&s), VERDICT_KEY_REQUIRED);
    note.key = "k";
    client_produce(s.w, s.conn, NOTES, 0, &none, &note, 1);
    assert_int_equal(shop_last_code(&s), VERDICT_HEADER_MISSING);
    header[0].key = SLICE_LIT("traceparent");
    header[0].value = SLICE_LIT("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    note.header = header;
    note.headers_n = 1;
    note.value = SLICE_NULL;
    client_produce(s.w, s.conn, NOTES, 0, &none, &note, 1);
    assert_int_equal(shop_last_code(&s), VERDICT_TOMBSTONE_FORBIDDEN);
    const struct world_rejection *all;
    size_t n = world_rejections(s.w, &all);
    assert_string_equal(all[n - 1].correlation_id, "4bf92f3577b34da6a3ce929d0e0e4736");
    note.value = SLICE_LIT("n");
    assert_int_equal(client_produce(s.w, s.conn, NOTES, 0, &none, &note, 1).error, 0);
    assert_int_equal(client_list_offset(s.w, s.conn, ORDERS, 0, -1), 0);
    world_free(s.w);
}

/* One bad record refuses the batch; each bad one is named, the good ones are not. */
static void test_batch_is_all_or_nothing(void **state)
{
    (void)state;
    struct shop s = shop_open_seed(4);
    for (int codec = 0; codec < WIRE_CODECS_N; codec++) {
        struct client_producer p = CLIENT_PRODUCER_NONE;
        struct client_record r[10];
        struct wire_record_header header[10][1];
        p.codec = codec;
        for (int i = 0; i < 10; i++)
            r[i] = shop_record(
                &s, i == 3 || i == 7 ? "{\"id\":1,\"total\":1}" : "{\"id\":\"a\",\"total\":1}",
                header[i]);
        struct client_outcome o = client_produce(s.w, s.conn, ORDERS, 0, &p, r, 10);
        assert_int_equal(o.error, WIRE_E_INVALID_RECORD);
        assert_int_equal(o.record_errors_n, 2);
        assert_int_equal(o.record_error_index[0], 3);
        assert_int_equal(o.record_error_index[1], 7);
        assert_non_null(strstr(o.message, "2 records refused"));
        r[3] = shop_record(&s, "{\"id\":\"a\",\"total\":1}", header[3]);
        r[7] = shop_record(&s, "{\"id\":\"a\",\"total\":1}", header[7]);
        o = client_produce(s.w, s.conn, ORDERS, 0, &p, r, 10);
        assert_int_equal(o.error, 0);
        assert_int_equal(o.base_offset, 10 * codec);
    }
    world_free(s.w);
}

static void test_many_refusals_are_bounded(void **state)
{
    (void)state;
    struct shop s = shop_open_seed(5);
    struct client_producer p = CLIENT_PRODUCER_NONE;
    static struct client_record r[500];
    for (int i = 0; i < 500; i++)
        r[i] = (struct client_record){.value = SLICE_LIT("x")};
    struct client_outcome o = client_produce(s.w, s.conn, ORDERS, 0, &p, r, 500);
    assert_int_equal(o.error, WIRE_E_INVALID_RECORD);
    assert_int_equal(o.record_errors_n, ADMIT_REFUSALS_MAX);
    world_free(s.w);
}

static void test_principal_without_grant(void **state)
{
    (void)state;
    struct shop s = shop_open_seed(6);
    /* The producer loses its principal: unsigned records of the whole batch are not granted. */
    struct bytes doc = {0}, key = {0};
    base64url_add(&key, slice_of(s.public_key, 32));
    bytes_printf(&doc,
                 "[{\"kind\":\"Producer\",\"name\":\"shop\",\"team\":\"orders\",\"keys\":[{\"id\":"
                 "\"main\",\"public_key\":\"%s\"}],\"topics\":[\"shop.*\"]}]",
                 bytes_cstr(&key));
    world_apply(s.w, bytes_cstr(&doc));
    bytes_free(&doc);
    bytes_free(&key);
    struct client_producer none = CLIENT_PRODUCER_NONE;
    struct wire_record_header trace = {SLICE_LIT("traceparent"), SLICE_LIT("x")};
    struct client_record r = {
        .key = "k", .value = SLICE_LIT("n"), .header = &trace, .headers_n = 1};
    assert_int_equal(client_produce(s.w, s.conn, NOTES, 0, &none, &r, 1).error,
                     WIRE_E_TOPIC_AUTHORIZATION_FAILED);
    assert_int_equal(shop_last_code(&s), VERDICT_WRITE_NOT_GRANTED);
    world_free(s.w);
}

static void test_acks_0_is_refused_by_closing(void **state)
{
    (void)state;
    struct shop s = shop_open_seed(7);
    struct client_producer none = CLIENT_PRODUCER_NONE;
    struct wire_record_header header[1];
    struct client_record r = shop_record(&s, "{\"id\":\"a\",\"total\":1}", header);
    struct bytes batch = {0};
    client_batch(s.w, &none, &r, 1, &batch);
    client_send_batch(s.w, s.conn, ORDERS, 0, bytes_slice(&batch), 0, 7);
    world_run_ms(s.w, 100);
    assert_true(world_closed(s.w, s.conn));
    assert_int_equal(shop_last_code(&s), VERDICT_ACKS_REQUIRED);
    uint64_t c = world_connect(s.w);
    assert_int_equal(client_list_offset(s.w, c, ORDERS, 0, -1), 0);
    bytes_free(&batch);
    world_free(s.w);
}

/* Kafka's admin writes on governed topics name the command that does it. */
static void test_admin_writes_name_the_command(void **state)
{
    (void)state;
    struct shop s = shop_open_seed(8);
    struct wire_create_topics_request ct = wire_create_topics_request_default;
    struct wire_create_topics_request_topic t = wire_create_topics_request_topic_default;
    t.name = SLICE_LIT("shop.fresh");
    t.num_partitions = 1;
    t.replication_factor = 1;
    ct.topics = &t;
    ct.topics_n = 1;
    struct wire_create_topics_response *r = world_call(s.w, s.conn, WIRE_CREATE_TOPICS, 5, &ct);
    assert_int_equal(r->topics[0].error_code, WIRE_E_POLICY_VIOLATION);
    char text[300];
    snprintf(text, sizeof text, "%.*s", SLICE_FMT(r->topics[0].error_message));
    assert_non_null(strstr(text, "writ apply -f FILE"));

    struct wire_delete_topics_request dt = wire_delete_topics_request_default;
    struct slice name = SLICE_LIT(ORDERS);
    dt.topic_names = &name;
    dt.topic_names_n = 1;
    struct wire_delete_topics_response *dr = world_call(s.w, s.conn, WIRE_DELETE_TOPICS, 5, &dt);
    assert_int_equal(dr->responses[0].error_code, WIRE_E_POLICY_VIOLATION);
    snprintf(text, sizeof text, "%.*s", SLICE_FMT(dr->responses[0].error_message));
    assert_non_null(strstr(text, "writ delete topic"));

    struct wire_create_partitions_request cp = wire_create_partitions_request_default;
    struct wire_create_partitions_request_topic cpt = wire_create_partitions_request_topic_default;
    cpt.name = SLICE_LIT(ORDERS);
    cpt.count = 9;
    cpt.assignments_n = -1;
    cp.topics = &cpt;
    cp.topics_n = 1;
    struct wire_create_partitions_response *cr =
        world_call(s.w, s.conn, WIRE_CREATE_PARTITIONS, 3, &cp);
    assert_int_equal(cr->results[0].error_code, WIRE_E_POLICY_VIOLATION);

    struct wire_delete_records_request del = wire_delete_records_request_default;
    struct wire_delete_records_request_topic delt = wire_delete_records_request_topic_default;
    struct wire_delete_records_request_partition delp =
        wire_delete_records_request_partition_default;
    delt.name = SLICE_LIT(ORDERS);
    delt.partitions = &delp;
    delt.partitions_n = 1;
    del.topics = &delt;
    del.topics_n = 1;
    struct wire_delete_records_response *delr =
        world_call(s.w, s.conn, WIRE_DELETE_RECORDS, 2, &del);
    assert_int_equal(delr->topics[0].partitions[0].error_code, WIRE_E_POLICY_VIOLATION);

    /* And no automatic creation in a governed name space. */
    struct wire_metadata_request meta = wire_metadata_request_default;
    struct wire_metadata_request_topic mt = wire_metadata_request_topic_default;
    mt.name = SLICE_LIT("shop.fresh");
    meta.topics = &mt;
    meta.topics_n = 1;
    struct wire_metadata_response *mr = world_call(s.w, s.conn, WIRE_METADATA, 9, &meta);
    assert_int_equal(mr->topics[0].error_code, WIRE_E_UNKNOWN_TOPIC_OR_PARTITION);
    world_free(s.w);
}

/* A key is revoked while batches that it signed wait in the pool: they are judged again. */
static void test_revocation_reaches_the_pool(void **state)
{
    (void)state;
    for (uint64_t seed = 100; seed < 110; seed++) {
        struct shop s = shop_open_seed(seed);
        struct client_producer none = CLIENT_PRODUCER_NONE;
        for (int i = 0; i < 8; i++) {
            struct wire_record_header header[1];
            struct client_record r = shop_record(&s, "{\"id\":\"a\",\"total\":1}", header);
            struct bytes batch = {0};
            client_batch(s.w, &none, &r, 1, &batch);
            client_send_batch(s.w, s.conn, ORDERS, i % 2, bytes_slice(&batch), -1, 9);
            bytes_free(&batch);
        }
        struct request *q = request_new(REQUEST_KEY_REVOKE);
        q->name = SLICE_LIT("shop");
        q->key.id = SLICE_LIT("main");
        q->key.reason = SLICE_LIT("stolen");
        struct result *out = world_request(s.w, q); /* acknowledged: every broker enforces it */
        assert_int_equal(out->code, ERR_OK);
        result_free(out);
        mem_free(out);
        int64_t stored = 0;
        for (int i = 0; i < 2; i++)
            stored += client_list_offset(s.w, world_connect(s.w), ORDERS, i, -1);
        size_t accepted = 0, refused = 0;
        for (int i = 0; i < 8; i++) {
            struct client_outcome o = client_outcome(world_receive(s.w, s.conn));
            accepted += o.error == 0;
            refused += o.error == WIRE_E_INVALID_RECORD;
        }
        assert_int_equal(accepted + refused, 8);
        /* Nothing was appended after the revocation was acknowledged. */
        int64_t after = 0;
        for (int i = 0; i < 2; i++)
            after += client_list_offset(s.w, s.conn, ORDERS, i, -1);
        assert_int_equal(after, (int64_t)accepted);
        assert_true(stored <= after);
        assert_int_equal(shop_send(&s, 0, "{\"id\":\"a\",\"total\":1}").error,
                         WIRE_E_INVALID_RECORD);
        assert_int_equal(shop_last_code(&s), VERDICT_SIGNATURE_KEY_REVOKED);
        world_free(s.w);
    }
}

static void test_mode_off_is_not_looked_at(void **state)
{
    (void)state;
    struct shop s = shop_open_seed(9);
    shop_apply(&s, ",{\"kind\":\"Topic\",\"name\":\"shop.free\",\"team\":\"orders\",\"value\":{"
                   "\"format\":\"bytes\"},\"signing\":{\"required\":true},\"mode\":\"off\"}");
    assert_int_equal(client_produce_text(s.w, s.conn, "shop.free", 0, "anything").error, 0);
    world_free(s.w);
}

static void test_deleted_topic(void **state)
{
    (void)state;
    struct shop s = shop_open_seed(10);
    assert_int_equal(shop_send(&s, 0, "{\"id\":\"a\",\"total\":1}").error, 0);
    struct request *q = request_new(REQUEST_DELETE);
    q->target_kind = DOCUMENT_TOPIC;
    q->name = SLICE_LIT(ORDERS);
    q->accept.item = arena_alloc(&q->arena, sizeof *q->accept.item);
    q->accept.item[0] = SLICE_LIT("loses-records");
    q->accept.n = 1;
    struct result *out = world_request(s.w, q);
    assert_int_equal(out->code, ERR_OK);
    result_free(out);
    mem_free(out);
    struct client_outcome o = shop_send(&s, 0, "{\"id\":\"a\",\"total\":1}");
    assert_int_equal(o.error, WIRE_E_POLICY_VIOLATION);
    assert_non_null(strstr(o.message, "topic.deleted"));
    o = client_produce_text(s.w, s.conn, "shop.never", 0, "x");
    assert_int_equal(o.error, WIRE_E_UNKNOWN_TOPIC_OR_PARTITION);
    world_free(s.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepts_a_signed_valid_record),
        cmocka_unit_test(test_refusal_names_rule_and_place),
        cmocka_unit_test(test_each_kind_of_refusal),
        cmocka_unit_test(test_batch_is_all_or_nothing),
        cmocka_unit_test(test_many_refusals_are_bounded),
        cmocka_unit_test(test_principal_without_grant),
        cmocka_unit_test(test_acks_0_is_refused_by_closing),
        cmocka_unit_test(test_admin_writes_name_the_command),
        cmocka_unit_test(test_revocation_reaches_the_pool),
        cmocka_unit_test(test_mode_off_is_not_looked_at),
        cmocka_unit_test(test_deleted_topic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
