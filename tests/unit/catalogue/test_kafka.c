/* Ungoverned topics, the cluster's id, nodes and producer ids. */
#include "help.h"

#include "catalogue/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct request *topic_request(struct world *w, enum request_kind kind, const char *name,
                                     int32_t partitions)
{
    struct request *r = world_request(w, kind);
    r->name = request_text(r, name);
    r->partitions = partitions;
    r->replicas = 1;
    return r;
}

static void expect(struct world *w, struct request *r, enum err_code code, const char *reason)
{
    struct result out = world_do(w, r);
    if (out.code != code || strcmp(out.reason, reason) != 0)
        fail_msg("%d %s: %s", out.code, out.reason, out.message);
    result_free(&out);
}

static void open_off(struct world *w)
{
    world_open_empty(w);
    struct request *r = world_request(w, REQUEST_BOOTSTRAP);
    r->governance_off = true;
    struct result out = world_do(w, r);
    result_free(&out);
    world_node(w, 1);
}

static void test_create(void **state)
{
    (void)state;
    struct world w;
    open_off(&w);
    struct result out = world_do(&w, topic_request(&w, REQUEST_TOPIC_CREATE, "a.b", 3));
    assert_int_equal(out.code, ERR_OK);
    const struct view *v = catalogue_view(w.a);
    const struct view_topic *t = view_topic_by_id(v, &out.topic_id);
    assert_non_null(t);
    assert_int_equal(t->partitions_n, 3);
    assert_false(t->governed);
    assert_null(t->contract);
    assert_int_equal(t->max_message_bytes, 1048588);
    view_unref(v);
    result_free(&out);
    expect(&w, topic_request(&w, REQUEST_TOPIC_CREATE, "a.b", 3), ERR_CONFLICT, "topic.exists");
    expect(&w, topic_request(&w, REQUEST_TOPIC_CREATE, "a_b", 3), ERR_CONFLICT, "name.collision");
    expect(&w, topic_request(&w, REQUEST_TOPIC_CREATE, "..", 3), ERR_INVALID, "name.invalid");
    expect(&w, topic_request(&w, REQUEST_TOPIC_CREATE, "a b", 3), ERR_INVALID, "name.invalid");
    expect(&w, topic_request(&w, REQUEST_TOPIC_CREATE, "c", 0), ERR_INVALID, "partitions.invalid");
    expect(&w, topic_request(&w, REQUEST_TOPIC_CREATE, "c", CATALOGUE_TOPIC_PARTITIONS_MAX + 1),
           ERR_INVALID, "partitions.invalid");
    struct request *r = topic_request(&w, REQUEST_TOPIC_CREATE, "c", 1);
    r->replicas = 2;
    expect(&w, r, ERR_INVALID, "replication.invalid");
    world_must(&w,
               "[{\"kind\":\"Policy\",\"name\":\"g\",\"prefix\":\"gov.\",\"governance\":\"on\"}]",
               true);
    expect(&w, topic_request(&w, REQUEST_TOPIC_CREATE, "gov.x", 1), ERR_DENIED, "topic.governed");
    r = topic_request(&w, REQUEST_TOPIC_CREATE, "only.validated", 1);
    r->dry_run = true;
    expect(&w, r, ERR_OK, "");
    v = catalogue_view(w.a);
    assert_null(view_topic_by_name(v, slice_str("only.validated")));
    view_unref(v);
    world_close(&w);
}

static void set_config(struct request *r, const char *name, const char *value)
{
    struct view_config *list = arena_zalloc(&r->arena, 8, sizeof *list);
    for (size_t i = 0; i < r->config_n; i++)
        list[i] = r->config[i];
    list[r->config_n].name = request_text(r, name);
    if (value)
        list[r->config_n].value = request_text(r, value);
    r->config_n++;
    r->config = list;
}

static int64_t retention(struct world *w)
{
    const struct view *v = catalogue_view(w->a);
    int64_t ms = view_topic_by_name(v, slice_str("c"))->retention_ms;
    view_unref(v);
    return ms;
}

