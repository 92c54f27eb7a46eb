/* The admin APIs of topics without contract. */
#include "harness/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct world *open_world(uint64_t seed)
{
    return world_new(
        &(struct world_options){.seed = seed, .governance_off = true, .auto_create = true});
}

static struct wire_metadata_response *metadata(struct world *w, uint64_t c, const char *topic,
                                               bool create)
{
    struct wire_metadata_request req = wire_metadata_request_default;
    struct wire_metadata_request_topic t = wire_metadata_request_topic_default;
    t.name = slice_str(topic);
    req.topics = topic ? &t : NULL;
    req.topics_n = topic ? 1 : -1;
    req.allow_auto_topic_creation = create;
    struct wire_metadata_response *r = world_call(w, c, WIRE_METADATA, 12, &req);
    assert_non_null(r);
    return r;
}

static int16_t create(struct world *w, uint64_t c, struct wire_create_topics_request_topic *t,
                      bool validate_only, char message[256])
{
    struct wire_create_topics_request req = wire_create_topics_request_default;
    req.topics = t;
    req.topics_n = 1;
    req.validate_only = validate_only;
    struct wire_create_topics_response *r = world_call(w, c, WIRE_CREATE_TOPICS, 7, &req);
    assert_non_null(r);
    if (message)
        snprintf(message, 256, "%.*s", SLICE_FMT(r->topics[0].error_message));
    return r->topics[0].error_code;
}

static struct wire_create_topics_request_topic topic_named(const char *name, int32_t partitions)
{
    struct wire_create_topics_request_topic t = wire_create_topics_request_topic_default;
    t.name = slice_str(name);
    t.num_partitions = partitions;
    t.replication_factor = 1;
    return t;
}

static void test_metadata(void **state)
{
    (void)state;
    struct world *w = open_world(1);
    uint64_t c = world_connect(w);
    struct wire_metadata_response *r = metadata(w, c, NULL, true);
    assert_int_equal(r->brokers_n, 1);
    assert_int_equal(r->brokers[0].node_id, 1);
    assert_int_equal(r->brokers[0].port, 9092);
    assert_int_equal(r->controller_id, 1);
    assert_int_equal(r->cluster_id.n, 22);
    assert_int_equal(r->topics_n, 0);
    r = metadata(w, c, "nope", false);
    assert_int_equal(r->topics[0].error_code, WIRE_E_UNKNOWN_TOPIC_OR_PARTITION);
    r = metadata(w, c, "no/pe", true);
    assert_int_equal(r->topics[0].error_code, WIRE_E_INVALID_TOPIC_EXCEPTION);
    client_create_topic(w, c, "b", 3);
    client_create_topic(w, c, "a", 1);
    r = metadata(w, c, NULL, false);
    assert_int_equal(r->topics_n, 2);
    r = metadata(w, c, "b", false);
    assert_int_equal(r->topics[0].partitions_n, 3);
    assert_int_equal(r->topics[0].partitions[2].leader_id, 1);
    assert_int_equal(r->topics[0].partitions[2].isr_nodes_n, 1);
    /* By id, without a name. */
    struct wire_metadata_request req = wire_metadata_request_default;
    struct wire_metadata_request_topic t = wire_metadata_request_topic_default;
    t.name = SLICE_NULL;
    memcpy(t.topic_id, r->topics[0].topic_id, sizeof t.topic_id);
    req.topics = &t;
    req.topics_n = 1;
    r = world_call(w, c, WIRE_METADATA, 12, &req);
    assert_int_equal(r->topics[0].error_code, 0);
    assert_true(slice_eq_str(r->topics[0].name, "b"));
    t.topic_id[0] ^= 1;
    r = world_call(w, c, WIRE_METADATA, 12, &req);
    assert_int_equal(r->topics[0].error_code, WIRE_E_UNKNOWN_TOPIC_ID);
    world_free(w);
}

