/* The sparse index of a segment: offset and time to a place from which a short scan of batch
 * headers finds the batch. In memory for active segments, in a file beside the others. */
#include "log/state.h"

#include "base/codec.h"
#include "base/mem.h"

void log_index_free(struct log_index *x)
{
    if (x) {
        mem_free(x->entry);
        mem_free(x);
    }
}

static struct log_index *index_new(const struct store *s, uint32_t from)
{
    struct log_index *x = MEM_NEW(struct log_index);
    x->interval = (uint32_t)s->config.index_interval_bytes;
    x->from = from;
    x->covered = from;
    return x;
}

/* Every second entry goes: look-ups stay short scans and memory stays bounded. */
static void index_thin(struct log_index *x)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < x->n; i += 2) {
        x->entry[n++] = x->entry[i];
    }
    x->n = n;
    x->saved_n /= 2;
    x->interval *= 2;
}

static void index_add(struct log_index *x, struct log_index_entry e)
{
    if (x->n && e.position - x->entry[x->n - 1].position < x->interval) {
        return;
    }
    if (x->n == LOG_INDEX_MAX) {
        index_thin(x);
    }
    if (x->n == x->cap) {
        x->cap = x->cap ? x->cap * 2 : 1;
        x->entry = mem_realloc(x->entry, x->cap * sizeof *x->entry);
    }
    x->entry[x->n++] = e;
}

void log_index_note(const struct store *s, struct log_segment *g, int64_t base_offset,
                    uint32_t size_bytes)
{
    if (!g->index) {
        g->index = index_new(s, g->size);
    }
    index_add(g->index, (struct log_index_entry){.offset = (uint32_t)(base_offset - g->base),
                                                 .position = g->size,
                                                 .max_before = g->max_timestamp});
    g->index->covered = g->size + size_bytes;
}

struct buf *log_index_encode(const struct plog *p, const struct log_segment *g, uint32_t covered)
{
    const struct log_index *x = g->index;
    ASSERT(x && x->from == 0 && x->covered >= covered);
    uint32_t n = 0;
    while (n < x->n && x->entry[n].position < covered) {
        n++;
    }
    struct buf *b = buf_new(LOG_INDEX_HEADER_BYTES + (size_t)n * LOG_INDEX_ENTRY_BYTES);
    uint8_t *at = b->data + LOG_INDEX_HEADER_BYTES;
    for (uint32_t i = 0; i < n; i++, at += LOG_INDEX_ENTRY_BYTES) {
        be32_put(at, x->entry[i].offset);
        be32_put(at + 4, x->entry[i].position);
        be64_put(at + 8, (uint64_t)x->entry[i].max_before);
    }
    b->n = (size_t)(at - b->data);
    struct log_index_header h = {.plog_no = p->no,
                                 .base = g->base,
                                 .covered = covered,
                                 .interval = x->interval,
                                 .entries_n = n};
    log_index_header_put(b->data, &h);
    return b;
}

/* The index file, if it is whole and speaks of no more than the first `limit` bytes. */
static struct log_index *index_load(struct store *s, const struct plog *p,
                                    const struct log_segment *g, uint32_t limit)
{
    char path[DISK_PATH_MAX];
    log_path_segment(&p->id, g->base, ".index", path);
    int64_t size = s->disk->size(s->disk, path);
    size_t most = LOG_INDEX_HEADER_BYTES + (size_t)LOG_INDEX_MAX * LOG_INDEX_ENTRY_BYTES;
    if (size < LOG_INDEX_HEADER_BYTES) {
        return NULL;
    }
    size_t n = (size_t)size < most ? (size_t)size : most;
    uint8_t *file = mem_alloc(n);
    struct log_index *x = NULL;
    struct log_index_header h;
    if (s->disk->read(s->disk, path, 0, file, n) == (int64_t)n &&
        log_index_header_get(slice_of(file, n), &h) && h.plog_no == p->no && h.base == g->base &&
        h.covered <= limit && h.interval > 0) {
        x = index_new(s, 0);
        x->interval = h.interval;
        x->covered = h.covered;
        x->n = x->cap = x->saved_n = h.entries_n;
        x->entry = mem_alloc((h.entries_n + 1) * sizeof *x->entry);
        const uint8_t *at = file + LOG_INDEX_HEADER_BYTES;
        for (uint32_t i = 0; i < h.entries_n; i++, at += LOG_INDEX_ENTRY_BYTES) {
            x->entry[i] = (struct log_index_entry){.offset = be32_get(at),
                                                   .position = be32_get(at + 4),
                                                   .max_before = (int64_t)be64_get(at + 8)};
        }
    }
    mem_free(file);
    return x;
}

struct rebuild {
    struct log_index *x;
    int64_t base;
    int64_t max;
};

static bool rebuild_visit(void *arg, uint32_t position, const struct log_batch *b)
{
    struct rebuild *r = arg;
    index_add(r->x, (struct log_index_entry){.offset = (uint32_t)(b->base_offset - r->base),
                                             .position = position,
                                             .max_before = r->max});
    if (b->max_timestamp > r->max) {
        r->max = b->max_timestamp;
    }
    r->x->covered = position + b->size_bytes;
    return true;
}

/* The batches from the last entry to covered decide the running maximum that rebuilding goes on
 * with, so the scan begins at the last entry. */
