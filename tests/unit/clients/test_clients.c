/* The C helper against the shared vectors. */
#include "base/codec.h"
#include "base/json.h"
#include "writ_sign.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>
#include <sodium.h>

#define VECTORS "../../../governance/clients/vectors.json"
enum { HEADERS_MAX = 8, KEYS_MAX = 4 };

struct vectors {
    struct json_doc doc;
    struct bytes text;
    struct arena arena;
    const char *kid[KEYS_MAX];
    unsigned char public_key[KEYS_MAX][32], secret[KEYS_MAX][64];
    size_t keys_n;
};

static const char *text_of(struct vectors *v, uint32_t obj, const char *name)
{
    return json_cstr(&v->doc, json_get(&v->doc, obj, name), &v->arena);
}

static int read_vectors(void **state)
{
    static struct vectors v;
    FILE *f = fopen(VECTORS, "rb");
    assert_non_null(f);
    for (int c; (c = fgetc(f)) != EOF;)
        bytes_add_u8(&v.text, (uint8_t)c);
    (void)fclose(f);
    assert_int_equal(json_parse(&v.doc, bytes_slice(&v.text), NULL, NULL), 0);
    arena_init(&v.arena, 0);
    assert_true(sodium_init() >= 0);
    uint32_t keys = json_get(&v.doc, 0, "keys");
    for (uint32_t i = json_first(&v.doc, keys); i != JSON_NONE; i = json_sibling(&v.doc, keys, i)) {
        unsigned char seed[32];
        size_t n;
        v.kid[v.keys_n] = text_of(&v, i, "kid");
        assert_true(base64url_get(slice_str(text_of(&v, i, "seed")), seed, sizeof seed, &n));
        crypto_sign_seed_keypair(v.public_key[v.keys_n], v.secret[v.keys_n], seed);
        v.keys_n++;
    }
    *state = &v;
    return 0;
}

static int free_vectors(void **state)
{
    struct vectors *v = *state;
    json_free(&v->doc);
    bytes_free(&v->text);
    arena_free(&v->arena);
    return 0;
}

static struct writ_bytes plain(struct vectors *v, uint32_t i)
{
    struct bytes b = {0};
    if (json_type(&v->doc, i) == JSON_NULL)
        return (struct writ_bytes){NULL, 0};
    assert_true(base64_get(json_string(&v->doc, i, &v->arena), &b));
    bytes_cstr(&b); /* so that empty is not NULL */
    struct slice kept = arena_copy(&v->arena, slice_of(b.p, b.n + 1));
    struct writ_bytes out = {kept.p, b.n};
    bytes_free(&b);
    return out;
}

static struct writ_record record(struct vectors *v, uint32_t vector, struct writ_header *h)
{
    uint32_t r = json_get(&v->doc, vector, "record");
    uint32_t list = json_get(&v->doc, r, "headers");
    struct writ_record rec = {.topic = text_of(v, r, "topic"),
                              .key = plain(v, json_get(&v->doc, r, "key")),
                              .value = plain(v, json_get(&v->doc, r, "value")),
                              .headers = h};
    for (uint32_t i = json_first(&v->doc, list); i != JSON_NONE;
         i = json_sibling(&v->doc, list, i)) {
        uint32_t name = json_first(&v->doc, i);
        assert_true(rec.headers_n < HEADERS_MAX);
        h[rec.headers_n].name = json_cstr(&v->doc, name, &v->arena);
        h[rec.headers_n++].value = plain(v, json_sibling(&v->doc, i, name));
    }
    return rec;
}

static const unsigned char *find(void *arg, const char *kid, int64_t iat_ms)
{
    struct vectors *v = arg;
    assert_true(iat_ms >= 0);
    for (size_t i = 0; i < v->keys_n; i++) {
        if (strcmp(v->kid[i], kid) == 0)
            return v->public_key[i];
    }
    return NULL;
}

static const unsigned char *find_none(void *arg, const char *kid, int64_t iat_ms)
{
    (void)arg;
    (void)kid;
    (void)iat_ms;
    return NULL;
}

