/* What the broker tells about itself: the report for the catalogue's guards, and metrics. */
#include "broker/state.h"

#include <inttypes.h>
#include <stdio.h>

static size_t report_count(const struct broker *b)
{
    struct map_iter it = {0};
    size_t n = 0;
    while (map_next(&b->topics_by_id, &it))
        n += (size_t)((const struct topic_row *)it.value)->partitions_n;
    return n;
}

void broker_report(const struct broker *b, int64_t now_ms, struct arena *a, struct report *out)
{
    *out = (struct report){.made_at_ms = now_ms};
    out->partition = arena_alloc(a, (report_count(b) + 1) * sizeof *out->partition);
    struct map_iter it = {0};
    while (map_next(&b->topics_by_id, &it)) {
        const struct topic_row *t = it.value;
        struct slice name = arena_copy(a, t->name);
        for (int32_t i = 0; i < t->partitions_n; i++) {
            if (!t->partition[i])
                continue;
            const struct plog *log = t->partition[i]->log;
            out->partition[out->partitions_n++] = (struct report_partition){
                .topic = name,
                .partition = i,
                .log_start_offset = plog_start_offset(log),
                .high_watermark = plog_stable_offset(log),
                .log_end_offset = plog_end_offset(log),
                .size_bytes = (int64_t)plog_size_bytes(log),
                .max_timestamp_ms = plog_max_timestamp_ms(log, NULL),
            };
        }
    }
}

/* ---- metrics ---- */

static void metrics_apis(const struct broker *b, struct bytes *out)
{
    char labels[96];
    metric_head(out, "writ_kafka_requests_total", "counter", "Requests received, by API.");
    for (size_t i = 0; i < broker_handlers_n; i++) {
        int16_t key = broker_handlers[i]->api_key;
        snprintf(labels, sizeof labels, "api=\"%s\"", wire_api_find(key)->name);
        metric_line(out, "writ_kafka_requests_total", labels, b->metrics.api[key].requests);
    }
    metric_head(out, "writ_kafka_requests_refused_total", "counter",
                "Requests that could not be decoded or have a version that is not served.");
    for (size_t i = 0; i < broker_handlers_n; i++) {
        int16_t key = broker_handlers[i]->api_key;
        snprintf(labels, sizeof labels, "api=\"%s\"", wire_api_find(key)->name);
        metric_line(out, "writ_kafka_requests_refused_total", labels, b->metrics.api[key].refused);
    }
    metric_head(out, "writ_kafka_request_seconds", "histogram",
                "Time from a request's arrival to its answer, by API.");
    for (size_t i = 0; i < broker_handlers_n; i++) {
        int16_t key = broker_handlers[i]->api_key;
        if (b->metrics.api[key].latency.count == 0)
            continue;
        snprintf(labels, sizeof labels, "api=\"%s\"", wire_api_find(key)->name);
        metric_print_histogram(out, "writ_kafka_request_seconds", labels,
                               &b->metrics.api[key].latency);
    }
}

static void metrics_errors(struct bytes *out, const char *name, const char *help,
                           const uint64_t *error)
{
    char labels[96];
    metric_head(out, name, "counter", help);
    for (int16_t i = 0; i < METRIC_ERRORS; i++) {
        if (i > 0 && error[i] == 0)
            continue;
        snprintf(labels, sizeof labels, "error=\"%s\"", wire_error_name(i));
        metric_line(out, name, labels, error[i]);
    }
}

struct topic_metric {
    const char *name, *help;
    size_t at; /* of a uint64_t in struct topic_counters */
};

