/* Random histories: two nodes stay equal at each step (world_do), a snapshot with the log's tail is
 * the whole log, and the export says all that there is. */
#include "help.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static unsigned pick(struct world *w, unsigned n)
{
    return (unsigned)(world_random(w) % n);
}

static const char *const teams[] = {"t", "u", "v"};
static const char *const topics[] = {"shop.a", "shop.b", "shop_b", "off.x", "host", "z"};
static const char *const producers[] = {"p", "q"};

static void add_topic(struct world *w, struct bytes *b)
{
    static const char *const values[] = {
        "{\"format\":\"bytes\"}",
        "{\"format\":\"json\",\"schema\":{\"type\":\"object\"}}",
        "{\"format\":\"json\",\"schema\":{\"type\":\"object\",\"required\":[\"a\"]},"
        "\"examples\":[{\"a\":1}]}",
        "{\"format\":\"json\",\"schema\":{\"type\":\"object\"},\"examples\":[{},{\"b\":\"\\u00e4\"}"
        "]}",
    };
    bytes_printf(b,
                 "{\"kind\":\"Topic\",\"name\":\"%s\",\"team\":\"%s\",\"value\":%s,"
                 "\"partitions\":%u,\"retention\":{\"time\":\"%ud\"},\"mode\":\"%s\"}",
                 topics[pick(w, 6)], teams[pick(w, 3)], values[pick(w, 4)], 1 + pick(w, 4),
                 1 + pick(w, 3), pick(w, 4) ? "enforce" : "off");
}

static void add_producer(struct world *w, struct bytes *b)
{
    char key[64];
    bytes_printf(b, "{\"kind\":\"Producer\",\"name\":\"%s\",\"team\":\"%s\",\"topics\":[\"%s\"]",
                 producers[pick(w, 2)], teams[pick(w, 3)], topics[pick(w, 6)]);
    if (pick(w, 2))
        bytes_printf(b, ",\"keys\":[{\"id\":\"k%u\",\"public_key\":\"%s\"}]", pick(w, 30),
                     world_key(pick(w, 100), key));
    bytes_add_str(b, "}");
}

static struct request *random_apply(struct world *w)
{
    struct bytes b = {0};
    unsigned n = 1 + pick(w, 4);
    bytes_add_str(&b, "[");
    for (unsigned i = 0; i < n; i++) {
        if (i)
            bytes_add_str(&b, ",");
        switch (pick(w, 5)) {
        case 0:
            bytes_printf(&b, "{\"kind\":\"Team\",\"name\":\"%s\",\"contact\":\"%u\"}",
                         teams[pick(w, 3)], pick(w, 3));
            break;
        case 1:
            add_producer(w, &b);
            break;
        case 2:
            bytes_printf(&b,
                         "{\"kind\":\"Policy\",\"name\":\"off\",\"prefix\":\"off.\","
                         "\"governance\":\"%s\"}",
                         pick(w, 3) ? "off" : "on");
            break;
        default:
            add_topic(w, &b);
            break;
        }
    }
    bytes_add_str(&b, "]");
    struct request *r = world_documents(w, bytes_cstr(&b));
    bytes_free(&b);
    if (pick(w, 8) == 0) {
        r->prune = true;
        r->prune_scope = request_text(r, "shop");
    }
    return r;
}

static struct request *random_kafka(struct world *w)
{
    static const enum request_kind kinds[] = {REQUEST_TOPIC_CREATE, REQUEST_TOPIC_CREATE,
                                              REQUEST_TOPIC_DELETE, REQUEST_PARTITIONS_ADD,
                                              REQUEST_CONFIG_SET};
    struct request *r = world_request(w, kinds[pick(w, 5)]);
    r->name = request_text(r, topics[3]);
    r->partitions = 1 + (int32_t)pick(w, 6);
    r->replicas = 1;
    struct view_config *config = arena_zalloc(&r->arena, 1, sizeof *config);
    config->name = request_text(r, "retention.bytes");
    if (pick(w, 3))
        config->value = request_text(r, pick(w, 2) ? "1000" : "-1");
    r->config = config;
    r->config_n = pick(w, 2);
    return r;
}

static struct request *random_key(struct world *w)
{
    char id[16];
    struct request *r = world_request(w, pick(w, 2) ? REQUEST_KEY_ADD : REQUEST_KEY_REVOKE);
    r->name = request_text(r, producers[pick(w, 2)]);
    snprintf(id, sizeof id, "k%u", pick(w, 30));
    r->key.id = request_text(r, id);
    r->key.reason = request_text(r, "why");
    world_key_bytes(pick(w, 100), r->key.public_key);
    return r;
}

