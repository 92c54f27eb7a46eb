/* What people read when a payload or a schema is refused. */
#include "json/program.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define DRAFT7 "\"$schema\":\"http://json-schema.org/draft-07/schema#\","

struct problem_case {
    const char *schema;
    const char *payload;
    const char *path;
    const char *rule;
    const char *message;
};

static const struct problem_case payloads[] = {
    {"{\"properties\":{\"total\":{\"minimum\":0}}}", "{\"total\":-1}", "/total", "minimum",
     "must be >= 0"},
    {"{\"maximum\":9.5}", "10", "", "maximum", "must be <= 9.5"},
    {"{\"exclusiveMinimum\":1}", "1.0", "", "exclusiveMinimum", "must be > 1"},
    {"{\"exclusiveMaximum\":1}", "1e0", "", "exclusiveMaximum", "must be < 1"},
    {"{\"multipleOf\":0.01}", "[]", NULL, NULL, NULL},
    {"{\"multipleOf\":0.01}", "0.075", "", "multipleOf", "must be multiple of 0.01"},
    {"{\"required\":[\"is_template\",\"name\"]}", "{\"name\":1}", "", "required",
     "must have required property 'is_template'"},
    {"{\"enum\":[1,2]}", "3", "", "enum", "must be equal to one of the allowed values"},
    {"{\"const\":1}", "3", "", "const", "must be equal to constant"},
    {"{\"type\":\"string\"}", "3", "", "type", "must be string"},
    {"{\"type\":[\"object\",\"null\"]}", "3", "", "type", "must be null or object"},
    {"{\"type\":\"integer\"}", "3.5", "", "type", "must be integer"},
    {"{\"minLength\":3}", "\"\\u00e9\\u00e9\"", "", "minLength",
     "must NOT have fewer than 3 characters"},
    {"{\"maxLength\":1}", "\"ab\"", "", "maxLength", "must NOT have more than 1 characters"},
    {"{\"pattern\":\"^a\"}", "\"b\"", "", "pattern", "must match pattern \"^a\""},
    {"{\"additionalProperties\":false,\"properties\":{\"a\":true}}", "{\"a\":1,\"\\u0062\":2}", "",
     "additionalProperties", "must NOT have additional property 'b'"},
    {"{\"unevaluatedProperties\":false}", "{\"b\":2}", "", "unevaluatedProperties",
     "must NOT have unevaluated property 'b'"},
    {"{\"minProperties\":1}", "{}", "", "minProperties", "must NOT have fewer than 1 properties"},
    {"{\"maxProperties\":0}", "{\"a\":1}", "", "maxProperties",
     "must NOT have more than 0 properties"},
    {"{\"dependentRequired\":{\"a\":[\"b\"]}}", "{\"a\":1}", "", "dependentRequired",
     "must have property 'b'"},
    {"{\"prefixItems\":[true],\"items\":false}", "[1,2]", "", "items",
     "must NOT have more than 1 items"},
    {"{\"unevaluatedItems\":false}", "[1]", "", "unevaluatedItems",
     "must NOT have unevaluated items"},
    {"{\"minItems\":2}", "[1]", "", "minItems", "must NOT have fewer than 2 items"},
    {"{\"maxItems\":0}", "[1]", "", "maxItems", "must NOT have more than 0 items"},
    {"{\"uniqueItems\":true}", "[1,2,1.0]", "", "uniqueItems",
     "must NOT have duplicate items (items 0 and 2 are identical)"},
    {"{\"contains\":{\"const\":1}}", "[2]", "", "contains",
     "must contain at least 1 valid item(s)"},
    {"{\"contains\":{\"const\":1},\"maxContains\":1}", "[1,1]", "", "maxContains",
     "must contain at most 1 valid item(s)"},
    {"{\"not\":{\"type\":\"null\"}}", "null", "", "not", "must NOT be valid"},
    {"false", "1", "", "false schema", "is not allowed here"},
    {"{\"propertyNames\":{\"maxLength\":2}}", "{\"abc\":1}", "/abc", "maxLength",
     "must NOT have more than 2 characters"},
    {"{\"items\":{\"properties\":{\"a/b\":{\"type\":\"null\"}}}}", "[{},{\"a/b\":[]}]", "/1/a~1b",
     "type", "must be null"},
    {"{\"if\":{\"required\":[\"a\"]},\"then\":{\"required\":[\"b\"]}}", "{\"a\":1}", "", "required",
     "must have required property 'b'"},
    {"{\"oneOf\":[{\"type\":\"number\"},{\"type\":\"integer\"}]}", "1", "", "oneOf",
     "must match exactly one schema in oneOf, matches several"},
    /* A union: the branch that was meant speaks. */
    {"{\"oneOf\":[{\"properties\":{\"action\":{\"const\":\"a\"}},\"required\":[\"x\"]},"
     "{\"properties\":{\"action\":{\"const\":\"b\"}},\"required\":[\"y\"]}]}",
     "{\"action\":\"b\"}", "", "required", "must have required property 'y'"},
    {"{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"object\",\"properties\":{\"a\":{\"maximum\":1}}"
     "}"
     "]}",
     "{\"a\":2}", "/a", "maximum", "must be <= 1"},
    {"{\"oneOf\":[{\"properties\":{\"action\":{\"const\":\"a\"}}},"
     "{\"properties\":{\"action\":{\"enum\":[\"b\"]}}}]}",
     "{\"action\":\"c\"}", "/action", "const", "must be equal to constant"},
    {"{\"anyOf\":[false,false]}", "1", "", "false schema", "is not allowed here"},
    {"true", "{\"a\":1,}", "", "malformed", "unexpected character at byte 7"},
    {"true", "{\"a\":1,\"a\":2}", "", "malformed", "duplicate member name at byte 8"},
};

