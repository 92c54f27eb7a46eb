#include "base/decimal.h"
#include "base/json.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static int parse(struct json_doc *doc, const char *text)
{
    return json_parse(doc, slice_str(text), NULL, NULL);
}

static void accepts(void **state)
{
    (void)state;
    static const char *const good[] = {
        "null",
        " true ",
        "false\n",
        "0",
        "-0",
        "-0.0e+10",
        "1E5",
        "10.25",
        "\"\"",
        "[]",
        "{}",
        "[[],{}]",
        "[ ]",
        "{ }",
        "{\"a\":1,\"b\":[1,2,{\"c\":null}]}",
        "\"\\u0000\"",
        "\"\\ud83d\\ude00\"",
        "\"\xf0\x9f\x98\x80\"",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
        "{\"\":0,\"a\":{\"\":0}}",
        "123456789012345678901234567890",
        "\"\x7f\"",
    };
    struct json_doc doc = {0};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (parse(&doc, good[i]) != 0)
            fail_msg("refused %s: %s", good[i], doc.error);
    json_free(&doc);
}

struct bad {
    const char *text;
    const char *error;
    uint32_t offset;
};

static void refuses(void **state)
{
    (void)state;
    static const struct bad bad[] = {
        {"", "unexpected end of text", 0},
        {" ", "unexpected end of text", 1},
        {"nul", "unexpected word", 0},
        {"nulL", "unexpected word", 0},
        {"[1,]", "unexpected character", 3},
        {"[,1]", "unexpected character", 1},
        {"[1 2]", "unexpected character", 3},
        {"{\"a\":1,}", "unexpected character", 7},
        {"{a:1}", "unexpected character", 1},
        {"{\"a\" 1}", "unexpected character", 5},
        {"{\"a\":}", "unexpected character", 5},
        {"[1}", "unexpected character", 2},
        {"{\"a\":1]", "unexpected character", 6},
        {"[", "unexpected end of text", 1},
        {"{\"a\"", "unexpected end of text", 4},
        {"01", "invalid number", 0},
        {"-", "unexpected end of text", 1},
        {"-a", "invalid number", 1},
        {"1.", "unexpected end of text", 2},
        {"1.e1", "invalid number", 2},
        {"1e", "unexpected end of text", 2},
        {"1e+a", "invalid number", 3},
        {"+1", "unexpected character", 0},
        {".5", "unexpected character", 0},
        {"0x10", "bytes after the value", 1},
        {"1 1", "bytes after the value", 2},
        {"{} {}", "bytes after the value", 3},
        {"NaN", "unexpected character", 0},
        {"'a'", "unexpected character", 0},
        {"\xef\xbb\xbf{}", "unexpected character", 0},
        {"\"a", "unexpected end of text", 2},
        {"\"\n\"", "control character in a string", 1},
        {"\"\\x\"", "invalid escape", 1},
        {"\"\\u12g4\"", "invalid escape", 1},
        {"\"\\ud800\"", "lone surrogate", 1},
        {"\"\\udc00\"", "lone surrogate", 1},
        {"\"\\ud800\\u0041\"", "lone surrogate", 1},
        {"\"\xc0\x80\"", "invalid UTF-8", 1},
        {"\"\xed\xa0\x80\"", "invalid UTF-8", 1},
        {"\"\xf4\x90\x80\x80\"", "invalid UTF-8", 1},
        {"\"\xe2\x82\"", "invalid UTF-8", 1},
        {"\"0123456789abcdef\x80\"", "invalid UTF-8", 17},
        {"{\"a\":1,\"a\":2}", "duplicate member name", 8},
        {"{\"a\":1,\"\\u0061\":2}", "duplicate member name", 8},
        {"[1]/**/", "bytes after the value", 3},
    };
    struct json_doc doc = {0};
    struct err err;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int rc = json_parse(&doc, slice_str(bad[i].text), NULL, &err);
        if (rc != ERR_INVALID || strcmp(doc.error, bad[i].error) != 0 ||
            doc.error_offset != bad[i].offset)
            fail_msg("%s: %d %s at %u", bad[i].text, rc, doc.error, doc.error_offset);
        assert_non_null(strstr(err.msg, bad[i].error));
    }
    json_free(&doc);
}

