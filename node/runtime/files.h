/* The data folder as the log room's disk (log/disk.h): the synchronous door and the execution of
 * disk operations. One `struct files` belongs to one thread; all of one process share a root, whose
 * counter of removals keeps their descriptor caches from writing to a file that another thread has
 * removed and created anew. */
#ifndef RUNTIME_FILES_H
#define RUNTIME_FILES_H

#include "log/disk.h"
#include "runtime/fdcache.h"

#include <stdatomic.h>

struct files_root {
    int dir_fd; /* the data folder, owned by whoever opened it */
    _Atomic uint64_t removals;
};

struct files {
    struct disk disk; /* first member: the interface of log/disk.h */
    struct files_root *root;
    uint64_t removals_seen;
    struct fdcache cache;
};

void files_init(struct files *f, struct files_root *root, unsigned cache_max);
void files_free(struct files *f);
/* Does one operation: 0 or -errno. */
int files_execute(struct files *f, const struct disk_op *op);

#endif
