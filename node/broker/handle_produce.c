/* Produce (0): one part for each partition, gathered into one answer. */
#include "broker/state.h"

struct produce_work {
    struct produce_part *part; /* in the order of the request */
    uint32_t parts_n;
};

static void produce_finish(struct broker *b, struct request_row *row);

static void produce_part_done(struct broker *b, struct request_row *row)
{
    if (--row->left == 0)
        produce_finish(b, row);
}

void produce_part_answered(struct broker *b, struct produce_part *part)
{
    produce_part_done(b, part->row);
}

static void produce_set_leader(const struct broker *b, const struct produce_part *part,
                               const struct topic_row *t, int32_t index,
                               struct wire_produce_response_partition *out)
{
    if (part->error != WIRE_E_NOT_LEADER_OR_FOLLOWER || !t || index >= t->view->partitions_n)
        return;
    out->current_leader.leader_id = t->view->partition[index].leader;
    out->current_leader.leader_epoch = t->view->partition[index].leader_epoch;
    (void)b;
}

static bool produce_any_error(const struct produce_work *work)
{
    for (uint32_t i = 0; i < work->parts_n; i++)
        if (work->part[i].error)
            return true;
    return false;
}

static void produce_finish(struct broker *b, struct request_row *row)
{
    const struct wire_produce_request *req = row->request;
    const struct produce_work *work = row->work;
    if (row->no_answer) {
        /* acks=0 has no answer: a closed connection is all that can be said (as Kafka does). */
        struct conn *c = idmap_get(&b->conns, row->conn_id);
        if (c && produce_any_error(work))
            conn_close(b, c, "a batch that was sent with acks=0 was refused");
        row_drop(b, row);
        return;
    }
    struct wire_produce_response *resp = arena_alloc(&row->arena, sizeof *resp);
    *resp = wire_produce_response_default;
    resp->responses = arena_alloc(&row->arena, (size_t)req->topic_data_n * sizeof *resp->responses);
    resp->responses_n = req->topic_data_n;
    const struct produce_part *part = work->part;
    for (int32_t i = 0; i < req->topic_data_n; i++) {
        const struct wire_produce_request_topic *in = &req->topic_data[i];
        struct wire_produce_response_topic *out = &resp->responses[i];
        *out = wire_produce_response_topic_default;
        out->name = in->name;
        out->partition_responses_n = in->partition_data_n;
        out->partition_responses = arena_alloc(&row->arena, (size_t)in->partition_data_n *
                                                                sizeof *out->partition_responses);
        for (int32_t j = 0; j < in->partition_data_n; j++, part++) {
            struct wire_produce_response_partition *o = &out->partition_responses[j];
            *o = wire_produce_response_partition_default;
            o->index = in->partition_data[j].index;
            o->error_code = part->error;
            o->base_offset = part->base_offset;
            o->log_start_offset = part->start_offset;
            o->record_errors = part->record_error;
            o->record_errors_n = part->record_errors_n;
            o->error_message = text_or_null(part->error_message);
            if (part->error == WIRE_E_NOT_LEADER_OR_FOLLOWER)
                produce_set_leader(b, part, topic_by_name(b, in->name), o->index, o);
        }
    }
    row_answer(b, row, resp);
}

/* An error that concerns the request as a whole; 0: none. */
static int16_t produce_request_error(const struct request_row *row)
{
    const struct wire_produce_request *req = row->request;
    if (!wire_api_serves(WIRE_PRODUCE, row->header.api_version))
        return WIRE_E_UNSUPPORTED_VERSION;
    if (req->acks != 0 && req->acks != 1 && req->acks != -1)
        return WIRE_E_INVALID_REQUIRED_ACKS;
    if (req->transactional_id.p)
        return WIRE_E_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
    return 0;
}

static void produce_begin(struct broker *b, struct request_row *row)
{
    const struct wire_produce_request *req = row->request;
    struct produce_work *work = arena_alloc(&row->arena, sizeof *work);
    work->parts_n = 0;
    for (int32_t i = 0; i < req->topic_data_n; i++)
        work->parts_n += (uint32_t)req->topic_data[i].partition_data_n;
    work->part = arena_zalloc(&row->arena, work->parts_n, sizeof *work->part);
    row->work = work;
    row->left = work->parts_n + 1; /* one for this function */
    int16_t whole = produce_request_error(row);
    struct produce_part *part = work->part;
    for (int32_t i = 0; i < req->topic_data_n; i++) {
        const struct wire_produce_request_topic *in = &req->topic_data[i];
        struct topic_row *t = whole ? NULL : topic_by_name(b, in->name);
        for (int32_t j = 0; j < in->partition_data_n; j++, part++) {
            part->row = row;
            part->acks = req->acks;
            part->base_offset = part->start_offset = -1;
            part->error = whole;
            if (!whole)
                part->partition = partition_find(b, t, in->partition_data[j].index, &part->error);
            if (part->partition) {
                produce_admit(b, part, in->partition_data[j].records);
                continue;
            }
            if (!whole && !t)
                produce_explain_unknown(b, part, in->name, in->partition_data[j].index);
            if (part->error < METRIC_ERRORS)
                b->metrics.produce_error[part->error]++;
            part->state = PART_ANSWERED;
            row->left--;
        }
    }
    produce_part_done(b, row);
}

/* The connection is gone, but batches that are under way go on: what is appended stays. */
static bool produce_abandon(struct broker *b, struct request_row *row)
{
    (void)b;
    (void)row;
    return false;
}

const struct handler handler_produce = {
    .api_key = WIRE_PRODUCE,
    .begin = produce_begin,
    .abandon = produce_abandon,
};
