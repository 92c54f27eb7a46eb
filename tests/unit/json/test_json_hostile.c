/* Schemas and payloads made to hurt: each must end soon, with a verdict or a reason. */
#include "base/bytes.h"
#include "base/mem.h"
#include "json/limits.h"
#include "json/program.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct json_program *compile(struct slice schema)
{
    struct json_program *program = NULL;
    struct err err = {0};
    if (json_program_compile(schema, NULL, 0, NULL, &program, NULL, &err) != 0)
        fail_msg("refused: %s", err.msg);
    return program;
}

/* The rule that is broken, "" when the payload is valid. Must not take longer than 2 s of CPU. */
static const char *judge(struct slice schema, struct slice payload)
{
    static char rule[48];
    struct json_problem p = {0};
    struct json_program *program = compile(schema);
    struct json_scratch_run *scratch = json_scratch_new();
    double start = cpu_s();
    enum json_verdict verdict = json_program_run(program, payload, scratch, &p, 1, NULL);
    assert_true(cpu_s() - start < 2);
    assert_true((verdict == JSON_VALID) == (p.rule[0] == '\0'));
    json_program_free(program);
    json_scratch_free(scratch);
    snprintf(rule, sizeof rule, "%s", p.rule);
    return rule;
}

/* $defs d0..dn, where each applies the next one twice. */
static void add_bomb(struct bytes *b, const char *keyword, int n)
{
    bytes_add_str(b, "{\"$ref\":\"#/$defs/d0\",\"$defs\":{");
    for (int i = 0; i < n; i++)
        bytes_printf(b, "\"d%d\":{\"%s\":[{\"$ref\":\"#/$defs/d%d\"},{\"$ref\":\"#/$defs/d%d\"}]},",
                     i, keyword, i + 1, i + 1);
    bytes_printf(b, "\"d%d\":{\"type\":\"string\"}}}", n);
}

static void reference_bombs(void **state)
{
    (void)state;
    struct bytes b = {0};
    add_bomb(&b, "allOf", 40);
    assert_string_equal(judge(bytes_slice(&b), SLICE_LIT("\"x\"")), "limit");
    bytes_clear(&b);
    add_bomb(&b, "anyOf", 40); /* an invalid value must try them all */
    assert_string_equal(judge(bytes_slice(&b), SLICE_LIT("1")), "limit");
    bytes_clear(&b);
    add_bomb(&b, "oneOf", 40);
    assert_string_equal(judge(bytes_slice(&b), SLICE_LIT("\"x\"")), "limit");
    bytes_clear(&b);
    add_bomb(&b, "allOf", 10); /* what is merely large is judged */
    assert_string_equal(judge(bytes_slice(&b), SLICE_LIT("\"x\"")), "");
    bytes_free(&b);
}

/* Over the limit is never valid, not even below "not", "if", "contains" or "anyOf". */
static void limit_is_no_verdict(void **state)
{
    (void)state;
    static const char *const wrap[] = {"{\"not\":%s}", "{\"if\":%s,\"else\":true}",
                                       "{\"anyOf\":[%s,true]}", "{\"not\":{\"contains\":%s}}"};
    struct bytes b = {0};
    struct slice subject = SLICE_LIT("[\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!\"]");
    for (size_t i = 0; i < sizeof wrap / sizeof *wrap; i++) {
        bool array = i == 3;
        const char *redos = "{\"pattern\":\"^(a+)+$\"}";
        bytes_clear(&b);
        const char *hole = strstr(wrap[i], "%s");
        bytes_add(&b, wrap[i], (size_t)(hole - wrap[i]));
        bytes_add_str(&b, redos);
        bytes_add_str(&b, hole + 2);
        struct slice payload = array ? subject : slice_of(subject.p + 1, subject.n - 2);
        assert_string_equal(judge(bytes_slice(&b), payload), "limit");
    }
    bytes_free(&b);
}

