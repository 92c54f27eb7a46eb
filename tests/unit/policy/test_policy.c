/* Policies laid over one another, each violation, grants, and patterns that would run for ever. */
#include "policy/policy.h"
#include "policy/verdict.h"
#include "policy_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define POLICY(name, more) "{\"kind\":\"Policy\",\"name\":\"" name "\"" more "}"

enum { MANY = 4 };
struct set {
    struct document *document[MANY];
    const struct policy *policy[MANY];
    size_t n;
};

static void add(struct set *s, const char *json)
{
    s->document[s->n] = help_document(json);
    s->policy[s->n] = &s->document[s->n]->policy;
    s->n++;
}

static void release(struct set *s)
{
    for (size_t i = 0; i < s->n; i++)
        document_free(s->document[i]);
}

static void test_longest_prefix_wins_per_field(void **state)
{
    struct set s = {0};
    (void)state;
    add(&s, POLICY("shop", ",\"prefix\":\"shop.\",\"retention\":{\"max\":\"30d\"},"
                           "\"signing\":{\"required\":false}"));
    add(&s, POLICY("root", ",\"retention\":{\"min\":\"1h\",\"max\":\"7d\"},"
                           "\"signing\":{\"required\":true},\"formats\":[\"json\"]"));
    add(&s, POLICY("deep", ",\"prefix\":\"shop.orders.\",\"formats\":[\"bytes\"]"));
    struct policy r = policy_resolve(s.policy, s.n, SLICE_LIT("shop.orders.placed"));
    assert_int_equal(r.retention_max_ms, INT64_C(30) * 86400000);
    assert_int_equal(r.retention_min_ms, 3600000);
    assert_int_equal(r.signing_required, 0);
    assert_true(slice_eq_str(r.allowed_formats.item[0], "bytes"));
    r = policy_resolve(s.policy, s.n, SLICE_LIT("shop"));
    assert_int_equal(r.retention_max_ms, INT64_C(7) * 86400000);
    assert_int_equal(r.signing_required, 1);
    assert_int_equal(r.replicas_min, -1);
    release(&s);
}

static void test_order_of_policies_does_not_matter(void **state)
{
    struct set s = {0};
    (void)state;
    add(&s, POLICY("b", ",\"replicas\":{\"min\":2}"));
    add(&s, POLICY("a", ",\"replicas\":{\"min\":3}"));
    const struct policy *turned[] = {s.policy[1], s.policy[0]};
    assert_int_equal(policy_resolve(s.policy, 2, SLICE_LIT("t")).replicas_min, 3);
    assert_int_equal(policy_resolve(turned, 2, SLICE_LIT("t")).replicas_min, 3);
    release(&s);
}

static void test_governance_switch(void **state)
{
    struct set s = {0};
    (void)state;
    add(&s, POLICY("test", ",\"prefix\":\"test.\",\"governance\":\"off\""));
    add(&s, POLICY("deep", ",\"prefix\":\"test.a.\",\"retention\":{\"max\":\"1d\"}"));
    add(&s, POLICY("again", ",\"prefix\":\"test.b.\",\"governance\":true"));
    assert_true(policy_governance_off(s.policy, s.n, SLICE_LIT("test.x"), false));
    assert_true(policy_governance_off(s.policy, s.n, SLICE_LIT("test.a.x"), false));
    assert_false(policy_governance_off(s.policy, s.n, SLICE_LIT("test.b.x"), false));
    assert_false(policy_governance_off(s.policy, s.n, SLICE_LIT("test.b.x"), true));
    assert_false(policy_governance_off(s.policy, s.n, SLICE_LIT("shop"), false));
    assert_true(policy_governance_off(s.policy, s.n, SLICE_LIT("shop"), true));
    release(&s);
}

/* The one violation of a contract under one policy, or "" for none. */
static void violation(const char *policy, const char *topic, const char *code, const char *pointer)
{
    struct document *p = help_document(policy), *t = help_document(topic);
    const struct policy *list[] = {&p->policy};
    struct policy r = policy_resolve(list, 1, t->name);
    struct bytes text = {0};
    struct json_doc doc = {0};
    struct document_errors errors = {0};
    document_write(t, &text);
    assert_int_equal(json_parse(&doc, bytes_slice(&text), NULL, NULL), 0);
    policy_check(&r, &t->topic, &doc, &errors);
    if (code == NULL) {
        if (errors.n > 0)
            fail_msg("%s at %s: %s", errors.item[0].code, errors.item[0].pointer,
                     errors.item[0].detail);
    } else {
        assert_int_equal(errors.n, 1);
        assert_string_equal(errors.item[0].code, code);
        assert_string_equal(errors.item[0].pointer, pointer);
    }
    document_errors_free(&errors);
    json_free(&doc);
    bytes_free(&text);
    document_free(p);
    document_free(t);
}

#define TOPIC(more)                                                                                \
    "{\"kind\":\"Topic\",\"name\":\"shop.orders\",\"team\":\"orders\","                            \
    "\"value\":{\"format\":\"bytes\"}" more "}"

