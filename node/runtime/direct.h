/* Journal groups past the page cache: one aligned write with O_DIRECT and O_DSYNC instead of a copy
 * into the cache, its write-back and a sync. Measured: half the processor time of write and
 * fdatasync at 4 KiB, two thirds at 512 KiB, and no waiting behind other files' write-back. What
 * does not fit (not aligned, too large, a file system without O_DIRECT) is the caller's to write
 * the other way. */
#ifndef RUNTIME_DIRECT_H
#define RUNTIME_DIRECT_H

#include "runtime/files.h"

struct direct {
    struct files_root *root;
    uint64_t removals_seen;
    struct fdcache cache;
    uint8_t *stage; /* aligned, DIRECT_STAGE_BYTES; made with the first write */
    bool unusable;  /* the file system refuses */
};

void direct_init(struct direct *d, struct files_root *root);
void direct_free(struct direct *d);
/* 0: written and durable. -ENOTSUP: nothing was done, write it another way. Else -errno. */
int direct_write_sync(struct direct *d, const struct disk_op *op);

#endif
