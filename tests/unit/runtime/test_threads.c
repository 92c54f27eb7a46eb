/* Inbox, writer and reader threads: order, completeness, failures; the histogram's text. */
#include "base/mem.h"
#include "runtime/histogram.h"
#include "runtime/reader.h"
#include "runtime/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct world {
    uv_loop_t loop;
    struct inbox inbox;
    struct files_root root;
    char dir[64];
    uint64_t last_id;
    uint32_t done, failed, in_order;
    bool seen_failure; /* by the writer's hook, before the completion */
};

static void receive(void *arg, const struct inbox_message *m)
{
    struct world *w = arg;
    w->done++;
    w->failed += m->status != 0;
    w->in_order += m->id == w->last_id + 1;
    w->last_id = m->id;
}

static void set_up(struct world *w)
{
    memset(w, 0, sizeof *w);
    strcpy(w->dir, "/tmp/writ-threads-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    w->root.dir_fd = open(w->dir, O_RDONLY | O_DIRECTORY);
    uv_loop_init(&w->loop);
    assert_int_equal(inbox_init(&w->inbox, &w->loop, receive, w), 0);
}

static void tear_down(struct world *w)
{
    inbox_close(&w->inbox);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&w->loop), 0);
    inbox_free(&w->inbox);
    close(w->root.dir_fd);
    char cmd[96];
    snprintf(cmd, sizeof cmd, "rm -rf %s", w->dir);
    assert_int_equal(system(cmd), 0);
}

static void wait_done(struct world *w, uint32_t n)
{
    for (int i = 0; i < 20000 && w->done < n; i++) {
        uv_run(&w->loop, UV_RUN_NOWAIT);
        usleep(100);
    }
    assert_int_equal(w->done, n);
}

static struct disk_op write_op(uint64_t id, const char *path, uint64_t offset, struct buf *b)
{
    struct disk_op op = {.id = id, .kind = id % 7 ? DISK_WRITE : DISK_WRITE_SYNC, .offset = offset};
    snprintf(op.path, sizeof op.path, "%s", path);
    disk_op_add_part(&op, b, buf_bytes(b));
    return op;
}

/* Each operation writes its number over the one before: the last must win, completions come in
 * order, and every reference is given back. */
static void test_writer_order(void **state)
{
    (void)state;
    enum { N = 3000 };
    struct world w;
    set_up(&w);
    struct writer *writer;
    struct writer_config config = {
        .name = "test", .root = &w.root, .cache_max = 4, .inbox = &w.inbox, .done_kind = 1};
    struct buf *b[N];
    assert_int_equal(writer_start(&writer, &config, NULL), 0);
    for (uint64_t i = 0; i < N; i++) {
        uint64_t value = i + 1;
        b[i] = buf_from(&value, sizeof value);
        struct disk_op op = write_op(i + 1, i % 3 ? "a" : "b", 0, b[i]);
        writer_push(writer, &op, 1);
    }
    wait_done(&w, N);
    assert_int_equal(w.in_order, N);
    assert_int_equal(w.failed, 0);
    writer_stop(writer);
    struct files f;
    uint64_t got = 0;
    files_init(&f, &w.root, 4);
    assert_int_equal(f.disk.read(&f.disk, "a", 0, &got, 8), 8);
    assert_int_equal(got, N);
    files_free(&f);
    for (int i = 0; i < N; i++) {
        assert_int_equal(b[i]->refs, 1);
        buf_unref(b[i]);
    }
    tear_down(&w);
}

static void on_failed(void *arg, const struct disk_op *op, int status)
{
    struct world *w = arg;
    assert_string_equal(op->path, "absent/file");
    assert_int_equal(status, -ENOENT);
    w->seen_failure = true;
}

static void test_writer_failure(void **state)
{
    (void)state;
    struct world w;
    set_up(&w);
    struct writer *writer;
    struct writer_config config = {.name = "test",
                                   .root = &w.root,
                                   .cache_max = 4,
                                   .inbox = &w.inbox,
                                   .done_kind = 1,
                                   .failed = on_failed,
                                   .failed_arg = &w};
    assert_int_equal(writer_start(&writer, &config, NULL), 0);
    struct buf *b = buf_from("x", 1);
    struct disk_op op[3] = {write_op(1, "ok", 0, b), write_op(2, "absent/file", 0, b),
                            write_op(3, "ok", 1, b)};
    writer_push(writer, op, 3);
    wait_done(&w, 3);
    assert_true(w.seen_failure);
    assert_int_equal(w.failed, 1);
    assert_int_equal(w.in_order, 3);
    assert_int_equal(writer_stats(writer)->failures, 1);
    assert_int_equal(writer_stats(writer)->queued, 0);
    writer_stop(writer);
    assert_int_equal(b->refs, 1);
    buf_unref(b);
    tear_down(&w);
}

