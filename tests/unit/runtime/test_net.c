/* Connections over socket pairs: framing in every cut, limits, budgets, slow peers, file ranges. */
#include "base/codec.h"
#include "base/mem.h"
#include "runtime/limits.h"
#include "runtime/net.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { MAX_FRAME = 4 << 20 };

struct world {
    uv_loop_t loop;
    struct net *net;
    struct budget budget;
    char dir[64];
    int dir_fd;
    int peer;
    uint64_t conn;
    uint32_t requests, opened, closed, pending;
    struct bytes got;     /* all frames' bytes, one after the other */
    struct buf *kept[64]; /* frames that the "broker" still holds */
    size_t kept_n;
    bool keep;
    bool woken;
    uint64_t warm_from;
    size_t warm_n;
    uint32_t warms;
};

static void on_opened(void *arg, uint64_t conn, struct slice peer)
{
    struct world *w = arg;
    (void)conn;
    assert_true(peer.n > 0);
    w->opened++;
}

static void on_request(void *arg, uint64_t conn, struct buf *frame)
{
    struct world *w = arg;
    assert_int_equal(conn, w->conn);
    bytes_add(&w->got, frame->data, frame->n);
    w->requests++;
    w->pending++;
    if (w->keep)
        w->kept[w->kept_n++] = frame;
    else
        buf_unref(frame);
}

static void on_closed(void *arg, uint64_t conn)
{
    struct world *w = arg;
    assert_int_equal(conn, w->conn);
    w->closed++;
}

static uint32_t on_pending(void *arg, uint64_t conn)
{
    (void)conn;
    return ((struct world *)arg)->pending;
}

static void on_warm(void *arg, uint64_t conn, const char *path, uint64_t position, size_t n)
{
    struct world *w = arg;
    assert_int_equal(conn, w->conn);
    assert_string_equal(path, "segment");
    assert_true(n > 0 && n <= NET_WARM_BYTES);
    w->warm_from = position;
    w->warm_n = n;
    w->warms++;
}

static void on_wake(void *arg)
{
    ((struct world *)arg)->woken = true;
}

static void set_up(struct world *w, uint64_t budget_bytes, uint32_t max_pending)
{
    memset(w, 0, sizeof *w);
    strcpy(w->dir, "/tmp/writ-net-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    w->dir_fd = open(w->dir, O_RDONLY | O_DIRECTORY);
    uv_loop_init(&w->loop);
    budget_init(&w->budget, budget_bytes, on_wake, w);
    struct net_config config = {.max_connections = 10,
                                .max_frame_bytes = MAX_FRAME,
                                .max_pending = max_pending,
                                .max_out_bytes = 32 << 20,
                                .frame_timeout_ms = 100,
                                .idle_timeout_ms = 60000,
                                .write_timeout_ms = 500,
                                .budget = &w->budget,
                                .dir_fd = w->dir_fd};
    struct net_handler handler = {.arg = w,
                                  .opened = on_opened,
                                  .request = on_request,
                                  .closed = on_closed,
                                  .pending = on_pending,
                                  .warm = on_warm};
    net_new(&w->net, &w->loop, &config, &handler);
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    w->peer = pair[1];
    /* The first id is known before the callback needs it. */
    w->conn = 1u << 20;
    assert_int_equal(net_adopt(w->net, pair[0], SLICE_LIT("test")), w->conn);
}

static void spin(struct world *w, int times)
{
    for (int i = 0; i < times; i++) {
        uv_run(&w->loop, UV_RUN_NOWAIT);
        for (int k = 0; k < 50 && net_turn(w->net); k++)
            ;
    }
}

static void spin_ms(struct world *w, unsigned ms)
{
    uv_update_time(&w->loop);
    for (uint64_t end = uv_now(&w->loop) + ms; uv_now(&w->loop) < end && !w->closed;) {
        spin(w, 1);
        usleep(2000);
    }
}

static void tear_down(struct world *w)
{
    for (size_t i = 0; i < w->kept_n; i++)
        buf_unref(w->kept[i]);
    if (w->peer >= 0)
        close(w->peer);
    net_shutdown(w->net);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&w->loop), 0);
    net_free(w->net);
    assert_int_equal(budget_used(&w->budget), 0);
    bytes_free(&w->got);
    close(w->dir_fd);
    char cmd[96];
    snprintf(cmd, sizeof cmd, "rm -rf %s", w->dir);
    assert_int_equal(system(cmd), 0);
}

