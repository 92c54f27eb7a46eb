/* From a batch to its acknowledgement. Each partition has two queues, both first in, first out:
 *
 *   admission   arrived batches, until their verdict is known and those before them have gone on
 *   ack         appended batches (and duplicates of such), until the disk has them
 *
 * Judging happens in the pool and finishes in any order; the admission queue puts it in order
 * again, so sequence numbers and offsets follow arrival. */
#include "broker/state.h"

#include <stdio.h>

/* ---- queues ---- */

static void queue_push(struct produce_queue *q, struct produce_part *part)
{
    part->next = NULL;
    if (q->last)
        q->last->next = part;
    else
        q->first = part;
    q->last = part;
}

static void queue_push_front(struct produce_queue *q, struct produce_part *part)
{
    part->next = q->first;
    q->first = part;
    if (!q->last)
        q->last = part;
}

static struct produce_part *queue_pop(struct produce_queue *q)
{
    struct produce_part *part = q->first;
    q->first = part->next;
    if (!q->first)
        q->last = NULL;
    part->next = NULL;
    return part;
}

/* ---- answers ---- */

void produce_answer(struct broker *b, struct produce_part *part, int16_t error)
{
    struct partition *p = part->partition;
    part->error = error;
    part->state = PART_ANSWERED;
    part->start_offset = plog_start_offset(p->log);
    part->partition = NULL;
    admit_job_free(part->job);
    part->job = NULL;
    if (error)
        part->base_offset = -1;
    if (error >= 0 && error < METRIC_ERRORS)
        b->metrics.produce_error[error]++;
    produce_part_answered(b, part);
}

void produce_refuse(struct broker *b, struct produce_part *part, int16_t error, const char *message)
{
    if (message && message[0])
        part->error_message = arena_strdup(&part->row->arena, slice_str(message));
    produce_answer(b, part, error);
}

static void part_wait_for_disk(struct broker *b, struct produce_part *part)
{
    struct partition *p = part->partition;
    if (plog_stable_offset(p->log) >= part->needed_offset || part->acks == 0) {
        produce_answer(b, part, 0);
        return;
    }
    admit_job_free(part->job); /* its view and its copy of the reference are not needed any more */
    part->job = NULL;
    part->state = PART_APPENDED;
    queue_push(&p->ack, part);
}

void produce_moved(struct broker *b, struct partition *p)
{
    int64_t stable = plog_stable_offset(p->log);
    while (p->ack.first && p->ack.first->needed_offset <= stable)
        produce_answer(b, queue_pop(&p->ack), 0);
    if (p->admission.first)
        produce_kick(b, p); /* a retry may have waited for the record that it repeats */
}

/* ---- the pool ---- */

static void part_send_to_pool(struct broker *b, struct produce_part *part)
{
    struct admit_job *job = part->job;
    part->job = NULL;
    part->state = PART_JUDGING;
    part->job_id = job->id = ++b->next_job_id;
    job->now_ms = b->now_ms;
    idmap_put(&b->judging, job->id, part);
    b->metrics.judged_batches++;
    broker_effect(b, EFFECT_JUDGE)->job = job;
}

static void part_judge(struct broker *b, struct produce_part *part)
{
    const struct partition *p = part->partition;
    const struct conn *c = idmap_get(&b->conns, part->row->conn_id);
    if (!part->job) {
        part->job = admit_job_new();
        part->job->buf = buf_ref(part->row->frame);
        part->job->batch = part->batch.bytes;
        snprintf(part->job->principal_text, sizeof part->job->principal_text, "%s",
                 c ? c->principal : "anonymous");
        part->job->principal = slice_str(part->job->principal_text);
    } else {
        admit_job_again(part->job);
        view_unref(part->job->view);
        b->metrics.judged_again++;
    }
    part->job->view = view_ref(b->view);
    part->job->topic = p->topic->view;
    if (b->judging.n < BROKER_JUDGING_MAX) {
        part_send_to_pool(b, part);
        return;
    }
    part->state = PART_WAIT_POOL;
    part->pool_next = NULL;
    if (b->pool_last)
        b->pool_last->pool_next = part;
    else
        b->pool_first = part;
    b->pool_last = part;
}

void produce_judged(struct broker *b, struct admit_job *job)
{
    struct produce_part *part = idmap_remove(&b->judging, job->id);
    while (b->pool_first && b->judging.n < BROKER_JUDGING_MAX) {
        struct produce_part *next = b->pool_first;
        b->pool_first = next->pool_next;
        if (!b->pool_first)
            b->pool_last = NULL;
        part_send_to_pool(b, next);
    }
    if (!part) { /* its partition was removed meanwhile */
        admit_job_free(job);
        return;
    }
    part->job = job;
    part->job_id = 0;
    part->judged_version = job->view->version;
    part->judged_governed = job->topic->governed;
    part->state = PART_JUDGED;
    produce_kick(b, part->partition);
}