/* What was pushed before the stop is done. */
static void test_writer_stop_finishes(void **state)
{
    (void)state;
    struct world w;
    set_up(&w);
    struct writer *writer;
    struct writer_config config = {
        .name = "test", .root = &w.root, .cache_max = 4, .inbox = &w.inbox, .done_kind = 1};
    assert_int_equal(writer_start(&writer, &config, NULL), 0);
    struct buf *b = buf_from("x", 1);
    for (uint64_t i = 0; i < 500; i++) {
        struct disk_op op = write_op(i + 1, "f", i, b);
        writer_push(writer, &op, 1);
    }
    writer_stop(writer);
    wait_done(&w, 500);
    struct files f;
    files_init(&f, &w.root, 4);
    assert_int_equal(f.disk.size(&f.disk, "f"), 500);
    files_free(&f);
    buf_unref(b);
    tear_down(&w);
}

/* Past the page cache or not, the file is the same: aligned groups, unaligned ones, a file that is
 * not there yet, one that is removed in between. */
static void test_direct_writes(void **state)
{
    (void)state;
    enum { PAGE = 4096, N = 60 };
    struct world w;
    set_up(&w);
    struct writer *writer;
    struct writer_config config = {.name = "test",
                                   .root = &w.root,
                                   .cache_max = 4,
                                   .inbox = &w.inbox,
                                   .done_kind = 1,
                                   .direct = true};
    assert_int_equal(writer_start(&writer, &config, NULL), 0);
    static uint8_t want[N * 3 * PAGE];
    uint64_t at = 0, id = 0;
    for (int i = 0; i < N; i++) {
        size_t n = i % 10 == 9 ? 1000 : (size_t)(i % 3 + 1) * PAGE;
        struct buf *b = buf_new(n);
        for (size_t k = 0; k < n; k++)
            b->data[k] = (uint8_t)((size_t)i * 31 + k);
        b->n = n;
        memcpy(want + at, b->data, n);
        struct disk_op op = {.id = ++id, .kind = DISK_WRITE_SYNC, .path = "j", .offset = at};
        disk_op_add_part(&op, b, slice_of(b->data, n / 3));
        disk_op_add_part(&op, b, slice_of(b->data + n / 3, n - n / 3));
        at += (n + PAGE - 1) / PAGE * PAGE;
        writer_push(writer, &op, 1);
        buf_unref(b);
        if (i == N / 2) { /* begun anew: an old descriptor must not be written to */
            struct disk_op gone = {.id = ++id, .kind = DISK_REMOVE, .path = "j"};
            writer_push(writer, &gone, 1);
            memset(want, 0, (size_t)at);
        }
    }
    wait_done(&w, (uint32_t)id);
    assert_int_equal(w.failed, 0);
    assert_int_equal(w.in_order, id);
    writer_stop(writer);
    static uint8_t got[N * 3 * PAGE];
    struct files f;
    files_init(&f, &w.root, 4);
    int64_t n = f.disk.read(&f.disk, "j", 0, got, sizeof got);
    assert_true(n > 0 && (uint64_t)n <= at);
    assert_memory_equal(got, want, (size_t)n);
    files_free(&f);
    tear_down(&w);
}

static void test_reader(void **state)
{
    (void)state;
    struct world w;
    set_up(&w);
    struct reader *r;
    struct files f;
    files_init(&f, &w.root, 4);
    assert_int_equal(f.disk.write(&f.disk, "s", 0, "0123456789", 10), 0);
    assert_int_equal(reader_start(&r, &w.root, &w.inbox, NULL), 0);
    struct plog_range whole = {.path = "s", .size_bytes = 10},
                      beyond = {.path = "s", .position = 5, .size_bytes = 1000},
                      absent = {.path = "t", .size_bytes = 10};
    reader_push(r, 1, 1, &whole);
    reader_push(r, 1, 2, &beyond);
    reader_push(r, 1, 3, &absent);
    wait_done(&w, 3);
    assert_int_equal(w.in_order, 3);
    assert_int_equal(w.failed, 1);
    reader_stop(r);
    files_free(&f);
    tear_down(&w);
}

static void test_histogram(void **state)
{
    (void)state;
    static struct histogram h;
    struct bytes text = {0};
    histogram_add(&h, 1);
    histogram_add(&h, 10000);
    histogram_add(&h, 10001);
    histogram_add(&h, UINT64_C(20000000000));
    histogram_write(&h, "x_seconds", "Help.", "", &text);
    const char *s = bytes_cstr(&text);
    assert_non_null(strstr(s, "# TYPE x_seconds histogram\n"));
    assert_non_null(strstr(s, "x_seconds_bucket{le=\"0.00001\"} 2\n"));
    assert_non_null(strstr(s, "x_seconds_bucket{le=\"0.000025\"} 3\n"));
    assert_non_null(strstr(s, "x_seconds_bucket{le=\"10\"} 3\n"));
    assert_non_null(strstr(s, "x_seconds_bucket{le=\"+Inf\"} 4\n"));
    assert_non_null(strstr(s, "x_seconds_count 4\n"));
    assert_non_null(strstr(s, "x_seconds_sum 20.000020002\n"));
    bytes_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writer_order),
        cmocka_unit_test(test_writer_failure),
        cmocka_unit_test(test_writer_stop_finishes),
        cmocka_unit_test(test_direct_writes),
        cmocka_unit_test(test_reader),
        cmocka_unit_test(test_histogram),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