static void add_frame(struct bytes *b, struct bytes *payload, size_t n, uint8_t seed)
{
    bytes_add_be32(b, (uint32_t)n);
    for (size_t i = 0; i < n; i++) {
        uint8_t v = (uint8_t)(seed + i * 7);
        bytes_add_u8(b, v);
        bytes_add_u8(payload, v);
    }
}

static void feed(struct world *w, const uint8_t *p, size_t n, size_t piece)
{
    while (n) {
        size_t k = piece < n ? piece : n;
        ssize_t r = send(w->peer, p, k, MSG_NOSIGNAL);
        if (r < 0 && errno == EAGAIN)
            r = 0;
        assert_true(r >= 0);
        p += r;
        n -= (size_t)r;
        spin(w, 1);
    }
    spin(w, 40);
}

/* The same stream of frames, cut into pieces of every kind, gives the same requests. */
static void test_framing(void **state)
{
    (void)state;
    static const size_t size[] = {8, 9, 100, 1000, 65536, 300000, 262144, 8, 1500000, 12};
    static const size_t piece[] = {1000003, 4096, 65537, 262148};
    struct bytes stream = {0}, payload = {0};
    for (size_t i = 0; i < sizeof size / sizeof *size; i++)
        add_frame(&stream, &payload, size[i], (uint8_t)i);
    for (size_t i = 0; i < sizeof piece / sizeof *piece; i++) {
        struct world w;
        set_up(&w, 64 << 20, 1000);
        feed(&w, stream.p, stream.n, piece[i]);
        assert_int_equal(w.requests, sizeof size / sizeof *size);
        assert_true(slice_eq(bytes_slice(&w.got), bytes_slice(&payload)));
        assert_int_equal(w.closed, 0);
        tear_down(&w);
    }
    bytes_free(&stream);
    bytes_free(&payload);
}

static void test_byte_by_byte(void **state)
{
    (void)state;
    struct bytes stream = {0}, payload = {0};
    for (uint8_t i = 0; i < 20; i++)
        add_frame(&stream, &payload, 8u + i, i);
    struct world w;
    set_up(&w, 64 << 20, 1000);
    feed(&w, stream.p, stream.n, 1);
    assert_int_equal(w.requests, 20);
    assert_true(slice_eq(bytes_slice(&w.got), bytes_slice(&payload)));
    tear_down(&w);
    bytes_free(&stream);
    bytes_free(&payload);
}

static void test_bad_sizes(void **state)
{
    (void)state;
    static const uint32_t bad[] = {
        0,           7,           MAX_FRAME + 1, 0x7fffffff,
        0x80000000u, 0xffffffffu, 0x15030100 /* a TLS alert, KAFKA-4090 */};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct world w;
        set_up(&w, 64 << 20, 1000);
        uint8_t head[4];
        be32_put(head, bad[i]);
        feed(&w, head, 4, 4);
        assert_int_equal(w.closed, 1);
        assert_int_equal(w.requests, 0);
        tear_down(&w);
    }
}

/* What was promised but not sent costs nothing but the first buffer. */
static void test_promise_is_cheap(void **state)
{
    (void)state;
    struct world w;
    set_up(&w, 64 << 20, 1000);
    uint8_t head[5] = {0};
    be32_put(head, MAX_FRAME);
    feed(&w, head, 5, 5);
    assert_true(budget_used(&w.budget) <= NET_FRAME_FIRST_BYTES);
    tear_down(&w);
}

