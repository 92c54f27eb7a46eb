/* Schema ids, texts that are stored once, the history, examples; and that the tables' descriptors
 * say what the relational schema says. */
#include "help.h"

#include "catalogue/rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const struct view_topic *topic(const struct view *v, const char *name)
{
    const struct view_topic *t = view_topic_by_name(v, slice_str(name));
    assert_true(t && !t->deleted);
    return t;
}

static int32_t schema_id(struct world *w, const char *name)
{
    const struct view *v = catalogue_view(w->a);
    int32_t id = topic(v, name)->schema_id;
    view_unref(v);
    return id;
}

static void test_ids(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    world_must(&w,
               "[" TEAM("t") "," JSON_TOPIC("a", "{\"type\":\"object\"}", "") "," JSON_TOPIC(
                   "b", "{\"type\":\"object\"}",
                   "") "," JSON_TOPIC("c", "true", "") "," BYTES_TOPIC("d", "") "]",
               true);
    int32_t a = schema_id(&w, "a");
    assert_true(a > 0);
    assert_int_equal(schema_id(&w, "b"), a);
    assert_int_equal(schema_id(&w, "d"), 0);
    int32_t c = schema_id(&w, "c");
    assert_int_not_equal(c, a);
    world_must(&w, "[" JSON_TOPIC("a", "{}", "") "]", true);
    assert_int_not_equal(schema_id(&w, "a"), a);
    struct result r = world_delete(&w, DOCUMENT_TOPIC, "c", "loses-records");
    assert_int_equal(r.code, ERR_OK);
    result_free(&r);
    /* The text is gone, its id stays its own. */
    world_must(&w, "[" JSON_TOPIC("c2", "true", "") "]", true);
    assert_int_equal(schema_id(&w, "c2"), c);
    world_close(&w);
}

static void test_compiled_schemas(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    world_must(&w, "[" TEAM("t") "," JSON_TOPIC("a", "{\"required\":[\"x\"]}", "") "]", true);
    const struct view *v = catalogue_view(w.a);
    struct schema *s = topic(v, "a")->schema;
    struct schema_scratch *scratch = schema_scratch_new();
    struct schema_problem problem;
    assert_int_equal(schema_validate(s, SLICE_LIT("{\"x\":1}"), scratch, &problem), SCHEMA_VALID);
    assert_int_equal(schema_validate(s, SLICE_LIT("{}"), scratch, &problem), SCHEMA_INVALID);
    /* A change elsewhere in the contract keeps the compiled schema. */
    world_must(&w, "[" JSON_TOPIC("a", "{\"required\":[\"x\"]}", ",\"partitions\":2") "]", true);
    const struct view *after = catalogue_view(w.a);
    assert_ptr_equal(topic(after, "a")->schema, s);
    view_unref(after);
    view_unref(v);
    schema_scratch_free(scratch);
    world_close(&w);
}

static void test_prepared(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    struct request *r =
        world_documents(&w, "[" TEAM("t") "," JSON_TOPIC("a", "{\"required\":[\"x\"]}", "") "]");
    struct document_errors errors = {0};
    assert_int_equal(document_compile(r->documents[1].document, &r->documents[1].schema, &errors),
                     0);
    struct schema *s = schema_ref(r->documents[1].schema);
    request_prepare(r);
    struct result out = world_do(&w, r);
    assert_int_equal(out.code, ERR_OK);
    result_free(&out);
    const struct view *v = catalogue_view(w.a);
    assert_ptr_equal(topic(v, "a")->schema, s);
    view_unref(v);
    schema_unref(s);
    world_close(&w);
}

static void test_refused_schemas(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    world_must(&w, "[" TEAM("t") "]", true);
    struct result r = world_apply(&w, "[" JSON_TOPIC("a", "{\"type\":\"nonsense\"}", "") "]");
    assert_int_equal(r.code, ERR_INVALID);
    assert_true(strncmp(r.violations.item[0].pointer, "/documents/0/value/schema", 25) == 0);
    result_free(&r);
    r = world_apply(&w, "[{\"kind\":\"Topic\",\"name\":\"a\",\"team\":\"t\",\"value\":{\"format\":"
                        "\"json\",\"schema\":{\"type\":\"object\"},\"examples\":[{},[]]}}]");
    assert_int_equal(r.code, ERR_INVALID);
    assert_string_equal(r.violations.item[0].pointer, "/documents/0/value/examples/1");
    result_free(&r);
    world_close(&w);
}

