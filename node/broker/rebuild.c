/* What a partition remembers beyond its log: the producers' sequences and the signatures of the
 * window. Both come back from the log after a start. Producer state is noted in the journal every
 * few megabytes, so that only what came after the note is scanned; the note outlives the records
 * that it is about. */
#include "broker/state.h"

#include "base/log.h"

/* ---- producers ---- */

struct rebuild_producers {
    struct broker *b;
    struct partition *p;
};

static bool rebuild_producer(void *arg, int64_t base_offset, struct slice bytes)
{
    struct rebuild_producers *r = arg;
    struct wire_batch batch;
    if (wire_batch_parse(bytes, &batch, NULL))
        return true;
    r->b->metrics.rebuilt_batches++;
    if (batch.producer_id < 0)
        return true;
    struct txn_batch t = sequence_batch(&batch);
    /* Its silence counts from now: later than true, so nothing is forgotten early. */
    txn_record(r->p->producers, &t, base_offset, -1, r->b->now_ms);
    return true;
}

void rebuild_producers(struct broker *b, struct partition *p)
{
    struct err err = {0};
    struct rebuild_producers arg = {b, p};
    int64_t from = -1;
    p->producers = txn_producers_new(&(struct txn_config){.seed = broker_random(b)});
    struct slice note = plog_note(p->log, &from);
    if (note.p && txn_decode(p->producers, note, &err)) {
        log_event(LOG_ERROR, "broker", "producer note unreadable", LOG_S("topic", p->topic->name),
                  LOG_I("partition", p->index), LOG_T("why", err.msg));
        txn_producers_free(p->producers);
        p->producers = txn_producers_new(&(struct txn_config){.seed = broker_random(b)});
        note.p = NULL;
    }
    if (!note.p || from < plog_start_offset(p->log))
        from = plog_start_offset(p->log);
    p->noted_offset = from;
    if (from < plog_stable_offset(p->log) &&
        plog_scan(b->store, p->log, from, rebuild_producer, &arg, &err))
        log_event(LOG_ERROR, "broker", "producer state is incomplete",
                  LOG_S("topic", p->topic->name), LOG_I("partition", p->index),
                  LOG_T("why", err.msg));
}

void rebuild_note(struct broker *b, struct partition *p)
{
    struct bytes note = {0};
    txn_encode(p->producers, &note);
    p->noted_offset = plog_end_offset(p->log);
    p->note_after_bytes = note.n * 64 > BROKER_NOTE_BYTES ? note.n * 64 : BROKER_NOTE_BYTES;
    p->since_note_bytes = 0;
    plog_set_note(b->store, p->log, p->noted_offset, bytes_slice(&note));
    bytes_free(&note);
}

void rebuild_appended(struct broker *b, struct partition *p, size_t n)
{
    p->since_note_bytes += n;
    p->appended_ms = b->now_ms;
    if (!p->unnoted) {
        p->unnoted = true;
        p->unnoted_next = b->unnoted;
        b->unnoted = p;
    }
    if (p->since_note_bytes >= p->note_after_bytes)
        rebuild_note(b, p);
}

void rebuild_second(struct broker *b)
{
    struct partition **at = &b->unnoted;
    while (*at) {
        struct partition *p = *at;
        bool quiet = b->now_ms - p->appended_ms >= BROKER_NOTE_QUIET_MS;
        if (p->since_note_bytes > 0 && !quiet) {
            at = &p->unnoted_next;
            continue;
        }
        *at = p->unnoted_next;
        p->unnoted = false;
        if (p->since_note_bytes > 0)
            rebuild_note(b, p);
    }
}

void rebuild_forget(struct broker *b, struct partition *p)
{
    struct partition **at = &b->unnoted;
    while (p->unnoted && *at != p)
        at = &(*at)->unnoted_next;
    if (p->unnoted)
        *at = p->unnoted_next;
    p->unnoted = false;
}

/* Retention has passed the note: what the note does not say would be lost with the records. */
void rebuild_start_moved(struct broker *b, struct partition *p)
{
    if (plog_start_offset(p->log) > p->noted_offset && txn_producers_count(p->producers) > 0)
        rebuild_note(b, p);
}

/* ---- signatures ---- */

struct rebuild_replay {
    struct broker *b;
    struct partition *p;
    int64_t base_offset;
    int64_t blind_until_ms;
    size_t records;
};

static void rebuild_signature(void *arg, int32_t batch_index, const struct judge_signature *s)
{
    struct rebuild_replay *r = arg;
    struct txn_replay_key key = {.partition = r->p->replay_id, .kid_hash = s->kid_hash};
    int64_t offset = r->base_offset + batch_index, end = plog_end_offset(r->p->log), seen;
    int64_t expires = s->iat_ms + r->p->replay_window_ms;
    memcpy(key.jti, s->jti, sizeof key.jti);
    if (expires <= r->b->now_ms)
        return;
    txn_replay_remove(r->b->replay, &key); /* the window may have grown */
    r->records++;
    if (txn_replay_insert(r->b->replay, &key, offset, expires, end, r->b->now_ms, &seen) ==
            TXN_REPLAY_FULL &&
        expires > r->blind_until_ms)
        r->blind_until_ms = expires;
}

static bool rebuild_batch(void *arg, int64_t base_offset, struct slice bytes)
{
    struct rebuild_replay *r = arg;
    r->base_offset = base_offset;
    r->b->metrics.rebuilt_batches++;
    admit_signatures(bytes, r->b->scratch, rebuild_signature, r, NULL);
    return true;
}

/* The view has set the partition's window: fills the memory from the tail of the log when the
 * window has grown (from nothing, after a start). */
void rebuild_replay(struct broker *b, struct partition *p)
{
    const struct view_topic *t = p->topic->view;
    int64_t window = t->governed ? t->contract->signing.window_ms : 0;
    bool grown = window > p->replay_window_ms;
    p->replay_window_ms = window;
    if (!grown || plog_start_offset(p->log) == plog_stable_offset(p->log))
        return;
    struct rebuild_replay r = {.b = b, .p = p};
    struct err err = {0};
    int64_t from, time;
    if (!b->scratch)
        b->scratch = admit_scratch_new();
    /* A signature of the window may be `window` older or younger than its record's time. */
    int code = plog_find_time(b->store, p->log, b->now_ms - 2 * window, &from, &time, &err);
    if (code == 0 && from >= 0)
        code = plog_scan(b->store, p->log, from, rebuild_batch, &r, &err);
    if (code) {
        log_event(LOG_ERROR, "broker", "replay memory is incomplete",
                  LOG_S("topic", p->topic->name), LOG_I("partition", p->index),
                  LOG_T("why", err.msg));
        r.blind_until_ms = b->now_ms + 2 * window;
    }
    /* What could not be remembered must not be forgotten: until it has expired, signed records get
     * a retriable error. */
    p->replay_blind_until_ms = r.blind_until_ms;
    if (r.records)
        log_event(LOG_INFO, "broker", "replay memory rebuilt", LOG_S("topic", p->topic->name),
                  LOG_I("partition", p->index), LOG_I("records", r.records));
}
