/* Documents: every field, every kind of refusal, and that what is written reads back the same. */
#include "base/mem.h"
#include "policy_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define KEY "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
#define TOPIC(more)                                                                                \
    "{\"kind\":\"Topic\",\"name\":\"shop.orders\",\"team\":\"orders\","                            \
    "\"value\":{\"format\":\"bytes\"}" more "}"
#define PRODUCER(more) "{\"kind\":\"Producer\",\"name\":\"shop\",\"team\":\"orders\"" more "}"
#define POLICY(more)   "{\"kind\":\"Policy\",\"name\":\"root\"" more "}"

static const char full_topic[] =
    "{\"tags\":{\"z\":\"1\",\"domain\":\"shop\"},\"kind\":\"Topic\",\"name\":\"shop.orders."
    "placed\","
    "\"team\":\"orders\",\"description\":\"An order \\u00e4\",\"event\":\"command\","
    "\"type\":\"com.example.OrderPlaced\",\"value\":{\"format\":\"json\","
    "\"schema\":{\"type\": \"object\"},\"formats\":\"assert\",\"framing\":\"none\","
    "\"compatibility\":\"NONE\",\"examples\":[{\"a\":1},\"{ }\"]},"
    "\"key\":{\"format\":\"string\",\"required\":true},"
    "\"headers\":{\"required\":[\"traceparent\",\"b\"]},"
    "\"signing\":{\"required\":true,\"window\":\"5m\",\"headers\":[\"traceparent\"]},"
    "\"retention\":{\"time\":\"forever\",\"bytes\":\"10GiB\",\"cleanup\":\"delete\"},"
    "\"partitions\":6,\"replicas\":3,\"limits\":{\"record\":\"64KiB\"},"
    "\"min_insync_replicas\":2,\"flush\":\"sync\",\"mode\":false}";

static void test_full_topic(void **state)
{
    struct document *d = help_document(full_topic);
    const struct contract *c = &d->topic;
    (void)state;
    assert_int_equal(d->kind, DOCUMENT_TOPIC);
    assert_true(slice_eq_str(d->name, "shop.orders.placed"));
    assert_true(slice_eq_str(c->team, "orders"));
    assert_true(slice_eq_str(c->description, "An order \xc3\xa4"));
    assert_int_equal(c->event, CONTRACT_COMMAND);
    assert_int_equal(c->value.format, SCHEMA_JSON);
    assert_true(slice_eq_str(c->value.schema_text, "{\"type\": \"object\"}"));
    assert_true(c->value.check_formats);
    assert_true(slice_eq_str(c->value.compatibility, "NONE"));
    assert_int_equal(c->value.examples.n, 2);
    assert_true(slice_eq_str(c->value.examples.item[0], "{\"a\":1}"));
    assert_true(slice_eq_str(c->value.examples.item[1], "{ }"));
    assert_int_equal(c->key.format, KEY_STRING);
    assert_true(c->key.required);
    assert_int_equal(c->headers_required.n, 2);
    assert_true(c->signing.required);
    assert_int_equal(c->signing.window_ms, 300000);
    assert_int_equal(c->signing.headers.n, 1);
    assert_int_equal(c->retention.time_ms, -1);
    assert_int_equal(c->retention.size_bytes, INT64_C(10) << 30);
    assert_int_equal(c->partitions, 6);
    assert_int_equal(c->replicas, 3);
    assert_int_equal(c->min_insync_replicas, 2);
    assert_int_equal(c->record_limit_bytes, 65536);
    assert_int_equal(c->mode, MODE_OFF);
    assert_int_equal(c->tag_names.n, 2);
    assert_true(slice_eq_str(c->tag_names.item[0], "domain"));
    assert_true(slice_eq_str(c->tag_values.item[0], "shop"));
    document_free(d);
}

static void test_defaults(void **state)
{
    struct document *d = help_document(TOPIC(",\"mode\":\"enforce\""));
    const struct contract *c = &d->topic;
    (void)state;
    assert_int_equal(c->event, CONTRACT_EVENT);
    assert_int_equal(c->signing.window_ms, 120000);
    assert_int_equal(c->retention.time_ms, INT64_C(7) * 86400000);
    assert_int_equal(c->retention.size_bytes, -1);
    assert_int_equal(c->partitions, 1);
    assert_int_equal(c->record_limit_bytes, 1 << 20);
    assert_int_equal(c->mode, MODE_ENFORCE);
    assert_true(slice_eq_str(c->value.compatibility, "NONE"));
    assert_int_equal(c->value.schema_text.n, 0);
    document_free(d);

    d = help_document(POLICY(""));
    const struct policy *p = &d->policy;
    assert_false(p->governance_set);
    assert_int_equal(p->naming_pattern.n, 0);
    assert_int_equal(p->retention_min_ms, -1);
    assert_int_equal(p->retention_max_ms, -1);
    assert_int_equal(p->replicas_min, -1);
    assert_int_equal(p->signing_required, -1);
    assert_int_equal(p->record_limit_max_bytes, -1);
    document_free(d);
}

