/* What REQUEST_APPLY and REQUEST_DELETE accept, refuse and tell. */
#include "help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static bool body_has(struct result *r, const char *text)
{
    return strstr(bytes_cstr(&r->body), text) != NULL;
}

static void test_create_and_again(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    const char *set = "[" BYTES_TOPIC("shop.orders", ",\"partitions\":3") "," TEAM("t") "]";
    struct result r = world_apply(&w, set);
    assert_int_equal(r.code, ERR_OK);
    assert_true(r.changed);
    assert_true(body_has(&r, "\"changed\":true"));
    assert_true(body_has(&r, "{\"action\":\"create\",\"kind\":\"Topic\",\"name\":\"shop.orders\""));
    assert_true(body_has(&r, "\"summary\":{\"created\":2,\"updated\":0,\"deleted\":0"));
    uint64_t version = r.version;
    result_free(&r);

    const struct view *v = catalogue_view(w.a);
    const struct view_topic *t = view_topic_by_name(v, slice_str("shop.orders"));
    assert_non_null(t);
    assert_int_equal(v->version, version);
    assert_int_equal(t->partitions_n, 3);
    assert_int_equal(t->partition[2].leader, 1);
    assert_int_equal(t->version, 1);
    assert_true(t->governed);
    assert_int_equal(t->retention_ms, 7 * 86400000LL);
    view_unref(v);

    r = world_apply(&w, set);
    assert_int_equal(r.code, ERR_OK);
    assert_false(r.changed);
    assert_int_equal(r.version, version);
    assert_true(body_has(&r, "\"changed\":false"));
    assert_true(body_has(&r, "\"unchanged\":2"));
    assert_non_null(strstr(r.message, "nothing to change"));
    result_free(&r);
    world_close(&w);
}

static void test_field_by_field(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    world_must(&w, "[" TEAM("t") "," BYTES_TOPIC("a", "") "]", true);
    struct result r =
        world_apply(&w, "[" BYTES_TOPIC("a", ",\"description\":\"new\",\"partitions\":2") "]");
    assert_int_equal(r.code, ERR_OK);
    assert_true(body_has(&r, "{\"pointer\":\"/description\",\"old\":\"\",\"new\":\"new\"}"));
    assert_true(body_has(&r, "{\"pointer\":\"/partitions\",\"old\":1,\"new\":2}"));
    result_free(&r);
    const struct view *v = catalogue_view(w.a);
    const struct view_topic *t = view_topic_by_name(v, slice_str("a"));
    assert_int_equal(t->version, 2);
    assert_int_equal(t->partitions_n, 2);
    view_unref(v);
    world_close(&w);
}

static void test_references(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    world_refused(&w, "[" BYTES_TOPIC("a", "") "]", "reference.team-unknown", "/documents/0/team");
    world_refused(&w, "[{\"kind\":\"Producer\",\"name\":\"p\",\"team\":\"t\"}]",
                  "reference.team-unknown", "/documents/0/team");
    world_must(&w, "[" TEAM("t") "," BYTES_TOPIC("a", "") "]", true);
    struct result r = world_delete(&w, DOCUMENT_TEAM, "t", NULL);
    assert_int_equal(r.code, ERR_INVALID);
    assert_string_equal(r.violations.item[0].code, "team.in-use");
    result_free(&r);
    world_close(&w);
}

static void test_refusals(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    world_must(&w, "[" TEAM("t") "," BYTES_TOPIC("a.b", ",\"partitions\":4") "]", true);
    world_refused(&w, "[" TEAM("x") "," TEAM("x") "]", "document.duplicate", "/documents/1/name");
    world_refused(&w, "[" BYTES_TOPIC("a_b", "") "]", "name.collision", "/documents/0/name");
    world_refused(&w, "[" BYTES_TOPIC("x.y", "") "," BYTES_TOPIC("x_y", "") "]", "name.collision",
                  "/documents/1/name");
    world_refused(&w, "[" BYTES_TOPIC("a.b", ",\"partitions\":3") "]", "partitions.shrink",
                  "/documents/0/partitions");
    world_refused(&w, "[" BYTES_TOPIC("c", ",\"replicas\":2") "]", "replicas.too-many",
                  "/documents/0/replicas");
    world_node(&w, 2);
    world_refused(&w, "[" BYTES_TOPIC("a.b", ",\"partitions\":4,\"replicas\":2") "]", "not-built",
                  "/documents/0/replicas");
    world_close(&w);
}

