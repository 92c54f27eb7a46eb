/* Appends, the queue of what waits for the next group, and the table of operations under way. */
#include "log/state.h"

#include "base/log.h"
#include "base/mem.h"

struct store_config store_config_default(void)
{
    return (struct store_config){
        .journal_file_bytes = 32u << 20,
        .journal_total_bytes = 256u << 20,
        .segment_bytes = 1u << 30,
        .segment_ms = 7 * INT64_C(86400000),
        .index_interval_bytes = 4096,
        .group_max_bytes = 4u << 20,
        .seed = 1,
    };
}

/* ---- what waits ---- */

struct log_entry *log_entry_at(struct store *s, size_t i)
{
    return &s->entry[(s->entries_head + i) & (s->entries_cap - 1)];
}

struct log_entry *log_entry_push(struct store *s, enum log_record_kind kind, struct plog *p)
{
    if (s->entries_n == s->entries_cap) {
        size_t cap = s->entries_cap ? s->entries_cap * 2 : 64;
        struct log_entry *entry = mem_alloc(cap * sizeof *entry);
        for (size_t i = 0; i < s->entries_n; i++) {
            entry[i] = *log_entry_at(s, i);
        }
        mem_free(s->entry);
        s->entry = entry;
        s->entries_head = 0;
        s->entries_cap = cap;
    }
    struct log_entry *e = log_entry_at(s, s->entries_n++);
    *e = (struct log_entry){.kind = kind, .plog = p};
    p->holds++;
    return e;
}

void log_entry_drop(struct store *s, struct log_entry *e)
{
    ASSERT(e == log_entry_at(s, 0));
    buf_unref(e->buf);
    e->plog->holds--;
    s->entries_head = (s->entries_head + 1) & (s->entries_cap - 1);
    s->entries_n--;
}

/* ---- what is under way ---- */

enum { SLOT_BITS = 24 };

struct log_row *log_row_new(struct store *s, enum log_row_kind kind)
{
    struct log_row *r = s->row_free;
    if (r) {
        s->row_free = r->next;
    } else {
        if (s->rows_n == s->rows_cap) {
            s->rows_cap = s->rows_cap ? s->rows_cap * 2 : 32;
            s->row = mem_realloc(s->row, s->rows_cap * sizeof *s->row);
        }
        r = MEM_NEW(struct log_row);
        r->slot = (uint32_t)s->rows_n;
        ASSERT(r->slot < (1u << SLOT_BITS));
        s->row[s->rows_n++] = r;
    }
    uint32_t slot = r->slot;
    *r = (struct log_row){.kind = kind, .slot = slot, .serial = ++s->row_serial};
    r->id = r->serial << SLOT_BITS | slot;
    return r;
}

void log_row_part(struct log_row *r, struct buf *b, struct slice bytes)
{
    if (r->parts_n) {
        struct buf_slice *last = &r->part[r->parts_n - 1];
        if (last->buf == b && last->bytes.p + last->bytes.n == bytes.p) {
            last->bytes.n += bytes.n;
            return;
        }
    }
    if (r->parts_n == r->parts_cap) {
        r->parts_cap = r->parts_cap ? r->parts_cap * 2 : 2;
        r->part = mem_realloc(r->part, r->parts_cap * sizeof *r->part);
    }
    r->part[r->parts_n++] = (struct buf_slice){.buf = buf_ref(b), .bytes = bytes};
}

void log_file_row_link(struct store *s, struct log_row *r)
{
    r->prev = s->file_last;
    *(s->file_last ? &s->file_last->next : &s->file_first) = r;
    s->file_last = r;
    r->plog->holds++;
    if (r->kind == ROW_WRITE) {
        *(r->plog->row_last ? &r->plog->row_last->plog_next : &r->plog->row_first) = r;
        r->plog->row_last = r;
    }
}

/* A file row has been taken out of its plog's list already. */
void log_row_free(struct store *s, struct log_row *r)
{
    if (r->plog) {
        *(r->prev ? &r->prev->next : &s->file_first) = r->next;
        *(r->next ? &r->next->prev : &s->file_last) = r->prev;
        r->plog->holds--;
    }
    for (uint32_t i = 0; i < r->parts_n; i++) {
        buf_unref(r->part[i].buf);
    }
    mem_free(r->part);
    uint32_t slot = r->slot;
    *r = (struct log_row){.kind = ROW_FREE, .slot = slot, .next = s->row_free};
    s->row_free = r;
}

/* ---- plogs ---- */

struct plog *store_find(struct store *s, const struct plog_id *id)
{
    return map_get(&s->by_id, slice_of(id, sizeof *id));
}

struct plog *store_next(struct store *s, struct plog *it)
{
    return it ? it->next : s->first;
}

struct plog *store_create(struct store *s, const struct plog_id *id, int64_t now_ms)
{
    ASSERT(s->plogs_n < LOG_PLOGS_MAX && !store_find(s, id));
    struct plog *p = log_plog_new(s, id, s->next_no++);
    log_segment_add(p, 0);
    log_plog_link(s, p);
    struct log_entry *e = log_entry_push(s, LOG_CREATE, p);
    e->value = now_ms;
    e->bytes = slice_of(&p->id, sizeof p->id);
    s->last_append_ms = now_ms;
    return p;
}