static void sign_again(struct vectors *v, uint32_t i, const struct writ_record *r,
                       const char *header)
{
    char out[WRIT_SIGNATURE_SIZE];
    const char *cover[WRIT_NAMES_MAX], *kid = text_of(v, i, "kid");
    unsigned char jti[12];
    size_t cover_n = 0, n, key = 0;
    int64_t iat;
    uint32_t names = json_get(&v->doc, i, "sh");
    for (uint32_t k = json_first(&v->doc, names); k != JSON_NONE;
         k = json_sibling(&v->doc, names, k))
        cover[cover_n++] = json_cstr(&v->doc, k, &v->arena);
    assert_true(json_int64(&v->doc, json_get(&v->doc, i, "iat"), &iat));
    assert_true(base64url_get(slice_str(text_of(v, i, "jti")), jti, sizeof jti, &n));
    while (strcmp(v->kid[key], kid) != 0)
        key++;
    assert_int_equal(writ_sign_at(r, kid, v->secret[key], cover, cover_n, iat, jti, out), WRIT_OK);
    assert_string_equal(out, header);
}

static void test_accept(void **state)
{
    struct vectors *v = *state;
    uint32_t list = json_get(&v->doc, 0, "accept");
    unsigned seen = 0;
    for (uint32_t i = json_first(&v->doc, list); i != JSON_NONE;
         i = json_sibling(&v->doc, list, i), seen++) {
        struct writ_header h[HEADERS_MAX];
        struct writ_record r = record(v, i, h);
        const char *header = text_of(v, i, "header");
        enum writ_status s = writ_verify(&r, header, strlen(header), find, v);
        if (s != WRIT_OK)
            fail_msg("%s: %d", text_of(v, i, "name"), s);
        assert_int_equal(writ_verify(&r, header, strlen(header), find_none, v), WRIT_KEY_UNKNOWN);
        if (json_type(&v->doc, json_get(&v->doc, i, "exact")) == JSON_TRUE)
            sign_again(v, i, &r, header);
    }
    assert_true(seen >= 15);
}

static void test_refuse(void **state)
{
    static const char *const names[] = {"ok",          "malformed", "algorithm",
                                        "key-unknown", "context",   "invalid"};
    struct vectors *v = *state;
    uint32_t list = json_get(&v->doc, 0, "refuse");
    unsigned seen = 0;
    for (uint32_t i = json_first(&v->doc, list); i != JSON_NONE;
         i = json_sibling(&v->doc, list, i), seen++) {
        struct writ_header h[HEADERS_MAX];
        struct writ_record r = record(v, i, h);
        const char *header = text_of(v, i, "header");
        enum writ_status s = writ_verify(&r, header, strlen(header), find, v);
        if (strcmp(names[s], text_of(v, i, "status")) != 0)
            fail_msg("%s: %s", text_of(v, i, "name"), names[s]);
    }
    assert_true(seen >= 60);
}

/* Its own clock and randomness; and what is too long is refused, not cut. */
static void test_sign(void **state)
{
    struct vectors *v = *state;
    char one[WRIT_SIGNATURE_SIZE], two[WRIT_SIGNATURE_SIZE], longest[200];
    struct writ_record r = {.topic = "t", .value = {"v", 1}};
    assert_int_equal(writ_sign(&r, v->kid[0], v->secret[0], NULL, 0, one), WRIT_OK);
    assert_int_equal(writ_sign(&r, v->kid[0], v->secret[0], NULL, 0, two), WRIT_OK);
    assert_string_not_equal(one, two);
    assert_int_equal(writ_verify(&r, one, strlen(one), find, v), WRIT_OK);
    assert_int_equal(writ_verify(&r, two, strlen(two), find, v), WRIT_OK);
    memset(longest, '\x01', sizeof longest - 1); /* six characters each, escaped */
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(writ_sign(&r, longest, v->secret[0], NULL, 0, one), WRIT_MALFORMED);
    longest[WRIT_KID_SIZE - 1] = '\0';
    assert_int_equal(writ_sign(&r, longest, v->secret[0], NULL, 0, one), WRIT_MALFORMED);
    const char *cover[WRIT_NAMES_MAX];
    for (size_t i = 0; i < WRIT_NAMES_MAX; i++)
        cover[i] = longest;
    assert_int_equal(writ_sign(&r, "k", v->secret[0], cover, WRIT_NAMES_MAX, one), WRIT_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accept),
        cmocka_unit_test(test_refuse),
        cmocka_unit_test(test_sign),
    };
    return cmocka_run_group_tests(tests, read_vectors, free_vectors);
}
