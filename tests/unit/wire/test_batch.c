#include "message_tools.h"

#include "base/codec.h"
#include "base/mem.h"
#include "wire/batch.h"
#include "wire/crc32c.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define TIME 1700000000000

static void add_records(struct wire_batch_builder *bb, int n)
{
    struct wire_record_header header[] = {
        {SLICE_LIT("trace"), SLICE_LIT("1")},
        {SLICE_LIT("empty"), SLICE_NULL},
        {SLICE_LIT("trace"), SLICE_LIT("2")},
    };
    for (int i = 0; i < n; i++)
        wire_batch_builder_add(bb, TIME + (i % 2 ? -i : i), i % 3 ? SLICE_LIT("key") : SLICE_NULL,
                               i % 4 ? SLICE_LIT("some value") : SLICE_NULL, header,
                               (size_t)(i % 4));
}

static void make_batch(int codec, int n, struct bytes *out)
{
    struct err e = {0};
    struct wire_batch_builder bb;
    wire_batch_builder_init(&bb, codec);
    add_records(&bb, n);
    assert_int_equal(wire_batch_builder_finish(&bb, out, &e), 0);
    wire_batch_builder_free(&bb);
}

static int check_bytes(struct slice in, struct wire_batch *b)
{
    struct err e = {0};
    int rv = wire_batch_parse(in, b, &e);
    return rv == 0 ? wire_batch_check(b, &e) : rv;
}

/* Walks all records; 0, or the error. */
static int walk(const struct wire_batch *b, struct slice records, bool consecutive, int *n)
{
    struct err e = {0};
    struct wire_record_iter it;
    struct wire_record r;
    int rv;
    *n = 0;
    wire_record_iter_init(&it, records, b, consecutive);
    while ((rv = wire_record_next(&it, &r, &e)) == 1)
        (*n)++;
    assert_true(rv == 0 || e.msg[0] != '\0');
    return rv;
}

static void built_batches_read_back(void **state)
{
    (void)state;
    struct wire_codec_scratch *codec = wire_codec_scratch_new();
    struct bytes scratch = {0};
    for (int c = 0; c < WIRE_CODECS_N; c++) {
        struct bytes out = {0};
        struct err e = {0};
        struct wire_batch b;
        struct slice records;
        struct wire_record_iter it;
        struct wire_record r;
        make_batch(c, 100, &out);
        assert_int_equal(check_bytes(bytes_slice(&out), &b), 0);
        assert_int_equal(b.records_count, 100);
        assert_int_equal(wire_batch_last_offset(&b), 99);
        assert_int_equal(b.base_timestamp, TIME);
        assert_int_equal(b.max_timestamp, TIME + 98);
        assert_int_equal(b.producer_id, -1);
        assert_int_equal(wire_batch_codec(&b), c);
        assert_int_equal(wire_batch_records(&b, 1 << 20, codec, &scratch, &records, &e), 0);
        wire_record_iter_init(&it, records, &b, true);
        for (int i = 0; i < 100; i++) {
            assert_int_equal(wire_record_next(&it, &r, &e), 1);
            assert_int_equal(r.index, i);
            assert_int_equal(r.timestamp_delta, i % 2 ? -i : i);
            assert_int_equal(r.headers_count, i % 4);
            assert_true(i % 3 ? slice_eq_str(r.key, "key") : !r.key.p);
            assert_true(i % 4 ? slice_eq_str(r.value, "some value") : !r.value.p);
            struct slice v;
            assert_int_equal(wire_record_header_find(&r, "trace", &v), i % 4 > 0);
            if (i % 4 == 3)
                assert_true(slice_eq_str(v, "2")); /* the last one counts */
            assert_false(wire_record_header_find(&r, "none", &v));
        }
        assert_int_equal(wire_record_next(&it, &r, &e), 0);
        bytes_free(&out);
    }
    bytes_free(&scratch);
    wire_codec_scratch_free(codec);
}