void store_delete(struct store *s, struct plog *p, struct disk_ops *ops)
{
    (void)ops; /* the files go when the journal has it */
    ASSERT(!p->deleted);
    log_plog_unlink(s, p);
    p->deleted = true;
    p->user = NULL;
    log_entry_push(s, LOG_DELETE, p);
}

void plog_set_note(struct store *s, struct plog *p, int64_t offset, struct slice note)
{
    ASSERT(note.n <= LOG_NOTE_MAX_BYTES && offset <= p->end.offset && !p->deleted);
    buf_unref(p->note);
    p->note = buf_from(note.p, note.n);
    p->note_offset = offset;
    struct log_entry *e = log_entry_push(s, LOG_NOTE, p);
    e->value = offset;
    e->buf = buf_ref(p->note);
    e->bytes = buf_bytes(p->note);
}

/* ---- appends ---- */

bool store_is_full(const struct store *s)
{
    return s->failed || s->space_low || s->rows_failed;
}

uint64_t store_room(const struct store *s)
{
    if (store_is_full(s) || s->pending_bytes >= s->pending_max_bytes) {
        return 0;
    }
    return s->pending_max_bytes - s->pending_bytes;
}

uint64_t store_room_max(const struct store *s)
{
    return s->pending_max_bytes;
}

static bool must_roll(const struct store *s, const struct plog *p, const struct log_segment *g,
                      size_t n, int64_t now_ms)
{
    if (!g->size) {
        return false;
    }
    uint64_t most = p->settings.segment_bytes ? p->settings.segment_bytes : s->config.segment_bytes;
    int64_t age = p->settings.segment_ms > 0 ? p->settings.segment_ms : s->config.segment_ms;
    if (most > LOG_SEGMENT_MAX_BYTES) {
        most = LOG_SEGMENT_MAX_BYTES;
    }
    return g->size + n > most || now_ms - g->created_ms >= age ||
           p->end.offset - g->base > INT32_MAX;
}

int64_t store_append(struct store *s, struct plog *p, const struct store_batch *b,
                     int32_t leader_epoch, int64_t now_ms)
{
    ASSERT(!p->deleted && b->records_n > 0 && b->bytes.n >= LOG_BATCH_HEADER_BYTES);
    ASSERT(b->bytes.n <= store_room(s));
    struct log_batch head;
    ASSERT(log_batch_parse(b->bytes.p, &head) && head.size_bytes == b->bytes.n &&
           head.last_delta == b->records_n - 1);
    if (must_roll(s, p, log_active(p), b->bytes.n, now_ms)) {
        log_roll(p);
    }
    struct log_segment *g = log_active(p);
    int64_t base = p->end.offset;
    log_batch_patch(b->buf->data + (b->bytes.p - b->buf->data), base, leader_epoch);
    struct log_entry *e = log_entry_push(s, LOG_BATCH, p);
    e->buf = buf_ref(b->buf);
    e->bytes = b->bytes;
    e->base_offset = base;
    e->segment = g->base;
    e->position = g->size;
    e->records_n = b->records_n;
    e->epoch = leader_epoch;
    e->max_timestamp = b->max_timestamp_ms;
    log_plog_account(s, p, g, base, b->records_n, (uint32_t)b->bytes.n, b->max_timestamp_ms,
                     leader_epoch, now_ms);
    s->pending_bytes += b->bytes.n;
    s->last_append_ms = now_ms;
    return base;
}

void store_set_free_bytes(struct store *s, uint64_t free_bytes, uint64_t watermark_bytes)
{
    bool low = free_bytes < watermark_bytes;
    if (low != s->space_low) {
        log_event(low ? LOG_WARN : LOG_INFO, "log",
                  low ? "disk nearly full: appends stop" : "space has returned: appends go on",
                  LOG_I("free_bytes", free_bytes), LOG_I("watermark_bytes", watermark_bytes));
    }
    s->space_low = low;
    if (!low) {
        s->retry_ms = 0;
    }
}

bool store_failed(const struct store *s)
{
    return s->failed;
}

void store_stats(const struct store *s, struct store_stats *out)
{
    *out = s->stats;
    out->journal_used_bytes = log_journal_used(s);
    out->pending_bytes = s->pending_bytes;
}

/* Memory only: a stop is a crash with manners. */
static void close_release(struct store *s, struct plog *p)
{
    p->files_removed = true;
    log_plog_release(s, p);
}

void store_close(struct store *s)
{
    if (!s) {
        return;
    }
    while (s->entries_n) {
        struct plog *p = log_entry_at(s, 0)->plog;
        log_entry_drop(s, log_entry_at(s, 0));
        close_release(s, p);
    }
    for (size_t i = 0; i < s->group.touched_n; i++) {
        struct plog *p = s->group.touched[i].plog;
        p->holds--;
        close_release(s, p);
    }
    for (size_t i = 0; i < s->rows_n; i++) {
        struct plog *p = s->row[i]->plog;
        if (s->row[i]->kind != ROW_FREE) {
            log_row_free(s, s->row[i]);
        }
        if (p) {
            close_release(s, p);
        }
        mem_free(s->row[i]);
    }
    for (struct plog *p = s->first, *next; p; p = next) {
        next = p->next;
        log_plog_free(p);
    }
    map_free(&s->by_id);
    map_free(&s->by_no);
    buf_unref(s->checkpoint.image);
    mem_free(s->checkpoint.item);
    mem_free(s->group.touched);
    mem_free(s->row);
    mem_free(s->entry);
    mem_free(s);
}
