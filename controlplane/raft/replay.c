/* Replaying the log: following the chain through the files, telling a torn tail from damage, and
 * writing again what may exist in the page cache alone. */
#include "base/check.h"
#include "base/mem.h"
#include "raft/store_impl.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { WINDOW = 256 * 1024 };

/* A window over one file. */
struct reader {
    struct raft_store *s;
    unsigned file; /* index in s->file */
    uint8_t *p;    /* owned */
    size_t cap;
    uint64_t start; /* what it holds: [start, start + n) */
    size_t n;
};

/* Bytes at `at`, at least `need` of them or all that the file has; *have is how many. */
static const uint8_t *reader_at(struct reader *r, uint64_t at, size_t need, size_t *have,
                                struct err *e)
{
    const struct log_file *file = &r->s->file[r->file];
    uint64_t left = at < file->size_bytes ? file->size_bytes - at : 0;

    if (need > left)
        need = (size_t)left;
    if (at < r->start || at + need > r->start + r->n) {
        size_t want = need > WINDOW ? need : WINDOW;

        if (want > left)
            want = (size_t)left;
        if (want > r->cap) {
            r->p = mem_realloc(r->p, want);
            r->cap = want;
        }
        int64_t got = r->s->files->read(r->s->files, file->handle, at, r->p, want);

        if (got < 0) {
            raft_store_io_error(e, (int)got, "read the Raft log");
            return NULL;
        }
        r->start = at;
        r->n = (size_t)got;
    }
    *have = r->n - (size_t)(at - r->start);
    return r->p == NULL ? (const uint8_t *)"" : r->p + (at - r->start);
}

struct replay {
    struct reader reader;
    bool started;        /* a first group was seen: lsn and crc mean something */
    bool marked;         /* the tail has its mark */
    uint64_t synced_lsn; /* the highest that any group vouches for */
};

static int damaged(uint64_t number, uint64_t at, struct err *e)
{
    return err_set(e, ERR_CORRUPT,
                   "the Raft log is damaged: log-%016" PRIx64 " cannot be read at byte %" PRIu64
                   ", although what stood there had been synced" RAFT_WHAT_TO_DO,
                   number, at);
}

void raft_store_drop_entries(struct raft_store *s, size_t from, size_t to)
{
    void *kept_before = from > 0 ? s->entries[from - 1].batch : NULL;
    void *kept_after = to < s->entries_n ? s->entries[to].batch : NULL;
    void *last = NULL;

    for (size_t i = from; i < to; i++) {
        void *batch = s->entries[i].batch;

        if (batch == last || batch == kept_before || batch == kept_after)
            continue;
        raft_free(batch);
        last = batch;
    }
}

static int replay_append(struct raft_store *s, const uint8_t *p, const struct raft_group *g,
                         uint64_t at, struct err *e)
{
    uint64_t next = s->start_index + s->entries_n;

    if (s->start_index == 0) /* the first of the chain: the log starts here */
        s->start_index = next = g->first_index;
    if (g->first_index != next)
        return err_set(e, ERR_CORRUPT,
                       "the Raft log is damaged: log-%016" PRIx64 " has entry %" PRIu64
                       " at byte %" PRIu64 " where %" PRIu64 " must follow" RAFT_WHAT_TO_DO,
                       s->file[s->current].number, g->first_index, at, next);
    if (s->entries_n + g->entries_n > s->entries_cap) {
        s->entries_cap = (s->entries_n + g->entries_n) * 2;
        s->entries = raft_realloc(s->entries, s->entries_cap * sizeof *s->entries);
        ASSERT(s->entries != NULL);
    }
    raft_group_entries(p, g, s->entries + s->entries_n);
    s->entries_n += g->entries_n;

    struct log_file *file = &s->file[s->current];

    if (g->first_index + g->entries_n - 1 > file->max_index)
        file->max_index = g->first_index + g->entries_n - 1;
    return 0;
}

static void replay_cut(struct raft_store *s, const struct raft_group *g)
{
    uint64_t keep = 0;

    if (g->kind == RAFT_GROUP_TRUNCATE && s->start_index > 0 && g->first_index > s->start_index)
        keep = g->first_index - s->start_index;
    if (keep > s->entries_n)
        keep = s->entries_n;
    raft_store_drop_entries(s, (size_t)keep, s->entries_n);
    s->entries_n = (size_t)keep;
    if (keep == 0)
        s->start_index = g->first_index;
}