static void says_what_is_wrong(void **state)
{
    (void)state;
    struct json_scratch_run *scratch = json_scratch_new();
    for (size_t i = 0; i < sizeof payloads / sizeof *payloads; i++) {
        const struct problem_case *c = &payloads[i];
        struct json_program *program = NULL;
        struct json_problem p = {0};
        struct err err = {0};
        size_t found;
        if (json_program_compile(slice_str(c->schema), NULL, 0, NULL, &program, NULL, &err) != 0)
            fail_msg("%s: %s", c->schema, err.msg);
        enum json_verdict verdict =
            json_program_run(program, slice_str(c->payload), scratch, &p, 1, &found);
        json_program_free(program);
        if (c->rule == NULL) {
            assert_int_equal(verdict, JSON_VALID);
            continue;
        }
        if (verdict == JSON_VALID || found != 1 || strcmp(p.path, c->path) != 0 ||
            strcmp(p.rule, c->rule) != 0 || strcmp(p.message, c->message) != 0)
            fail_msg("%s %s: '%s' %s: %s", c->schema, c->payload, p.path, p.rule, p.message);
    }
    json_scratch_free(scratch);
}

static const struct problem_case schemas[] = {
    {"{\"type\":\"text\"}", NULL, "/type", "type",
     "must be null, boolean, integer, number, string, array or object"},
    {"{\"minLength\":-1}", NULL, "/minLength", "minLength",
     "must be a whole number and not negative"},
    {"{\"minimum\":\"1\"}", NULL, "/minimum", "minimum", "must be a number"},
    {"{\"multipleOf\":0}", NULL, "/multipleOf", "multipleOf", "must be greater than 0"},
    {"{\"multipleOf\":1.0000000000000000001}", NULL, "/multipleOf", "multipleOf",
     "has more than 18 digits"},
    {"{\"properties\":[]}", NULL, "/properties", "properties", "must be an object"},
    {"{\"properties\":{\"a\":1}}", NULL, "/properties/a", "properties", "must be a schema"},
    {"{\"required\":true}", NULL, "/required", "required", "must be an array"},
    {"{\"required\":[1]}", NULL, "/required/0", "required", "must be a string"},
    {"{\"enum\":1}", NULL, "/enum", "enum", "must be an array"},
    {"{\"anyOf\":[]}", NULL, "/anyOf", "anyOf", "must not be empty"},
    {"{\"uniqueItems\":1}", NULL, "/uniqueItems", "uniqueItems", "must be a boolean"},
    {"{\"format\":1}", NULL, "/format", "format", "must be a string"},
    {"{\"pattern\":\"(\"}", NULL, "/pattern", "pattern",
     "the pattern cannot be used: missing closing parenthesis"},
    {"{\"pattern\":\"a++\"}", NULL, "/pattern", "pattern", "the pattern has nothing to repeat"},
    {"{\"pattern\":\"(?R)\"}", NULL, "/pattern", "pattern",
     "the pattern has a group that ECMA-262 does not know"},
    {"{\"pattern\":\"\\\\Qa\"}", NULL, "/pattern", "pattern",
     "the pattern has an escape that ECMA-262 does not know"},
    {"{\"$ref\":\"other.json\"}", NULL, "/$ref", "$ref",
     "'other.json' is neither in the schema nor a registered reference"},
    {"{\"$ref\":\"https://example.com/x\"}", NULL, "/$ref", "$ref",
     "'https://example.com/x' is neither in the schema nor a registered reference"},
    {"{\"$ref\":\"#/$defs/a\"}", NULL, "/$ref", "$ref", "'#/$defs/a' points at nothing"},
    {"{\"$ref\":\"#a\"}", NULL, "/$ref", "$ref", "'#a' points at nothing"},
    {"{\"$ref\":\"#\"}", NULL, "", "$ref", "the schema refers to itself without end"},
    {"{\"allOf\":[{\"not\":{\"$ref\":\"#\"}}]}", NULL, "", "$ref",
     "the schema refers to itself without end"},
    {"{\"$defs\":{\"a\":{\"if\":{\"$ref\":\"#/$defs/b\"}},\"b\":{\"oneOf\":[{\"$ref\":\"#/$defs/"
     "a\"}]}},"
     "\"$ref\":\"#/$defs/a\"}",
     NULL, "", "$ref", "the schema refers to itself without end"},
    {"{\"$schema\":\"https://example.com/mine\"}", NULL, "/$schema", "$schema",
     "names no known dialect; draft-07 and 2020-12 are"},
    {"{\"items\":[true]}", NULL, "/items", "items",
     "must be a schema in 2020-12; for draft-07 say so in $schema"},
    {"{\"additionalItems\":false}", NULL, "/additionalItems", "additionalItems",
     "is of older drafts; say in $schema which one is meant"},
    {"{\"$id\":\"#a\"}", NULL, "/$id", "$id", "must not have a fragment"},
    {"{\"$defs\":{\"a\":{\"$id\":\"x\"},\"b\":{\"$id\":\"x\"}}}", NULL, "/$defs/a", "$id",
     "two subschemas have one $id"},
    {"[]", NULL, "", "type", "a schema is an object or a boolean"},
    {"{", NULL, "", "malformed", "at byte 1: unexpected end of text"},
    {"", NULL, "", "malformed", "at byte 0: unexpected end of text"},
};