static void test_policies_of_the_set(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    world_must(&w, "[" TEAM("t") "]", true);
    /* The policy of the very same request counts. */
    world_refused(&w,
                  "[" BYTES_TOPIC("shop.X", "") ",{\"kind\":\"Policy\",\"name\":\"p\",\"prefix\":"
                                                "\"shop.\",\"naming\":{\"pattern\":\"[a-z.]+\"}}]",
                  "policy.naming", "/documents/0/name");
    world_must(&w,
               "[{\"kind\":\"Policy\",\"name\":\"p\",\"prefix\":\"shop.\","
               "\"naming\":{\"pattern\":\"[a-z.]+\"}}," BYTES_TOPIC("shop.x", "") "]",
               true);
    world_refused(&w, "[{\"kind\":\"Policy\",\"name\":\"q\",\"prefix\":\"shop.\"}]",
                  "policy.prefix-taken", "/documents/0/prefix");
    /* A policy that what exists would not pass is told, not refused. */
    struct result r = world_apply(&w, "[{\"kind\":\"Policy\",\"name\":\"p\",\"prefix\":\"shop.\","
                                      "\"required\":[\"/description\"]}]");
    assert_int_equal(r.code, ERR_OK);
    assert_true(body_has(&r, "policy.existing"));
    result_free(&r);
    world_close(&w);
}

static void test_governance_off(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    world_must(&w, "[" TEAM("t") "," BYTES_TOPIC("m.a", "") "]", true);
    world_must(&w,
               "[{\"kind\":\"Policy\",\"name\":\"m\",\"prefix\":\"m.\",\"governance\":\"off\"}]",
               true);
    const struct view *v = catalogue_view(w.a);
    assert_true(view_name_ungoverned(v, slice_str("m.b")));
    assert_false(view_name_ungoverned(v, slice_str("n")));
    const struct view_topic *t = view_topic_by_name(v, slice_str("m.a"));
    assert_false(t->governed);
    assert_non_null(t->contract);
    view_unref(v);
    struct result r = world_delete(&w, DOCUMENT_POLICY, "m", NULL);
    assert_int_equal(r.code, ERR_OK);
    result_free(&r);
    v = catalogue_view(w.a);
    assert_true(view_topic_by_name(v, slice_str("m.a"))->governed);
    view_unref(v);
    world_must(&w, "[" BYTES_TOPIC("m.a", ",\"mode\":\"off\"") "]", true);
    v = catalogue_view(w.a);
    assert_false(view_topic_by_name(v, slice_str("m.a"))->governed);
    view_unref(v);
    world_close(&w);
}

static void test_conditions(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    world_must(&w, "[" TEAM("t") "]", true);
    uint64_t version = catalogue_version(w.a);
    struct request *q = world_documents(&w, "[" TEAM("u") "]");
    q->if_version = version - 1;
    struct result r = world_do(&w, q);
    assert_int_equal(r.code, ERR_CONFLICT);
    assert_string_equal(r.reason, "if-version");
    result_free(&r);
    q = world_documents(&w, "[" TEAM("u") "]");
    q->if_version = version;
    r = world_do(&w, q);
    assert_int_equal(r.code, ERR_OK);
    result_free(&r);

    q = world_documents(&w, "[" TEAM("v") "," TEAM("x") "]");
    q->if_resource_version = UINT64_MAX;
    r = world_do(&w, q);
    assert_string_equal(r.reason, "if-match.several");
    result_free(&r);
    q = world_documents(&w, "[{\"kind\":\"Team\",\"name\":\"u\",\"contact\":\"x\"}]");
    q->if_resource_version = UINT64_MAX;
    r = world_do(&w, q);
    assert_string_equal(r.reason, "if-none-match");
    result_free(&r);
    const struct view *v = catalogue_view(w.a);
    uint64_t tag = view_document_by_name(v, DOCUMENT_TEAM, slice_str("u"))->version;
    view_unref(v);
    q = world_documents(&w, "[{\"kind\":\"Team\",\"name\":\"u\",\"contact\":\"x\"}]");
    q->if_resource_version = tag + 1;
    r = world_do(&w, q);
    assert_string_equal(r.reason, "if-match");
    result_free(&r);
    q = world_documents(&w, "[{\"kind\":\"Team\",\"name\":\"u\",\"contact\":\"x\"}]");
    q->if_resource_version = tag;
    r = world_do(&w, q);
    assert_int_equal(r.code, ERR_OK);
    result_free(&r);
    world_close(&w);
}

