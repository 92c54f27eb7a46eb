/* Opening a store: journal files and checkpoint are read, the chain of groups from the checkpoint
 * on is replayed, its end is told from damage, and a new file with a new salt will take the next
 * group. */
#include "log/state.h"

#include "base/log.h"
#include "base/mem.h"

#include <errno.h>

struct found {
    bool present, valid;
    struct log_file_header h;
    uint64_t size;
};

struct recovery {
    struct store *s;
    struct disk *d;
    struct err *err;
    struct found file[LOG_SLOTS_MAX];
    int order[LOG_SLOTS_MAX]; /* slots with a valid header, by seq */
    size_t order_n;
    uint8_t *image; /* the newest valid checkpoint; NULL: none */
    struct log_checkpoint_header cp;
    struct log_replay *replay;
    uint8_t *group;
    size_t group_cap;
    size_t at;    /* in order: the file that is being read */
    uint64_t lsn; /* the end of what was read */
    size_t groups_n;
};

int log_disk_error(struct err *err, const char *what, const char *path, int64_t status)
{
    return err_set(err, ERR_IO, "cannot %s %s: %s", what, path, strerror((int)-status));
}

static void list_entry(void *arg, const char *name)
{
    bytes_add(arg, name, strlen(name) + 1);
}

int log_list(struct disk *d, const char *path, struct bytes *out, struct err *err)
{
    int e = d->list(d, path, list_entry, out);
    return e && e != -ENOENT ? log_disk_error(err, "list", path, e) : 0;
}

static const char advice[] = "restore the whole data folder from one copy, or move it away and "
                             "start empty, knowing that what it held is gone";

/* ---- what is there ---- */

static int slot_of_name(const char *name)
{
    int v = 0;
    for (int i = 0; i < 4; i++) {
        if (name[i] < '0' || name[i] > '9') {
            return -1;
        }
        v = v * 10 + (name[i] - '0');
    }
    return strcmp(name + 4, ".jnl") == 0 && v < LOG_SLOTS_MAX ? v : -1;
}

static int read_file_header(struct recovery *r, int slot)
{
    struct found *f = &r->file[slot];
    char path[DISK_PATH_MAX];
    uint8_t head[LOG_FILE_HEADER_BYTES];
    log_path_journal(slot, path);
    int64_t size = r->d->size(r->d, path);
    int64_t n = size < 0 ? size : r->d->read(r->d, path, 0, head, sizeof head);
    if (n < 0) {
        return log_disk_error(r->err, "read", path, n);
    }
    f->present = true;
    f->size = (uint64_t)size;
    f->valid = n == (int64_t)sizeof head && log_file_header_get(head, &f->h) &&
               f->h.capacity >= 2 * LOG_ALIGN;
    if (!f->valid) {
        return 0;
    }
    size_t i = r->order_n++;
    for (; i && r->file[r->order[i - 1]].h.seq > f->h.seq; i--) {
        r->order[i] = r->order[i - 1];
    }
    r->order[i] = slot;
    return 0;
}

static int read_files(struct recovery *r)
{
    struct bytes names = {0};
    int e = log_list(r->d, "journal", &names, r->err);
    for (size_t at = 0; !e && at < names.n; at += strlen((char *)names.p + at) + 1) {
        const char *name = (const char *)names.p + at;
        int slot = strlen(name) == 8 ? slot_of_name(name) : -1;
        e = slot >= 0 ? read_file_header(r, slot) : 0;
    }
    bytes_free(&names);
    return e;
}

static int read_checkpoint(struct recovery *r, uint64_t which)
{
    char path[DISK_PATH_MAX];
    log_path_checkpoint(which, path);
    int64_t size = r->d->size(r->d, path);
    if (size == -ENOENT || size == 0) {
        return 0;
    }
    uint8_t *image = size > 0 ? mem_alloc((size_t)size) : NULL;
    int64_t n = size > 0 ? r->d->read(r->d, path, 0, image, (size_t)size) : size;
    if (n < 0) {
        mem_free(image);
        return log_disk_error(r->err, "read", path, n);
    }
    struct log_checkpoint_header h;
    if (log_checkpoint_header_get(slice_of(image, (size_t)n), &h) &&
        (!r->image || h.seq > r->cp.seq)) {
        mem_free(r->image);
        r->image = image;
        r->cp = h;
        return 0;
    }
    mem_free(image);
    return 0;
}

