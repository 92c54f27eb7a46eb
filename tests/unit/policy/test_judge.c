/* One record for each rule: accepted as it stands, refused with its own code when one thing is
 * wrong, cheap rules before costly ones, and explain agreeing with the judge. */
#include "base/codec.h"
#include "policy/judge.h"
#include "policy_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>
#include <sodium.h>

#define NOW INT64_C(1795597380123)
#define SCHEMA                                                                                     \
    "{\"type\":\"object\",\"required\":[\"total\"],"                                               \
    "\"properties\":{\"total\":{\"type\":\"number\",\"minimum\":0}}}"
#define VALUE "{\"total\":12.5}"
#define TRACE "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

struct bench {
    struct document *topic;
    struct producer producer;
    struct producer_key key;
    struct slice grant[1];
    uint8_t secret[64];
    struct judge_context ctx;
    struct judge_record rec;
    struct sign_header header[4];
    struct bytes signature;
    struct judge_scratch *scratch;
    struct verdict verdict;
    struct judge_signature out;
};

static bool find_key(void *arg, struct slice kid, struct judge_key *out)
{
    struct bench *b = arg;
    if (!slice_eq_str(kid, "shop/main"))
        return false;
    *out = (struct judge_key){&b->producer, &b->key};
    return true;
}

static void start(struct bench *b)
{
    memset(b, 0, sizeof *b);
    b->topic = help_document(
        "{\"kind\":\"Topic\",\"name\":\"shop.orders\",\"team\":\"t\","
        "\"value\":{\"format\":\"json\",\"schema\":" SCHEMA "},"
        "\"key\":{\"format\":\"string\",\"required\":true},"
        "\"headers\":{\"required\":[\"traceparent\"]},"
        "\"signing\":{\"required\":true,\"window\":\"2m\",\"headers\":[\"traceparent\"]},"
        "\"limits\":{\"record\":\"4KiB\"}}");
    struct document_errors errors = {0};
    assert_int_equal(document_compile(b->topic, &b->ctx.schema, &errors), 0);
    crypto_sign_ed25519_keypair(b->key.public_key, b->secret);
    b->key.id = SLICE_LIT("main");
    b->producer.name = SLICE_LIT("shop");
    b->grant[0] = SLICE_LIT("shop.*");
    b->producer.topics = (struct name_list){b->grant, 1};
    b->ctx.topic = SLICE_LIT("shop.orders");
    b->ctx.contract = &b->topic->topic;
    b->ctx.contract_version = 3;
    b->ctx.now_ms = NOW;
    b->ctx.principal = SLICE_LIT("anonymous");
    b->ctx.find_key = find_key;
    b->ctx.find_key_arg = b;
    b->header[0] = (struct sign_header){SLICE_LIT("traceparent"), SLICE_LIT(TRACE)};
    b->rec = (struct judge_record){.key = SLICE_LIT("o-1"),
                                   .value = SLICE_LIT(VALUE),
                                   .headers = b->header,
                                   .headers_n = 1,
                                   .timestamp_ms = NOW,
                                   .size_bytes = 100};
    b->scratch = judge_scratch_new();
}

static void end(struct bench *b)
{
    document_free(b->topic);
    schema_unref(b->ctx.schema);
    judge_scratch_free(b->scratch);
    bytes_free(&b->signature);
}

/* Signs the record as it stands and adds the header. */
static void sign_as(struct bench *b, const char *kid, int64_t iat, bool cover)
{
    static const uint8_t jti[SIGN_JTI_BYTES] = "abcdefghijk";
    struct slice sh[] = {SLICE_LIT("traceparent")};
    struct sign_record r = {b->ctx.topic, b->rec.key, b->rec.value, b->header, b->rec.headers_n};
    bytes_clear(&b->signature);
    assert_int_equal(
        sign_make(&r, slice_str(kid), b->secret, iat, jti, sh, cover, &b->signature, NULL), 0);
    b->header[b->rec.headers_n++] =
        (struct sign_header){slice_str(SIGN_HEADER_NAME), bytes_slice(&b->signature)};
}

static void sign(struct bench *b)
{
    sign_as(b, "shop/main", NOW, true);
}

