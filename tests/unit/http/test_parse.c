/* The strict HTTP parser: what must be refused, what must work, and that the same bytes cut in any
 * way are read the same. */
#include "base/mem.h"
#include "http/parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>

#define GET  "GET /hello HTTP/1.1\r\n"
#define HOST "Host: a\r\n"
#define POST "POST /echo HTTP/1.1\r\nHost: a\r\n"

struct outcome {
    int requests;
    int status; /* of the refusal, 0: none */
    char body[64];
    char target[64];
};

/* Feeds in pieces of `piece` bytes (0: all at once). */
static struct outcome run(const char *raw, size_t n, size_t piece)
{
    struct outcome o = {0};
    struct http_parser p;
    http_parse_init(&p);
    size_t at = 0, body = 0;
    while (at <= n) {
        size_t take = piece && n - at > piece ? piece : n - at;
        char *copy = mem_alloc(take + 1); /* exact size, so that a sanitizer sees an overread */
        memcpy(copy, raw + at, take);
        size_t used;
        enum http_parse_event ev = http_parse_feed(&p, slice_of(copy, take), &used);
        if (ev == HTTP_PARSE_HEAD)
            snprintf(o.target, sizeof o.target, "%.*s", SLICE_FMT(p.target));
        if (ev == HTTP_PARSE_BODY && body + p.body.n < sizeof o.body) {
            memcpy(o.body + body, p.body.p, p.body.n);
            body += p.body.n;
        }
        mem_free(copy);
        at += used;
        if (ev == HTTP_PARSE_DONE) {
            o.requests++;
            http_parse_reset(&p);
        } else if (ev == HTTP_PARSE_FAIL) {
            o.status = p.fail_status;
            break;
        } else if (ev == HTTP_PARSE_NEED && at == n) {
            break;
        }
    }
    http_parse_reset(&p);
    return o;
}

static struct outcome run_all_ways(const char *raw, size_t n)
{
    struct outcome whole = run(raw, n, 0);
    for (size_t piece = 1; piece < 9; piece++) {
        struct outcome cut = run(raw, n, piece);
        assert_int_equal(whole.requests, cut.requests);
        assert_int_equal(whole.status, cut.status);
        assert_string_equal(whole.body, cut.body);
    }
    return whole;
}

static void refuses(const char *raw, int status)
{
    struct outcome o = run_all_ways(raw, strlen(raw));
    if (o.requests != 0 || o.status != status)
        fail_msg("%d requests, status %d (wanted %d): %s", o.requests, o.status, status, raw);
}

static void accepts(const char *raw, int requests, const char *body)
{
    struct outcome o = run_all_ways(raw, strlen(raw));
    assert_int_equal(o.status, 0);
    assert_int_equal(o.requests, requests);
    assert_string_equal(o.body, body);
}

static void test_valid(void **state)
{
    (void)state;
    accepts(GET HOST "\r\n", 1, "");
    accepts("\r\n" GET HOST "\r\n", 1, "");
    accepts(GET HOST "\r\n" GET HOST "\r\n", 2, "");
    accepts(POST "Content-Length: 5\r\n\r\nhello", 1, "hello");
    accepts(POST "Content-Length: 0\r\n\r\n", 1, "");
    accepts(POST "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", 1,
            "abcde");
    accepts(POST "Transfer-Encoding: CHUNKED\r\n\r\n0\r\nTrailer: x\r\n\r\n", 1, "");
    accepts("GET http://host:80/hello HTTP/1.1\r\n" HOST "\r\n", 1, "");
    accepts("GET /hello HTTP/1.0\r\n\r\n", 1, "");
    accepts("OPTIONS * HTTP/1.1\r\n" HOST "\r\n", 1, "");
    accepts(GET "Host: [::1]:80\r\n\r\n", 1, "");
}

static void test_request_line(void **state)
{
    (void)state;
    refuses("GET  /hello HTTP/1.1\r\n" HOST "\r\n", 400);
    refuses("GET /hello HTTP/1.1 \r\n" HOST "\r\n", 400);
    refuses("GET\t/hello HTTP/1.1\r\n" HOST "\r\n", 400);
    refuses("GET /hello HTTP/2.0\r\n" HOST "\r\n", 505);
    refuses("GET /hello\r\n" HOST "\r\n", 400);
    refuses("GET hello HTTP/1.1\r\n" HOST "\r\n", 400);
    refuses("GET /a#b HTTP/1.1\r\n" HOST "\r\n", 400);
    refuses("GET /hello HTTP/1.1\n" HOST "\r\n", 400);
    refuses("GET /hello HTTP/1.1\r" HOST "\r\n", 400);
    refuses("CONNECT a:80 HTTP/1.1\r\n" HOST "\r\n", 400);
    refuses("ABCDEFGHIJKLMNOPQRSTUVWXYZ / HTTP/1.1\r\n" HOST "\r\n", 400);
    refuses("* /hello\r\n\r\n", 400);
}