static int index_extend(struct store *s, const struct plog *p, const struct log_segment *g,
                        struct log_index *x, uint32_t limit, struct err *err)
{
    if (x->covered == limit) {
        return 0;
    }
    struct rebuild r = {.x = x, .base = g->base, .max = -1};
    uint32_t from = 0;
    int64_t offset = g->base;
    if (x->n) {
        from = x->entry[x->n - 1].position;
        offset += x->entry[x->n - 1].offset;
        r.max = x->entry[x->n - 1].max_before;
    }
    return log_headers_scan(s, p, g, from, offset, limit, rebuild_visit, &r, err);
}

/* Puts what was loaded before what the appends since start have noted. */
static void index_merge(struct log_segment *g, struct log_index *head)
{
    struct log_index *tail = g->index;
    if (!tail) {
        g->index = head;
        return;
    }
    while (head->interval < tail->interval) {
        index_thin(head);
    }
    for (uint32_t i = 0; i < tail->n; i++) {
        index_add(head, tail->entry[i]);
    }
    head->covered = tail->covered;
    log_index_free(tail);
    g->index = head;
}

void log_index_forget(struct store *s, struct plog *p, int64_t segment)
{
    for (uint32_t i = 0; i < LOG_INDEXES_LOADED_MAX; i++) {
        if (s->loaded[i].plog == p && (segment < 0 || s->loaded[i].segment == segment)) {
            s->loaded[i].plog = NULL;
        }
    }
}

/* Remembers that a rolled segment's index is in memory, and drops the one remembered longest. */
static void loaded_push(struct store *s, struct plog *p, int64_t segment)
{
    log_index_forget(s, p, segment); /* an old mark must not drop what was just loaded */
    struct log_loaded *l = &s->loaded[s->loaded_next++ % LOG_INDEXES_LOADED_MAX];
    if (l->plog) {
        struct log_segment *old = log_segment_find(l->plog, l->segment);
        if (old && old != log_active(l->plog) && !old->dirty) {
            log_index_free(old->index);
            old->index = NULL;
        }
    }
    *l = (struct log_loaded){.plog = p, .segment = segment};
}

int log_index_get(struct store *s, struct plog *p, struct log_segment *g, struct log_index **out,
                  struct err *err)
{
    if (!g->index || g->index->from > 0) {
        uint32_t limit = g->index ? g->index->from : g->size;
        struct log_index *x = index_load(s, p, g, limit);
        if (!x) {
            x = index_new(s, 0);
        }
        int e = index_extend(s, p, g, x, limit, err);
        if (e) {
            log_index_free(x);
            return e;
        }
        index_merge(g, x);
        if (g != log_active(p)) {
            loaded_push(s, p, g->base);
        }
    }
    *out = g->index;
    return 0;
}

const struct log_index_entry *log_index_by_offset(const struct log_index *x, uint32_t rel)
{
    uint32_t lo = 0, hi = x->n;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (x->entry[mid].offset <= rel) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo ? &x->entry[lo - 1] : NULL;
}

const struct log_index_entry *log_index_by_position(const struct log_index *x, uint32_t position)
{
    uint32_t lo = 0, hi = x->n;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (x->entry[mid].position <= position) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo ? &x->entry[lo - 1] : NULL;
}

const struct log_index_entry *log_index_by_time(const struct log_index *x, int64_t ms)
{
    uint32_t lo = 0, hi = x->n;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (x->entry[mid].max_before < ms) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo ? &x->entry[lo - 1] : NULL;
}

int log_headers_scan(struct store *s, const struct plog *p, const struct log_segment *g,
                     uint32_t from, int64_t offset, uint32_t to, log_header_visit visit, void *arg,
                     struct err *err)
{
    char path[DISK_PATH_MAX];
    log_path_segment(&p->id, g->base, ".log", path);
    uint32_t cap = to - from < LOG_SCAN_BYTES ? to - from : LOG_SCAN_BYTES;
    uint8_t *chunk = mem_alloc(cap + 1);
    uint32_t chunk_at = 0, chunk_n = 0, want = LOG_ALIGN; /* most scans end within a page or two */
    int e = 0;
    while (from < to) {
        if (from < chunk_at || from + LOG_BATCH_HEADER_BYTES > chunk_at + chunk_n) {
            uint32_t n = want < cap ? want : cap;
            n = to - from < n ? to - from : n;
            want = want < cap ? want * 2 : want; /* not for ever: it would wrap to 0 */
            int64_t got = s->disk->read(s->disk, path, from, chunk, n);
            if (got < 0) {
                e = log_disk_error(err, "read", path, got);
                break;
            }
            chunk_at = from;
            chunk_n = (uint32_t)got;
        }
        struct log_batch b;
        if (from + LOG_BATCH_HEADER_BYTES > chunk_at + chunk_n ||
            !log_batch_parse(chunk + (from - chunk_at), &b) || b.size_bytes > to - from ||
            b.base_offset != offset) {
            e = err_set(err, ERR_CORRUPT, "%s is damaged at byte %u: no batch begins there", path,
                        from);
            break;
        }
        if (!visit(arg, from, &b)) {
            break;
        }
        offset = b.base_offset + b.last_delta + 1;
        from += b.size_bytes;
    }
    mem_free(chunk);
    return e;
}
