/* Folders of files -> documents: what is read, in which order, and how errors name their place. */
#include "base/json.h"
#include "cli/documents.h"
#include "cli_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

static int enter(void **state)
{
    (void)state;
    help_folder_enter();
    return 0;
}

static int leave(void **state)
{
    (void)state;
    help_folder_leave();
    return 0;
}

static void loaded(const char *path, const char *json)
{
    struct documents d = {0};
    struct err err = {0};
    if (documents_add(&d, path, &err) != 0)
        fail_msg("%s", err.msg);
    assert_string_equal(bytes_cstr(&d.json), json);
    documents_free(&d);
}

static void refused(const char *path, const char *part)
{
    struct documents d = {0};
    struct err err = {0};
    assert_int_not_equal(documents_add(&d, path, &err), 0);
    if (strstr(err.msg, part) == NULL)
        fail_msg("%s (wanted %s)", err.msg, part);
    documents_free(&d);
}

static void test_folder(void **state)
{
    struct documents d = {0};
    struct err err = {0};
    (void)state;
    assert_int_equal(mkdir("c", 0700), 0);
    assert_int_equal(mkdir("c/sub", 0700), 0);
    assert_int_equal(mkdir("c/.git", 0700), 0);
    help_file("c/b.yaml", "# two\nkind: Team\nname: b1\n---\n\nkind: Team\nname: b2\n");
    help_file("c/a.yml", "kind: Team\nname: a\n");
    help_file("c/sub/z.yaml", "kind: Team\nname: z\n");
    help_file("c/.hidden.yaml", "kind: Team\nname: no\n");
    help_file("c/.git/x.yaml", "kind: Team\nname: no\n");
    help_file("c/notes.txt", "not YAML: [");
    help_file("c/schema.json", "{\"type\":\"object\"}");
    assert_int_equal(documents_add(&d, "c", &err), 0);
    assert_int_equal(d.n, 4);
    assert_int_equal(d.files_n, 3);
    assert_string_equal(bytes_cstr(&d.json),
                        "{\"kind\":\"Team\",\"name\":\"a\"},{\"kind\":\"Team\",\"name\":\"b1\"},"
                        "{\"kind\":\"Team\",\"name\":\"b2\"},{\"kind\":\"Team\",\"name\":\"z\"}");
    assert_string_equal(d.place[1].file, "c/b.yaml");
    assert_int_equal(d.place[1].line, 2);
    assert_int_equal(d.place[2].line, 6);
    assert_string_equal(d.place[3].file, "c/sub/z.yaml");
    documents_free(&d);
}

static void test_paths_become_files(void **state)
{
    (void)state;
    assert_int_equal(mkdir("c", 0700), 0);
    help_file("c/s.json", "{\n \"type\": \"object\"\n}\n");
    help_file("up.json", "{\"a\":1}");
    help_file("c/t.yaml", "kind: Topic\nname: t\nvalue:\n  format: json\n  schema: ./s.json\n"
                          "  examples: [../up.json, '{}', {b: 2}]\n");
    loaded("c/t.yaml", "{\"kind\":\"Topic\",\"name\":\"t\",\"value\":{\"format\":\"json\","
                       "\"schema\":\"{\\n \\\"type\\\": \\\"object\\\"\\n}\\n\","
                       "\"examples\":[\"{\\\"a\\\":1}\",\"{}\",{\"b\":2}]}}");
    /* Only there; a description may begin with a slash. */
    help_file("c/u.yaml", "description: /etc/passwd\nschema: ./s.json\nvalue: {x: ./s.json}\n");
    loaded("c/u.yaml", "{\"description\":\"/etc/passwd\",\"schema\":\"./s.json\","
                       "\"value\":{\"x\":\"./s.json\"}}");
    help_file("c/v.yaml", "---\n\nvalue: {schema: ./none.json}\n");
    refused("c/v.yaml", "c/v.yaml:3: c/./none.json: No such file");
    help_file("c/bad.json", "\xff");
    help_file("c/w.yaml", "value: {schema: ./bad.json}\n");
    refused("c/w.yaml", "is not UTF-8");
}

static void test_json_files(void **state)
{
    (void)state;
    help_file("one.json", "{\"kind\":\"Team\", \"n\": 9007199254740993}");
    loaded("one.json", "{\"kind\":\"Team\",\"n\":9007199254740993}");
    help_file("list.json", "[{\"a\":1},\n{\"a\":2}]");
    loaded("list.json", "{\"a\":1},{\"a\":2}");
    help_file("export.json", "{\"version\":3,\"documents\":[{\"a\":1}]}");
    loaded("export.json", "{\"a\":1}");
    help_file("bad.json", "{\"a\":1,}");
    refused("bad.json", "bad.json: ");
}

static void test_refused(void **state)
{
    (void)state;
    refused("none", "none: No such file");
    assert_int_equal(mkdir("empty", 0700), 0);
    refused("empty", "holds no documents");
    help_file("list.yaml", "a: 1\n---\n- 1\n");
    refused("list.yaml", "list.yaml:3: a document must be a map");
    help_file("broken.yaml", "a: 1\nb: [\n");
    refused("broken.yaml", "broken.yaml:3: ");
    help_file("comment.yaml", "# nothing\n");
    refused("comment.yaml", "holds no documents");
    help_file("dup.yaml", "a:\n  b: 1\n  b: 2\n");
    refused("dup.yaml", "dup.yaml:3: b stands there twice");
}

/* A folder that contains itself ends at the depth's limit. */
static void test_links(void **state)
{
    (void)state;
    assert_int_equal(mkdir("c", 0700), 0);
    help_file("c/a.yaml", "a: 1\n");
    assert_int_equal(system("ln -s . c/loop"), 0);
    refused("c", "nested too deep");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_folder, enter, leave),
        cmocka_unit_test_setup_teardown(test_paths_become_files, enter, leave),
        cmocka_unit_test_setup_teardown(test_json_files, enter, leave),
        cmocka_unit_test_setup_teardown(test_refused, enter, leave),
        cmocka_unit_test_setup_teardown(test_links, enter, leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
