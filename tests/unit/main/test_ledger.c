/* The rejection ledger: written in batches, searched after what was added before, bounded, rebuilt.
 */
#include "main/ledger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[64], path[96];

static int set_up(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/writ-ledger-XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/ledger.db", dir);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    char cmd[96];
    snprintf(cmd, sizeof cmd, "rm -rf %s", dir);
    return system(cmd);
}

static struct ledger *start(int64_t rows_max, int64_t age_max_ms)
{
    struct ledger *l;
    struct err err;
    struct ledger_config config = {
        .path = path, .node_id = 7, .rows_max = rows_max, .age_max_ms = age_max_ms};
    assert_int_equal(ledger_start(&l, &config, &err), 0);
    return l;
}

static void add(struct ledger *l, int i, int64_t time_ms)
{
    char key[32];
    snprintf(key, sizeof key, "producer/key-%d", i % 4);
    struct rejection r = {.time_ms = time_ms,
                          .topic = i % 2 ? SLICE_LIT("odd") : SLICE_LIT("even"),
                          .partition = i,
                          .code = i % 5 ? VERDICT_PAYLOAD_INVALID : VERDICT_SIGNATURE_MISSING,
                          .path = SLICE_LIT("/a/\"b\""),
                          .detail = SLICE_LIT("must be >= 0"),
                          .key_id = slice_str(key),
                          .principal = SLICE_LIT("anonymous"),
                          .count = 1};
    ledger_add(l, &r);
}

struct ask {
    struct ledger_query query;
    struct bytes out;
    int64_t next;
    int rc;
    _Atomic bool done;
};

static void task(void *arg, struct ledger *l)
{
    struct ask *a = arg;
    struct err err;
    a->rc = ledger_find(l, &a->query, &a->out, &a->next, &err);
    a->done = true;
}

static int count(struct slice page, const char *mark)
{
    int n = 0;
    size_t k = strlen(mark);
    for (size_t i = 0; i + k <= page.n; i++)
        n += memcmp(page.p + i, mark, k) == 0;
    return n;
}

static int find(struct ledger *l, struct ledger_query q, int64_t *next, char *first, size_t cap)
{
    struct ask a = {.query = q};
    assert_true(ledger_run(l, task, &a));
    while (!a.done)
        usleep(200);
    assert_int_equal(a.rc, 0);
    *next = a.next;
    int n = count(bytes_slice(&a.out), "{\"id\":");
    if (first)
        snprintf(first, cap, "%.*s", (int)a.out.n, a.out.n ? (const char *)a.out.p : "");
    bytes_free(&a.out);
    return n;
}

static int find_all(struct ledger *l, struct ledger_query q)
{
    int total = 0;
    q.after = -1;
    do {
        total += find(l, q, &q.after, NULL, 0);
    } while (q.after >= 0);
    return total;
}

static void test_find(void **state)
{
    (void)state;
    struct ledger *l = start(100000, INT64_C(1000000000000000));
    for (int i = 0; i < 1000; i++)
        add(l, i, 1700000000000 + i);
    for (int ascending = 0; ascending < 2; ascending++) {
        struct ledger_query q = {.ascending = ascending, .limit = 77};
        assert_int_equal(find_all(l, q), 1000);
        q.topic = SLICE_LIT("odd");
        assert_int_equal(find_all(l, q), 500);
        q.code = SLICE_LIT("signature.missing");
        assert_int_equal(find_all(l, q), 100);
        q.key_id = SLICE_LIT("producer/key-1");
        assert_int_equal(find_all(l, q), 50);
        q.since_ms = 1700000000100;
        q.until_ms = 1700000000200;
        assert_int_equal(find_all(l, q), 5);
        q.principal = SLICE_LIT("nobody");
        assert_int_equal(find_all(l, q), 0);
    }
    char text[2000];
    struct ledger_query newest = {.after = -1, .limit = 1};
    int64_t next;
    assert_int_equal(find(l, newest, &next, text, sizeof text), 1);
    assert_non_null(
        strstr(text, "\"time\":\"2023-11-14T22:13:20.999Z\",\"node\":7,\"partition\":999"));
    assert_non_null(strstr(text, "\"path\":\"/a/\\\"b\\\"\""));
    ledger_stop(l);
    /* It is there after a restart, and what was added right before the stop too. */
    l = start(100000, INT64_C(1000000000000000));
    struct ledger_query all = {.limit = 1000};
    assert_int_equal(find_all(l, all), 1000);
    ledger_stop(l);
}

static void test_bounds(void **state)
{
    (void)state;
    struct ledger *l = start(1000, INT64_C(1000000000000000));
    for (int i = 0; i < 5000; i++) {
        add(l, i, 1700000000000 + i);
        if (i % 1000 == 0)
            usleep(30000);
    }
    struct ledger_query all = {.limit = 500};
    assert_int_equal(find_all(l, all), 1000);
    struct ledger_facts f;
    ledger_facts(l, &f);
    assert_int_equal(f.written, 5000);
    assert_int_equal(f.dropped, 0);
    ledger_stop(l);
    l = start(1000, 1000); /* all of them are years old */
    add(l, 1, INT64_C(4000000000000));
    assert_int_equal(find_all(l, all), 1);
    ledger_stop(l);
}

static void test_damaged_file_is_set_aside(void **state)
{
    (void)state;
    FILE *f = fopen(path, "w");
    for (int i = 0; i < 5000; i++)
        fputs("not a database ", f);
    fclose(f);
    struct ledger *l = start(1000, 1000000000000);
    add(l, 1, 1700000000000);
    struct ledger_query all = {.limit = 10};
    assert_int_equal(find_all(l, all), 1);
    ledger_stop(l);
    char aside[128];
    snprintf(aside, sizeof aside, "%s.damaged", path);
    assert_int_equal(access(aside, F_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_find, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bounds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_damaged_file_is_set_aside, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
