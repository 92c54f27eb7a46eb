/* Signed records that were stored before. Within its window a signature is stored once in a
 * partition; a retry of the very same record is answered as success with the stored offset,
 * anything else that shows the same key id and jti is refused (signature.md). */
#include "broker/state.h"

#include <stdio.h>

static struct txn_replay_key replay_key(const struct partition *p, const struct judge_signature *s)
{
    struct txn_replay_key k = {.partition = p->replay_id, .kid_hash = s->kid_hash};
    memcpy(k.jti, s->jti, sizeof k.jti);
    return k;
}

/* ---- comparing a retry with what is stored ---- */

/* Loads the stored batch that holds `offset` into *buf; false when it cannot be read whole. */
static bool replay_load(struct broker *b, struct partition *p, int64_t offset, struct buf **buf)
{
    struct plog_range range;
    struct wire_batch batch;
    if (plog_read(b->store, p->log, offset, 1, INT64_MAX, &range, NULL) || range.size_bytes == 0)
        return false;
    size_t n = (size_t)range.first_batch_bytes;
    *buf = buf_new(n);
    (*buf)->n = n;
    return b->disk->read(b->disk, range.path, range.position, (*buf)->data, n) == (int64_t)n &&
           wire_batch_parse(buf_bytes(*buf), &batch, NULL) == 0 && wire_batch_crc_ok(&batch);
}

struct replay_compare {
    struct broker *b;
    struct partition *p;
    struct admit_cursor mine, stored;
    struct buf *buf;    /* the stored batch; NULL: none yet */
    int64_t base, last; /* its offsets */
};

static bool replay_equal(struct replay_compare *rc, int32_t index, int64_t offset)
{
    if (!rc->buf || offset < rc->base || offset > rc->last) {
        buf_unref(rc->buf);
        rc->buf = NULL;
        rc->base = 0;
        rc->last = -1;
        if (!replay_load(rc->b, rc->p, offset, &rc->buf) ||
            !admit_cursor_open(&rc->stored, rc->b->scratch, 1, buf_bytes(rc->buf)))
            return false;
        rc->base = rc->stored.batch.base_offset;
        rc->last = wire_batch_last_offset(&rc->stored.batch);
    }
    return admit_cursor_at(&rc->mine, index) &&
           admit_cursor_at(&rc->stored, (int32_t)(offset - rc->base)) &&
           admit_records_equal(&rc->mine.record, &rc->stored.record);
}

/* ---- refusing ---- */

static void replay_refuse(struct replay_compare *rc, struct produce_part *part, size_t index,
                          enum verdict_code code)
{
    struct admit_job *job = part->job;
    if (job->refusals_n == ADMIT_REFUSALS_MAX)
        return;
    if (!job->refusal)
        job->refusal = mem_alloc(ADMIT_REFUSALS_MAX * sizeof *job->refusal);
    struct admit_refusal *r = &job->refusal[job->refusals_n++];
    memset(r, 0, sizeof *r);
    r->batch_index = (int32_t)index;
    r->verdict.code = code;
    snprintf(r->verdict.rule, sizeof r->verdict.rule, "signing.window");
    snprintf(r->verdict.path, sizeof r->verdict.path, SIGN_HEADER_NAME);
    snprintf(r->verdict.detail, sizeof r->verdict.detail, "%s",
             code == VERDICT_SIGNATURE_REPLAYED
                 ? "another record with this key id and jti is stored in this partition"
                 : "the window passed before the record could be stored");
    if (admit_cursor_at(&rc->mine, (int32_t)index))
        admit_describe(r, &rc->mine.record);
}

/* ---- the check ---- */

/* What the memory said about each record of the batch. */
struct replay_found {
    size_t seen, too_old;
    bool full;
    int64_t least, most; /* stored offsets of those seen */
};