static void offsets_and_epochs_are_patched(void **state)
{
    (void)state;
    struct bytes out = {0};
    struct wire_batch b;
    make_batch(WIRE_CODEC_NONE, 3, &out);
    wire_batch_set_base_offset(out.p, 0x123456789abLL);
    wire_batch_set_leader_epoch(out.p, 42);
    assert_int_equal(check_bytes(bytes_slice(&out), &b), 0); /* the CRC does not cover them */
    assert_int_equal(b.base_offset, 0x123456789abLL);
    assert_int_equal(b.partition_leader_epoch, 42);

    wire_batch_set_log_append_time(out.p, out.n, TIME + 5000);
    struct err e = {0};
    assert_int_equal(wire_batch_parse(bytes_slice(&out), &b, &e), 0);
    assert_true(wire_batch_crc_ok(&b));
    assert_int_equal(b.max_timestamp, TIME + 5000);
    assert_true(b.attributes & WIRE_BATCH_LOG_APPEND_TIME);
    assert_int_equal(wire_batch_check(&b, &e), ERR_INVALID); /* not the client's to set */
    bytes_free(&out);
}

static void producer_fields_travel(void **state)
{
    (void)state;
    struct err e = {0};
    struct bytes out = {0};
    struct wire_batch b;
    struct wire_batch_builder bb;
    wire_batch_builder_init(&bb, WIRE_CODEC_NONE);
    bb.producer_id = 9;
    bb.producer_epoch = 2;
    bb.base_sequence = INT32_MAX - 1;
    add_records(&bb, 3);
    assert_int_equal(wire_batch_builder_finish(&bb, &out, &e), 0);
    assert_int_equal(check_bytes(bytes_slice(&out), &b), 0);
    assert_int_equal(b.producer_id, 9);
    assert_int_equal(b.producer_epoch, 2);
    assert_int_equal(b.base_sequence, INT32_MAX - 1);
    assert_int_equal(bb.base_sequence, 1); /* wraps to 0 */
    wire_batch_builder_free(&bb);
    bytes_free(&out);
}

static void put_crc(struct bytes *b)
{
    be32_put(b->p + 17, wire_crc32c(0, b->p + 21, b->n - 21));
}

/* clang-format off */
/* One header field changed, CRC made right again: the check finds it. */
static void header_rules_hold(void **state)
{
    (void)state;
    static const struct {
        int at, bytes;
        int64_t value;
        int want;
    } bad[] = {
        {8, 4, 48, ERR_INVALID},          /* length below the header's */
        {8, 4, -1, ERR_INVALID},
        {8, 4, INT32_MAX, ERR_INVALID},   /* beyond the input */
        {16, 1, 1, ERR_UNSUPPORTED},      /* magic */
        {16, 1, 0, ERR_UNSUPPORTED},
        {21, 2, 5, ERR_UNSUPPORTED},      /* codec */
        {21, 2, 0x100, ERR_INVALID},      /* unknown attribute */
        {21, 2, 0x20, ERR_INVALID},       /* control */
        {21, 2, 0x08, ERR_INVALID},       /* log append time */
        {21, 2, 0x10, ERR_INVALID},       /* transactional without a producer */
        {23, 4, 3, ERR_INVALID},          /* last offset delta */
        {23, 4, -1, ERR_INVALID},
        {43, 8, -2, ERR_INVALID},         /* producer id */
        {43, 8, 5, ERR_INVALID},          /* with epoch and sequence -1 */
        {57, 4, 0, ERR_INVALID},          /* count */
        {57, 4, -5, ERR_INVALID},
        {57, 4, INT32_MAX, ERR_INVALID},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct bytes out = {0};
        struct wire_batch b;
        make_batch(WIRE_CODEC_NONE, 3, &out);
        for (int k = 0; k < bad[i].bytes; k++)
            out.p[bad[i].at + k] = (uint8_t)(bad[i].value >> (8 * (bad[i].bytes - 1 - k)));
        put_crc(&out);
        if (check_bytes(bytes_slice(&out), &b) != bad[i].want)
            fail_msg("row %zu: %d", i, check_bytes(bytes_slice(&out), &b));
        bytes_free(&out);
    }
}

