#include "schema/schema.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void formats_have_names(void **state)
{
    (void)state;
    static const char *const names[] = {"bytes", "json", "avro", "protobuf", "msgpack"};
    enum schema_format f;
    for (int i = 0; i < 5; i++) {
        assert_true(schema_format_parse(slice_str(names[i]), &f));
        assert_int_equal(f, i);
        assert_string_equal(schema_format_name(f), names[i]);
        assert_int_equal(schema_format_built(f), i < 2);
    }
    assert_false(schema_format_parse(SLICE_LIT("xml"), &f));
}

static void bytes_are_always_valid(void **state)
{
    (void)state;
    struct schema *s = NULL;
    struct schema_problem p = {0};
    struct err err = {0};
    assert_int_equal(schema_compile(SCHEMA_BYTES, SLICE_LIT("x"), NULL, 0, NULL, &s, &p, &err),
                     ERR_INVALID);
    assert_string_equal(p.rule, "format");
    assert_int_equal(schema_compile(SCHEMA_BYTES, SLICE_NULL, NULL, 0, NULL, &s, NULL, NULL), 0);
    struct schema_scratch *scratch = schema_scratch_new();
    assert_int_equal(schema_validate(s, SLICE_LIT("\xff\x00"), scratch, &p), SCHEMA_VALID);
    assert_int_equal(schema_validate(s, SLICE_NULL, scratch, NULL), SCHEMA_VALID);
    assert_int_equal(schema_format_of(s), SCHEMA_BYTES);
    assert_true(schema_memory_bytes(s) > 0);
    schema_scratch_free(scratch);
    schema_unref(s);
}

static void unbuilt_formats_are_refused_by_name(void **state)
{
    (void)state;
    struct schema *s = NULL;
    struct schema_problem p = {0};
    struct err err = {0};
    assert_int_equal(schema_compile(SCHEMA_AVRO, SLICE_LIT("\"int\""), NULL, 0, NULL, &s, &p, &err),
                     ERR_UNSUPPORTED);
    assert_string_equal(err.msg, "format avro is not built yet");
    assert_string_equal(p.message, "format avro is not built yet");
    assert_int_equal(schema_compile(SCHEMA_MSGPACK, SLICE_NULL, NULL, 0, NULL, &s, NULL, NULL),
                     ERR_UNSUPPORTED);
}

static void json_is_judged(void **state)
{
    (void)state;
    struct schema *s = NULL;
    struct schema_problem p[4];
    struct err err = {0};
    const struct schema_reference ref = {SLICE_LIT("shop.money"), SLICE_LIT("{\"minimum\":0}")};
    assert_int_equal(
        schema_compile(SCHEMA_JSON, SLICE_LIT("{\"type\":"), NULL, 0, NULL, &s, p, &err),
        ERR_INVALID);
    assert_string_equal(p[0].rule, "malformed");
    assert_int_equal(
        schema_compile(SCHEMA_JSON,
                       SLICE_LIT("{\"properties\":{\"total\":{\"$ref\":\"shop.money\"},"
                                 "\"at\":{\"format\":\"date\"}}}"),
                       &ref, 1, NULL, &s, NULL, &err),
        0);
    struct schema_scratch *scratch = schema_scratch_new();
    size_t found = 9;
    assert_int_equal(schema_validate(s, SLICE_LIT("{\"total\":0,\"at\":\"x\"}"), scratch, p),
                     SCHEMA_VALID);
    assert_int_equal(schema_validate(s, SLICE_LIT("{\"total\":-1}"), scratch, p), SCHEMA_INVALID);
    assert_string_equal(p[0].path, "/total");
    assert_string_equal(p[0].rule, "minimum");
    assert_string_equal(p[0].message, "must be >= 0");
    assert_int_equal(schema_validate(s, SLICE_LIT("{\"total\":-1"), scratch, p), SCHEMA_MALFORMED);
    assert_string_equal(p[0].rule, "malformed");
    assert_int_equal(schema_validate_all(s, SLICE_LIT("{\"total\":1}"), scratch, p, 4, &found),
                     SCHEMA_VALID);
    assert_int_equal(found, 0);
    schema_unref(schema_ref(s));
    schema_unref(s);
    const struct schema_options options = {.check_formats = true};
    assert_int_equal(schema_compile(SCHEMA_JSON, SLICE_LIT("{\"items\":{\"format\":\"date\"}}"),
                                    NULL, 0, &options, &s, NULL, &err),
                     0);
    assert_int_equal(schema_validate_all(s, SLICE_LIT("[\"x\",\"2026-11-25\",\"2026-02-30\"]"),
                                         scratch, p, 4, &found),
                     SCHEMA_INVALID);
    assert_int_equal(found, 2);
    assert_string_equal(p[1].path, "/2");
    assert_string_equal(p[1].message, "must match format \"date\"");
    schema_unref(s);
    schema_scratch_free(scratch);
}

/* One schema, many threads, each with its own scratch; run under the thread sanitizer too. */
static void *judge_many(void *arg)
{
    const struct schema *s = arg;
    struct schema_scratch *scratch = schema_scratch_new();
    struct schema_problem p;
    uintptr_t wrong = 0;
    for (int i = 0; i < 2000; i++) {
        wrong += schema_validate(s, SLICE_LIT("[\"ab\",{\"k\":[1]}]"), scratch, &p) != SCHEMA_VALID;
        wrong += schema_validate(s, SLICE_LIT("[\"1\"]"), scratch, &p) != SCHEMA_INVALID;
    }
    schema_scratch_free(scratch);
    return (void *)wrong;
}

static void threads_share_a_schema(void **state)
{
    (void)state;
    enum { N = 4 };
    pthread_t threads[N];
    struct schema *s = NULL;
    assert_int_equal(schema_compile(SCHEMA_JSON,
                                    SLICE_LIT("{\"items\":{\"anyOf\":[{\"pattern\":\"^[a-z]+$\","
                                              "\"type\":\"string\"},{\"enum\":[{\"k\":[1]}]}]}}"),
                                    NULL, 0, NULL, &s, NULL, NULL),
                     0);
    for (int i = 0; i < N; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, judge_many, s), 0);
    for (int i = 0; i < N; i++) {
        void *wrong;
        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
    schema_unref(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_have_names),
        cmocka_unit_test(bytes_are_always_valid),
        cmocka_unit_test(unbuilt_formats_are_refused_by_name),
        cmocka_unit_test(json_is_judged),
        cmocka_unit_test(threads_share_a_schema),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
