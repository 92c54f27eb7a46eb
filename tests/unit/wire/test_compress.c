#include "message_tools.h"

#include "base/codec.h"
#include "base/mem.h"
#include "wire/compress.h"

#include <lz4frame.h>
#include <zstd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* Text that compresses somewhat. */
static void make_text(struct bytes *out, size_t n, uint64_t seed)
{
    static const char *const word[] = {"order", "customer", "total", "{\"id\":", "},", "broker"};
    struct test_random r = {seed};
    bytes_clear(out);
    while (out->n < n)
        bytes_printf(out, "%s %u ", word[test_random_below(&r, 6)],
                     (unsigned)test_random_below(&r, 1000));
    out->n = n;
}

static void codecs_go_both_ways(void **state)
{
    (void)state;
    static const size_t size[] = {0, 1, 7, 100, 4096, 32768, 32769, 100000, 3000000};
    struct wire_codec_scratch *scratch = wire_codec_scratch_new();
    struct bytes text = {0}, small = {0}, back = {0};
    struct err e = {0};
    for (int c = 0; c < WIRE_CODECS_N; c++) {
        for (size_t i = 0; i < sizeof(size) / sizeof(size[0]); i++) {
            make_text(&text, size[i], i + 1);
            bytes_clear(&small);
            bytes_clear(&back);
            bytes_add_str(&back, "before");
            assert_int_equal(wire_compress(c, bytes_slice(&text), &small, &e), 0);
            assert_int_equal(
                wire_decompress(c, bytes_slice(&small), size[i], i % 2 ? scratch : NULL, &back, &e),
                0);
            assert_true(slice_eq(slice_of(back.p + 6, back.n - 6), bytes_slice(&text)));
            if (c != WIRE_CODEC_NONE && size[i] > 4000)
                assert_true(small.n < size[i]);
            if (size[i] > 0) { /* one byte less room than needed */
                assert_int_equal(
                    wire_decompress(c, bytes_slice(&small), size[i] - 1, scratch, &back, &e),
                    ERR_LIMIT);
                assert_int_equal(back.n, 6 + size[i]); /* as before */
            }
        }
    }
    make_text(&text, 100000, 9);
    bytes_clear(&small);
    bytes_clear(&back);
    assert_int_equal(wire_compress_snappy_raw(bytes_slice(&text), &small, &e), 0);
    assert_int_equal(
        wire_decompress(WIRE_CODEC_SNAPPY, bytes_slice(&small), 100000, NULL, &back, &e), 0);
    assert_true(slice_eq(bytes_slice(&back), bytes_slice(&text)));
    bytes_free(&text);
    bytes_free(&small);
    bytes_free(&back);
    wire_codec_scratch_free(scratch);
}

static void damage_is_refused(void **state)
{
    (void)state;
    struct wire_codec_scratch *scratch = wire_codec_scratch_new();
    struct bytes text = {0}, small = {0}, back = {0};
    struct err e = {0};
    struct test_random r = {4};
    make_text(&text, 5000, 3);
    for (int c = WIRE_CODEC_GZIP; c < WIRE_CODECS_N; c++) {
        bytes_clear(&small);
        assert_int_equal(wire_compress(c, bytes_slice(&text), &small, &e), 0);
        for (size_t n = 0; n < small.n; n++) { /* cut off, at an exact end for the sanitizer */
            uint8_t *exact = mem_alloc(n + 1);
            memcpy(exact, small.p, n);
            int rv = wire_decompress(c, slice_of(exact, n), 5000, scratch, &back, &e);
            /* xerial's framing has no end mark: whole blocks are all right */
            assert_true(rv == ERR_INVALID || (c == WIRE_CODEC_SNAPPY && n == 16 && rv == 0));
            assert_int_equal(back.n, 0);
            mem_free(exact);
        }
        for (int i = 0; i < 2000; i++) { /* bits flipped: no crash, never more than the bound */
            size_t at = test_random_below(&r, small.n);
            uint8_t bit = (uint8_t)(1u << test_random_below(&r, 8));
            small.p[at] ^= bit;
            wire_decompress(c, bytes_slice(&small), 5000, scratch, &back, &e);
            assert_true(back.n <= 5000);
            bytes_clear(&back);
            small.p[at] ^= bit;
        }
        bytes_add_str(&small, "tail");
        assert_int_equal(wire_decompress(c, bytes_slice(&small), 9000, scratch, &back, &e),
                         ERR_INVALID);
        /* and the scratch still works */
        small.n -= 4;
        assert_int_equal(wire_decompress(c, bytes_slice(&small), 5000, scratch, &back, &e), 0);
        bytes_clear(&back);
    }
    assert_int_equal(wire_decompress(5, bytes_slice(&small), 5000, scratch, &back, &e),
                     ERR_UNSUPPORTED);
    assert_int_equal(wire_compress(5, bytes_slice(&small), &back, &e), ERR_UNSUPPORTED);
    bytes_free(&text);
    bytes_free(&small);
    bytes_free(&back);
    wire_codec_scratch_free(scratch);
}

