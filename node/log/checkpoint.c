/* A checkpoint: the state of all plogs at one place in the journal, their segments synced up to it,
 * then written as a file; the journal below may be taken again. Two files take turns. */
#include "log/state.h"

#include "base/codec.h"
#include "base/log.h"
#include "base/mem.h"

#include <errno.h>

/* ---- the image ---- */

enum { PLOG_FIXED_BYTES = 64, SEGMENT_BYTES = 36, EPOCH_BYTES = 12 };

static size_t plog_bytes(const struct plog *p)
{
    return PLOG_FIXED_BYTES + p->segments_n * SEGMENT_BYTES + p->epochs_n * EPOCH_BYTES +
           (p->note ? p->note->n : 0);
}

static uint8_t *plog_put(uint8_t *at, const struct plog *p)
{
    memcpy(at, p->id.topic, 16);
    be32_put(at + 16, (uint32_t)p->id.partition);
    be32_put(at + 20, p->no);
    be64_put(at + 24, (uint64_t)p->start_wanted);
    be64_put(at + 32, (uint64_t)p->end.offset);
    be64_put(at + 40, (uint64_t)p->note_offset);
    be32_put(at + 48, p->segments_n);
    be32_put(at + 52, p->epochs_n);
    be32_put(at + 56, p->note ? (uint32_t)p->note->n : 0);
    be32_put(at + 60, p->dir_made);
    at += PLOG_FIXED_BYTES;
    for (uint32_t i = 0; i < p->segments_n; i++, at += SEGMENT_BYTES) {
        const struct log_segment *g = &p->segment[i];
        be64_put(at, (uint64_t)g->base);
        be32_put(at + 8, g->size);
        be64_put(at + 12, (uint64_t)g->created_ms);
        be64_put(at + 20, (uint64_t)g->max_timestamp);
        be64_put(at + 28, (uint64_t)g->max_offset);
    }
    for (uint32_t i = 0; i < p->epochs_n; i++, at += EPOCH_BYTES) {
        be32_put(at, (uint32_t)p->epoch[i].epoch);
        be64_put(at + 4, (uint64_t)p->epoch[i].start_offset);
    }
    if (p->note) {
        memcpy(at, p->note->data, p->note->n);
        at += p->note->n;
    }
    return at;
}

struct buf *log_checkpoint_encode(const struct store *s, uint64_t seq, uint64_t replay_lsn)
{
    struct log_checkpoint_header h = {.store_id = s->journal.store_id,
                                      .seq = seq,
                                      .replay_lsn = replay_lsn,
                                      .synced_lsn = replay_lsn,
                                      .next_no = s->next_no,
                                      .total_bytes = LOG_CHECKPOINT_HEADER_BYTES};
    for (const struct plog *p = s->first; p; p = p->next) {
        h.total_bytes += plog_bytes(p);
        h.plogs_n++;
    }
    struct buf *b = buf_new(h.total_bytes);
    uint8_t *at = b->data + LOG_CHECKPOINT_HEADER_BYTES;
    for (const struct plog *p = s->first; p; p = p->next) {
        at = plog_put(at, p);
    }
    b->n = (size_t)(at - b->data);
    ASSERT(b->n == h.total_bytes);
    log_checkpoint_header_put(b->data, &h);
    return b;
}

/* Do the decoded books hang together? Behind a valid checksum only another version gets this wrong,
 * but nothing that is read may reach an assertion. */
static bool plog_sane(const struct plog *p)
{
    const struct log_segment *last = &p->segment[p->segments_n - 1];
    for (uint32_t i = 0; i < p->segments_n; i++) {
        const struct log_segment *g = &p->segment[i];
        if (g->base < 0 || g->size > LOG_SEGMENT_MAX_BYTES || (!g->size) != (g->max_offset < 0) ||
            (g != last && (!g->size || g->base >= g[1].base))) {
            return false;
        }
    }
    return p->start >= 0 && p->start <= p->end.offset && p->note_offset <= p->end.offset &&
           (last->size ? last->base < p->end.offset : last->base == p->end.offset);
}