/* clang-format on */

static void every_flipped_bit_is_found(void **state)
{
    (void)state;
    struct bytes out = {0};
    struct wire_batch b;
    make_batch(WIRE_CODEC_NONE, 3, &out);
    for (size_t bit = 0; bit < out.n * 8; bit++) {
        if (bit / 8 < 8 || (bit / 8 >= 12 && bit / 8 < 16))
            continue; /* base offset and leader epoch are not covered */
        out.p[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        assert_int_not_equal(check_bytes(bytes_slice(&out), &b), 0);
        out.p[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    for (size_t n = 0; n < out.n; n++)
        assert_int_not_equal(check_bytes(slice_of(out.p, n), &b), 0);
    bytes_free(&out);
}

/* Whatever the records' bytes say, walking ends, and only the true ones pass as well formed with
 * the same count. */
static void damaged_records_are_refused(void **state)
{
    (void)state;
    struct bytes out = {0};
    struct wire_batch b;
    int n;
    make_batch(WIRE_CODEC_NONE, 6, &out);
    assert_int_equal(check_bytes(bytes_slice(&out), &b), 0);
    uint8_t *copy = mem_alloc(b.records.n);
    for (size_t len = 0; len < b.records.n; len++) {
        uint8_t *exact = mem_alloc(len + 1);
        memcpy(exact, b.records.p, len);
        assert_int_equal(walk(&b, slice_of(exact, len), true, &n), ERR_INVALID);
        mem_free(exact);
    }
    for (size_t bit = 0; bit < b.records.n * 8; bit++) {
        memcpy(copy, b.records.p, b.records.n);
        copy[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        walk(&b, slice_of(copy, b.records.n), true, &n);
        assert_true(n <= 6);
    }
    mem_free(copy);
    assert_int_equal(walk(&b, SLICE_NULL, true, &n), ERR_INVALID);
    b.records_count = 5; /* bytes behind the last */
    b.last_offset_delta = 4;
    assert_int_equal(walk(&b, b.records, true, &n), ERR_INVALID);
    bytes_free(&out);
}

static int walk_hand(const char *text, int32_t count, int32_t last, bool consecutive)
{
    uint8_t raw[256];
    size_t n;
    int seen;
    assert_true(hex_get(slice_str(text), raw, sizeof(raw), &n));
    struct wire_batch b = {.records_count = count, .last_offset_delta = last};
    return walk(&b, slice_of(raw, n), consecutive, &seen);
}

/* clang-format off */
static void record_rules_by_hand(void **state)
{
    (void)state;
    /* length 6: attributes 0, time 0, offset 0, key null, value null, no headers */
    assert_int_equal(walk_hand("0c000000010100", 1, 0, true), 0);
    assert_int_equal(walk_hand("0c000000010100" "0c000002010100", 2, 1, true), 0);
    assert_int_equal(walk_hand("0c000000010100" "0c000004010100", 2, 2, false), 0); /* a gap */
    static const struct {
        const char *text;
        int32_t count, last;
        bool consecutive;
    } bad[] = {
        {"0c000000010100" "0c000004010100", 2, 2, true},  /* a gap */
        {"0c000000010100" "0c000000010100", 2, 1, true},  /* twice the same */
        {"0c000000010100" "0c000000010100", 2, 1, false}, /* not growing */
        {"0c000000010100" "0c000001010100", 2, 1, false}, /* negative */
        {"0c000000010100" "0c000006010100", 2, 2, false}, /* beyond the header's last */
        {"0c000000010100", 1, 1, true},                   /* short of it */
        {"0e00000001010000", 1, 0, true},                 /* a byte more than its fields */
        {"0a0000000101", 1, 0, true},                     /* a byte less */
        {"0c000000030100", 1, 0, true},                   /* key length -2 */
        {"0c0000000e0100", 1, 0, true},                   /* key longer than the record */
        {"0c000000010101", 1, 0, true},                   /* -1 headers */
        {"0c000000010102", 1, 0, true},                   /* header cut off */
        {"10000000010102" "0101", 1, 0, true},            /* header key null */
        {"0b000000010100", 1, 0, true},                   /* negative length */
        {"ffffffff7f000000010100", 1, 0, true},           /* length of five bytes, too much */
        {"00", 1, 0, true},                               /* empty record */
        {"", 1, 0, true},
        {"0c000000010100" "00", 1, 0, true},              /* bytes behind the last */
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (walk_hand(bad[i].text, bad[i].count, bad[i].last, bad[i].consecutive) != ERR_INVALID)
            fail_msg("row %zu is accepted", i);
    }
    assert_int_equal(walk_hand("10000000010102" "0001", 1, 0, true), 0); /* header "" = null */
}

/* clang-format on */

static void crc_vectors(void **state)
{
    (void)state;
    uint8_t b[48]; /* RFC 3720 B.4 */
    memset(b, 0, 32);
    assert_int_equal(wire_crc32c(0, b, 32), 0x8a9136aa);
    memset(b, 0xff, 32);
    assert_int_equal(wire_crc32c(0, b, 32), 0x62a8ab43);
    for (uint8_t i = 0; i < 32; i++)
        b[i] = i;
    assert_int_equal(wire_crc32c(0, b, 32), 0x46dd794e);
    for (uint8_t i = 0; i < 32; i++)
        b[i] = (uint8_t)(31 - i);
    assert_int_equal(wire_crc32c(0, b, 32), 0x113fdb5c);
    static const uint8_t scsi_read[48] = {0x01, 0xc0, 0, 0,    0,    0, 0, 0,    0,    0, 0,    0,
                                          0,    0,    0, 0,    0x14, 0, 0, 0,    0,    0, 0x04, 0,
                                          0,    0,    0, 0x14, 0,    0, 0, 0x18, 0x28, 0, 0,    0,
                                          0,    0,    0, 0,    0x02, 0, 0, 0,    0,    0, 0,    0};
    assert_int_equal(wire_crc32c(0, scsi_read, 48), 0xd9963a56);
    assert_int_equal(wire_crc32c_portable(0, scsi_read, 48), 0xd9963a56);
    assert_int_equal(wire_crc32c(0, "123456789", 9), 0xe3069283);
    assert_int_equal(wire_crc32c(0, b, 0), 0);
}

/* The lanes, the tables and a loop over bits agree at all lengths, alignments and splits. */
static void crc_paths_agree(void **state)
{
    (void)state;
    enum { N = 40000 };
    struct test_random r = {5};
    uint8_t *p = mem_alloc(N);
    for (size_t i = 0; i < N; i++)
        p[i] = (uint8_t)test_random_next(&r);
    uint32_t crc = 0xffffffff; /* bit by bit */
    for (size_t i = 0; i < 1000; i++) {
        crc ^= p[i];
        for (int k = 0; k < 8; k++)
            crc = (crc >> 1) ^ (0x82f63b78u & -(crc & 1));
    }
    assert_int_equal(wire_crc32c(0, p, 1000), ~crc);
    for (int i = 0; i < 3000; i++) {
        size_t from = test_random_below(&r, 16), n = test_random_below(&r, N - 16);
        if (i < 2000)
            n = (size_t)i;
        size_t split = n ? test_random_below(&r, n) : 0;
        uint32_t want = wire_crc32c_portable(0, p + from, n);
        assert_int_equal(wire_crc32c(0, p + from, n), want);
        uint32_t first = wire_crc32c(0, p + from, split);
        assert_int_equal(wire_crc32c(first, p + from + split, n - split), want);
    }
    mem_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(built_batches_read_back),
        cmocka_unit_test(offsets_and_epochs_are_patched),
        cmocka_unit_test(producer_fields_travel),
        cmocka_unit_test(header_rules_hold),
        cmocka_unit_test(every_flipped_bit_is_found),
        cmocka_unit_test(damaged_records_are_refused),
        cmocka_unit_test(record_rules_by_hand),
        cmocka_unit_test(crc_vectors),
        cmocka_unit_test(crc_paths_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