static void regular_expressions(void **state)
{
    (void)state;
    struct bytes b = {0};
    bytes_add_u8(&b, '"');
    for (int i = 0; i < 100000; i++)
        bytes_add_u8(&b, 'a');
    bytes_add_str(&b, "\"");
    /* Ended valijson with a stack overflow. */
    assert_string_equal(judge(SLICE_LIT("{\"pattern\":\"^[a-z0-9-]+$\"}"), bytes_slice(&b)), "");
    assert_string_equal(judge(SLICE_LIT("{\"pattern\":\"(.*a){12}[bc]\"}"), bytes_slice(&b)),
                        "limit");
    assert_string_equal(
        judge(SLICE_LIT("{\"pattern\":\"^(?:[A-Za-z0-9+/]{4})*(?:==)?$\"}"), bytes_slice(&b)), "");
    bytes_free(&b);
}

static void ecma_patterns(void **state)
{
    (void)state;
    static const struct {
        const char *pattern; /* as JSON text */
        const char *subject; /* as JSON text */
        bool match;
    } cases[] = {
        {"\"^\\\\d+$\"", "\"12\"", true},
        {"\"^\\\\d+$\"", "\"\\u0661\"", false}, /* an Arabic digit */
        {"\"^\\\\w$\"", "\"\\u00e9\"", false},
        {"\"^\\\\s$\"", "\"\\u00a0\"", true},
        {"\"^\\\\s$\"", "\"\\ufeff\"", true},
        {"\"^\\\\S$\"", "\"\\u2028\"", false},
        {"\"^[^\\\\S]$\"", "\"\\u3000\"", true},
        {"\"^[\\\\s]$\"", "\"x\"", false},
        {"\"^a$\"", "\"a\\n\"", false},
        {"\"^.$\"", "\"\\u2028\"", false},
        {"\"^.$\"", "\"\\ud83d\\ude00\"", true},
        {"\"^\\\\u0061\\\\x62\\\\u{63}$\"", "\"abc\"", true},
        {"\"^\\\\ud83d\\\\ude00$\"", "\"\\ud83d\\ude00\"", true},
        {"\"^\\\\cJ$\"", "\"\\n\"", true},
        {"\"^\\\\0$\"", "\"\\u0000\"", true},
        {"\"^\\\\v$\"", "\"\\f\"", false},
        {"\"^[[:alpha:]$\"", "\":\"", true},
        {"\"^[]$\"", "\"a\"", false},
        {"\"^[^]$\"", "\"\\n\"", true},
        {"\"^\\\\p{Letter}+$\"", "\"\\u00e9a\"", true},
        {"\"^\\\\p{Script=Greek}$\"", "\"\\u03b1\"", true},
        {"\"^\\\\P{Lu}$\"", "\"A\"", false},
        {"\"(?<x>a)\\\\k<x>\"", "\"aa\"", true},
        {"\"(a)\\\\1\"", "\"ab\"", false},
        {"\"(?<!a)b\"", "\"ab\"", false},
        {"\"a{2}\"", "\"aa\"", true},
        {"\"x\\\\-y\\\\/z\"", "\"x-y/z\"", true},
        {"\"\"", "\"\"", true},
    };
    struct bytes b = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bytes_clear(&b);
        bytes_printf(&b, "{\"pattern\":%s}", cases[i].pattern);
        const char *rule = judge(bytes_slice(&b), slice_str(cases[i].subject));
        if (strcmp(rule, cases[i].match ? "" : "pattern") != 0)
            fail_msg("%s %s: '%s'", cases[i].pattern, cases[i].subject, rule);
    }
    bytes_free(&b);
}

