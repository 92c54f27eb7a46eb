#include "log/state.h"

#include "base/mem.h"

static struct slice no_key(const uint32_t *no)
{
    return slice_of(no, sizeof *no);
}

struct plog *log_plog_new(struct store *s, const struct plog_id *id, uint32_t no)
{
    struct plog *p = MEM_NEW(struct plog);
    p->store = s;
    p->id = *id;
    p->no = no;
    p->hold = INT64_MAX;
    p->settings = (struct plog_settings){.retention_ms = -1, .retention_bytes = -1};
    p->note_offset = -1;
    return p;
}

void log_plog_link(struct store *s, struct plog *p)
{
    p->prev = s->last;
    if (s->last) {
        s->last->next = p;
    } else {
        s->first = p;
    }
    s->last = p;
    s->plogs_n++;
    void *old = map_put(&s->by_id, slice_of(&p->id, sizeof p->id), p);
    ASSERT(!old);
    old = map_put(&s->by_no, no_key(&p->no), p);
    ASSERT(!old);
}

void log_plog_unlink(struct store *s, struct plog *p)
{
    *(p->prev ? &p->prev->next : &s->first) = p->next;
    *(p->next ? &p->next->prev : &s->last) = p->prev;
    p->prev = p->next = NULL;
    s->plogs_n--;
    map_remove(&s->by_id, slice_of(&p->id, sizeof p->id));
    log_index_forget(s, p, -1);
}

void log_plog_forget(struct store *s, const struct plog *p)
{
    map_remove(&s->by_no, no_key(&p->no));
}

struct plog *log_plog_by_no(const struct store *s, uint32_t no)
{
    return map_get(&s->by_no, no_key(&no));
}

void log_plog_free(struct plog *p)
{
    for (uint32_t i = 0; i < p->segments_n; i++) {
        log_segment_free(&p->segment[i]);
    }
    mem_free(p->segment);
    mem_free(p->epoch);
    mem_free(p->cursor);
    buf_unref(p->note);
    mem_free(p);
}

void log_plog_release(struct store *s, struct plog *p)
{
    (void)s;
    if (p->deleted && p->files_removed && !p->holds) {
        log_plog_free(p);
    }
}

void log_plog_epoch(struct plog *p, int32_t epoch, int64_t offset)
{
    if (p->epochs_n && p->epoch[p->epochs_n - 1].epoch >= epoch) {
        return;
    }
    if (p->epochs_n == LOG_EPOCHS_MAX) {
        memmove(p->epoch, p->epoch + 1, (--p->epochs_n) * sizeof *p->epoch);
    }
    if (p->epochs_n == p->epochs_cap) {
        p->epochs_cap = p->epochs_cap ? p->epochs_cap * 2 : 1;
        p->epoch = mem_realloc(p->epoch, p->epochs_cap * sizeof *p->epoch);
    }
    p->epoch[p->epochs_n++] = (struct log_epoch){.epoch = epoch, .start_offset = offset};
}

void log_plog_account(struct store *s, struct plog *p, struct log_segment *g, int64_t base_offset,
                      int32_t records_n, uint32_t size_bytes, int64_t max_timestamp, int32_t epoch,
                      int64_t now_ms)
{
    log_index_note(s, g, base_offset, size_bytes);
    if (!g->size) {
        g->created_ms = now_ms;
    }
    uint32_t lo = g->size;
    g->size += size_bytes;
    log_verified_add(g, lo, g->size);
    if (max_timestamp > g->max_timestamp) {
        g->max_timestamp = max_timestamp;
        g->max_offset = base_offset;
    }
    log_plog_epoch(p, epoch, base_offset);
    p->end = (struct log_mark){base_offset + records_n, g->base, g->size};
}

void log_plog_trim(struct store *s, struct plog *p, void (*gone)(void *arg, int64_t base),
                   void *arg)
{
    uint32_t n = 0;
    while (n + 1 < p->segments_n && p->segment[n + 1].base <= p->start) {
        if (gone) {
            gone(arg, p->segment[n].base);
        }
        log_index_forget(s, p, p->segment[n].base);
        log_segment_free(&p->segment[n]);
        n++;
    }
    if (n) {
        p->segments_n -= n;
        memmove(p->segment, p->segment + n, p->segments_n * sizeof *p->segment);
    }
    /* An epoch that ends at or below the start is of no use to anybody. */
    uint32_t e = 0;
    while (e + 1 < p->epochs_n && p->epoch[e + 1].start_offset <= p->start) {
        e++;
    }
    if (e) {
        p->epochs_n -= e;
        memmove(p->epoch, p->epoch + e, p->epochs_n * sizeof *p->epoch);
    }
}

bool log_plog_settle(struct plog *p)
{
    const struct log_mark *m = p->synced.offset < p->written.offset ? &p->synced : &p->written;
    if (m->offset <= p->stable.offset) {
        return false;
    }
    p->stable = *m;
    return true;
}

/* ---- the small public ones ---- */

void plog_set_settings(struct plog *p, const struct plog_settings *settings)
{
    p->settings = *settings;
}

const struct plog_id *plog_id(const struct plog *p)
{
    return &p->id;
}

void plog_set_user(struct plog *p, void *user)
{
    p->user = user;
}

void *plog_user(const struct plog *p)
{
    return p->user;
}

void plog_set_hold(struct plog *p, int64_t offset)
{
    p->hold = offset;
}

int64_t plog_start_offset(const struct plog *p)
{
    return p->start;
}

int64_t plog_end_offset(const struct plog *p)
{
    return p->end.offset;
}

int64_t plog_stable_offset(const struct plog *p)
{
    return p->stable.offset;
}

uint64_t plog_size_bytes(const struct plog *p)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < p->segments_n; i++) {
        n += p->segment[i].size;
    }
    return n;
}

int32_t log_epoch_find(const struct plog *p, int64_t offset, int64_t *until)
{
    uint32_t lo = 0, hi = p->epochs_n;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (p->epoch[mid].start_offset <= offset) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    *until = lo < p->epochs_n ? p->epoch[lo].start_offset : INT64_MAX;
    return lo ? p->epoch[lo - 1].epoch : -1;
}

int32_t plog_epoch_at(const struct plog *p, int64_t offset)
{
    int64_t until;
    return log_epoch_find(p, offset, &until);
}

struct slice plog_note(const struct plog *p, int64_t *offset)
{
    *offset = p->note_offset;
    return p->note ? buf_bytes(p->note) : SLICE_NULL;
}
