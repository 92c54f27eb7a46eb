#include "base/codec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static void varints(void **state)
{
    (void)state;
    static const uint64_t values[] = {
        0,         1,         127, 128, 300, 16383, 16384, UINT32_MAX, (uint64_t)UINT32_MAX + 1,
        INT64_MAX, UINT64_MAX};
    uint8_t text[10];
    uint64_t v;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        size_t n = varint_put(text, values[i]);
        assert_int_equal(n, varint_size(values[i]));
        assert_int_equal(varint_get(text, text + n, 10, &v), n);
        assert_true(v == values[i]);
        for (size_t cut = 0; cut < n; cut++)
            assert_int_equal(varint_get(text, text + cut, 10, &v), 0);
        assert_int_equal(varint_get(text, text + n, 5, &v), values[i] <= UINT32_MAX ? n : 0);
    }
    /* Protocol Buffers, "Encoding": 150 is 96 01. */
    assert_int_equal(varint_put(text, 150), 2);
    assert_int_equal(text[0], 0x96);
    assert_int_equal(text[1], 0x01);
    const uint8_t over32[] = {0xff, 0xff, 0xff, 0xff, 0x10};
    assert_int_equal(varint_get(over32, over32 + 5, 5, &v), 0);
    const uint8_t over64[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02};
    assert_int_equal(varint_get(over64, over64 + 10, 10, &v), 0);
    static const int64_t signs[] = {0, -1, 1, -2, 2147483647, -2147483648LL, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        assert_true(zigzag_decode(zigzag_encode(signs[i])) == signs[i]);
    assert_true(zigzag_encode(-1) == 1 && zigzag_encode(1) == 2);
}

static void base64_vectors(void **state)
{
    (void)state;
    /* RFC 4648 section 10. */
    static const char *const pairs[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"}};
    struct bytes b = {0};
    uint8_t out[64];
    size_t n;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        bytes_clear(&b);
        base64_add(&b, slice_str(pairs[i][0]));
        assert_string_equal(bytes_cstr(&b), pairs[i][1]);
        bytes_clear(&b);
        assert_true(base64_get(slice_str(pairs[i][1]), &b));
        assert_string_equal(bytes_cstr(&b), pairs[i][0]);
        bytes_clear(&b);
        base64url_add(&b, slice_str(pairs[i][0]));
        assert_int_equal(b.n, strcspn(pairs[i][1], "="));
        assert_true(base64url_get(bytes_slice(&b), out, sizeof out, &n));
        assert_true(slice_eq_str(slice_of(out, n), pairs[i][0]));
    }
    bytes_clear(&b);
    base64url_add(&b, SLICE_LIT("\xfb\xff\xbf"));
    assert_string_equal(bytes_cstr(&b), "-_-_");
    static const char *const bad[] = {"Zg",    "Zg=",   "Zg===", "Zh==", "Zm9=", "Z",
                                      "Zm 9v", "Zm9v=", "====",  "Z===", "-_-_"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(base64_get(slice_str(bad[i]), &b));
    static const char *const bad_url[] = {"Zg==", "Zh", "Z", "Zm9", "+/+/", "Zm9v\n"};
    for (size_t i = 0; i < sizeof bad_url / sizeof *bad_url; i++)
        assert_false(base64url_get(slice_str(bad_url[i]), out, sizeof out, &n));
    assert_false(base64url_get(SLICE_LIT("Zm9vYmFy"), out, 5, &n));
    bytes_free(&b);
}

static void hex(void **state)
{
    (void)state;
    struct bytes b = {0};
    uint8_t out[4];
    size_t n;
    hex_add(&b, SLICE_LIT("\x00\x9f\xff"));
    assert_string_equal(bytes_cstr(&b), "009fff");
    assert_true(hex_get(SLICE_LIT("009FfF"), out, sizeof out, &n));
    assert_int_equal(n, 3);
    assert_memory_equal(out, "\x00\x9f\xff", 3);
    assert_false(hex_get(SLICE_LIT("009"), out, sizeof out, &n));
    assert_false(hex_get(SLICE_LIT("0g"), out, sizeof out, &n));
    assert_false(hex_get(SLICE_LIT("0011223344"), out, sizeof out, &n));
    bytes_free(&b);
}

/* A second, slower decoder by the definition: decode, then encode again and compare. */
static bool valid_by_definition(const uint8_t *p, size_t n)
{
    while (n > 0) {
        uint32_t c = p[0];
        size_t size = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
        if (size > n || (c >= 0x80 && c < 0xc0) || c >= 0xf8)
            return false;
        c = size == 1 ? c : c & (0x7fu >> size);
        for (size_t i = 1; i < size; i++) {
            if ((p[i] & 0xc0) != 0x80)
                return false;
            c = c << 6 | (p[i] & 0x3f);
        }
        uint8_t again[4];
        if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) || utf8_put(again, c) != size)
            return false;
        p += size;
        n -= size;
    }
    return true;
}

