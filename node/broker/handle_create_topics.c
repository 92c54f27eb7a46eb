/* CreateTopics (19): topics without contract, where governance is off. Elsewhere the answer is 44
 * with the command that registers a contract. */
#include "broker/state.h"

static bool create_is_repeated(const struct wire_create_topics_request *req, int32_t i)
{
    for (int32_t k = 0; k < req->topics_n; k++)
        if (k != i && slice_eq(req->topics[k].name, req->topics[i].name))
            return true;
    return false;
}

/* Replicas are placed by the cluster; an assignment by hand is taken when it says the same. */
static int16_t create_check_assignment(const struct broker *b,
                                       const struct wire_create_topics_request_topic *t,
                                       struct arena *a, const char **message)
{
    bool *named = arena_zalloc(a, (size_t)t->assignments_n, sizeof *named);
    if (t->num_partitions != -1 || t->replication_factor != -1) {
        *message = "with an assignment by hand, partitions and replication factor must be -1";
        return WIRE_E_INVALID_REQUEST;
    }
    for (int32_t i = 0; i < t->assignments_n; i++) {
        const struct wire_create_topics_request_assignment *as = &t->assignments[i];
        int32_t index = as->partition_index;
        if (index < 0 || index >= t->assignments_n || named[index] || as->broker_ids_n != 1 ||
            !view_node_by_id(b->view, as->broker_ids[0])) {
            *message = "an assignment names partitions 0, 1, ... and one known node for each";
            return WIRE_E_INVALID_REPLICA_ASSIGNMENT;
        }
        named[index] = true;
    }
    return 0;
}

static int16_t create_check(const struct broker *b, const struct request_row *row, int32_t i,
                            struct arena *a, const char **message)
{
    const struct wire_create_topics_request *req = row->request;
    const struct wire_create_topics_request_topic *t = &req->topics[i];
    if (create_is_repeated(req, i)) {
        *message = "the topic is named twice in this request";
        return WIRE_E_INVALID_REQUEST;
    }
    if (!topic_name_valid(t->name)) {
        *message = "a topic name has 1 to 249 characters of a-z A-Z 0-9 . _ -";
        return WIRE_E_INVALID_TOPIC_EXCEPTION;
    }
    if (topic_by_name(b, t->name)) {
        *message = arena_printf(a, "topic %.*s exists", SLICE_FMT(t->name));
        return WIRE_E_TOPIC_ALREADY_EXISTS;
    }
    if (topic_admin_refused(b, t->name, "write a file of kind Topic and run: writ apply -f FILE", a,
                            message))
        return WIRE_E_POLICY_VIOLATION;
    if (t->assignments_n > 0)
        return create_check_assignment(b, t, a, message);
    if (t->num_partitions == 0 || t->num_partitions < -1 ||
        t->num_partitions > BROKER_TOPIC_PARTITIONS_MAX) {
        *message = arena_printf(a, "partitions: 1 to %d, or -1 for the default",
                                (int)BROKER_TOPIC_PARTITIONS_MAX);
        return WIRE_E_INVALID_PARTITIONS;
    }
    size_t nodes = b->view->nodes_n ? b->view->nodes_n : 1;
    if (t->replication_factor == 0 || t->replication_factor < -1 ||
        (t->replication_factor > 0 && (size_t)t->replication_factor > nodes)) {
        *message = arena_printf(a, "replication factor %d, but the cluster has %zu node%s",
                                t->replication_factor, nodes, nodes == 1 ? "" : "s");
        return WIRE_E_INVALID_REPLICATION_FACTOR;
    }
    return 0;
}

static int32_t create_partitions_wanted(const struct broker *b,
                                        const struct wire_create_topics_request_topic *t)
{
    if (t->assignments_n > 0)
        return t->assignments_n;
    return t->num_partitions > 0 ? t->num_partitions : b->config.default_partitions;
}

