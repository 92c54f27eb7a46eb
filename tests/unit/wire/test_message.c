#include "message_tools.h"

#include "base/codec.h"
#include "base/mem.h"
#include "wire/api.h"
#include "wire/error.h"
#include "wire/header.h"
#include "wire/message.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct slice hex(const char *text, struct arena *a)
{
    size_t n = strlen(text);
    uint8_t *p = arena_alloc(a, n / 2 + 1);
    assert_true(hex_get(slice_of(text, n), p, n / 2, &n));
    return slice_of(p, n);
}

/* Calls f for each message in each version that the codec knows. */
typedef void message_fn(const struct wire_api *api, int16_t version, bool response, void *arg);
static void for_each_message(message_fn *f, void *arg)
{
    for (size_t i = 0; i < wire_apis_n; i++) {
        for (int16_t v = wire_api[i].codec_first; v <= wire_api[i].codec_last; v++) {
            f(&wire_api[i], v, false, arg);
            f(&wire_api[i], v, true, arg);
        }
    }
}

static int encode(const struct wire_api *api, int16_t v, bool response, const void *m,
                  struct bytes *out)
{
    return (response ? wire_encode_response : wire_encode_request)(api->key, v, m, out);
}

static int decode(const struct wire_api *api, int16_t v, bool response, struct slice in,
                  struct arena *a, void **out, struct err *e)
{
    return (response ? wire_decode_response : wire_decode_request)(api->key, v, in, a, out, e);
}

static void check_struct(const struct wire_struct *s, int depth)
{
    int16_t tag = -1;
    assert_true(depth < 8);
    assert_true(s->about[0] != '\0');
    for (size_t i = 0; i < s->fields_n; i++) {
        const struct wire_field *f = &s->field[i];
        assert_true(f->about[0] != '\0');
        assert_true(f->first <= f->last);
        assert_true(f->offset + 1 <= s->size_bytes);
        if (f->tag >= 0) {
            assert_true(f->tag > tag); /* the encoder relies on it */
            tag = f->tag;
            assert_int_not_equal(f->shape, WIRE_SHAPE_POINTER);
            assert_int_not_equal(f->type, WIRE_TYPE_RECORDS);
        }
        if (f->type != WIRE_TYPE_STRUCT)
            continue;
        check_struct(f->object(), depth + 1);
        if (f->shape == WIRE_SHAPE_ONE) { /* stands in place: same defaults as on its own */
            struct bytes a = {0}, b = {0};
            message_dump(f->object(), f->first, (const uint8_t *)s->dflt + f->offset, &a);
            message_dump(f->object(), f->first, f->object()->dflt, &b);
            assert_string_equal(bytes_cstr(&a), bytes_cstr(&b));
            bytes_free(&a);
            bytes_free(&b);
        }
    }
}

static void declarations_are_sound(void **state)
{
    (void)state;
    for (size_t i = 0; i < wire_apis_n; i++) {
        const struct wire_api *api = &wire_api[i];
        check_struct(wire_describe(api->key, false), 0);
        check_struct(wire_describe(api->key, true), 0);
        assert_true(i == 0 || api->key > wire_api[i - 1].key);
        assert_true(api->codec_first <= api->first || api->codec_first <= api->served_first);
        assert_true(api->first <= api->served_first);
        assert_true(api->last <= api->codec_last);
        assert_ptr_equal(wire_api_find(api->key), api);
        assert_true(wire_api_serves(api->key, api->last));
        assert_false(wire_api_serves(api->key, (int16_t)(api->last + 1)));
        assert_false(wire_api_serves(api->key, (int16_t)(api->served_first - 1)));
    }
    assert_null(wire_api_find(4));
    assert_null(wire_describe(4, false));
    assert_false(wire_api_serves(WIRE_PRODUCE, 2));
    assert_true(wire_api_find(WIRE_PRODUCE)->first == 0);
}