static void limits(void **state)
{
    (void)state;
    struct json_doc doc = {0};
    char deep[201];
    memset(deep, '[', 100);
    memset(deep + 100, ']', 100);
    deep[200] = '\0';
    assert_int_equal(parse(&doc, deep), ERR_LIMIT);
    assert_int_equal(doc.error_offset, 64);
    assert_string_equal(doc.error, "nested too deep");
    struct json_limits l = {.max_depth = 100};
    assert_int_equal(json_parse(&doc, slice_str(deep), &l, NULL), 0);
    l = (struct json_limits){.max_nodes = 3};
    assert_int_equal(json_parse(&doc, SLICE_LIT("[1,2]"), &l, NULL), 0);
    assert_int_equal(json_parse(&doc, SLICE_LIT("[1,2,3]"), &l, NULL), ERR_LIMIT);
    l = (struct json_limits){.allow_duplicates = true};
    assert_int_equal(json_parse(&doc, SLICE_LIT("{\"a\":1,\"a\":2}"), &l, NULL), 0);
    json_free(&doc);
}

/* Objects of every size around the change from pairs to a table, each with one duplicate. */
static void duplicates_in_big_objects(void **state)
{
    (void)state;
    struct json_doc doc = {0};
    struct bytes text = {0};
    for (int n = 1; n < 2000; n += n < 40 ? 1 : 391) {
        for (int twice = -1; twice < n; twice += n < 40 ? 1 : 97) {
            bytes_clear(&text);
            bytes_add_u8(&text, '{');
            for (int i = 0; i < n; i++)
                bytes_printf(&text, "\"name%d\":%d,", i, i);
            bytes_printf(&text, "\"name%d\":0}", twice);
            int rc = json_parse(&doc, bytes_slice(&text), NULL, NULL);
            assert_int_equal(rc, twice < 0 ? 0 : ERR_INVALID);
        }
    }
    bytes_free(&text);
    json_free(&doc);
}

/* Eight bytes x hash to fold((8 ^ x) * K): inverting K gives as many names of one hash as one
 * likes. They must be told apart all the same, and fast. */
static size_t colliding_names(char (*names)[9], size_t max)
{
    const uint64_t k = 0x9e3779b97f4a7c15u;
    uint64_t inverse = k; /* Newton's iteration doubles the right bits */
    for (int i = 0; i < 6; i++)
        inverse *= 2 - k * inverse;
    size_t n = 0;
    for (uint64_t a = 1; n < max; a++) {
        uint64_t x = (a << 32 | (a ^ 0x1234567u)) * inverse ^ 8;
        memcpy(names[n], &x, 8);
        names[n][8] = '\0';
        size_t plain = 0;
        while (plain < 8 && names[n][plain] >= 0x20 && names[n][plain] < 0x7f &&
               names[n][plain] != '"' && names[n][plain] != '\\')
            plain++;
        n += plain == 8;
    }
    return n;
}

static void names_made_to_collide(void **state)
{
    (void)state;
    enum { N = 4000 };
    char(*names)[9] = mem_zalloc(N, sizeof *names);
    struct json_doc doc = {0};
    struct bytes text = {0};
    colliding_names(names, N);
    for (int twice = 0; twice < 2; twice++) {
        bytes_clear(&text);
        bytes_add_u8(&text, '{');
        for (int i = 0; i < N; i++)
            bytes_printf(&text, "\"%s\":%d,", names[i], i);
        bytes_printf(&text, "\"%s\":0}", twice ? names[17] : "last");
        assert_int_equal(json_parse(&doc, bytes_slice(&text), NULL, NULL), twice ? ERR_INVALID : 0);
        if (!twice) {
            assert_int_equal(doc.node[1].count, doc.node[3].count);
            assert_int_equal(json_get(&doc, 0, names[N - 1]), 2 * N);
        }
    }
    bytes_free(&text);
    json_free(&doc);
    mem_free(names);
}

