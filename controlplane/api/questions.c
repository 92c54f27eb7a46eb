/* Resources that only the running node can fill: the ledger, the audit log, status, metrics. */
#include "api/internal.h"

#include "base/codec.h"
#include "base/mem.h"

static void on_page_reply(struct api_ctx *x, struct api_pending *p, const struct api_reply *r)
{
    (void)p;
    struct json_writer w;
    api_json(x, 200, &w);
    json_begin_object(&w);
    json_name(&w, "items");
    json_begin_array(&w);
    if (r->body.n)
        json_put_raw(&w, bytes_slice(&r->body));
    json_end_array(&w);
    json_name(&w, "next");
    if (r->next >= 0)
        json_put_cstr(&w, arena_printf(x->arena, "%lld", (long long)r->next));
    else
        json_put_null(&w);
    json_end_object(&w);
}

static bool take_time(struct api_ctx *x, const char *name, int64_t *ms)
{
    struct slice text = api_query(x, name);
    if (!text.p || time_parse(text, ms))
        return true;
    api_problem(x, 400, "query.invalid", "%s must be an RFC 3339 time", name);
    return false;
}

static bool take_cursor(struct api_ctx *x, struct slice cursor, int64_t *after)
{
    *after = -1;
    if (!cursor.p)
        return true;
    int64_t v = 0;
    for (size_t i = 0; i < cursor.n; i++) {
        if (cursor.p[i] < '0' || cursor.p[i] > '9' || v > INT64_MAX / 10 - 10) {
            api_problem(x, 400, "query.invalid", "cursor must be one that this API gave");
            return false;
        }
        v = v * 10 + (cursor.p[i] - '0');
    }
    *after = v;
    return true;
}

static void ask_list(struct api_ctx *x, enum api_question_kind kind, struct slice topic)
{
    struct api_pending *p = api_pending_new(x);
    struct api_question *q = &p->question;
    struct slice cursor, order = api_query(x, "order");
    q->kind = kind;
    if (!api_page(x, &q->limit, &cursor) || !take_cursor(x, cursor, &q->after) ||
        !take_time(x, "since", &q->since_ms) || !take_time(x, "until", &q->until_ms)) {
        arena_free(&p->arena);
        mem_free(p);
        return;
    }
    q->ascending = slice_eq_str(order, "asc");
    q->topic = topic.p ? arena_copy(&p->arena, topic) : SLICE_NULL;
    struct {
        const char *name;
        struct slice *to;
    } filters[] = {{"code", &q->code},     {"principal", &q->principal},
                   {"key_id", &q->key_id}, {"correlation_id", &q->correlation_id},
                   {"action", &q->action}, {"target", &q->target}};
    for (size_t i = 0; i < sizeof filters / sizeof filters[0]; i++) {
        struct slice v = api_query(x, filters[i].name);
        if (v.p)
            *filters[i].to = arena_copy(&p->arena, v);
    }
    p->on_reply = on_page_reply;
    api_ask(x, p);
}

void api_list_rejections(struct api_ctx *x)
{
    ask_list(x, API_ASK_REJECTIONS, api_query(x, "topic"));
}

void api_get_topic_rejections(struct api_ctx *x)
{
    ask_list(x, API_ASK_REJECTIONS, x->param[0]);
}

void api_list_audit(struct api_ctx *x)
{
    ask_list(x, API_ASK_AUDIT, SLICE_NULL);
}

static void on_value_reply(struct api_ctx *x, struct api_pending *p, const struct api_reply *r)
{
    (void)p;
    struct json_writer w;
    api_json(x, 200, &w);
    json_put_raw(&w, bytes_slice(&r->body));
}

static void on_text_reply(struct api_ctx *x, struct api_pending *p, const struct api_reply *r)
{
    (void)p;
    x->resp->status = 200;
    x->resp->content_type = "text/plain; version=0.0.4; charset=utf-8";
    bytes_add_slice(&x->resp->body, bytes_slice(&r->body));
}

/* Ready: an empty list of reasons. */
static void on_ready_reply(struct api_ctx *x, struct api_pending *p, const struct api_reply *r)
{
    (void)p;
    struct json_writer w;
    api_json(x, r->body.n ? 503 : 200, &w);
    json_begin_object(&w);
    json_name(&w, "ready");
    json_put_bool(&w, r->body.n == 0);
    json_name(&w, "reasons");
    json_begin_array(&w);
    if (r->body.n)
        json_put_raw(&w, bytes_slice(&r->body));
    json_end_array(&w);
    json_end_object(&w);
}

static void ask_one(struct api_ctx *x, enum api_question_kind kind, api_reply_fn reply)
{
    struct api_pending *p = api_pending_new(x);
    p->question.kind = kind;
    p->on_reply = reply;
    api_ask(x, p);
}

void api_verify_audit(struct api_ctx *x)
{
    ask_one(x, API_ASK_AUDIT_VERIFY, on_value_reply);
}

void api_get_catalogue(struct api_ctx *x)
{
    ask_one(x, API_ASK_EXPORT, on_value_reply);
}

void api_get_status(struct api_ctx *x)
{
    ask_one(x, API_ASK_STATUS, on_value_reply);
}

void api_get_metrics(struct api_ctx *x)
{
    ask_one(x, API_ASK_METRICS, on_text_reply);
}

void api_readyz(struct api_ctx *x)
{
    ask_one(x, API_ASK_READY, on_ready_reply);
}

void api_healthz(struct api_ctx *x)
{
    struct json_writer w;
    api_json(x, 200, &w);
    json_begin_object(&w);
    json_name(&w, "alive");
    json_put_bool(&w, true);
    json_name(&w, "node");
    json_put_int(&w, x->api->config.node_id);
    json_name(&w, "version");
    json_put_cstr(&w, WRIT_VERSION);
    json_end_object(&w);
}