static void errors_have_names(void **state)
{
    (void)state;
    assert_int_equal(WIRE_E_INVALID_RECORD, 87);
    assert_string_equal(wire_error_name(87), "INVALID_RECORD");
    assert_string_equal(wire_error_name(-1), "UNKNOWN_SERVER_ERROR");
    assert_string_equal(wire_error_name(9999), "UNKNOWN");
    assert_true(wire_error_is_retriable(WIRE_E_NOT_ENOUGH_REPLICAS));
    assert_true(wire_error_is_retriable(WIRE_E_CORRUPT_MESSAGE));
    assert_false(wire_error_is_retriable(WIRE_E_INVALID_RECORD));
    assert_false(wire_error_is_retriable(WIRE_E_POLICY_VIOLATION));
}

static void round_trip(const struct wire_api *api, int16_t v, bool response, void *arg)
{
    struct test_random *r = arg;
    const struct wire_struct *s = wire_describe(api->key, response);
    struct arena a;
    struct bytes one = {0}, two = {0}, want = {0}, got = {0};
    struct err e = {0};
    arena_init(&a, 0);
    void *m = message_fill(r, s, v, 3, &a), *back;
    assert_int_equal(encode(api, v, response, m, &one), 0);
    if (decode(api, v, response, bytes_slice(&one), &a, &back, &e) != 0)
        fail_msg("%s %d: %s", api->name, v, e.msg);
    message_dump(s, v, m, &want);
    message_dump(s, v, back, &got);
    assert_string_equal(bytes_cstr(&want), bytes_cstr(&got));
    assert_int_equal(encode(api, v, response, back, &two), 0);
    assert_true(slice_eq(bytes_slice(&one), bytes_slice(&two)));
    bytes_free(&one);
    bytes_free(&two);
    bytes_free(&want);
    bytes_free(&got);
    arena_free(&a);
}

static void what_is_encoded_is_decoded(void **state)
{
    (void)state;
    struct test_random r = {1};
    for (int i = 0; i < 30; i++)
        for_each_message(round_trip, &r);
}

/* No strict prefix of a message is a message, none crashes the decoder, and each is refused. */
static void cut_off(const struct wire_api *api, int16_t v, bool response, void *arg)
{
    struct arena a;
    struct bytes out = {0};
    struct err e;
    arena_init(&a, 0);
    void *m = message_fill(arg, wire_describe(api->key, response), v, 2, &a), *back;
    assert_int_equal(encode(api, v, response, m, &out), 0);
    for (size_t n = 0; n < out.n; n++) {
        uint8_t *exact = mem_alloc(n + 1); /* so that the sanitizer sees the end */
        memcpy(exact, out.p, n);
        assert_int_equal(decode(api, v, response, slice_of(exact, n), &a, &back, &e), ERR_INVALID);
        mem_free(exact);
    }
    bytes_add_u8(&out, 0); /* one too many */
    assert_int_equal(decode(api, v, response, bytes_slice(&out), &a, &back, &e),
                     response ? ERR_INVALID : 0);
    bytes_free(&out);
    arena_free(&a);
}

static void prefixes_are_refused(void **state)
{
    (void)state;
    struct test_random r = {2};
    for_each_message(cut_off, &r);
}

static void bit_flips(const struct wire_api *api, int16_t v, bool response, void *arg)
{
    struct test_random *r = arg;
    struct arena a;
    struct bytes out = {0}, again = {0};
    struct err e;
    arena_init(&a, 1 << 20);
    void *m = message_fill(r, wire_describe(api->key, response), v, 2, &a), *back;
    assert_int_equal(encode(api, v, response, m, &out), 0);
    for (int i = 0; i < 40 && out.n > 0; i++) {
        size_t at = test_random_below(r, out.n);
        uint8_t bit = (uint8_t)(1u << test_random_below(r, 8));
        out.p[at] ^= bit;
        arena_reset(&a);
        if (decode(api, v, response, bytes_slice(&out), &a, &back, &e) == 0)
            assert_int_equal(encode(api, v, response, back, &again), 0);
        out.p[at] ^= bit;
    }
    bytes_free(&out);
    bytes_free(&again);
    arena_free(&a);
}

static void flipped_bits_do_no_harm(void **state)
{
    (void)state;
    struct test_random r = {3};
    for_each_message(bit_flips, &r);
}

