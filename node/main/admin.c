#include "main/admin.h"

#include "api/api.h"
#include "base/check.h"
#include "base/codec.h"
#include "base/log.h"
#include "base/mem.h"
#include "http/http.h"
#include "main/auditlog.h"
#include "main/sock.h"
#include "runtime/inbox.h"
#include "runtime/thread.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <sys/random.h>

enum {
    BODY_MAX_BYTES = 8 << 20,    /* contract.md section 4 */
    BODIES_MAX_BYTES = 64 << 20, /* of all connections together */
    CONNECTIONS_MAX = 1000,
    HEAD_TIMEOUT_MS = 10000,
    BODY_MIN_BYTES_PER_S = 1024,
    IDLE_TIMEOUT_MS = 60000,
    WRITE_TIMEOUT_MS = 30000,
    FLIGHTS_MAX = 2000, /* calls that wait for another thread */
};

/* A call that waits for another thread. */
struct flight {
    struct admin *admin;
    uint64_t http_id;
    struct api_pending *pending;  /* freed by api_result or api_reply */
    struct api_question question; /* borrows from pending */
    struct result *result;        /* owned; of the catalogue */
    struct api_reply reply;       /* body owned */
    char correlation_id[64];
    char method[16], path[256]; /* for the log */
    uint64_t start_ns;
};

struct admin {
    struct node *node;
    uv_loop_t loop;
    struct inbox inbox;
    pthread_t thread;
    bool running, stopping, ended;
    struct http_server *http;
    int port;
    struct sock *sock;
    struct api *api;
    pthread_mutex_t lock; /* of view */
    const struct view *view;
    unsigned flights;
    uint64_t answers[ADMIN_STATUS_CLASSES];
    struct histogram latency;
};

enum message { MESSAGE_RESULT, MESSAGE_REPLY, MESSAGE_STOP };

/* ---- Views ---- */

void admin_set_view(struct admin *a, const struct view *v)
{
    pthread_mutex_lock(&a->lock);
    const struct view *old = a->view;
    a->view = v;
    pthread_mutex_unlock(&a->lock);
    if (old)
        view_unref(old);
}

static const struct view *take_view(struct admin *a)
{
    pthread_mutex_lock(&a->lock);
    const struct view *v = view_ref(a->view);
    pthread_mutex_unlock(&a->lock);
    return v;
}

/* ---- Answers ---- */

static void answer(struct admin *a, const struct flight *f, struct api_response *r)
{
    struct http_field field[8];
    size_t n = 0;
    for (; n < r->fields_n; n++)
        field[n] = (struct http_field){slice_str(r->field[n].name), slice_str(r->field[n].value)};
    field[n++] = (struct http_field){SLICE_LIT("x-request-id"), slice_str(f->correlation_id)};
    struct http_response resp = {.status = r->status,
                                 .content_type = r->content_type,
                                 .body = r->body,
                                 .field = field,
                                 .fields_n = n};
    r->body = (struct bytes){0}; /* taken */
    http_answer(a->http, f->http_id, &resp);
    api_response_free(r);
    uint64_t took_ns = thread_clock_ns() - f->start_ns;
    int class = r->status / 100 - 1;
    if (class >= 0 && class < ADMIN_STATUS_CLASSES)
        a->answers[class]++;
    histogram_add(&a->latency, took_ns);
    bool reading = !strcmp(f->method, "GET") || !strcmp(f->method, "HEAD");
    log_event(reading && r->status < 500 ? LOG_DEBUG : LOG_INFO, "main", "api call",
              LOG_T("method", f->method), LOG_T("path", f->path), LOG_I("status", r->status),
              LOG_I("took_us", took_ns / 1000), LOG_T("correlation_id", f->correlation_id));
}

static void finish(struct flight *f, enum message kind)
{
    struct admin *a = f->admin;
    const struct view *v = take_view(a);
    struct api_response r = {0};
    if (kind == MESSAGE_RESULT)
        api_result(a->api, v, f->pending, f->result, &r);
    else
        api_reply(a->api, v, f->pending, &f->reply, &r);
    view_unref(v);
    if (a->ended)
        api_response_free(&r); /* nobody to tell */
    else
        answer(a, f, &r);
    if (f->result) {
        result_free(f->result);
        mem_free(f->result);
    }
    bytes_free(&f->reply.body);
    a->flights--;
    mem_free(f);
}

static void post(struct admin *a, enum message kind, struct flight *f)
{
    struct inbox_message m = {.kind = (int)kind, .p = f};
    inbox_post(&a->inbox, &m, 1);
}

