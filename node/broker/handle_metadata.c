/* Metadata (3): brokers, topics, leaders; and automatic creation of topics where governance is off.
 */
#include "broker/state.h"

struct metadata_work {
    int16_t *error; /* per requested topic: what automatic creation said */
};

static void metadata_brokers(struct broker *b, struct arena *a, struct wire_metadata_response *resp)
{
    struct node_address *node;
    resp->brokers_n = (int32_t)nodes_alive(b, a, &node);
    resp->brokers = arena_alloc(a, (size_t)resp->brokers_n * sizeof *resp->brokers);
    for (int32_t i = 0; i < resp->brokers_n; i++) {
        resp->brokers[i] = wire_metadata_response_broker_default;
        resp->brokers[i].node_id = node[i].id;
        resp->brokers[i].host = node[i].host;
        resp->brokers[i].port = node[i].port;
        resp->brokers[i].rack = node[i].rack;
    }
    resp->cluster_id = b->view->cluster_id;
    resp->controller_id = b->view->controller;
}

static void metadata_topic(const struct view_topic *t, struct arena *a,
                           struct wire_metadata_response_topic *o)
{
    o->name = t->name;
    o->is_internal = t->internal;
    memcpy(o->topic_id, t->id.bytes, sizeof o->topic_id);
    o->partitions_n = t->partitions_n;
    o->partitions = arena_alloc(a, (size_t)t->partitions_n * sizeof *o->partitions);
    for (int32_t i = 0; i < t->partitions_n; i++) {
        struct wire_metadata_response_partition *p = &o->partitions[i];
        const struct view_partition *v = &t->partition[i];
        *p = wire_metadata_response_partition_default;
        p->partition_index = i;
        p->leader_id = v->leader;
        p->leader_epoch = v->leader_epoch;
        p->error_code = v->leader < 0 ? WIRE_E_LEADER_NOT_AVAILABLE : 0;
        p->replica_nodes = (int32_t *)v->replicas;
        p->replica_nodes_n = v->replicas_n;
        p->isr_nodes = (int32_t *)v->isr;
        p->isr_nodes_n = v->isr_n;
    }
}

static bool metadata_is_all(const struct request_row *row)
{
    const struct wire_metadata_request *req = row->request;
    return req->topics_n < 0 || (req->topics_n == 0 && row->header.api_version == 0);
}

/* False: the topic stands in the answer already (a topic with many partitions that is named a
 * hundred thousand times is still answered once, as Kafka does). */
static bool metadata_one(struct broker *b, struct request_row *row, int32_t i,
                         struct wire_metadata_response_topic *o)
{
    const struct wire_metadata_request *req = row->request;
    const struct wire_metadata_request_topic *in = &req->topics[i];
    const struct metadata_work *work = row->work;
    struct topic_row *t = in->name.p ? topic_by_name(b, in->name) : topic_by_id(b, in->topic_id);
    *o = wire_metadata_response_topic_default;
    if (t) {
        if (t->described_in == row->id)
            return false;
        t->described_in = row->id;
        metadata_topic(t->view, &row->arena, o);
        return true;
    }
    o->name = in->name;
    memcpy(o->topic_id, in->topic_id, sizeof o->topic_id);
    if (!in->name.p)
        o->error_code = WIRE_E_UNKNOWN_TOPIC_ID;
    else if (work && work->error[i])
        o->error_code = work->error[i];
    else
        o->error_code = topic_name_valid(in->name) ? WIRE_E_UNKNOWN_TOPIC_OR_PARTITION
                                                   : WIRE_E_INVALID_TOPIC_EXCEPTION;
    return true;
}

static void metadata_answer(struct broker *b, struct request_row *row)
{
    const struct wire_metadata_request *req = row->request;
    struct wire_metadata_response resp = wire_metadata_response_default;
    metadata_brokers(b, &row->arena, &resp);
    if (metadata_is_all(row)) {
        resp.topics = arena_alloc(&row->arena, b->view->topics_n * sizeof *resp.topics);
        for (size_t i = 0; i < b->view->topics_n; i++) {
            if (b->view->topic[i]->deleted)
                continue;
            struct wire_metadata_response_topic *o = &resp.topics[resp.topics_n++];
            *o = wire_metadata_response_topic_default;
            metadata_topic(b->view->topic[i], &row->arena, o);
        }
    } else {
        resp.topics = arena_alloc(&row->arena, (size_t)req->topics_n * sizeof *resp.topics);
        for (int32_t i = 0; i < req->topics_n; i++)
            resp.topics_n += metadata_one(b, row, i, &resp.topics[resp.topics_n]);
    }
    row_answer(b, row, &resp);
}

/* ---- automatic creation ---- */

static void metadata_created(struct broker *b, struct request_row *row, uint32_t part,
                             const struct result *r)
{
    struct metadata_work *work = row->work;
    /* Made by another request in the meantime: it is there, which is what was wanted. */
    if (r->code != ERR_OK && !slice_eq_str(slice_str(r->reason), "topic.exists"))
        work->error[part] = catalogue_error(r);
    if (--row->left == 0)
        metadata_answer(b, row);
}

static bool metadata_may_create(const struct broker *b, const struct request_row *row,
                                struct slice name)
{
    const struct wire_metadata_request *req = row->request;
    return b->config.auto_create_topics && req->allow_auto_topic_creation && name.p &&
           !topic_by_name(b, name) && topic_name_valid(name) && view_name_ungoverned(b->view, name);
}

static struct request *metadata_create_request(const struct broker *b, struct slice name)
{
    struct request *r = request_new(REQUEST_TOPIC_CREATE);
    r->name = arena_copy(&r->arena, name);
    r->partitions = b->config.default_partitions;
    r->replicas = 1;
    return r;
}

static void metadata_begin(struct broker *b, struct request_row *row)
{
    const struct wire_metadata_request *req = row->request;
    if (metadata_is_all(row)) {
        metadata_answer(b, row);
        return;
    }
    struct metadata_work *work = arena_alloc(&row->arena, sizeof *work);
    work->error = arena_zalloc(&row->arena, (size_t)req->topics_n + 1, sizeof *work->error);
    row->work = work;
    row->left = 1; /* for this function */
    int32_t asked = 0;
    for (int32_t i = 0; i < req->topics_n && asked < BROKER_ADMIN_TOPICS_MAX; i++) {
        if (!metadata_may_create(b, row, req->topics[i].name))
            continue;
        if (catalogue_ask(b, metadata_create_request(b, req->topics[i].name), row, (uint32_t)i,
                          metadata_created)) {
            row->left++;
            asked++;
        } else {
            work->error[i] = WIRE_E_LEADER_NOT_AVAILABLE;
        }
    }
    if (asked)
        row_set_deadline(b, row, BROKER_AUTO_CREATE_WAIT_MS);
    if (--row->left == 0)
        metadata_answer(b, row);
}

/* The catalogue is slow: the client asks again. */
static void metadata_expire(struct broker *b, struct request_row *row)
{
    const struct wire_metadata_request *req = row->request;
    struct metadata_work *work = row->work;
    catalogue_row_gone(b, row);
    for (int32_t i = 0; i < req->topics_n; i++)
        if (!work->error[i] && metadata_may_create(b, row, req->topics[i].name))
            work->error[i] = WIRE_E_LEADER_NOT_AVAILABLE;
    metadata_answer(b, row);
}

const struct handler handler_metadata = {
    .api_key = WIRE_METADATA,
    .begin = metadata_begin,
    .expire = metadata_expire,
};