/* One group at the position. Returns 1 when it was taken, 0 when the chain does not go on here. */
static int replay_one(struct raft_store *s, struct replay *r, struct err *e)
{
    struct raft_group g;
    size_t have;
    const uint8_t *p = reader_at(&r->reader, s->position, RAFT_GROUP_HEAD, &have, e);

    if (p == NULL)
        return e->code;
    if (!raft_group_peek(p, have, &g) || g.incarnation != s->meta.incarnation)
        return 0;
    if (g.size_bytes > have) {
        p = reader_at(&r->reader, s->position, g.size_bytes, &have, e);
        if (p == NULL)
            return e->code;
    }
    if (!raft_group_check(p, have, &g))
        return 0;
    if (r->started && !raft_group_follows(&g, s->meta.incarnation, s->lsn, s->crc))
        return 0;
    if (g.synced_lsn > r->synced_lsn)
        r->synced_lsn = g.synced_lsn;
    if (g.kind == RAFT_GROUP_MARK) {
        r->marked = r->started;
        return 0;
    }
    r->started = true;
    s->lsn = g.lsn;
    s->crc = g.crc;
    if (g.kind == RAFT_GROUP_END) {
        if (s->current + 1 >= s->file_n)
            return damaged(s->file[s->current].number + 1, 0, e);
        s->current++;
        r->reader.file = s->current;
        r->reader.n = 0;
        s->position = 0;
        return 1;
    }
    if (g.kind == RAFT_GROUP_APPEND) {
        int rc = replay_append(s, p, &g, s->position, e);

        if (rc != 0)
            return rc;
    } else {
        replay_cut(s, &g);
    }
    s->position += g.size_bytes;
    return 1;
}

/* Whether anything behind the end of the chain says that more had been synced. */
static int look_behind(struct raft_store *s, struct replay *r, struct err *e)
{
    for (unsigned i = s->current; i < s->file_n; i++) {
        uint64_t at = i == s->current ? s->position : 0;
        size_t have;

        r->reader.file = i;
        r->reader.n = 0;
        const uint8_t *p = reader_at(&r->reader, at, RAFT_LOG_FILE_SIZE, &have, e);

        if (p == NULL)
            return e->code;
        if (raft_group_scan(p, have, s->meta.incarnation, s->lsn + 1))
            return damaged(s->file[s->current].number, s->position, e);
    }
    return 0;
}

/* Where in a file the first group stands that nobody vouches for; `end` when there is none. */
static int find_unsynced(struct raft_store *s, struct replay *r, unsigned file, uint64_t end,
                         uint64_t *at, struct err *e)
{
    r->reader.file = file;
    r->reader.n = 0;
    for (*at = 0; *at < end;) {
        struct raft_group g;
        size_t have;
        const uint8_t *p = reader_at(&r->reader, *at, RAFT_GROUP_HEAD, &have, e);

        if (p == NULL)
            return e->code;
        if (!raft_group_peek(p, have, &g) || g.lsn > r->synced_lsn || g.lsn > s->lsn)
            return 0;
        *at += g.size_bytes;
    }
    return 0;
}

/* What nobody vouches for may be in the page cache only, be it after SIGKILL or after a sync that
 * failed: it is written once more, so that the sync after it means something. END is synced before
 * its successor is written, so all of it is in one file; when the current one is empty, in the one
 * before. */
static int settle_tail(struct raft_store *s, struct replay *r, struct err *e)
{
    struct raft_files *f = s->files;
    unsigned file = s->position == 0 && s->current > 0 ? s->current - 1 : s->current;
    uint64_t end = file == s->current ? s->position : s->file[file].size_bytes;
    uint64_t from;
    int rc = find_unsynced(s, r, file, end, &from, e);

    if (rc != 0)
        return rc;

    size_t n = (size_t)(end - from);
    uint8_t *copy = mem_alloc(n > 0 ? n : 1);
    int64_t got = f->read(f, s->file[file].handle, from, copy, n);

    rc = got < 0 ? (int)got : f->write(f, s->file[file].handle, from, copy, (size_t)got);
    if (rc == 0)
        rc = f->sync(f, s->file[file].handle);
    mem_free(copy);
    if (rc != 0)
        return raft_store_io_error(e, rc, "write the tail of the Raft log again");
    s->synced_lsn = s->lsn;
    return raft_store_mark(s, e);
}

int raft_store_replay(struct raft_store *s, struct err *e)
{
    struct replay r = {.reader = {.s = s}};
    int rc;

    do
        rc = replay_one(s, &r, e);
    while (rc == 1);
    if (rc == 0 && (!r.started || s->start_index == 0))
        rc = damaged(s->file[0].number, 0, e);
    if (rc == 0 && !r.marked)
        rc = look_behind(s, &r, e);
    if (rc == 0) {
        s->last_index = s->start_index + s->entries_n - 1;
        s->synced_lsn = s->lsn;
        if (!r.marked)
            rc = settle_tail(s, &r, e);
    }
    mem_free(r.reader.p);
    return rc;
}