static void deep_texts(void **state)
{
    (void)state;
    struct bytes b = {0};
    struct json_program *program;
    struct err err = {0};
    for (int i = 0; i < 15000; i++)
        bytes_add_str(&b, "{\"not\":");
    bytes_add_str(&b, "true");
    for (int i = 0; i < 15000; i++)
        bytes_add_u8(&b, '}');
    assert_int_equal(json_program_compile(bytes_slice(&b), NULL, 0, NULL, &program, NULL, &err),
                     ERR_LIMIT);
    assert_non_null(strstr(err.msg, "nested too deep"));
    bytes_clear(&b);
    for (int i = 0; i < 1000000; i++)
        bytes_add_u8(&b, '[');
    assert_string_equal(judge(SLICE_LIT("{\"items\":{\"$ref\":\"#\"}}"), bytes_slice(&b)),
                        "malformed");
    bytes_free(&b);
}

/* A chain of references longer than any stack, and one that goes in a circle far away. */
static void long_chains(void **state)
{
    (void)state;
    enum { N = 50000 };
    struct bytes b = {0};
    struct json_program *program;
    struct err err = {0};
    for (int circle = 0; circle < 2; circle++) {
        bytes_clear(&b);
        bytes_add_str(&b, "{\"$ref\":\"#/$defs/0\",\"$defs\":{");
        for (int i = 0; i < N; i++)
            bytes_printf(&b, "\"%d\":{\"$ref\":\"#d%d\",\"$anchor\":\"d%d\",\"minimum\":1},", i,
                         i + 1, i);
        bytes_printf(&b, "\"%d\":{\"$anchor\":\"d%d\"%s}}}", N, N,
                     circle ? ",\"$ref\":\"#d7\"" : "");
        int rc = json_program_compile(bytes_slice(&b), NULL, 0, NULL, &program, NULL, &err);
        if (circle) {
            assert_int_equal(rc, ERR_INVALID);
            assert_non_null(strstr(err.msg, "without end"));
            continue;
        }
        assert_int_equal(rc, 0);
        json_program_free(program);
        assert_string_equal(judge(bytes_slice(&b), SLICE_LIT("5")), "limit"); /* open frames */
    }
    bytes_free(&b);
}

/* A circle that closes only through the dynamic scope: found while running. */
static void dynamic_circle(void **state)
{
    (void)state;
    struct slice schema = SLICE_LIT(
        "{\"$id\":\"http://e/a\",\"$dynamicAnchor\":\"n\",\"$ref\":\"b\",\"$defs\":{\"b\":"
        "{\"$id\":\"b\",\"$dynamicRef\":\"#n\",\"$defs\":{\"n\":{\"$dynamicAnchor\":\"n\"}}"
        "}}}");
    assert_string_equal(judge(schema, SLICE_LIT("1")), "limit");
}

static void large_arrays(void **state)
{
    (void)state;
    struct bytes b = {0};
    enum { N = 200000 };
    bytes_add_u8(&b, '[');
    for (int i = 0; i < N; i++)
        bytes_printf(&b, "{\"a\":[%d]},", i);
    size_t n = b.n;
    bytes_add_str(&b, "0]");
    assert_string_equal(judge(SLICE_LIT("{\"uniqueItems\":true}"), bytes_slice(&b)), "");
    b.n = n;
    bytes_add_str(&b, "{\"a\":[199999.0]}]");
    assert_string_equal(judge(SLICE_LIT("{\"uniqueItems\":true}"), bytes_slice(&b)), "uniqueItems");
    bytes_free(&b);
}

