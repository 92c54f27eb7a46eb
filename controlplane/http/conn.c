#include "http/conn.h"

#include "base/check.h"
#include "base/mem.h"

enum {
    SEND_BUFFER_BYTES =
        128 << 10, /* else the kernel takes up to 4 MB for a client that never reads */
    LINGER_MS = 2000,
    LINGER_MAX_BYTES = 16 << 20,
};

static void start_input(struct http_conn *c);

static const char *status_phrase(int status)
{
    static const struct {
        int status;
        const char *phrase;
    } table[] = {
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {415, "Unsupported Media Type"},
        {417, "Expectation Failed"},
        {422, "Unprocessable Content"},
        {428, "Precondition Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {505, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (table[i].status == status)
            return table[i].phrase;
    return "Status";
}

static void set_body_bytes(struct http_conn *c, size_t now_n)
{
    c->server->bodies_bytes = c->server->bodies_bytes - c->body.n + now_n;
}

static void drop_body(struct http_conn *c)
{
    set_body_bytes(c, 0);
    bytes_free(&c->body);
}

/* ---- closing ---- */

static void on_closed(uv_handle_t *h)
{
    struct http_conn *c = h->data;
    struct http_server *s = c->server;
    drop_body(c);
    http_parse_reset(&c->parser);
    bytes_free(&c->pending);
    bytes_free(&c->out);
    mem_free(c);
    http_server_handle_closed(s);
}

void http_conn_close(struct http_conn *c)
{
    if (c->state == HTTP_CONN_CLOSED)
        return;
    struct http_server *s = c->server;
    c->state = HTTP_CONN_CLOSED;
    if (c->prev)
        c->prev->next = c->next;
    else
        s->conns = c->next;
    if (c->next)
        c->next->prev = c->prev;
    s->slot[c->slot] = NULL;
    s->free_slot[s->free_n++] = c->slot;
    s->conns_n--;
    uv_close((uv_handle_t *)&c->tcp, on_closed);
}

/* ---- reading ---- */

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
    (void)suggested;
    struct http_conn *c = h->data;
    *buf = uv_buf_init(c->server->read_buf, sizeof c->server->read_buf);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf);

static void set_reading(struct http_conn *c, bool on)
{
    if (c->reading == on || c->state == HTTP_CONN_CLOSED)
        return;
    c->reading = on;
    if (on)
        uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
    else
        uv_read_stop((uv_stream_t *)&c->tcp);
}

static void on_shutdown(uv_shutdown_t *req, int status)
{
    struct http_conn *c = req->data;
    if (status < 0)
        http_conn_close(c);
}

static void linger(struct http_conn *c)
{
    c->state = HTTP_CONN_LINGER;
    c->deadline_ms = uv_now(c->server->loop) + LINGER_MS;
    if (uv_shutdown(&c->shutdown, (uv_stream_t *)&c->tcp, on_shutdown)) {
        http_conn_close(c);
        return;
    }
    set_reading(c, true);
}

/* ---- writing ---- */

static void finish_write(struct http_conn *c)
{
    bytes_free(&c->out);
    if (c->close_after) {
        linger(c);
        return;
    }
    c->state = HTTP_CONN_IDLE;
    c->deadline_ms = uv_now(c->server->loop) + c->server->limits.idle_timeout_ms;
    start_input(c);
}

static void on_write(uv_write_t *req, int status)
{
    struct http_conn *c = req->data;
    if (c->state == HTTP_CONN_CLOSED)
        return;
    if (status < 0) {
        http_conn_close(c);
        return;
    }
    finish_write(c);
}

static void write_out(struct http_conn *c)
{
    c->state = HTTP_CONN_WRITING;
    uv_buf_t buf = uv_buf_init((char *)c->out.p, (unsigned)c->out.n);
    int sent = uv_try_write((uv_stream_t *)&c->tcp, &buf, 1);
    if (sent < 0 && sent != UV_EAGAIN) {
        http_conn_close(c);
        return;
    }
    size_t done = sent > 0 ? (size_t)sent : 0;
    if (done == c->out.n) {
        finish_write(c);
        return;
    }
    buf = uv_buf_init((char *)c->out.p + done, (unsigned)(c->out.n - done));
    c->progress_ms = uv_now(c->server->loop);
    c->progress_left = c->out.n - done;
    if (uv_write(&c->write, (uv_stream_t *)&c->tcp, &buf, 1, on_write))
        http_conn_close(c);
}

void http_conn_answer(struct http_conn *c, struct http_response *r)
{
    if (c->server->stopping)
        c->close_after = true;
    bool bodyless = r->status == 204 || r->status == 304;
    bytes_printf(&c->out, "HTTP/1.1 %d %s\r\n", r->status, status_phrase(r->status));
    if (r->content_type && !bodyless)
        bytes_printf(&c->out, "Content-Type: %s\r\n", r->content_type);
    for (size_t i = 0; i < r->fields_n; i++)
        bytes_printf(&c->out, "%.*s: %.*s\r\n", SLICE_FMT(r->field[i].name),
                     SLICE_FMT(r->field[i].value));
    if (!bodyless)
        bytes_printf(&c->out, "Content-Length: %zu\r\n", r->body.n);
    bytes_add_str(&c->out, "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n");
    if (c->close_after)
        bytes_add_str(&c->out, "Connection: close\r\n");
    else if (c->parser.minor == 0)
        bytes_add_str(&c->out, "Connection: keep-alive\r\n");
    bytes_add_str(&c->out, "\r\n");
    if (!bodyless && !c->head_method)
        bytes_add_slice(&c->out, bytes_slice(&r->body));
    bytes_free(&r->body);
    http_parse_reset(&c->parser);
    drop_body(c);
    write_out(c);
}

static void answer_error(struct http_conn *c, int status, const char *why)
{
    struct http_response r = {.status = status, .content_type = "application/problem+json"};
    bytes_printf(&r.body,
                 "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d,\"detail\":\"%s\","
                 "\"code\":\"http.refused\"}",
                 status_phrase(status), status, why);
    c->close_after = true;
    http_conn_answer(c, &r);
}

/* ---- input ---- */

static void dispatch(struct http_conn *c)
{
    struct http_server *s = c->server;
    size_t path_n;
    struct slice query;
    if (!http_path_clean(c->parser.target, c->path, sizeof c->path, &path_n, &query)) {
        answer_error(c, 400, "the path is not acceptable");
        return;
    }
    c->state = HTTP_CONN_HANDLING;
    c->deadline_ms = UINT64_MAX;
    set_reading(c, false);
    struct http_request req = {
        .id = ((uint64_t)c->generation << 32) | c->slot,
        .method = c->parser.method,
        .path = slice_of(c->path, path_n),
        .query = query,
        .field = c->parser.field,
        .fields_n = c->parser.fields_n,
        .body = bytes_slice(&c->body),
        .peer = slice_str(c->peer),
        .received_ms = (int64_t)uv_now(s->loop),
    };
    s->handler(s->arg, &req);
}

static void on_head(struct http_conn *c)
{
    const struct http_limits *l = &c->server->limits;
    c->close_after = !c->parser.keep_alive;
    c->head_method = slice_eq_str(c->parser.method, "HEAD");
    if (c->parser.has_length && c->parser.length > l->max_body_bytes) {
        answer_error(c, 413, "the body is larger than this server takes");
        return;
    }
    c->state = HTTP_CONN_BODY;
    c->deadline_ms = uv_now(c->server->loop) + l->head_timeout_ms;
    if (c->parser.expect_continue && (c->parser.chunked || c->parser.length)) {
        static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
        uv_buf_t buf = uv_buf_init((char *)go_on, sizeof go_on - 1);
        /* 25 bytes into an empty send buffer: if they do not fit the connection is dead anyway. */
        if (uv_try_write((uv_stream_t *)&c->tcp, &buf, 1) != (int)(sizeof go_on - 1))
            http_conn_close(c);
    }
}

static void add_body(struct http_conn *c)
{
    const struct http_limits *l = &c->server->limits;
    size_t n = c->body.n + c->parser.body.n;
    if (n > l->max_body_bytes) {
        answer_error(c, 413, "the body is larger than this server takes");
        return;
    }
    if (c->server->bodies_bytes + c->parser.body.n > l->max_bodies_bytes) {
        answer_error(c, 503, "too many request bodies at once; try again");
        return;
    }
    set_body_bytes(c, n);
    bytes_add_slice(&c->body, c->parser.body);
    /* Each byte buys time at the least rate, so that a dripping client does not stay for ever. */
    c->deadline_ms += c->parser.body.n * 1000 / l->body_min_bytes_per_s;
}

static void take_input(struct http_conn *c, struct slice in)
{
    while (c->state != HTTP_CONN_CLOSED && c->state != HTTP_CONN_LINGER) {
        if (c->state == HTTP_CONN_HANDLING || c->state == HTTP_CONN_WRITING) {
            bytes_add_slice(&c->pending, in);
            set_reading(c, false);
            return;
        }
        size_t used;
        enum http_parse_event ev = http_parse_feed(&c->parser, in, &used);
        in = slice_of(in.p + used, in.n - used);
        if (c->state == HTTP_CONN_IDLE && http_parse_started(&c->parser)) {
            c->state = HTTP_CONN_HEAD;
            c->deadline_ms = uv_now(c->server->loop) + c->server->limits.head_timeout_ms;
        }
        switch (ev) {
        case HTTP_PARSE_NEED:
            return;
        case HTTP_PARSE_HEAD:
            on_head(c);
            break;
        case HTTP_PARSE_BODY:
            add_body(c);
            break;
        case HTTP_PARSE_DONE:
            dispatch(c);
            break;
        case HTTP_PARSE_FAIL:
            answer_error(c, c->parser.fail_status, c->parser.fail_reason);
            break;
        }
    }
}

/* After an answer: first what was pipelined behind it, then the socket again. Called from within
 * take_input when the kernel takes an answer at once; the loop there goes on by itself. */
static void start_input(struct http_conn *c)
{
    if (c->pending.n) {
        struct bytes waiting = c->pending;
        c->pending = (struct bytes){0};
        take_input(c, bytes_slice(&waiting));
        bytes_free(&waiting);
    }
    if (c->state == HTTP_CONN_IDLE || c->state == HTTP_CONN_HEAD || c->state == HTTP_CONN_BODY)
        set_reading(c, true);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct http_conn *c = stream->data;
    if (n == 0)
        return;
    if (n < 0) {
        /* A half-close while an answer is under way: it still wants the answer. */
        if (n == UV_EOF && (c->state == HTTP_CONN_HANDLING || c->state == HTTP_CONN_WRITING)) {
            c->close_after = true;
            set_reading(c, false);
            return;
        }
        http_conn_close(c);
        return;
    }
    if (c->state == HTTP_CONN_LINGER) {
        c->lingered_bytes += (size_t)n;
        if (c->lingered_bytes > LINGER_MAX_BYTES)
            http_conn_close(c);
        return;
    }
    take_input(c, slice_of(buf->base, (size_t)n));
}

static void peer_text(struct http_conn *c)
{
    struct sockaddr_storage ss;
    int len = sizeof ss;
    char ip[48] = "?";
    int port = 0;
    if (uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&ss, &len) == 0) {
        if (ss.ss_family == AF_INET) {
            const struct sockaddr_in *a = (const struct sockaddr_in *)&ss;
            uv_ip4_name(a, ip, sizeof ip);
            port = ntohs(a->sin_port);
        } else if (ss.ss_family == AF_INET6) {
            const struct sockaddr_in6 *a = (const struct sockaddr_in6 *)&ss;
            uv_ip6_name(a, ip, sizeof ip);
            port = ntohs(a->sin6_port);
        }
    }
    snprintf(c->peer, sizeof c->peer, "%s:%d", ip, port);
}

