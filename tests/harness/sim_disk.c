#include "harness/sim_disk.h"

#include "base/check.h"
#include "base/map.h"
#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>

enum { SECTOR = 512 };

/* A file's bytes: as everybody sees them, and as a power cut would leave them at worst. */
struct inode {
    uint8_t *now, *durable; /* cap bytes each */
    size_t cap;
    uint64_t size, durable_size;
    uint8_t *dirty; /* per sector: a sync would write it */
    uint32_t links;
};

struct name {
    struct name *next;
    char path[DISK_PATH_MAX];
    bool now_dir, durable_dir;
    struct inode *now, *durable; /* a folder has none */
};

struct queued {
    struct disk_op op;
    struct queued *next;
};

struct sim_disk {
    struct disk disk; /* first: the functions cast back */
    uint64_t random;
    struct map names;
    struct name *first;
    struct queued *head[DISK_QUEUES_N], *tail[DISK_QUEUES_N];
    size_t queued_n;
    unsigned fail_calls;
    char fail_path[DISK_PATH_MAX];
    uint64_t fail_nth, fail_times;
    int fail_error;
    uint64_t space, used;
    uint64_t calls, cut_at;
};

static uint64_t rnd(struct sim_disk *sd)
{
    uint64_t z = sd->random += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* ---- inodes ---- */

static void inode_grow(struct inode *n, uint64_t size)
{
    if (size <= n->cap) {
        return;
    }
    size_t cap = n->cap ? n->cap : 8 * SECTOR;
    while (cap < size) {
        cap *= 2;
    }
    n->now = mem_realloc(n->now, cap);
    n->durable = mem_realloc(n->durable, cap);
    n->dirty = mem_realloc(n->dirty, cap / SECTOR);
    memset(n->now + n->cap, 0, cap - n->cap);
    memset(n->durable + n->cap, 0, cap - n->cap);
    memset(n->dirty + n->cap / SECTOR, 0, (cap - n->cap) / SECTOR);
    n->cap = cap;
}

static void inode_unlink(struct sim_disk *sd, struct inode *n)
{
    if (n && --n->links == 0) {
        sd->used -= n->size;
        mem_free(n->now);
        mem_free(n->durable);
        mem_free(n->dirty);
        mem_free(n);
    }
}

static void inode_write(struct sim_disk *sd, struct inode *n, uint64_t at, const void *p, size_t k)
{
    if (!k) {
        return;
    }
    inode_grow(n, at + k);
    memcpy(n->now + at, p, k);
    memset(n->dirty + at / SECTOR, 1, (at + k - 1) / SECTOR - at / SECTOR + 1);
    if (at + k > n->size) {
        sd->used += at + k - n->size;
        n->size = at + k;
    }
}

static void inode_sync(struct inode *n)
{
    for (size_t i = 0; i * SECTOR < n->cap; i++) {
        if (n->dirty[i]) {
            memcpy(n->durable + i * SECTOR, n->now + i * SECTOR, SECTOR);
            n->dirty[i] = 0;
        }
    }
    n->durable_size = n->size;
}

/* After the power has come back: `keep` of 256 unsynced sectors stay. */
static void inode_cut(struct sim_disk *sd, struct inode *n, unsigned keep)
{
    uint64_t size = n->durable_size;
    uint64_t reached = 0;
    for (size_t i = 0; i * SECTOR < n->cap; i++) {
        if (n->dirty[i] && rnd(sd) % 256 < keep) {
            memcpy(n->durable + i * SECTOR, n->now + i * SECTOR, SECTOR);
            reached = (i + 1) * SECTOR;
        }
        n->dirty[i] = 0;
    }
    if (keep && n->size != n->durable_size && rnd(sd) % 2) {
        size = n->size;
    }
    reached = reached < n->size ? reached : n->size;
    size = size < reached && rnd(sd) % 2 ? reached : size;
    if (size < n->cap) {
        memset(n->durable + size, 0, n->cap - size);
    }
    memcpy(n->now, n->durable, n->cap);
    sd->used += size;
    sd->used -= n->size;
    n->size = n->durable_size = size;
}

/* ---- names ---- */

static struct name *name_get(struct sim_disk *sd, const char *path, bool make)
{
    struct name *e = map_get(&sd->names, slice_str(path));
    if (!e && make) {
        e = MEM_NEW(struct name);
        size_t n = strlen(path);
        ASSERT(n < sizeof e->path);
        memcpy(e->path, path, n + 1);
        e->next = sd->first;
        sd->first = e;
        map_put(&sd->names, slice_str(path), e);
    }
    return e;
}

static struct inode *file_get(struct sim_disk *sd, const char *path)
{
    struct name *e = name_get(sd, path, false);
    return e ? e->now : NULL;
}

static bool parent_exists(struct sim_disk *sd, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash) {
        return true;
    }
    char parent[DISK_PATH_MAX];
    memcpy(parent, path, (size_t)(slash - path));
    parent[slash - path] = 0;
    struct name *e = name_get(sd, parent, false);
    return e && e->now_dir;
}

