/* The envelope against the shared vectors (made by another implementation), RFC 8037's example,
 * and the keys and signatures that a careless verifier takes. */
#include "base/check.h"
#include "base/codec.h"
#include "base/json.h"
#include "base/mem.h"
#include "sign/sign.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>
#include <sodium.h>

#define VECTORS "../../../governance/clients/vectors.json"

struct vectors {
    struct json_doc doc;
    struct bytes text;
    struct arena arena;
};

static void vectors_read(struct vectors *v)
{
    struct err err = {0};
    FILE *f = fopen(VECTORS, "rb");
    assert_non_null(f);
    memset(v, 0, sizeof *v);
    for (int c; (c = fgetc(f)) != EOF;)
        bytes_add_u8(&v->text, (uint8_t)c);
    (void)fclose(f);
    assert_int_equal(json_parse(&v->doc, bytes_slice(&v->text), NULL, &err), 0);
    arena_init(&v->arena, 0);
}

static void vectors_free(struct vectors *v)
{
    json_free(&v->doc);
    bytes_free(&v->text);
    arena_free(&v->arena);
}

static struct slice member(struct vectors *v, uint32_t obj, const char *name)
{
    uint32_t i = json_get(&v->doc, obj, name);
    assert_int_not_equal(i, JSON_NONE);
    return json_string(&v->doc, i, &v->arena);
}

/* Base64 text or null -> bytes or the null slice. */
static struct slice decoded(struct vectors *v, uint32_t i)
{
    struct bytes b = {0};
    if (json_type(&v->doc, i) == JSON_NULL)
        return SLICE_NULL;
    assert_true(base64_get(json_string(&v->doc, i, &v->arena), &b));
    struct slice kept = arena_copy(&v->arena, bytes_slice(&b));
    bytes_free(&b);
    if (kept.n == 0)
        kept = slice_of("", 0);
    return kept;
}

static struct sign_record record_of(struct vectors *v, uint32_t obj)
{
    uint32_t r = json_get(&v->doc, obj, "record");
    uint32_t list = json_get(&v->doc, r, "headers");
    struct sign_record rec = {.topic = member(v, r, "topic"),
                              .key = decoded(v, json_get(&v->doc, r, "key")),
                              .value = decoded(v, json_get(&v->doc, r, "value"))};
    struct sign_header *h = arena_zalloc(&v->arena, v->doc.node[list].count + 1, sizeof *h);
    for (uint32_t i = json_first(&v->doc, list); i != JSON_NONE;
         i = json_sibling(&v->doc, list, i)) {
        uint32_t name = json_first(&v->doc, i);
        h[rec.headers_n].name = json_string(&v->doc, name, &v->arena);
        h[rec.headers_n++].value = decoded(v, json_sibling(&v->doc, i, name));
    }
    rec.headers = h;
    return rec;
}

static void key_of(struct vectors *v, struct slice kid, uint8_t public_key[32], uint8_t secret[64])
{
    uint32_t list = json_get(&v->doc, 0, "keys");
    for (uint32_t i = json_first(&v->doc, list); i != JSON_NONE;
         i = json_sibling(&v->doc, list, i)) {
        uint8_t seed[32], derived[32];
        size_t n;
        if (!slice_eq(member(v, i, "kid"), kid))
            continue;
        assert_true(base64url_get(member(v, i, "seed"), seed, sizeof seed, &n));
        assert_true(base64url_get(member(v, i, "public"), public_key, 32, &n));
        crypto_sign_ed25519_seed_keypair(derived, secret, seed);
        assert_memory_equal(derived, public_key, 32);
        return;
    }
    fail_msg("no key %.*s", SLICE_FMT(kid));
}

static enum sign_status judge(struct slice header, const struct sign_record *r,
                              const uint8_t public_key[32])
{
    struct sign_envelope e;
    char detail[128] = "";
    /* A copy of exact size, so that the sanitizer sees a read past its end. */
    uint8_t *copy = mem_alloc(header.n + 1);
    memcpy(copy, header.p, header.n);
    copy = mem_realloc(copy, header.n == 0 ? 1 : header.n);
    enum sign_status s = sign_decode(slice_of(copy, header.n), &e, detail);
    if (s != SIGN_OK)
        assert_true(detail[0] != '\0');
    if (s == SIGN_OK)
        s = sign_check_context(&e, r);
    if (s == SIGN_OK)
        s = sign_verify(&e, r->value, public_key);
    mem_free(copy);
    return s;
}