static void on_http_stopped(void *arg)
{
    struct admin *a = arg;
    a->http = NULL;
    uv_stop(&a->loop);
}

static void receive(void *arg, const struct inbox_message *m)
{
    struct admin *a = arg;
    if (m->kind != MESSAGE_STOP) {
        finish(m->p, (enum message)m->kind);
    } else if (!a->stopping) {
        a->stopping = true;
        http_server_stop(a->http, (unsigned)m->id, on_http_stopped, a);
    }
}

/* ---- Questions to other threads ---- */

static void reply(struct flight *f, const struct err *err)
{
    if (err) {
        f->reply.code = err->code;
        snprintf(f->reply.message, sizeof f->reply.message, "%.*s",
                 (int)sizeof f->reply.message - 1, err->msg);
    }
    post(f->admin, MESSAGE_REPLY, f);
}

static void on_result(void *arg, struct result *result)
{
    struct flight *f = arg;
    f->result = result;
    post(f->admin, MESSAGE_RESULT, f);
}

static void task_rejections(void *arg, struct ledger *l)
{
    struct flight *f = arg;
    const struct api_question *q = &f->question;
    struct ledger_query query = {.topic = q->topic,
                                 .code = q->code,
                                 .principal = q->principal,
                                 .key_id = q->key_id,
                                 .correlation_id = q->correlation_id,
                                 .since_ms = q->since_ms,
                                 .until_ms = q->until_ms,
                                 .after = q->after,
                                 .ascending = q->ascending,
                                 .limit = q->limit};
    struct err err;
    int rc = ledger_find(l, &query, &f->reply.body, &f->reply.next, &err);
    reply(f, rc ? &err : NULL);
}

static void task_audit(void *arg, struct ledger *l)
{
    struct flight *f = arg;
    const struct api_question *q = &f->question;
    (void)l;
    struct auditlog_query query = {.principal = q->principal,
                                   .action = q->action,
                                   .target = q->target,
                                   .correlation_id = q->correlation_id,
                                   .since_ms = q->since_ms,
                                   .until_ms = q->until_ms,
                                   .after = q->after,
                                   .ascending = q->ascending,
                                   .limit = q->limit};
    struct err err;
    int rc =
        auditlog_find(f->admin->node->folder.dir_fd, &query, &f->reply.body, &f->reply.next, &err);
    reply(f, rc ? &err : NULL);
}

static void task_verify(void *arg, struct ledger *l)
{
    struct flight *f = arg;
    (void)l;
    struct audit_head head;
    ASSERT(f->reply.body.n == sizeof head); /* put there by call_head */
    memcpy(&head, f->reply.body.p, sizeof head);
    bytes_clear(&f->reply.body);
    struct err err;
    bool ok = true;
    struct node *node = f->admin->node;
    int rc = auditlog_verify(node->folder.dir_fd, &head, &ok, &f->reply.body, &err);
    if (!rc && !ok)
        control_audit_damaged(node->control);
    reply(f, rc ? &err : NULL);
}

static void to_ledger(struct flight *f, void (*task)(void *arg, struct ledger *l))
{
    struct err err;
    if (ledger_run(f->admin->node->ledger, task, f))
        return;
    err_set(&err, ERR_UNAVAILABLE, "too many searches wait: try again");
    reply(f, &err);
}

/* On the control thread: the head that the file must have, then to the thread that reads files. */
static void call_head(void *arg, struct catalogue *c)
{
    struct flight *f = arg;
    struct audit_head head = catalogue_audit_head(c);
    bytes_add(&f->reply.body, &head, sizeof head);
    to_ledger(f, task_verify);
}

static void call_export(void *arg, struct catalogue *c)
{
    struct flight *f = arg;
    struct err err;
    int rc = catalogue_export(c, &f->reply.body, &err);
    reply(f, rc ? &err : NULL);
}

static void call_history(void *arg, struct catalogue *c)
{
    struct flight *f = arg;
    struct err err;
    int rc = catalogue_topic_history(c, f->question.topic, &f->reply.body, &err);
    reply(f, rc ? &err : NULL);
}

static void call_digest(void *arg, struct catalogue *c)
{
    struct flight *f = arg;
    uint8_t digest[32];
    catalogue_digest(c, digest);
    bytes_add_u8(&f->reply.body, '"');
    hex_add(&f->reply.body, slice_of(digest, sizeof digest));
    bytes_add_u8(&f->reply.body, '"');
    reply(f, NULL);
}

