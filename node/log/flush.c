/* Packing: what waits becomes one journal group and, beside it, writes to the segments. */
#include "log/state.h"

#include "base/codec.h"
#include "base/mem.h"

/* What the next group will hold. */
struct pack {
    size_t n; /* entries */
    size_t header_bytes, copied_bytes, body_bytes;
    size_t copy_max; /* batches up to this size are copied into the group's buffer */
    size_t bigs;     /* the others */
};

static size_t entry_header_bytes(const struct log_entry *e)
{
    return e->kind == LOG_BATCH ? LOG_RECORD_BATCH_BYTES : LOG_RECORD_SMALL_BYTES + e->bytes.n;
}

static uint64_t pack_total(const struct pack *k)
{
    return (k->header_bytes + k->body_bytes + LOG_ALIGN - 1) / LOG_ALIGN * LOG_ALIGN;
}

/* The files of a deleted replica are removed when its group is synced; one of the same name that is
 * created right after must come in a later group, or its files would go with them. */
static bool follows_deletion(struct store *s, size_t at)
{
    const struct plog_id *id = &log_entry_at(s, at)->plog->id;
    for (size_t i = 0; i < at; i++) {
        const struct log_entry *e = log_entry_at(s, i);
        if (e->kind == LOG_DELETE && memcmp(&e->plog->id, id, sizeof *id) == 0) {
            return true;
        }
    }
    return false;
}

static void measure(struct store *s, struct pack *k, uint64_t limit, size_t copy_max)
{
    *k = (struct pack){.header_bytes = LOG_GROUP_HEADER_BYTES, .copy_max = copy_max};
    bool deletes = false;
    for (size_t i = 0; i < s->entries_n; i++) {
        const struct log_entry *e = log_entry_at(s, i);
        if (e->kind == LOG_CREATE && deletes && follows_deletion(s, i)) {
            break;
        }
        deletes |= e->kind == LOG_DELETE;
        size_t h = entry_header_bytes(e), b = e->kind == LOG_BATCH ? e->bytes.n : 0;
        bool big = b > copy_max;
        if (k->header_bytes + h + k->body_bytes + b > limit ||
            (big && k->bigs == LOG_GROUP_RECORDS_MAX / 2)) {
            break;
        }
        k->header_bytes += h;
        k->body_bytes += b;
        k->copied_bytes += big ? 0 : b;
        k->bigs += big;
        k->n++;
    }
}

/* All that waits, for a snapshot; more copying keeps the number of parts in bounds. */
static bool measure_all(struct store *s, struct pack *k)
{
    for (size_t copy_max = LOG_COPY_MAX_BYTES; copy_max <= 1u << 20; copy_max *= 8) {
        measure(s, k, UINT32_MAX, copy_max);
        if (k->n == s->entries_n) {
            return true;
        }
    }
    return false;
}

/* Decides what the next group holds and where it goes. False: nothing, or it must wait. */
static bool plan(struct store *s, struct pack *k, int *slot, bool *snapshot)
{
    if (*snapshot) {
        *snapshot = measure_all(s, k);
    }
    if (!*snapshot) {
        /* One entry larger than the limit still goes, alone. */
        uint64_t limit = s->config.group_max_bytes;
        measure(s, k, limit, LOG_COPY_MAX_BYTES);
        if (!k->n) {
            const struct log_entry *e = log_entry_at(s, 0);
            limit = LOG_GROUP_HEADER_BYTES + LOG_RECORD_BATCH_BYTES + e->bytes.n;
            measure(s, k, limit, LOG_COPY_MAX_BYTES);
        }
    }
    bool last;
    *slot = log_journal_place(s, pack_total(k), &last);
    if (*slot == s->journal.current && *slot >= 0) {
        return true;
    }
    bool may_snapshot = s->checkpoint.step == CHECKPOINT_NONE && !s->rows_failed;
    if (*slot >= 0 && last && !*snapshot) {
        struct pack all;
        *snapshot = may_snapshot && measure_all(s, &all);
        if (*snapshot) {
            *k = all;
            *slot = log_journal_place(s, pack_total(k), &last);
        } else if (!may_snapshot) {
            *slot = -1; /* one is under way: it will free files */
        }
    }
    if (*slot < 0) {
        /* No file for it: what still fits into the current one need not wait. */
        *snapshot = false;
        measure(s, k, log_journal_left(s), LOG_COPY_MAX_BYTES);
        *slot = s->journal.current;
    }
    return k->n > 0 && *slot >= 0;
}

/* ---- rows ---- */

