/* Reads: from an offset or a time to a range of a segment file, and the check of what is in it. */
#include "log/state.h"

#include "base/mem.h"

/* Bytes of a segment that may be read. */
static uint32_t readable(const struct plog *p, const struct log_segment *g)
{
    return g->base == p->stable.segment ? p->stable.position
           : g->base < p->stable.offset ? g->size
                                        : 0;
}

struct seek {
    int64_t offset;
    uint32_t position;
    struct log_batch batch;
    bool found;
};

static bool seek_visit(void *arg, uint32_t position, const struct log_batch *b)
{
    struct seek *k = arg;
    if (b->base_offset + b->last_delta < k->offset) {
        return true;
    }
    k->position = position;
    k->batch = *b;
    k->found = true;
    return false;
}

/* The batch that holds k->offset, which is below the readable end of g. */
static int seek(struct store *s, struct plog *p, struct log_segment *g, struct seek *k,
                struct err *err)
{
    uint32_t from = 0;
    int64_t offset = g->base;
    bool known = false;
    for (int i = 0; p->cursor && i < LOG_CURSORS && !known; i++) {
        known = p->cursor[i].offset == k->offset && p->cursor[i].segment == g->base;
        from = known ? p->cursor[i].position : 0;
        offset = known ? k->offset : offset;
    }
    if (!known && k->offset > g->base) {
        struct log_index *x;
        int e = log_index_get(s, p, g, &x, err);
        if (e) {
            return e;
        }
        const struct log_index_entry *at = log_index_by_offset(x, (uint32_t)(k->offset - g->base));
        from = at ? at->position : 0;
        offset += at ? at->offset : 0;
    }
    int e = log_headers_scan(s, p, g, from, offset, readable(p, g), seek_visit, k, err);
    if (!e && !k->found) {
        e = err_set(err, ERR_CORRUPT, "offset %lld is missing in segment %lld",
                    (long long)k->offset, (long long)g->base);
    }
    return e;
}

static void cursor_put(struct plog *p, int64_t offset, int64_t segment, uint32_t position)
{
    if (!p->cursor) {
        p->cursor = mem_alloc(LOG_CURSORS * sizeof *p->cursor);
        for (int i = 0; i < LOG_CURSORS; i++) {
            p->cursor[i] = (struct log_cursor){.offset = -1};
        }
    }
    for (int i = 0; i < LOG_CURSORS; i++) {
        if (p->cursor[i].offset == offset) {
            return;
        }
    }
    p->cursor[p->cursor_next++ % LOG_CURSORS] =
        (struct log_cursor){.offset = offset, .segment = segment, .position = position};
}

/* Where a range that begins at k and may be max_bytes long ends: at the limit, at a place that the
 * index knows, or behind the first batch. *next: the offset that begins there. */
static int range_end(struct store *s, struct plog *p, struct log_segment *g, const struct seek *k,
                     uint64_t max_bytes, uint32_t limit, int64_t limit_offset, uint32_t *end,
                     int64_t *next, struct err *err)
{
    *end = limit;
    *next = limit_offset;
    if (limit - k->position <= max_bytes) {
        return 0;
    }
    *end = k->position + k->batch.size_bytes;
    *next = k->batch.base_offset + k->batch.last_delta + 1;
    if (k->batch.size_bytes >= max_bytes) {
        return 0;
    }
    struct log_index *x;
    int e = log_index_get(s, p, g, &x, err);
    if (e) {
        return e;
    }
    const struct log_index_entry *at = log_index_by_position(x, k->position + (uint32_t)max_bytes);
    if (at && at->position > *end && at->position <= limit) {
        *end = at->position;
        *next = g->base + at->offset;
    }
    return 0;
}

