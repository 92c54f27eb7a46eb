/* Producers and their keys: a key id is given once and for ever. */
#include "help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const char *producer(char out[1024], const char *more)
{
    snprintf(out, 1024, "[{\"kind\":\"Producer\",\"name\":\"p\",\"team\":\"t\"%s}]", more);
    return out;
}

static const char *with_key(char out[1024], const char *id, unsigned key)
{
    char text[64], more[512];
    snprintf(more, sizeof more,
             ",\"topics\":[\"shop.*\"],\"keys\":[{\"id\":\"%s\",\"public_key\":\"%s\"}]", id,
             world_key(key, text));
    return producer(out, more);
}

static struct result key_request(struct world *w, enum request_kind kind, const char *name,
                                 const char *id, unsigned key)
{
    struct request *r = world_request(w, kind);
    r->name = request_text(r, name);
    r->key.id = request_text(r, id);
    r->key.reason = request_text(r, "lost");
    world_key_bytes(key, r->key.public_key);
    return world_do(w, r);
}

static const struct producer_key *find(const struct view *v, const char *kid)
{
    const struct view_key *k = view_key_by_id(v, slice_str(kid));
    return k ? k->key : NULL;
}

static void test_add_and_revoke(void **state)
{
    (void)state;
    struct world w;
    char doc[1024];
    world_open(&w);
    world_must(&w, "[" TEAM("t") "]", true);
    world_must(&w, with_key(doc, "k1", 1), true);
    world_must(&w, doc, false);
    struct result r = key_request(&w, REQUEST_KEY_ADD, "p", "k2", 2);
    assert_int_equal(r.code, ERR_OK);
    result_free(&r);
    assert_non_null(strstr(w.audit_line, "\"action\":\"key.add\",\"target\":\"Key/p/k2\""));
    assert_non_null(strstr(w.audit_line, "key.added"));
    const struct view *v = catalogue_view(w.a);
    assert_int_equal(find(v, "p/k1")->state, KEY_ACTIVE);
    assert_non_null(find(v, "p/k2"));
    assert_null(find(v, "p/k3"));
    view_unref(v);

    /* The folder that knows one key only takes nothing away. */
    world_must(&w, doc, false);
    r = key_request(&w, REQUEST_KEY_REVOKE, "p", "k1", 0);
    assert_int_equal(r.code, ERR_OK);
    result_free(&r);
    v = catalogue_view(w.a);
    assert_int_equal(find(v, "p/k1")->state, KEY_REVOKED);
    assert_int_equal(find(v, "p/k1")->revoked_at_ms, w.now_ms);
    assert_true(slice_eq_str(find(v, "p/k1")->reason, "lost"));
    view_unref(v);
    /* Nor does it bring a revoked key back. */
    struct result again = world_apply(&w, doc);
    assert_false(again.changed);
    assert_non_null(strstr(bytes_cstr(&again.body), "key.stays-revoked"));
    result_free(&again);
    r = key_request(&w, REQUEST_KEY_REVOKE, "p", "k1", 0);
    assert_int_equal(r.code, ERR_OK);
    assert_false(r.changed);
    result_free(&r);
    world_close(&w);
}