static void test_violations(void **state)
{
    (void)state;
    violation(POLICY("p", ",\"naming\":{\"pattern\":\"[a-z.]+\"}"), TOPIC(""), NULL, NULL);
    violation(POLICY("p", ",\"naming\":{\"pattern\":\"shop\"}"), TOPIC(""), "policy.naming",
              "/name");
    violation(POLICY("p", ",\"naming\":{\"pattern\":\".*orders\"}"), TOPIC(""), NULL, NULL);
    violation(POLICY("p", ",\"required\":[\"/description\"]"), TOPIC(""), "policy.required",
              "/description");
    violation(POLICY("p", ",\"required\":[\"/description\"]"), TOPIC(",\"description\":\"d\""),
              NULL, NULL);
    violation(POLICY("p", ",\"required\":[\"/tags/domain\"]"), TOPIC(",\"tags\":{\"x\":\"y\"}"),
              "policy.required", "/tags/domain");
    violation(POLICY("p", ",\"required\":[\"/nothing\"]"), TOPIC(""), "policy.required",
              "/nothing");
    violation(POLICY("p", ",\"formats\":[\"json\"]"), TOPIC(""), "policy.format", "/value/format");
    violation(POLICY("p", ",\"retention\":{\"min\":\"8d\"}"), TOPIC(""), "policy.retention-min",
              "/retention/time");
    violation(POLICY("p", ",\"retention\":{\"min\":\"8d\"}"),
              TOPIC(",\"retention\":{\"time\":\"forever\"}"), NULL, NULL);
    violation(POLICY("p", ",\"retention\":{\"max\":\"6d\"}"), TOPIC(""), "policy.retention-max",
              "/retention/time");
    violation(POLICY("p", ",\"retention\":{\"max\":\"6d\"}"),
              TOPIC(",\"retention\":{\"time\":\"forever\"}"), "policy.retention-max",
              "/retention/time");
    violation(POLICY("p", ",\"retention\":{\"min\":\"7d\",\"max\":\"7d\"}"), TOPIC(""), NULL, NULL);
    violation(POLICY("p", ",\"replicas\":{\"min\":2}"), TOPIC(""), "policy.replicas", "/replicas");
    violation(POLICY("p", ",\"signing\":{\"required\":true}"), TOPIC(""), "policy.signing",
              "/signing/required");
    violation(POLICY("p", ",\"signing\":{\"required\":true}"),
              TOPIC(",\"signing\":{\"required\":true}"), NULL, NULL);
    violation(POLICY("p", ",\"modes\":[\"enforce\"]"), TOPIC(",\"mode\":\"off\""), "policy.mode",
              "/mode");
    violation(POLICY("p", ",\"limits\":{\"record\":\"64KiB\"}"), TOPIC(""), "policy.record-limit",
              "/limits/record");
}

/* 2^n steps without a limit: it must come back, as a violation. */
static void test_catastrophic_pattern_ends(void **state)
{
    (void)state;
    violation(POLICY("p", ",\"naming\":{\"pattern\":\"(([a-z.])+.)+[A-Z]([a-z])+\"}"),
              "{\"kind\":\"Topic\",\"team\":\"t\",\"value\":{\"format\":\"bytes\"},\"name\":"
              "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}",
              "policy.naming", "/name");
}

static void test_grants(void **state)
{
    (void)state;
    assert_true(policy_grant_covers(SLICE_LIT("a.b"), SLICE_LIT("a.b")));
    assert_false(policy_grant_covers(SLICE_LIT("a.b"), SLICE_LIT("a.b.c")));
    assert_true(policy_grant_covers(SLICE_LIT("a.*"), SLICE_LIT("a.b.c")));
    assert_false(policy_grant_covers(SLICE_LIT("a.*"), SLICE_LIT("a")));
    assert_true(policy_grant_covers(SLICE_LIT("*"), SLICE_LIT("anything")));
    assert_false(policy_grant_covers(SLICE_LIT(""), SLICE_LIT("a")));
}

static void test_verdict_names(void **state)
{
    (void)state;
    for (unsigned i = 0; i < VERDICT_CODE_COUNT; i++) {
        enum verdict_code back;
        assert_true(verdict_code_parse(slice_str(verdict_code_name((enum verdict_code)i)), &back));
        assert_int_equal(back, i);
        assert_true(verdict_cause((enum verdict_code)i)[0] != '\0');
        assert_true(verdict_remedy((enum verdict_code)i)[0] != '\0');
    }
    enum verdict_code none;
    assert_false(verdict_code_parse(SLICE_LIT("payload"), &none));
    struct verdict v = {VERDICT_PAYLOAD_INVALID, "value.schema#minimum", "/total", "must be >= 0"};
    char text[256], small[16];
    assert_string_equal(verdict_text(&v, SLICE_LIT("shop.orders.placed"), 3, text, sizeof text),
                        "payload.invalid at /total: must be >= 0 (contract shop.orders.placed v3)");
    v = (struct verdict){.code = VERDICT_TOPIC_UNKNOWN};
    assert_string_equal(verdict_text(&v, SLICE_LIT("x"), 0, text, sizeof text),
                        "topic.unknown: No such topic. (topic x)");
    assert_int_equal(strlen(verdict_text(&v, SLICE_LIT("x"), 0, small, sizeof small)), 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_longest_prefix_wins_per_field),
        cmocka_unit_test(test_order_of_policies_does_not_matter),
        cmocka_unit_test(test_governance_switch),
        cmocka_unit_test(test_violations),
        cmocka_unit_test(test_catastrophic_pattern_ends),
        cmocka_unit_test(test_grants),
        cmocka_unit_test(test_verdict_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