int plog_read(struct store *s, struct plog *p, int64_t offset, uint64_t max_bytes,
              int64_t below_offset, struct plog_range *out, struct err *err)
{
    if (offset < p->start || offset > p->stable.offset) {
        return err_set(err, ERR_INVALID, "offset %lld is not within %lld and %lld",
                       (long long)offset, (long long)p->start, (long long)p->stable.offset);
    }
    *out = (struct plog_range){.first_offset = offset, .verified = true};
    int64_t most = below_offset < p->stable.offset ? below_offset : p->stable.offset;
    if (offset >= most) {
        return 0;
    }
    uint32_t i = log_segment_at(p, offset);
    struct log_segment *g = &p->segment[i];
    struct seek k = {.offset = offset};
    int e = seek(s, p, g, &k, err);
    if (e) {
        return e;
    }
    uint32_t limit = readable(p, g);
    int64_t limit_offset = g->base == p->stable.segment ? p->stable.offset : p->segment[i + 1].base;
    if (most < limit_offset) {
        struct seek m = {.offset = most};
        e = seek(s, p, g, &m, err);
        if (e) {
            return e;
        }
        limit = m.position; /* a batch that reaches beyond is not given out */
        limit_offset = m.batch.base_offset;
        if (limit <= k.position) {
            return 0;
        }
    }
    uint32_t end;
    int64_t next;
    e = range_end(s, p, g, &k, max_bytes, limit, limit_offset, &end, &next, err);
    if (e) {
        return e;
    }
    log_path_segment(&p->id, g->base, ".log", out->path);
    out->segment = (uint64_t)p->no << 40 ^ (uint64_t)g->base;
    out->position = k.position;
    out->size_bytes = end - k.position;
    out->first_batch_bytes = k.batch.size_bytes;
    out->first_offset = k.batch.base_offset;
    out->verified = log_verified_has(g, k.position, end);
    out->epoch = log_epoch_find(p, k.batch.base_offset, &out->epoch_until);
    cursor_put(p, next, next == limit_offset && end == g->size && g != log_active(p) ? -1 : g->base,
               end);
    return 0;
}

/* ---- whole batches from a file ---- */

struct reader {
    struct disk *disk;
    const char *path;
    uint64_t position, end;
    int64_t offset; /* the base offset that must come next: it is not under the CRC */
    int32_t epoch;  /* nor is the leader epoch: of batches below epoch_until */
    int64_t epoch_until;
    uint8_t *bytes; /* owned */
    size_t cap, n;  /* n bytes from chunk_at on */
    uint64_t chunk_at;
};

static int reader_fill(struct reader *r, size_t want, struct err *err)
{
    uint64_t left = r->end - r->position;
    size_t n = want > LOG_SCAN_BYTES * 4 ? want : LOG_SCAN_BYTES * 4;
    n = left < n ? (size_t)left : n;
    if (n > r->cap) {
        r->bytes = mem_realloc(r->bytes, n);
        r->cap = n;
    }
    int64_t got = r->disk->read(r->disk, r->path, r->position, r->bytes, n);
    if (got < 0) {
        return log_disk_error(err, "read", r->path, got);
    }
    r->chunk_at = r->position;
    r->n = (size_t)got;
    return 0;
}

/* 1: the next batch, its CRC checked; 0: the end; <0: error. */
static int reader_next(struct reader *r, struct slice *batch, struct err *err)
{
    size_t want = LOG_BATCH_HEADER_BYTES;
    if (r->position >= r->end) {
        return 0;
    }
    for (int round = 0; round < 3; round++) {
        if (!r->bytes || r->position + want > r->chunk_at + r->n) {
            int e = reader_fill(r, want, err);
            if (e) {
                return e;
            }
        }
        const uint8_t *p = r->bytes + (r->position - r->chunk_at);
        struct log_batch b;
        if (r->position + want > r->chunk_at + r->n || !log_batch_parse(p, &b) ||
            b.size_bytes > r->end - r->position) {
            break;
        }
        if (want < b.size_bytes) {
            want = b.size_bytes;
            continue;
        }
        *batch = slice_of(p, b.size_bytes);
        if (!log_batch_intact(*batch) || b.base_offset != r->offset ||
            (b.base_offset < r->epoch_until ? b.epoch != r->epoch : b.epoch <= r->epoch)) {
            break;
        }
        r->offset += b.last_delta + 1;
        r->position += b.size_bytes;
        return 1;
    }
    return err_set(err, ERR_CORRUPT,
                   "%s is damaged at byte %llu: the batch is not as it was written", r->path,
                   (unsigned long long)r->position);
}

static struct reader reader_of(struct disk *disk, const struct plog_range *range)
{
    return (struct reader){.disk = disk,
                           .path = range->path,
                           .position = range->position,
                           .end = range->position + range->size_bytes,
                           .offset = range->first_offset,
                           .epoch = range->epoch,
                           .epoch_until = range->epoch_until};
}

int plog_range_check(struct disk *disk, const struct plog_range *range, struct err *err)
{
    struct reader r = reader_of(disk, range);
    struct slice batch;
    int e;
    do {
        e = reader_next(&r, &batch, err);
    } while (e == 1);
    mem_free(r.bytes);
    return e;
}