static void test_configs(void **state)
{
    (void)state;
    struct world w;
    open_off(&w);
    struct request *r = topic_request(&w, REQUEST_TOPIC_CREATE, "c", 1);
    set_config(r, "retention.ms", "60000");
    expect(&w, r, ERR_OK, "");
    assert_int_equal(retention(&w), 60000);
    static const char *const bad[][2] = {{"retention.ms", "x"},
                                         {"retention.ms", "-2"},
                                         {"retention.ms", "99999999999999999999"},
                                         {"retention.ms", ""},
                                         {"cleanup.policy", "compact"},
                                         {"segment.ms", "5"},
                                         {"no.such", "1"},
                                         {"max.message.bytes", "1.5"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        r = topic_request(&w, REQUEST_CONFIG_SET, "c", 0);
        set_config(r, bad[i][0], bad[i][1]);
        expect(&w, r, ERR_INVALID, "config.invalid");
    }
    r = topic_request(&w, REQUEST_CONFIG_SET, "c", 0);
    set_config(r, "cleanup.policy", "delete");
    set_config(r, "segment.bytes", "1048576");
    expect(&w, r, ERR_OK, "");
    assert_int_equal(retention(&w), 60000);
    r = topic_request(&w, REQUEST_CONFIG_SET, "c", 0);
    set_config(r, "retention.ms", NULL);
    expect(&w, r, ERR_OK, "");
    assert_int_equal(retention(&w), 604800000);
    r = topic_request(&w, REQUEST_CONFIG_SET, "c", 0);
    set_config(r, "retention.ms", "7");
    r->replace_configs = true;
    expect(&w, r, ERR_OK, "");
    const struct view *v = catalogue_view(w.a);
    const struct view_topic *t = view_topic_by_name(v, slice_str("c"));
    assert_int_equal(t->config_n, 1);
    assert_int_equal(t->segment_bytes, 1 << 30);
    view_unref(v);
    /* Nothing differs: no entry. */
    r = topic_request(&w, REQUEST_CONFIG_SET, "c", 0);
    set_config(r, "retention.ms", "7");
    struct result out = world_do(&w, r);
    assert_int_equal(out.code, ERR_OK);
    assert_false(out.changed);
    result_free(&out);
    world_close(&w);
}

static void test_partitions_and_deletion(void **state)
{
    (void)state;
    struct world w;
    open_off(&w);
    expect(&w, topic_request(&w, REQUEST_TOPIC_CREATE, "c", 2), ERR_OK, "");
    expect(&w, topic_request(&w, REQUEST_PARTITIONS_ADD, "c", 2), ERR_INVALID,
           "partitions.invalid");
    expect(&w, topic_request(&w, REQUEST_PARTITIONS_ADD, "c", 5), ERR_OK, "");
    expect(&w, topic_request(&w, REQUEST_PARTITIONS_ADD, "none", 5), ERR_NOT_FOUND,
           "topic.unknown");
    const struct view *v = catalogue_view(w.a);
    assert_int_equal(view_topic_by_name(v, slice_str("c"))->partitions_n, 5);
    view_unref(v);
    world_must(&w, "[" TEAM("t") "," BYTES_TOPIC("g", "") "]", true);
    expect(&w, topic_request(&w, REQUEST_TOPIC_DELETE, "g", 0), ERR_DENIED, "topic.governed");
    expect(&w, topic_request(&w, REQUEST_PARTITIONS_ADD, "g", 9), ERR_DENIED, "topic.governed");
    expect(&w, topic_request(&w, REQUEST_CONFIG_SET, "g", 9), ERR_DENIED, "topic.governed");
    expect(&w, topic_request(&w, REQUEST_TOPIC_DELETE, "c", 0), ERR_OK, "");
    expect(&w, topic_request(&w, REQUEST_TOPIC_DELETE, "c", 0), ERR_NOT_FOUND, "topic.unknown");
    world_close(&w);
}

static void test_adoption(void **state)
{
    (void)state;
    struct world w;
    open_off(&w);
    struct request *r = topic_request(&w, REQUEST_TOPIC_CREATE, "c", 2);
    set_config(r, "retention.ms", "60000");
    struct result out = world_do(&w, r);
    struct topic_id id = out.topic_id;
    result_free(&out);
    world_report(&w, "c", 7);
    world_must(&w, "[" TEAM("t") "]", true);
    out = world_apply(&w, "[" BYTES_TOPIC("c", ",\"partitions\":3") "]");
    assert_int_equal(out.code, ERR_OK);
    assert_non_null(strstr(bytes_cstr(&out.body), "topic.adopted"));
    result_free(&out);
    const struct view *v = catalogue_view(w.a);
    const struct view_topic *t = view_topic_by_name(v, slice_str("c"));
    assert_memory_equal(t->id.bytes, id.bytes, sizeof id.bytes);
    assert_int_equal(t->partitions_n, 3);
    assert_int_equal(t->config_n, 0);
    assert_int_equal(t->retention_ms, 604800000);
    view_unref(v);
    world_close(&w);
}

static void test_cluster(void **state)
{
    (void)state;
    struct world w;
    world_open_empty(&w);
    expect(&w, world_request(&w, REQUEST_BOOTSTRAP), ERR_OK, "");
    const struct view *v = catalogue_view(w.a);
    assert_int_equal(v->cluster_id.n, 22);
    char id[32];
    snprintf(id, sizeof id, "%.*s", SLICE_FMT(v->cluster_id));
    view_unref(v);
    struct result out = world_do(&w, world_request(&w, REQUEST_BOOTSTRAP));
    assert_int_equal(out.code, ERR_OK);
    assert_false(out.changed);
    result_free(&out);
    v = catalogue_view(w.a);
    assert_true(slice_eq_str(v->cluster_id, id));
    view_unref(v);
    for (uint64_t epoch = 1; epoch <= 3; epoch++) {
        world_node(&w, 4);
        v = catalogue_view(w.a);
        assert_int_equal(v->nodes_n, 1);
        assert_int_equal(view_node_by_id(v, 4)->broker_epoch, epoch);
        assert_int_equal(view_node_by_id(v, 4)->raft_id, 77);
        view_unref(v);
    }
    catalogue_set_controller(w.a, 4);
    v = catalogue_view(w.a);
    assert_int_equal(v->controller, 4);
    view_unref(v);
    world_close(&w);
}

static void test_producer_ids(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    int64_t next = 1;
    for (int i = 0; i < 20; i++) {
        struct request *r = world_request(&w, REQUEST_PRODUCER_IDS);
        r->count = 1 + (int32_t)(world_random(&w) % 1000);
        int32_t n = r->count;
        struct result out = world_do(&w, r);
        assert_int_equal(out.code, ERR_OK);
        assert_int_equal(out.first_producer_id, next);
        next += n;
        result_free(&out);
    }
    struct request *r = world_request(&w, REQUEST_PRODUCER_IDS);
    expect(&w, r, ERR_INVALID, "count.invalid");
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create),
        cmocka_unit_test(test_configs),
        cmocka_unit_test(test_partitions_and_deletion),
        cmocka_unit_test(test_adoption),
        cmocka_unit_test(test_cluster),
        cmocka_unit_test(test_producer_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
