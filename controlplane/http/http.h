/* The HTTP server: HTTP/1.1 on a libuv loop, strict parser, absolute deadlines, bounded bodies. It
 * knows nothing of the resources: a request is handed to the handler, which answers once, at any
 * later time, from the loop's thread. */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/slice.h"

#include <uv.h>

struct http_field {
    struct slice name; /* lower case */
    struct slice value;
};

/* Valid until the answer is given. */
struct http_request {
    uint64_t id; /* give it back to http_answer; stale ids are ignored */
    struct slice method;
    struct slice path;  /* decoded once; no dot segments, no NUL, no encoded slash, no backslash */
    struct slice query; /* raw, without '?' */
    const struct http_field *field;
    size_t fields_n;
    struct slice body;
    struct slice peer; /* "127.0.0.1:5000" */
    int64_t received_ms;
};

struct http_response {
    int status;
    const char *content_type; /* NULL: none */
    struct bytes body;        /* taken */
    struct http_field *field; /* further fields; borrowed during the call */
    size_t fields_n;
};

struct http_server;
typedef void (*http_handler)(void *arg, const struct http_request *req);

struct http_limits {
    size_t max_body_bytes;   /* of one request: 8 MiB */
    size_t max_bodies_bytes; /* of all connections together */
    unsigned max_connections;
    unsigned head_timeout_ms, body_min_bytes_per_s, idle_timeout_ms, write_timeout_ms;
};

/* address "127.0.0.1", port 0 picks a free one (http_server_port tells). */
int http_server_start(struct http_server **out, uv_loop_t *loop, const char *address, int port,
                      const struct http_limits *limits, http_handler handler, void *arg,
                      struct err *err);
int http_server_port(const struct http_server *s);
void http_answer(struct http_server *s, uint64_t request_id, struct http_response *resp);
unsigned http_server_connections(const struct http_server *s);
/* Stops accepting, lets running requests end within grace_ms, frees the server, then calls back. A
 * failed start frees by itself, in the next turn of the loop. */
void http_server_stop(struct http_server *s, unsigned grace_ms, void (*done)(void *arg), void *arg);

/* Value of a request field (lower-case name), or SLICE_NULL. */
struct slice http_field_get(const struct http_request *req, const char *lower_name);
/* Value of a query parameter, percent-decoded into buf; false when absent. */
bool http_query_get(struct slice query, const char *name, struct bytes *buf);

#endif