void plog_range_verified(struct plog *p, const struct plog_range *r)
{
    for (uint32_t i = 0; i < p->segments_n; i++) {
        struct log_segment *g = &p->segment[i];
        if (((uint64_t)p->no << 40 ^ (uint64_t)g->base) == r->segment) {
            log_verified_add(g, (uint32_t)r->position, (uint32_t)(r->position + r->size_bytes));
        }
    }
}

int plog_verify(struct store *s, struct plog *p, const struct plog_range *r, struct err *err)
{
    int e = plog_range_check(s->disk, r, err);
    if (!e) {
        plog_range_verified(p, r);
    }
    return e;
}

int plog_scan(struct store *s, struct plog *p, int64_t from,
              bool (*visit)(void *arg, int64_t base_offset, struct slice batch), void *arg,
              struct err *err)
{
    bool more = true;
    from = from < p->start ? p->start : from;
    while (more && from < p->stable.offset) {
        struct plog_range range;
        int e = plog_read(s, p, from, UINT32_MAX / 2, INT64_MAX, &range, err);
        if (e) {
            return e;
        }
        struct reader r = reader_of(s->disk, &range);
        struct slice batch;
        while (more && (e = reader_next(&r, &batch, err)) == 1) {
            struct log_batch b;
            log_batch_parse(batch.p, &b);
            from = b.base_offset + b.last_delta + 1;
            more = visit(arg, b.base_offset, batch);
        }
        mem_free(r.bytes);
        if (e < 0) {
            return e;
        }
    }
    return 0;
}

/* ---- by time ---- */

struct by_time {
    struct store *s;
    struct plog *p;
    struct log_segment *g;
    int64_t from, ms;
    int64_t offset, timestamp_ms; /* -1: not found yet */
    int error;
    struct err *err;
};

static bool time_visit(void *arg, uint32_t position, const struct log_batch *b)
{
    struct by_time *t = arg;
    if (b->max_timestamp < t->ms || b->base_offset + b->last_delta < t->from) {
        return true;
    }
    char path[DISK_PATH_MAX];
    log_path_segment(&t->p->id, t->g->base, ".log", path);
    struct reader r = {.disk = t->s->disk,
                       .path = path,
                       .position = position,
                       .end = (uint64_t)position + b->size_bytes,
                       .offset = b->base_offset,
                       .epoch = b->epoch,
                       .epoch_until = INT64_MAX};
    struct slice batch;
    int e = reader_next(&r, &batch, t->err);
    bool found = e == 1 && log_batch_find_time(batch, t->from, t->ms, &t->offset, &t->timestamp_ms);
    t->error = e < 0 ? e : 0;
    mem_free(r.bytes);
    return !found && !t->error;
}

int plog_find_time(struct store *s, struct plog *p, int64_t ms, int64_t *offset,
                   int64_t *timestamp_ms, struct err *err)
{
    *offset = *timestamp_ms = -1;
    for (uint32_t i = log_segment_at(p, p->start); i < p->segments_n; i++) {
        struct log_segment *g = &p->segment[i];
        if (g->max_timestamp < ms || !readable(p, g)) {
            continue;
        }
        struct log_index *x;
        int e = log_index_get(s, p, g, &x, err);
        if (e) {
            return e;
        }
        const struct log_index_entry *at = log_index_by_time(x, ms);
        struct by_time t = {.s = s,
                            .p = p,
                            .g = g,
                            .from = p->start,
                            .ms = ms,
                            .err = err,
                            .offset = -1,
                            .timestamp_ms = -1};
        e = log_headers_scan(s, p, g, at ? at->position : 0, g->base + (at ? at->offset : 0),
                             readable(p, g), time_visit, &t, err);
        if (e || t.error) {
            return e ? e : t.error;
        }
        if (t.offset >= 0) {
            *offset = t.offset;
            *timestamp_ms = t.timestamp_ms;
            return 0;
        }
    }
    return 0;
}

int64_t plog_max_timestamp_ms(const struct plog *p, int64_t *offset)
{
    int64_t max = -1, of_batch = -1, exact = -1, time;
    for (uint32_t i = 0; i < p->segments_n; i++) {
        const struct log_segment *g = &p->segment[i];
        if (g->max_timestamp > max && g->size) {
            max = g->max_timestamp;
            of_batch = g->max_offset;
        }
    }
    if (offset) {
        /* The batch is known; the record is the first one that carries the time. */
        if (max >= 0) {
            plog_find_time(p->store, (struct plog *)p, max, &exact, &time, NULL);
        }
        *offset = exact >= 0 ? exact : of_batch;
    }
    return max;
}