static void metrics_topics(const struct broker *b, struct bytes *out)
{
    static const struct topic_metric metrics[] = {
        {"writ_topic_produced_batches_total", "Batches appended.",
         offsetof(struct topic_counters, batches_in)},
        {"writ_topic_produced_records_total", "Records appended.",
         offsetof(struct topic_counters, records_in)},
        {"writ_topic_produced_bytes_total", "Bytes of batches appended.",
         offsetof(struct topic_counters, bytes_in)},
        {"writ_topic_fetched_bytes_total", "Bytes of batches served.",
         offsetof(struct topic_counters, fetched_bytes)},
        {"writ_topic_duplicate_batches_total", "Retries answered without storing again.",
         offsetof(struct topic_counters, duplicates)},
    };
    struct bytes label = {0};
    for (size_t m = 0; m < sizeof metrics / sizeof metrics[0]; m++) {
        struct map_iter it = {0};
        metric_head(out, metrics[m].name, "counter", metrics[m].help);
        while (map_next(&b->topics_by_id, &it)) {
            const struct topic_row *t = it.value;
            uint64_t v;
            memcpy(&v, (const char *)&t->counters + metrics[m].at, sizeof v);
            bytes_clear(&label);
            metric_label(&label, "topic", t->name);
            metric_line(out, metrics[m].name, bytes_cstr(&label), v);
        }
    }
    metric_head(out, "writ_verdicts_total", "counter", "Records judged, by topic and verdict.");
    struct map_iter it = {0};
    while (map_next(&b->topics_by_id, &it)) {
        const struct topic_row *t = it.value;
        for (int c = 0; c < VERDICT_CODE_COUNT; c++) {
            if (t->counters.verdict[c] == 0)
                continue;
            bytes_clear(&label);
            metric_label(&label, "topic", t->name);
            bytes_printf(&label, ",code=\"%s\"", verdict_code_name((enum verdict_code)c));
            metric_line(out, "writ_verdicts_total", bytes_cstr(&label), t->counters.verdict[c]);
        }
    }
    bytes_free(&label);
}

static void metric_one(struct bytes *out, const char *name, const char *type, const char *help,
                       uint64_t value)
{
    metric_head(out, name, type, help);
    metric_line(out, name, NULL, value);
}

static void metrics_store(const struct broker *b, struct bytes *out)
{
    struct store_stats s;
    store_stats(b->store, &s);
    metric_one(out, "writ_journal_groups_total", "counter", "Journal groups written and synced.",
               s.groups);
    metric_one(out, "writ_journal_bytes_total", "counter", "Bytes of journal groups.",
               s.group_bytes);
    metric_one(out, "writ_journal_used_bytes", "gauge",
               "Journal bytes that a restart would replay.", s.journal_used_bytes);
    metric_one(out, "writ_journal_checkpoints_total", "counter", "Checkpoints of the segments.",
               s.checkpoints);
    metric_one(out, "writ_log_pending_bytes", "gauge", "Bytes appended and not yet durable.",
               s.pending_bytes);
    metric_one(out, "writ_log_append_room_bytes", "gauge",
               "Bytes that may be appended now; 0: produces are answered with a retriable error.",
               store_room(b->store));
    metric_one(out, "writ_replicas", "gauge", "Replicas on this node.", report_count(b));
    metric_one(out, "writ_replicas_unknown", "gauge",
               "Replicas on the disk whose topic the catalogue does not know.", b->orphan_replicas);
}

