/* Replaying the journal over the segments. Bytes are gathered per partition, written again even
 * where the file seems to have them (they may exist in the page cache alone), and synced. */
#include "log/state.h"

#include "base/mem.h"

struct gathered {
    struct plog *plog;
    int64_t segment;
    uint32_t position;
    uint32_t n;
    uint8_t *bytes; /* LOG_REPLAY_BUFFER_BYTES, NULL while empty */
    bool dir_there;
    struct gathered *next;
};

struct log_replay {
    struct store *s;
    int64_t now_ms;
    struct map by_no; /* plog number -> struct gathered */
    struct gathered *first;
    size_t total_bytes; /* of buffers */
};

struct log_replay *log_replay_new(struct store *s, int64_t now_ms)
{
    struct log_replay *r = MEM_NEW(struct log_replay);
    r->s = s;
    r->now_ms = now_ms;
    map_init(&r->by_no, 1);
    return r;
}

void log_replay_free(struct log_replay *r)
{
    for (struct gathered *g = r->first, *next; g; g = next) {
        next = g->next;
        mem_free(g->bytes);
        mem_free(g);
    }
    map_free(&r->by_no);
    mem_free(r);
}

bool log_replay_intact(const uint8_t *p, const struct log_group_header *h)
{
    if (!log_group_header_intact(p, h)) {
        return false;
    }
    struct slice head =
        slice_of(p + LOG_GROUP_HEADER_BYTES, h->header_bytes - LOG_GROUP_HEADER_BYTES);
    struct slice body = slice_of(p + h->header_bytes, h->group_bytes - h->header_bytes);
    for (uint32_t i = 0; i < h->records_n; i++) {
        struct log_record rec;
        size_t n = log_record_get(head, &rec);
        if (!n) {
            return false;
        }
        head = slice_of(head.p + n, head.n - n);
        if (rec.kind != LOG_BATCH) {
            continue;
        }
        struct log_batch b;
        if (rec.size_bytes > body.n || rec.size_bytes < LOG_BATCH_HEADER_BYTES ||
            !log_batch_intact(slice_of(body.p, rec.size_bytes)) || !log_batch_parse(body.p, &b) ||
            b.crc != rec.crc || b.base_offset != rec.base_offset || b.epoch != rec.epoch) {
            return false;
        }
        body = slice_of(body.p + rec.size_bytes, body.n - rec.size_bytes);
    }
    return head.n == 0 && body.n == 0;
}

static int gathered_write(struct log_replay *r, struct gathered *g, struct err *err)
{
    if (!g->n) {
        return 0;
    }
    struct disk *d = r->s->disk;
    struct plog *p = g->plog;
    char path[DISK_PATH_MAX];
    if (!g->dir_there) {
        /* Also where the checkpoint knows the folder: a deletion that the journal has further on
         * may have removed it. */
        log_path_dir(&p->id, path);
        int e = d->make_dir(d, path);
        if (e) {
            return log_disk_error(err, "make", path, e);
        }
        g->dir_there = true;
        r->s->topics_dirty |= !p->dir_made;
        p->dir_made = true;
    }
    log_path_segment(&p->id, g->segment, ".log", path);
    int e = d->write(d, path, g->position, g->bytes, g->n);
    r->s->stats.replayed_bytes += g->n;
    g->position += g->n;
    g->n = 0;
    return e ? log_disk_error(err, "write", path, e) : 0;
}