static void looks_into(void **state)
{
    (void)state;
    struct json_doc doc = {0};
    struct arena a;
    arena_init(&a, 0);
    assert_int_equal(parse(&doc, "{\"a\":[10,20,{\"b/c\":\"x\\u00e9\"}],\"t~\":true,\"n\":-7,"
                                 "\"big\":9223372036854775808,\"min\":-9223372036854775808,"
                                 "\"d\":0.5,\"e\\u0061\":{}}"),
                     0);
    uint32_t array = json_get(&doc, 0, "a");
    assert_int_equal(doc.node[0].count, 7);
    assert_int_equal(doc.node[array].count, 3);
    assert_int_equal(json_get(&doc, 0, "zz"), JSON_NONE);
    assert_int_equal(json_get(&doc, json_get(&doc, 0, "zz"), "y"), JSON_NONE);
    uint32_t x = json_at(&doc, 0, SLICE_LIT("/a/2/b~1c"));
    assert_true(slice_eq_str(json_string(&doc, x, &a), "x\xc3\xa9"));
    assert_string_equal(json_cstr(&doc, x, &a), "x\xc3\xa9");
    assert_true(json_string_is(&doc, x, SLICE_LIT("x\xc3\xa9")));
    assert_int_equal(json_type(&doc, json_at(&doc, 0, SLICE_LIT("/t~0"))), JSON_TRUE);
    assert_int_equal(json_at(&doc, 0, SLICE_LIT("")), 0);
    assert_int_equal(json_at(&doc, 0, SLICE_LIT("/a/3")), JSON_NONE);
    assert_int_equal(json_at(&doc, 0, SLICE_LIT("/a/01")), JSON_NONE);
    assert_int_equal(json_at(&doc, 0, SLICE_LIT("a")), JSON_NONE);
    assert_int_equal(json_at(&doc, 0, SLICE_LIT("/t~2")), JSON_NONE);
    int64_t v;
    double d;
    assert_true(json_int64(&doc, json_get(&doc, 0, "n"), &v));
    assert_int_equal(v, -7);
    assert_true(json_int64(&doc, json_get(&doc, 0, "min"), &v));
    assert_true(v == INT64_MIN);
    assert_false(json_int64(&doc, json_get(&doc, 0, "big"), &v));
    assert_false(json_int64(&doc, json_get(&doc, 0, "d"), &v));
    assert_true(json_double(&doc, json_get(&doc, 0, "d"), &d));
    assert_true(d == 0.5);
    assert_int_equal(json_type(&doc, json_get(&doc, 0, "ea")), JSON_OBJECT);
    int seen = 0;
    for (uint32_t i = json_first(&doc, array); i != JSON_NONE; i = json_sibling(&doc, array, i))
        seen++;
    assert_int_equal(seen, 3);
    assert_int_equal(json_first(&doc, json_get(&doc, 0, "ea")), JSON_NONE);
    arena_free(&a);
    json_free(&doc);
}

/* Each node's pointer leads back to it. */
static void pointers(void **state)
{
    (void)state;
    struct json_doc doc = {0};
    struct bytes p = {0};
    assert_int_equal(parse(&doc, "{\"a\":[1,[2,3],{\"~\":{\"/\":[{}]}}],\"\":{\"\":0},\"z\":[[]]}"),
                     0);
    for (uint32_t i = 0; i < doc.n; i++) {
        bytes_clear(&p);
        json_pointer(&doc, i, &p);
        uint32_t want = doc.node[i].is_name ? i + 1 : i;
        assert_int_equal(json_at(&doc, 0, bytes_slice(&p)), want);
    }
    bytes_free(&p);
    json_free(&doc);
}