static void refuses_schemas(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof schemas / sizeof *schemas; i++) {
        const struct problem_case *c = &schemas[i];
        struct json_program *program = NULL;
        struct json_problem p = {0};
        struct err err = {0};
        int rc = json_program_compile(slice_str(c->schema), NULL, 0, NULL, &program, &p, &err);
        if (rc == 0)
            fail_msg("accepted %s", c->schema);
        assert_true(rc == (int)err.code && (rc == ERR_INVALID || rc == ERR_LIMIT));
        if (strcmp(p.path, c->path) != 0 || strcmp(p.rule, c->rule) != 0 ||
            strcmp(p.message, c->message) != 0)
            fail_msg("%s: '%s' %s: %s", c->schema, p.path, p.rule, p.message);
        assert_non_null(strstr(err.msg, c->message));
    }
}

static void finds_all_in_order(void **state)
{
    (void)state;
    struct json_program *program = NULL;
    struct json_problem p[10];
    size_t found;
    assert_int_equal(json_program_compile(
                         SLICE_LIT("{\"properties\":{\"a\":{\"type\":\"null\"},\"b\":{\"items\":"
                                   "{\"minimum\":5}},\"c\":{\"maxLength\":1,\"pattern\":\"x\"}},"
                                   "\"required\":[\"d\",\"e\"],\"allOf\":[{\"properties\":{\"c\":"
                                   "{\"type\":\"string\"}}}]}"),
                         NULL, 0, NULL, &program, NULL, NULL),
                     0);
    struct json_scratch_run *scratch = json_scratch_new();
    struct slice payload = SLICE_LIT("{\"c\":\"long\",\"a\":1,\"b\":[1,2]}");
    assert_int_equal(json_program_run(program, payload, scratch, p, 10, &found), JSON_INVALID);
    assert_int_equal(found, 6);
    static const char *const paths[] = {"", "", "/c", "/a", "/b/0", "/b/1"};
    for (size_t i = 0; i < found; i++)
        assert_string_equal(p[i].path, paths[i]);
    assert_string_equal(p[0].message, "must have required property 'd'");
    assert_int_equal(json_program_run(program, payload, scratch, p, 3, &found), JSON_INVALID);
    assert_int_equal(found, 3);
    json_program_free(program);
    json_scratch_free(scratch);
}