static void on_refused(uv_handle_t *h)
{
    struct http_conn *c = h->data;
    struct http_server *s = c->server;
    mem_free(c);
    http_server_handle_closed(s);
}

void http_conn_accept(struct http_server *s)
{
    struct http_conn *c = MEM_NEW(struct http_conn);
    c->server = s;
    uv_tcp_init(s->loop, &c->tcp);
    s->open_handles++;
    c->tcp.data = c->write.data = c->shutdown.data = c;
    if (uv_accept((uv_stream_t *)&s->listener, (uv_stream_t *)&c->tcp) || s->free_n == 0 ||
        s->stopping) {
        uv_close((uv_handle_t *)&c->tcp, on_refused);
        return;
    }
    c->slot = s->free_slot[--s->free_n];
    s->slot[c->slot] = c;
    c->generation = ++s->next_generation;
    s->conns_n++;
    c->next = s->conns;
    if (s->conns)
        s->conns->prev = c;
    s->conns = c;
    http_parse_init(&c->parser);
    peer_text(c);
    uv_tcp_nodelay(&c->tcp, 1);
    int size_bytes = SEND_BUFFER_BYTES;
    uv_send_buffer_size((uv_handle_t *)&c->tcp, &size_bytes);
    c->state = HTTP_CONN_IDLE;
    c->deadline_ms =
        uv_now(s->loop) + s->limits.head_timeout_ms; /* the first request must come soon */
    set_reading(c, true);
}

void http_conn_check_deadline(struct http_conn *c, uint64_t now_ms)
{
    if (c->state == HTTP_CONN_WRITING) {
        size_t left = uv_stream_get_write_queue_size((uv_stream_t *)&c->tcp);
        if (left != c->progress_left) {
            c->progress_left = left;
            c->progress_ms = now_ms;
        }
        if (now_ms - c->progress_ms > c->server->limits.write_timeout_ms)
            http_conn_close(c);
        return;
    }
    if (c->state == HTTP_CONN_HANDLING || now_ms < c->deadline_ms)
        return;
    if (c->state == HTTP_CONN_HEAD || c->state == HTTP_CONN_BODY)
        answer_error(c, 408, "the request came too slowly");
    else
        http_conn_close(c);
}