static void test_history(void **state)
{
    (void)state;
    struct world w;
    char doc[400];
    world_open(&w);
    world_must(&w, "[" TEAM("t") "]", true);
    w.check = false;
    for (int i = 0; i < 70; i++) {
        snprintf(
            doc, sizeof doc,
            "[{\"kind\":\"Topic\",\"name\":\"a\",\"team\":\"t\",\"value\":{\"format\":\"json\","
            "\"schema\":{\"minProperties\":%d},\"examples\":[{\"a\":%d,\"b\":1}]}}]",
            i % 3, i);
        world_must(&w, doc, true);
    }
    catalogue_check_invariants(w.a); /* no text is left that no contract names */
    struct bytes list = {0}, whole = {0};
    struct json_doc json = {0};
    assert_int_equal(catalogue_topic_history(w.a, SLICE_LIT("a"), &list, NULL), 0);
    bytes_printf(&whole, "[%.*s]", SLICE_FMT(bytes_slice(&list)));
    assert_int_equal(json_parse(&json, bytes_slice(&whole), NULL, NULL), 0);
    assert_int_equal(json.node[0].count, CATALOGUE_HISTORY_MAX);
    int64_t version;
    assert_true(json_int64(&json, json_get(&json, json_first(&json, 0), "version"), &version));
    assert_int_equal(version, 70);
    json_free(&json);
    bytes_free(&list);
    bytes_free(&whole);
    assert_int_equal(catalogue_topic_history(w.a, SLICE_LIT("none"), &list, NULL), ERR_NOT_FOUND);
    world_close(&w);
}

/* A large value stands in the plan as digest and size. */
static void test_large_values(void **state)
{
    (void)state;
    struct world w;
    char text[5000], doc[6000];
    world_open(&w);
    world_must(&w, "[" TEAM("t") "," JSON_TOPIC("a", "{}", "") "]", true);
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = 0;
    snprintf(doc, sizeof doc, "[" JSON_TOPIC("a", "{\"description\":\"%s\"}", "") "]", text);
    struct result r = world_apply(&w, doc);
    assert_int_equal(r.code, ERR_OK);
    assert_true(r.body.n < 1000);
    assert_non_null(strstr(bytes_cstr(&r.body), "{\"blake2b\":\""));
    result_free(&r);
    world_close(&w);
}

static void test_descriptors(void **state)
{
    (void)state;
    struct rows rows;
    rows_open(&rows);
    unsigned seen = 0;
    for (unsigned id = 1; id < TABLE_ID_END; id++) {
        const struct table *t = table_of(id);
        char sql[80];
        snprintf(sql, sizeof sql, "PRAGMA table_info(%s)", t->name);
        sqlite3_stmt *st = rows_query(&rows, sql);
        unsigned column = 0;
        while (rows_step(st)) {
            struct slice name = rows_column_slice(st, 1), type = rows_column_slice(st, 2);
            bool key = sqlite3_column_int(st, 5) > 0;
            assert_int_equal(key, column < t->keys_n);
            if (column == t->keys_n) {
                assert_true(slice_eq_str(name, "rev"));
            } else {
                unsigned cell = column < t->keys_n ? column : column - 1;
                assert_true(slice_eq_str(type, t->types[cell] == 'i'   ? "INTEGER"
                                               : t->types[cell] == 't' ? "TEXT"
                                                                       : "BLOB"));
                if (key)
                    assert_true(slice_eq_str(name, t->keys[column]));
            }
            column++;
        }
        sqlite3_finalize(st);
        assert_int_equal(column, t->cells_n + 1);
        assert_int_equal(strlen(t->types), t->cells_n);
        assert_true(t->cells_n <= CATALOGUE_ROW_CELLS_MAX);
        seen++;
    }
    sqlite3_stmt *st = rows_query(&rows, "SELECT count(*) FROM sqlite_schema WHERE type='table'");
    assert_true(rows_step(st));
    assert_int_equal(sqlite3_column_int(st, 0), seen + 1); /* and head */
    sqlite3_finalize(st);
    rows_close(&rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids),         cmocka_unit_test(test_compiled_schemas),
        cmocka_unit_test(test_prepared),    cmocka_unit_test(test_refused_schemas),
        cmocka_unit_test(test_history),     cmocka_unit_test(test_large_values),
        cmocka_unit_test(test_descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
