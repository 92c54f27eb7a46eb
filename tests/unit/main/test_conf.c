/* The configuration table, its file, its flags, and the documents made from it. */
#include "main/conf.h"
#include "main/conf_key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static const char *source_dir = ".";

static int load(struct config *c, const char *text, struct err *err)
{
    char path[] = "/tmp/writ-config-XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    conf_defaults(c);
    int rc = conf_load(c, path, err);
    unlink(path);
    return rc;
}

static void test_defaults(void **state)
{
    (void)state;
    struct config c;
    struct err err;
    conf_defaults(&c);
    assert_int_equal(c.node, 1);
    assert_true(c.governance);
    assert_int_equal(c.segment_bytes, 1 << 30);
    assert_int_equal(c.idle_timeout_ms, 600000);
    assert_string_equal(c.kafka_listen, "127.0.0.1:9092");
    assert_int_equal(conf_check(&c, &err), ERR_INVALID); /* data is missing */
    strcpy(c.data, "/x");
    assert_int_equal(conf_check(&c, &err), 0);
}

static void test_file(void **state)
{
    (void)state;
    struct config c;
    struct err err;
    assert_int_equal(load(&c,
                          "# comment\ndata: /d\ngovernance: off\nmemory: 64MiB\n\nnode: 7\n"
                          "kafka-listen: \"[::1]:9092\"\nidle-timeout: 5m\n",
                          &err),
                     0);
    assert_string_equal(c.data, "/d");
    assert_false(c.governance);
    assert_int_equal(c.memory_bytes, 64 << 20);
    assert_int_equal(c.node, 7);
    assert_int_equal(c.idle_timeout_ms, 300000);
    assert_int_equal(load(&c, "", &err), 0);
    assert_int_equal(load(&c, "# nothing\n", &err), 0);
}

static void test_bad_files(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } bad[] = {
        {"data: /d\nmemroy: 1GiB\n", ":2: unknown key memroy; did you mean memory?"},
        {"memory: lots\n", ":1: memory: \"lots\" is not a size"},
        {"memory: 1KiB\n", "out of bounds"},
        {"node: 0\n", "out of bounds"},
        {"node: 1x\n", "not a whole number"},
        {"idle-timeout: 5\n", "not a duration"},
        {"governance: maybe\n", "neither on nor off"},
        {"kafka-listen: localhost\n", "not host:port"},
        {"kafka-listen: ::1:9092\n", "not host:port"},
        {"kafka-listen: a:99999\n", "not host:port"},
        {"kafka-listen: \"\"\n", "empty"},
        {"node: 1\nnode: 2\n", ":2: this key stands twice"},
        {"node: [1]\n", "not a list"},
        {"node: {a: 1}\n", "not a list or a mapping"},
        {"- node\n", "lines of key: value"},
        {"just text\n", "lines of key: value"},
        {"node: 1\n---\nnode: 2\n", "one document"},
        {"node: \"1\n", ":"},
        {"\tnode: 1\n", ":1:"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct config c;
        struct err err = {0};
        assert_true(load(&c, bad[i].text, &err) < 0);
        if (!strstr(err.msg, bad[i].message))
            fail_msg("for %s: %s", bad[i].text, err.msg);
    }
    struct config c;
    struct err err;
    conf_defaults(&c);
    assert_int_equal(conf_load(&c, "/nowhere/writ.conf", &err), ERR_IO);
}