static const uint8_t *plog_get_lists(struct plog *p, const uint8_t *at, size_t segments_n,
                                     size_t epochs_n, size_t note_n)
{
    for (size_t i = 0; i < segments_n; i++, at += SEGMENT_BYTES) {
        struct log_segment *g = log_segment_add(p, (int64_t)be64_get(at));
        g->size = be32_get(at + 8);
        g->created_ms = (int64_t)be64_get(at + 12);
        g->max_timestamp = (int64_t)be64_get(at + 20);
        g->max_offset = (int64_t)be64_get(at + 28);
    }
    for (size_t i = 0; i < epochs_n; i++, at += EPOCH_BYTES) {
        log_plog_epoch(p, (int32_t)be32_get(at), (int64_t)be64_get(at + 4));
    }
    if (p->note_offset >= 0) {
        p->note = buf_from(at, note_n);
    }
    return at + note_n;
}

static const uint8_t *plog_get(struct store *s, const uint8_t *at, const uint8_t *end)
{
    if (end - at < PLOG_FIXED_BYTES) {
        return NULL;
    }
    struct plog_id id;
    memcpy(id.topic, at, 16);
    id.partition = (int32_t)be32_get(at + 16);
    uint32_t no = be32_get(at + 20);
    size_t segments_n = be32_get(at + 48), epochs_n = be32_get(at + 52), note_n = be32_get(at + 56);
    size_t n = PLOG_FIXED_BYTES + segments_n * SEGMENT_BYTES + epochs_n * EPOCH_BYTES + note_n;
    if (segments_n == 0 || segments_n > LOG_SEGMENTS_MAX || epochs_n > LOG_EPOCHS_MAX ||
        note_n > LOG_NOTE_MAX_BYTES || n > (size_t)(end - at) || store_find(s, &id) ||
        log_plog_by_no(s, no)) {
        return NULL;
    }
    struct plog *p = log_plog_new(s, &id, no);
    p->start = p->start_wanted = p->start_packed = (int64_t)be64_get(at + 24);
    p->end.offset = (int64_t)be64_get(at + 32);
    p->note_offset = (int64_t)be64_get(at + 40);
    p->dir_made = be32_get(at + 60) != 0;
    at = plog_get_lists(p, at + PLOG_FIXED_BYTES, segments_n, epochs_n, note_n);
    if (!plog_sane(p)) {
        log_plog_free(p);
        return NULL;
    }
    p->end.segment = log_active(p)->base;
    p->end.position = log_active(p)->size;
    log_plog_link(s, p);
    log_plog_trim(s, p, NULL, NULL);
    return at;
}

int log_checkpoint_decode(struct store *s, struct slice file, const struct log_checkpoint_header *h,
                          struct err *err)
{
    const uint8_t *at = file.p + LOG_CHECKPOINT_HEADER_BYTES;
    for (uint32_t i = 0; i < h->plogs_n; i++) {
        at = plog_get(s, at, file.p + h->total_bytes);
        if (!at) {
            return err_set(err, ERR_CORRUPT,
                           "the checkpoint in journal/ has a valid checksum but impossible "
                           "contents: it was written by another version of Writ, start that one");
        }
    }
    s->next_no = h->next_no;
    return 0;
}

/* ---- its course ---- */

bool log_checkpoint_due(const struct store *s, int64_t now_ms)
{
    const struct log_checkpoint *c = &s->checkpoint;
    uint64_t used = log_journal_used(s);
    if (c->step != CHECKPOINT_NONE || s->rows_failed || s->failed) {
        return false;
    }
    return used > s->config.journal_total_bytes / 4 ||
           (used && !s->entries_n && now_ms - s->last_append_ms >= LOG_IDLE_CHECKPOINT_MS);
}

