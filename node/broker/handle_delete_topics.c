/* DeleteTopics (20): topics without contract only. */
#include "broker/state.h"

static int32_t delete_count(const struct request_row *row)
{
    const struct wire_delete_topics_request *req = row->request;
    return row->header.api_version >= 6 ? req->topics_n : req->topic_names_n;
}

/* The topic meant by item i; NULL: unknown. */
static const struct topic_row *delete_target(const struct broker *b, const struct request_row *row,
                                             int32_t i, struct slice *name)
{
    const struct wire_delete_topics_request *req = row->request;
    if (row->header.api_version < 6) {
        *name = req->topic_names[i];
        return topic_by_name(b, *name);
    }
    *name = req->topics[i].name;
    return name->p ? topic_by_name(b, *name) : topic_by_id(b, req->topics[i].topic_id);
}

static void delete_topics_finish(struct broker *b, struct request_row *row)
{
    const struct admin_work *work = row->work;
    struct wire_delete_topics_response resp = wire_delete_topics_response_default;
    resp.responses_n = (int32_t)work->n;
    resp.responses = arena_alloc(&row->arena, work->n * sizeof *resp.responses);
    for (uint32_t i = 0; i < work->n; i++) {
        struct wire_delete_topics_response_topic *o = &resp.responses[i];
        *o = wire_delete_topics_response_topic_default;
        o->name = work->item[i].name;
        memcpy(o->topic_id, work->item[i].id.bytes, sizeof o->topic_id);
        o->error_code = work->item[i].error;
        o->error_message = text_or_null(work->item[i].message);
    }
    row_answer(b, row, &resp);
}

static void delete_one(struct broker *b, struct request_row *row, uint32_t i)
{
    const struct wire_delete_topics_request *req = row->request;
    struct admin_work *work = row->work;
    struct admin_item *item = &work->item[i];
    const char *message = NULL;
    const struct topic_row *t = delete_target(b, row, (int32_t)i, &item->name);
    if (!t) {
        bool by_id = row->header.api_version >= 6 && !item->name.p;
        if (by_id)
            memcpy(item->id.bytes, req->topics[i].topic_id, sizeof item->id.bytes);
        admin_settle(row, i, by_id ? WIRE_E_UNKNOWN_TOPIC_ID : WIRE_E_UNKNOWN_TOPIC_OR_PARTITION,
                     "no such topic");
        return;
    }
    item->name = arena_copy(&row->arena, t->name); /* the topic is gone when we answer */
    struct topic_id id = t->id;
    if (t->view->contract &&
        topic_admin_refused(b, t->name, "delete it with: writ delete topic NAME", &row->arena,
                            &message)) {
        admin_settle(row, i, WIRE_E_POLICY_VIOLATION, message);
        item->id = id;
        return;
    }
    struct request *r = request_new(REQUEST_TOPIC_DELETE);
    r->target_kind = DOCUMENT_TOPIC;
    r->name = arena_copy(&r->arena, t->name);
    admin_ask(b, row, i, r);
    item->id = id;
}

static void delete_topics_begin(struct broker *b, struct request_row *row)
{
    int32_t n = delete_count(row);
    admin_begin(row, (uint32_t)(n > 0 ? n : 0), delete_topics_finish);
    for (int32_t i = 0; i < n; i++) {
        if (n > BROKER_ADMIN_TOPICS_MAX)
            admin_settle(row, (uint32_t)i, WIRE_E_INVALID_REQUEST, "too many topics");
        else
            delete_one(b, row, (uint32_t)i);
    }
    const struct wire_delete_topics_request *req = row->request;
    admin_wait(b, row, req->timeout_ms);
}

const struct handler handler_delete_topics = {
    .api_key = WIRE_DELETE_TOPICS,
    .begin = delete_topics_begin,
    .expire = admin_expire,
};