static void test_slow_request_is_closed(void **state)
{
    (void)state;
    struct world w;
    set_up(&w, 64 << 20, 1000);
    feed(&w, (const uint8_t *)"\0\0", 2, 1); /* half of a length, then nothing */
    spin_ms(&w, 3000);
    assert_int_equal(w.closed, 1);
    assert_int_equal(net_stats(w.net)->closed_by_limit, 1);
    tear_down(&w);
}

/* With the budget used up nothing more is read; when bytes come back it goes on. */
static void test_budget_stalls_and_resumes(void **state)
{
    (void)state;
    struct world w;
    set_up(&w, 2 << 20, 1000);
    w.keep = true;
    struct bytes stream = {0}, payload = {0};
    for (uint8_t i = 0; i < 8; i++)
        add_frame(&stream, &payload, 600000, i);
    const uint8_t *p = stream.p;
    size_t left = stream.n;
    uint64_t most = 0;
    for (int i = 0; i < 3000 && (left || w.requests < 8); i++) {
        ssize_t r = left ? send(w.peer, p, left, MSG_NOSIGNAL) : 0;
        if (r > 0) {
            p += r;
            left -= (size_t)r;
        }
        spin(&w, 2);
        most = budget_used(&w.budget) > most ? budget_used(&w.budget) : most;
        if (net_stats(w.net)->stalled && w.kept_n) {
            for (size_t k = 0; k < w.kept_n; k++)
                buf_unref(w.kept[k]);
            w.kept_n = 0;
            assert_true(w.woken);
            w.woken = false;
            net_budget_returned(w.net);
        }
    }
    assert_int_equal(w.requests, 8);
    assert_true(slice_eq(bytes_slice(&w.got), bytes_slice(&payload)));
    assert_true(most <= (2 << 20) + 3 * NET_LOOP_BUFFER_BYTES);
    tear_down(&w);
    bytes_free(&stream);
    bytes_free(&payload);
}

static struct send_part memory_part(struct bytes *keep, size_t n)
{
    struct buf *b = buf_new(n);
    for (size_t i = 0; i < n; i++)
        b->data[i] = (uint8_t)rand();
    b->n = n;
    bytes_add(keep, b->data, n);
    return (struct send_part){.buf = b, .bytes = buf_bytes(b)};
}

static void receive_all(struct world *w, struct bytes *in, size_t want)
{
    uint8_t chunk[65536];
    for (int i = 0; i < 20000 && in->n < want; i++) {
        spin(w, 1);
        ssize_t r = recv(w->peer, chunk, sizeof chunk, MSG_DONTWAIT);
        if (r > 0)
            bytes_add(in, chunk, (size_t)r);
    }
}

/* Too many unanswered requests: not read from until answers have gone. */
static void test_pipelining_is_bounded(void **state)
{
    (void)state;
    struct world w;
    set_up(&w, 64 << 20, 4);
    struct bytes stream = {0}, payload = {0}, keep = {0}, in = {0};
    for (uint8_t i = 0; i < 4; i++)
        add_frame(&stream, &payload, 20, i);
    feed(&w, stream.p, stream.n, stream.n);
    assert_int_equal(w.requests, 4);
    feed(&w, stream.p, stream.n, stream.n);
    assert_int_equal(w.requests, 4); /* held */
    for (int i = 0; i < 3; i++) {
        struct send_part part = memory_part(&keep, 10);
        w.pending--;
        net_send(w.net, w.conn, &part, 1);
    }
    spin(&w, 10);
    assert_int_equal(w.requests, 8);
    receive_all(&w, &in, keep.n);
    assert_true(slice_eq(bytes_slice(&in), bytes_slice(&keep)));
    tear_down(&w);
    bytes_free(&stream);
    bytes_free(&payload);
    bytes_free(&keep);
    bytes_free(&in);
}