void broker_metrics(const struct broker *b, struct bytes *out)
{
    const struct metrics *m = &b->metrics;
    metrics_apis(b, out);
    metrics_errors(out, "writ_produce_answers_total", "Partitions answered in Produce, by error.",
                   m->produce_error);
    metrics_errors(out, "writ_fetch_answers_total", "Partitions answered in Fetch, by error.",
                   m->fetch_error);
    metrics_topics(b, out);
    metric_one(out, "writ_kafka_connections", "gauge", "Kafka connections.", b->conns.n);
    metric_one(out, "writ_kafka_connections_opened_total", "counter", "Connections opened.",
               m->conns_opened);
    metric_one(out, "writ_kafka_connections_refused_total", "counter",
               "Connections closed by the broker for what they sent.", m->conns_refused);
    metric_one(out, "writ_kafka_received_bytes_total", "counter", "Bytes of requests.",
               m->bytes_in);
    metric_one(out, "writ_kafka_sent_bytes_total", "counter", "Bytes of answers.", m->bytes_out);
    metric_one(out, "writ_kafka_requests_pending", "gauge", "Requests without an answer yet.",
               b->rows.n);
    metric_one(out, "writ_fetch_long_polls_total", "counter", "Fetches that had to wait.",
               m->long_polls);
    metric_one(out, "writ_batches_judged_total", "counter", "Batches sent to the verify pool.",
               m->judged_batches);
    metric_one(out, "writ_batches_judged_again_total", "counter",
               "Batches judged again because the view had moved.", m->judged_again);
    metric_one(out, "writ_batches_judging", "gauge", "Batches in the verify pool.", b->judging.n);
    metric_one(out, "writ_corrupt_ranges_total", "counter",
               "Ranges of a segment that were not served because a CRC differs.",
               m->corrupt_ranges);
    struct txn_replay_stats replay;
    txn_replay_stats(b->replay, &replay);
    metric_one(out, "writ_replay_memory_bytes", "gauge",
               "Memory of signatures seen within their window.", replay.memory_bytes);
    metric_one(out, "writ_replay_memory_limit_bytes", "gauge", "Its bound.", replay.max_bytes);
    metric_one(out, "writ_replay_entries", "gauge", "Signatures remembered.", replay.entries);
    metric_one(out, "writ_replay_full_total", "counter",
               "Signed batches put off because the memory was full.", replay.full_refusals);
    metric_one(out, "writ_catalogue_view_version", "gauge", "Version of the view in force.",
               b->view ? b->view->version : 0);
    metrics_store(b, out);
}

/* ---- invariants ---- */

static void check_conn(const struct broker *b, const struct conn *c)
{
    uint32_t n = 0;
    const struct request_row *last = NULL;
    for (const struct request_row *row = c->first; row; row = row->next) {
        ASSERT(row->conn == c && row->conn_id == c->id);
        ASSERT(idmap_get(&b->rows, row->id) == row);
        /* An answer that is ready has gone out unless an earlier one is missing. */
        ASSERT(row != c->first || row->state == ROW_ACTIVE || c->closing);
        last = row;
        n++;
    }
    ASSERT(n == c->pending && last == c->last);
}

static void check_partition(const struct broker *b, const struct partition *p)
{
    ASSERT(plog_user(p->log) == p);
    txn_check_invariants(p->producers);
    ASSERT(plog_start_offset(p->log) <= plog_stable_offset(p->log));
    ASSERT(plog_stable_offset(p->log) <= plog_end_offset(p->log));
    for (const struct produce_part *part = p->admission.first; part; part = part->next) {
        ASSERT(part->partition == p);
        ASSERT(part->state == PART_JUDGING || part->state == PART_JUDGED ||
               part->state == PART_WAIT_POOL);
        ASSERT((part->state == PART_JUDGING) == (idmap_get(&b->judging, part->job_id) == part));
    }
    for (const struct produce_part *part = p->ack.first; part; part = part->next) {
        ASSERT(part->partition == p && part->state == PART_APPENDED);
        ASSERT(part->needed_offset <= plog_end_offset(p->log));
    }
    ASSERT(!p->ack.first || p->ack.first->needed_offset > plog_stable_offset(p->log));
    for (const struct fetch_part *part = p->waiters; part; part = part->next) {
        ASSERT(part->waiting && part->partition == p);
        ASSERT(!part->next || part->next->prev == part);
        ASSERT(part->row->deadline.place != 0); /* nobody waits for ever */
    }
}

void broker_check_invariants(const struct broker *b)
{
    size_t at = 0;
    const struct conn *c;
    while ((c = idmap_next(&b->conns, &at)))
        check_conn(b, c);
    struct map_iter it = {0};
    while (map_next(&b->topics_by_id, &it)) {
        const struct topic_row *t = it.value;
        ASSERT(t->view && t->partitions_n >= t->view->partitions_n);
        for (int32_t i = 0; i < t->partitions_n; i++)
            if (t->partition[i])
                check_partition(b, t->partition[i]);
    }
    ASSERT(b->judging.n <= BROKER_JUDGING_MAX);
    ASSERT(!b->pool_first || b->judging.n == BROKER_JUDGING_MAX);
    ASSERT(!b->dirty && !b->moved && b->ops.n == 0);
    txn_replay_check_invariants(b->replay);
    store_check_invariants(b->store);
}