static void test_other_kinds(void **state)
{
    struct document *d = help_document(
        PRODUCER(",\"keys\":[{\"id\":\"main\",\"public_key\":\"" KEY "\","
                 "\"not_before\":\"2026-11-25T09:03:01.250Z\",\"state\":\"revoked\","
                 "\"revoked_at\":\"2026-11-26T00:00:00+01:00\",\"reason\":\"lost\"}],"
                 "\"topics\":[\"shop.*\",\"*\",\"a\"],\"principals\":[\"anonymous\"]"));
    (void)state;
    const struct producer_key *k = d->producer.key;
    assert_int_equal(d->producer.keys_n, 1);
    assert_true(slice_eq_str(k->id, "main"));
    assert_int_equal(k->public_key[0], 0xd7);
    assert_int_equal(k->state, KEY_REVOKED);
    assert_int_equal(k->not_before_ms, INT64_C(1795597381250));
    assert_int_equal(k->not_after_ms, 0);
    assert_true(k->revoked_at_ms > k->not_before_ms);
    assert_int_equal(d->producer.topics.n, 3);
    document_free(d);

    d = help_document(
        POLICY(",\"prefix\":\"shop.\",\"governance\":false,"
               "\"naming\":{\"pattern\":\"[a-z.]+\"},\"required\":[\"/description\"],"
               "\"formats\":[\"json\"],\"retention\":{\"min\":\"1h\",\"max\":\"30d\"},"
               "\"replicas\":{\"min\":2},\"signing\":{\"required\":true},"
               "\"modes\":[\"enforce\",\"off\"],\"limits\":{\"record\":4096}"));
    assert_true(d->policy.governance_set && d->policy.governance_off);
    assert_int_equal(d->policy.replicas_min, 2);
    assert_int_equal(d->policy.signing_required, 1);
    assert_int_equal(d->policy.record_limit_max_bytes, 4096);
    assert_int_equal(d->policy.retention_min_ms, 3600000);
    document_free(d);

    d = help_document("{\"kind\":\"Team\",\"name\":\"t\",\"members\":[\"a\"],\"contact\":\"#x\"}");
    assert_int_equal(d->team.members.n, 1);
    document_free(d);
}

/* What is written reads back, and is then written alike. */
static void round_trip(const char *json)
{
    struct bytes first = {0}, second = {0};
    struct document *d = help_document(json);
    document_write(d, &first);
    struct document *again = help_document(bytes_cstr(&first));
    document_write(again, &second);
    assert_string_equal(bytes_cstr(&first), bytes_cstr(&second));
    document_free(d);
    document_free(again);
    bytes_free(&first);
    bytes_free(&second);
}

static void test_round_trips(void **state)
{
    (void)state;
    round_trip(full_topic);
    round_trip(TOPIC(""));
    round_trip(PRODUCER(",\"keys\":[{\"id\":\"main\",\"public_key\":\"" KEY "\"}]"));
    round_trip(POLICY(""));
    round_trip(POLICY(",\"governance\":\"on\",\"signing\":{\"required\":false}"));
    round_trip("{\"kind\":\"Team\",\"name\":\"t\"}");
}

static void test_unknown_fields_name_the_nearest(void **state)
{
    (void)state;
    help_refused(TOPIC(",\"retenton\":{}"), "field.unknown", "/retenton", "\"retention\"");
    help_refused(TOPIC(",\"key\":{\"requird\":true}"), "field.unknown", "/key/requird",
                 "\"required\"");
    help_refused(TOPIC(",\"schema\":\"{}\""), "field.unknown", "/schema", "\"value.schema\"");
    help_refused(TOPIC(",\"Mode\":\"enforce\""), "field.unknown", "/Mode", "\"mode\"");
    help_refused(TOPIC(",\"a/b~c\":1"), "field.unknown", "/a~1b~0c", "did you mean");
    help_refused(TOPIC(",\"\":1"), "field.unknown", "/", "did you mean");
    help_refused(TOPIC(",\"nam\\u0000e\":1"), "field.unknown", "/nam", "did you mean");
    help_refused(TOPIC(",\"value.format\":1"), "field.unknown", "/value.format", "did you mean");
    help_refused(PRODUCER(",\"keys\":[{\"id\":\"a\",\"public_key\":\"" KEY "\",\"kind\":1}]"),
                 "field.unknown", "/keys/0/kind", "did you mean");
    help_refused("{\"kind\":\"Topc\",\"name\":\"a\"}", "kind.unknown", "/kind", "\"Topic\"");
    help_refused("{\"name\":\"a\"}", "field.missing", "/kind", "required");
    help_refused("[]", "value.invalid", "", "map");
}

