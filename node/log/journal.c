/* The ring of journal files: which slot the next group goes to, which may be taken again, and the
 * preparation of new ones in the background (a file that was written over before syncs fastest:
 * tests/bench/bench_store.c). */
#include "log/state.h"

#include "base/log.h"

#include <errno.h>

/* SplitMix64: salts need to differ, not to be secret. */
uint64_t log_journal_salt(struct store *s)
{
    uint64_t z = s->journal.random += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void log_journal_init(struct store *s, uint64_t seed)
{
    struct log_journal *j = &s->journal;
    uint64_t slots = s->config.journal_total_bytes / s->config.journal_file_bytes;
    j->slots_max = slots < LOG_SLOTS_MIN   ? LOG_SLOTS_MIN
                   : slots > LOG_SLOTS_MAX ? LOG_SLOTS_MAX
                                           : (uint32_t)slots;
    j->current = -1;
    j->prepare_slot = -1;
    j->random = seed;
}

uint64_t log_journal_left(const struct store *s)
{
    const struct log_journal *j = &s->journal;
    return j->current < 0 ? 0 : j->slot[j->current].capacity - j->position;
}

/* Bytes that a recovery from here would have to replay. */
uint64_t log_journal_used(const struct store *s)
{
    return s->journal.lsn - s->journal.replay_lsn;
}

int log_journal_place(struct store *s, uint64_t bytes, bool *last)
{
    struct log_journal *j = &s->journal;
    *last = false;
    if (bytes <= log_journal_left(s)) {
        return j->current;
    }
    int found = -1;
    uint32_t more = 0; /* others that are or can be made free */
    for (uint32_t i = 0; i < LOG_SLOTS_MAX; i++) {
        const struct log_slot *t = &j->slot[i];
        if (t->state == SLOT_FREE && found < 0 && bytes + LOG_ALIGN <= t->capacity) {
            found = (int)i;
        } else if (t->state == SLOT_FREE || t->state == SLOT_PREPARING ||
                   (t->state == SLOT_ABSENT && i < j->slots_max)) {
            more++;
        }
    }
    if (found < 0) {
        j->file_wanted = true;
    }
    *last = more == 0;
    return found;
}

void log_journal_begin_file(struct store *s, int slot)
{
    struct log_journal *j = &s->journal;
    struct log_slot *t = &j->slot[slot];
    ASSERT(t->state == SLOT_FREE);
    t->state = SLOT_USED;
    t->seq = j->next_seq++;
    t->start_lsn = t->end_lsn = j->lsn;
    j->salt = log_journal_salt(s);
    j->current = slot;
    j->position = LOG_ALIGN;
    j->file_wanted = false;
}

/* A file may be taken again when a checkpoint covers it and a younger one is known to be on disk,
 * so that a torn first group of that one never leaves the journal without an end. */
void log_journal_recycle(struct store *s)
{
    struct log_journal *j = &s->journal;
    for (uint32_t i = 0; i < LOG_SLOTS_MAX; i++) {
        struct log_slot *t = &j->slot[i];
        if (t->state == SLOT_USED && t->end_lsn <= j->replay_lsn && t->seq < j->synced_seq) {
            t->state = SLOT_FREE;
        }
    }
}

/* ---- preparation ---- */

static void prepare_issue(struct store *s, struct disk_ops *ops)
{
    struct log_journal *j = &s->journal;
    static const enum disk_op_kind kinds[] = {DISK_ALLOCATE, DISK_WRITE, DISK_SYNC, DISK_SYNC_DIR};
    char path[DISK_PATH_MAX] = "journal";
    if (j->prepare_step != PREPARE_DIR) {
        log_path_journal(j->prepare_slot, path);
    }
    struct disk_op *op = disk_ops_add(ops, DISK_BACKGROUND, kinds[j->prepare_step], path);
    op->id = log_row_new(s, ROW_PREPARE)->id;
    if (j->prepare_step == PREPARE_ALLOCATE) {
        op->offset = s->config.journal_file_bytes;
    } else if (j->prepare_step == PREPARE_ZERO) {
        op->offset = j->prepare_at;
        uint64_t n = s->config.journal_file_bytes - j->prepare_at;
        n = n < LOG_PREPARE_CHUNK_BYTES ? n : LOG_PREPARE_CHUNK_BYTES;
        j->prepare_at += n;
        while (n) {
            size_t m = n < sizeof log_zeros ? (size_t)n : sizeof log_zeros;
            disk_op_add_part(op, NULL, slice_of(log_zeros, m));
            n -= m;
        }
    }
}

/* A new one first; when all exist, a small one of a first lap grows. */
static int prepare_choose(const struct store *s)
{
    const struct log_journal *j = &s->journal;
    int small = -1;
    for (uint32_t i = 0; i < j->slots_max; i++) {
        const struct log_slot *t = &j->slot[i];
        if (t->state == SLOT_FREE && t->capacity >= s->config.journal_file_bytes) {
            return -1;
        }
        if (t->state == SLOT_FREE && small < 0) {
            small = (int)i;
        }
    }
    for (uint32_t i = 0; i < j->slots_max; i++) {
        if (j->slot[i].state == SLOT_ABSENT) {
            return (int)i;
        }
    }
    return small;
}

void log_journal_prepare(struct store *s, int64_t now_ms, struct disk_ops *ops)
{
    struct log_journal *j = &s->journal;
    bool soon = j->current >= 0 && j->position > j->slot[j->current].capacity / 2;
    /* On a nearly full disk only what waits counts: it may be retention's way to make space. */
    soon = soon && !s->space_low;
    if (s->failed || j->prepare_slot >= 0 || now_ms < j->prepare_again_ms ||
        (!soon && !j->file_wanted)) {
        return;
    }
    int slot = prepare_choose(s);
    if (slot < 0) {
        return;
    }
    j->prepare_existed = j->slot[slot].state == SLOT_FREE;
    j->slot[slot].state = SLOT_PREPARING;
    j->prepare_slot = slot;
    j->prepare_at = 0;
    j->prepare_step = PREPARE_ALLOCATE;
    prepare_issue(s, ops);
}

static void prepare_give_up(struct store *s, int status, int64_t now_ms, struct disk_ops *ops)
{
    struct log_journal *j = &s->journal;
    log_event(LOG_WARN, "log", "a journal file could not be prepared", LOG_I("errno", -status));
    if (j->prepare_existed) {
        j->slot[j->prepare_slot].state = SLOT_FREE;
    } else {
        char path[DISK_PATH_MAX];
        log_path_journal(j->prepare_slot, path);
        disk_ops_add(ops, DISK_BACKGROUND, DISK_REMOVE, path);
        j->slot[j->prepare_slot].state = SLOT_ABSENT;
    }
    j->prepare_slot = -1;
    j->prepare_again_ms = now_ms + LOG_RETRY_MS;
}

void log_journal_prepared(struct store *s, int status, int64_t now_ms, struct disk_ops *ops)
{
    struct log_journal *j = &s->journal;
    if (status && j->prepare_step >= PREPARE_SYNC) {
        log_store_fail(s, "sync of a new journal file", status);
        return;
    }
    bool optional = j->prepare_step == PREPARE_ALLOCATE && status != -ENOSPC && status != -EDQUOT;
    if (status && !optional) {
        prepare_give_up(s, status, now_ms, ops);
        return;
    }
    if (j->prepare_step == PREPARE_ZERO && j->prepare_at < s->config.journal_file_bytes) {
        prepare_issue(s, ops);
        return;
    }
    if (j->prepare_step != PREPARE_DIR) {
        j->prepare_step++;
        prepare_issue(s, ops);
        return;
    }
    j->slot[j->prepare_slot].state = SLOT_FREE;
    j->slot[j->prepare_slot].capacity = s->config.journal_file_bytes;
    j->prepare_slot = -1;
}
