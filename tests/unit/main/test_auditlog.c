/* The audit log's file: appended, cut, applied again, searched both ways, verified. */
#include "main/auditlog.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { RECORDS = 300 };

static char dir[64];
static int dir_fd;

static int set_up(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/writ-audit-XXXXXX");
    assert_non_null(mkdtemp(dir));
    dir_fd = open(dir, O_RDONLY | O_DIRECTORY);
    return dir_fd < 0;
}

static int tear_down(void **state)
{
    (void)state;
    close(dir_fd);
    char cmd[96];
    snprintf(cmd, sizeof cmd, "rm -rf %s", dir);
    return system(cmd);
}

/* Record i; some are longer than the chunks that readers read. */
static void make(struct audit_head *head, int i, struct bytes *line)
{
    struct bytes detail = {0};
    bytes_add_u8(&detail, '"');
    for (int k = 0; k < (i % 50 == 7 ? 200000 : i % 13); k++)
        bytes_add_u8(&detail, 'd');
    bytes_add_u8(&detail, '"');
    struct audit_entry e = {.time_ms = 1000000 + i * 1000,
                            .principal = i % 3 ? SLICE_LIT("alice") : SLICE_LIT("bob"),
                            .action = i % 2 ? SLICE_LIT("apply") : SLICE_LIT("key.revoke"),
                            .target = SLICE_LIT("Topic/x"),
                            .result = SLICE_LIT("done"),
                            .correlation_id = SLICE_LIT("c"),
                            .catalogue_version = (uint64_t)i,
                            .detail_json = bytes_slice(&detail)};
    bytes_clear(line);
    audit_append(head, &e, line);
    bytes_free(&detail);
}

static void fill(struct auditlog *a, struct audit_head *head, int n)
{
    struct bytes line = {0};
    struct err err;
    assert_int_equal(auditlog_open(a, dir_fd, &err), 0);
    for (int i = 1; i <= n; i++) {
        make(head, i, &line);
        auditlog_append(a, head->seq, bytes_slice(&line));
    }
    bytes_free(&line);
    assert_false(a->damaged);
}

static bool verified(const struct audit_head *head)
{
    struct bytes out = {0};
    struct err err;
    bool ok;
    assert_int_equal(auditlog_verify(dir_fd, head, &ok, &out, &err), 0);
    assert_int_equal(strstr(bytes_cstr(&out), "\"ok\":true") != NULL, ok);
    bytes_free(&out);
    return ok;
}

/* After a crash the same records are applied again: none stands twice, a torn line is written anew.
 */
static void test_applied_again(void **state)
{
    (void)state;
    struct auditlog a;
    struct audit_head head = {0}, again = {0};
    struct bytes line = {0};
    struct err err;
    fill(&a, &head, RECORDS);
    uint64_t size = a.size_bytes;
    assert_true(verified(&head));
    assert_int_equal(ftruncate(a.fd, (off_t)size - 20), 0);
    auditlog_close(&a);
    assert_int_equal(auditlog_open(&a, dir_fd, &err), 0);
    assert_int_equal(a.last_seq, RECORDS - 1);
    for (int i = 1; i <= RECORDS; i++) {
        make(&again, i, &line);
        auditlog_append(&a, again.seq, bytes_slice(&line));
    }
    assert_false(a.damaged);
    assert_int_equal(a.size_bytes, size);
    assert_true(verified(&head));
    assert_int_equal(auditlog_sync(&a), 0);
    auditlog_close(&a);
    bytes_free(&line);
}

static void test_gap_is_told(void **state)
{
    (void)state;
    struct auditlog a;
    struct audit_head head = {0};
    struct bytes line = {0};
    struct err err;
    assert_int_equal(auditlog_open(&a, dir_fd, &err), 0);
    for (int i = 1; i <= 5; i++) {
        make(&head, i, &line);
        if (i != 3)
            auditlog_append(&a, head.seq, bytes_slice(&line));
    }
    assert_true(a.damaged);
    assert_false(verified(&head));
    auditlog_close(&a);
    bytes_free(&line);
}

/* Any changed byte of any record is found. */
static void test_tampering(void **state)
{
    (void)state;
    struct auditlog a;
    struct audit_head head = {0};
    fill(&a, &head, 6);
    for (uint64_t at = 0; at < a.size_bytes; at += 37) {
        uint8_t old, new;
        assert_int_equal(pread(a.fd, &old, 1, (off_t)at), 1);
        new = old ^ 1;
        assert_int_equal(pwrite(a.fd, &new, 1, (off_t)at), 1);
        assert_false(verified(&head));
        assert_int_equal(pwrite(a.fd, &old, 1, (off_t)at), 1);
    }
    assert_true(verified(&head));
    /* A file that was rewritten whole, with a right chain of its own. */
    struct audit_head other = {0};
    struct bytes line = {0};
    assert_int_equal(ftruncate(a.fd, 0), 0);
    a.size_bytes = a.last_seq = 0;
    for (int i = 1; i <= 6; i++) {
        make(&other, i + 1, &line);
        auditlog_append(&a, other.seq, bytes_slice(&line));
    }
    assert_true(verified(&other));
    assert_false(verified(&head));
    auditlog_close(&a);
    bytes_free(&line);
}

static int count(struct slice page)
{
    int n = 0;
    static const char mark[] = "{\"seq\":";
    for (size_t i = 0; i + sizeof mark <= page.n; i++)
        n += memcmp(page.p + i, mark, sizeof mark - 1) == 0;
    return n;
}

/* Walks all pages of a query; how many records matched. */
static int walk(struct auditlog_query q)
{
    int total = 0, pages = 0;
    q.after = -1;
    do {
        struct bytes out = {0};
        struct err err;
        int64_t next;
        assert_int_equal(auditlog_find(dir_fd, &q, &out, &next, &err), 0);
        int n = count(bytes_slice(&out));
        assert_true(n <= q.limit);
        total += n;
        q.after = next;
        bytes_free(&out);
        assert_true(++pages < 1000);
    } while (q.after >= 0);
    return total;
}

static void test_find(void **state)
{
    (void)state;
    struct auditlog a;
    struct audit_head head = {0};
    fill(&a, &head, RECORDS);
    for (int ascending = 0; ascending < 2; ascending++) {
        for (int32_t limit = 1; limit < 400; limit = 3 * limit + 1) {
            struct auditlog_query q = {.ascending = ascending, .limit = limit};
            assert_int_equal(walk(q), RECORDS);
        }
        struct auditlog_query q = {.ascending = ascending, .limit = 17};
        q.principal = SLICE_LIT("bob");
        assert_int_equal(walk(q), RECORDS / 3);
        q.action = SLICE_LIT("apply");
        assert_int_equal(walk(q), RECORDS / 6);
        q.since_ms = 1000000 + 150 * 1000;
        q.until_ms = 1000000 + 200 * 1000;
        assert_int_equal(walk(q), 8); /* multiples of 3, odd, 150 to 199 */
        q.target = SLICE_LIT("nothing");
        assert_int_equal(walk(q), 0);
    }
    /* The newest first. */
    struct auditlog_query q = {.after = -1, .limit = 1};
    struct bytes out = {0};
    struct err err;
    int64_t next;
    assert_int_equal(auditlog_find(dir_fd, &q, &out, &next, &err), 0);
    assert_non_null(strstr(bytes_cstr(&out), "{\"seq\":300,"));
    bytes_free(&out);
    auditlog_close(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_applied_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_gap_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_tampering, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_find, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