static void item_add(struct log_checkpoint *c, struct log_sync_item item)
{
    if (c->items_n == c->items_cap) {
        c->items_cap = c->items_cap ? c->items_cap * 2 : 16;
        c->item = mem_realloc(c->item, c->items_cap * sizeof *c->item);
    }
    c->item[c->items_n++] = item;
}

static void items_of(struct log_checkpoint *c, struct plog *p)
{
    bool dir = false;
    for (uint32_t i = 0; i < p->segments_n; i++) {
        struct log_segment *g = &p->segment[i];
        if (g->dirty) {
            item_add(c,
                     (struct log_sync_item){.kind = g == log_active(p) ? ITEM_SEGMENT : ITEM_ROLLED,
                                            .plog_no = p->no,
                                            .segment = g->base,
                                            .size = g->size});
        }
        dir |= g->new_file;
        g->dirty = g->new_file = false;
    }
    if (dir) {
        item_add(c, (struct log_sync_item){.kind = ITEM_DIR, .plog_no = p->no});
    }
    p->dirty = false;
}

void log_checkpoint_begin(struct store *s, uint64_t lsn)
{
    struct log_checkpoint *c = &s->checkpoint;
    c->step = CHECKPOINT_WAIT;
    c->lsn = lsn;
    c->rows_below = s->row_serial + 1;
    c->items_n = c->items_issued = c->items_done = 0;
    c->image = log_checkpoint_encode(s, c->seq + 1, lsn);
    for (struct plog *p = s->first; p; p = p->next) {
        if (p->dirty) {
            items_of(c, p);
        }
    }
    if (s->topics_dirty) {
        item_add(c, (struct log_sync_item){.kind = ITEM_TOPICS});
        s->topics_dirty = false;
    }
}

/* The index beside a segment that was just synced: of a rolled one whole and for good, of an active
 * one now and then so that a restart need not scan much. Without a sync: its checksum tells. */
static void save_index(struct store *s, struct plog *p, struct log_segment *g,
                       const struct log_sync_item *item, struct disk_ops *ops)
{
    struct log_index *x;
    bool rolled = item->kind == ITEM_ROLLED;
    if (!rolled && (!g->index || g->index->n < g->index->saved_n + LOG_INDEX_SAVE_ENTRIES)) {
        return;
    }
    if (log_index_get(s, p, g, &x, NULL) == 0) {
        struct buf *b = log_index_encode(p, g, item->size);
        char path[DISK_PATH_MAX];
        log_path_segment(&p->id, g->base, ".index", path);
        struct disk_op *op = disk_ops_add(ops, DISK_BACKGROUND, DISK_WRITE, path);
        disk_op_add_part(op, b, buf_bytes(b));
        buf_unref(b);
        x->saved_n = x->n;
    }
    if (rolled && !g->dirty) {
        log_index_free(g->index);
        g->index = NULL;
    }
}

static bool issue_item(struct store *s, const struct log_sync_item *item, struct disk_ops *ops)
{
    char path[DISK_PATH_MAX] = "topics";
    enum disk_op_kind kind = DISK_SYNC_DIR;
    if (item->kind != ITEM_TOPICS) {
        struct plog *p = log_plog_by_no(s, item->plog_no);
        struct log_segment *g = p ? log_segment_find(p, item->segment) : NULL;
        if (!p || (!g && item->kind != ITEM_DIR)) {
            return false; /* gone for good meanwhile */
        }
        log_path_dir(&p->id, path);
        if (item->kind != ITEM_DIR) {
            log_path_segment(&p->id, item->segment, ".log", path);
            kind = DISK_SYNC;
            if (item->kind == ITEM_ROLLED && g->allocated > g->size) {
                disk_ops_add(ops, DISK_BACKGROUND, DISK_TRUNCATE, path)->offset = g->size;
                g->allocated = 0;
            }
        }
    }
    struct log_row *r = log_row_new(s, ROW_CHECKPOINT_SYNC);
    r->position = (uint32_t)(item - s->checkpoint.item);
    disk_ops_add(ops, DISK_BACKGROUND, kind, path)->id = r->id;
    if (kind == DISK_SYNC) {
        struct plog *p = log_plog_by_no(s, item->plog_no);
        if (!p->deleted) {
            save_index(s, p, log_segment_find(p, item->segment), item, ops);
        }
    }
    return true;
}

