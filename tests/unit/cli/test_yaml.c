/* What is written as YAML reads back as the same JSON, whatever the texts hold. */
#include "base/json.h"
#include "cli/internal.h"
#include "cli/yaml_read.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static int keep(void *arg, struct slice json, size_t line, struct err *err)
{
    (void)line;
    (void)err;
    bytes_add_slice(arg, json);
    return 0;
}

static void round_trip(const char *json)
{
    struct json_doc first = {0}, second = {0};
    struct bytes yaml = {0}, back = {0};
    struct err err = {0};
    assert_int_equal(json_parse(&first, slice_str(json), NULL, &err), 0);
    yaml_write(&first, 0, &yaml);
    if (yaml_read("t", bytes_slice(&yaml), keep, &back, &err) != 0)
        fail_msg("%s\n%s", err.msg, bytes_cstr(&yaml));
    assert_int_equal(json_parse(&second, bytes_slice(&back), NULL, &err), 0);
    if (!json_equal(&first, 0, &second, 0))
        fail_msg("%s became\n%s\nand then %s", json, bytes_cstr(&yaml), bytes_cstr(&back));
    json_free(&first);
    json_free(&second);
    bytes_free(&yaml);
    bytes_free(&back);
}

static void test_round_trips(void **state)
{
    static const char *const texts[] = {"",
                                        " ",
                                        "a",
                                        "true",
                                        "No",
                                        "on",
                                        "null",
                                        "~",
                                        "1",
                                        "-1",
                                        "1.5",
                                        ".5",
                                        "1e3",
                                        "0x1",
                                        "010",
                                        "7d",
                                        "64KiB",
                                        "1_000",
                                        "2026-11-25",
                                        "12:30",
                                        "-",
                                        "- x",
                                        "a: b",
                                        "a:",
                                        ":",
                                        "#x",
                                        "x #y",
                                        "'",
                                        "\\\"",
                                        "\\\\",
                                        "\\n",
                                        "a\\nb",
                                        "a\\nb\\n",
                                        "a\\n\\nb\\n",
                                        "a\\nb\\n\\n",
                                        "\\na",
                                        " a\\nb",
                                        "a\\n  b",
                                        "\\t",
                                        "a\\tb\\nc",
                                        "\\u00e4",
                                        "\\u20ac",
                                        "\\ud83d\\ude00",
                                        "*a",
                                        "&a",
                                        "!t",
                                        "%a",
                                        "@a",
                                        "`",
                                        "|",
                                        ">",
                                        "{",
                                        "}",
                                        "[x",
                                        "]",
                                        ",",
                                        "a, b",
                                        "a,b",
                                        "?",
                                        "? x",
                                        "=",
                                        "<<",
                                        ".",
                                        "..",
                                        "---",
                                        "...",
                                        "a ",
                                        " a",
                                        "a#b",
                                        "a@b",
                                        "/x/y",
                                        "./x",
                                        "../x",
                                        "a(b)",
                                        "(b)",
                                        "a;b",
                                        "\\u0001",
                                        "\\u0085",
                                        "\\u2028",
                                        "\\ufeff",
                                        "a\\u2028b\\nc",
                                        "shop.orders.*",
                                        "*"};
    char json[256];
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        static const char *const shapes[] = {"{\"k\":\"%s\"}",
                                             "{\"k\":[\"%s\",\"b\"]}",
                                             "{\"k\":[{\"a\":\"%s\",\"b\":1}]}",
                                             "{\"%s\":{\"x\":null}}",
                                             "[\"%s\"]",
                                             "{\"a\":{\"b\":[[\"%s\"],{}],\"c\":[]}}"};
        for (size_t k = 0; k < sizeof shapes / sizeof shapes[0]; k++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
            (void)snprintf(json, sizeof json, shapes[k], texts[i]);
#pragma GCC diagnostic pop
            round_trip(json);
        }
    }
    round_trip("{\"a\":[1,-2,1.5e10,true,false,null,9007199254740993]}");
    round_trip("{\"a\":[[1,[2,[3]]],[{\"b\":[{\"c\":[{}]}]}]]}");
    round_trip("{\"a\":[{\"b\":\"x\\ny\\n\",\"c\":[{\"d\":\"p\\nq\"}]}]}");
}

static void refused(const char *yaml, const char *part)
{
    struct bytes back = {0};
    struct err err = {0};
    assert_int_not_equal(yaml_read("t", slice_str(yaml), keep, &back, &err), 0);
    if (strstr(err.msg, part) == NULL)
        fail_msg("%s, wanted %s", err.msg, part);
    bytes_free(&back);
}

static void test_bounds(void **state)
{
    struct bytes deep = {0};
    (void)state;
    refused("a: &a [x,x,x,x,x,x,x,x,x,x]\n"
            "b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
            "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
            "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
            "e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n"
            "f: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n",
            "too many values");
    refused("&a [*a]", "deep");
    for (int i = 0; i < 100; i++)
        bytes_add_str(&deep, "[");
    for (int i = 0; i < 100; i++)
        bytes_add_str(&deep, "]");
    refused(bytes_cstr(&deep), "deep");
    bytes_free(&deep);
    refused("a: 1\nb: 010\n", "t:2: 010 begins with 0");
    refused("a: 1\na: 2\n", "t:2: a stands there twice");
    refused("x:\n  <<: {a: 1}\n", "merge");
    refused("a: !ruby/object x\n", "tags");
    refused("[1]: 2\n", "a key must be a text");
    refused("a: [", "t:");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
