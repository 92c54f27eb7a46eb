/* CreatePartitions (37): more partitions for topics without contract. */
#include "broker/state.h"

static int16_t grow_check(const struct broker *b, const struct request_row *row, int32_t i,
                          struct arena *a, const char **message)
{
    const struct wire_create_partitions_request *req = row->request;
    const struct wire_create_partitions_request_topic *t = &req->topics[i];
    const struct topic_row *have = topic_by_name(b, t->name);
    for (int32_t k = 0; k < req->topics_n; k++) {
        if (k != i && slice_eq(req->topics[k].name, t->name)) {
            *message = "the topic is named twice in this request";
            return WIRE_E_INVALID_REQUEST;
        }
    }
    if (!have) {
        *message = "no such topic";
        return WIRE_E_UNKNOWN_TOPIC_OR_PARTITION;
    }
    if (have->view->contract &&
        topic_admin_refused(b, t->name, "change partitions in its file and run: writ apply -f FILE",
                            a, message))
        return WIRE_E_POLICY_VIOLATION;
    int32_t now = have->view->partitions_n;
    if (t->count <= now || t->count > BROKER_TOPIC_PARTITIONS_MAX) {
        *message = arena_printf(a, "the topic has %d partitions; more than that and at most %d",
                                now, (int)BROKER_TOPIC_PARTITIONS_MAX);
        return WIRE_E_INVALID_PARTITIONS;
    }
    if (t->assignments_n >= 0 && t->assignments_n != t->count - now) {
        *message = arena_printf(a, "%d new partitions, but %d assignments", t->count - now,
                                t->assignments_n);
        return WIRE_E_INVALID_REPLICA_ASSIGNMENT;
    }
    for (int32_t k = 0; k < t->assignments_n; k++) {
        if (t->assignments[k].broker_ids_n == 1 &&
            view_node_by_id(b->view, t->assignments[k].broker_ids[0]))
            continue;
        *message = "an assignment names one known node for each new partition";
        return WIRE_E_INVALID_REPLICA_ASSIGNMENT;
    }
    return 0;
}

static void create_partitions_finish(struct broker *b, struct request_row *row)
{
    const struct wire_create_partitions_request *req = row->request;
    const struct admin_work *work = row->work;
    struct wire_create_partitions_response resp = wire_create_partitions_response_default;
    resp.results_n = req->topics_n;
    resp.results = arena_alloc(&row->arena, work->n * sizeof *resp.results);
    for (uint32_t i = 0; i < work->n; i++) {
        resp.results[i] = wire_create_partitions_response_topic_default;
        resp.results[i].name = req->topics[i].name;
        resp.results[i].error_code = work->item[i].error;
        resp.results[i].error_message = text_or_null(work->item[i].message);
    }
    row_answer(b, row, &resp);
}

static void create_partitions_begin(struct broker *b, struct request_row *row)
{
    const struct wire_create_partitions_request *req = row->request;
    admin_begin(row, (uint32_t)req->topics_n, create_partitions_finish);
    for (int32_t i = 0; i < req->topics_n; i++) {
        const char *message = NULL;
        int16_t error = req->topics_n > BROKER_ADMIN_TOPICS_MAX
                            ? WIRE_E_INVALID_REQUEST
                            : grow_check(b, row, i, &row->arena, &message);
        if (error) {
            admin_settle(row, (uint32_t)i, error, message);
            continue;
        }
        struct request *r = request_new(REQUEST_PARTITIONS_ADD);
        r->name = arena_copy(&r->arena, req->topics[i].name);
        r->partitions = req->topics[i].count;
        r->dry_run = req->validate_only;
        admin_ask(b, row, (uint32_t)i, r);
    }
    admin_wait(b, row, req->timeout_ms);
}

const struct handler handler_create_partitions = {
    .api_key = WIRE_CREATE_PARTITIONS,
    .begin = create_partitions_begin,
    .expire = admin_expire,
};
