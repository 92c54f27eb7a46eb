/* POST /v1/schemas/validate: a payload against a schema that need not be registered. */
#include "api/internal.h"

#include "base/codec.h"
#include "base/mem.h"

enum { REFERENCES_MAX = 64 };

static bool take_text(struct api_ctx *x, const struct json_doc *doc, uint32_t i, const char *name,
                      struct slice *out)
{
    /* A schema may be given as text or as the JSON itself. */
    if (json_type(doc, i) == JSON_STRING)
        *out = json_string(doc, i, x->arena);
    else if (json_type(doc, i) == JSON_OBJECT || json_type(doc, i) == JSON_TRUE ||
             json_type(doc, i) == JSON_FALSE)
        *out = json_raw(doc, i);
    else {
        api_problem(x, 400, "field.missing", "\"%s\" must be a schema, as text or as JSON", name);
        return false;
    }
    return true;
}

static bool take_references(struct api_ctx *x, const struct json_doc *doc,
                            struct schema_reference *refs, size_t *n)
{
    uint32_t list = json_get(doc, 0, "references");
    *n = 0;
    if (list == JSON_NONE)
        return true;
    if (json_type(doc, list) != JSON_ARRAY || doc->node[list].count > REFERENCES_MAX) {
        api_problem(x, 400, "value.invalid", "\"references\" must be an array of at most %d",
                    REFERENCES_MAX);
        return false;
    }
    for (uint32_t i = json_first(doc, list); i != JSON_NONE; i = json_sibling(doc, list, i)) {
        uint32_t name = json_type(doc, i) == JSON_OBJECT ? json_get(doc, i, "name") : JSON_NONE;
        if (name == JSON_NONE || json_type(doc, name) != JSON_STRING) {
            api_problem(x, 400, "field.missing", "each reference needs a name and a schema");
            return false;
        }
        refs[*n].name = json_string(doc, name, x->arena);
        if (!take_text(x, doc, json_get(doc, i, "schema"), "schema", &refs[*n].text))
            return false;
        (*n)++;
    }
    return true;
}

static void put_problems(struct api_ctx *x, bool valid, const struct schema_problem *problem,
                         size_t n)
{
    struct json_writer w;
    api_json(x, 200, &w);
    json_begin_object(&w);
    json_name(&w, "valid");
    json_put_bool(&w, valid);
    json_name(&w, "errors");
    json_begin_array(&w);
    for (size_t i = 0; i < n; i++) {
        json_begin_object(&w);
        json_name(&w, "path");
        json_put_cstr(&w, problem[i].path);
        json_name(&w, "rule");
        json_put_cstr(&w, problem[i].rule);
        json_name(&w, "message");
        json_put_cstr(&w, problem[i].message);
        json_end_object(&w);
    }
    json_end_array(&w);
    json_end_object(&w);
}

static void validate(struct api_ctx *x, struct schema *schema, struct slice payload)
{
    struct schema_problem *problems = mem_zalloc(API_PROBLEMS_MAX, sizeof *problems);
    size_t found = 0;
    enum schema_verdict v = schema_validate_all(schema, payload, x->api->schema_scratch, problems,
                                                API_PROBLEMS_MAX, &found);
    put_problems(x, v == SCHEMA_VALID, problems, found);
    mem_free(problems);
}

static void validate_body(struct api_ctx *x, const struct json_doc *doc)
{
    struct slice text = SLICE_NULL, payload;
    enum schema_format format = SCHEMA_JSON;
    struct schema_reference refs[REFERENCES_MAX];
    struct schema *schema = NULL;
    struct bytes decoded = {0};
    size_t refs_n;
    uint32_t name = json_get(doc, 0, "format"), formats = json_get(doc, 0, "check_formats"),
             base64 = json_get(doc, 0, "payload_base64"), plain = json_get(doc, 0, "payload");
    if (json_type(doc, name) != JSON_STRING ||
        !schema_format_parse(json_string(doc, name, x->arena), &format)) {
        api_problem(
            x, 422, "format.unknown",
            "\"format\" must be one of json, bytes (avro, protobuf and msgpack come later)");
        return;
    }
    if (format != SCHEMA_BYTES && !take_text(x, doc, json_get(doc, 0, "schema"), "schema", &text))
        return;
    if (!take_references(x, doc, refs, &refs_n))
        return;
    if (plain != JSON_NONE) {
        payload = json_raw(doc, plain);
        if (json_type(doc, plain) == JSON_STRING)
            payload = slice_of(payload.p - 1, payload.n + 2);
    } else if (json_type(doc, base64) == JSON_STRING &&
               base64_get(json_string(doc, base64, x->arena), &decoded)) {
        payload = bytes_slice(&decoded);
    } else {
        api_problem(x, 400, "field.missing",
                    "give the payload as \"payload_base64\" or \"payload\"");
        goto out;
    }
    struct schema_options options = {.check_formats = json_type(doc, formats) == JSON_TRUE};
    struct schema_problem problem = {.path = ""};
    struct err err = {0};
    if (schema_compile(format, text, refs, refs_n, &options, &schema, &problem, &err))
        api_problem(x, err.code == ERR_UNSUPPORTED ? 501 : 422, "schema.refused", "%s%s%s", err.msg,
                    problem.path[0] ? " at " : "", problem.path);
    else
        validate(x, schema, payload);
out:
    schema_unref(schema);
    bytes_free(&decoded);
}

void api_validate_schema(struct api_ctx *x)
{
    static const char *const members[] = {"format",         "schema",  "references",
                                          "payload_base64", "payload", "check_formats"};
    struct json_doc doc = {0};
    if (api_body(x, &doc) && api_known_members(x, &doc, 0, members, 6))
        validate_body(x, &doc);
    json_free(&doc);
}
