/* One HTTP connection (internal to the room): states, deadlines, one request at a time, one
 * response write in flight. Freed only in its close callback. */
#ifndef HTTP_CONN_H
#define HTTP_CONN_H

#include "http/parse.h"

enum http_conn_state {
    HTTP_CONN_IDLE, /* nothing of a request has come */
    HTTP_CONN_HEAD,
    HTTP_CONN_BODY,
    HTTP_CONN_HANDLING, /* the handler has it; reading is paused */
    HTTP_CONN_WRITING,
    HTTP_CONN_LINGER, /* half-closed: the rest is read and dropped, so that no RST eats the answer
                       */
    HTTP_CONN_CLOSED,
};

struct http_conn {
    uv_tcp_t tcp;
    uv_write_t write;
    uv_shutdown_t shutdown;
    struct http_server *server; /* borrows */
    struct http_conn *next, *prev;
    uint32_t slot;
    uint32_t generation;
    enum http_conn_state state;
    bool reading, close_after, head_method;
    struct http_parser parser;
    struct bytes body;
    struct bytes pending; /* input read but not parsed: the next pipelined request */
    struct bytes out;     /* the response being written */
    char peer[64];
    char path[2048];
    uint64_t deadline_ms;
    uint64_t progress_ms;
    size_t progress_left;
    size_t lingered_bytes;
};

struct http_server {
    uv_loop_t *loop;
    uv_tcp_t listener;
    uv_timer_t sweep;
    struct http_limits limits;
    http_handler handler;
    void *arg;
    struct http_conn *conns;
    struct http_conn **slot; /* max_connections */
    uint32_t *free_slot;
    uint32_t free_n;
    uint32_t next_generation;
    unsigned conns_n;
    size_t bodies_bytes;
    bool stopping;
    uint64_t stop_deadline_ms;
    unsigned open_handles;
    void (*stopped)(void *arg);
    void *stopped_arg;
    char read_buf[65536]; /* emptied before the read callback returns */
};

void http_conn_accept(struct http_server *s);
void http_conn_answer(struct http_conn *c, struct http_response *r);
void http_conn_close(struct http_conn *c);
/* Called every sweep with the loop's time. */
void http_conn_check_deadline(struct http_conn *c, uint64_t now_ms);
void http_server_handle_closed(struct http_server *s);

#endif
