#include "api/internal.h"

#include "base/codec.h"

static void put_topic_id(struct json_writer *w, const struct topic_id *id)
{
    struct bytes text = {0};
    base64url_add(&text, slice_of(id->bytes, sizeof id->bytes));
    json_put_string(w, bytes_slice(&text));
    bytes_free(&text);
}

static const char *mode_name(const struct view_topic *t)
{
    if (!t->contract)
        return "off";
    static const char *const names[] = {"enforce", "quarantine", "shadow", "off"};
    return names[t->contract->mode];
}

void api_write_topic(struct json_writer *w, const struct view_topic *t)
{
    char when[TIME_TEXT_SIZE];
    time_text(t->updated_ms, when);
    json_begin_object(w);
    json_name(w, "kind");
    json_put_cstr(w, "Topic");
    json_name(w, "name");
    json_put_string(w, t->name);
    json_name(w, "version");
    json_put_int(w, (int64_t)t->version);
    json_name(w, "updated_at");
    json_put_cstr(w, when);
    json_name(w, "topic_id");
    put_topic_id(w, &t->id);
    json_name(w, "governed");
    json_put_bool(w, t->governed);
    json_name(w, "mode");
    json_put_cstr(w, mode_name(t));
    json_name(w, "schema_id");
    if (t->schema_id > 0)
        json_put_int(w, t->schema_id);
    else
        json_put_null(w);
    json_name(w, "partitions");
    json_put_int(w, t->partitions_n);
    json_name(w, "document");
    if (t->document) {
        struct bytes text = {0};
        document_write(t->document, &text);
        json_put_raw(w, bytes_slice(&text));
        bytes_free(&text);
    } else {
        json_put_null(w);
    }
    json_end_object(w);
}

void api_list_topics(struct api_ctx *x)
{
    int32_t limit;
    struct slice cursor, prefix = api_query(x, "prefix"), team = api_query(x, "team"),
                         mode = api_query(x, "mode");
    if (!api_page(x, &limit, &cursor))
        return;
    struct json_writer w;
    api_json(x, 200, &w);
    json_begin_object(&w);
    json_name(&w, "items");
    json_begin_array(&w);
    const struct view_topic *last = NULL;
    bool more = false;
    for (size_t i = 0; i < x->view->topics_n && !more; i++) {
        const struct view_topic *t = x->view->topic[i];
        if (t->deleted || (cursor.p && slice_cmp(t->name, cursor) <= 0) ||
            !slice_starts(t->name, prefix) ||
            (team.p && !(t->contract && slice_eq(t->contract->team, team))) ||
            (mode.p && !slice_eq_str(mode, mode_name(t))))
            continue;
        more = limit-- == 0;
        if (!more) {
            api_write_topic(&w, t);
            last = t;
        }
    }
    json_end_array(&w);
    json_name(&w, "next");
    if (more)
        json_put_string(&w, last->name);
    else
        json_put_null(&w);
    json_end_object(&w);
}

void api_get_topic(struct api_ctx *x)
{
    api_get_document(x, DOCUMENT_TOPIC);
}

void api_put_topic(struct api_ctx *x)
{
    api_put_document(x, DOCUMENT_TOPIC);
}

void api_delete_topic(struct api_ctx *x)
{
    api_delete_document(x, DOCUMENT_TOPIC);
}

static const struct view_topic *topic_or_404(struct api_ctx *x)
{
    const struct view_topic *t = view_topic_by_name(x->view, x->param[0]);
    if (t && !t->deleted)
        return t;
    api_problem(x, 404, t ? "topic.deleted" : "topic.unknown", "there is no topic %.*s%s",
                (int)(x->param[0].n > 250 ? 250 : x->param[0].n), (const char *)x->param[0].p,
                t ? "; it was deleted" : "");
    return NULL;
}

static void put_ids(struct json_writer *w, const char *name, const int32_t *id, int32_t n)
{
    json_name(w, name);
    json_begin_array(w);
    for (int32_t i = 0; i < n; i++)
        json_put_int(w, id[i]);
    json_end_array(w);
}

void api_get_partitions(struct api_ctx *x)
{
    const struct view_topic *t = topic_or_404(x);
    if (!t)
        return;
    struct json_writer w;
    api_json(x, 200, &w);
    json_begin_object(&w);
    json_name(&w, "items");
    json_begin_array(&w);
    for (int32_t i = 0; i < t->partitions_n; i++) {
        const struct view_partition *p = &t->partition[i];
        json_begin_object(&w);
        json_name(&w, "partition");
        json_put_int(&w, i);
        json_name(&w, "leader");
        json_put_int(&w, p->leader);
        json_name(&w, "leader_epoch");
        json_put_int(&w, p->leader_epoch);
        put_ids(&w, "replicas", p->replicas, p->replicas_n);
        put_ids(&w, "isr", p->isr, p->isr_n);
        json_end_object(&w);
    }
    json_end_array(&w);
    json_name(&w, "next");
    json_put_null(&w);
    json_end_object(&w);
}

static void on_list_reply(struct api_ctx *x, struct api_pending *p, const struct api_reply *r)
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
    json_put_null(&w);
    json_end_object(&w);
}

static void ask_topic(struct api_ctx *x, enum api_question_kind kind)
{
    if (!topic_or_404(x))
        return;
    struct api_pending *p = api_pending_new(x);
    p->question.kind = kind;
    p->question.topic = arena_copy(&p->arena, x->param[0]);
    p->on_reply = on_list_reply;
    api_ask(x, p);
}

void api_get_offsets(struct api_ctx *x)
{
    ask_topic(x, API_ASK_OFFSETS);
}

void api_get_history(struct api_ctx *x)
{
    ask_topic(x, API_ASK_HISTORY);
}