static void test_auto_creation(void **state)
{
    (void)state;
    struct world *w = open_world(2);
    uint64_t c = world_connect(w), d = world_connect(w);
    /* Two clients ask at the same moment; both are answered with the topic. */
    struct wire_metadata_request req = wire_metadata_request_default;
    struct wire_metadata_request_topic t = wire_metadata_request_topic_default;
    t.name = SLICE_LIT("fresh");
    req.topics = &t;
    req.topics_n = 1;
    world_send(w, c, WIRE_METADATA, 4, &req);
    world_send(w, d, WIRE_METADATA, 7, &req);
    struct wire_metadata_response *r = world_receive(w, c);
    assert_int_equal(r->topics[0].error_code, 0);
    assert_int_equal(r->topics[0].partitions_n, 1);
    r = world_receive(w, d);
    assert_int_equal(r->topics[0].error_code, 0);
    assert_int_equal(client_produce_text(w, c, "fresh", 0, "x").error, 0);
    /* A controller that does not answer: the client is told to ask again. */
    world_hold_catalogue(w, true);
    t.name = SLICE_LIT("later");
    r = world_call(w, c, WIRE_METADATA, 4, &req);
    assert_int_equal(r->topics[0].error_code, WIRE_E_LEADER_NOT_AVAILABLE);
    world_hold_catalogue(w, false);
    world_run_ms(w, 100);
    r = world_call(w, c, WIRE_METADATA, 4, &req);
    assert_int_equal(r->topics[0].error_code, 0);
    world_free(w);
}

static void test_create_topics(void **state)
{
    (void)state;
    struct world *w = open_world(3);
    uint64_t c = world_connect(w);
    char message[256];
    struct wire_create_topics_request_topic t = topic_named("a", 4);
    assert_int_equal(create(w, c, &t, true, NULL), 0);
    assert_int_equal(metadata(w, c, "a", false)->topics[0].error_code,
                     WIRE_E_UNKNOWN_TOPIC_OR_PARTITION); /* only validated */
    assert_int_equal(create(w, c, &t, false, NULL), 0);
    assert_int_equal(metadata(w, c, "a", false)->topics[0].partitions_n, 4);
    assert_int_equal(create(w, c, &t, false, NULL), WIRE_E_TOPIC_ALREADY_EXISTS);
    t = topic_named("b", 0);
    assert_int_equal(create(w, c, &t, false, NULL), WIRE_E_INVALID_PARTITIONS);
    t = topic_named("b", -1);
    t.replication_factor = 3;
    assert_int_equal(create(w, c, &t, false, message), WIRE_E_INVALID_REPLICATION_FACTOR);
    assert_non_null(strstr(message, "1 node"));
    t = topic_named("b/c", 1);
    assert_int_equal(create(w, c, &t, false, NULL), WIRE_E_INVALID_TOPIC_EXCEPTION);
    struct wire_create_topics_request_config config = wire_create_topics_request_config_default;
    config.name = SLICE_LIT("no.such.setting");
    config.value = SLICE_LIT("1");
    t = topic_named("b", 1);
    t.configs = &config;
    t.configs_n = 1;
    assert_int_equal(create(w, c, &t, false, message), WIRE_E_INVALID_CONFIG);
    assert_non_null(strstr(message, "no.such.setting"));
    config.name = SLICE_LIT("cleanup.policy");
    config.value = SLICE_LIT("compact");
    assert_int_equal(create(w, c, &t, false, message), WIRE_E_INVALID_CONFIG);
    assert_non_null(strstr(message, "compact"));
    config.value = SLICE_LIT("delete");
    assert_int_equal(create(w, c, &t, false, NULL), 0);
    world_free(w);
}

static void test_delete_topics(void **state)
{
    (void)state;
    struct world *w = open_world(4);
    uint64_t c = world_connect(w);
    client_create_topic(w, c, "a", 2);
    client_produce_text(w, c, "a", 0, "x");
    struct wire_delete_topics_request req = wire_delete_topics_request_default;
    struct slice names[2] = {SLICE_LIT("a"), SLICE_LIT("b")};
    req.topic_names = names;
    req.topic_names_n = 2;
    struct wire_delete_topics_response *r = world_call(w, c, WIRE_DELETE_TOPICS, 5, &req);
    assert_int_equal(r->responses[0].error_code, 0);
    assert_int_equal(r->responses[1].error_code, WIRE_E_UNKNOWN_TOPIC_OR_PARTITION);
    assert_int_equal(client_produce_text(w, c, "a", 0, "x").error,
                     WIRE_E_UNKNOWN_TOPIC_OR_PARTITION);
    /* A new topic of the same name begins at offset 0, also over a restart. */
    client_create_topic(w, c, "a", 1);
    assert_int_equal(client_produce_text(w, c, "a", 0, "y").base_offset, 0);
    world_kill(w);
    world_start(w, NULL);
    c = world_connect(w);
    assert_int_equal(client_list_offset(w, c, "a", 0, -1), 1);
    world_free(w);
}