static int gather(struct log_replay *r, struct plog *p, const struct log_record *rec,
                  const uint8_t *bytes, struct err *err)
{
    struct slice key = slice_of(&p->no, sizeof p->no);
    struct gathered *g = map_get(&r->by_no, key);
    if (!g) {
        g = MEM_NEW(struct gathered);
        g->plog = p;
        g->next = r->first;
        r->first = g;
        map_put(&r->by_no, key, g);
    }
    if (g->segment != rec->segment || g->position + g->n != rec->position) {
        int e = gathered_write(r, g, err);
        if (e) {
            return e;
        }
        g->segment = rec->segment;
        g->position = rec->position;
    }
    if (!g->bytes) {
        for (struct gathered *o = r->first; o && r->total_bytes >= LOG_REPLAY_TOTAL_BYTES;
             o = o->next) {
            int e = o->bytes ? gathered_write(r, o, err) : 0;
            if (e) {
                return e;
            }
            r->total_bytes -= o->bytes ? LOG_REPLAY_BUFFER_BYTES : 0;
            mem_free(o->bytes);
            o->bytes = NULL;
        }
        g->bytes = mem_alloc(LOG_REPLAY_BUFFER_BYTES);
        r->total_bytes += LOG_REPLAY_BUFFER_BYTES;
    }
    for (uint32_t at = 0; at < rec->size_bytes;) {
        uint32_t n = rec->size_bytes - at;
        uint32_t left = LOG_REPLAY_BUFFER_BYTES - g->n;
        n = n < left ? n : left;
        memcpy(g->bytes + g->n, bytes + at, n);
        g->n += n;
        at += n;
        int e = g->n == LOG_REPLAY_BUFFER_BYTES ? gathered_write(r, g, err) : 0;
        if (e) {
            return e;
        }
    }
    return 0;
}

static int disagree(struct err *err, uint32_t plog_no, const char *what)
{
    return err_set(err, ERR_CORRUPT,
                   "the journal and the checkpoint disagree about replica number %u (%s): files in "
                   "journal/ were exchanged or lost; restore the whole data folder from one copy",
                   plog_no, what);
}

static int apply_batch(struct log_replay *r, struct plog *p, const struct log_record *rec,
                       const uint8_t *bytes, struct err *err)
{
    struct log_segment *g = log_active(p);
    if (rec->base_offset != p->end.offset) {
        return disagree(err, rec->plog_no, "offsets are not dense");
    }
    if (rec->segment != g->base) {
        if (rec->segment != rec->base_offset || p->segments_n == LOG_SEGMENTS_MAX) {
            return disagree(err, rec->plog_no, "a segment begins elsewhere");
        }
        g = log_segment_add(p, rec->segment);
    }
    if (rec->position != g->size || rec->records_n <= 0) {
        return disagree(err, rec->plog_no, "a batch lies elsewhere");
    }
    g->new_file |= g->size == 0;
    g->dirty = p->dirty = true;
    log_plog_account(r->s, p, g, rec->base_offset, rec->records_n, rec->size_bytes,
                     rec->max_timestamp, rec->epoch, r->now_ms);
    return gather(r, p, rec, bytes, err);
}

static int apply_create(struct log_replay *r, const struct log_record *rec, struct err *err)
{
    struct plog_id id;
    if (rec->inline_bytes.n != sizeof id) {
        return disagree(err, rec->plog_no, "its name is malformed");
    }
    memcpy(&id, rec->inline_bytes.p, sizeof id);
    if (log_plog_by_no(r->s, rec->plog_no) || store_find(r->s, &id)) {
        return disagree(err, rec->plog_no, "created twice");
    }
    struct plog *p = log_plog_new(r->s, &id, rec->plog_no);
    log_segment_add(p, 0);
    log_plog_link(r->s, p);
    if (rec->plog_no >= r->s->next_no) {
        r->s->next_no = rec->plog_no + 1;
    }
    return 0;
}

static void apply_delete(struct log_replay *r, struct plog *p)
{
    struct gathered *g = map_remove(&r->by_no, slice_of(&p->no, sizeof p->no));
    if (g) {
        struct gathered **at = &r->first;
        while (*at != g) {
            at = &(*at)->next;
        }
        *at = g->next;
        r->total_bytes -= g->bytes ? LOG_REPLAY_BUFFER_BYTES : 0;
        mem_free(g->bytes);
        mem_free(g);
    }
    log_plog_unlink(r->s, p);
    log_plog_forget(r->s, p);
    log_plog_free(p);
}

