/* Topics without contract: what any Kafka client does first. */
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

static void test_api_versions(void **state)
{
    (void)state;
    struct world *w = open_world(1);
    uint64_t c = world_connect(w);
    struct wire_api_versions_request req = wire_api_versions_request_default;
    req.client_software_name = SLICE_LIT("test");
    req.client_software_version = SLICE_LIT("1.0");
    struct wire_api_versions_response *r = world_call(w, c, WIRE_API_VERSIONS, 4, &req);
    assert_non_null(r);
    assert_int_equal(r->error_code, 0);
    assert_in_range(r->api_keys_n, 15, (int32_t)wire_apis_n);
    assert_int_equal(r->finalized_features_n, 1);
    assert_int_equal(r->finalized_features[0].max_version_level, 21);
    assert_int_equal(r->api_keys[0].api_key, WIRE_PRODUCE);
    assert_int_equal(r->api_keys[0].min_version, 0);
    assert_int_equal(r->api_keys[0].max_version, 10);
    world_free(w);
}

static void test_produce_and_fetch(void **state)
{
    (void)state;
    struct world *w = open_world(2);
    uint64_t c = world_connect(w);
    client_create_topic(w, c, "t", 2);
    for (int i = 0; i < 10; i++) {
        char text[32];
        snprintf(text, sizeof text, "value %d", i);
        struct client_outcome o = client_produce_text(w, c, "t", i % 2, text);
        assert_int_equal(o.error, 0);
        assert_int_equal(o.base_offset, i / 2);
    }
    struct client_fetched got[16];
    assert_int_equal(client_read_all(w, c, "t", 0, 0, got, 16), 5);
    assert_memory_equal(got[4].value.p, "value 8", 7);
    assert_int_equal(client_read_all(w, c, "t", 1, 2, got, 16), 3);
    assert_int_equal(client_list_offset(w, c, "t", 0, -1), 5);
    assert_int_equal(client_list_offset(w, c, "t", 0, -2), 0);
    assert_null(world_fatal(w));
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_api_versions),
        cmocka_unit_test(test_produce_and_fetch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
