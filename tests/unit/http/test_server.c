/* The server over real sockets: a loop in this thread, clients in another. */
#include "base/mem.h"
#include "http/http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BODY_MAX = 100000 };

struct fixture {
    uv_loop_t loop;
    uv_async_t stop;
    struct http_server *server;
    uint64_t held_id; /* a request that is answered by the next one */
    bool stopped;
    pthread_t thread;
    int port;
};

static void answer_text(struct fixture *f, uint64_t id, int status, struct slice text)
{
    struct http_response r = {.status = status, .content_type = "text/plain"};
    bytes_add_slice(&r.body, text);
    http_answer(f->server, id, &r);
}

static void on_request(void *arg, const struct http_request *req)
{
    struct fixture *f = arg;
    if (slice_eq_str(req->path, "/hold")) {
        f->held_id = req->id;
    } else if (slice_eq_str(req->path, "/release")) {
        answer_text(f, f->held_id, 200, SLICE_LIT("released"));
        answer_text(f, f->held_id, 200, SLICE_LIT("twice")); /* a stale id is ignored */
        answer_text(f, req->id, 200, SLICE_LIT("ok"));
    } else if (slice_eq_str(req->path, "/echo")) {
        answer_text(f, req->id, 200, req->body);
    } else {
        answer_text(f, req->id, 404, SLICE_LIT("no"));
    }
}

static void on_stopped(void *arg)
{
    struct fixture *f = arg;
    f->stopped = true;
    uv_close((uv_handle_t *)&f->stop, NULL);
}

static void on_stop(uv_async_t *a)
{
    struct fixture *f = a->data;
    http_server_stop(f->server, 500, on_stopped, f);
}

static void *run_loop(void *arg)
{
    struct fixture *f = arg;
    uv_run(&f->loop, UV_RUN_DEFAULT);
    return NULL;
}

static int setup(void **state)
{
    struct fixture *f = MEM_NEW(struct fixture);
    struct err err = {0};
    struct http_limits limits = {.max_body_bytes = BODY_MAX,
                                 .max_bodies_bytes = 4 * BODY_MAX,
                                 .max_connections = 8,
                                 .head_timeout_ms = 300,
                                 .body_min_bytes_per_s = 1000,
                                 .idle_timeout_ms = 2000,
                                 .write_timeout_ms = 1000};
    uv_loop_init(&f->loop);
    uv_async_init(&f->loop, &f->stop, on_stop);
    f->stop.data = f;
    if (http_server_start(&f->server, &f->loop, "127.0.0.1", 0, &limits, on_request, f, &err))
        fail_msg("%s", err.msg);
    f->port = http_server_port(f->server);
    pthread_create(&f->thread, NULL, run_loop, f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    uv_async_send(&f->stop);
    pthread_join(f->thread, NULL);
    assert_true(f->stopped);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    mem_free(f);
    return 0;
}

static int dial(struct fixture *f)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)f->port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct timeval tv = {.tv_sec = 5};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

static void put(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* Reads until `want` has come or the peer closes; true when it came. */
static bool expect(int fd, const char *want)
{
    char buf[8192];
    size_t n = 0;
    for (;;) {
        ssize_t got = recv(fd, buf + n, sizeof buf - 1 - n, 0);
        if (got <= 0)
            return false;
        n += (size_t)got;
        buf[n] = 0;
        if (strstr(buf, want))
            return true;
    }
}

static void test_pipelined_and_keep_alive(void **state)
{
    int fd = dial(*state);
    put(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\none"
            "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\ntwo"
            "GET /none HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_true(expect(fd, "404 Not Found"));
    put(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
            "chunked\r\n\r\n4\r\nlast\r\n0\r\n\r\n");
    assert_true(expect(fd, "\r\n\r\nlast"));
    close(fd);
}

static void test_answered_later(void **state)
{
    int held = dial(*state), other = dial(*state);
    put(held, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\nGET /none HTTP/1.1\r\nHost: a\r\n\r\n");
    usleep(50000);
    put(other, "GET /release HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_true(expect(other, "ok"));
    assert_true(expect(held, "404")); /* the pipelined request behind it, too */
    close(held);
    close(other);
}

static void test_answer_to_a_gone_client(void **state)
{
    int held = dial(*state), other = dial(*state);
    put(held, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    usleep(50000);
    struct linger now = {.l_onoff = 1};
    setsockopt(held, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(held);
    usleep(50000);
    put(other, "GET /release HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_true(expect(other, "ok"));
    close(other);
}

static void test_refusals_close(void **state)
{
    int fd = dial(*state);
    put(fd, "GET /x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\nGET /echo HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_true(expect(fd, "400 Bad Request"));
    assert_false(expect(fd, "200 OK")); /* what follows is not read as a request */
    close(fd);
    fd = dial(*state);
    put(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n");
    assert_true(expect(fd, "413"));
    close(fd);
}

static void test_slow_head_is_cut(void **state)
{
    int fd = dial(*state);
    put(fd, "GET /echo HT");
    assert_true(expect(fd, "408"));
    close(fd);
}

static void test_more_connections_than_allowed(void **state)
{
    int fd[10];
    for (int i = 0; i < 10; i++)
        fd[i] = dial(*state);
    usleep(100000);
    put(fd[0], "GET /none HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_true(expect(fd[0], "404"));
    char c;
    assert_true(recv(fd[9], &c, 1, 0) <= 0);
    for (int i = 0; i < 10; i++)
        close(fd[i]);
}

#define SERVER_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVER_TEST(test_pipelined_and_keep_alive), SERVER_TEST(test_answered_later),
        SERVER_TEST(test_answer_to_a_gone_client),  SERVER_TEST(test_refusals_close),
        SERVER_TEST(test_slow_head_is_cut),         SERVER_TEST(test_more_connections_than_allowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