/* Memory and file ranges mixed, more than a socket takes at once, arrive in order and whole. */
static void test_sending(void **state)
{
    (void)state;
    struct world w;
    set_up(&w, 64 << 20, 1000);
    struct bytes file = {0}, keep = {0}, in = {0};
    for (int i = 0; i < 3000000; i++)
        bytes_add_u8(&file, (uint8_t)rand());
    int fd = openat(w.dir_fd, "segment", O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(fd, file.p, file.n), (ssize_t)file.n);
    close(fd);
    for (uint64_t i = 0; i < 100; i++) {
        struct send_part part[3] = {memory_part(&keep, 50 + i), {.buf = NULL}, {.buf = NULL}};
        part[1].range = (struct plog_range){
            .path = "segment", .segment = 1, .position = i * 1000, .size_bytes = i * 200};
        bytes_add(&keep, file.p + i * 1000, i * 200);
        part[2] = memory_part(&keep, 0);
        net_send(w.net, w.conn, part, 3);
    }
    /* The file goes, but what was queued is still sent. */
    assert_int_equal(unlinkat(w.dir_fd, "segment", 0), 0);
    receive_all(&w, &in, keep.n);
    assert_int_equal(in.n, keep.n);
    assert_memory_equal(in.p, keep.p, keep.n);
    assert_true(net_drained(w.net));
    tear_down(&w);
    bytes_free(&file);
    bytes_free(&keep);
    bytes_free(&in);
}

/* A range that is not in the page cache is asked for and sent when it is there; what is queued
 * behind it waits, in order. */
static void test_cold_range(void **state)
{
    (void)state;
    struct world w;
    set_up(&w, 64 << 20, 1000);
    enum { N = 3 << 20 };
    struct bytes file = {0}, keep = {0}, in = {0};
    for (int i = 0; i < N; i++)
        bytes_add_u8(&file, (uint8_t)rand());
    int fd = openat(w.dir_fd, "segment", O_RDWR | O_CREAT, 0600);
    assert_int_equal(write(fd, file.p, file.n), (ssize_t)file.n);
    assert_int_equal(fsync(fd), 0);
    assert_int_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
    struct send_part part[3] = {memory_part(&keep, 50), {.buf = NULL}, {.buf = NULL}};
    part[1].range = (struct plog_range){.path = "segment", .segment = 1, .size_bytes = N};
    bytes_add(&keep, file.p, N);
    part[2] = memory_part(&keep, 50);
    net_send(w.net, w.conn, part, 3);
    spin(&w, 3);
    if (w.warms == 0)
        print_message(
            "the file system keeps or hides what is cached: only the sending is tested\n");
    uint8_t *page = mem_alloc(NET_WARM_BYTES);
    for (int i = 0; i < 20000 && in.n < keep.n; i++) {
        uint8_t chunk[65536];
        if (w.warm_n) {
            assert_int_equal(pread(fd, page, w.warm_n, (off_t)w.warm_from), (ssize_t)w.warm_n);
            w.warm_n = 0;
            net_warmed(w.net, w.conn);
        }
        spin(&w, 1);
        ssize_t r = recv(w.peer, chunk, sizeof chunk, MSG_DONTWAIT);
        if (r > 0)
            bytes_add(&in, chunk, (size_t)r);
    }
    assert_int_equal(in.n, keep.n);
    assert_memory_equal(in.p, keep.p, keep.n);
    net_warmed(w.net, 12345); /* of a connection that has gone */
    mem_free(page);
    close(fd);
    tear_down(&w);
    bytes_free(&file);
    bytes_free(&keep);
    bytes_free(&in);
}

