/* Retention by whole segments, rolling by age, log start offsets, retries. */
#include "log/state.h"

#include "base/mem.h"

void log_roll(struct plog *p)
{
    struct log_segment *g = log_active(p);
    ASSERT(g->size);
    g->dirty = p->dirty = true; /* the next checkpoint saves its index for good */
    log_segment_add(p, p->end.offset);
}

void log_raise_start(struct store *s, struct plog *p, int64_t offset)
{
    ASSERT(offset > p->start_wanted && offset <= p->stable.offset);
    p->start_wanted = offset;
    log_entry_push(s, LOG_START, p)->value = offset;
}

int plog_delete_before(struct store *s, struct plog *p, int64_t offset, struct err *err)
{
    if (offset < 0 || offset > p->stable.offset) {
        return err_set(err, ERR_INVALID, "offset %lld is not within 0 and the stable offset %lld",
                       (long long)offset, (long long)p->stable.offset);
    }
    if (offset > p->start_wanted) {
        if (offset == p->end.offset && log_active(p)->size) {
            log_roll(p); /* nothing of the active segment is left: let its file go too */
        }
        log_raise_start(s, p, offset);
    }
    return 0;
}

static bool expired(const struct plog *p, const struct log_segment *g, int64_t now_ms)
{
    return p->settings.retention_ms >= 0 && g->size &&
           now_ms - g->max_timestamp > p->settings.retention_ms;
}

static void retain(struct store *s, struct plog *p, int64_t now_ms)
{
    const struct plog_settings *set = &p->settings;
    int64_t age_ms = set->segment_ms > 0 ? set->segment_ms : s->config.segment_ms;
    struct log_segment *active = log_active(p);
    bool whole = p->stable.offset == p->end.offset;
    if (active->size && whole &&
        (expired(p, active, now_ms) || now_ms - active->created_ms >= age_ms)) {
        log_roll(p);
    }
    if (set->retention_ms < 0 && set->retention_bytes < 0) {
        return;
    }
    int64_t most = p->hold < p->stable.offset ? p->hold : p->stable.offset;
    int64_t start = p->start_wanted;
    uint64_t total = plog_size_bytes(p);
    for (uint32_t i = 0; i + 1 < p->segments_n; i++) {
        const struct log_segment *g = &p->segment[i];
        int64_t end = p->segment[i + 1].base;
        total -= g->size;
        if (end <= start) {
            continue; /* on its way out */
        }
        bool much = set->retention_bytes >= 0 && total >= (uint64_t)set->retention_bytes;
        if (end > most || !(much || expired(p, g, now_ms))) {
            break;
        }
        start = end;
    }
    if (start > p->start_wanted) {
        log_raise_start(s, p, start);
    }
}

static void retry(struct store *s, struct disk_ops *ops)
{
    for (struct log_row *r = s->file_first, *next; r; r = next) {
        next = r->next;
        if (!r->failed) {
            continue;
        }
        r->failed = false;
        s->rows_failed--;
        if (r->plog->files_removed) {
            log_row_drop(s, r);
            next = s->file_first; /* others that waited for it have gone too */
        } else {
            log_row_issue(s, r, ops);
        }
    }
}

void store_tick(struct store *s, int64_t now_ms, struct disk_ops *ops, store_moved moved, void *arg)
{
    (void)moved;
    (void)arg;
    s->last_tick_ms = now_ms;
    if (s->failed) {
        return;
    }
    if (s->rows_failed && now_ms >= s->retry_ms) {
        retry(s, ops);
    }
    for (struct plog *p = s->first; p; p = p->next) {
        retain(s, p, now_ms);
    }
    store_flush(s, now_ms, ops);
}

int64_t store_deadline_ms(const struct store *s)
{
    int64_t t = s->first ? s->last_tick_ms + LOG_TICK_MS : INT64_MAX;
    /* Only a time at which log_checkpoint_due will say yes: else the caller would spin. */
    if (log_journal_used(s) && !s->entries_n && !s->rows_failed && !s->group.active &&
        s->checkpoint.step == CHECKPOINT_NONE) {
        int64_t due = s->last_append_ms + LOG_IDLE_CHECKPOINT_MS;
        if (due < t) {
            t = due;
        }
    }
    if (s->rows_failed && s->retry_ms < t) {
        t = s->retry_ms;
    }
    return s->failed ? INT64_MAX : t;
}