static void test_accepts_vectors(void **state)
{
    struct vectors v;
    uint8_t public_key[32], secret[64];
    unsigned seen = 0;
    (void)state;
    vectors_read(&v);
    uint32_t list = json_get(&v.doc, 0, "accept");
    for (uint32_t i = json_first(&v.doc, list); i != JSON_NONE; i = json_sibling(&v.doc, list, i)) {
        struct sign_record r = record_of(&v, i);
        key_of(&v, member(&v, i, "kid"), public_key, secret);
        enum sign_status s = judge(member(&v, i, "header"), &r, public_key);
        if (s != SIGN_OK)
            fail_msg("%.*s: status %d", SLICE_FMT(member(&v, i, "name")), s);
        seen++;
    }
    assert_true(seen >= 15);
    vectors_free(&v);
}

/* Ed25519 is deterministic: what sign_make writes equals what the other implementation wrote. */
static void test_makes_vectors(void **state)
{
    struct vectors v;
    uint8_t public_key[32], secret[64], jti[SIGN_JTI_BYTES];
    unsigned seen = 0;
    (void)state;
    vectors_read(&v);
    uint32_t list = json_get(&v.doc, 0, "accept");
    for (uint32_t i = json_first(&v.doc, list); i != JSON_NONE; i = json_sibling(&v.doc, list, i)) {
        struct sign_record r = record_of(&v, i);
        struct slice sh[SIGN_SH_MAX], kid = member(&v, i, "kid");
        size_t sh_n = 0, n;
        int64_t iat;
        struct bytes out = {0};
        struct err err = {0};
        if (json_type(&v.doc, json_get(&v.doc, i, "exact")) != JSON_TRUE)
            continue;
        uint32_t names = json_get(&v.doc, i, "sh");
        for (uint32_t k = json_first(&v.doc, names); k != JSON_NONE;
             k = json_sibling(&v.doc, names, k))
            sh[sh_n++] = json_string(&v.doc, k, &v.arena);
        assert_true(json_int64(&v.doc, json_get(&v.doc, i, "iat"), &iat));
        assert_true(base64url_get(member(&v, i, "jti"), jti, sizeof jti, &n));
        key_of(&v, kid, public_key, secret);
        assert_int_equal(sign_make(&r, kid, secret, iat, jti, sh, sh_n, &out, &err), 0);
        if (!slice_eq(bytes_slice(&out), member(&v, i, "header")))
            fail_msg("%.*s: another header", SLICE_FMT(member(&v, i, "name")));
        bytes_free(&out);
        seen++;
    }
    assert_true(seen >= 10);
    vectors_free(&v);
}

static void test_refuses_vectors(void **state)
{
    static const char *const names[] = {"ok", "malformed", "algorithm", "context", "invalid"};
    struct vectors v;
    uint8_t public_key[32], secret[64];
    unsigned seen = 0;
    (void)state;
    vectors_read(&v);
    uint32_t list = json_get(&v.doc, 0, "refuse");
    for (uint32_t i = json_first(&v.doc, list); i != JSON_NONE; i = json_sibling(&v.doc, list, i)) {
        struct sign_record r = record_of(&v, i);
        key_of(&v, member(&v, i, "kid"), public_key, secret);
        enum sign_status s = judge(member(&v, i, "header"), &r, public_key);
        if (!slice_eq_str(member(&v, i, "status"), names[s]))
            fail_msg("%.*s: %s", SLICE_FMT(member(&v, i, "name")), names[s]);
        seen++;
    }
    assert_true(seen >= 60);
    vectors_free(&v);
}

static struct sign_envelope envelope(const char *protected_b64, const char *sig)
{
    struct sign_envelope e = {.protected_b64 = slice_str(protected_b64)};
    size_t n;
    assert_true(base64url_get(slice_str(sig), e.sig, sizeof e.sig, &n));
    return e;
}