static void test_missing_file_closes(void **state)
{
    (void)state;
    struct world w;
    set_up(&w, 64 << 20, 1000);
    struct bytes keep = {0};
    struct send_part part[3] = {memory_part(&keep, 10), {.buf = NULL}, memory_part(&keep, 10)};
    part[1].range = (struct plog_range){.path = "absent", .segment = 1, .size_bytes = 10};
    net_send(w.net, w.conn, part, 3);
    spin(&w, 5);
    assert_int_equal(w.closed, 1);
    bytes_free(&keep);
    tear_down(&w);
}

static void test_never_reading_peer_is_closed(void **state)
{
    (void)state;
    struct world w;
    set_up(&w, 64 << 20, 1000);
    struct bytes keep = {0};
    for (int i = 0; i < 8; i++) {
        struct send_part part = memory_part(&keep, 500000);
        net_send(w.net, w.conn, &part, 1);
    }
    spin_ms(&w, 4000);
    assert_int_equal(w.closed, 1);
    bytes_free(&keep);
    tear_down(&w);
}

/* An answer and then the end: the peer gets the answer whole although it has sent more. */
static void test_close_after_answer(void **state)
{
    (void)state;
    struct world w;
    set_up(&w, 64 << 20, 1000);
    struct bytes keep = {0}, in = {0};
    struct send_part part = memory_part(&keep, 5000);
    uint8_t junk[100] = {0, 0, 0, 50};
    net_send(w.net, w.conn, &part, 1);
    net_close(w.net, w.conn, "test");
    feed(&w, junk, sizeof junk, sizeof junk);
    receive_all(&w, &in, keep.n);
    assert_int_equal(in.n, keep.n);
    assert_int_equal(w.requests, 0);
    close(w.peer);
    w.peer = -1;
    spin(&w, 5);
    assert_int_equal(w.closed, 1);
    /* Late answers to a connection that has gone are eaten. */
    struct send_part late = memory_part(&keep, 10);
    net_send(w.net, w.conn, &late, 1);
    net_close(w.net, w.conn, "again");
    bytes_free(&keep);
    bytes_free(&in);
    tear_down(&w);
}

/* Thousands of small requests in one read: a part of them each turn, all in the end. */
static void test_many_small_requests(void **state)
{
    (void)state;
    struct world w;
    set_up(&w, 64 << 20, 100000);
    struct bytes stream = {0}, payload = {0};
    for (int i = 0; i < 5000; i++)
        add_frame(&stream, &payload, 10, (uint8_t)i);
    const uint8_t *p = stream.p;
    uint32_t most = 0;
    for (size_t left = stream.n; left || w.requests < 5000;) {
        ssize_t r = left ? send(w.peer, p, left, MSG_NOSIGNAL) : 0;
        p += r > 0 ? r : 0;
        left -= r > 0 ? (size_t)r : 0;
        uint32_t before = w.requests;
        uv_run(&w.loop, UV_RUN_NOWAIT);
        net_turn(w.net);
        most = w.requests - before > most ? w.requests - before : most;
    }
    assert_true(most <= 2 * NET_FRAMES_PER_TURN); /* from the socket, and from what was kept */
    assert_true(slice_eq(bytes_slice(&w.got), bytes_slice(&payload)));
    tear_down(&w);
    bytes_free(&stream);
    bytes_free(&payload);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_framing),
        cmocka_unit_test(test_byte_by_byte),
        cmocka_unit_test(test_bad_sizes),
        cmocka_unit_test(test_promise_is_cheap),
        cmocka_unit_test(test_slow_request_is_closed),
        cmocka_unit_test(test_budget_stalls_and_resumes),
        cmocka_unit_test(test_pipelining_is_bounded),
        cmocka_unit_test(test_sending),
        cmocka_unit_test(test_cold_range),
        cmocka_unit_test(test_missing_file_closes),
        cmocka_unit_test(test_never_reading_peer_is_closed),
        cmocka_unit_test(test_close_after_answer),
        cmocka_unit_test(test_many_small_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