static void test_not_built_is_refused_by_name(void **state)
{
    static const struct {
        const char *json, *pointer, *part;
    } cases[] = {
        {TOPIC(",\"mode\":\"quarantine\""), "/mode", "\"quarantine\""},
        {TOPIC(",\"mode\":\"shadow\""), "/mode", "\"shadow\""},
        {TOPIC(",\"flush\":\"replicated\""), "/flush", "\"replicated\""},
        {TOPIC(",\"stale\":\"allow\""), "/stale", "\"stale\""},
        {TOPIC(",\"retention\":{\"cleanup\":\"compact\"}"), "/retention/cleanup", "\"compact\""},
        {TOPIC(",\"retention\":{\"cleanup\":\"compact,delete\"}"), "/retention/cleanup",
         "\"compact,delete\""},
        {TOPIC(",\"signing\":{\"replay\":\"topic\"}"), "/signing/replay", "\"signing.replay\""},
        {TOPIC(",\"limits\":{\"rate\":1}"), "/limits/rate", "\"limits.rate\""},
        {POLICY(",\"compatibility\":\"FULL\""), "/compatibility", "\"compatibility\""},
    };
    static const char *const formats[] = {"avro", "protobuf", "msgpack"};
    static const struct {
        const char *field, *value, *pointer;
    } values[] = {{"framing", "confluent", "/value/framing"},
                  {"framing", "header", "/value/framing"},
                  {"compatibility", "BACKWARD", "/value/compatibility"},
                  {"compatibility", "FULL_TRANSITIVE", "/value/compatibility"},
                  {"accept", "latest", "/value/accept"},
                  {"references", "x", "/value/references"}};
    char json[400];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        help_refused(cases[i].json, "not-built", cases[i].pointer, cases[i].part);
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        (void)snprintf(json, sizeof json,
                       "{\"kind\":\"Topic\",\"name\":\"a\",\"team\":\"t\","
                       "\"value\":{\"format\":\"%s\",\"schema\":\"x\"}}",
                       formats[i]);
        help_refused(json, "not-built", "/value/format", formats[i]);
    }
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        (void)snprintf(json, sizeof json,
                       "{\"kind\":\"Topic\",\"name\":\"a\",\"team\":\"t\","
                       "\"value\":{\"format\":\"bytes\",\"%s\":\"%s\"}}",
                       values[i].field, values[i].value);
        help_refused(json, "not-built", values[i].pointer, "not built yet");
    }
}