static void test_refused(void **state)
{
    (void)state;
    struct world w;
    char doc[1024], more[512];
    world_open(&w);
    world_must(&w, "[" TEAM("t") "]", true);
    world_must(&w, with_key(doc, "k1", 1), true);
    world_refused(&w, with_key(doc, "k1", 2), "key.changed", "/documents/0/keys/0/public_key");
    world_refused(&w, with_key(doc, "k2", 1), "key.public-key-used",
                  "/documents/0/keys/0/public_key");
    struct result r = key_request(&w, REQUEST_KEY_ADD, "p", "k1", 3);
    assert_string_equal(r.reason, "key.exists");
    result_free(&r);
    r = key_request(&w, REQUEST_KEY_ADD, "nobody", "k1", 3);
    assert_string_equal(r.reason, "producer.unknown");
    result_free(&r);
    r = key_request(&w, REQUEST_KEY_REVOKE, "p", "none", 3);
    assert_string_equal(r.reason, "key.unknown");
    result_free(&r);
    r = key_request(&w, REQUEST_KEY_ADD, "p", "a/b", 3);
    assert_string_equal(r.violations.item[0].code, "name.invalid");
    result_free(&r);

    /* The neutral element of the curve: any signature would verify. */
    struct request *q = world_request(&w, REQUEST_KEY_ADD);
    q->name = request_text(q, "p");
    q->key.id = request_text(q, "zero");
    q->key.public_key[0] = 1;
    r = world_do(&w, q);
    assert_string_equal(r.violations.item[0].code, "key.weak");
    result_free(&r);

    char a[64];
    snprintf(
        more, sizeof more,
        "[{\"kind\":\"Producer\",\"name\":\"x\",\"team\":\"t\",\"keys\":[{\"id\":\"1\","
        "\"public_key\":\"%s\"}]},{\"kind\":\"Producer\",\"name\":\"y\",\"team\":\"t\",\"keys\":"
        "[{\"id\":\"1\",\"public_key\":\"%s\"}]}]",
        world_key(9, a), a);
    world_refused(&w, more, "key.public-key-used", "/documents/1/keys/0/public_key");
    world_close(&w);
}

static void test_ids_outlive_the_producer(void **state)
{
    (void)state;
    struct world w;
    char doc[1024];
    world_open(&w);
    world_must(&w, "[" TEAM("t") "]", true);
    world_must(&w, with_key(doc, "k1", 1), true);
    struct result r = key_request(&w, REQUEST_KEY_ADD, "p", "k2", 2);
    result_free(&r);
    r = key_request(&w, REQUEST_KEY_REVOKE, "p", "k2", 0);
    result_free(&r);
    r = world_delete(&w, DOCUMENT_PRODUCER, "p", NULL);
    assert_int_equal(r.code, ERR_OK);
    result_free(&r);
    const struct view *v = catalogue_view(w.a);
    assert_null(find(v, "p/k1"));
    view_unref(v);
    world_refused(&w, with_key(doc, "k1", 5), "key.id-used", "/documents/0/keys/0/id");
    /* The key that was revoked stays out; the other may come back under a new id. */
    world_refused(&w, with_key(doc, "n1", 2), "key.public-key-used",
                  "/documents/0/keys/0/public_key");
    world_must(&w, with_key(doc, "n2", 1), true);
    world_close(&w);
}

static void test_grants(void **state)
{
    (void)state;
    struct world w;
    char doc[1024];
    world_open(&w);
    world_must(&w, "[" TEAM("t") "," BYTES_TOPIC("shop.a", "") "]", true);
    world_must(&w, producer(doc, ",\"topics\":[\"shop.*\"],\"principals\":[\"anonymous\",\"ann\"]"),
               true);
    const struct view *v = catalogue_view(w.a);
    assert_true(view_principal_may_write(v, slice_str("ann"), slice_str("shop.a")));
    assert_true(view_principal_may_write(v, slice_str("anonymous"), slice_str("shop.zzz")));
    assert_false(view_principal_may_write(v, slice_str("ann"), slice_str("shops")));
    assert_false(view_principal_may_write(v, slice_str("bob"), slice_str("shop.a")));
    view_unref(v);
    /* A document may revoke a key, and add one that is revoked. */
    char key[64], text[512];
    snprintf(text, sizeof text,
             ",\"topics\":[\"shop.*\"],\"keys\":[{\"id\":\"k\",\"public_key\":"
             "\"%s\",\"state\":\"revoked\"}]",
             world_key(1, key));
    world_must(&w, producer(doc, text), true);
    v = catalogue_view(w.a);
    assert_int_equal(find(v, "p/k")->state, KEY_REVOKED);
    assert_int_equal(find(v, "p/k")->revoked_at_ms, w.now_ms);
    view_unref(v);
    struct result r = world_apply(&w, producer(doc, ",\"topics\":[\"other\"]"));
    assert_int_equal(r.code, ERR_OK);
    assert_non_null(strstr(bytes_cstr(&r.body), "may no longer write shop.a"));
    result_free(&r);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_add_and_revoke),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_ids_outlive_the_producer),
        cmocka_unit_test(test_grants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