static void test_plan_writes_nothing(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    uint64_t version = catalogue_version(w.a);
    struct request *q = world_documents(&w, "[" TEAM("t") "," BYTES_TOPIC("a", "") "]");
    q->dry_run = true;
    struct result r = world_do(&w, q);
    assert_int_equal(r.code, ERR_OK);
    assert_true(r.changed);
    assert_true(body_has(&r, "\"dry_run\":true"));
    assert_int_equal(catalogue_version(w.a), version);
    result_free(&r);
    world_close(&w);
}

static void test_guards(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    world_must(&w, "[" TEAM("t") "," BYTES_TOPIC("a", "") "]", true);
    /* Not known is not empty. */
    struct result r = world_delete(&w, DOCUMENT_TOPIC, "a", NULL);
    assert_string_equal(r.violations.item[0].code, "loses-records");
    result_free(&r);
    world_report(&w, "a", 5);
    r = world_delete(&w, DOCUMENT_TOPIC, "a", NULL);
    assert_string_equal(r.violations.item[0].code, "loses-records");
    assert_non_null(strstr(r.violations.item[0].detail, "5 records"));
    result_free(&r);
    world_refused(&w, "[" BYTES_TOPIC("a", ",\"retention\":{\"time\":\"1h\"}") "]", "loses-records",
                  "/documents/0/retention/time");
    /* The five records fit into the new bound. */
    world_must(&w, "[" BYTES_TOPIC("a", ",\"retention\":{\"bytes\":\"1MiB\"}") "]", true);
    world_refused(&w, "[" BYTES_TOPIC("a", ",\"retention\":{\"bytes\":\"100\"}") "]",
                  "loses-records", "/documents/0/retention/bytes");
    r = world_delete(&w, DOCUMENT_TOPIC, "a", "loses-records");
    assert_int_equal(r.code, ERR_OK);
    assert_true(body_has(&r, "\"records\":5"));
    result_free(&r);
    /* A topic that was there when the brokers reported, and that none of them named, is empty. */
    world_must(&w, "[" BYTES_TOPIC("quiet", "") "]", true);
    struct report silent = {.made_at_ms = w.now_ms + 1};
    catalogue_set_report(w.a, &silent);
    r = world_delete(&w, DOCUMENT_TOPIC, "quiet", NULL);
    assert_int_equal(r.code, ERR_OK);
    result_free(&r);

    const struct view *v = catalogue_view(w.a);
    const struct view_topic *t = view_topic_by_name(v, slice_str("a"));
    assert_true(t && t->deleted);
    assert_ptr_equal(view_topic_by_id(v, &t->id), t);
    assert_int_equal(v->topics_n, 0);
    struct topic_id old = t->id;
    view_unref(v);

    world_must(&w, "[" BYTES_TOPIC("a", "") "]", true);
    v = catalogue_view(w.a);
    t = view_topic_by_name(v, slice_str("a"));
    assert_false(t->deleted);
    assert_memory_not_equal(t->id.bytes, old.bytes, sizeof old.bytes);
    assert_int_equal(t->version, 3); /* goes on after version 2 */
    assert_true(view_topic_by_id(v, &old)->deleted);
    view_unref(v);
    world_close(&w);
}

static void test_prune(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    world_must(&w,
               "[" TEAM("t") "," TEAM("s.team") "," BYTES_TOPIC("s.a", "") "," BYTES_TOPIC(
                   "s.b", "") "," BYTES_TOPIC("x", "") "]",
               true);
    world_report(&w, "s.b", 0);
    struct request *q = world_documents(&w, "[" BYTES_TOPIC("s.a", "") "]");
    q->prune = true;
    q->prune_scope = request_text(q, "s.");
    struct result r = world_do(&w, q);
    assert_int_equal(r.code, ERR_OK);
    assert_true(body_has(&r, "\"deleted\":2,\"unchanged\":1"));
    result_free(&r);
    const struct view *v = catalogue_view(w.a);
    assert_int_equal(v->topics_n, 2);
    assert_null(view_document_by_name(v, DOCUMENT_TEAM, slice_str("s.team")));
    view_unref(v);
    /* A team that something outside the scope still names stays. */
    q = world_documents(&w, "[]");
    q->prune = true;
    q->prune_scope = request_text(q, "t");
    r = world_do(&w, q);
    assert_string_equal(r.violations.item[0].code, "team.in-use");
    result_free(&r);
    /* A scope is a must. */
    q = world_documents(&w, "[]");
    q->prune = true;
    r = world_do(&w, q);
    assert_string_equal(r.reason, "scope.missing");
    result_free(&r);
    world_close(&w);
}