static int check_identity(struct recovery *r)
{
    uint64_t id = r->image ? r->cp.store_id : r->file[r->order[0]].h.store_id;
    for (size_t i = 0; i < r->order_n; i++) {
        if (r->file[r->order[i]].h.store_id != id) {
            return err_set(r->err, ERR_CORRUPT,
                           "journal/%04d.jnl belongs to another data folder: %s", r->order[i],
                           advice);
        }
    }
    r->s->journal.store_id = id;
    /* Seed and clock may be those of an earlier start; what was found is not what that start found.
     */
    r->s->journal.random ^= hash_bytes(slice_of(r->file, sizeof r->file), r->cp.seq);
    return 0;
}

/* ---- a fresh folder ---- */

static int make_file(struct recovery *r, int slot, bool header)
{
    struct store *s = r->s;
    char path[DISK_PATH_MAX];
    log_path_journal(slot, path);
    uint64_t size = s->config.journal_file_bytes;
    size = size < LOG_FIRST_FILE_BYTES ? size : LOG_FIRST_FILE_BYTES;
    int e = r->d->allocate(r->d, path, size);
    s->journal.slot[slot] = (struct log_slot){.state = SLOT_FREE, .capacity = size};
    if (!e && header) {
        uint8_t page[LOG_ALIGN] = {0};
        log_journal_begin_file(s, slot);
        struct log_file_header h = {
            .store_id = s->journal.store_id, .salt = s->journal.salt, .capacity = size};
        log_file_header_put(page, &h);
        e = r->d->write(r->d, path, 0, page, sizeof page);
    }
    e = e ? e : r->d->sync(r->d, path);
    e = e ? e : r->d->sync_dir(r->d, "journal");
    return e ? log_disk_error(r->err, "make", path, e) : 0;
}

static int open_fresh(struct recovery *r)
{
    struct bytes names = {0};
    int e = log_list(r->d, "topics", &names, r->err);
    bool any = names.n > 0;
    bytes_free(&names);
    if (e) {
        return e;
    }
    if (any || r->image) {
        return err_set(r->err, ERR_CORRUPT,
                       "the journal's files are missing or unreadable although the folder holds "
                       "topics: %s",
                       advice);
    }
    r->s->journal.store_id = log_journal_salt(r->s) | 1;
    e = make_file(r, 0, true);
    e = e ? e : r->d->sync_dir(r->d, ".");
    return e && !r->err->code ? log_disk_error(r->err, "sync", ".", e) : e;
}

/* ---- the chain ---- */

static uint64_t position_of(const struct found *f, uint64_t lsn)
{
    return LOG_ALIGN + (lsn - f->h.start_lsn);
}

/* The header at lsn, when one of this lap stands there. */
static bool header_at(const struct found *f, const uint8_t *p, uint64_t lsn,
                      struct log_group_header *h)
{
    return log_group_header_get(p, h) && h->salt == f->h.salt && h->lsn == lsn &&
           position_of(f, lsn) + h->group_bytes <= f->h.capacity;
}

/* 1: read into r->group, 0: no group stands there, <0: error. */
static int read_group(struct recovery *r, const struct found *f, int slot, uint64_t lsn,
                      struct log_group_header *h)
{
    char path[DISK_PATH_MAX];
    log_path_journal(slot, path);
    uint64_t position = position_of(f, lsn);
    uint8_t head[LOG_GROUP_HEADER_BYTES];
    if (position + sizeof head > f->h.capacity) {
        return 0;
    }
    int64_t n = r->d->read(r->d, path, position, head, sizeof head);
    if (n < 0) {
        return log_disk_error(r->err, "read", path, n);
    }
    if (n < (int64_t)sizeof head || !header_at(f, head, lsn, h)) {
        return 0;
    }
    if (h->group_bytes > r->group_cap) {
        mem_free(r->group);
        r->group_cap = h->group_bytes > 65536 ? h->group_bytes : 65536;
        r->group = mem_alloc(r->group_cap);
    }
    n = r->d->read(r->d, path, position, r->group, h->group_bytes);
    if (n < 0) {
        return log_disk_error(r->err, "read", path, n);
    }
    return n == (int64_t)h->group_bytes && log_replay_intact(r->group, h);
}