/* Directly inside the folder? "." is the root. */
static const char *inside(const char *path, const char *dir)
{
    size_t n = strcmp(dir, ".") == 0 ? 0 : strlen(dir);
    if (n && (strncmp(path, dir, n) != 0 || path[n] != '/')) {
        return NULL;
    }
    const char *rest = path + (n ? n + 1 : 0);
    return *rest && !strchr(rest, '/') ? rest : NULL;
}

static struct inode *file_make(struct sim_disk *sd, const char *path)
{
    struct name *e = name_get(sd, path, true);
    if (!e->now) {
        e->now = MEM_NEW(struct inode);
        e->now->links = 1;
    }
    return e->now;
}

/* ---- the calls ---- */

static int gate(struct sim_disk *sd, unsigned call, const char *path)
{
    if (sd->cut_at && sd->calls >= sd->cut_at) {
        return -EIO;
    }
    if (call & (SIM_DISK_WRITE | SIM_DISK_SYNC | SIM_DISK_ALLOCATE | SIM_DISK_NAMES)) {
        sd->calls++;
    }
    if (!(sd->fail_calls & call) || (sd->fail_path[0] && !strstr(path, sd->fail_path))) {
        return 0;
    }
    if (sd->fail_nth > 1) {
        sd->fail_nth--;
        return 0;
    }
    if (sd->fail_times && --sd->fail_times == 0) {
        sd->fail_calls = 0;
    }
    return -sd->fail_error;
}

static int64_t sim_size(struct disk *d, const char *path)
{
    struct sim_disk *sd = (struct sim_disk *)d;
    struct inode *n = file_get(sd, path);
    int e = gate(sd, SIM_DISK_READ, path);
    return e ? e : n ? (int64_t)n->size : -ENOENT;
}

static int64_t sim_read(struct disk *d, const char *path, uint64_t offset, void *p, size_t n)
{
    struct sim_disk *sd = (struct sim_disk *)d;
    struct inode *f = file_get(sd, path);
    int e = gate(sd, SIM_DISK_READ, path);
    if (e || !f) {
        return e ? e : -ENOENT;
    }
    if (offset >= f->size) {
        return 0;
    }
    n = f->size - offset < n ? (size_t)(f->size - offset) : n;
    memcpy(p, f->now + offset, n);
    return (int64_t)n;
}

static int write_now(struct sim_disk *sd, const char *path, uint64_t offset, const void *p,
                     size_t n)
{
    struct inode *f = file_get(sd, path);
    if (!f && !parent_exists(sd, path)) {
        return -ENOENT;
    }
    uint64_t size = f ? f->size : 0;
    if (offset + n > size && sd->used + (offset + n - size) > sd->space) {
        return -ENOSPC;
    }
    inode_write(sd, file_make(sd, path), offset, p, n);
    return 0;
}