static void equality(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool same;
    } cases[] = {
        {"1", "1.0", true},
        {"1", "10e-1", true},
        {"100", "1e2", true},
        {"0", "-0.0e5", true},
        {"0.001", "1E-3", true},
        {"120.50", "1.205e2", true},
        {"1", "-1", false},
        {"9007199254740993", "9007199254740992", false},
        {"1e400", "1e401", false},
        {"1e400", "10e399", true},
        {"1", "\"1\"", false},
        {"\"a\"", "\"\\u0061\"", true},
        {"\"\\u0061\"", "\"\\u0061\"", true},
        {"\"\\u0061b\"", "\"a\\u0062\"", true},
        {"[1,2]", "[2,1]", false},
        {"[1,2]", "[1,2,3]", false},
        {"{\"a\":1,\"b\":[{}]}", "{\"b\":[{}],\"a\":1.0}", true},
        {"{\"a\":1,\"b\":2}", "{\"a\":1,\"c\":2}", false},
        {"{\"a\":{\"b\":[1]}}", "{\"a\":{\"b\":[2]}}", false},
        {"[[],[[]]]", "[[],[[]]]", true},
        {"null", "false", false},
    };
    struct json_doc a = {0}, b = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(parse(&a, cases[i].a), 0);
        assert_int_equal(parse(&b, cases[i].b), 0);
        if (json_equal(&a, 0, &b, 0) != cases[i].same || json_equal(&b, 0, &a, 0) != cases[i].same)
            fail_msg("%s %s", cases[i].a, cases[i].b);
    }
    json_free(&a);
    json_free(&b);
}

static void big_equality(void **state)
{
    (void)state;
    struct json_doc a = {0}, b = {0};
    struct bytes ta = {0}, tb = {0};
    enum { N = 500 };
    bytes_add_u8(&ta, '{');
    bytes_add_u8(&tb, '{');
    for (int i = 0; i < N; i++) {
        bytes_printf(&ta, "%s\"n%d\":[%d]", i ? "," : "", i, i);
        bytes_printf(&tb, "%s\"n%d\":[%d.0]", i ? "," : "", N - 1 - i, N - 1 - i);
    }
    bytes_add_u8(&ta, '}');
    bytes_add_u8(&tb, '}');
    assert_int_equal(json_parse(&a, bytes_slice(&ta), NULL, NULL), 0);
    assert_int_equal(json_parse(&b, bytes_slice(&tb), NULL, NULL), 0);
    assert_true(json_equal(&a, 0, &b, 0));
    uint8_t *last = (uint8_t *)strstr(bytes_cstr(&tb), "[499") + 1;
    *last = '5';
    assert_int_equal(json_parse(&b, bytes_slice(&tb), NULL, NULL), 0);
    assert_false(json_equal(&a, 0, &b, 0));
    bytes_free(&ta);
    bytes_free(&tb);
    json_free(&a);
    json_free(&b);
}

static void canonical(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        /* RFC 8785 section 3.2.2 and 3.2.3 */
        {"{\"numbers\":[333333333.3333333,1E30,4.50,2e-3,0.000000000000000000000000001],"
         "\"string\":\"\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\\"\\/\","
         "\"literals\":[null,true,false]}",
         "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],"
         "\"string\":\"\xe2\x82\xac$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}"},
        {"{\"\\u20ac\":\"Euro Sign\",\"\\r\":\"Carriage Return\","
         "\"\\ufb33\":\"Hebrew Letter Dalet With Dagesh\",\"1\":\"One\","
         "\"\\ud83d\\ude00\":\"Emoji: Grinning Face\",\"\\u0080\":\"Control\","
         "\"\\u00f6\":\"Latin Small Letter O With Diaeresis\"}",
         "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\xc2\x80\":\"Control\","
         "\"\xc3\xb6\":\"Latin Small Letter O With Diaeresis\",\"\xe2\x82\xac\":\"Euro Sign\","
         "\"\xf0\x9f\x98\x80\":\"Emoji: Grinning Face\","
         "\"\xef\xac\xb3\":\"Hebrew Letter Dalet With Dagesh\"}"},
        {"[-0,0.0,1e21,1e20,123e-7,1e-6,1e-7,-1.50,12345678901234567890]",
         "[0,0,1e+21,100000000000000000000,0.0000123,0.000001,1e-7,-1.5,12345678901234567890]"},
        {"[[],{},[{}],\"\"]", "[[],{},[{}],\"\"]"},
    };
    struct json_doc doc = {0};
    struct bytes out = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(parse(&doc, cases[i][0]), 0);
        bytes_clear(&out);
        json_canonical(&doc, 0, &out);
        assert_string_equal(bytes_cstr(&out), cases[i][1]);
    }
    bytes_free(&out);
    json_free(&doc);
}