static int damaged(struct recovery *r, const char *evidence)
{
    const struct found *f = &r->file[r->order[r->at]];
    return err_set(r->err, ERR_CORRUPT,
                   "journal/%04d.jnl is damaged at byte %llu, below what was synced (%s): "
                   "acknowledged records would be lost; %s",
                   r->order[r->at], (unsigned long long)position_of(f, r->lsn), evidence, advice);
}

static int read_chain(struct recovery *r)
{
    r->lsn = r->image ? r->cp.replay_lsn : 0;
    if (r->file[r->order[0]].h.start_lsn > r->lsn) {
        return err_set(r->err, ERR_CORRUPT,
                       "journal/ lacks the files that follow its checkpoint: %s", advice);
    }
    while (r->at + 1 < r->order_n && r->file[r->order[r->at + 1]].h.start_lsn <= r->lsn) {
        r->at++;
    }
    for (;;) {
        const struct found *f = &r->file[r->order[r->at]];
        const struct found *next = r->at + 1 < r->order_n ? &r->file[r->order[r->at + 1]] : NULL;
        uint64_t end = next ? next->h.start_lsn : UINT64_MAX;
        while (r->lsn < end) {
            struct log_group_header h;
            int e = read_group(r, f, r->order[r->at], r->lsn, &h);
            e = e == 1 ? log_replay_group(r->replay, r->group, &h, r->err) : e ? e : 1;
            if (e < 0) {
                return e;
            }
            if (e == 1) {
                break;
            }
            r->lsn += (h.group_bytes + LOG_ALIGN - 1) / LOG_ALIGN * LOG_ALIGN;
            r->groups_n++;
        }
        if (!next) {
            return 0;
        }
        if (r->lsn != end || next->h.seq != f->h.seq + 1) {
            return damaged(r, "a younger file follows");
        }
        r->at++;
    }
}

/* ---- torn, or damaged? ---- */

/* Is there a whole group header at this place of the file that says that the end had been synced?
 * Its own checksum counts: a torn header says anything. `lap`: only groups of this file's lap
 * count; NULL: the file's header is unreadable, any younger group does. 1: yes, 0: no, <0: error.
 */
static int is_evidence(struct recovery *r, int slot, const struct found *lap, uint64_t at,
                       const uint8_t *p)
{
    struct log_group_header h;
    if (!log_group_header_get(p, &h) || h.synced_lsn <= r->lsn ||
        h.header_bytes > r->file[slot].size - at ||
        (lap && (h.salt != lap->h.salt || position_of(lap, h.lsn) != at))) {
        return 0;
    }
    char path[DISK_PATH_MAX];
    log_path_journal(slot, path);
    uint8_t *whole = mem_alloc(h.header_bytes);
    int64_t n = r->d->read(r->d, path, at, whole, h.header_bytes);
    int e = n < 0 ? log_disk_error(r->err, "read", path, n)
                  : n == (int64_t)h.header_bytes && log_group_header_intact(whole, &h);
    mem_free(whole);
    return e;
}

/* Looks behind the end for a younger group. */
static int look_behind(struct recovery *r, int slot, const struct found *lap, uint64_t from)
{
    char path[DISK_PATH_MAX];
    log_path_journal(slot, path);
    enum { CHUNK = 1 << 20 };
    uint8_t *p = mem_alloc(CHUNK);
    int e = 0;
    for (uint64_t at = from; !e && at < r->file[slot].size; at += CHUNK) {
        int64_t n = r->d->read(r->d, path, at, p, CHUNK);
        if (n < 0) {
            e = log_disk_error(r->err, "read", path, n);
        }
        for (int64_t i = 0; !e && i + LOG_GROUP_HEADER_BYTES <= n; i += LOG_ALIGN) {
            e = is_evidence(r, slot, lap, at + (uint64_t)i, p + i);
            e = e == 1 ? damaged(r, "a younger group follows") : e;
        }
    }
    mem_free(p);
    return e;
}