static int sim_write(struct disk *d, const char *path, uint64_t offset, const void *p, size_t n)
{
    struct sim_disk *sd = (struct sim_disk *)d;
    int e = gate(sd, SIM_DISK_WRITE, path);
    return e ? e : write_now(sd, path, offset, p, n);
}

static int sim_sync(struct disk *d, const char *path)
{
    struct sim_disk *sd = (struct sim_disk *)d;
    struct inode *f = file_get(sd, path);
    int e = gate(sd, SIM_DISK_SYNC, path);
    if (!f) {
        return e ? e : -ENOENT;
    }
    if (e) {
        memset(f->dirty, 0, f->cap / SECTOR); /* clean, though never written */
        return e;
    }
    inode_sync(f);
    return 0;
}

static int sim_sync_dir(struct disk *d, const char *path)
{
    struct sim_disk *sd = (struct sim_disk *)d;
    int e = gate(sd, SIM_DISK_SYNC, path);
    if (e) {
        return e;
    }
    struct name *dir = name_get(sd, path, false);
    if (strcmp(path, ".") != 0 && !(dir && dir->now_dir)) {
        return -ENOENT;
    }
    for (struct name *n = sd->first; n; n = n->next) {
        if (inside(n->path, path)) {
            if (n->durable != n->now) {
                inode_unlink(sd, n->durable);
                n->durable = n->now;
                n->durable ? n->durable->links++ : 0;
            }
            n->durable_dir = n->now_dir;
        }
    }
    return 0;
}

static int sim_truncate(struct disk *d, const char *path, uint64_t size)
{
    struct sim_disk *sd = (struct sim_disk *)d;
    struct inode *f = file_get(sd, path);
    int e = gate(sd, SIM_DISK_NAMES, path);
    if (e || !f) {
        return e ? e : -ENOENT;
    }
    inode_grow(f, size);
    if (size < f->size) {
        uint64_t n = f->size - size;
        memset(f->now + size, 0, n);
        memset(f->dirty + size / SECTOR, 1, (f->size - 1) / SECTOR - size / SECTOR + 1);
    }
    sd->used += size;
    sd->used -= f->size;
    f->size = size;
    return 0;
}

static int allocate_now(struct sim_disk *sd, const char *path, uint64_t size)
{
    struct inode *f = file_get(sd, path);
    if (!f && !parent_exists(sd, path)) {
        return -ENOENT;
    }
    uint64_t old = f ? f->size : 0;
    if (size > old && sd->used + (size - old) > sd->space) {
        return -ENOSPC;
    }
    f = file_make(sd, path);
    inode_grow(f, size);
    if (size > f->size) {
        sd->used += size - f->size;
        f->size = size;
    }
    return 0;
}

static int sim_allocate(struct disk *d, const char *path, uint64_t size)
{
    struct sim_disk *sd = (struct sim_disk *)d;
    int e = gate(sd, SIM_DISK_ALLOCATE, path);
    return e ? e : allocate_now(sd, path, size);
}

static int sim_make_dir(struct disk *d, const char *path)
{
    struct sim_disk *sd = (struct sim_disk *)d;
    int e = gate(sd, SIM_DISK_NAMES, path);
    if (!e && !parent_exists(sd, path)) {
        e = -ENOENT;
    }
    if (!e) {
        name_get(sd, path, true)->now_dir = true;
    }
    return e;
}

static int sim_rename(struct disk *d, const char *from, const char *to)
{
    struct sim_disk *sd = (struct sim_disk *)d;
    int e = gate(sd, SIM_DISK_NAMES, from);
    struct name *a = name_get(sd, from, false);
    if (e || !a || !a->now) {
        return e ? e : -ENOENT;
    }
    struct name *b = name_get(sd, to, true);
    inode_unlink(sd, b->now);
    b->now = a->now;
    a->now = NULL;
    return 0;
}