/* RFC 8037 appendix A.4 and A.5. Its payload is encoded, so that text is what is signed. */
static void test_rfc8037(void **state)
{
    uint8_t key[32];
    size_t n;
    (void)state;
    struct sign_envelope e = envelope(
        "eyJhbGciOiJFZERTQSJ9",
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg");
    assert_true(base64url_get(SLICE_LIT("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"), key,
                              sizeof key, &n));
    assert_true(sign_public_key_ok(key));
    assert_int_equal(sign_verify(&e, SLICE_LIT("RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"), key),
                     SIGN_OK);
    assert_int_equal(sign_verify(&e, SLICE_LIT("RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmd"), key),
                     SIGN_INVALID);
}

/* Points of small order and their other encodings ("Taming the many EdDSAs", table 1). */
static void test_refuses_weak_keys(void **state)
{
    static const char *const weak[] = {
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        /* not on the curve */
        "0200000000000000000000000000000000000000000000000000000000000000",
    };
    (void)state;
    for (size_t i = 0; i < sizeof weak / sizeof weak[0]; i++) {
        uint8_t key[32];
        size_t n;
        assert_true(hex_get(slice_str(weak[i]), key, sizeof key, &n));
        if (sign_public_key_ok(key))
            fail_msg("accepted %s", weak[i]);
    }
}

/* Key and R the neutral element, S zero: S*B = R + h*A for every message, if nobody looks. */
static void test_refuses_universal_forgery(void **state)
{
    uint8_t key[32] = {1};
    struct sign_envelope e = {.protected_b64 = SLICE_LIT("e30")};
    (void)state;
    e.sig[0] = 1;
    assert_int_equal(sign_verify(&e, SLICE_LIT("anything"), key), SIGN_INVALID);
}

static void test_make_refuses(void **state)
{
    struct sign_record r = {.topic = SLICE_LIT("t"), .value = SLICE_LIT("v")};
    struct slice twice[] = {SLICE_LIT("a"), SLICE_LIT("a")};
    uint8_t secret[64], public_key[32], jti[SIGN_JTI_BYTES] = {0};
    char long_kid[600];
    struct bytes out = {0};
    struct err err;
    (void)state;
    memset(long_kid, 'x', sizeof long_kid);
    crypto_sign_ed25519_keypair(public_key, secret);
    assert_int_equal(sign_make(&r, SLICE_NULL, secret, 1, jti, NULL, 0, &out, &err), ERR_INVALID);
    assert_int_equal(sign_make(&r, SLICE_LIT("\xff"), secret, 1, jti, NULL, 0, &out, &err),
                     ERR_INVALID);
    assert_int_equal(sign_make(&r, SLICE_LIT("p/k"), secret, 1, jti, twice, 2, &out, &err),
                     ERR_INVALID);
    assert_int_equal(
        sign_make(&r, slice_of(long_kid, sizeof long_kid), secret, 1, jti, NULL, 0, &out, &err),
        ERR_LIMIT);
    assert_int_equal(out.n, 0);
    bytes_free(&out);
}

/* A value beyond the stack's room: the caller's scratch grows once and is used again. */
static void test_scratch_is_reused(void **state)
{
    uint8_t secret[64], public_key[32], jti[SIGN_JTI_BYTES] = {7};
    struct bytes out = {0}, scratch = {0};
    struct sign_envelope e;
    uint8_t *value = mem_zalloc(1, 50000);
    struct sign_record r = {.topic = SLICE_LIT("t"), .value = slice_of(value, 50000)};
    (void)state;
    crypto_sign_ed25519_keypair(public_key, secret);
    assert_int_equal(sign_make(&r, SLICE_LIT("p/k"), secret, 1, jti, NULL, 0, &out, NULL), 0);
    assert_int_equal(sign_decode(bytes_slice(&out), &e, NULL), SIGN_OK);
    assert_int_equal(sign_verify_with(&e, r.value, public_key, &scratch), SIGN_OK);
    const uint8_t *room = scratch.p;
    assert_non_null(room);
    assert_int_equal(sign_verify_with(&e, r.value, public_key, &scratch), SIGN_OK);
    assert_ptr_equal(scratch.p, room);
    value[49999] ^= 1;
    assert_int_equal(sign_verify_with(&e, r.value, public_key, &scratch), SIGN_INVALID);
    bytes_free(&out);
    bytes_free(&scratch);
    mem_free(value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepts_vectors),   cmocka_unit_test(test_makes_vectors),
        cmocka_unit_test(test_refuses_vectors),   cmocka_unit_test(test_rfc8037),
        cmocka_unit_test(test_refuses_weak_keys), cmocka_unit_test(test_refuses_universal_forgery),
        cmocka_unit_test(test_make_refuses),      cmocka_unit_test(test_scratch_is_reused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
