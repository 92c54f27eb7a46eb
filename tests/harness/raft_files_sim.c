#include "raft_files_sim.h"

#include "base/check.h"
#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { SECTOR = 512, NAMES_MAX = 64, HANDLES_MAX = 128, CHANGES_MAX = 128, NAME_MAX_BYTES = 40 };

struct sim_file {
    uint8_t *now, *synced;
    size_t now_n, synced_n;
    uint8_t *dirty; /* by sector of now: written and not yet synced */
    size_t dirty_n;
    unsigned references; /* names, handles, name changes */
};

struct name {
    char text[NAME_MAX_BYTES]; /* "": free */
    struct sim_file *file;
};

struct name_change {
    char from[NAME_MAX_BYTES]; /* "": a new name */
    char to[NAME_MAX_BYTES];   /* "": removed */
    struct sim_file *file;     /* of a new name */
};

struct sim_folder {
    struct raft_files files; /* first */
    struct name now[NAMES_MAX], synced[NAMES_MAX];
    struct name_change change[CHANGES_MAX]; /* since the folder was synced */
    unsigned changes_n;
    struct sim_file *handle[HANDLES_MAX];
    uint64_t changes;
    uint64_t fail_at; /* 0: never */
    int error;
    bool broken, full;
};

void sim_rng_seed(struct sim_rng *r, uint64_t seed)
{
    r->state = seed;
}