static void test_values_refused(void **state)
{
    (void)state;
    help_refused(TOPIC(",\"mode\":\"enforced\""), "value.invalid", "/mode", "\"enforce\"");
    help_refused(TOPIC(",\"mode\":true"), "value.invalid", "/mode", "known: enforce, off");
    help_refused(TOPIC(",\"partitions\":0"), "value.invalid", "/partitions", "at least 1");
    help_refused(TOPIC(",\"partitions\":-1"), "value.invalid", "/partitions", "must be at");
    help_refused(TOPIC(",\"partitions\":1001"), "value.invalid", "/partitions", "at most 1000");
    help_refused(TOPIC(",\"partitions\":\"6\""), "value.invalid", "/partitions", "whole number");
    help_refused(TOPIC(",\"partitions\":1.5"), "value.invalid", "/partitions", "whole number");
    help_refused(TOPIC(",\"min_insync_replicas\":2"), "value.invalid", "/min_insync_replicas",
                 "more than the 1 replicas");
    help_refused(TOPIC(",\"retention\":{\"time\":7}"), "value.invalid", "/retention/time",
                 "duration");
    help_refused(TOPIC(",\"retention\":{\"time\":\"7\"}"), "value.invalid", "/retention/time",
                 "duration");
    help_refused(TOPIC(",\"retention\":{\"time\":\"10ms\"}"), "value.invalid", "/retention/time",
                 "at least 1s");
    help_refused(TOPIC(",\"retention\":{\"bytes\":-1}"), "value.invalid", "/retention/bytes",
                 "size");
    help_refused(TOPIC(",\"retention\":\"7d\""), "value.invalid", "/retention", "map");
    help_refused(TOPIC(",\"signing\":{\"window\":\"forever\"}"), "value.invalid", "/signing/window",
                 "at most 1h");
    help_refused(TOPIC(",\"signing\":{\"required\":\"yes\"}"), "value.invalid", "/signing/required",
                 "true or false");
    help_refused(TOPIC(",\"limits\":{\"record\":\"1TiB\"}"), "value.invalid", "/limits/record",
                 "at most 16MiB");
    help_refused(TOPIC(",\"headers\":{\"required\":\"a\"}"), "value.invalid", "/headers/required",
                 "list");
    help_refused(TOPIC(",\"headers\":{\"required\":[\"a\",\"a\"]}"), "value.invalid",
                 "/headers/required/1", "twice");
    help_refused(TOPIC(",\"headers\":{\"required\":[\"\"]}"), "value.invalid",
                 "/headers/required/0", "empty");
    help_refused(TOPIC(",\"tags\":{\"a\":1}"), "value.invalid", "/tags/a", "string");
    help_refused(TOPIC(",\"type\":1"), "value.invalid", "/type", "quote");
    help_refused("{\"kind\":\"Topic\",\"name\":\"..\",\"team\":\"t\",\"value\":{\"format\":"
                 "\"bytes\"}}",
                 "value.invalid", "/name", "letters");
    help_refused("{\"kind\":\"Topic\",\"name\":\"a b\",\"team\":\"t\",\"value\":{\"format\":"
                 "\"bytes\"}}",
                 "value.invalid", "/name", "letters");
    help_refused("{\"kind\":\"Topic\",\"name\":\"a\",\"team\":\"t\"}", "field.missing",
                 "/value/format", "required");
    help_refused("{\"kind\":\"Topic\",\"name\":\"a\",\"team\":null,\"value\":{\"format\":"
                 "\"bytes\"}}",
                 "field.missing", "/team", "required");
    help_refused("{\"kind\":\"Topic\",\"name\":\"a\",\"team\":\"t\",\"value\":{\"format\":"
                 "\"json\"}}",
                 "field.missing", "/value/schema", "schema");
    help_refused("{\"kind\":\"Topic\",\"name\":\"a\",\"team\":\"t\",\"value\":{\"format\":"
                 "\"bytes\",\"schema\":\"{}\"}}",
                 "value.invalid", "/value/schema", "no schema");
}

static void test_producers_and_policies_refused(void **state)
{
    (void)state;
    help_refused(PRODUCER(",\"keys\":[{\"id\":\"a\",\"public_key\":\"abc\"}]"), "value.invalid",
                 "/keys/0/public_key", "43 characters");
    help_refused(PRODUCER(",\"keys\":[{\"id\":\"a\",\"public_key\":"
                          "\"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}]"),
                 "value.invalid", "/keys/0/public_key", "not a safe");
    help_refused(PRODUCER(",\"keys\":[{\"public_key\":\"" KEY "\"}]"), "field.missing",
                 "/keys/0/id", "required");
    help_refused(PRODUCER(",\"keys\":[{\"id\":\"a\",\"public_key\":\"" KEY "\"},"
                          "{\"id\":\"a\",\"public_key\":\"" KEY "\"}]"),
                 "value.invalid", "/keys/1", "same id");
    help_refused(PRODUCER(",\"keys\":[{\"id\":\"a\",\"public_key\":\"" KEY "\","
                          "\"not_before\":\"2026-01-02T00:00:00Z\","
                          "\"not_after\":\"2026-01-01T00:00:00Z\"}]"),
                 "value.invalid", "/keys/0", "later");
    help_refused(PRODUCER(",\"keys\":[{\"id\":\"a/b\",\"public_key\":\"" KEY "\"}]"),
                 "value.invalid", "/keys/0/id", "letters");
    help_refused(PRODUCER(",\"topics\":[\"a*b\"]"), "value.invalid", "/topics/0", "prefix");
    help_refused(POLICY(",\"naming\":{\"pattern\":\"(\"}"), "value.invalid", "/naming/pattern",
                 "regular expression");
    help_refused(POLICY(",\"required\":[\"description\"]"), "value.invalid", "/required/0",
                 "JSON Pointer");
    help_refused(POLICY(",\"retention\":{\"min\":\"2d\",\"max\":\"1d\"}"), "value.invalid",
                 "/retention", "longer");
    help_refused(POLICY(",\"retention\":{\"max\":\"forever\"}"), "value.invalid", "/retention/max",
                 "leave it out");
    help_refused(POLICY(",\"prefix\":\"shop.*\""), "value.invalid", "/prefix", "without *");
    help_refused(POLICY(",\"modes\":[\"shadow\"]"), "not-built", "/modes/0", "shadow");
    help_refused(POLICY(",\"governance\":\"maybe\""), "value.invalid", "/governance", "on or off");
}