static int apply(struct log_replay *r, const struct log_record *rec, const uint8_t *body,
                 struct err *err)
{
    if (rec->kind == LOG_CREATE) {
        return apply_create(r, rec, err);
    }
    struct plog *p = log_plog_by_no(r->s, rec->plog_no);
    if (!p) {
        return disagree(err, rec->plog_no, "it does not exist");
    }
    switch (rec->kind) {
    case LOG_BATCH:
        return apply_batch(r, p, rec, body, err);
    case LOG_DELETE:
        apply_delete(r, p);
        return 0;
    case LOG_START:
        if (rec->value > p->start && rec->value <= p->end.offset) {
            p->start = p->start_wanted = p->start_packed = rec->value;
            /* A start at the very end went with a roll (plog_delete_before, expired): the file of
             * what was the active segment is gone. */
            if (rec->value == p->end.offset && log_active(p)->size) {
                log_roll(p);
            }
        }
        return 0;
    case LOG_NOTE:
        buf_unref(p->note);
        p->note = buf_from(rec->inline_bytes.p, rec->inline_bytes.n);
        p->note_offset = rec->value;
        return 0;
    default:
        return disagree(err, rec->plog_no, "a record of an unknown kind");
    }
}

int log_replay_group(struct log_replay *r, const uint8_t *p, const struct log_group_header *h,
                     struct err *err)
{
    struct slice head =
        slice_of(p + LOG_GROUP_HEADER_BYTES, h->header_bytes - LOG_GROUP_HEADER_BYTES);
    const uint8_t *body = p + h->header_bytes;
    for (uint32_t i = 0; i < h->records_n; i++) {
        struct log_record rec;
        size_t n = log_record_get(head, &rec);
        head = slice_of(head.p + n, head.n - n);
        int e = apply(r, &rec, body, err);
        if (e) {
            return e;
        }
        body += rec.size_bytes;
    }
    return 0;
}

/* A rolled segment's index goes to its file now; nobody would save it later. */
static int finish_segment(struct store *s, struct plog *p, struct log_segment *g, struct err *err)
{
    struct disk *d = s->disk;
    char path[DISK_PATH_MAX];
    log_path_segment(&p->id, g->base, ".log", path);
    int e = d->sync(d, path);
    if (e) {
        return log_disk_error(err, "sync", path, e);
    }
    if (g == log_active(p)) {
        return 0;
    }
    struct log_index *x;
    e = log_index_get(s, p, g, &x, err);
    if (e) {
        return e;
    }
    struct buf *b = log_index_encode(p, g, g->size);
    log_path_segment(&p->id, g->base, ".index", path);
    e = d->write(d, path, 0, b->data, b->n);
    buf_unref(b);
    log_index_free(g->index);
    g->index = NULL;
    return e ? log_disk_error(err, "write", path, e) : 0;
}

static int finish_plog(struct store *s, struct plog *p, struct err *err)
{
    bool new_file = false;
    for (uint32_t i = 0; i < p->segments_n; i++) {
        struct log_segment *g = &p->segment[i];
        int e = g->dirty ? finish_segment(s, p, g, err) : 0;
        if (e) {
            return e;
        }
        new_file |= g->new_file;
        g->dirty = g->new_file = false;
    }
    p->dirty = false;
    if (new_file) {
        char path[DISK_PATH_MAX];
        log_path_dir(&p->id, path);
        int e = s->disk->sync_dir(s->disk, path);
        return e ? log_disk_error(err, "sync", path, e) : 0;
    }
    return 0;
}

int log_replay_finish(struct log_replay *r, struct err *err)
{
    struct store *s = r->s;
    for (struct gathered *g = r->first; g; g = g->next) {
        int e = gathered_write(r, g, err);
        if (e) {
            return e;
        }
    }
    for (struct plog *p = s->first; p; p = p->next) {
        log_plog_trim(s, p, NULL, NULL);
        int e = p->dirty ? finish_plog(s, p, err) : 0;
        if (e) {
            return e;
        }
        if (p->note_offset > p->end.offset) {
            return disagree(err, p->no, "a note for an offset beyond the end");
        }
        p->synced = p->written = p->stable = p->end;
    }
    int e = s->topics_dirty ? s->disk->sync_dir(s->disk, "topics") : 0;
    s->topics_dirty = false;
    return e ? log_disk_error(err, "sync", "topics", e) : 0;
}