static struct request *random_request(struct world *w)
{
    struct request *r;
    switch (pick(w, 10)) {
    case 0:
    case 1:
        return random_kafka(w);
    case 2:
        return random_key(w);
    case 3:
        r = world_request(w, REQUEST_DELETE);
        r->target_kind = (enum document_kind)pick(w, 4);
        r->name = request_text(r, r->target_kind == DOCUMENT_TOPIC      ? topics[pick(w, 6)]
                                  : r->target_kind == DOCUMENT_TEAM     ? teams[pick(w, 3)]
                                  : r->target_kind == DOCUMENT_PRODUCER ? producers[pick(w, 2)]
                                                                        : "off");
        break;
    case 4:
        r = world_request(w, REQUEST_PRODUCER_IDS);
        r->count = 10;
        break;
    default:
        r = random_apply(w);
        break;
    }
    if (pick(w, 2)) {
        r->accept.item = arena_zalloc(&r->arena, 1, sizeof *r->accept.item);
        r->accept.item[r->accept.n++] = request_text(r, "loses-records");
    }
    r->dry_run = pick(w, 10) == 0;
    if (pick(w, 10) == 0)
        r->idempotency_key = request_text(r, pick(w, 2) ? "one" : "two");
    return r;
}

static void assert_same(struct catalogue *a, struct catalogue *b)
{
    uint8_t x[32], y[32];
    catalogue_digest(a, x);
    catalogue_digest(b, y);
    assert_memory_equal(x, y, 32);
    struct bytes p = {0}, q = {0};
    assert_int_equal(catalogue_export(a, &p, NULL), 0);
    assert_int_equal(catalogue_export(b, &q, NULL), 0);
    assert_string_equal(bytes_cstr(&p), bytes_cstr(&q));
    bytes_free(&p);
    bytes_free(&q);
    struct audit_head h = catalogue_audit_head(a), k = catalogue_audit_head(b);
    assert_int_equal(h.seq, k.seq);
    assert_memory_equal(h.hash, k.hash, sizeof h.hash);
    catalogue_check_invariants(a);
    catalogue_check_invariants(b);
}

/* Applying the documents of the export changes nothing. */
static void check_export(struct world *w)
{
    struct bytes text = {0};
    struct json_doc doc = {0};
    struct err err = {0};
    assert_int_equal(catalogue_export(w->a, &text, NULL), 0);
    if (json_parse(&doc, bytes_slice(&text), NULL, &err) != 0)
        fail_msg("%s", err.msg);
    struct slice documents = json_raw(&doc, json_get(&doc, 0, "documents"));
    char *list = mem_strndup((const char *)documents.p, documents.n);
    struct result r = world_apply(w, list);
    if (r.code != ERR_OK || r.changed)
        fail_msg("%s %s %s", r.reason, r.message, bytes_cstr(&r.body));
    result_free(&r);
    mem_free(list);
    json_free(&doc);
    bytes_free(&text);
}

static void check_history(struct world *w)
{
    const struct view *v = catalogue_view(w->a);
    for (size_t i = 0; i < v->topics_n; i++) {
        struct bytes list = {0}, whole = {0};
        struct json_doc doc = {0};
        assert_int_equal(catalogue_topic_history(w->a, v->topic[i]->name, &list, NULL), 0);
        bytes_printf(&whole, "[%.*s]", SLICE_FMT(bytes_slice(&list)));
        assert_int_equal(json_parse(&doc, bytes_slice(&whole), NULL, NULL), 0);
        if (v->topic[i]->document) {
            struct bytes text = {0};
            document_write(v->topic[i]->document, &text);
            uint32_t newest = json_get(&doc, json_first(&doc, 0), "contract");
            assert_true(slice_eq(json_raw(&doc, newest), bytes_slice(&text)));
            bytes_free(&text);
        }
        json_free(&doc);
        bytes_free(&list);
        bytes_free(&whole);
    }
    view_unref(v);
}

static void run(uint64_t seed, unsigned steps)
{
    struct world w;
    world_open(&w);
    w.random = seed;
    struct bytes image = {0};
    size_t image_at = 0;
    unsigned accepted = 0;
    for (unsigned i = 0; i < steps; i++) {
        struct result r = world_do(&w, random_request(&w));
        accepted += r.changed;
        result_free(&r);
        if (pick(&w, 40) == 0) {
            catalogue_snapshot(w.a, &image);
            image_at = w.entries_n;
        }
        if (pick(&w, 20) == 0)
            check_export(&w);
    }
    assert_true(accepted > steps / 8);
    check_history(&w);
    check_export(&w);

    struct catalogue *replayed, *restored;
    struct err err = {0};
    assert_int_equal(catalogue_open(&replayed, &err), 0);
    assert_int_equal(catalogue_open(&restored, &err), 0);
    if (image.n)
        assert_int_equal(catalogue_restore(restored, bytes_slice(&image), &err), 0);
    for (size_t i = 0; i < w.entries_n; i++) {
        catalogue_apply(replayed, i + 1, bytes_slice(&w.entry[i]), NULL, NULL, NULL);
        if (i >= image_at)
            catalogue_apply(restored, i + 1, bytes_slice(&w.entry[i]), NULL, NULL, NULL);
    }
    assert_same(w.a, replayed);
    assert_same(w.a, restored);
    assert_int_equal(catalogue_applied_index(restored), catalogue_applied_index(w.a));
    catalogue_close(replayed);
    catalogue_close(restored);
    bytes_free(&image);
    world_close(&w);
}