/* On the data thread. */
static void with_report(void *arg, const struct report *r)
{
    struct flight *f = arg;
    struct bytes *out = &f->reply.body;
    for (size_t i = 0; i < r->partitions_n; i++) {
        const struct report_partition *p = &r->partition[i];
        if (!slice_eq(p->topic, f->question.topic))
            continue;
        bytes_printf(out,
                     "%s{\"partition\":%d,\"start\":%lld,\"end\":%lld,\"size_bytes\":%lld,"
                     "\"max_timestamp_ms\":%lld}",
                     out->n ? "," : "", p->partition, (long long)p->log_start_offset,
                     (long long)p->high_watermark, (long long)p->size_bytes,
                     (long long)p->max_timestamp_ms);
    }
    reply(f, NULL);
}

static void with_metrics(void *arg, struct slice text)
{
    struct flight *f = arg;
    bytes_add_slice(&f->reply.body, text);
    reply(f, NULL);
}

static void ask(struct flight *f)
{
    struct node *node = f->admin->node;
    switch (f->question.kind) {
    case API_ASK_REJECTIONS:
        to_ledger(f, task_rejections);
        break;
    case API_ASK_AUDIT:
        to_ledger(f, task_audit);
        break;
    case API_ASK_AUDIT_VERIFY:
        control_call(node->control, call_head, f);
        break;
    case API_ASK_OFFSETS:
        runtime_ask_report(node->runtime, with_report, f);
        break;
    case API_ASK_METRICS:
        status_metrics(node, &f->reply.body);
        runtime_ask_metrics(node->runtime, with_metrics, f);
        break;
    case API_ASK_EXPORT:
        control_call(node->control, call_export, f);
        break;
    case API_ASK_HISTORY:
        control_call(node->control, call_history, f);
        break;
    case API_ASK_DIGEST:
        control_call(node->control, call_digest, f);
        break;
    case API_ASK_STATUS:
        status_write(node, &f->reply.body);
        reply(f, NULL);
        break;
    case API_ASK_READY:
        status_reasons(node, &f->reply.body);
        reply(f, NULL);
        break;
    }
}

/* ---- Calls ---- */

static bool good_id(struct slice id)
{
    if (!id.n || id.n >= sizeof((struct flight *)0)->correlation_id)
        return false;
    for (size_t i = 0; i < id.n; i++)
        if (id.p[i] <= ' ' || id.p[i] >= 127 || id.p[i] == '"' || id.p[i] == '\\')
            return false;
    return true;
}

/* The client's X-Request-Id, else the trace id of its traceparent, else one of our own. */
static void set_correlation(struct flight *f, const struct http_request *req,
                            const uint8_t random[16])
{
    struct slice id = http_field_get(req, "x-request-id");
    struct slice trace = http_field_get(req, "traceparent");
    if (!good_id(id) && trace.n == 55) /* 00-<32 hex>-<16 hex>-<2 hex>, W3C Trace Context */
        id = slice_of(trace.p + 3, 32);
    if (good_id(id)) {
        memcpy(f->correlation_id, id.p, id.n);
        return;
    }
    struct bytes hex = {0};
    hex_add(&hex, slice_of(random, 16));
    memcpy(f->correlation_id, hex.p, hex.n);
    bytes_free(&hex);
}

static void copy_text(char *out, size_t cap, struct slice s)
{
    size_t n = s.n < cap - 1 ? s.n : cap - 1;
    memcpy(out, s.p, n);
    out[n] = 0;
}

static struct flight *flight_new(struct admin *a, const struct http_request *req)
{
    struct flight *f = MEM_NEW(struct flight);
    f->admin = a;
    f->http_id = req->id;
    f->start_ns = thread_clock_ns();
    f->reply.next = -1;
    copy_text(f->method, sizeof f->method, req->method);
    copy_text(f->path, sizeof f->path, req->path);
    a->flights++;
    return f;
}

static void begin(struct admin *a, struct flight *f, const struct http_request *req)
{
    struct api_call call = {.method = req->method,
                            .path = req->path,
                            .query = req->query,
                            .body = req->body,
                            .fields_n = req->fields_n,
                            .now_ms = thread_wall_ms()};
    ssize_t got = getrandom(call.random, sizeof call.random, 0);
    ASSERT(got == sizeof call.random);
    set_correlation(f, req, call.random);
    call.correlation_id = slice_str(f->correlation_id);
    struct api_field *field = mem_zalloc(req->fields_n + 1, sizeof *field);
    for (size_t i = 0; i < req->fields_n; i++)
        field[i] = (struct api_field){req->field[i].name, req->field[i].value};
    call.field = field;
    struct api_outcome out = {0};
    const struct view *v = take_view(a);
    api_call(a->api, v, &call, &out);
    view_unref(v);
    mem_free(field);
    switch (out.next) {
    case API_ANSWERED:
        answer(a, f, &out.response);
        a->flights--;
        mem_free(f);
        break;
    case API_CATALOGUE:
        f->pending = out.pending;
        control_ask(a->node->control, out.request, on_result, f);
        break;
    case API_QUESTION:
        f->pending = out.pending;
        f->question = out.question;
        ask(f);
        break;
    }
}