/* Judges, and holds explain to the same answer: its first failing step is the judge's verdict. */
static void expect(struct bench *b, enum verdict_code code)
{
    struct judge_step steps[JUDGE_STEPS_MAX];
    enum verdict_code got = judge_record(&b->ctx, &b->rec, b->scratch, &b->verdict, &b->out);
    if (got != code)
        fail_msg("%s, wanted %s: at %s: %s", verdict_code_name(got), verdict_code_name(code),
                 b->verdict.path, b->verdict.detail);
    assert_int_equal(b->verdict.code, code);
    size_t n = judge_explain(&b->ctx, &b->rec, b->scratch, steps);
    for (size_t i = 0; i < n; i++) {
        if (steps[i].outcome != JUDGE_FAIL)
            continue;
        assert_int_equal(steps[i].verdict.code, code);
        assert_string_equal(steps[i].verdict.detail, b->verdict.detail);
        return;
    }
    assert_int_equal(code, VERDICT_ACCEPTED);
}

static void test_accepted(void **state)
{
    struct bench b;
    (void)state;
    start(&b);
    sign(&b);
    expect(&b, VERDICT_ACCEPTED);
    assert_true(b.out.present);
    assert_int_equal(b.out.iat_ms, NOW);
    assert_memory_equal(b.out.jti, "abcdefghijk", SIGN_JTI_BYTES);
    assert_int_equal(b.out.kid_hash, judge_kid_hash(SLICE_LIT("shop/main")));
    end(&b);
}

static void test_cheap_rules(void **state)
{
    struct bench b;
    (void)state;
    start(&b);
    b.rec.size_bytes = 4096;
    sign(&b);
    expect(&b, VERDICT_ACCEPTED);
    b.rec.size_bytes = 4097;
    expect(&b, VERDICT_RECORD_TOO_LARGE);
    assert_string_equal(b.verdict.rule, "limits.record");
    end(&b);

    start(&b);
    b.rec.value = SLICE_NULL;
    sign(&b);
    expect(&b, VERDICT_TOMBSTONE_FORBIDDEN);
    end(&b);

    start(&b);
    b.rec.key = SLICE_NULL;
    sign(&b);
    expect(&b, VERDICT_KEY_REQUIRED);
    end(&b);

    start(&b);
    b.rec.key = SLICE_LIT("\xff\xfe");
    sign(&b);
    expect(&b, VERDICT_KEY_INVALID);
    end(&b);

    start(&b);
    b.header[0].value = SLICE_NULL; /* there, but null */
    sign(&b);
    expect(&b, VERDICT_HEADER_MISSING);
    assert_string_equal(b.verdict.path, "traceparent");
    end(&b);
}

static void test_unsigned_records(void **state)
{
    struct bench b;
    (void)state;
    start(&b);
    expect(&b, VERDICT_SIGNATURE_MISSING);
    b.topic->topic.signing.required = false;
    expect(&b, VERDICT_WRITE_NOT_GRANTED);
    b.ctx.principal_granted = true;
    expect(&b, VERDICT_ACCEPTED);
    assert_false(b.out.present);
    /* A signature that need not be there is judged all the same, by its key's producer. */
    b.ctx.principal_granted = false;
    sign(&b);
    expect(&b, VERDICT_ACCEPTED);
    assert_true(b.out.present);
    uint8_t *ch = &b.signature.p[b.signature.n - 3]; /* stays a character of base64url */
    *ch = *ch == 'A' ? 'B' : 'A';
    expect(&b, VERDICT_SIGNATURE_INVALID);
    end(&b);
}