/* ---- the head of the admission queue ---- */

static bool part_needs_judging(const struct broker *b, const struct produce_part *part)
{
    bool governed = part->partition->topic->view->governed;
    /* Judged under the rules in force, or not governed now and then. */
    return (governed || part->judged_governed) && part->judged_version != b->view->version;
}

static void part_append(struct broker *b, struct produce_part *part)
{
    struct partition *p = part->partition;
    struct topic_row *t = p->topic;
    const struct wire_batch *batch = &part->batch;
    struct store_batch in = {
        .buf = part->row->frame,
        .bytes = batch->bytes,
        .records_n = batch->records_count,
        .max_timestamp_ms = batch->max_timestamp,
        .producer_id = batch->producer_id,
        .producer_epoch = batch->producer_epoch,
        .base_sequence = batch->base_sequence,
    };
    part->base_offset = store_append(b->store, p->log, &in, p->view->leader_epoch, b->now_ms);
    part->needed_offset = part->base_offset + batch->records_count;
    sequence_appended(b, p, batch, part->base_offset);
    rebuild_appended(b, p, batch->bytes.n);
    t->counters.batches_in++;
    t->counters.records_in += (uint64_t)batch->records_count;
    t->counters.bytes_in += batch->bytes.n;
    if (t->view->governed)
        t->counters.verdict[VERDICT_ACCEPTED] += (uint64_t)batch->records_count;
    part_wait_for_disk(b, part);
}

static void part_is_duplicate(struct broker *b, struct produce_part *part, int64_t base_offset,
                              int64_t last_offset)
{
    part->partition->topic->counters.duplicates++;
    part->base_offset = base_offset;
    part->needed_offset = last_offset + 1;
    part_wait_for_disk(b, part);
}

/* Signatures of the window are checked and remembered; false: wait, the part keeps its turn. */
static bool part_check_replay(struct broker *b, struct produce_part *part, bool *append)
{
    *append = false;
    switch (replays_check(b, part)) {
    case REPLAY_NONE:
        *append = true;
        return true;
    case REPLAY_RETRY:
        part_is_duplicate(b, part, part->base_offset, part->needed_offset - 1);
        return true;
    case REPLAY_REFUSED:
        produce_refuse_records(b, part, WIRE_E_INVALID_RECORD, part->job->refusal,
                               part->job->refusals_n);
        return true;
    case REPLAY_FULL:
        produce_refuse(b, part, WIRE_E_NOT_ENOUGH_REPLICAS,
                       "the memory of signatures has no room now; try again");
        return true;
    case REPLAY_WAIT:
        return false;
    }
    UNREACHABLE();
}

/* Batches wait for room in the order of their arrival. An error would make the client send them
 * again, and those behind would overtake them (librdkafka without idempotence has many under way).
 */
static void partition_wait_room(struct broker *b, struct partition *p)
{
    if (p->waits_room)
        return;
    p->waits_room = true;
    p->room_next = NULL;
    if (b->room_last)
        b->room_last->room_next = p;
    else
        b->room_first = p;
    b->room_last = p;
}

static void partition_forget_room(struct broker *b, struct partition *p)
{
    struct partition *before = NULL;
    for (struct partition **at = &b->room_first; *at; at = &(*at)->room_next) {
        if (*at == p) {
            *at = p->room_next;
            if (b->room_last == p)
                b->room_last = before;
            break;
        }
        before = *at;
    }
    p->waits_room = false;
}

void produce_room(struct broker *b)
{
    struct partition *p = b->room_first;
    b->room_first = b->room_last = NULL;
    while (p) {
        struct partition *next = p->room_next;
        p->waits_room = false;
        produce_kick(b, p);
        p = next;
    }
}

/* The verdict is known and it is this batch's turn. In order: was it stored already (by sequence),
 * was it refused, is its sequence next, is there room, were its signatures seen. False: not yet. */
