/* Whatever bytes arrive: a clear error or a closed connection, and nobody else is disturbed. */
#include "governed.h"

#include "wire/crc32c.h"

static struct world *open_world(uint64_t seed, uint64_t *conn)
{
    struct world *w = world_new(&(struct world_options){.seed = seed, .governance_off = true});
    *conn = world_connect(w);
    client_create_topic(w, *conn, "t", 1);
    return w;
}

static void test_version_negotiation(void **state)
{
    (void)state;
    uint64_t c;
    struct world *w = open_world(1, &c);
    /* ApiVersions of the future: version 0, error 35, and the list (KIP-511). */
    struct bytes f = {0};
    bytes_add_be16(&f, WIRE_API_VERSIONS);
    bytes_add_be16(&f, 99);
    bytes_add_be32(&f, 7);
    bytes_add_be16(&f, 0xffff);
    bytes_add_str(&f, "whatever it holds");
    struct wire_api_versions_response *r =
        world_call_bytes(w, c, WIRE_API_VERSIONS, 99, 7, bytes_slice(&f));
    assert_non_null(r);
    assert_int_equal(r->error_code, WIRE_E_UNSUPPORTED_VERSION);
    assert_in_range(r->api_keys_n, 15, 30);
    assert_false(world_closed(w, c));
    /* Produce 0 to 2 are advertised for librdkafka's sake and answered 35. */
    struct client_producer none = CLIENT_PRODUCER_NONE;
    struct client_record rec = {.value = SLICE_LIT("x")};
    struct bytes batch = {0};
    client_batch(w, &none, &rec, 1, &batch);
    for (int16_t v = 0; v < 3; v++) {
        client_send_batch(w, c, "t", 0, bytes_slice(&batch), 1, v);
        assert_int_equal(client_outcome(world_receive(w, c)).error, WIRE_E_UNSUPPORTED_VERSION);
    }
    /* Any other unknown version closes, as Kafka does. */
    f.n = 0;
    bytes_add_be16(&f, WIRE_METADATA);
    bytes_add_be16(&f, 99);
    bytes_add_be32(&f, 8);
    bytes_add_be16(&f, 0xffff);
    world_send_bytes(w, c, bytes_slice(&f));
    world_run_ms(w, 10);
    assert_true(world_closed(w, c));
    assert_non_null(strstr(world_close_reason(w, c), "version 99"));
    bytes_free(&f);
    bytes_free(&batch);
    world_free(w);
}

struct spoil {
    const char *what;
    int16_t error;
    int16_t version;
    void (*how)(struct bytes *batch);
};

static void fix_crc(struct bytes *b)
{
    be32_put(b->p + 17, wire_crc32c(0, b->p + 21, b->n - 21));
}

static void spoil_crc(struct bytes *b)
{
    b->p[b->n - 1] ^= 1;
}
static void spoil_magic(struct bytes *b)
{
    b->p[16] = 1;
}
static void spoil_twice(struct bytes *b)
{
    size_t n = b->n;
    bytes_reserve(b, n);
    bytes_add(b, b->p, n);
}
static void spoil_short(struct bytes *b)
{
    b->n -= 3;
}
static void spoil_control(struct bytes *b)
{
    b->p[22] |= WIRE_BATCH_CONTROL;
    fix_crc(b);
}
static void spoil_transactional(struct bytes *b)
{
    b->p[22] |= WIRE_BATCH_TRANSACTIONAL;
    be64_put(b->p + 43, 5);
    be16_put(b->p + 51, 0);
    be32_put(b->p + 53, 0);
    fix_crc(b);
}
static void spoil_codec(struct bytes *b)
{
    b->p[22] |= 7;
    fix_crc(b);
}
static void spoil_zstd(struct bytes *b)
{
    b->p[22] |= WIRE_CODEC_ZSTD;
    fix_crc(b);
}
static void spoil_count(struct bytes *b)
{
    be32_put(b->p + 57, 1000000);
    be32_put(b->p + 23, 999999);
    fix_crc(b);
}
static void spoil_records(struct bytes *b)
{
    memset(b->p + 61, 0xff, b->n - 61);
    fix_crc(b);
}
static void spoil_compressed(struct bytes *b)
{
    b->p[22] |= WIRE_CODEC_LZ4;
    fix_crc(b);
}
static void spoil_empty(struct bytes *b)
{
    b->n = 0;
}