static void utf8(void **state)
{
    (void)state;
    uint8_t text[16];
    for (uint32_t v = 0; v < 1u << 24; v += v < 1u << 16 ? 1 : 251) {
        text[0] = 'a';
        text[1] = (uint8_t)(v >> 16 | (v < 0x10000 ? 0xe0 : 0));
        text[2] = (uint8_t)(v >> 8);
        text[3] = (uint8_t)v;
        assert_int_equal(utf8_valid(slice_of(text, 4)), valid_by_definition(text, 4));
    }
    for (uint32_t c = 0; c <= 0x10ffff; c += 13) {
        size_t n = utf8_put(text, c);
        assert_int_equal(utf8_valid(slice_of(text, n)), c < 0xd800 || c > 0xdfff);
    }
    /* Behind eight plain bytes, where words are compared. */
    assert_true(utf8_valid(SLICE_LIT("abcdefgh\xf4\x8f\xbf\xbf"
                                     "abcdefgh")));
    assert_false(utf8_valid(SLICE_LIT("abcdefgh\xf4\x90\x80\x80"
                                      "abcdefgh")));
    assert_false(utf8_valid(SLICE_LIT("abcdefgh\xf0\x9f\x98")));
    assert_int_equal(utf8_length(SLICE_LIT("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80")), 4);
}

static void times(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
        const char *canonical;
    } good[] = {
        /* RFC 3339 section 5.8 */
        {"1985-04-12T23:20:50.52Z", 482196050520, "1985-04-12T23:20:50.520Z"},
        {"1996-12-19T16:39:57-08:00", 851042397000, "1996-12-20T00:39:57.000Z"},
        {"1990-12-31T23:59:60Z", 662688000000, "1991-01-01T00:00:00.000Z"},
        {"1990-12-31T15:59:60-08:00", 662688000000, "1991-01-01T00:00:00.000Z"},
        {"1937-01-01T12:00:27.87+00:20", -1041337172130, "1937-01-01T11:40:27.870Z"},
        {"1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00.000Z"},
        {"1969-12-31T23:59:59.999Z", -1, "1969-12-31T23:59:59.999Z"},
        {"2000-02-29T00:00:00.0009z", 951782400000, "2000-02-29T00:00:00.000Z"},
        {"9999-12-31T23:59:59.999Z", 253402300799999, "9999-12-31T23:59:59.999Z"},
        {"0000-01-01T00:00:00Z", -62167219200000, "0000-01-01T00:00:00.000Z"},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        int64_t ms;
        char text[TIME_TEXT_SIZE];
        assert_true(time_parse(slice_str(good[i].text), &ms));
        assert_true(ms == good[i].ms);
        time_text(ms, text);
        assert_string_equal(text, good[i].canonical);
    }
    static const char *const bad[] = {"",
                                      "2026-11-25",
                                      "2026-11-25T09:03:01",
                                      "2026-11-25 09:03:01Z",
                                      "2026-13-01T00:00:00Z",
                                      "2026-02-29T00:00:00Z",
                                      "1900-02-29T00:00:00Z",
                                      "2026-11-25T24:00:00Z",
                                      "2026-11-25T09:60:00Z",
                                      "2026-11-25T09:03:60Z",
                                      "2026-11-25T09:03:01.Z",
                                      "2026-11-25T09:03:01+24:00",
                                      "2026-11-25T09:03:01Zx",
                                      "2026-11-25T9:03:01Z"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t ms;
        if (time_parse(slice_str(bad[i]), &ms))
            fail_msg("accepted %s", bad[i]);
    }
}