/* 64 MB of zeros in a few bytes: refused, and no memory of that size was ever reserved. */
static void bombs_end_early(void **state)
{
    (void)state;
    enum { HUGE = 64 << 20 };
    struct wire_codec_scratch *scratch = wire_codec_scratch_new();
    struct bytes small = {0}, back = {0};
    struct err e = {0};
    uint8_t *zeros = mem_zalloc(1, HUGE);
    for (int c = WIRE_CODEC_GZIP; c < WIRE_CODECS_N; c++) {
        bytes_clear(&small);
        assert_int_equal(wire_compress(c, slice_of(zeros, HUGE), &small, &e), 0);
        bytes_free(&back);
        assert_int_equal(wire_decompress(c, bytes_slice(&small), 1 << 20, scratch, &back, &e),
                         ERR_LIMIT);
        assert_true(back.cap <= 4 << 20);
    }
    /* zstd to less than 1 / 1100: also without a bound of the caller's */
    assert_true(small.n * WIRE_RATIO_MAX + WIRE_RATIO_SLACK_BYTES < HUGE);
    assert_int_equal(
        wire_decompress(WIRE_CODEC_ZSTD, bytes_slice(&small), SIZE_MAX, scratch, &back, &e),
        ERR_LIMIT);
    mem_free(zeros);
    bytes_free(&small);
    bytes_free(&back);
    wire_codec_scratch_free(scratch);
}

/* clang-format off */
static void claims_are_not_believed(void **state)
{
    (void)state;
    static const struct {
        int codec;
        const char *text;
        int want;
    } row[] = {
        {WIRE_CODEC_SNAPPY, "ffffffff0f0000", ERR_INVALID},  /* 4 GB in 2 bytes */
        {WIRE_CODEC_SNAPPY, "82534e41505059000000000100000001ffffffff00", ERR_INVALID},
        {WIRE_CODEC_SNAPPY, "82534e41505059000000000100000001", 0}, /* no block at all */
        {WIRE_CODEC_ZSTD, "28b52ffde0ffffffffffffff7f0100000000", ERR_LIMIT}, /* 2^63 bytes */
        {WIRE_CODEC_ZSTD, "28b52ffd00a801000000", ERR_INVALID},      /* window 2 GB */
        {WIRE_CODEC_LZ4, "04224d184040c0", ERR_INVALID},             /* header only */
        {WIRE_CODEC_GZIP, "1f8b0800000000000003", ERR_INVALID},
    };
    struct bytes back = {0};
    struct err e = {0};
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        uint8_t raw[64];
        size_t n;
        assert_true(hex_get(slice_str(row[i].text), raw, sizeof(raw), &n));
        int rv = wire_decompress(row[i].codec, slice_of(raw, n), 1 << 20, NULL, &back, &e);
        if (rv != row[i].want)
            fail_msg("row %zu: %d %s", i, rv, e.msg);
        assert_true(back.cap <= 1 << 20);
    }
    bytes_free(&back);
}

/* clang-format on */

/* Frames without a size, as streaming writers make them; several frames or members in a row. */
static void streams_are_read(void **state)
{
    (void)state;
    struct bytes text = {0}, small = {0}, back = {0};
    struct err e = {0};
    make_text(&text, 300000, 5);
    ZSTD_CCtx *z = ZSTD_createCCtx();
    ZSTD_inBuffer in = {text.p, text.n, 0};
    bytes_reserve(&small, ZSTD_compressBound(text.n));
    ZSTD_outBuffer out = {small.p, ZSTD_compressBound(text.n), 0};
    assert_int_equal(ZSTD_compressStream2(z, &out, &in, ZSTD_e_flush), 0);
    assert_int_equal(ZSTD_compressStream2(z, &out, &in, ZSTD_e_end), 0);
    small.n = out.pos;
    assert_true(ZSTD_getFrameContentSize(small.p, small.n) == ZSTD_CONTENTSIZE_UNKNOWN);
    assert_int_equal(wire_decompress(WIRE_CODEC_ZSTD, bytes_slice(&small), text.n, NULL, &back, &e),
                     0);
    assert_true(slice_eq(bytes_slice(&back), bytes_slice(&text)));
    assert_int_equal(
        wire_decompress(WIRE_CODEC_ZSTD, bytes_slice(&small), text.n - 1, NULL, &back, &e),
        ERR_LIMIT);
    ZSTD_freeCCtx(z);

    for (int c = WIRE_CODEC_GZIP; c <= WIRE_CODEC_ZSTD; c += 3) {
        bytes_clear(&small);
        bytes_clear(&back);
        assert_int_equal(wire_compress(c, SLICE_LIT("first "), &small, &e), 0);
        assert_int_equal(wire_compress(c, SLICE_LIT("second"), &small, &e), 0);
        assert_int_equal(wire_decompress(c, bytes_slice(&small), 100, NULL, &back, &e), 0);
        assert_true(slice_eq_str(bytes_slice(&back), "first second"));
    }
    bytes_free(&text);
    bytes_free(&small);
    bytes_free(&back);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codecs_go_both_ways), cmocka_unit_test(damage_is_refused),
        cmocka_unit_test(bombs_end_early),     cmocka_unit_test(claims_are_not_believed),
        cmocka_unit_test(streams_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