static void test_batches_that_break_the_format(void **state)
{
    (void)state;
    static const struct spoil spoils[] = {
        {"CRC", WIRE_E_CORRUPT_MESSAGE, 9, spoil_crc},
        {"magic", WIRE_E_INVALID_RECORD, 9, spoil_magic},
        {"two batches", WIRE_E_INVALID_RECORD, 9, spoil_twice},
        {"cut short", WIRE_E_INVALID_RECORD, 9, spoil_short},
        {"control", WIRE_E_INVALID_RECORD, 9, spoil_control},
        {"transactional", WIRE_E_INVALID_TXN_STATE, 9, spoil_transactional},
        {"codec", WIRE_E_UNSUPPORTED_COMPRESSION_TYPE, 9, spoil_codec},
        {"zstd before 7", WIRE_E_UNSUPPORTED_COMPRESSION_TYPE, 6, spoil_zstd},
        {"count", WIRE_E_INVALID_RECORD, 9, spoil_count},
        {"garbage", WIRE_E_INVALID_RECORD, 9, spoil_records},
        {"garbage in lz4", WIRE_E_INVALID_RECORD, 9, spoil_compressed},
        {"nothing", WIRE_E_INVALID_RECORD, 9, spoil_empty},
    };
    uint64_t c;
    struct world *w = open_world(2, &c);
    for (size_t i = 0; i < sizeof spoils / sizeof spoils[0]; i++) {
        struct client_producer none = CLIENT_PRODUCER_NONE;
        struct client_record r[3] = {{.value = SLICE_LIT("x")},
                                     {.value = SLICE_LIT("y")},
                                     {.value = SLICE_LIT("zzzzzzzzzzzzzzz")}};
        struct bytes batch = {0};
        client_batch(w, &none, r, 3, &batch);
        spoils[i].how(&batch);
        client_send_batch(w, c, "t", 0, bytes_slice(&batch), -1, spoils[i].version);
        struct client_outcome o = client_outcome(world_receive(w, c));
        if (o.error != spoils[i].error)
            fail_msg("%s: error %d (%s)", spoils[i].what, o.error, o.message);
        if (spoils[i].version >= 8)
            assert_true(strlen(o.message) > 10);
        bytes_free(&batch);
    }
    assert_int_equal(client_list_offset(w, c, "t", 0, -1), 0);
    assert_int_equal(client_produce_text(w, c, "t", 0, "fine").base_offset, 0);
    world_free(w);
}

/* A kilobyte that becomes a gigabyte. */
static void test_bombs(void **state)
{
    (void)state;
    struct shop s = shop_open_seed(3);
    struct bytes zeros = {0};
    bytes_reserve(&zeros, 80 << 20);
    memset(zeros.p, 0, 80 << 20);
    zeros.n = 80 << 20;
    for (int codec = 1; codec < WIRE_CODECS_N; codec++) {
        struct bytes bomb = {0}, batch = {0};
        struct client_producer none = CLIENT_PRODUCER_NONE;
        struct client_record r = {.key = "k", .value = SLICE_LIT("x")};
        none.codec = 0;
        assert_int_equal(wire_compress(codec, bytes_slice(&zeros), &bomb, NULL), 0);
        client_batch(s.w, &none, &r, 1, &batch);
        batch.n = 61;
        bytes_add_slice(&batch, bytes_slice(&bomb));
        batch.p[22] = (uint8_t)codec;
        be32_put(batch.p + 8, (uint32_t)(batch.n - 12));
        fix_crc(&batch);
        struct client_outcome o = client_produce_batch(s.w, s.conn, NOTES, 0, bytes_slice(&batch));
        assert_true(o.error == WIRE_E_MESSAGE_TOO_LARGE || o.error == WIRE_E_INVALID_RECORD);
        bytes_free(&bomb);
        bytes_free(&batch);
    }
    bytes_free(&zeros);
    world_free(s.w);
}