static void test_fields(void **state)
{
    (void)state;
    refuses(GET "\r\n", 400);
    refuses(GET HOST HOST "\r\n", 400);
    refuses(GET "Host: a b\r\n\r\n", 400);
    refuses(GET HOST "X: a\r\n b\r\n\r\n", 400);
    refuses(GET HOST "X : a\r\n\r\n", 400);
    refuses(GET HOST ": a\r\n\r\n", 400);
    refuses(GET HOST "X\r\n\r\n", 400);
    refuses(GET HOST "X: a\rb\r\n\r\n", 400);
    refuses(GET HOST "X: a\nY: b\r\n\r\n", 400);
    refuses(GET HOST "X: \x01\r\n\r\n", 400);
    refuses(GET HOST "Expect: 200-ok\r\n\r\n", 417);
}

static void test_framing(void **state)
{
    (void)state;
    refuses(POST "Content-Length: -5\r\n\r\nhello", 400);
    refuses(POST "Content-Length: +5\r\n\r\nhello", 400);
    refuses(POST "Content-Length: 5x\r\n\r\nhello", 400);
    refuses(POST "Content-Length: \r\n\r\nhello", 400);
    refuses(POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400);
    refuses(POST "Content-Length: 18446744073709551621\r\n\r\nhello", 400);
    refuses(POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400);
    refuses(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400);
    refuses(POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501);
    refuses(POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501);
    refuses(POST "Transfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n", 400);
    refuses(POST "Transfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n", 400);
    refuses(POST "Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n", 400);
    refuses(POST "Transfer-Encoding: chunked\r\n\r\n100000000\r\n", 400);
    refuses("POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400);
}

static void test_limits(void **state)
{
    (void)state;
    static const char nul[] = GET "Host: a\0b\r\n\r\n";
    assert_int_equal(run_all_ways(nul, sizeof nul - 1).status, 400);
    struct bytes many = {0};
    bytes_add_str(&many, GET HOST);
    for (int i = 0; i < HTTP_FIELDS_MAX; i++)
        bytes_add_str(&many, "X: a\r\n");
    bytes_add_str(&many, "\r\n");
    assert_int_equal(run_all_ways((char *)many.p, many.n).status, 431);
    bytes_clear(&many);
    bytes_add_str(&many, GET HOST "X: ");
    for (int i = 0; i < HTTP_HEAD_MAX_BYTES; i++)
        bytes_add_u8(&many, 'a');
    assert_int_equal(run((char *)many.p, many.n, 0).status, 431);
    bytes_free(&many);
}

static void test_path(void **state)
{
    (void)state;
    char out[256];
    size_t n;
    struct slice q;
    static const char *const bad[] = {"/../etc", "/a/..",     "/a/./b", "/a//b", "/a%2fb", "/a%00b",
                                      "/a\\b",   "/%2e%2e/x", "/a%",    "/a%4",  "/a%zz",  "/."};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (http_path_clean(slice_str(bad[i]), out, sizeof out, &n, &q))
            fail_msg("accepted %s", bad[i]);
    assert_true(http_path_clean(SLICE_LIT("/v1/topics/a%20b.c?x=/../"), out, sizeof out, &n, &q));
    assert_string_equal(out, "/v1/topics/a b.c");
    assert_true(slice_eq_str(q, "x=/../"));
    struct bytes v = {0};
    assert_true(http_query_get(SLICE_LIT("ab=1&a=x%20y+z&a=2"), "a", &v));
    assert_true(slice_eq_str(bytes_slice(&v), "x y z"));
    assert_false(http_query_get(SLICE_LIT("ab=1"), "a", &v));
    bytes_free(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_valid),  cmocka_unit_test(test_request_line),
        cmocka_unit_test(test_fields), cmocka_unit_test(test_framing),
        cmocka_unit_test(test_limits), cmocka_unit_test(test_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