/* From KIP-511 and KIP-482 by hand: name "a", version "b", no tagged fields. */
static void a_flexible_request_by_hand(void **state)
{
    (void)state;
    struct arena a;
    struct err e = {0};
    void *m;
    arena_init(&a, 0);
    assert_int_equal(wire_decode_request(WIRE_API_VERSIONS, 3, hex("0261026200", &a), &a, &m, &e),
                     0);
    struct wire_api_versions_request *r = m;
    assert_true(slice_eq_str(r->client_software_name, "a"));
    assert_true(slice_eq_str(r->client_software_version, "b"));

    /* one unknown tag 5 of 2 bytes is skipped */
    assert_int_equal(
        wire_decode_request(WIRE_API_VERSIONS, 3, hex("02610262010502ffff", &a), &a, &m, &e), 0);
    /* tags out of order, a tag's size beyond the end, null in a field that cannot be null */
    static const char *const bad[] = {"026102620205000500", "026102620205000400",
                                      "02610262010505ff", "0061", "00026200"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(wire_decode_request(WIRE_API_VERSIONS, 3, hex(bad[i], &a), &a, &m, &e),
                         ERR_INVALID);
    arena_free(&a);
}

/* clang-format off */
static void tagged_fields_by_hand(void **state)
{
    (void)state;
    struct arena a;
    struct bytes out = {0};
    arena_init(&a, 0);
    struct wire_produce_response_partition p = wire_produce_response_partition_default;
    struct wire_produce_response_topic t = wire_produce_response_topic_default;
    struct wire_produce_response r = wire_produce_response_default;
    p.index = 1;
    p.error_code = WIRE_E_NOT_LEADER_OR_FOLLOWER;
    p.base_offset = -1;
    p.current_leader = (struct wire_produce_response_leader){.leader_id = 2, .leader_epoch = 3};
    t.name = SLICE_LIT("x");
    t.partition_responses = &p;
    t.partition_responses_n = 1;
    r.responses = &t;
    r.responses_n = 1;
    assert_int_equal(wire_encode_response(WIRE_PRODUCE, 10, &r, &out), 0);
    struct slice want = hex("02" "0278" "02" "00000001" "0006" "ffffffffffffffff"
                            "ffffffffffffffff" "ffffffffffffffff" "01" "00"
                            "01" "00" "09" "00000002" "00000003" "00" /* tag 0, 9 bytes */
                            "00" "00000000" "00", &a);
    assert_true(slice_eq(bytes_slice(&out), want));

    /* version 9 knows no leader: the same without it */
    bytes_clear(&out);
    assert_int_equal(wire_encode_response(WIRE_PRODUCE, 9, &r, &out), 0);
    assert_int_equal(out.n, want.n - 11);
    bytes_free(&out);
    arena_free(&a);
}

/* clang-format on */

/* As librdkafka 2.15.1 sends it: null topics, three surplus bytes in the middle of its intentions.
 */
static void librdkafkas_metadata_is_read(void **state)
{
    (void)state;
    struct arena a;
    struct err e = {0};
    void *m;
    arena_init(&a, 0);
    assert_int_equal(wire_decode_request(WIRE_METADATA, 12, hex("00000000010000", &a), &a, &m, &e),
                     0);
    assert_int_equal(((struct wire_metadata_request *)m)->topics_n, -1);
    arena_free(&a);
}

static void counts_are_checked_before_memory(void **state)
{
    (void)state;
    struct arena a;
    struct err e = {0};
    void *m;
    arena_init(&a, 4096);
    /* Metadata 1: 2^31-1 topics in 4 bytes; -2 topics; Metadata 9: 2^28 topics */
    assert_int_equal(wire_decode_request(WIRE_METADATA, 1, hex("7fffffff00000000", &a), &a, &m, &e),
                     ERR_INVALID);
    assert_int_equal(wire_decode_request(WIRE_METADATA, 1, hex("fffffffe", &a), &a, &m, &e),
                     ERR_INVALID);
    assert_int_equal(wire_decode_request(WIRE_METADATA, 9, hex("ffffffff7f000000", &a), &a, &m, &e),
                     ERR_INVALID);
    assert_int_equal(
        wire_decode_request(WIRE_METADATA, 9, hex("ffffffffffffffffff01", &a), &a, &m, &e),
        ERR_INVALID);
    /* as many as the bytes allow, but more memory than the arena gives */
    struct bytes many = {0};
    bytes_add_be32(&many, 1000);
    for (int i = 0; i < 1000; i++)
        bytes_add_be16(&many, 0);
    assert_int_equal(wire_decode_request(WIRE_METADATA, 1, bytes_slice(&many), &a, &m, &e),
                     ERR_LIMIT);
    assert_true(a.used_bytes <= 4096);
    arena_free(&a);
    /* and the decoder has a bound of its own */
    arena_init(&a, 0);
    bytes_clear(&many);
    bytes_add_be32(&many, 1000000);
    bytes_reserve(&many, 2000000);
    memset(many.p + many.n, 0, 2000000);
    many.n += 2000000;
    assert_int_equal(wire_decode_request(WIRE_METADATA, 1, bytes_slice(&many), &a, &m, &e),
                     ERR_LIMIT);
    assert_true(a.used_bytes <= WIRE_DECODE_MAX_BYTES + 4096);
    bytes_free(&many);
    arena_free(&a);
}

static void unknown_versions_are_refused(void **state)
{
    (void)state;
    struct arena a;
    struct err e = {0};
    struct bytes out = {0};
    void *m;
    arena_init(&a, 0);
    assert_int_equal(wire_decode_request(WIRE_METADATA, 99, SLICE_NULL, &a, &m, &e),
                     ERR_UNSUPPORTED);
    assert_int_equal(wire_decode_request(4, 0, SLICE_NULL, &a, &m, &e), ERR_UNSUPPORTED);
    assert_int_equal(wire_decode_request(WIRE_METADATA, -1, SLICE_NULL, &a, &m, NULL),
                     ERR_UNSUPPORTED);
    assert_int_equal(wire_encode_response(4, 0, &out, &out), ERR_UNSUPPORTED);
    assert_int_equal(out.n, 0);
    /* an empty body is a body: ApiVersions 0 */
    assert_int_equal(wire_decode_request(WIRE_API_VERSIONS, 0, SLICE_NULL, &a, &m, &e), 0);
    arena_free(&a);
}

static void long_strings_are_refused(void **state)
{
    (void)state;
    struct bytes out = {0};
    static uint8_t text[32768];
    bytes_add_str(&out, "before");
    struct wire_describe_cluster_response r = wire_describe_cluster_response_default;
    r.cluster_id = slice_of(text, 32768);
    assert_int_equal(wire_encode_response(WIRE_DESCRIBE_CLUSTER, 0, &r, &out), ERR_LIMIT);
    assert_int_equal(out.n, 6); /* cut back */
    r.cluster_id.n = 32767;
    assert_int_equal(wire_encode_response(WIRE_DESCRIBE_CLUSTER, 0, &r, &out), 0);
    bytes_free(&out);
}

static void fetch_response(struct wire_fetch_response *r, struct wire_fetch_response_topic *t,
                           struct wire_fetch_response_partition p[3])
{
    *r = wire_fetch_response_default;
    *t = wire_fetch_response_topic_default;
    for (int32_t i = 0; i < 3; i++) {
        p[i] = wire_fetch_response_partition_default;
        p[i].partition_index = i;
    }
    p[0].records = SLICE_LIT("abc");
    p[1].records = SLICE_LIT("");
    p[2].records = SLICE_LIT("defgh");
    t->topic = SLICE_LIT("t");
    t->partitions = p;
    t->partitions_n = 3;
    r->responses = t;
    r->responses_n = 1;
}

static void records_can_be_cut_out(void **state)
{
    (void)state;
    struct wire_fetch_response r;
    struct wire_fetch_response_topic t;
    struct wire_fetch_response_partition p[3];
    struct wire_cut cut[2];
    size_t cuts_n;
    fetch_response(&r, &t, p);
    for (int16_t v = 4; v <= 12; v++) {
        struct bytes whole = {0}, parts = {0}, joined = {0};
        assert_int_equal(wire_encode_response(WIRE_FETCH, v, &r, &whole), 0);
        assert_int_equal(wire_encode_response_cut(WIRE_FETCH, v, &r, &parts, cut, 2, &cuts_n), 0);
        assert_int_equal(cuts_n, 2); /* the empty records need none */
        assert_int_equal(parts.n, whole.n - 8);
        size_t at = 0;
        for (size_t i = 0; i < cuts_n; i++) {
            bytes_add(&joined, parts.p + at, cut[i].at - at);
            bytes_add_slice(&joined, cut[i].records);
            at = cut[i].at;
        }
        bytes_add(&joined, parts.p + at, parts.n - at);
        assert_true(slice_eq(bytes_slice(&joined), bytes_slice(&whole)));
        bytes_clear(&parts);
        assert_int_equal(wire_encode_response_cut(WIRE_FETCH, v, &r, &parts, cut, 1, &cuts_n),
                         ERR_LIMIT);
        bytes_free(&whole);
        bytes_free(&parts);
        bytes_free(&joined);
    }
}

static void headers_go_both_ways(void **state)
{
    (void)state;
    struct err e = {0};
    for (size_t i = 0; i < wire_apis_n; i++) {
        for (int16_t v = wire_api[i].codec_first; v <= wire_api[i].codec_last; v++) {
            struct bytes out = {0};
            struct wire_request_header h = {wire_api[i].key, v, 77, SLICE_LIT("me")}, back;
            struct slice body;
            size_t start = wire_begin_request(&out, &h);
            bytes_add_str(&out, "body");
            wire_end_frame(&out, start, 0);
            assert_int_equal(be32_get(out.p), out.n - 4);
            struct slice frame = slice_of(out.p + 4, out.n - 4);
            assert_int_equal(wire_decode_request_header(frame, &back, &body, &e), 0);
            assert_int_equal(back.correlation_id, 77);
            assert_true(slice_eq_str(back.client_id, "me"));
            assert_true(slice_eq_str(body, "body"));

            bytes_clear(&out);
            int32_t id;
            start = wire_begin_response(&out, h.api_key, v, 78);
            bytes_add_str(&out, "body");
            wire_end_frame(&out, start, 100);
            assert_int_equal(be32_get(out.p), out.n - 4 + 100);
            frame = slice_of(out.p + 4, out.n - 4);
            assert_int_equal(wire_decode_response_header(frame, h.api_key, v, &id, &body, &e), 0);
            assert_int_equal(id, 78);
            assert_true(slice_eq_str(body, "body"));
            bytes_free(&out);
        }
    }
}

/* clang-format off */
static void bad_headers_are_refused(void **state)
{
    (void)state;
    struct arena a;
    struct err e = {0};
    struct wire_request_header h;
    struct slice body;
    arena_init(&a, 0);
    static const char *const bad[] = {
        "", "0003", "000300010000000700", /* no client id length */
        "0003000100000007000261",         /* client id cut off */
        "0003000100000007fffe",           /* length -2 */
        "0003000900000007ffff",           /* flexible, no tagged fields */
        "0003000900000007ffff010061",     /* a tag cut off */
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(wire_decode_request_header(hex(bad[i], &a), &h, &body, &e), ERR_INVALID);
    /* null client id; an unknown tag; ApiVersions from the future */
    assert_int_equal(
        wire_decode_request_header(hex("0003000100000007ffff", &a), &h, &body, &e), 0);
    assert_null(h.client_id.p);
    assert_int_equal(
        wire_decode_request_header(hex("0003000900000007ffff01050161aa", &a), &h, &body, &e), 0);
    assert_int_equal(body.n, 1);
    assert_int_equal(
        wire_decode_request_header(hex("00127fff00000007ffff99999999", &a), &h, &body, &e), 0);
    assert_int_equal(h.api_version, 32767);
    assert_int_equal(body.n, 0);
    arena_free(&a);
}

/* clang-format on */

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(declarations_are_sound),
        cmocka_unit_test(errors_have_names),
        cmocka_unit_test(what_is_encoded_is_decoded),
        cmocka_unit_test(prefixes_are_refused),
        cmocka_unit_test(flipped_bits_do_no_harm),
        cmocka_unit_test(a_flexible_request_by_hand),
        cmocka_unit_test(tagged_fields_by_hand),
        cmocka_unit_test(librdkafkas_metadata_is_read),
        cmocka_unit_test(counts_are_checked_before_memory),
        cmocka_unit_test(unknown_versions_are_refused),
        cmocka_unit_test(long_strings_are_refused),
        cmocka_unit_test(records_can_be_cut_out),
        cmocka_unit_test(headers_go_both_ways),
        cmocka_unit_test(bad_headers_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