void log_row_issue(struct store *s, struct log_row *r, struct disk_ops *ops)
{
    (void)s;
    char path[DISK_PATH_MAX];
    static const enum disk_op_kind kinds[] = {
        [ROW_WRITE] = DISK_WRITE, [ROW_MAKE_DIR] = DISK_MAKE_DIR, [ROW_ALLOCATE] = DISK_ALLOCATE};
    if (r->kind == ROW_MAKE_DIR) {
        log_path_dir(&r->plog->id, path);
    } else {
        log_path_segment(&r->plog->id, r->segment, ".log", path);
    }
    struct disk_op *op = disk_ops_add(ops, DISK_FILES, kinds[r->kind], path);
    op->id = r->id;
    op->offset = r->position;
    for (uint32_t i = 0; i < r->parts_n; i++) {
        disk_op_add_part(op, r->part[i].buf, r->part[i].bytes);
    }
}

static struct log_row *file_row(struct store *s, struct plog *p, enum log_row_kind kind,
                                int64_t segment, uint32_t position)
{
    struct log_row *r = log_row_new(s, kind);
    r->plog = p;
    r->segment = segment;
    r->position = position;
    log_file_row_link(s, r);
    return r;
}

/* Space for what comes is taken ahead, so that a full disk shows before a batch is admitted. */
static void reserve(struct store *s, struct plog *p, struct log_segment *g, uint32_t end)
{
    if (end < LOG_ALLOCATE_FROM_BYTES || end + LOG_ALLOCATE_CHUNK_BYTES / 2 <= g->allocated) {
        return;
    }
    uint64_t most = p->settings.segment_bytes ? p->settings.segment_bytes : s->config.segment_bytes;
    uint64_t target = (uint64_t)end + LOG_ALLOCATE_CHUNK_BYTES;
    target = target < most ? target : most;
    if (target <= g->allocated || target <= end) {
        return;
    }
    g->allocated = (uint32_t)target;
    file_row(s, p, ROW_ALLOCATE, g->base, g->allocated);
}

static struct log_row *row_for(struct store *s, const struct log_entry *e)
{
    struct plog *p = e->plog;
    struct log_row *r = p->row_pack;
    if (r && r->segment == e->segment && r->position + r->bytes == e->position) {
        return r;
    }
    if (!p->dir_made) {
        p->dir_made = true;
        s->topics_dirty = true;
        file_row(s, p, ROW_MAKE_DIR, 0, 0);
    }
    struct log_segment *g = log_segment_find(p, e->segment);
    ASSERT(g);
    g->dirty = p->dirty = true;
    g->new_file |= e->position == 0;
    reserve(s, p, g, e->position + (uint32_t)e->bytes.n);
    return p->row_pack = file_row(s, p, ROW_WRITE, e->segment, e->position);
}

/* ---- the group ---- */

static struct log_touched *touch(struct store *s, struct plog *p)
{
    struct log_group *g = &s->group;
    if (!p->touched) {
        if (g->touched_n == g->touched_cap) {
            g->touched_cap = g->touched_cap ? g->touched_cap * 2 : 16;
            g->touched = mem_realloc(g->touched, g->touched_cap * sizeof *g->touched);
        }
        p->touched = true;
        p->touched_at = (uint32_t)g->touched_n;
        p->holds++;
        g->touched[g->touched_n++] = (struct log_touched){.plog = p, .mark = {.offset = -1}};
    }
    return &g->touched[p->touched_at];
}

static struct log_record entry_record(const struct log_entry *e)
{
    struct log_record r = {.kind = e->kind, .plog_no = e->plog->no, .value = e->value};
    if (e->kind == LOG_BATCH) {
        r.base_offset = e->base_offset;
        r.segment = e->segment;
        r.position = e->position;
        r.size_bytes = (uint32_t)e->bytes.n;
        r.crc = be32_get(e->bytes.p + 17);
        r.records_n = e->records_n;
        r.epoch = e->epoch;
        r.max_timestamp = e->max_timestamp;
    } else {
        r.inline_bytes = e->bytes;
    }
    return r;
}

/* The segment's side of one batch, whose bytes now are `bytes` in b. */
static void pack_segment(struct store *s, const struct log_entry *e, struct buf *b,
                         struct slice bytes)
{
    struct plog *p = e->plog;
    if (p->deleted) {
        s->pending_bytes -= bytes.n; /* nobody will read it */
        return;
    }
    struct log_row *r = row_for(s, e);
    log_row_part(r, b, bytes);
    r->bytes += (uint32_t)bytes.n;
    r->mark = (struct log_mark){e->base_offset + e->records_n, e->segment,
                                e->position + (uint32_t)bytes.n};
    touch(s, p)->mark = r->mark;
}