static void test_owner(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    world_must(&w,
               "[{\"kind\":\"Team\",\"name\":\"t\",\"members\":[\"ann\"]},"
               "{\"kind\":\"Team\",\"name\":\"u\",\"members\":[\"bob\"]}," BYTES_TOPIC("a", "") "]",
               true);
    struct request *q = world_documents(&w, "[" BYTES_TOPIC("a", ",\"description\":\"x\"") "]");
    q->owner_checked = true;
    q->principal = request_text(q, "bob");
    struct result r = world_do(&w, q);
    assert_string_equal(r.violations.item[0].code, "owner.required");
    result_free(&r);
    q = world_documents(&w, "[" BYTES_TOPIC("a", ",\"description\":\"x\"") "]");
    q->owner_checked = true;
    q->principal = request_text(q, "ann");
    r = world_do(&w, q);
    assert_int_equal(r.code, ERR_OK);
    result_free(&r);
    world_close(&w);
}

static void test_idempotency(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    char first[600] = "";
    uint64_t version = 0;
    for (int i = 0; i < 2; i++) {
        struct request *q = world_documents(&w, "[" TEAM("t") "]");
        q->idempotency_key = request_text(q, "key-1");
        struct result r = world_do(&w, q);
        assert_int_equal(r.code, ERR_OK);
        assert_true(r.changed);
        if (i == 0) {
            snprintf(first, sizeof first, "%s", bytes_cstr(&r.body));
            version = r.version;
        } else {
            assert_string_equal(first, bytes_cstr(&r.body));
            assert_int_equal(r.version, version);
        }
        result_free(&r);
        assert_int_equal(catalogue_version(w.a), version);
    }
    struct request *q = world_documents(&w, "[" TEAM("u") "]");
    q->idempotency_key = request_text(q, "key-1");
    struct result r = world_do(&w, q);
    assert_string_equal(r.reason, "idempotency.mismatch");
    result_free(&r);
    world_close(&w);
}

/* Two decisions over the same state: the second entry does not fit any more. */
static void test_moved(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    struct request *q[2] = {world_documents(&w, "[{\"kind\":\"Team\",\"name\":\"t\"}]"),
                            world_documents(&w, "[{\"kind\":\"Team\",\"name\":\"t\","
                                                "\"contact\":\"x\"}]")};
    struct bytes facts[2] = {{0}, {0}};
    struct result out;
    for (int i = 0; i < 2; i++) {
        catalogue_decide(w.a, q[i], &facts[i], &out);
        assert_int_equal(out.code, ERR_OK);
        assert_true(facts[i].n > 0);
        result_free(&out);
    }
    uint8_t before[32], after[32];
    catalogue_apply(w.a, 100, bytes_slice(&facts[0]), q[0], &out, NULL);
    assert_int_equal(out.code, ERR_OK);
    result_free(&out);
    catalogue_digest(w.a, before);
    struct bytes line = {0};
    catalogue_apply(w.a, 101, bytes_slice(&facts[1]), q[1], &out, &line);
    assert_int_equal(out.code, ERR_CONFLICT);
    assert_string_equal(out.reason, "state.moved");
    assert_false(out.changed);
    assert_int_equal(line.n, 0);
    assert_int_equal(out.request_id, q[1]->id);
    catalogue_digest(w.a, after);
    assert_memory_equal(before, after, 32);
    assert_int_equal(catalogue_applied_index(w.a), 101);
    result_free(&out);
    catalogue_check_invariants(w.a);
    for (int i = 0; i < 2; i++) {
        bytes_free(&facts[i]);
        request_free(q[i]);
    }
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create_and_again),
        cmocka_unit_test(test_field_by_field),
        cmocka_unit_test(test_references),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_policies_of_the_set),
        cmocka_unit_test(test_governance_off),
        cmocka_unit_test(test_conditions),
        cmocka_unit_test(test_plan_writes_nothing),
        cmocka_unit_test(test_guards),
        cmocka_unit_test(test_prune),
        cmocka_unit_test(test_owner),
        cmocka_unit_test(test_idempotency),
        cmocka_unit_test(test_moved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