static void durations_and_sizes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t value;
        const char *shortest;
    } durations[] = {{"7d", 604800000, "7d"},    {"5m", 300000, "5m"}, {"250ms", 250, "250ms"},
                     {"1.5h", 5400000, "90m"},   {"0s", 0, "0s"},      {"48h", 172800000, "2d"},
                     {"forever", -1, "forever"}, {"0.001s", 1, "1ms"}, {"1500ms", 1500, "1500ms"}},
      sizes[] = {{"10GiB", 10737418240, "10GiB"},
                 {"64KiB", 65536, "64KiB"},
                 {"1000", 1000, "1000"},
                 {"1.5KiB", 1536, "1536"},
                 {"2048", 2048, "2KiB"},
                 {"1MB", 1000000, "1000000"},
                 {"unlimited", -1, "unlimited"},
                 {"0", 0, "0"},
                 {"12B", 12, "12"}};
    char text[TIME_TEXT_SIZE];
    int64_t v;
    for (size_t i = 0; i < sizeof durations / sizeof *durations; i++) {
        assert_true(duration_parse(slice_str(durations[i].text), &v));
        assert_true(v == durations[i].value);
        duration_text(v, text);
        assert_string_equal(text, durations[i].shortest);
    }
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_true(size_parse(slice_str(sizes[i].text), &v));
        assert_true(v == sizes[i].value);
        size_text(v, text);
        assert_string_equal(text, sizes[i].shortest);
    }
    static const char *const bad_durations[] = {"",
                                                "5",
                                                "d",
                                                "5 m",
                                                "-5m",
                                                "5min",
                                                "0.0001s",
                                                "1.5ms",
                                                "5.m",
                                                "9999999999999999999d",
                                                "106751991168d"};
    for (size_t i = 0; i < sizeof bad_durations / sizeof *bad_durations; i++)
        assert_false(duration_parse(slice_str(bad_durations[i]), &v));
    static const char *const bad_sizes[] = {"", "B", "1.5", "1 KiB", "-1", "1kib", "8388608TiB"};
    for (size_t i = 0; i < sizeof bad_sizes / sizeof *bad_sizes; i++)
        assert_false(size_parse(slice_str(bad_sizes[i]), &v));
}

static void distances(void **state)
{
    (void)state;
    assert_int_equal(text_distance(SLICE_LIT("kitten"), SLICE_LIT("sitting")), 3);
    assert_int_equal(text_distance(SLICE_LIT(""), SLICE_LIT("abc")), 3);
    assert_int_equal(text_distance(SLICE_LIT("abc"), SLICE_LIT("abc")), 0);
    assert_int_equal(text_distance(SLICE_LIT("retention"), SLICE_LIT("retenton")), 1);
}

static void slices(void **state)
{
    (void)state;
    assert_true(slice_cmp(SLICE_LIT("a"), SLICE_LIT("b")) < 0);
    assert_true(slice_cmp(SLICE_LIT("ab"), SLICE_LIT("a")) > 0);
    assert_true(slice_cmp(SLICE_NULL, SLICE_LIT("")) == 0);
    assert_true(slice_starts(SLICE_LIT("abc"), SLICE_LIT("ab")));
    assert_false(slice_starts(SLICE_LIT("a"), SLICE_LIT("ab")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(varints),   cmocka_unit_test(base64_vectors),
        cmocka_unit_test(hex),       cmocka_unit_test(utf8),
        cmocka_unit_test(times),     cmocka_unit_test(durations_and_sizes),
        cmocka_unit_test(distances), cmocka_unit_test(slices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