static void pack_entries(struct store *s, const struct pack *k, struct buf *g, struct disk_op *op)
{
    uint8_t *head = g->data + LOG_GROUP_HEADER_BYTES;
    uint8_t *body = g->data + k->header_bytes;
    uint8_t *run = g->data; /* of bytes in g that are not yet a part */
    for (size_t i = 0; i < k->n; i++) {
        struct log_entry *e = log_entry_at(s, 0);
        struct plog *p = e->plog;
        struct log_record r = entry_record(e);
        head += log_record_put(head, &r);
        touch(s, p);
        if (e->kind == LOG_BATCH && e->bytes.n <= k->copy_max) {
            memcpy(body, e->bytes.p, e->bytes.n);
            pack_segment(s, e, g, slice_of(body, e->bytes.n));
            body += e->bytes.n;
        } else if (e->kind == LOG_BATCH) {
            if (body > run) {
                disk_op_add_part(op, g, slice_of(run, (size_t)(body - run)));
            }
            run = body;
            disk_op_add_part(op, e->buf, e->bytes);
            pack_segment(s, e, e->buf, e->bytes);
        } else if (e->kind == LOG_START && e->value > p->start_packed) {
            p->start_packed = e->value;
        } else if (e->kind == LOG_DELETE) {
            p->delete_packed = true;
        }
        log_entry_drop(s, e);
    }
    if (body > run) {
        disk_op_add_part(op, g, slice_of(run, (size_t)(body - run)));
    }
    ASSERT(head == g->data + k->header_bytes && body == g->data + g->n);
}

static void pack_file_header(struct store *s, struct disk_op *op)
{
    struct log_journal *j = &s->journal;
    const struct log_slot *t = &j->slot[j->current];
    struct log_file_header h = {.store_id = j->store_id,
                                .seq = t->seq,
                                .start_lsn = t->start_lsn,
                                .salt = j->salt,
                                .capacity = t->capacity};
    struct buf *b = buf_new(LOG_FILE_HEADER_BYTES);
    log_file_header_put(b->data, &h);
    b->n = LOG_FILE_HEADER_BYTES;
    disk_op_add_part(op, b, buf_bytes(b));
    disk_op_add_part(op, NULL, slice_of(log_zeros, LOG_ALIGN - LOG_FILE_HEADER_BYTES));
    op->offset = 0;
    buf_unref(b);
}

static void pack_group(struct store *s, const struct pack *k, int slot, struct disk_ops *ops)
{
    struct log_journal *j = &s->journal;
    char path[DISK_PATH_MAX];
    log_path_journal(slot, path);
    /* Built apart: adding the segments' operations would move it. */
    struct disk_ops one = {0};
    struct disk_op *op = disk_ops_add(&one, DISK_JOURNAL, DISK_WRITE_SYNC, path);
    bool begins = slot != j->current;
    if (begins) {
        log_journal_begin_file(s, slot);
        pack_file_header(s, op);
    } else {
        op->offset = j->position;
    }
    struct buf *g = buf_new(k->header_bytes + k->copied_bytes);
    g->n = k->header_bytes + k->copied_bytes;
    s->group.touched_n = 0;
    struct log_row *before = s->file_last;
    pack_entries(s, k, g, op);
    struct log_group_header h = {.salt = j->salt,
                                 .lsn = j->lsn,
                                 .synced_lsn = j->synced_lsn,
                                 .header_bytes = (uint32_t)k->header_bytes,
                                 .group_bytes = (uint32_t)(k->header_bytes + k->body_bytes),
                                 .records_n = (uint32_t)k->n};
    log_group_header_put(g->data, &h);
    uint64_t total = pack_total(k);
    if (total > h.group_bytes) {
        disk_op_add_part(op, NULL, slice_of(log_zeros, (size_t)(total - h.group_bytes)));
    }
    buf_unref(g);
    op->id = log_row_new(s, ROW_JOURNAL)->id;
    *disk_ops_add(ops, DISK_JOURNAL, DISK_WRITE_SYNC, path) = *op;
    mem_free(one.op);

    j->position += total;
    j->lsn += total;
    j->slot[slot].end_lsn = j->lsn;
    s->group.active = true;
    s->group.end_lsn = j->lsn;
    s->stats.groups++;
    s->stats.group_bytes += total;
    for (struct log_row *r = before ? before->next : s->file_first; r; r = r->next) {
        r->plog->row_pack = NULL;
        log_row_issue(s, r, ops);
    }
}

void store_flush(struct store *s, int64_t now_ms, struct disk_ops *ops)
{
    if (s->failed) {
        return;
    }
    if (!s->group.active) {
        bool snapshot = log_checkpoint_due(s, now_ms);
        if (!s->entries_n) {
            if (snapshot) {
                log_checkpoint_begin(s, s->journal.lsn);
            }
        } else {
            struct pack k;
            int slot;
            if (plan(s, &k, &slot, &snapshot)) {
                pack_group(s, &k, slot, ops);
                if (snapshot) {
                    log_checkpoint_begin(s, s->journal.lsn);
                }
            }
        }
    }
    log_checkpoint_step(s, now_ms, ops);
    log_journal_prepare(s, now_ms, ops);
}