static void test_signature_form(void **state)
{
    struct bench b;
    (void)state;
    start(&b);
    sign(&b);
    b.header[2] = b.header[1];
    b.rec.headers_n = 3;
    expect(&b, VERDICT_SIGNATURE_DUPLICATE);
    b.rec.headers_n = 2;
    b.header[1].value = SLICE_NULL;
    expect(&b, VERDICT_SIGNATURE_MALFORMED);
    b.header[1].value = SLICE_LIT("x");
    expect(&b, VERDICT_SIGNATURE_MALFORMED);
    /* {"alg":"none"} and 86 characters */
    b.header[1].value = SLICE_LIT("eyJhbGciOiJub25lIn0.."
                                  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
                                  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    expect(&b, VERDICT_SIGNATURE_ALGORITHM);
    end(&b);
}

static void test_signature_keys(void **state)
{
    struct bench b;
    (void)state;
    start(&b);
    sign_as(&b, "shop/other", NOW, true);
    expect(&b, VERDICT_SIGNATURE_KEY_UNKNOWN);
    end(&b);

    start(&b);
    sign(&b);
    b.key.not_before_ms = NOW;
    b.key.not_after_ms = NOW;
    expect(&b, VERDICT_ACCEPTED);
    b.key.not_before_ms = NOW + 1;
    expect(&b, VERDICT_SIGNATURE_KEY_INACTIVE);
    b.key.not_before_ms = 0;
    b.key.not_after_ms = NOW - 1;
    expect(&b, VERDICT_SIGNATURE_KEY_INACTIVE);
    b.key.state = KEY_REVOKED;
    expect(&b, VERDICT_SIGNATURE_KEY_REVOKED);
    b.key.state = KEY_ACTIVE;
    b.key.not_after_ms = 0;
    b.grant[0] = SLICE_LIT("other.*");
    expect(&b, VERDICT_SIGNATURE_NOT_GRANTED);
    b.producer.topics.n = 0;
    expect(&b, VERDICT_SIGNATURE_NOT_GRANTED);
    end(&b);
}

static void test_signature_window(void **state)
{
    static const struct {
        int64_t iat, timestamp;
        enum verdict_code code;
    } cases[] = {
        {NOW - 120000, NOW, VERDICT_ACCEPTED},
        {NOW - 120001, NOW, VERDICT_SIGNATURE_EXPIRED},
        {NOW + 120000, NOW, VERDICT_ACCEPTED},
        {NOW + 120001, NOW, VERDICT_SIGNATURE_FUTURE},
        {NOW, NOW - 120000, VERDICT_ACCEPTED},
        {NOW, NOW - 120001, VERDICT_SIGNATURE_FUTURE},
        {NOW, NOW + 120001, VERDICT_SIGNATURE_EXPIRED},
        {NOW, -1, VERDICT_SIGNATURE_FUTURE},
        {NOW, INT64_MIN, VERDICT_SIGNATURE_FUTURE},
        {NOW, INT64_MAX, VERDICT_SIGNATURE_EXPIRED},
        {0, NOW, VERDICT_SIGNATURE_EXPIRED},
        {INT64_C(9007199254740991), NOW, VERDICT_SIGNATURE_FUTURE},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bench b;
        start(&b);
        sign_as(&b, "shop/main", cases[i].iat, true);
        b.rec.timestamp_ms = cases[i].timestamp;
        expect(&b, cases[i].code);
        end(&b);
    }
}

static void test_signature_context(void **state)
{
    struct bench b;
    (void)state;
    start(&b);
    sign_as(&b, "shop/main", NOW, false); /* the contract wants traceparent covered */
    expect(&b, VERDICT_SIGNATURE_CONTEXT);
    assert_string_equal(b.verdict.rule, "signing.headers");
    end(&b);

    start(&b);
    sign(&b);
    b.ctx.topic = SLICE_LIT("shop.other");
    expect(&b, VERDICT_SIGNATURE_CONTEXT);
    end(&b);

    start(&b);
    sign(&b);
    b.rec.key = SLICE_LIT("o-2");
    expect(&b, VERDICT_SIGNATURE_CONTEXT);
    end(&b);

    start(&b);
    sign(&b);
    b.header[0].value = SLICE_LIT("00-other");
    expect(&b, VERDICT_SIGNATURE_CONTEXT);
    end(&b);
}

static void test_values(void **state)
{
    struct bench b;
    (void)state;
    start(&b);
    b.rec.value = SLICE_LIT("{\"total\":-1}");
    sign(&b);
    expect(&b, VERDICT_PAYLOAD_INVALID);
    assert_string_equal(b.verdict.path, "/total");
    assert_non_null(strstr(b.verdict.rule, "value.schema#minimum"));
    b.rec.value = SLICE_LIT("{\"total\":");
    expect(&b, VERDICT_PAYLOAD_MALFORMED);
    b.rec.value = SLICE_LIT("{\"total\":13}"); /* valid, but not what was signed */
    expect(&b, VERDICT_SIGNATURE_INVALID);
    end(&b);
}

/* Several things wrong: the first in order is told, and explain tells them all. */
static void test_order_and_explain(void **state)
{
    struct bench b;
    struct judge_step steps[JUDGE_STEPS_MAX];
    unsigned failed = 0, skipped = 0;
    (void)state;
    start(&b);
    b.rec.value = SLICE_LIT("{\"total\":-1}");
    sign(&b);
    b.rec.key = SLICE_NULL;
    b.rec.size_bytes = 5000;
    b.key.state = KEY_REVOKED;
    expect(&b, VERDICT_RECORD_TOO_LARGE);
    size_t n = judge_explain(&b.ctx, &b.rec, b.scratch, steps);
    for (size_t i = 0; i < n; i++) {
        failed += steps[i].outcome == JUDGE_FAIL;
        skipped += steps[i].outcome == JUDGE_SKIP;
        assert_int_equal(steps[i].outcome == JUDGE_FAIL, steps[i].verdict.code != VERDICT_ACCEPTED);
        if (steps[i].outcome == JUDGE_SKIP)
            assert_true(steps[i].note[0] != '\0');
    }
    assert_int_equal(failed, 5); /* size, key, revoked, context, payload */
    assert_int_equal(skipped, 1);
    end(&b);
}

static void test_mode_off(void **state)
{
    struct bench b;
    struct judge_step steps[JUDGE_STEPS_MAX];
    (void)state;
    start(&b);
    b.topic->topic.mode = MODE_OFF;
    b.rec.value = SLICE_LIT("nonsense");
    expect(&b, VERDICT_ACCEPTED);
    size_t n = judge_explain(&b.ctx, &b.rec, b.scratch, steps);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(steps[i].outcome, JUDGE_SKIP);
    end(&b);
}

static void test_examples(void **state)
{
    struct document *d = help_document(
        "{\"kind\":\"Topic\",\"name\":\"a\",\"team\":\"t\",\"value\":{\"format\":\"json\","
        "\"schema\":" SCHEMA ",\"examples\":[{\"total\":1},{\"total\":-1},\"{\"]}}");
    struct document_errors errors = {0};
    struct schema *schema = NULL;
    (void)state;
    assert_int_equal(document_compile(d, &schema, &errors), ERR_INVALID);
    assert_null(schema);
    assert_int_equal(errors.n, 2);
    assert_string_equal(errors.item[0].pointer, "/value/examples/1");
    assert_string_equal(errors.item[0].code, "example.invalid");
    assert_non_null(strstr(errors.item[0].detail, "/total"));
    document_errors_free(&errors);
    document_free(d);

    d = help_document("{\"kind\":\"Topic\",\"name\":\"a\",\"team\":\"t\",\"value\":{\"format\":"
                      "\"json\",\"schema\":{\"type\":\"objekt\"}}}");
    assert_int_equal(document_compile(d, &schema, &errors), ERR_INVALID);
    assert_int_equal(errors.n, 1);
    assert_string_equal(errors.item[0].pointer, "/value/schema");
    assert_string_equal(errors.item[0].code, "schema.invalid");
    document_errors_free(&errors);
    document_free(d);

    d = help_document("{\"kind\":\"Team\",\"name\":\"a\"}");
    assert_int_equal(document_compile(d, &schema, &errors), 0);
    assert_null(schema);
    document_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepted),          cmocka_unit_test(test_cheap_rules),
        cmocka_unit_test(test_unsigned_records),  cmocka_unit_test(test_signature_form),
        cmocka_unit_test(test_signature_keys),    cmocka_unit_test(test_signature_window),
        cmocka_unit_test(test_signature_context), cmocka_unit_test(test_values),
        cmocka_unit_test(test_order_and_explain), cmocka_unit_test(test_mode_off),
        cmocka_unit_test(test_examples),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