static void test_flags(void **state)
{
    (void)state;
    struct config c;
    struct err err;
    char path[] = "/tmp/writ-config-XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, "node: 3\nmemory: 64MiB\n", 22), 22);
    close(fd);
    char *argv[] = {"--memory=100MiB", "--config", path, "--data", "/d"};
    conf_defaults(&c);
    assert_int_equal(conf_args(&c, 5, argv, &err), 0);
    assert_int_equal(c.node, 3);
    assert_int_equal(c.memory_bytes, 100 << 20); /* a flag beats the file wherever it stands */
    assert_string_equal(c.data, "/d");
    unlink(path);
    char *wrong[][2] = {{"--data", NULL}, {"data", "/d"}, {"--dta", "/d"}, {"--node", "x"}};
    static const char *const message[] = {"needs a value", "unexpected argument",
                                          "did you mean data", "--node"};
    for (int i = 0; i < 4; i++) {
        assert_true(conf_args(&c, wrong[i][1] ? 2 : 1, wrong[i], &err) < 0);
        assert_non_null(strstr(err.msg, message[i]));
    }
}

static void test_check(void **state)
{
    (void)state;
    static const struct {
        const char *key, *value, *message;
    } bad[] = {
        {"voters", "1@a:1,2@b:1,3@c:1", "clusters come with the next version"},
        {"voters", "2@a:1", "node 1 is not among them"},
        {"voters", "a:1", "not id@host:port"},
        {"voters", "1@a", "not id@host:port"},
        {"log-level", "loud", "log-level"},
        {"memory", "8MiB", "half of memory"},
        {"journal-total", "64MiB", "four times"},
        {"journal-group", "32MiB", "half of journal-file"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct config c;
        struct err err;
        conf_defaults(&c);
        strcpy(c.data, "/d");
        assert_int_equal(conf_set(&c, slice_str(bad[i].key), slice_str(bad[i].value), &err), 0);
        assert_true(conf_check(&c, &err) < 0);
        if (!strstr(err.msg, bad[i].message))
            fail_msg("for %s: %s", bad[i].value, err.msg);
    }
    struct config c;
    struct err err;
    conf_defaults(&c);
    strcpy(c.data, "/d");
    strcpy(c.voters, "1@127.0.0.1:9292");
    assert_int_equal(conf_check(&c, &err), 0);
}

static void test_addresses(void **state)
{
    (void)state;
    char host[256];
    int port;
    assert_true(conf_address("a.b:0", host, &port));
    assert_int_equal(port, 0);
    assert_true(conf_address("[fe80::1]:9092", host, &port));
    assert_string_equal(host, "fe80::1");
    static const char *const bad[] = {"",     ":",    ":1",   "a:",   "a:b",
                                      "a:1b", "a:-1", "[]:1", "[a:1", "a:123456"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(conf_address(bad[i], host, &port));
}

static void same_as_file(const char *name, struct bytes *want)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", source_dir, name);
    struct bytes got = {0};
    FILE *f = fopen(path, "r");
    if (!f)
        fail_msg("%s is missing", path);
    char chunk[4096];
    for (size_t n; (n = fread(chunk, 1, sizeof chunk, f));)
        bytes_add(&got, chunk, n);
    fclose(f);
    if (!slice_eq(bytes_slice(&got), bytes_slice(want)))
        fail_msg("%s is out of date: write it anew with writ check-config --print", name);
    bytes_free(&got);
    bytes_free(want);
}

static void test_documents_are_up_to_date(void **state)
{
    (void)state;
    struct bytes text = {0};
    conf_markdown(&text);
    same_as_file("docs/configuration.md", &text);
    conf_sample(&text);
    same_as_file("deploy/writ.conf.sample", &text);
}

/* The sample file is a configuration that works, and it names each key. */
static void test_sample_loads(void **state)
{
    (void)state;
    struct config c;
    struct err err;
    struct bytes text = {0};
    conf_sample(&text);
    assert_int_equal(load(&c, bytes_cstr(&text), &err), 0);
    assert_int_equal(conf_check(&c, &err), 0);
    bytes_clear(&text);
    conf_help(&text);
    for (size_t i = 0; i < conf_keys_n; i++)
        if (conf_keys[i].key)
            assert_non_null(strstr(bytes_cstr(&text), conf_keys[i].key));
    bytes_free(&text);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        source_dir = argv[1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_flags),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_documents_are_up_to_date),
        cmocka_unit_test(test_sample_loads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
