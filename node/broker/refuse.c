/* How a refusal is said: to the client in the answer, and to the ledger. */
#include "broker/state.h"

#include <stdio.h>

static struct rejection part_rejection(struct broker *b, const struct produce_part *part,
                                       const struct view_topic *t, int32_t partition)
{
    struct arena *a = &b->fx->arena;
    const struct conn *c = idmap_get(&b->conns, part->row->conn_id);
    return (struct rejection){
        .time_ms = b->now_ms,
        .topic = arena_copy(a, t->name),
        .partition = partition,
        .batch_index = -1,
        .principal = arena_copy(a, slice_str(c ? c->principal : "anonymous")),
        .client_id = arena_copy(a, part->row->header.client_id),
        .contract_version = t->version,
        .count = 1,
    };
}

static void part_reject_record(struct broker *b, struct produce_part *part,
                               const struct admit_refusal *r)
{
    struct arena *a = &b->fx->arena;
    struct rejection j =
        part_rejection(b, part, part->partition->topic->view, part->partition->index);
    j.batch_index = r->batch_index;
    j.code = r->verdict.code;
    j.path = arena_copy(a, slice_str(r->verdict.path));
    j.rule = arena_copy(a, slice_str(r->verdict.rule));
    j.detail = arena_copy(a, slice_str(r->verdict.detail));
    j.key_id = arena_copy(a, slice_str(r->key_id));
    j.correlation_id = arena_copy(a, slice_str(r->correlation_id));
    memcpy(j.digest, r->digest, sizeof j.digest);
    part->partition->topic->counters.verdict[j.code]++;
    broker_effect(b, EFFECT_REJECTION)->rejection = j;
}

/* A batch refused as a whole, before any record was looked at. */
void produce_reject_batch(struct broker *b, struct produce_part *part, enum verdict_code code,
                          int16_t error)
{
    struct rejection j =
        part_rejection(b, part, part->partition->topic->view, part->partition->index);
    j.code = code;
    j.detail = slice_str(verdict_cause(code));
    j.count = part->batch.records_count > 0 ? (uint32_t)part->batch.records_count : 1;
    part->partition->topic->counters.verdict[code] += j.count;
    broker_effect(b, EFFECT_REJECTION)->rejection = j;
    char message[256];
    snprintf(message, sizeof message, "%s: %s %s", verdict_code_name(code), verdict_cause(code),
             verdict_remedy(code));
    produce_refuse(b, part, error, message);
}

/* Refuses the batch and names each refused record. */
void produce_refuse_records(struct broker *b, struct produce_part *part, int16_t error,
                            const struct admit_refusal *refusal, size_t n)
{
    struct arena *a = &part->row->arena;
    const struct view_topic *t = part->partition->topic->view;
    part->record_error = arena_alloc(a, n * sizeof *part->record_error);
    part->record_errors_n = (int32_t)n;
    for (size_t i = 0; i < n; i++) {
        char text[768];
        verdict_text(&refusal[i].verdict, t->name, t->version, text, sizeof text);
        part->record_error[i] = wire_produce_response_record_error_default;
        part->record_error[i].batch_index = refusal[i].batch_index;
        part->record_error[i].batch_index_error_message = arena_copy(a, slice_str(text));
        part_reject_record(b, part, &refusal[i]);
    }
    struct slice first = part->record_error[0].batch_index_error_message;
    if (n == 1)
        part->error_message = arena_strdup(a, first);
    else
        part->error_message =
            arena_printf(a, "%zu records refused; the first: %.*s", n, SLICE_FMT(first));
    produce_answer(b, part, error);
}

void produce_explain_unknown(struct broker *b, struct produce_part *part, struct slice topic,
                             int32_t partition)
{
    const struct view_topic *t = view_topic_by_name(b->view, topic);
    if (!t || !t->deleted || view_name_ungoverned(b->view, topic))
        return;
    struct rejection j = part_rejection(b, part, t, partition);
    j.code = VERDICT_TOPIC_DELETED;
    j.detail = slice_str(verdict_cause(j.code));
    broker_effect(b, EFFECT_REJECTION)->rejection = j;
    part->error = WIRE_E_POLICY_VIOLATION;
    part->error_message = arena_printf(&part->row->arena, "%s: topic %.*s was deleted",
                                       verdict_code_name(j.code), SLICE_FMT(topic));
}