static void test_create_partitions(void **state)
{
    (void)state;
    struct world *w = open_world(5);
    uint64_t c = world_connect(w);
    client_create_topic(w, c, "a", 2);
    struct wire_create_partitions_request req = wire_create_partitions_request_default;
    struct wire_create_partitions_request_topic t = wire_create_partitions_request_topic_default;
    t.name = SLICE_LIT("a");
    t.count = 5;
    t.assignments_n = -1;
    req.topics = &t;
    req.topics_n = 1;
    struct wire_create_partitions_response *r = world_call(w, c, WIRE_CREATE_PARTITIONS, 3, &req);
    assert_int_equal(r->results[0].error_code, 0);
    assert_int_equal(client_produce_text(w, c, "a", 4, "x").error, 0);
    t.count = 3;
    r = world_call(w, c, WIRE_CREATE_PARTITIONS, 3, &req);
    assert_int_equal(r->results[0].error_code, WIRE_E_INVALID_PARTITIONS);
    world_free(w);
}

static const struct wire_describe_configs_response_config *
setting(struct world *w, uint64_t c, const char *topic, const char *name)
{
    struct wire_describe_configs_request req = wire_describe_configs_request_default;
    struct wire_describe_configs_request_resource res =
        wire_describe_configs_request_resource_default;
    struct slice key = slice_str(name);
    res.resource_type = topic ? 2 : 4;
    res.resource_name = topic ? slice_str(topic) : SLICE_LIT("1");
    res.configuration_keys = &key;
    res.configuration_keys_n = 1;
    req.resources = &res;
    req.resources_n = 1;
    req.include_synonyms = true;
    struct wire_describe_configs_response *r = world_call(w, c, WIRE_DESCRIBE_CONFIGS, 4, &req);
    assert_non_null(r);
    assert_int_equal(r->results[0].error_code, 0);
    assert_int_equal(r->results[0].configs_n, 1);
    return &r->results[0].configs[0];
}

static void test_configs(void **state)
{
    (void)state;
    struct world *w = open_world(6);
    uint64_t c = world_connect(w);
    client_create_topic(w, c, "a", 1);
    const struct wire_describe_configs_response_config *s = setting(w, c, "a", "retention.ms");
    assert_true(slice_eq_str(s->value, "604800000"));
    assert_int_equal(s->config_source, 5);
    assert_int_equal(s->synonyms_n, 1);
    assert_true(slice_eq_str(setting(w, c, NULL, "node.id")->value, "1"));

    struct wire_incremental_alter_configs_request req =
        wire_incremental_alter_configs_request_default;
    struct wire_incremental_alter_configs_request_resource res =
        wire_incremental_alter_configs_request_resource_default;
    struct wire_incremental_alter_configs_request_config cfg =
        wire_incremental_alter_configs_request_config_default;
    cfg.name = SLICE_LIT("retention.ms");
    cfg.value = SLICE_LIT("60000");
    res.resource_type = 2;
    res.resource_name = SLICE_LIT("a");
    res.configs = &cfg;
    res.configs_n = 1;
    req.resources = &res;
    req.resources_n = 1;
    struct wire_incremental_alter_configs_response *r =
        world_call(w, c, WIRE_INCREMENTAL_ALTER_CONFIGS, 1, &req);
    assert_int_equal(r->responses[0].error_code, 0);
    s = setting(w, c, "a", "retention.ms");
    assert_true(slice_eq_str(s->value, "60000"));
    assert_int_equal(s->config_source, 1);
    cfg.config_operation = 1; /* delete */
    cfg.value = SLICE_NULL;
    r = world_call(w, c, WIRE_INCREMENTAL_ALTER_CONFIGS, 1, &req);
    assert_int_equal(r->responses[0].error_code, 0);
    assert_int_equal(setting(w, c, "a", "retention.ms")->config_source, 5);
    cfg.config_operation = 0;
    cfg.value = SLICE_LIT("soon");
    r = world_call(w, c, WIRE_INCREMENTAL_ALTER_CONFIGS, 1, &req);
    assert_int_equal(r->responses[0].error_code, WIRE_E_INVALID_CONFIG);

    /* AlterConfigs replaces all. */
    struct wire_alter_configs_request all = wire_alter_configs_request_default;
    struct wire_alter_configs_request_resource ares = wire_alter_configs_request_resource_default;
    struct wire_alter_configs_request_config acfg = wire_alter_configs_request_config_default;
    acfg.name = SLICE_LIT("max.message.bytes");
    acfg.value = SLICE_LIT("1000");
    ares.resource_type = 2;
    ares.resource_name = SLICE_LIT("a");
    ares.configs = &acfg;
    ares.configs_n = 1;
    all.resources = &ares;
    all.resources_n = 1;
    struct wire_alter_configs_response *ar = world_call(w, c, WIRE_ALTER_CONFIGS, 2, &all);
    assert_int_equal(ar->responses[0].error_code, 0);
    char big[2000];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = 0;
    assert_int_equal(client_produce_text(w, c, "a", 0, big).error, WIRE_E_MESSAGE_TOO_LARGE);
    assert_int_equal(client_produce_text(w, c, "a", 0, "small").error, 0);
    ares.resource_type = 4;
    ar = world_call(w, c, WIRE_ALTER_CONFIGS, 2, &all);
    assert_int_equal(ar->responses[0].error_code, WIRE_E_INVALID_REQUEST);
    world_free(w);
}