uint64_t sim_rng_next(struct sim_rng *r) /* splitmix64 */
{
    uint64_t z = r->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

unsigned sim_rng_range(struct sim_rng *r, unsigned low, unsigned high)
{
    return low + (unsigned)(sim_rng_next(r) % (high - low + 1));
}

static void file_unref(struct sim_file *f)
{
    if (f == NULL || --f->references > 0)
        return;
    mem_free(f->now);
    mem_free(f->synced);
    mem_free(f->dirty);
    mem_free(f);
}

static struct sim_file *file_ref(struct sim_file *f)
{
    if (f != NULL)
        f->references++;
    return f;
}

static struct name *find(struct name *names, const char *text)
{
    for (unsigned i = 0; i < NAMES_MAX; i++)
        if (strcmp(names[i].text, text) == 0)
            return &names[i];
    return NULL;
}

/* Puts a name on a file (NULL: takes it away); the old one under it is gone. */
static void name_set(struct name *names, const char *text, struct sim_file *file)
{
    struct name *n = find(names, text);

    if (n == NULL && file != NULL) {
        n = find(names, "");
        ASSERT(n != NULL);
        snprintf(n->text, sizeof n->text, "%s", text);
    }
    if (n == NULL)
        return;
    file_ref(file);
    file_unref(n->file);
    n->file = file;
    if (file == NULL)
        n->text[0] = '\0';
}

static void change_apply(struct name *names, const struct name_change *c)
{
    struct sim_file *file = c->file;

    if (c->from[0] != '\0') {
        struct name *n = find(names, c->from);

        file = n != NULL ? n->file : NULL;
    }
    file_ref(file);
    if (c->to[0] != '\0')
        name_set(names, c->to, file);
    if (c->from[0] != '\0')
        name_set(names, c->from, NULL);
    file_unref(file);
}

static void changes_drop(struct sim_folder *f)
{
    for (unsigned i = 0; i < f->changes_n; i++)
        file_unref(f->change[i].file);
    f->changes_n = 0;
}

static void note_change(struct sim_folder *f, const char *from, const char *to,
                        struct sim_file *file)
{
    ASSERT(f->changes_n < CHANGES_MAX);
    struct name_change *c = &f->change[f->changes_n++];

    snprintf(c->from, sizeof c->from, "%s", from);
    snprintf(c->to, sizeof c->to, "%s", to);
    c->file = file_ref(file);
    change_apply(f->now, c);
}

/* Returns 0 when the change may be done, else the error. */
static int allowed(struct sim_folder *f)
{
    f->changes++;
    if (f->fail_at != 0 && f->changes >= f->fail_at)
        f->broken = true;
    return f->broken ? -f->error : 0;
}

static struct sim_folder *folder(struct raft_files *f)
{
    return (struct sim_folder *)f;
}

static int sim_open(struct raft_files *files, const char *name, bool create)
{
    struct sim_folder *f = folder(files);
    struct name *n = find(f->now, name);

    if (n == NULL && !create)
        return -ENOENT;
    if (n == NULL) {
        int rc = allowed(f);

        if (rc != 0)
            return rc;
        struct sim_file *file = MEM_NEW(struct sim_file);

        note_change(f, "", name, file);
        n = find(f->now, name);
    }
    for (int i = 0; i < HANDLES_MAX; i++) {
        if (f->handle[i] != NULL)
            continue;
        f->handle[i] = file_ref(n->file);
        return i;
    }
    return -EMFILE;
}

static void sim_close(struct raft_files *files, int handle)
{
    struct sim_folder *f = folder(files);

    file_unref(f->handle[handle]);
    f->handle[handle] = NULL;
}

static int64_t sim_size(struct raft_files *files, int handle)
{
    return (int64_t)folder(files)->handle[handle]->now_n;
}

static int64_t sim_read(struct raft_files *files, int handle, uint64_t offset, void *p, size_t n)
{
    const struct sim_file *file = folder(files)->handle[handle];

    if (offset >= file->now_n)
        return 0;
    if (n > file->now_n - offset)
        n = file->now_n - (size_t)offset;
    memcpy(p, file->now + offset, n);
    return (int64_t)n;
}

static void grow(uint8_t **p, size_t *have, size_t size)
{
    if (size <= *have)
        return;
    *p = mem_realloc(*p, size);
    memset(*p + *have, 0, size - *have);
    *have = size;
}

static int sim_write(struct raft_files *files, int handle, uint64_t offset, const void *p, size_t n)
{
    struct sim_folder *f = folder(files);
    struct sim_file *file = f->handle[handle];
    bool was_broken = f->broken;
    int rc = allowed(f);

    if (rc != 0 && was_broken)
        return rc;
    if (f->full && offset + n > file->now_n)
        return -ENOSPC;
    if (rc != 0)
        n /= 2; /* a part of it is there */
    if (n == 0)
        return rc;
    grow(&file->now, &file->now_n, (size_t)offset + n);
    memcpy(file->now + offset, p, n);
    grow(&file->dirty, &file->dirty_n, file->now_n / SECTOR + 1);
    for (size_t at = (size_t)offset / SECTOR; at <= (offset + n - 1) / SECTOR; at++)
        file->dirty[at] = 1;
    return rc;
}

static int sim_allocate(struct raft_files *files, int handle, uint64_t size_bytes)
{
    struct sim_folder *f = folder(files);
    struct sim_file *file = f->handle[handle];
    int rc = allowed(f);

    if (rc != 0)
        return rc;
    if (f->full && size_bytes > file->now_n)
        return -ENOSPC;
    grow(&file->now, &file->now_n, (size_t)size_bytes);
    return 0;
}

/* As Linux does it: a failed sync leaves the pages clean, so a later one does not write them. */
static int sim_sync(struct raft_files *files, int handle)
{
    struct sim_folder *f = folder(files);
    struct sim_file *file = f->handle[handle];
    int rc = allowed(f);

    if (rc == 0)
        grow(&file->synced, &file->synced_n, file->now_n);
    for (size_t i = 0; i < file->dirty_n; i++) {
        size_t at = i * SECTOR;

        if (rc == 0 && file->dirty[i] && at < file->now_n)
            memcpy(file->synced + at, file->now + at,
                   file->now_n - at < SECTOR ? file->now_n - at : SECTOR);
        file->dirty[i] = 0;
    }
    return rc;
}

static int sim_sync_folder(struct raft_files *files)
{
    struct sim_folder *f = folder(files);
    int rc = allowed(f);

    if (rc != 0)
        return rc;
    for (unsigned i = 0; i < f->changes_n; i++)
        change_apply(f->synced, &f->change[i]);
    changes_drop(f);
    return 0;
}

static int sim_rename(struct raft_files *files, const char *from, const char *to)
{
    struct sim_folder *f = folder(files);
    int rc = allowed(f);

    if (rc == 0 && find(f->now, from) == NULL)
        rc = -ENOENT;
    if (rc == 0)
        note_change(f, from, to, NULL);
    return rc;
}

static int sim_remove(struct raft_files *files, const char *name)
{
    struct sim_folder *f = folder(files);
    int rc = allowed(f);

    if (rc == 0 && find(f->now, name) == NULL)
        rc = -ENOENT;
    if (rc == 0)
        note_change(f, name, "", NULL);
    return rc;
}

static int sim_list(struct raft_files *files, void (*entry)(void *arg, const char *name), void *arg)
{
    struct sim_folder *f = folder(files);

    for (unsigned i = 0; i < NAMES_MAX; i++)
        if (f->now[i].text[0] != '\0')
            entry(arg, f->now[i].text);
    return 0;
}

struct sim_folder *sim_folder_new(void)
{
    struct sim_folder *f = MEM_NEW(struct sim_folder);

    f->files = (struct raft_files){
        .open = sim_open,
        .close = sim_close,
        .size = sim_size,
        .read = sim_read,
        .write = sim_write,
        .allocate = sim_allocate,
        .sync = sim_sync,
        .sync_folder = sim_sync_folder,
        .rename = sim_rename,
        .remove = sim_remove,
        .list = sim_list,
    };
    return f;
}

static void names_drop(struct name *names)
{
    for (unsigned i = 0; i < NAMES_MAX; i++) {
        file_unref(names[i].file);
        names[i] = (struct name){0};
    }
}

void sim_folder_free(struct sim_folder *f)
{
    if (f == NULL)
        return;
    for (int i = 0; i < HANDLES_MAX; i++)
        file_unref(f->handle[i]);
    changes_drop(f);
    names_drop(f->now);
    names_drop(f->synced);
    mem_free(f);
}

struct raft_files *sim_folder_files(struct sim_folder *f)
{
    return &f->files;
}

static struct sim_file *file_copy(const struct sim_file *file)
{
    struct sim_file *copy = MEM_NEW(struct sim_file);

    grow(&copy->now, &copy->now_n, file->now_n);
    if (file->now_n > 0)
        memcpy(copy->now, file->now, file->now_n);
    grow(&copy->synced, &copy->synced_n, file->synced_n);
    if (file->synced_n > 0)
        memcpy(copy->synced, file->synced, file->synced_n);
    grow(&copy->dirty, &copy->dirty_n, file->dirty_n);
    if (file->dirty_n > 0)
        memcpy(copy->dirty, file->dirty, file->dirty_n);
    return copy;
}

struct sim_folder *sim_folder_clone(const struct sim_folder *f)
{
    struct sim_folder *copy = sim_folder_new();

    /* The same file may stand under an old and a new name. */
    for (unsigned i = 0; i < NAMES_MAX; i++)
        if (f->now[i].file != NULL)
            name_set(copy->now, f->now[i].text, file_copy(f->now[i].file));
    for (unsigned i = 0; i < NAMES_MAX; i++) {
        struct sim_file *file = NULL;

        if (f->synced[i].file == NULL)
            continue;
        for (unsigned k = 0; k < NAMES_MAX && file == NULL; k++)
            if (f->now[k].file == f->synced[i].file)
                file = find(copy->now, f->now[k].text)->file;
        name_set(copy->synced, f->synced[i].text,
                 file != NULL ? file : file_copy(f->synced[i].file));
    }
    for (unsigned i = 0; i < f->changes_n; i++) {
        struct name_change *c = &copy->change[copy->changes_n++];

        *c = f->change[i];
        c->file = NULL;
        for (unsigned k = 0; k < NAMES_MAX && c->file == NULL; k++)
            if (f->change[i].file != NULL && f->now[k].file == f->change[i].file)
                c->file = file_ref(find(copy->now, f->now[k].text)->file);
        if (f->change[i].file != NULL && c->file == NULL)
            c->file = file_ref(file_copy(f->change[i].file));
    }
    return copy;
}

uint64_t sim_folder_changes(const struct sim_folder *f)
{
    return f->changes;
}

void sim_folder_fail(struct sim_folder *f, uint64_t n, int error)
{
    f->fail_at = n == 0 ? 0 : f->changes + n;
    f->error = error;
    f->broken = false;
}

void sim_folder_set_full(struct sim_folder *f, bool full)
{
    f->full = full;
}

static void file_cut(struct sim_file *file, struct sim_rng *r)
{
    size_t size = file->synced_n;

    /* The size is synced with the data; without, any of the two may be found. */
    if (file->now_n > size && sim_rng_range(r, 0, 1) == 0)
        size = file->now_n;
    grow(&file->synced, &file->synced_n, size);
    for (size_t at = 0; at < size && at < file->now_n; at += SECTOR) {
        size_t n = file->now_n - at < SECTOR ? file->now_n - at : SECTOR;

        if (n > size - at)
            n = size - at;
        if (memcmp(file->now + at, file->synced + at, n) == 0)
            continue;
        unsigned fate = sim_rng_range(r, 0, 19);

        if (fate == 0 && n > 8) /* torn inside */
            n = sim_rng_range(r, 1, (unsigned)n / 8) * 8;
        if (fate < 10)
            memcpy(file->synced + at, file->now + at, n);
    }
    mem_free(file->now);
    file->now = mem_alloc(size > 0 ? size : 1);
    if (size > 0)
        memcpy(file->now, file->synced, size);
    file->now_n = size;
    file->dirty_n = 0;
}

void sim_folder_cut(struct sim_folder *f, bool power, struct sim_rng *r)
{
    for (int i = 0; i < HANDLES_MAX; i++) {
        file_unref(f->handle[i]);
        f->handle[i] = NULL;
    }
    f->fail_at = 0;
    f->broken = false;
    if (!power)
        return;

    unsigned keep = f->changes_n > 0 ? sim_rng_range(r, 0, f->changes_n) : 0;

    for (unsigned i = 0; i < keep; i++)
        change_apply(f->synced, &f->change[i]);
    changes_drop(f);
    names_drop(f->now);
    for (unsigned i = 0; i < NAMES_MAX; i++) {
        if (f->synced[i].file == NULL)
            continue;
        file_cut(f->synced[i].file, r);
        name_set(f->now, f->synced[i].text, f->synced[i].file);
    }
}

uint8_t *sim_folder_bytes(struct sim_folder *f, const char *name, size_t *n)
{
    struct name *found = find(f->now, name);

    if (found == NULL)
        return NULL;
    *n = found->file->now_n;
    return found->file->now;
}

void sim_folder_settle(struct sim_folder *f)
{
    for (unsigned i = 0; i < f->changes_n; i++)
        change_apply(f->synced, &f->change[i]);
    changes_drop(f);
    for (unsigned i = 0; i < NAMES_MAX; i++) {
        struct sim_file *file = f->now[i].file;

        if (file == NULL)
            continue;
        file->synced_n = 0;
        grow(&file->synced, &file->synced_n, file->now_n);
        if (file->now_n > 0)
            memcpy(file->synced, file->now, file->now_n);
    }
}
