/* The chain: what one writes the other accepts; altered, dropped, swapped, inserted and repeated
 * records are each found and named. */
#include "audit/audit.h"
#include "base/check.h"
#include "base/codec.h"
#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>
#include <openssl/evp.h>

enum { LINES = 6 };

static void make(struct bytes line[LINES], struct audit_head *end)
{
    struct audit_head head = {0};
    for (uint64_t i = 0; i < LINES; i++) {
        struct audit_entry e = {.time_ms = 1795597380123 + (int64_t)i,
                                .principal = SLICE_LIT("admin \"a\"\n"),
                                .action = SLICE_LIT("apply"),
                                .target = i % 2 ? SLICE_LIT("Topic/shop.orders") : SLICE_NULL,
                                .result = SLICE_LIT("done"),
                                .correlation_id = SLICE_LIT("c-1"),
                                .catalogue_version = i,
                                .detail_json =
                                    i == 2 ? SLICE_LIT("{\"hash\":\"x\",\"n\":[1]}") : SLICE_NULL};
        line[i] = (struct bytes){0};
        audit_append(&head, &e, &line[i]);
    }
    *end = head;
}

static void release(struct bytes line[LINES])
{
    for (size_t i = 0; i < LINES; i++)
        bytes_free(&line[i]);
}

/* How many lines pass; the reason in err. */
static size_t check(const struct slice *line, size_t n, struct err *err)
{
    struct audit_head head = {0};
    for (size_t i = 0; i < n; i++) {
        if (audit_check(&head, line[i], err) != 0)
            return i;
        assert_int_equal(head.seq, i + 1);
    }
    return n;
}

static void slices(const struct bytes line[LINES], struct slice out[LINES])
{
    for (size_t i = 0; i < LINES; i++)
        out[i] = bytes_slice(&line[i]);
}

static void test_chain_holds(void **state)
{
    struct bytes line[LINES];
    struct slice s[LINES];
    struct audit_head end;
    struct err err = {0};
    (void)state;
    make(line, &end);
    slices(line, s);
    assert_int_equal(check(s, LINES, &err), LINES);
    assert_int_equal(end.seq, LINES);
    release(line);
}

/* Record 1's hash by OpenSSL's other interface: SHA-256(32 zero bytes | text before `,"hash":`). */
static void test_hash_is_what_the_header_says(void **state)
{
    struct bytes line[LINES], text = {0}, hex = {0};
    struct audit_head end;
    uint8_t digest[32];
    unsigned n;
    (void)state;
    make(line, &end);
    size_t cut = line[0].n - strlen(",\"hash\":\"\"}") - 64;
    bytes_add(&text, (uint8_t[32]){0}, 32);
    bytes_add(&text, line[0].p, cut);
    assert_int_equal(EVP_Digest(text.p, text.n, digest, &n, EVP_sha256(), NULL), 1);
    hex_add(&hex, slice_of(digest, n));
    assert_memory_equal(line[0].p + line[0].n - 66, hex.p, 64);
    bytes_free(&text);
    bytes_free(&hex);
    release(line);
}

static void test_any_altered_byte_is_found(void **state)
{
    struct bytes line[LINES];
    struct slice s[LINES];
    struct audit_head end;
    (void)state;
    make(line, &end);
    slices(line, s);
    for (size_t i = 0; i < 2 * line[2].n; i++) {
        struct err err = {0};
        uint8_t flip = i % 2 == 0 ? 1 : 0x20; /* the second changes the case of letters */
        line[2].p[i / 2] ^= flip;
        size_t passed = check(s, LINES, &err);
        if (passed != 2)
            fail_msg("byte %zu: %zu lines passed", i / 2, passed);
        assert_int_equal(err.code, ERR_CORRUPT);
        assert_non_null(strstr(err.msg, "audit record"));
        line[2].p[i / 2] ^= flip;
    }
    release(line);
}

static void test_dropped_swapped_inserted_repeated(void **state)
{
    struct bytes line[LINES];
    struct slice s[LINES], t[LINES + 1];
    struct audit_head end;
    struct err err = {0};
    (void)state;
    make(line, &end);
    slices(line, s);

    memcpy(t, s, sizeof s);
    memmove(&t[2], &t[3], 3 * sizeof t[0]); /* record 3 dropped */
    assert_int_equal(check(t, LINES - 1, &err), 2);
    assert_non_null(strstr(err.msg, "missing"));

    memcpy(t, s, sizeof s);
    t[1] = s[2]; /* 2 and 3 swapped */
    t[2] = s[1];
    assert_int_equal(check(t, LINES, &err), 1);

    memcpy(t, s, sizeof s);
    t[3] = s[2]; /* 3 stands twice */
    assert_int_equal(check(t, LINES, &err), 3);
    assert_non_null(strstr(err.msg, "twice"));

    /* A record made by someone who knows the format but not its place in the chain. */
    struct audit_head forged = {.seq = 3};
    struct audit_entry e = {.action = SLICE_LIT("key.add"), .result = SLICE_LIT("done")};
    struct bytes b = {0};
    audit_append(&forged, &e, &b);
    memcpy(t, s, sizeof s);
    t[3] = bytes_slice(&b);
    assert_int_equal(check(t, LINES, &err), 3);
    assert_non_null(strstr(err.msg, "does not follow"));
    bytes_free(&b);
    release(line);
}

/* One who can rewrite the rest of the file must make another head: the known one exposes it. */
static void test_rewritten_tail_has_another_head(void **state)
{
    struct bytes line[LINES];
    struct audit_head end, head = {0};
    struct err err;
    (void)state;
    make(line, &end);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(audit_check(&head, bytes_slice(&line[i]), &err), 0);
    for (size_t i = 3; i < LINES; i++) {
        struct audit_entry e = {.action = SLICE_LIT("nothing"), .result = SLICE_LIT("done")};
        struct bytes b = {0};
        struct audit_head before = head;
        audit_append(&head, &e, &b);
        assert_int_equal(audit_check(&before, bytes_slice(&b), &err), 0);
        bytes_free(&b);
    }
    assert_int_equal(head.seq, end.seq);
    assert_memory_not_equal(head.hash, end.hash, sizeof end.hash);
    release(line);
}

static void test_lines_that_are_none(void **state)
{
    static const char *const lines[] = {"", "{", "[]", "{}", "{\"seq\":1}", "{\"seq\":\"1\"}", "1"};
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct audit_head head = {0};
        struct err err = {0};
        assert_int_equal(audit_check(&head, slice_str(lines[i]), &err), ERR_CORRUPT);
        assert_int_equal(head.seq, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chain_holds),
        cmocka_unit_test(test_hash_is_what_the_header_says),
        cmocka_unit_test(test_any_altered_byte_is_found),
        cmocka_unit_test(test_dropped_swapped_inserted_repeated),
        cmocka_unit_test(test_rewritten_tail_has_another_head),
        cmocka_unit_test(test_lines_that_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
