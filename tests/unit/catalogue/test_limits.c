/* What is bounded: the entry, the state, the tables of things that are over. */
#include "help.h"

#include "base/codec.h"
#include "base/log.h"
#include "base/mem.h"
#include "catalogue/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* A topic with examples that do not compress: n of 250 KB. */
static char *fat_topic(struct world *w, const char *name, unsigned n)
{
    struct bytes b = {0};
    bytes_printf(&b,
                 "[{\"kind\":\"Topic\",\"name\":\"%s\",\"team\":\"t\",\"value\":{\"format\":"
                 "\"json\",\"schema\":{},\"examples\":[",
                 name);
    for (unsigned i = 0; i < n; i++) {
        struct bytes raw = {0};
        for (unsigned k = 0; k < 187500 / 4; k++)
            bytes_add_be32(&raw, (uint32_t)world_random(w));
        bytes_add_str(&b, i ? ",\"" : "\"");
        bytes_add_str(&b, "\\\"");
        base64url_add(&b, bytes_slice(&raw));
        bytes_add_str(&b, "\\\"\"");
        bytes_free(&raw);
    }
    bytes_add_str(&b, "]}}]");
    char *text = mem_strdup(bytes_cstr(&b));
    bytes_free(&b);
    return text;
}

static void count_warnings(void *arg, enum log_level level, const char *room, const char *event,
                           const struct log_field *fields, size_t n)
{
    (void)room;
    (void)fields;
    (void)n;
    if (level == LOG_WARN && strcmp(event, "the state nears its limit") == 0)
        ++*(unsigned *)arg;
}

static void test_entry_and_state(void **state)
{
    (void)state;
    struct world w;
    unsigned warnings = 0;
    world_open(&w);
    w.check = false;
    world_must(&w, "[" TEAM("t") "]", true);
    /* 16 x 187 KB of entropy fit, and two topics of that do not. */
    char *one = fat_topic(&w, "one", 16), *two = fat_topic(&w, "two", 16);
    one[strlen(one) - 1] = ',';
    struct bytes both = {0};
    bytes_printf(&both, "%s%s", one, two + 1);
    struct result r = world_apply(&w, bytes_cstr(&both));
    assert_int_equal(r.code, ERR_LIMIT);
    assert_string_equal(r.reason, "entry.too-large");
    assert_non_null(strstr(r.message, "bytes"));
    result_free(&r);
    struct request *q = world_documents(&w, bytes_cstr(&both));
    q->dry_run = true; /* a plan says so, too */
    r = world_do(&w, q);
    assert_string_equal(r.reason, "entry.too-large");
    result_free(&r);
    bytes_free(&both);
    mem_free(one);
    mem_free(two);

    log_set_sink(count_warnings, &warnings, LOG_WARN);
    unsigned i;
    for (i = 0; i < 16; i++) {
        char name[16];
        snprintf(name, sizeof name, "f%u", i);
        char *doc = fat_topic(&w, name, 16);
        r = world_apply(&w, doc);
        mem_free(doc);
        if (r.code != ERR_OK)
            break;
        result_free(&r);
    }
    assert_true(i >= 8 && i <= 12);
    assert_true(warnings >= 2);
    assert_int_equal(r.code, ERR_LIMIT);
    assert_string_equal(r.reason, "catalogue.full");
    result_free(&r);
    log_set_sink(NULL, NULL, LOG_WARN);
    world_node(&w, 1); /* goes on */
    r = world_delete(&w, DOCUMENT_TOPIC, "f0", "loses-records");
    assert_int_equal(r.code, ERR_OK);
    result_free(&r);
    world_must(&w, "[" TEAM("u") "]", true);
    world_close(&w);
}

static void test_tombstones(void **state)
{
    (void)state;
    struct world w;
    world_open_empty(&w);
    w.check = false;
    struct request *q = world_request(&w, REQUEST_BOOTSTRAP);
    q->governance_off = true;
    struct result r = world_do(&w, q);
    result_free(&r);
    world_node(&w, 1);
    for (unsigned i = 0; i < 2 * (CATALOGUE_TOMBSTONES_MAX + 20); i++) {
        char name[16];
        snprintf(name, sizeof name, "n%u", i / 2);
        q = world_request(&w, i % 2 ? REQUEST_TOPIC_DELETE : REQUEST_TOPIC_CREATE);
        q->name = request_text(q, name);
        q->partitions = q->replicas = 1;
        r = world_do(&w, q);
        assert_int_equal(r.code, ERR_OK);
        result_free(&r);
    }
    const struct view *v = catalogue_view(w.a);
    assert_null(view_topic_by_name(v, slice_str("n0")));
    assert_null(view_topic_by_name(v, slice_str("n19")));
    assert_true(view_topic_by_name(v, slice_str("n20"))->deleted);
    view_unref(v);
    catalogue_check_invariants(w.a);
    world_close(&w);
}

static void test_idempotency_table(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    w.check = false;
    int64_t first[2] = {0, 0};
    for (unsigned i = 0; i < CATALOGUE_IDEMPOTENCY_MAX + 4; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%u", i);
        struct request *q = world_request(&w, REQUEST_PRODUCER_IDS);
        q->count = 1;
        q->idempotency_key = request_text(q, key);
        struct result r = world_do(&w, q);
        if (i == 0 || i == 10)
            first[i == 10] = r.first_producer_id;
        result_free(&r);
    }
    for (int i = 0; i < 2; i++) {
        struct request *q = world_request(&w, REQUEST_PRODUCER_IDS);
        q->count = 1;
        q->idempotency_key = request_text(q, i ? "k10" : "k0");
        struct result r = world_do(&w, q);
        /* The oldest is forgotten: it gives a new id. */
        assert_int_equal(r.first_producer_id == first[i], i == 1);
        result_free(&r);
    }
    struct request *q = world_request(&w, REQUEST_PRODUCER_IDS);
    q->count = 1;
    char longest[CATALOGUE_IDEMPOTENCY_KEY_MAX_BYTES + 2];
    memset(longest, 'k', sizeof longest);
    longest[sizeof longest - 1] = 0;
    q->idempotency_key = request_text(q, longest);
    struct result r = world_do(&w, q);
    assert_string_equal(r.reason, "idempotency.too-long");
    result_free(&r);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entry_and_state),
        cmocka_unit_test(test_tombstones),
        cmocka_unit_test(test_idempotency_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