/* References by name, by $id, relative to the schema's own $id, with pointer and anchor. */
static void resolves_references(void **state)
{
    (void)state;
    static const struct json_reference refs[] = {
        {SLICE_LIT("common.json"),
         SLICE_LIT("{\"$defs\":{\"id\":{\"type\":\"integer\"},\"x\":{\"$anchor\":\"here\","
                   "\"type\":\"integer\"}}}")},
        {SLICE_LIT("shop.types"), SLICE_LIT("{\"$id\":\"https://shop.example/types\","
                                            "\"type\":\"integer\"}")},
    };
    static const char *const schemas_ok[] = {
        "{\"$ref\":\"common.json#/$defs/id\"}",
        "{\"$ref\":\"common.json#here\"}",
        "{\"$ref\":\"shop.types\"}",
        "{\"$ref\":\"https://shop.example/types#\"}",
        "{\"$id\":\"https://shop.example/orders/placed\",\"$ref\":\"../types\"}",
        "{\"$id\":\"https://shop.example/orders/placed\",\"$ref\":\"common.json#here\"}",
        "{" DRAFT7 "\"allOf\":[{\"$ref\":\"common.json#/$defs/id\"}]}",
    };
    struct json_scratch_run *scratch = json_scratch_new();
    for (size_t i = 0; i < sizeof schemas_ok / sizeof *schemas_ok; i++) {
        struct json_program *program = NULL;
        struct err err = {0};
        if (json_program_compile(slice_str(schemas_ok[i]), refs, 2, NULL, &program, NULL, &err) !=
            0)
            fail_msg("%s: %s", schemas_ok[i], err.msg);
        assert_int_equal(json_program_run(program, SLICE_LIT("1"), scratch, NULL, 0, NULL),
                         JSON_VALID);
        assert_int_equal(json_program_run(program, SLICE_LIT("\"1\""), scratch, NULL, 0, NULL),
                         JSON_INVALID);
        json_program_free(program);
    }
    json_scratch_free(scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_what_is_wrong),
        cmocka_unit_test(refuses_schemas),
        cmocka_unit_test(finds_all_in_order),
        cmocka_unit_test(resolves_references),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