static void test_delete_records(void **state)
{
    (void)state;
    struct world *w = open_world(7);
    uint64_t c = world_connect(w);
    client_create_topic(w, c, "a", 1);
    for (int i = 0; i < 5; i++)
        client_produce_text(w, c, "a", 0, "x");
    struct wire_delete_records_request req = wire_delete_records_request_default;
    struct wire_delete_records_request_topic t = wire_delete_records_request_topic_default;
    struct wire_delete_records_request_partition p[2] = {
        wire_delete_records_request_partition_default,
        wire_delete_records_request_partition_default};
    p[0].offset = 3;
    p[1].partition_index = 1;
    t.name = SLICE_LIT("a");
    t.partitions = p;
    t.partitions_n = 2;
    req.topics = &t;
    req.topics_n = 1;
    struct wire_delete_records_response *r = world_call(w, c, WIRE_DELETE_RECORDS, 2, &req);
    assert_int_equal(r->topics[0].partitions[0].error_code, 0);
    assert_int_equal(r->topics[0].partitions[0].low_watermark, 3);
    assert_int_equal(r->topics[0].partitions[1].error_code, WIRE_E_UNKNOWN_TOPIC_OR_PARTITION);
    world_crash(w); /* what was told holds */
    world_start(w, NULL);
    c = world_connect(w);
    assert_int_equal(client_list_offset(w, c, "a", 0, -2), 3);
    t.partitions_n = 1;
    p[0].offset = 9;
    r = world_call(w, c, WIRE_DELETE_RECORDS, 2, &req);
    assert_int_equal(r->topics[0].partitions[0].error_code, WIRE_E_OFFSET_OUT_OF_RANGE);
    p[0].offset = -1;
    r = world_call(w, c, WIRE_DELETE_RECORDS, 2, &req);
    assert_int_equal(r->topics[0].partitions[0].low_watermark, 5);
    world_free(w);
}

static void test_describe(void **state)
{
    (void)state;
    struct world *w = open_world(8);
    uint64_t c = world_connect(w);
    client_create_topic(w, c, "a", 3);
    client_create_topic(w, c, "b", 3);
    struct wire_describe_cluster_request cl = wire_describe_cluster_request_default;
    struct wire_describe_cluster_response *cr = world_call(w, c, WIRE_DESCRIBE_CLUSTER, 1, &cl);
    assert_int_equal(cr->brokers_n, 1);
    assert_int_equal(cr->controller_id, 1);
    cl.endpoint_type = 2;
    cr = world_call(w, c, WIRE_DESCRIBE_CLUSTER, 1, &cl);
    assert_int_equal(cr->error_code, WIRE_E_UNSUPPORTED_ENDPOINT_TYPE);
    /* Pages of two partitions: 2 + 1, 1 + ... */
    struct wire_describe_topic_partitions_request req =
        wire_describe_topic_partitions_request_default;
    struct wire_describe_topic_partitions_request_cursor cursor =
        wire_describe_topic_partitions_request_cursor_default;
    req.response_partition_limit = 2;
    int32_t seen = 0, pages = 0;
    for (;;) {
        struct wire_describe_topic_partitions_response *r =
            world_call(w, c, WIRE_DESCRIBE_TOPIC_PARTITIONS, 0, &req);
        int32_t here = 0;
        for (int32_t i = 0; i < r->topics_n; i++) {
            assert_int_equal(r->topics[i].error_code, 0);
            here += r->topics[i].partitions_n;
        }
        assert_true(here <= 2);
        seen += here;
        pages++;
        if (!r->next_cursor)
            break;
        cursor.topic_name = r->next_cursor->topic_name;
        cursor.partition_index = r->next_cursor->partition_index;
        req.cursor = &cursor;
    }
    assert_int_equal(seen, 6);
    assert_int_equal(pages, 3);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_metadata),          cmocka_unit_test(test_auto_creation),
        cmocka_unit_test(test_create_topics),     cmocka_unit_test(test_delete_topics),
        cmocka_unit_test(test_create_partitions), cmocka_unit_test(test_configs),
        cmocka_unit_test(test_delete_records),    cmocka_unit_test(test_describe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