static void exact_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *schema, *payload;
        bool valid;
    } cases[] = {
        {"{\"maximum\":9007199254740992}", "9007199254740993", false},
        {"{\"maximum\":9007199254740993}", "9007199254740993", true},
        {"{\"exclusiveMinimum\":0.1}", "0.1000000000000000000000001", true},
        {"{\"const\":1e400}", "10e399", true},
        {"{\"const\":1e400}", "1e401", false},
        {"{\"enum\":[9007199254740993]}", "9007199254740992", false},
        {"{\"multipleOf\":0.01}", "19.99", true},
        {"{\"multipleOf\":0.01}", "19.999", false},
        {"{\"multipleOf\":0.0001}", "0.0075", true},
        {"{\"multipleOf\":1e-8}", "12391239123", true},
        {"{\"multipleOf\":3}", "1e1000000000000", false},
        {"{\"multipleOf\":4}", "1e1000000000000", true},
        {"{\"multipleOf\":999999999999999999}", "999999999999999998000000000000000001", true},
        {"{\"multipleOf\":999999999999999999}", "999999999999999998000000000000000002", false},
        {"{\"multipleOf\":1e3}", "5000", true},
        {"{\"multipleOf\":1e3}", "5500", false},
        {"{\"type\":\"integer\"}", "1e400", true},
        {"{\"type\":\"integer\"}", "12345678901234567890.0", true},
        {"{\"type\":\"integer\"}", "1e-1", false},
        {"{\"minItems\":2.0}", "[1]", false},
        {"{\"maxLength\":1e30}", "\"a\"", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *rule = judge(slice_str(cases[i].schema), slice_str(cases[i].payload));
        if ((rule[0] == '\0') != cases[i].valid)
            fail_msg("%s %s: '%s'", cases[i].schema, cases[i].payload, rule);
    }
}

/* Calls of base/mem.h are counted by the linker's --wrap. */
static unsigned allocations;
void *__real_mem_alloc(size_t n);
void *__real_mem_zalloc(size_t count, size_t n);
void *__real_mem_realloc(void *p, size_t n);
void *__wrap_mem_alloc(size_t n);
void *__wrap_mem_zalloc(size_t count, size_t n);
void *__wrap_mem_realloc(void *p, size_t n);
void *__wrap_mem_alloc(size_t n)
{
    allocations++;
    return __real_mem_alloc(n);
}
void *__wrap_mem_zalloc(size_t count, size_t n)
{
    allocations++;
    return __real_mem_zalloc(count, n);
}
void *__wrap_mem_realloc(void *p, size_t n)
{
    allocations++;
    return __real_mem_realloc(p, n);
}

static void steady_state_does_not_allocate(void **state)
{
    (void)state;
    struct json_program *program = compile(SLICE_LIT(
        "{\"properties\":{\"a\":{\"enum\":[1,\"x\",{\"y\":[]}]},\"b\":{\"uniqueItems\":true,"
        "\"items\":{\"pattern\":\"^[a-z\\\\u00e9]+$\"}},\"c\":{\"oneOf\":[{\"type\":\"null\"},"
        "{\"required\":[\"d\"]}]}},\"patternProperties\":{\"^x\":{\"multipleOf\":0.5}},"
        "\"unevaluatedProperties\":{\"maxLength\":5}}"));
    struct slice payload = SLICE_LIT("{\"a\":{\"y\":[]},\"b\":[\"u\",\"\\u00e9\",\"v\"],"
                                     "\"c\":{\"d\":1},\"x1\":2.5,\"rest\":\"\\u0061b\"}");
    struct json_scratch_run *scratch = json_scratch_new();
    assert_int_equal(json_program_run(program, payload, scratch, NULL, 0, NULL), JSON_VALID);
    unsigned before = allocations;
    for (int i = 0; i < 100; i++)
        assert_int_equal(json_program_run(program, payload, scratch, NULL, 0, NULL), JSON_VALID);
    assert_int_equal(allocations, before);
    assert_true(before > 0);
    json_scratch_free(scratch);
    json_program_free(program);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reference_bombs),     cmocka_unit_test(limit_is_no_verdict),
        cmocka_unit_test(regular_expressions), cmocka_unit_test(ecma_patterns),
        cmocka_unit_test(deep_texts),          cmocka_unit_test(long_chains),
        cmocka_unit_test(dynamic_circle),      cmocka_unit_test(large_arrays),
        cmocka_unit_test(exact_numbers),       cmocka_unit_test(steady_state_does_not_allocate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