static struct replay_found replay_insert_all(struct broker *b, struct produce_part *part,
                                             int64_t *offset)
{
    const struct partition *p = part->partition;
    const struct admit_job *job = part->job;
    int64_t base = plog_end_offset(p->log);
    int64_t end = base + (int64_t)job->signatures_n; /* as if the batch were stored */
    struct replay_found f = {.least = INT64_MAX, .most = -1};
    for (size_t i = 0; i < job->signatures_n; i++) {
        const struct judge_signature *s = &job->signature[i];
        offset[i] = -1;
        if (!s->present || f.full)
            continue;
        struct txn_replay_key key = replay_key(p, s);
        int64_t seen = -1;
        switch (txn_replay_insert(b->replay, &key, base + (int64_t)i,
                                  s->iat_ms + p->replay_window_ms, end, b->now_ms, &seen)) {
        case TXN_REPLAY_NEW:
            offset[i] = REPLAY_INSERTED;
            break;
        case TXN_REPLAY_SEEN:
            offset[i] = seen;
            f.seen++;
            f.least = seen < f.least ? seen : f.least;
            f.most = seen > f.most ? seen : f.most;
            break;
        case TXN_REPLAY_FULL:
            f.full = true;
            break;
        case TXN_REPLAY_TOO_OLD:
            offset[i] = REPLAY_TOO_OLD_MARK;
            f.too_old++;
            break;
        }
    }
    return f;
}

static void replay_take_back(struct broker *b, const struct produce_part *part,
                             const int64_t *offset)
{
    for (size_t i = 0; i < part->job->signatures_n; i++) {
        if (offset[i] != REPLAY_INSERTED)
            continue;
        struct txn_replay_key key = replay_key(part->partition, &part->job->signature[i]);
        txn_replay_remove(b->replay, &key);
    }
}

/* A batch of which every record was stored before: a retry if all are equal. */
static enum replay_result replay_compare_all(struct replay_compare *rc, struct produce_part *part,
                                             const int64_t *offset)
{
    bool equal = true;
    for (size_t i = 0; i < part->job->signatures_n; i++) {
        if (replay_equal(rc, (int32_t)i, offset[i]))
            continue;
        equal = false;
        replay_refuse(rc, part, i, VERDICT_SIGNATURE_REPLAYED);
        if (part->job->refusals_n == ADMIT_REFUSALS_MAX)
            break;
    }
    return equal ? REPLAY_RETRY : REPLAY_REFUSED;
}

static enum replay_result replay_judge(struct broker *b, struct produce_part *part,
                                       const int64_t *offset, const struct replay_found *f)
{
    struct partition *p = part->partition;
    struct replay_compare rc = {.b = b, .p = p, .last = -1};
    enum replay_result result = REPLAY_REFUSED;
    if (!b->scratch)
        b->scratch = admit_scratch_new();
    if (!admit_cursor_open(&rc.mine, b->scratch, 0, part->batch.bytes))
        return REPLAY_REFUSED;
    if (f->seen == part->job->signatures_n) {
        if (f->most >= plog_end_offset(p->log)) /* twice in this very batch */
            result = REPLAY_REFUSED;
        else if (f->most >= plog_stable_offset(p->log))
            return REPLAY_WAIT;
        else
            result = replay_compare_all(&rc, part, offset);
    }
    if (result == REPLAY_RETRY) {
        part->base_offset = offset[0];
        part->needed_offset = f->most + 1;
    } else if (part->job->refusals_n == 0) {
        for (size_t i = 0; i < part->job->signatures_n; i++) {
            if (offset[i] == REPLAY_TOO_OLD_MARK)
                replay_refuse(&rc, part, i, VERDICT_SIGNATURE_EXPIRED);
            else if (offset[i] >= 0)
                replay_refuse(&rc, part, i, VERDICT_SIGNATURE_REPLAYED);
        }
    }
    buf_unref(rc.buf);
    return result;
}

enum replay_result replays_check(struct broker *b, struct produce_part *part)
{
    const struct admit_job *job = part->job;
    if (!job || job->signatures_n == 0 || !job->topic->governed)
        return REPLAY_NONE;
    if (b->now_ms < part->partition->replay_blind_until_ms)
        return REPLAY_FULL;
    int64_t *offset = arena_alloc(&part->row->arena, job->signatures_n * sizeof *offset);
    struct replay_found f = replay_insert_all(b, part, offset);
    if (!f.full && f.seen == 0 && f.too_old == 0)
        return REPLAY_NONE;
    replay_take_back(b, part, offset);
    return f.full ? REPLAY_FULL : replay_judge(b, part, offset, &f);
}