static bool part_decide(struct broker *b, struct produce_part *part)
{
    struct partition *p = part->partition;
    const struct admit_job *job = part->job;
    struct txn_stored stored;
    const char *message = NULL;
    bool append;
    int16_t sequence = sequence_check(b, p, &part->batch, &stored, &message);
    if (sequence < 0) {
        part_is_duplicate(b, part, stored.base_offset, stored.last_offset);
    } else if (job && job->error) {
        if (job->refusals_n)
            produce_refuse_records(b, part, job->error, job->refusal, job->refusals_n);
        else
            produce_refuse(b, part, job->error, job->message);
    } else if (sequence) {
        produce_refuse(b, part, sequence, message);
    } else if (store_is_full(b->store)) {
        produce_refuse(b, part, WIRE_E_NOT_ENOUGH_REPLICAS, "the disk has no room now; try again");
    } else if (part->batch.bytes.n > store_room_max(b->store)) {
        produce_refuse(b, part, WIRE_E_MESSAGE_TOO_LARGE,
                       "the batch is larger than the journal takes");
    } else if (store_room(b->store) < part->batch.bytes.n) {
        partition_wait_room(b, p);
        return false;
    } else {
        if (!part_check_replay(b, part, &append))
            return false;
        if (append)
            part_append(b, part);
    }
    return true;
}

void produce_kick(struct broker *b, struct partition *p)
{
    while (p->admission.first && p->admission.first->state == PART_JUDGED) {
        struct produce_part *part = p->admission.first;
        if (part_needs_judging(b, part)) {
            part_judge(b, part); /* keeps its place */
            return;
        }
        queue_pop(&p->admission);
        if (!part_decide(b, part)) {
            queue_push_front(&p->admission, part);
            return;
        }
    }
}

/* ---- the door ---- */

/* What can be said without looking at the batch; 0: go on. */
static int16_t part_check_topic(struct broker *b, struct produce_part *part,
                                enum verdict_code *code)
{
    const struct topic_row *t = part->partition->topic;
    if (t->closed) {
        *code = VERDICT_TOPIC_UNGOVERNED;
        return WIRE_E_POLICY_VIOLATION;
    }
    if (t->view->governed && part->acks == 0) {
        *code = VERDICT_ACKS_REQUIRED;
        return WIRE_E_POLICY_VIOLATION;
    }
    *code = VERDICT_ACCEPTED;
    if (part->acks == -1 && part->partition->view->isr_n < t->view->min_insync_replicas)
        return WIRE_E_NOT_ENOUGH_REPLICAS;
    if (store_is_full(b->store))
        return WIRE_E_NOT_ENOUGH_REPLICAS;
    return 0;
}

void produce_admit(struct broker *b, struct produce_part *part, struct slice records)
{
    struct partition *p = part->partition;
    const struct view_topic *t = p->topic->view;
    struct err why = {0};
    enum verdict_code code;
    int16_t error = part_check_topic(b, part, &code);
    if (error && code != VERDICT_ACCEPTED) {
        produce_reject_batch(b, part, code, error);
        return;
    }
    if (error) {
        produce_refuse(b, part, error, "not enough replicas in sync, or no room on the disk");
        return;
    }
    /* A contract limits records; only a topic without one limits batches. */
    int64_t max = t->contract ? b->config.max_request_bytes : t->max_message_bytes;
    error = admit_begin(records, part->row->header.api_version, max, &part->batch, &why);
    bool plain = !t->governed && wire_batch_codec(&part->batch) == WIRE_CODEC_NONE;
    if (!error && plain)
        error = admit_walk(&part->batch, &why);
    if (error) {
        produce_refuse(b, part, error, why.msg);
        return;
    }
    part->state = PART_JUDGED;
    if (plain && !p->admission.first) {
        if (!part_decide(b, part))
            queue_push(&p->admission, part);
        return;
    }
    /* A retry of what is stored is answered from memory before any signature is looked at. */
    struct txn_stored stored;
    if (sequence_check(b, p, &part->batch, &stored, NULL) < 0) {
        part_is_duplicate(b, part, stored.base_offset, stored.last_offset);
        return;
    }
    queue_push(&p->admission, part);
    if (!plain)
        part_judge(b, part);
}

void produce_fail_all(struct broker *b, struct partition *p, int16_t error)
{
    struct produce_part **at = &b->pool_first;
    b->pool_last = NULL;
    while (*at) {
        if ((*at)->partition == p) {
            *at = (*at)->pool_next;
        } else {
            b->pool_last = *at;
            at = &(*at)->pool_next;
        }
    }
    while (p->admission.first) {
        struct produce_part *part = queue_pop(&p->admission);
        idmap_remove(&b->judging, part->job_id); /* the pool's job comes back to nobody */
        part->job_id = 0;
        produce_answer(b, part, error);
    }
    while (p->ack.first)
        produce_answer(b, queue_pop(&p->ack), error);
    partition_forget_room(b, p);
}

void produce_forget(struct partition *p)
{
    for (struct produce_part *part = p->admission.first; part; part = part->next) {
        admit_job_free(part->job);
        part->job = NULL;
    }
}