/* Frames that are random, cut, or true but for some bits: every one is answered or ends its
 * connection; the honest client beside it goes on. */
static void test_random_frames(void **state)
{
    (void)state;
    uint64_t honest;
    struct world *w = open_world(4, &honest);
    size_t closed = 0;
    for (int i = 0; i < 3000; i++) {
        uint64_t c = world_connect(w);
        const struct wire_api *api = &wire_api[world_random(w, wire_apis_n)];
        int16_t version = (int16_t)(api->first + (int16_t)world_random(
                                                     w, (uint64_t)(api->last - api->first + 1)));
        struct bytes f = {0};
        bytes_add_be16(&f, (uint16_t)api->key);
        bytes_add_be16(&f, (uint16_t)version);
        bytes_add_be32(&f, 1);
        bytes_add_be16(&f, 0xffff);
        if (wire_api_is_flexible(api->key, version))
            bytes_add_u8(&f, 0);
        for (uint64_t n = world_random(w, 60); n > 0; n--)
            bytes_add_u8(&f, world_random(w, 2) ? (uint8_t)world_random(w, 256)
                                                : (uint8_t)world_random(w, 4));
        if (world_random(w, 4) == 0)
            f.n = world_random(w, f.n + 1);
        world_expect_any(w, c);
        world_send_bytes(w, c, bytes_slice(&f));
        bytes_free(&f);
        if (i % 20 == 0) {
            assert_int_equal(client_produce_text(w, honest, "t", 0, "x").error, 0);
            world_run_ms(w, 50);
            world_forget(w);
        }
        closed += world_closed(w, c);
        if (!world_closed(w, c) && i % 3)
            world_disconnect(w, c);
    }
    world_run_ms(w, 400000);
    assert_true(closed > 100);
    assert_int_equal(client_produce_text(w, honest, "t", 0, "x").error, 0);
    assert_null(world_fatal(w));
    world_free(w);
}

/* A topic named a hundred thousand times is described once; unknown ones cost their own bytes. */
static void test_giant_metadata(void **state)
{
    (void)state;
    uint64_t c;
    struct world *w = open_world(5, &c);
    client_create_topic(w, c, "wide", 500);
    enum { N = 100000 };
    struct wire_metadata_request req = wire_metadata_request_default;
    req.topics = mem_zalloc(N, sizeof *req.topics);
    req.topics_n = N;
    for (int i = 0; i < N; i++)
        req.topics[i].name = SLICE_LIT("wide");
    struct wire_metadata_response *r = world_call(w, c, WIRE_METADATA, 9, &req);
    assert_non_null(r);
    assert_int_equal(r->topics_n, 1);
    assert_int_equal(r->topics[0].partitions_n, 500);
    mem_free(req.topics);
    world_free(w);
}

static void test_too_many_requests_without_an_answer(void **state)
{
    (void)state;
    struct world *w =
        world_new(&(struct world_options){.seed = 6, .governance_off = true, .unchecked = true});
    uint64_t honest = world_connect(w), c = world_connect(w);
    client_create_topic(w, honest, "t", 1);
    struct wire_fetch_request req = wire_fetch_request_default;
    struct wire_fetch_request_topic t = wire_fetch_request_topic_default;
    struct wire_fetch_request_partition p = wire_fetch_request_partition_default;
    t.topic = SLICE_LIT("t");
    t.partitions = &p;
    t.partitions_n = 1;
    req.max_wait_ms = 1000000;
    req.min_bytes = 1;
    req.topics = &t;
    req.topics_n = 1;
    for (int i = 0; i < 70000; i++)
        world_send(w, c, WIRE_FETCH, 11, &req);
    world_run_ms(w, 1000);
    assert_true(world_closed(w, c));
    assert_int_equal(client_produce_text(w, honest, "t", 0, "x").error, 0);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_version_negotiation),
        cmocka_unit_test(test_batches_that_break_the_format),
        cmocka_unit_test(test_bombs),
        cmocka_unit_test(test_random_frames),
        cmocka_unit_test(test_giant_metadata),
        cmocka_unit_test(test_too_many_requests_without_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