static void issue_image(struct store *s, struct disk_ops *ops)
{
    struct log_checkpoint *c = &s->checkpoint;
    log_checkpoint_set_synced(c->image->data, c->image->n, s->journal.synced_lsn);
    char path[DISK_PATH_MAX];
    log_path_checkpoint(c->seq + 1, path);
    struct disk_op *op = disk_ops_add(ops, DISK_BACKGROUND, DISK_WRITE_SYNC, path);
    op->id = log_row_new(s, ROW_CHECKPOINT_WRITE)->id;
    disk_op_add_part(op, c->image, buf_bytes(c->image));
    c->step = CHECKPOINT_WRITE;
}

void log_checkpoint_step(struct store *s, int64_t now_ms, struct disk_ops *ops)
{
    struct log_checkpoint *c = &s->checkpoint;
    if (c->step == CHECKPOINT_WAIT && s->journal.synced_lsn >= c->lsn &&
        (!s->file_first || s->file_first->serial >= c->rows_below)) {
        c->step = CHECKPOINT_SYNC;
    }
    if (c->step != CHECKPOINT_SYNC) {
        return;
    }
    while (c->items_issued < c->items_n && c->items_issued - c->items_done < LOG_SYNCS_WINDOW) {
        if (!issue_item(s, &c->item[c->items_issued++], ops)) {
            c->items_done++;
        }
    }
    if (c->items_done == c->items_n && now_ms >= c->again_ms) {
        issue_image(s, ops);
    }
}

void log_checkpoint_synced(struct store *s, const struct log_row *r, int status)
{
    struct log_checkpoint *c = &s->checkpoint;
    const struct log_sync_item *item = &c->item[r->position];
    c->items_done++;
    if (!status) {
        return;
    }
    const struct plog *p = item->kind == ITEM_TOPICS ? NULL : log_plog_by_no(s, item->plog_no);
    bool gone = item->kind != ITEM_TOPICS &&
                (!p || (item->kind != ITEM_DIR && !log_segment_find(p, item->segment)));
    if (status != -ENOENT || !gone) {
        log_store_fail(s, "sync of a segment", status);
    }
}

void log_checkpoint_written(struct store *s, int status, int64_t now_ms, struct disk_ops *ops)
{
    struct log_checkpoint *c = &s->checkpoint;
    if (status == -ENOSPC || status == -EDQUOT) {
        /* What was synced for it stays synced, and the whole file is written again, so a failed
         * sync of it hides nothing. The image must not be given up: when the ring is full, only
         * this checkpoint can make room. */
        log_event(LOG_WARN, "log", "no space for a checkpoint", LOG_I("errno", -status));
        c->step = CHECKPOINT_SYNC;
        c->again_ms = now_ms + LOG_RETRY_MS;
        return;
    }
    if (status) {
        log_store_fail(s, "write or sync of a checkpoint", status);
        return;
    }
    if (c->step == CHECKPOINT_WRITE) {
        /* The first two checkpoints create their file: nothing may be recycled on the word of a
         * file that a power cut would take away. Later this costs next to nothing. */
        disk_ops_add(ops, DISK_BACKGROUND, DISK_SYNC_DIR, "journal")->id =
            log_row_new(s, ROW_CHECKPOINT_WRITE)->id;
        c->step = CHECKPOINT_DIR;
        return;
    }
    c->seq++;
    c->step = CHECKPOINT_NONE;
    s->journal.replay_lsn = c->lsn;
    log_journal_recycle(s);
    s->stats.checkpoints++;
    buf_unref(c->image);
    c->image = NULL;
}