static void test_histories(void **state)
{
    (void)state;
    const char *seed = getenv("WRIT_SEED");
    if (seed)
        run(strtoull(seed, NULL, 10), 400);
    for (uint64_t i = 1; !seed && i <= 6; i++)
        run(i, 120);
}

/* A view that somebody holds does not change, and what did not change is the same object. */
static void test_views_share(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    world_must(&w, "[" TEAM("t") "," BYTES_TOPIC("a", "") "," BYTES_TOPIC("b", "") "]", true);
    const struct view *before = catalogue_view(w.a);
    world_must(&w, "[" BYTES_TOPIC("b", ",\"partitions\":2") "]", true);
    const struct view *after = catalogue_view(w.a);
    assert_int_equal(view_topic_by_name(before, slice_str("b"))->partitions_n, 1);
    assert_int_equal(view_topic_by_name(after, slice_str("b"))->partitions_n, 2);
    assert_ptr_equal(view_topic_by_name(before, slice_str("a")),
                     view_topic_by_name(after, slice_str("a")));
    assert_ptr_equal(before->document, after->document);
    assert_ptr_equal(before->node, after->node);
    struct result r = world_delete(&w, DOCUMENT_TOPIC, "a", "loses-records");
    result_free(&r);
    assert_int_equal(before->topics_n, 2);
    assert_true(slice_eq_str(before->topic[0]->name, "a"));
    view_unref(before);
    view_unref(after);
    world_close(&w);
}

static void test_damaged_images(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    world_must(&w, "[" TEAM("t") "," BYTES_TOPIC("a", "") "]", true);
    struct bytes image = {0};
    struct catalogue *c;
    struct err err = {0};
    catalogue_snapshot(w.a, &image);
    assert_int_equal(catalogue_open(&c, &err), 0);
    uint8_t empty[32], now[32];
    catalogue_digest(c, empty);
    assert_int_equal(catalogue_restore(c, slice_of(image.p, 100), &err), ERR_CORRUPT);
    assert_int_equal(catalogue_restore(c, SLICE_NULL, NULL), ERR_CORRUPT);
    unsigned seen = 0;
    for (unsigned i = 0; i < 300; i++) {
        /* Every other one in the first pages, where the tables are described. */
        size_t at = world_random(&w) % (i % 2 ? image.n : 8192);
        image.p[at] ^= 0x10;
        int rc = catalogue_restore(c, bytes_slice(&image), &err);
        if (rc != 0) {
            seen++;
            catalogue_digest(c, now);
        } else {
            catalogue_check_invariants(c); /* a byte that nothing stands in */
            catalogue_close(c);
            assert_int_equal(catalogue_open(&c, &err), 0);
            catalogue_digest(c, now);
        }
        assert_memory_equal(now, empty, 32);
        image.p[at] ^= 0x10;
    }
    assert_true(seen > 10);
    assert_int_equal(catalogue_restore(c, bytes_slice(&image), &err), 0);
    assert_same(c, w.a);
    catalogue_close(c);
    bytes_free(&image);
    world_close(&w);
}

/* Entries that are no entries: nothing happens, and the same on every node. */
static void test_damaged_entries(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    world_must(&w, "[" TEAM("t") "," BYTES_TOPIC("a", "") "]", true);
    uint8_t before[32], after[32];
    catalogue_digest(w.a, before);
    struct bytes *entry = &w.entry[w.entries_n - 1];
    for (size_t n = 0; n < entry->n; n += 8) {
        struct result out;
        catalogue_apply(w.a, ++w.index, slice_of(entry->p, n), NULL, &out, NULL);
        assert_int_not_equal(out.code, ERR_OK);
        result_free(&out);
    }
    catalogue_digest(w.a, after);
    assert_memory_equal(before, after, 32);
    catalogue_check_invariants(w.a);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_histories),
        cmocka_unit_test(test_views_share),
        cmocka_unit_test(test_damaged_images),
        cmocka_unit_test(test_damaged_entries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
