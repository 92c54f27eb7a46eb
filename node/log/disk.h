/* The disk as the log room sees it. Two doors:
 *
 * 1. struct disk: synchronous operations through function pointers, for recovery at start and for
 *    rare work. The runtime backs it with files, the harness with memory that knows what was
 * synced.
 * 2. struct disk_op: operations in service, produced as values by the store, executed by the shell
 * in the order of their queue, each answered by store_done with its id.
 *
 * Paths are relative to the data folder and use '/'. */
#ifndef LOG_DISK_H
#define LOG_DISK_H

#include "base/buf.h"
#include "base/err.h"

struct disk {
    /* All return 0 or a negative errno, sizes where said. Files are named by path each time; the
     * implementation may cache descriptors. */
    int64_t (*size)(struct disk *d, const char *path); /* -ENOENT when absent */
    int64_t (*read)(struct disk *d, const char *path, uint64_t offset, void *p,
                    size_t n); /* bytes */
    int (*write)(struct disk *d, const char *path, uint64_t offset, const void *p,
                 size_t n); /* creates */
    int (*sync)(struct disk *d, const char *path);
    int (*sync_dir)(struct disk *d, const char *path);
    int (*truncate)(struct disk *d, const char *path, uint64_t size_bytes);
    int (*allocate)(struct disk *d, const char *path,
                    uint64_t size_bytes);              /* fallocate, zero-filled */
    int (*make_dir)(struct disk *d, const char *path); /* parents exist; EEXIST is 0 */
    int (*rename)(struct disk *d, const char *from, const char *to);
    int (*remove)(struct disk *d, const char *path); /* file or empty folder; ENOENT is 0 */
    /* Calls back for each entry of a folder, in byte order of the names. */
    int (*list)(struct disk *d, const char *path, void (*entry)(void *arg, const char *name),
                void *arg);
};

enum disk_queue {
    DISK_JOURNAL, /* one writer: write, then sync; strictly in order */
    DISK_FILES,   /* one writer for segments and indexes; strictly in order */
    /* Slow work that nothing on the hot path waits behind: syncs of checkpoints, preparation of
     * journal files. One writer, strictly in order; a shell may serve it with the writer of
     * DISK_FILES at the price of latency. The store itself orders it against the other queues. */
    DISK_BACKGROUND,
};
enum { DISK_QUEUES_N = 3 };

enum disk_op_kind {
    DISK_WRITE,      /* path, offset, parts */
    DISK_WRITE_SYNC, /* the same, then fdatasync */
    DISK_SYNC,
    DISK_TRUNCATE,
    DISK_ALLOCATE,
    DISK_REMOVE,
    DISK_MAKE_DIR,
    DISK_SYNC_DIR,
};

enum { DISK_PATH_MAX = 160 };

struct disk_op {
    uint64_t id; /* comes back in store_done; 0: nobody waits, store_done ignores it */
    enum disk_queue queue;
    enum disk_op_kind kind;
    char path[DISK_PATH_MAX];
    uint64_t offset; /* or the size for truncate and allocate */
    struct buf_slice
        *part; /* owned array, each with a reference; the shell unrefs after the write */
    size_t parts_n;
};

struct disk_ops {
    struct disk_op *op; /* owned by the list */
    size_t n, cap;
};
struct disk_op *disk_ops_add(struct disk_ops *ops, enum disk_queue queue, enum disk_op_kind kind,
                             const char *path); /* zeroed but for these; id 0 */
void disk_op_add_part(struct disk_op *op, struct buf *b /* takes a new ref */, struct slice bytes);
void disk_op_release(struct disk_op *op); /* unrefs the parts */
void disk_ops_free(struct disk_ops *ops);

#endif
