#include "http/conn.h"

#include "base/check.h"
#include "base/mem.h"

enum { SWEEP_MS = 100, BACKLOG = 512 };

void http_server_handle_closed(struct http_server *s)
{
    ASSERT(s->open_handles > 0);
    if (--s->open_handles)
        return;
    void (*stopped)(void *) = s->stopped;
    void *arg = s->stopped_arg;
    mem_free(s->slot);
    mem_free(s->free_slot);
    mem_free(s);
    if (stopped)
        stopped(arg);
}

static void on_handle_closed(uv_handle_t *h)
{
    http_server_handle_closed(h->data);
}

static void on_connection(uv_stream_t *listener, int status)
{
    if (status == 0)
        http_conn_accept(listener->data);
}

static void on_sweep(uv_timer_t *timer)
{
    struct http_server *s = timer->data;
    uint64_t now_ms = uv_now(s->loop);
    bool expired = s->stopping && now_ms >= s->stop_deadline_ms;
    for (struct http_conn *c = s->conns, *next; c; c = next) {
        next = c->next;
        if (expired)
            http_conn_close(c);
        else
            http_conn_check_deadline(c, now_ms);
    }
    if (s->stopping && !s->conns && !uv_is_closing((uv_handle_t *)&s->sweep))
        uv_close((uv_handle_t *)&s->sweep, on_handle_closed);
}

static int parse_address(const char *address, int port, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof *out);
    if (uv_ip4_addr(address, port, (struct sockaddr_in *)out) == 0)
        return 0;
    return uv_ip6_addr(address, port, (struct sockaddr_in6 *)out);
}

int http_server_start(struct http_server **out, uv_loop_t *loop, const char *address, int port,
                      const struct http_limits *limits, http_handler handler, void *arg,
                      struct err *err)
{
    struct sockaddr_storage addr;
    if (parse_address(address, port, &addr))
        return err_set(err, ERR_INVALID, "%s is not a numeric IP address to listen on", address);
    ASSERT(limits->max_connections > 0 && limits->body_min_bytes_per_s > 0);
    struct http_server *s = MEM_NEW(struct http_server);
    s->loop = loop;
    s->limits = *limits;
    s->handler = handler;
    s->arg = arg;
    s->slot = mem_zalloc(limits->max_connections, sizeof *s->slot);
    s->free_slot = mem_zalloc(limits->max_connections, sizeof *s->free_slot);
    for (unsigned i = 0; i < limits->max_connections; i++)
        s->free_slot[s->free_n++] = limits->max_connections - 1 - i;
    uv_timer_init(loop, &s->sweep);
    uv_tcp_init(loop, &s->listener);
    s->open_handles = 2;
    s->sweep.data = s->listener.data = s;
    int rc = uv_tcp_bind(&s->listener, (struct sockaddr *)&addr, 0);
    if (rc == 0)
        rc = uv_listen((uv_stream_t *)&s->listener, BACKLOG, on_connection);
    if (rc) {
        err_set(err, ERR_IO, "cannot listen on %s:%d: %s", address, port, uv_strerror(rc));
        uv_close((uv_handle_t *)&s->sweep, on_handle_closed);
        uv_close((uv_handle_t *)&s->listener, on_handle_closed);
        return ERR_IO;
    }
    uv_timer_start(&s->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
    *out = s;
    return 0;
}

int http_server_port(const struct http_server *s)
{
    struct sockaddr_storage ss;
    int len = sizeof ss;
    if (uv_tcp_getsockname(&s->listener, (struct sockaddr *)&ss, &len))
        return -1;
    return ss.ss_family == AF_INET6 ? ntohs(((struct sockaddr_in6 *)&ss)->sin6_port)
                                    : ntohs(((struct sockaddr_in *)&ss)->sin_port);
}

unsigned http_server_connections(const struct http_server *s)
{
    return s->conns_n;
}

void http_answer(struct http_server *s, uint64_t request_id, struct http_response *resp)
{
    uint32_t slot = (uint32_t)request_id, generation = (uint32_t)(request_id >> 32);
    struct http_conn *c = slot < s->limits.max_connections ? s->slot[slot] : NULL;
    if (!c || c->generation != generation || c->state != HTTP_CONN_HANDLING) {
        bytes_free(&resp->body); /* the client has gone meanwhile */
        return;
    }
    http_conn_answer(c, resp);
}

struct slice http_field_get(const struct http_request *req, const char *lower_name)
{
    for (size_t i = 0; i < req->fields_n; i++)
        if (slice_eq_str(req->field[i].name, lower_name))
            return req->field[i].value;
    return SLICE_NULL;
}

void http_server_stop(struct http_server *s, unsigned grace_ms, void (*done)(void *arg), void *arg)
{
    if (s->stopping)
        return;
    s->stopping = true;
    s->stopped = done;
    s->stopped_arg = arg;
    s->stop_deadline_ms = uv_now(s->loop) + grace_ms;
    uv_close((uv_handle_t *)&s->listener, on_handle_closed);
    for (struct http_conn *c = s->conns, *next; c; c = next) {
        next = c->next;
        c->close_after = true;
        if (c->state == HTTP_CONN_IDLE)
            http_conn_close(c);
    }
}
