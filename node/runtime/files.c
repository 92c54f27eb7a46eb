#include "runtime/files.h"

#include "base/check.h"
#include "base/mem.h"
#include "runtime/limits.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static struct files *of(struct disk *d)
{
    return (struct files *)d;
}

static void note_removals(struct files *f)
{
    uint64_t now = atomic_load(&f->root->removals);
    if (now == f->removals_seen)
        return;
    fdcache_clear(&f->cache);
    f->removals_seen = now;
}

static struct fdcache_file *get(struct files *f, const char *path, bool create)
{
    note_removals(f);
    struct fdcache_file *file = fdcache_get(&f->cache, path, 0);
    if (file || errno != ENOENT || !create)
        return file;
    int fd = openat(f->root->dir_fd, path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0)
        return NULL;
    close(fd);
    return fdcache_get(&f->cache, path, 0);
}

static int64_t files_size(struct disk *d, const char *path)
{
    struct stat st;
    if (fstatat(of(d)->root->dir_fd, path, &st, 0) < 0)
        return -errno;
    return st.st_size;
}

static int64_t files_read(struct disk *d, const char *path, uint64_t offset, void *p, size_t n)
{
    struct fdcache_file *file = get(of(d), path, false);
    if (!file)
        return -errno;
    size_t done = 0;
    int64_t result = 0;
    while (done < n) {
        ssize_t r = pread(file->fd, (char *)p + done, n - done, (off_t)(offset + done));
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            result = -errno;
        if (r <= 0)
            break;
        done += (size_t)r;
    }
    fdcache_put(file);
    return result < 0 ? result : (int64_t)done;
}

/* Writes all of iov, which is consumed. */
static int write_all(int fd, struct iovec *iov, int n, uint64_t offset)
{
    while (n > 0) {
        ssize_t r = pwritev(fd, iov, n, (off_t)offset);
        if (r < 0 && errno == EINTR)
            continue;
        if (r <= 0)
            return r < 0 ? -errno : -EIO;
        offset += (uint64_t)r;
        size_t left = (size_t)r;
        while (n > 0 && left >= iov->iov_len) {
            left -= iov->iov_len;
            iov++;
            n--;
        }
        if (left) {
            iov->iov_base = (char *)iov->iov_base + left;
            iov->iov_len -= left;
        }
    }
    return 0;
}

static int write_parts(int fd, const struct disk_op *op)
{
    struct iovec iov[WRITER_IOV];
    uint64_t offset = op->offset;
    for (size_t i = 0; i < op->parts_n;) {
        int n = 0;
        uint64_t bytes = 0;
        for (; i < op->parts_n && n < WRITER_IOV; i++) {
            if (!op->part[i].bytes.n)
                continue;
            iov[n].iov_base = (void *)(uintptr_t)op->part[i].bytes.p;
            iov[n++].iov_len = op->part[i].bytes.n;
            bytes += op->part[i].bytes.n;
        }
        int rc = write_all(fd, iov, n, offset);
        if (rc)
            return rc;
        offset += bytes;
    }
    return 0;
}

static int files_write(struct disk *d, const char *path, uint64_t offset, const void *p, size_t n)
{
    struct fdcache_file *file = get(of(d), path, true);
    if (!file)
        return -errno;
    struct iovec iov = {(void *)(uintptr_t)p, n};
    int rc = n ? write_all(file->fd, &iov, 1, offset) : 0;
    fdcache_put(file);
    return rc;
}

static int files_sync(struct disk *d, const char *path)
{
    struct fdcache_file *file = get(of(d), path, false);
    if (!file)
        return -errno;
    int rc = fdatasync(file->fd) < 0 ? -errno : 0;
    fdcache_put(file);
    return rc;
}

