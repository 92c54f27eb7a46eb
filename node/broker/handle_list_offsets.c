/* ListOffsets (2): the start, the end, the largest timestamp, or the first record at or after a
 * time. There are no transactions yet, so the isolation level changes nothing. */
#include "broker/state.h"

#include "base/log.h"

enum { LIST_LATEST = -1, LIST_EARLIEST = -2, LIST_MAX_TIMESTAMP = -3 };

static int16_t list_one(struct broker *b, struct request_row *row, struct partition *p,
                        int64_t wanted, struct wire_list_offsets_response_partition *out)
{
    struct err err = {0};
    int16_t version = row->header.api_version;
    switch (wanted) {
    case LIST_LATEST:
        out->offset = plog_stable_offset(p->log);
        break;
    case LIST_EARLIEST:
        out->offset = plog_start_offset(p->log);
        break;
    case LIST_MAX_TIMESTAMP:
        if (version < 7)
            return WIRE_E_UNSUPPORTED_VERSION;
        out->timestamp = plog_max_timestamp_ms(p->log, &out->offset);
        if (out->timestamp < 0)
            out->offset = -1;
        break;
    default:
        if (wanted < 0)
            return WIRE_E_UNSUPPORTED_VERSION;
        if (row->left++ >= BROKER_TIME_LOOKUPS_MAX) /* counts look-ups here */
            return WIRE_E_INVALID_REQUEST;
        if (plog_find_time(b->store, p->log, wanted, &out->offset, &out->timestamp, &err)) {
            log_event(LOG_ERROR, "broker", "time look-up failed", LOG_S("topic", p->topic->name),
                      LOG_I("partition", p->index), LOG_T("why", err.msg));
            return WIRE_E_KAFKA_STORAGE_ERROR;
        }
        if (out->offset < 0)
            out->timestamp = -1;
    }
    if (out->offset >= 0)
        out->leader_epoch = p->view->leader_epoch;
    return 0;
}

static void list_offsets_begin(struct broker *b, struct request_row *row)
{
    const struct wire_list_offsets_request *req = row->request;
    struct wire_list_offsets_response resp = wire_list_offsets_response_default;
    resp.topics_n = req->topics_n;
    resp.topics = arena_alloc(&row->arena, (size_t)req->topics_n * sizeof *resp.topics);
    for (int32_t i = 0; i < req->topics_n; i++) {
        const struct wire_list_offsets_request_topic *in = &req->topics[i];
        struct wire_list_offsets_response_topic *out = &resp.topics[i];
        struct topic_row *t = topic_by_name(b, in->name);
        *out = wire_list_offsets_response_topic_default;
        out->name = in->name;
        out->partitions_n = in->partitions_n;
        out->partitions =
            arena_alloc(&row->arena, (size_t)in->partitions_n * sizeof *out->partitions);
        for (int32_t j = 0; j < in->partitions_n; j++) {
            struct wire_list_offsets_response_partition *o = &out->partitions[j];
            *o = wire_list_offsets_response_partition_default;
            o->partition_index = in->partitions[j].partition_index;
            struct partition *p = partition_find(b, t, o->partition_index, &o->error_code);
            if (p)
                o->error_code = partition_check_epoch(p, in->partitions[j].current_leader_epoch);
            if (o->error_code == 0)
                o->error_code = list_one(b, row, p, in->partitions[j].timestamp, o);
        }
    }
    row_answer(b, row, &resp);
}

const struct handler handler_list_offsets = {
    .api_key = WIRE_LIST_OFFSETS,
    .begin = list_offsets_begin,
};
