#include "faulty.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static int fault(struct raft_files *f, bool growth)
{
    struct faulty *x = (struct faulty *)f;
    unsigned n = atomic_fetch_add(&x->changes, 1) + 1;
    unsigned at = atomic_load(&x->fail_at);

    while (atomic_load(&x->hang))
        usleep(1000);
    if (at == 0 || n < at || (x->only_growth && !growth))
        return 0;
    return -x->error;
}

#define REAL(f) (((struct faulty *)(f))->real)

static int faulty_open(struct raft_files *f, const char *name, bool create)
{
    int rc = create ? fault(f, true) : 0;

    return rc != 0 ? rc : REAL(f)->open(REAL(f), name, create);
}

static void faulty_close(struct raft_files *f, int handle)
{
    REAL(f)->close(REAL(f), handle);
}

static int64_t faulty_size(struct raft_files *f, int handle)
{
    return REAL(f)->size(REAL(f), handle);
}

static int64_t faulty_read(struct raft_files *f, int handle, uint64_t offset, void *p, size_t n)
{
    return REAL(f)->read(REAL(f), handle, offset, p, n);
}

static int faulty_write(struct raft_files *f, int handle, uint64_t offset, const void *p, size_t n)
{
    bool growth = (int64_t)(offset + n) > REAL(f)->size(REAL(f), handle);
    int rc = fault(f, growth);

    if (rc != 0 && !growth) /* a part of it is there */
        REAL(f)->write(REAL(f), handle, offset, p, n / 2);
    return rc != 0 ? rc : REAL(f)->write(REAL(f), handle, offset, p, n);
}

static int faulty_allocate(struct raft_files *f, int handle, uint64_t size)
{
    int rc = fault(f, true);

    return rc != 0 ? rc : REAL(f)->allocate(REAL(f), handle, size);
}

static int faulty_sync(struct raft_files *f, int handle)
{
    int rc = fault(f, false);

    return rc != 0 ? rc : REAL(f)->sync(REAL(f), handle);
}

static int faulty_sync_folder(struct raft_files *f)
{
    int rc = fault(f, false);

    return rc != 0 ? rc : REAL(f)->sync_folder(REAL(f));
}

static int faulty_rename(struct raft_files *f, const char *from, const char *to)
{
    int rc = fault(f, false);

    return rc != 0 ? rc : REAL(f)->rename(REAL(f), from, to);
}

static int faulty_remove(struct raft_files *f, const char *name)
{
    int rc = fault(f, false);

    return rc != 0 ? rc : REAL(f)->remove(REAL(f), name);
}

static int faulty_list(struct raft_files *f, void (*entry)(void *arg, const char *name), void *arg)
{
    return REAL(f)->list(REAL(f), entry, arg);
}

int faulty_open_folder(struct faulty *x, const char *path, struct err *e)
{
    int rc;

    memset(x, 0, sizeof *x);
    rc = raft_files_open(&x->real, path, e);
    x->error = EIO;
    x->files = (struct raft_files){.open = faulty_open,
                                   .close = faulty_close,
                                   .size = faulty_size,
                                   .read = faulty_read,
                                   .write = faulty_write,
                                   .allocate = faulty_allocate,
                                   .sync = faulty_sync,
                                   .sync_folder = faulty_sync_folder,
                                   .rename = faulty_rename,
                                   .remove = faulty_remove,
                                   .list = faulty_list};
    return rc;
}