static int files_sync_dir(struct disk *d, const char *path)
{
    int fd = openat(of(d)->root->dir_fd, *path ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int rc = fsync(fd) < 0 ? -errno : 0;
    close(fd);
    return rc;
}

static int files_truncate(struct disk *d, const char *path, uint64_t size_bytes)
{
    struct fdcache_file *file = get(of(d), path, false);
    if (!file)
        return -errno;
    int rc = ftruncate(file->fd, (off_t)size_bytes) < 0 ? -errno : 0;
    fdcache_put(file);
    return rc;
}

static int files_allocate(struct disk *d, const char *path, uint64_t size_bytes)
{
    struct fdcache_file *file = get(of(d), path, true);
    if (!file)
        return -errno;
    int rc = size_bytes ? -posix_fallocate(file->fd, 0, (off_t)size_bytes) : 0;
    fdcache_put(file);
    return rc;
}

static int files_make_dir(struct disk *d, const char *path)
{
    if (mkdirat(of(d)->root->dir_fd, path, 0750) < 0 && errno != EEXIST)
        return -errno;
    return 0;
}

static int files_rename(struct disk *d, const char *from, const char *to)
{
    struct files *f = of(d);
    int rc = renameat(f->root->dir_fd, from, f->root->dir_fd, to) < 0 ? -errno : 0;
    atomic_fetch_add(&f->root->removals, 1);
    return rc;
}

static int files_remove(struct disk *d, const char *path)
{
    struct files *f = of(d);
    int rc = unlinkat(f->root->dir_fd, path, 0) < 0 ? -errno : 0;
    if (rc == -EISDIR || rc == -EPERM)
        rc = unlinkat(f->root->dir_fd, path, AT_REMOVEDIR) < 0 ? -errno : 0;
    atomic_fetch_add(&f->root->removals, 1);
    return rc == -ENOENT ? 0 : rc;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int files_list(struct disk *d, const char *path, void (*entry)(void *arg, const char *name),
                      void *arg)
{
    int fd = openat(of(d)->root->dir_fd, *path ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    DIR *dir = fdopendir(fd);
    if (!dir) {
        int rc = -errno;
        close(fd);
        return rc;
    }
    char **name = NULL;
    size_t n = 0, cap = 0;
    for (struct dirent *e; (e = readdir(dir));) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
            continue;
        if (n == cap) {
            cap = cap ? 2 * cap : 64;
            name = mem_realloc(name, cap * sizeof *name);
        }
        name[n++] = mem_strdup(e->d_name);
    }
    closedir(dir);
    if (n)
        qsort(name, n, sizeof *name, by_bytes);
    for (size_t i = 0; i < n; i++) {
        entry(arg, name[i]);
        mem_free(name[i]);
    }
    mem_free(name);
    return 0;
}

void files_init(struct files *f, struct files_root *root, unsigned cache_max)
{
    *f = (struct files){
        .disk = {.size = files_size,
                 .read = files_read,
                 .write = files_write,
                 .sync = files_sync,
                 .sync_dir = files_sync_dir,
                 .truncate = files_truncate,
                 .allocate = files_allocate,
                 .make_dir = files_make_dir,
                 .rename = files_rename,
                 .remove = files_remove,
                 .list = files_list},
        .root = root,
        .removals_seen = atomic_load(&root->removals),
    };
    fdcache_init(&f->cache, root->dir_fd, O_RDWR, cache_max);
}

void files_free(struct files *f)
{
    fdcache_free(&f->cache);
}

static int execute_write(struct files *f, const struct disk_op *op, bool sync)
{
    struct fdcache_file *file = get(f, op->path, true);
    if (!file)
        return -errno;
    int rc = write_parts(file->fd, op);
    if (!rc && sync && fdatasync(file->fd) < 0)
        rc = -errno;
    fdcache_put(file);
    return rc;
}

int files_execute(struct files *f, const struct disk_op *op)
{
    struct disk *d = &f->disk;
    switch (op->kind) {
    case DISK_WRITE:
        return execute_write(f, op, false);
    case DISK_WRITE_SYNC:
        return execute_write(f, op, true);
    case DISK_SYNC:
        return files_sync(d, op->path);
    case DISK_TRUNCATE:
        return files_truncate(d, op->path, op->offset);
    case DISK_ALLOCATE:
        return files_allocate(d, op->path, op->offset);
    case DISK_REMOVE:
        return files_remove(d, op->path);
    case DISK_MAKE_DIR:
        return files_make_dir(d, op->path);
    case DISK_SYNC_DIR:
        return files_sync_dir(d, op->path);
    }
    UNREACHABLE();
}