static bool dir_empty(struct sim_disk *sd, const char *path)
{
    for (struct name *n = sd->first; n; n = n->next) {
        if (inside(n->path, path) && (n->now || n->now_dir)) {
            return false;
        }
    }
    return true;
}

static int sim_remove(struct disk *d, const char *path)
{
    struct sim_disk *sd = (struct sim_disk *)d;
    int e = gate(sd, SIM_DISK_NAMES, path);
    struct name *n = name_get(sd, path, false);
    if (e || !n) {
        return e;
    }
    if (n->now_dir) {
        if (!dir_empty(sd, path)) {
            return -ENOTEMPTY;
        }
        n->now_dir = false;
        return 0;
    }
    inode_unlink(sd, n->now);
    n->now = NULL;
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int sim_list(struct disk *d, const char *path, void (*entry)(void *arg, const char *name),
                    void *arg)
{
    struct sim_disk *sd = (struct sim_disk *)d;
    int e = gate(sd, SIM_DISK_READ, path);
    struct name *dir = name_get(sd, path, false);
    if (e || (strcmp(path, ".") != 0 && !(dir && dir->now_dir))) {
        return e ? e : -ENOENT;
    }
    const char **all = mem_alloc((sd->names.n + 1) * sizeof *all);
    size_t n = 0;
    for (struct name *f = sd->first; f; f = f->next) {
        const char *rest = inside(f->path, path);
        if (rest && (f->now || f->now_dir)) {
            all[n++] = rest;
        }
    }
    qsort(all, n, sizeof *all, by_name);
    for (size_t i = 0; i < n; i++) {
        entry(arg, all[i]);
    }
    mem_free(all);
    return 0;
}

/* ---- service ---- */

void sim_disk_submit_one(struct sim_disk *sd, const struct disk_op *op)
{
    struct queued *q = MEM_NEW(struct queued);
    q->op = *op;
    *(sd->tail[op->queue] ? &sd->tail[op->queue]->next : &sd->head[op->queue]) = q;
    sd->tail[op->queue] = q;
    sd->queued_n++;
}

void sim_disk_submit(struct sim_disk *sd, struct disk_ops *ops)
{
    for (size_t i = 0; i < ops->n; i++) {
        sim_disk_submit_one(sd, &ops->op[i]);
    }
    ops->n = 0;
}

size_t sim_disk_queued(const struct sim_disk *sd)
{
    return sd->queued_n;
}

static struct queued *pop(struct sim_disk *sd, int queue)
{
    struct queued *q = sd->head[queue];
    sd->head[queue] = q->next;
    if (!q->next) {
        sd->tail[queue] = NULL;
    }
    sd->queued_n--;
    return q;
}

static int write_parts(struct sim_disk *sd, const struct disk_op *op, uint64_t most)
{
    uint64_t at = op->offset;
    int e = 0;
    for (size_t i = 0; i < op->parts_n && !e && most; i++) {
        size_t n = op->part[i].bytes.n < most ? op->part[i].bytes.n : (size_t)most;
        e = write_now(sd, op->path, at, op->part[i].bytes.p, n);
        at += n;
        most -= n;
    }
    return e;
}

static int execute(struct sim_disk *sd, const struct disk_op *op)
{
    struct disk *d = &sd->disk;
    int e = 0;
    switch (op->kind) {
    case DISK_WRITE:
    case DISK_WRITE_SYNC:
        e = gate(sd, SIM_DISK_WRITE, op->path);
        e = e ? e : write_parts(sd, op, UINT64_MAX);
        return e || op->kind == DISK_WRITE ? e : d->sync(d, op->path);
    case DISK_SYNC:
        return d->sync(d, op->path);
    case DISK_TRUNCATE:
        return d->truncate(d, op->path, op->offset);
    case DISK_ALLOCATE:
        return d->allocate(d, op->path, op->offset);
    case DISK_REMOVE:
        return d->remove(d, op->path);
    case DISK_MAKE_DIR:
        return d->make_dir(d, op->path);
    case DISK_SYNC_DIR:
        return d->sync_dir(d, op->path);
    }
    UNREACHABLE();
}

bool sim_disk_step(struct sim_disk *sd, uint64_t *id, int *status)
{
    if (!sd->queued_n) {
        return false;
    }
    unsigned queue = (unsigned)(rnd(sd) % DISK_QUEUES_N);
    while (!sd->head[queue]) {
        queue = (queue + 1) % DISK_QUEUES_N;
    }
    struct queued *q = pop(sd, (int)queue);
    *id = q->op.id;
    *status = execute(sd, &q->op);
    disk_op_release(&q->op);
    mem_free(q);
    return true;
}

/* ---- crashes ---- */

static void drop_queues(struct sim_disk *sd, bool begun)
{
    for (int i = 0; i < DISK_QUEUES_N; i++) {
        bool first = begun;
        while (sd->head[i]) {
            struct queued *q = pop(sd, i);
            bool write = q->op.kind == DISK_WRITE || q->op.kind == DISK_WRITE_SYNC;
            if (first && write && rnd(sd) % 2) {
                uint64_t all = 0;
                for (size_t k = 0; k < q->op.parts_n; k++) {
                    all += q->op.part[k].bytes.n;
                }
                write_parts(sd, &q->op, rnd(sd) % 2 ? all : rnd(sd) % (all + 1));
            }
            first = false;
            disk_op_release(&q->op);
            mem_free(q);
        }
    }
}

static void name_settle(struct sim_disk *sd, struct name *n, bool keep_now)
{
    bool had = n->now_dir;
    struct inode *kept = keep_now ? n->now : n->durable;
    if (kept) {
        kept->links += 2;
    }
    inode_unlink(sd, n->now);
    inode_unlink(sd, n->durable);
    n->now = n->durable = kept;
    n->now_dir = n->durable_dir = keep_now ? had : n->durable_dir;
}

static void power_cut(struct sim_disk *sd, unsigned keep)
{
    drop_queues(sd, keep > 0);
    sd->cut_at = 0;
    for (struct name *n = sd->first; n; n = n->next) {
        name_settle(sd, n,
                    keep && (n->now != n->durable || n->now_dir != n->durable_dir) && rnd(sd) % 2);
    }
    bool again = true;
    while (again) { /* what is inside a lost folder is lost */
        again = false;
        for (struct name *n = sd->first; n; n = n->next) {
            if ((n->now || n->now_dir) && !parent_exists(sd, n->path)) {
                inode_unlink(sd, n->now);
                inode_unlink(sd, n->durable);
                n->now = n->durable = NULL;
                n->now_dir = n->durable_dir = false;
                again = true;
            }
        }
    }
    for (struct name *n = sd->first; n; n = n->next) {
        if (n->now) {
            inode_cut(sd, n->now, keep);
        }
    }
}

void sim_disk_power_cut(struct sim_disk *sd)
{
    static const unsigned shares[] = {0, 20, 128, 236, 256};
    power_cut(sd, shares[rnd(sd) % 5]);
}

void sim_disk_power_cut_all(struct sim_disk *sd)
{
    power_cut(sd, 0);
}

void sim_disk_kill(struct sim_disk *sd)
{
    drop_queues(sd, true);
    sd->cut_at = 0;
}

/* ---- faults ---- */

void sim_disk_fail(struct sim_disk *sd, unsigned calls, const char *path, uint64_t nth, int error,
                   uint64_t times)
{
    sd->fail_calls = calls;
    sd->fail_path[0] = 0;
    if (path) {
        size_t n = strlen(path);
        ASSERT(n < sizeof sd->fail_path);
        memcpy(sd->fail_path, path, n + 1);
    }
    sd->fail_nth = nth;
    sd->fail_error = error;
    sd->fail_times = times;
}

void sim_disk_set_space(struct sim_disk *sd, uint64_t total_bytes)
{
    sd->space = total_bytes;
}

uint64_t sim_disk_used(const struct sim_disk *sd)
{
    return sd->used;
}

bool sim_disk_zero(struct sim_disk *sd, const char *path, uint64_t offset, uint64_t n)
{
    struct inode *f = file_get(sd, path);
    if (!f || offset + n > f->size) {
        return false;
    }
    memset(f->now + offset, 0, n);
    memset(f->durable + offset, 0, n);
    return true;
}

bool sim_disk_poke(struct sim_disk *sd, const char *path, uint64_t offset, uint8_t xor_with)
{
    struct inode *f = file_get(sd, path);
    if (!f || offset >= f->size) {
        return false;
    }
    f->now[offset] ^= xor_with;
    f->durable[offset] ^= xor_with;
    return true;
}

uint64_t sim_disk_calls(const struct sim_disk *sd)
{
    return sd->calls;
}

void sim_disk_cut_at(struct sim_disk *sd, uint64_t calls)
{
    sd->cut_at = calls;
}

bool sim_disk_is_cut(const struct sim_disk *sd)
{
    return sd->cut_at && sd->calls >= sd->cut_at;
}

/* ---- life ---- */

struct sim_disk *sim_disk_new(uint64_t seed)
{
    struct sim_disk *sd = MEM_NEW(struct sim_disk);
    sd->disk = (struct disk){sim_size,     sim_read,     sim_write,    sim_sync,
                             sim_sync_dir, sim_truncate, sim_allocate, sim_make_dir,
                             sim_rename,   sim_remove,   sim_list};
    sd->random = seed;
    sd->space = UINT64_MAX;
    map_init(&sd->names, seed);
    return sd;
}

struct disk *sim_disk_disk(struct sim_disk *sd)
{
    return &sd->disk;
}

void sim_disk_free(struct sim_disk *sd)
{
    if (!sd) {
        return;
    }
    drop_queues(sd, false);
    for (struct name *n = sd->first, *next; n; n = next) {
        next = n->next;
        inode_unlink(sd, n->now);
        inode_unlink(sd, n->durable);
        mem_free(n);
    }
    map_free(&sd->names);
    mem_free(sd);
}

static struct inode *inode_clone(struct sim_disk *sd, const struct inode *n)
{
    struct inode *c = MEM_NEW(struct inode);
    inode_grow(c, n->cap);
    if (!n->cap) {
        c->links = 1;
        return c;
    }
    memcpy(c->now, n->now, n->cap);
    memcpy(c->durable, n->durable, n->cap);
    memcpy(c->dirty, n->dirty, n->cap / SECTOR);
    c->size = n->size;
    c->durable_size = n->durable_size;
    c->links = 1;
    sd->used += c->size;
    return c;
}

struct sim_disk *sim_disk_clone(const struct sim_disk *sd, uint64_t seed)
{
    struct sim_disk *c = sim_disk_new(seed);
    c->space = sd->space;
    c->calls = sd->calls;
    for (const struct name *n = sd->first; n; n = n->next) {
        struct name *m = name_get(c, n->path, true);
        m->now_dir = n->now_dir;
        m->durable_dir = n->durable_dir;
        m->now = n->now ? inode_clone(c, n->now) : NULL;
        if (n->durable == n->now && n->now) {
            m->durable = m->now;
            m->now->links = 2;
        } else if (n->durable) {
            m->durable = inode_clone(c, n->durable);
        }
    }
    for (int i = 0; i < DISK_QUEUES_N; i++) {
        for (const struct queued *q = sd->head[i]; q; q = q->next) {
            struct disk_op op = q->op;
            op.part = NULL;
            op.parts_n = 0;
            for (size_t k = 0; k < q->op.parts_n; k++) {
                disk_op_add_part(&op, q->op.part[k].buf, q->op.part[k].bytes);
            }
            sim_disk_submit_one(c, &op);
        }
    }
    return c;
}
