/* DescribeTopicPartitions (75): topics with their partitions, page by page. */
#include "broker/state.h"

#include <stdlib.h>

struct describe_page {
    int32_t room; /* partitions that still fit */
    struct wire_describe_topic_partitions_response resp;
};

static void describe_fill(const struct view_topic *v, int32_t index,
                          struct wire_describe_topic_partitions_response_partition *o)
{
    const struct view_partition *p = &v->partition[index];
    *o = wire_describe_topic_partitions_response_partition_default;
    o->partition_index = index;
    o->leader_id = p->leader;
    o->leader_epoch = p->leader_epoch;
    o->error_code = p->leader < 0 ? WIRE_E_LEADER_NOT_AVAILABLE : 0;
    o->replica_nodes = (int32_t *)p->replicas;
    o->replica_nodes_n = p->replicas_n;
    o->isr_nodes = (int32_t *)p->isr;
    o->isr_nodes_n = p->isr_n;
    o->eligible_leader_replicas_n = -1;
    o->last_known_elr_n = -1;
}

/* One topic from partition `from` on; false when the page is full. */
static bool describe_topic(struct request_row *row, struct describe_page *page, struct slice name,
                           const struct topic_row *t, int32_t from)
{
    struct wire_describe_topic_partitions_response_topic *o =
        &page->resp.topics[page->resp.topics_n++];
    *o = wire_describe_topic_partitions_response_topic_default;
    o->name = name;
    if (!t) {
        o->error_code = topic_name_valid(name) ? WIRE_E_UNKNOWN_TOPIC_OR_PARTITION
                                               : WIRE_E_INVALID_TOPIC_EXCEPTION;
        return true;
    }
    const struct view_topic *v = t->view;
    memcpy(o->topic_id, v->id.bytes, sizeof o->topic_id);
    o->is_internal = v->internal;
    int32_t left = from < v->partitions_n ? v->partitions_n - from : 0;
    int32_t n = left < page->room ? left : page->room;
    o->partitions = arena_alloc(&row->arena, (size_t)n * sizeof *o->partitions);
    o->partitions_n = n;
    for (int32_t i = 0; i < n; i++)
        describe_fill(v, from + i, &o->partitions[i]);
    page->room -= n;
    if (n == left)
        return true;
    page->resp.next_cursor = arena_alloc(&row->arena, sizeof *page->resp.next_cursor);
    *page->resp.next_cursor = wire_describe_topic_partitions_response_cursor_default;
    page->resp.next_cursor->topic_name = name;
    page->resp.next_cursor->partition_index = from + n;
    return false;
}

static int describe_order(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

/* The names to describe, sorted: those asked for, or all. */
static size_t describe_names(const struct broker *b, struct request_row *row, struct slice **out)
{
    const struct wire_describe_topic_partitions_request *req = row->request;
    size_t n = 0;
    if (req->topics_n > 0) {
        *out = arena_alloc(&row->arena, (size_t)req->topics_n * sizeof **out);
        for (int32_t i = 0; i < req->topics_n; i++)
            (*out)[n++] = req->topics[i].name;
        qsort(*out, n, sizeof **out, describe_order);
        return n;
    }
    *out = arena_alloc(&row->arena, (b->view->topics_n + 1) * sizeof **out);
    for (size_t i = 0; i < b->view->topics_n; i++)
        if (!b->view->topic[i]->deleted)
            (*out)[n++] = b->view->topic[i]->name;
    return n;
}

static void describe_topic_partitions_begin(struct broker *b, struct request_row *row)
{
    const struct wire_describe_topic_partitions_request *req = row->request;
    struct describe_page page = {.resp = wire_describe_topic_partitions_response_default};
    struct slice *name;
    size_t n = describe_names(b, row, &name);
    page.room = req->response_partition_limit;
    if (page.room <= 0 || page.room > BROKER_DESCRIBE_PARTITIONS_MAX)
        page.room = BROKER_DESCRIBE_PARTITIONS_MAX;
    page.resp.topics = arena_alloc(&row->arena, (n + 1) * sizeof *page.resp.topics);
    for (size_t i = 0; i < n; i++) {
        int32_t from = 0;
        if (req->cursor) {
            int order = slice_cmp(name[i], req->cursor->topic_name);
            if (order < 0)
                continue;
            if (order == 0)
                from = req->cursor->partition_index > 0 ? req->cursor->partition_index : 0;
        }
        if (!describe_topic(row, &page, name[i], topic_by_name(b, name[i]), from))
            break;
    }
    row_answer(b, row, &page.resp);
}

const struct handler handler_describe_topic_partitions = {
    .api_key = WIRE_DESCRIBE_TOPIC_PARTITIONS,
    .begin = describe_topic_partitions_begin,
};