/* A file without a readable header that was never used holds zeros. */
static int look_at_headless(struct recovery *r, int slot)
{
    char path[DISK_PATH_MAX];
    log_path_journal(slot, path);
    uint8_t p[LOG_ALIGN + LOG_GROUP_HEADER_BYTES];
    int64_t n = r->d->read(r->d, path, 0, p, sizeof p);
    if (n < 0) {
        return log_disk_error(r->err, "read", path, n);
    }
    for (int64_t i = 0; i < n; i++) {
        if (p[i]) {
            return look_behind(r, slot, NULL, LOG_ALIGN);
        }
    }
    return 0;
}

static int check_end(struct recovery *r)
{
    const struct found *f = &r->file[r->order[r->at]];
    if (r->image && r->cp.synced_lsn > r->lsn) {
        return damaged(r, "the checkpoint says so");
    }
    int e = look_behind(r, r->order[r->at], f, position_of(f, r->lsn));
    for (int i = 0; !e && i < LOG_SLOTS_MAX; i++) {
        e = r->file[i].present && !r->file[i].valid ? look_at_headless(r, i) : 0;
    }
    return e;
}

/* ---- after the replay ---- */

static int write_checkpoint(struct recovery *r)
{
    struct store *s = r->s;
    char path[DISK_PATH_MAX];
    s->checkpoint.seq = r->image ? r->cp.seq : 0;
    if (!r->groups_n) {
        return 0;
    }
    struct buf *b = log_checkpoint_encode(s, ++s->checkpoint.seq, r->lsn);
    log_path_checkpoint(s->checkpoint.seq, path);
    int e = r->d->write(r->d, path, 0, b->data, b->n);
    e = e ? e : r->d->sync(r->d, path);
    e = e ? e : r->d->sync_dir(r->d, "journal");
    buf_unref(b);
    return e ? log_disk_error(r->err, "write", path, e) : 0;
}

static int settle_ring(struct recovery *r)
{
    struct log_journal *j = &r->s->journal;
    int free_slot = -1, absent = -1;
    uint64_t least = r->s->config.journal_file_bytes;
    least = least < LOG_FIRST_FILE_BYTES ? least : LOG_FIRST_FILE_BYTES;
    for (int i = LOG_SLOTS_MAX - 1; i >= 0; i--) {
        const struct found *f = &r->file[i];
        uint64_t size =
            f->size < r->s->config.journal_file_bytes ? f->size : r->s->config.journal_file_bytes;
        size -= size % LOG_ALIGN;
        if (i == r->order[r->at]) {
            j->slot[i] = (struct log_slot){.state = SLOT_USED,
                                           .seq = f->h.seq,
                                           .start_lsn = f->h.start_lsn,
                                           .end_lsn = r->lsn,
                                           .capacity = f->h.capacity};
        } else if (f->present && size >= least) {
            j->slot[i] = (struct log_slot){.state = SLOT_FREE, .capacity = size};
            free_slot = i;
        } else {
            absent = i;
        }
    }
    const struct found *last = &r->file[r->order[r->at]];
    j->next_seq = last->h.seq + 1;
    j->synced_seq = last->h.seq;
    j->lsn = j->synced_lsn = j->replay_lsn = r->lsn;
    /* The first group needs a file, and not the one that holds the journal's end. */
    return free_slot >= 0 ? 0 : make_file(r, absent, false);
}

static int write_again(struct recovery *r, const char *path, const uint8_t *p, size_t n)
{
    int e = r->d->write(r->d, path, 0, p, n);
    e = e ? e : r->d->sync(r->d, path);
    return e ? log_disk_error(r->err, "write", path, e) : 0;
}