static void decimals(void **state)
{
    (void)state;
    static const char *const rising[] = {"-1e9999999999999999999999",
                                         "-1e400",
                                         "-10",
                                         "-9.99",
                                         "-1",
                                         "-0.5",
                                         "-1e-400",
                                         "0",
                                         "1e-9999999999999999999999",
                                         "1e-400",
                                         "0.05",
                                         "0.5",
                                         "0.51",
                                         "1",
                                         "1.0000000000000000001",
                                         "2",
                                         "9.9",
                                         "10",
                                         "11",
                                         "9007199254740992",
                                         "9007199254740993",
                                         "1e400",
                                         "1e9999999999999999999999"};
    size_t n = sizeof rising / sizeof *rising;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            struct decimal a = decimal_of(slice_str(rising[i]));
            struct decimal b = decimal_of(slice_str(rising[j]));
            int order = decimal_cmp(&a, &b);
            if ((order > 0) - (order < 0) != (i > j) - (i < j))
                fail_msg("%s %s: %d", rising[i], rising[j], order);
        }
    static const struct {
        const char *text;
        bool integer;
    } whole[] = {
        {"1", true},      {"1.0", true},   {"1.5", false}, {"15e-1", false},
        {"150e-1", true}, {"0.5e1", true}, {"0.0", true},  {"1e-9999999999999999999", false}};
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
        struct decimal d = decimal_of(slice_str(whole[i].text));
        assert_int_equal(decimal_is_integer(&d), whole[i].integer);
    }
}

static void writer(void **state)
{
    (void)state;
    struct bytes out = {0};
    struct json_writer w;
    json_writer_init(&w, &out);
    json_begin_object(&w);
    json_name(&w, "a");
    json_begin_array(&w);
    json_put_int(&w, INT64_MIN);
    json_put_double(&w, 0.1);
    json_put_double(&w, 1.0 / 0.0);
    json_put_bool(&w, true);
    json_put_null(&w);
    json_put_cstr(&w, NULL);
    json_begin_object(&w);
    json_end_object(&w);
    json_end_array(&w);
    json_name(&w, "b");
    json_put_string(&w, SLICE_LIT("x\x80y\"\\\n\x01/\xe2\x82"));
    json_name(&w, "c");
    json_put_raw(&w, SLICE_LIT("[1]"));
    json_end_object(&w);
    assert_string_equal(bytes_cstr(&out),
                        "{\"a\":[-9223372036854775808,0.1,null,true,null,null,{}],"
                        "\"b\":\"x\xef\xbf\xbdy\\\"\\\\\\n\\u0001/\xef\xbf\xbd\xef\xbf\xbd\","
                        "\"c\":[1]}");
    bytes_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts),
        cmocka_unit_test(refuses),
        cmocka_unit_test(limits),
        cmocka_unit_test(duplicates_in_big_objects),
        cmocka_unit_test(names_made_to_collide),
        cmocka_unit_test(looks_into),
        cmocka_unit_test(pointers),
        cmocka_unit_test(equality),
        cmocka_unit_test(big_equality),
        cmocka_unit_test(canonical),
        cmocka_unit_test(decimals),
        cmocka_unit_test(writer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