/* Each limit: at it is well, one above is refused with what it is. */
static void test_limits(void **state)
{
    static const struct {
        const char *before, *after, *pointer;
        size_t most;
        bool list;
    } cases[] = {
        {"{\"kind\":\"Team\",\"name\":\"", "\"}", "/name", 100, false},
        {"{\"kind\":\"Topic\",\"team\":\"t\",\"value\":{\"format\":\"bytes\"},\"name\":\"", "\"}",
         "/name", 249, false},
        {"{\"kind\":\"Producer\",\"team\":\"t\",\"name\":\"", "\"}", "/name", 60, false},
        {"{\"kind\":\"Team\",\"name\":\"t\",\"description\":\"", "\"}", "/description", 4000,
         false},
        {"{\"kind\":\"Team\",\"name\":\"t\",\"members\":[\"", "\"]}", "/members/0", 120, false},
        {"{\"kind\":\"Topic\",\"name\":\"a\",\"team\":\"t\",\"value\":{\"format\":\"json\","
         "\"schema\":\"",
         "\"}}", "/value/schema", 1048576, false},
        {"{\"kind\":\"Team\",\"name\":\"t\",\"members\":[", "]}", "/members", 200, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (size_t more = 0; more < 2; more++) {
            struct bytes b = {0};
            bytes_add_str(&b, cases[i].before);
            for (size_t k = 0; k < cases[i].most + more; k++) {
                if (cases[i].list)
                    bytes_printf(&b, "%s\"m%zu\"", k > 0 ? "," : "", k);
                else
                    bytes_add_u8(&b, 'x');
            }
            bytes_add_str(&b, cases[i].after);
            if (more == 0)
                document_free(help_document(bytes_cstr(&b)));
            else
                help_refused(bytes_cstr(&b), "limit", cases[i].pointer, "at most");
            bytes_free(&b);
        }
    }
}

/* Several errors are told at once, and a full list still refuses. */
static void test_many_errors(void **state)
{
    struct document_errors errors = {0};
    (void)state;
    assert_null(help_parse(TOPIC(",\"mode\":\"x\",\"flush\":\"y\",\"zzz\":1"), &errors));
    assert_int_equal(errors.n, 3);
    for (int i = 0; i < 200; i++)
        document_errors_add(&errors, "x", "", "%d", i);
    assert_null(help_parse(TOPIC(",\"mode\":\"x\""), &errors));
    document_errors_free(&errors);
}

static void test_diff(void **state)
{
    struct document *a = help_document(TOPIC(",\"retention\":{\"time\":\"7d\"},\"partitions\":1"));
    struct document *b =
        help_document(TOPIC(",\"retention\":{\"time\":\"1d\"},\"tags\":{\"a\":\"b\"}"));
    struct bytes out = {0};
    struct json_writer w;
    (void)state;
    json_writer_init(&w, &out);
    json_begin_array(&w);
    document_diff(a, b, &w);
    json_end_array(&w);
    assert_string_equal(bytes_cstr(&out),
                        "[{\"pointer\":\"/retention/time\",\"old\":\"7d\",\"new\":\"1d\"},"
                        "{\"pointer\":\"/tags\",\"old\":{},\"new\":{\"a\":\"b\"}}]");
    bytes_clear(&out);
    json_writer_init(&w, &out);
    json_begin_array(&w);
    document_diff(a, a, &w);
    json_end_array(&w);
    assert_string_equal(bytes_cstr(&out), "[]");
    bytes_free(&out);
    document_free(a);
    document_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full_topic),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_other_kinds),
        cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_unknown_fields_name_the_nearest),
        cmocka_unit_test(test_not_built_is_refused_by_name),
        cmocka_unit_test(test_values_refused),
        cmocka_unit_test(test_producers_and_policies_refused),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_many_errors),
        cmocka_unit_test(test_diff),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