static struct request *create_request(const struct broker *b, const struct request_row *row,
                                      int32_t i)
{
    const struct wire_create_topics_request *req = row->request;
    const struct wire_create_topics_request_topic *t = &req->topics[i];
    struct request *r = request_new(REQUEST_TOPIC_CREATE);
    r->name = arena_copy(&r->arena, t->name);
    r->partitions = create_partitions_wanted(b, t);
    r->replicas = t->replication_factor > 0 ? t->replication_factor : 1;
    r->dry_run = req->validate_only;
    struct view_config *config = arena_alloc(&r->arena, (size_t)t->configs_n * sizeof *config);
    for (int32_t k = 0; k < t->configs_n; k++) {
        config[k].name = arena_copy(&r->arena, t->configs[k].name);
        config[k].value =
            t->configs[k].value.p ? arena_copy(&r->arena, t->configs[k].value) : SLICE_NULL;
    }
    r->config = config;
    r->config_n = (size_t)t->configs_n;
    return r;
}

static void create_describe(struct broker *b, struct request_row *row,
                            struct wire_create_topics_response_topic *o)
{
    const struct topic_row *t = topic_by_name(b, o->name);
    if (!t)
        return; /* validate_only */
    size_t n = config_topic_count();
    o->num_partitions = t->view->partitions_n;
    o->replication_factor =
        (int16_t)(t->view->partitions_n ? t->view->partition[0].replicas_n : -1);
    o->configs = arena_alloc(&row->arena, n * sizeof *o->configs);
    o->configs_n = (int32_t)n;
    for (size_t i = 0; i < n; i++) {
        struct config_entry e = config_topic_entry(b, t->view, i, &row->arena);
        o->configs[i] = wire_create_topics_response_config_default;
        o->configs[i].name = slice_str(e.name);
        o->configs[i].value = slice_str(e.value);
        o->configs[i].read_only = e.read_only;
        o->configs[i].config_source = e.set ? CONFIG_OF_TOPIC : CONFIG_DEFAULT;
    }
}

static void create_topics_finish(struct broker *b, struct request_row *row)
{
    const struct wire_create_topics_request *req = row->request;
    const struct admin_work *work = row->work;
    struct wire_create_topics_response resp = wire_create_topics_response_default;
    resp.topics_n = req->topics_n;
    resp.topics = arena_alloc(&row->arena, (size_t)req->topics_n * sizeof *resp.topics);
    for (int32_t i = 0; i < req->topics_n; i++) {
        struct wire_create_topics_response_topic *o = &resp.topics[i];
        *o = wire_create_topics_response_topic_default;
        o->name = req->topics[i].name;
        o->error_code = work->item[i].error;
        o->error_message = text_or_null(work->item[i].message);
        memcpy(o->topic_id, work->item[i].id.bytes, sizeof o->topic_id);
        if (o->error_code)
            continue;
        if (req->validate_only)
            o->num_partitions = create_partitions_wanted(b, &req->topics[i]);
        create_describe(b, row, o);
    }
    row_answer(b, row, &resp);
}

static void create_topics_begin(struct broker *b, struct request_row *row)
{
    const struct wire_create_topics_request *req = row->request;
    admin_begin(row, (uint32_t)req->topics_n, create_topics_finish);
    for (int32_t i = 0; i < req->topics_n; i++) {
        const char *message = NULL;
        int16_t error = req->topics_n > BROKER_ADMIN_TOPICS_MAX
                            ? WIRE_E_INVALID_REQUEST
                            : create_check(b, row, i, &row->arena, &message);
        if (error)
            admin_settle(row, (uint32_t)i, error, message);
        else
            admin_ask(b, row, (uint32_t)i, create_request(b, row, i));
    }
    admin_wait(b, row, req->timeout_ms);
}

const struct handler handler_create_topics = {
    .api_key = WIRE_CREATE_TOPICS,
    .begin = create_topics_begin,
    .expire = admin_expire,
};