/* What a killed process left may exist in the page cache alone, and count as clean there if a sync
 * had failed: the checkpoint and the header of the youngest file are written again, because other
 * files are taken again on their word. The same bytes: a torn write changes nothing. */
static int secure_found(struct recovery *r)
{
    char path[DISK_PATH_MAX];
    uint8_t head[LOG_FILE_HEADER_BYTES];
    int last = r->order[r->order_n - 1];
    log_path_journal(last, path);
    log_file_header_put(head, &r->file[last].h);
    int e = write_again(r, path, head, sizeof head);
    if (!e && r->image) {
        log_path_checkpoint(r->cp.seq, path);
        e = write_again(r, path, r->image, r->cp.total_bytes);
    }
    if (e) {
        return e;
    }
    e = r->d->sync_dir(r->d, "journal");
    e = e ? e : r->d->sync_dir(r->d, ".");
    return e ? log_disk_error(r->err, "sync", "journal", e) : 0;
}

static int open_existing(struct recovery *r)
{
    struct store *s = r->s;
    int e = check_identity(r);
    e = e ? e : secure_found(r);
    if (!e && r->image) {
        e = log_checkpoint_decode(s, slice_of(r->image, r->cp.total_bytes), &r->cp, r->err);
    }
    r->replay = log_replay_new(s, s->last_tick_ms);
    e = e ? e : read_chain(r);
    e = e ? e : check_end(r);
    e = e ? e : log_replay_finish(r->replay, r->err);
    e = e ? e : log_sweep_sizes(s, r->err);
    e = e ? e : write_checkpoint(r);
    e = e ? e : log_sweep_strangers(s, r->err);
    e = e ? e : settle_ring(r);
    if (!e) {
        log_event(LOG_INFO, "log", "journal replayed", LOG_I("groups", r->groups_n),
                  LOG_I("bytes", s->stats.replayed_bytes), LOG_I("lsn", r->lsn),
                  LOG_I("replicas", s->plogs_n));
    }
    log_replay_free(r->replay);
    return e;
}

static struct store_config sane(const struct store_config *config)
{
    struct store_config c = *config;
    if (c.journal_file_bytes < 16 * LOG_ALIGN) {
        c.journal_file_bytes = 16 * LOG_ALIGN;
    }
    c.journal_file_bytes -= c.journal_file_bytes % LOG_ALIGN;
    if (c.index_interval_bytes < 256) {
        c.index_interval_bytes = 256;
    }
    if (c.segment_bytes > LOG_SEGMENT_MAX_BYTES) {
        c.segment_bytes = LOG_SEGMENT_MAX_BYTES;
    }
    return c;
}

int store_open(struct store **out, struct disk *disk, const struct store_config *config,
               int64_t now_ms, struct err *err)
{
    struct err local;
    struct store *s = MEM_NEW(struct store);
    s->disk = disk;
    s->config = sane(config);
    s->last_append_ms = s->last_tick_ms = now_ms;
    map_init(&s->by_id, config->seed);
    map_init(&s->by_no, config->seed);
    log_journal_init(s, config->seed ^ (uint64_t)now_ms);
    uint64_t most = LOG_PENDING_GROUPS * s->config.group_max_bytes;
    s->pending_max_bytes = s->config.journal_file_bytes / 3;
    s->pending_max_bytes = most < s->pending_max_bytes ? most : s->pending_max_bytes;

    struct recovery *r = MEM_NEW(struct recovery);
    r->s = s;
    r->d = disk;
    r->err = err ? err : &local;
    r->err->code = ERR_OK;
    int e = disk->make_dir(disk, "journal");
    e = e ? e : disk->make_dir(disk, "topics");
    if (e) {
        e = log_disk_error(r->err, "make", "journal", e);
    }
    e = e ? e : read_files(r);
    e = e ? e : read_checkpoint(r, 0);
    e = e ? e : read_checkpoint(r, 1);
    if (!e) {
        e = r->order_n ? open_existing(r) : open_fresh(r);
    }
    mem_free(r->image);
    mem_free(r->group);
    mem_free(r);
    if (e) {
        store_close(s);
        return e;
    }
    *out = s;
    return 0;
}