static void on_request(void *arg, const struct http_request *req)
{
    struct admin *a = arg;
    struct flight *f = flight_new(a, req);
    if (a->flights <= FLIGHTS_MAX && a->running) {
        begin(a, f, req);
        return;
    }
    struct api_response busy = {.status = 503, .content_type = "application/problem+json"};
    bytes_add_str(&busy.body, "{\"type\":\"urn:writ:problem:busy\",\"title\":\"Try again later\","
                              "\"status\":503,\"code\":\"busy\","
                              "\"detail\":\"too many calls are under way\"}");
    answer(a, f, &busy);
    a->flights--;
    mem_free(f);
}

/* ---- Life ---- */

static void write_status(void *arg, struct bytes *out)
{
    status_write(arg, out);
}

static int listen_http(struct admin *a, struct err *err)
{
    struct http_limits limits = {.max_body_bytes = BODY_MAX_BYTES,
                                 .max_bodies_bytes = BODIES_MAX_BYTES,
                                 .max_connections = CONNECTIONS_MAX,
                                 .head_timeout_ms = HEAD_TIMEOUT_MS,
                                 .body_min_bytes_per_s = BODY_MIN_BYTES_PER_S,
                                 .idle_timeout_ms = IDLE_TIMEOUT_MS,
                                 .write_timeout_ms = WRITE_TIMEOUT_MS};
    char host[256];
    int port;
    bool ok = conf_address(a->node->config.admin_listen, host, &port);
    ASSERT(ok); /* checked with the configuration */
    int rc = http_server_start(&a->http, &a->loop, host, port, &limits, on_request, a, err);
    if (rc)
        return err_wrap(err, "admin-listen %s", a->node->config.admin_listen);
    a->port = http_server_port(a->http);
    return 0;
}

int admin_open(struct admin **out, struct node *node, struct err *err)
{
    struct admin *a = MEM_NEW(struct admin);
    a->node = node;
    pthread_mutex_init(&a->lock, NULL);
    uv_loop_init(&a->loop);
    inbox_init(&a->inbox, &a->loop, receive, a);
    struct api_config config = {.token_required = true, .node_id = node->folder.node_id};
    SHA256((const uint8_t *)node->folder.token, strlen(node->folder.token), config.token_sha256);
    a->api = api_new(&config);
    int rc = listen_http(a, err);
    if (!rc)
        rc = sock_open(&a->sock, &a->loop, node->folder.dir_fd, write_status, node, err);
    if (rc) {
        admin_free(a);
        return rc;
    }
    *out = a;
    return 0;
}

int admin_port(const struct admin *a)
{
    return a->port;
}

static void *admin_main(void *arg)
{
    struct admin *a = arg;
    thread_name("writ-api");
    uv_run(&a->loop, UV_RUN_DEFAULT);
    return NULL;
}

int admin_run(struct admin *a, struct err *err)
{
    ASSERT(a->view);
    a->running = true;
    int rc = thread_start(&a->thread, admin_main, a, err);
    if (rc)
        a->running = false;
    return rc;
}

void admin_stop(struct admin *a, unsigned grace_ms)
{
    if (!a->running)
        return;
    struct inbox_message m = {.kind = MESSAGE_STOP, .id = grace_ms};
    inbox_post(&a->inbox, &m, 1);
    pthread_join(a->thread, NULL);
}

void admin_free(struct admin *a)
{
    if (a->http)
        http_server_stop(a->http, 0, on_http_stopped, a);
    if (a->sock)
        sock_close(a->sock);
    while (a->http)
        uv_run(&a->loop, UV_RUN_DEFAULT);
    a->ended = true;
    inbox_drain(&a->inbox);
    inbox_close(&a->inbox);
    while (uv_run(&a->loop, UV_RUN_DEFAULT))
        ;
    int rc = uv_loop_close(&a->loop);
    ASSERT(rc == 0);
    inbox_free(&a->inbox);
    api_free(a->api);
    if (a->view)
        view_unref(a->view);
    pthread_mutex_destroy(&a->lock);
    mem_free(a);
}

void admin_facts(const struct admin *a, struct admin_facts *out)
{
    out->connections = a->http ? http_server_connections(a->http) : 0;
    memcpy(out->answers, a->answers, sizeof out->answers);
    out->latency = &a->latency;
}
