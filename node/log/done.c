/* Completions. */
#include "log/state.h"

#include "base/log.h"

#include <errno.h>

void log_store_fail(struct store *s, const char *what, int status)
{
    if (!s->failed) {
        log_event(LOG_ERROR, "log", "the store has failed and must be recovered by a new start",
                  LOG_T("what", what), LOG_I("errno", -status));
    }
    s->failed = true;
    s->stats.syncs_failed++;
}

static void remove_file(struct disk_ops *ops, const struct plog *p, int64_t base,
                        const char *suffix)
{
    char path[DISK_PATH_MAX];
    log_path_segment(&p->id, base, suffix, path);
    disk_ops_add(ops, DISK_FILES, DISK_REMOVE, path);
}

struct gone {
    struct plog *p;
    struct disk_ops *ops;
};

static void segment_gone(void *arg, int64_t base)
{
    struct gone *g = arg;
    remove_file(g->ops, g->p, base, ".log");
    remove_file(g->ops, g->p, base, ".index");
}

static void remove_plog(struct store *s, struct plog *p, struct disk_ops *ops)
{
    log_plog_forget(s, p);
    for (uint32_t i = 0; i < p->segments_n; i++) {
        remove_file(ops, p, p->segment[i].base, ".log");
        remove_file(ops, p, p->segment[i].base, ".index");
    }
    char path[DISK_PATH_MAX];
    log_path_dir(&p->id, path);
    disk_ops_add(ops, DISK_FILES, DISK_REMOVE, path);
    p->files_removed = true;
}

static void touched_done(struct store *s, const struct log_touched *t, struct disk_ops *ops,
                         store_moved moved, void *arg)
{
    struct plog *p = t->plog;
    p->touched = false;
    p->holds--;
    if (p->deleted) {
        /* Its last write is before the removal in the files' queue. */
        if (p->delete_packed && !p->files_removed) {
            remove_plog(s, p, ops);
        }
        log_plog_release(s, p);
        return;
    }
    if (t->mark.offset > p->synced.offset) {
        p->synced = t->mark;
    }
    bool m = log_plog_settle(p);
    if (p->start_packed > p->start) {
        p->start = p->start_packed;
        m = true;
        struct gone g = {p, ops};
        log_plog_trim(s, p, segment_gone, &g);
    }
    if (m && moved) {
        moved(arg, p);
    }
}

static void group_done(struct store *s, int status, struct disk_ops *ops, store_moved moved,
                       void *arg)
{
    struct log_journal *j = &s->journal;
    if (status) {
        log_store_fail(s, "write or sync of the journal", status);
        return;
    }
    s->group.active = false;
    j->synced_lsn = s->group.end_lsn;
    if (j->synced_seq != j->slot[j->current].seq) {
        j->synced_seq = j->slot[j->current].seq;
        log_journal_recycle(s);
    }
    size_t n = s->group.touched_n;
    s->group.touched_n = 0;
    for (size_t i = 0; i < n; i++) {
        touched_done(s, &s->group.touched[i], ops, moved, arg);
    }
}

/* Rows complete in order but for those that failed and are tried again, so a plog's written mark
 * follows the first row that is not done. */
static bool written_advance(struct store *s, struct plog *p)
{
    bool any = false;
    while (p->row_first && p->row_first->done) {
        struct log_row *r = p->row_first;
        p->written = r->mark;
        s->pending_bytes -= r->bytes;
        p->row_first = r->plog_next;
        if (!p->row_first) {
            p->row_last = NULL;
        }
        log_row_free(s, r);
        any = true;
    }
    return any;
}

static void file_done(struct store *s, struct log_row *r, int status, int64_t now_ms,
                      store_moved moved, void *arg)
{
    struct plog *p = r->plog;
    bool optional = r->kind == ROW_ALLOCATE && status != -ENOSPC && status != -EDQUOT;
    /* A deleted replica's bytes may be dropped only when the deletion is durable: until then a
     * crash brings it back, and a checkpoint may count on them. */
    if (status && !optional && !p->files_removed) {
        if (!s->rows_failed) {
            log_event(LOG_WARN, "log", "a segment cannot be written: appends stop",
                      LOG_I("errno", -status));
        }
        r->failed = true;
        s->rows_failed++;
        s->retry_ms = now_ms + LOG_RETRY_MS;
        return;
    }
    if (r->kind != ROW_WRITE) {
        log_row_free(s, r);
        log_plog_release(s, p);
        return;
    }
    r->done = true;
    p->holds++; /* the rows that end now may be the last that hold it */
    bool m = written_advance(s, p) && log_plog_settle(p);
    p->holds--;
    if (p->deleted) {
        log_plog_release(s, p);
    } else if (m && moved) {
        moved(arg, p);
    }
}

void log_row_drop(struct store *s, struct log_row *r)
{
    ASSERT(r->plog->files_removed);
    file_done(s, r, 0, 0, NULL, NULL);
}

void store_done(struct store *s, uint64_t op_id, int status, int64_t now_ms, struct disk_ops *ops,
                store_moved moved, void *arg)
{
    size_t slot = op_id & 0xffffff;
    if (!op_id || s->failed) {
        return;
    }
    ASSERT(slot < s->rows_n && s->row[slot]->id == op_id);
    struct log_row *r = s->row[slot];
    enum log_row_kind kind = r->kind;
    if (kind == ROW_WRITE || kind == ROW_MAKE_DIR || kind == ROW_ALLOCATE) {
        file_done(s, r, status, now_ms, moved, arg);
        return;
    }
    if (kind == ROW_CHECKPOINT_SYNC) {
        log_checkpoint_synced(s, r, status);
    }
    log_row_free(s, r);
    if (kind == ROW_JOURNAL) {
        group_done(s, status, ops, moved, arg);
    } else if (kind == ROW_PREPARE) {
        log_journal_prepared(s, status, now_ms, ops);
    } else if (kind == ROW_CHECKPOINT_WRITE) {
        log_checkpoint_written(s, status, now_ms, ops);
    }
}
