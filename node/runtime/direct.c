#include "runtime/direct.h"

#include "runtime/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/uio.h>

void direct_init(struct direct *d, struct files_root *root)
{
    *d = (struct direct){.root = root, .removals_seen = atomic_load(&root->removals)};
    fdcache_init(&d->cache, root->dir_fd, O_RDWR | O_DIRECT | O_DSYNC, FDCACHE_WRITE_MAX);
}

void direct_free(struct direct *d)
{
    fdcache_free(&d->cache);
    free(d->stage);
}

static bool fits(const struct direct *d, const struct disk_op *op, size_t *total)
{
    *total = 0;
    for (size_t i = 0; i < op->parts_n; i++)
        *total += op->part[i].bytes.n;
    return !d->unusable && *total > 0 && *total <= DIRECT_STAGE_BYTES &&
           *total % DIRECT_ALIGN_BYTES == 0 && op->offset % DIRECT_ALIGN_BYTES == 0;
}

static void fill_stage(struct direct *d, const struct disk_op *op)
{
    uint8_t *at = d->stage;
    for (size_t i = 0; i < op->parts_n; i++) {
        struct slice s = op->part[i].bytes;
        if (s.n)
            memcpy(at, s.p, s.n);
        at += s.n;
    }
}

static struct fdcache_file *get(struct direct *d, const char *path)
{
    uint64_t now = atomic_load(&d->root->removals);
    if (now != d->removals_seen) {
        fdcache_clear(&d->cache);
        d->removals_seen = now;
    }
    return fdcache_get(&d->cache, path, 0);
}

static int write_stage(struct direct *d, int fd, uint64_t offset, size_t total)
{
    for (size_t done = 0; done < total;) {
        struct iovec iov = {d->stage + done, total - done};
        ssize_t n = pwritev(fd, &iov, 1, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EINVAL && !done) {
            d->unusable = true;
            return -ENOTSUP;
        }
        if (n <= 0 || n % DIRECT_ALIGN_BYTES)
            return n < 0 ? -errno
                         : -EIO; /* a cut write: the caller's file is in an unknown state */
        done += (size_t)n;
    }
    return 0;
}

int direct_write_sync(struct direct *d, const struct disk_op *op)
{
    size_t total;
    if (!fits(d, op, &total))
        return -ENOTSUP;
    if (!d->stage) {
        d->stage = aligned_alloc(DIRECT_ALIGN_BYTES, DIRECT_STAGE_BYTES);
        if (!d->stage)
            return -ENOTSUP;
    }
    struct fdcache_file *file = get(d, op->path);
    if (!file) {
        /* Absent: the other way makes it. EINVAL: no O_DIRECT here. */
        d->unusable = errno == EINVAL;
        return errno == EINVAL || errno == ENOENT ? -ENOTSUP : -errno;
    }
    fill_stage(d, op);
    int rc = write_stage(d, file->fd, op->offset, total);
    fdcache_put(file);
    return rc;
}
