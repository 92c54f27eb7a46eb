/* DeleteRecords (21): raises the start of a log. The answer waits until the journal has it, because
 * a start offset that was told to a client never goes back. */
#include "broker/state.h"

#include "base/log.h"

struct delete_part {
    struct request_row *row;
    struct partition *partition; /* NULL: settled */
    struct delete_part *next;    /* in the partition's list */
    int16_t error;
    int64_t wanted, low;
};

static void delete_records_answer(struct broker *b, struct request_row *row)
{
    const struct wire_delete_records_request *req = row->request;
    const struct delete_part *part = row->work;
    struct wire_delete_records_response resp = wire_delete_records_response_default;
    resp.topics_n = req->topics_n;
    resp.topics = arena_alloc(&row->arena, (size_t)req->topics_n * sizeof *resp.topics);
    for (int32_t i = 0; i < req->topics_n; i++) {
        const struct wire_delete_records_request_topic *in = &req->topics[i];
        struct wire_delete_records_response_topic *out = &resp.topics[i];
        *out = wire_delete_records_response_topic_default;
        out->name = in->name;
        out->partitions_n = in->partitions_n;
        out->partitions =
            arena_alloc(&row->arena, (size_t)in->partitions_n * sizeof *out->partitions);
        for (int32_t j = 0; j < in->partitions_n; j++, part++) {
            out->partitions[j] = wire_delete_records_response_partition_default;
            out->partitions[j].partition_index = in->partitions[j].partition_index;
            out->partitions[j].error_code = part->error;
            out->partitions[j].low_watermark = part->error ? -1 : part->low;
        }
    }
    row_answer(b, row, &resp);
}

static void delete_settle(struct broker *b, struct delete_part *part, int16_t error, int64_t low)
{
    struct request_row *row = part->row;
    part->partition = NULL;
    part->error = error;
    part->low = low;
    if (--row->left == 0)
        delete_records_answer(b, row);
}

/* The start offset of the partition may have moved. */
void delete_records_moved(struct broker *b, struct partition *p)
{
    int64_t start = plog_start_offset(p->log);
    struct delete_part **at = &p->deletes;
    while (*at) {
        struct delete_part *part = *at;
        if (part->wanted > start) {
            at = &part->next;
            continue;
        }
        *at = part->next;
        delete_settle(b, part, 0, start);
    }
}

void delete_records_fail_all(struct broker *b, struct partition *p)
{
    while (p->deletes) {
        struct delete_part *part = p->deletes;
        p->deletes = part->next;
        delete_settle(b, part, WIRE_E_UNKNOWN_TOPIC_OR_PARTITION, -1);
    }
}

static void delete_one(struct broker *b, struct delete_part *part, struct partition *p,
                       int64_t offset)
{
    struct err err = {0};
    int64_t stable = plog_stable_offset(p->log);
    part->wanted = offset == -1 ? stable : offset;
    if (part->wanted < 0 || part->wanted > stable) {
        delete_settle(b, part, WIRE_E_OFFSET_OUT_OF_RANGE, -1);
        return;
    }
    if (part->wanted > plog_start_offset(p->log) &&
        plog_delete_before(b->store, p->log, part->wanted, &err)) {
        log_event(LOG_ERROR, "broker", "delete records failed", LOG_S("topic", p->topic->name),
                  LOG_I("partition", p->index), LOG_T("why", err.msg));
        delete_settle(b, part, WIRE_E_KAFKA_STORAGE_ERROR, -1);
        return;
    }
    part->partition = p;
    part->next = p->deletes;
    p->deletes = part;
    delete_records_moved(b, p);
}

static void delete_records_begin(struct broker *b, struct request_row *row)
{
    const struct wire_delete_records_request *req = row->request;
    uint32_t n = 0;
    for (int32_t i = 0; i < req->topics_n; i++)
        n += (uint32_t)req->topics[i].partitions_n;
    struct delete_part *part = arena_zalloc(&row->arena, n ? n : 1, sizeof *part);
    row->work = part;
    row->left = n + 1;
    for (int32_t i = 0; i < req->topics_n; i++) {
        const struct wire_delete_records_request_topic *in = &req->topics[i];
        struct topic_row *t = topic_by_name(b, in->name);
        for (int32_t j = 0; j < in->partitions_n; j++, part++) {
            int16_t error = 0;
            part->row = row;
            struct partition *p = partition_find(b, t, in->partitions[j].partition_index, &error);
            if (p && t->view->contract)
                error = WIRE_E_POLICY_VIOLATION;
            if (error)
                delete_settle(b, part, error, -1);
            else
                delete_one(b, part, p, in->partitions[j].offset);
        }
    }
    if (--row->left == 0)
        delete_records_answer(b, row);
}

static bool delete_records_abandon(struct broker *b, struct request_row *row)
{
    (void)b;
    (void)row;
    return false; /* its parts stand in the partitions' lists; they come back soon */
}

const struct handler handler_delete_records = {
    .api_key = WIRE_DELETE_RECORDS,
    .begin = delete_records_begin,
    .abandon = delete_records_abandon,
};
