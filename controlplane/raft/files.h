/* One folder of files as Raft's store sees it: the few synchronous calls it makes, as function
 * pointers, so that tests put a folder in memory that knows what was synced, or one that fails at
 * the n-th call. Errors are negative errno values. Names have no '/'. Used by one thread at a time.
 */
#ifndef RAFT_FILES_H
#define RAFT_FILES_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct raft_files {
    int (*open)(struct raft_files *f, const char *name, bool create); /* handle >= 0 */
    void (*close)(struct raft_files *f, int handle);
    int64_t (*size)(struct raft_files *f, int handle);
    /* Bytes read: fewer than n only at the end of the file. */
    int64_t (*read)(struct raft_files *f, int handle, uint64_t offset, void *p, size_t n);
    int (*write)(struct raft_files *f, int handle, uint64_t offset, const void *p, size_t n);
    /* Reserves the file's blocks up to size, zero-filled where they are new. */
    int (*allocate)(struct raft_files *f, int handle, uint64_t size_bytes);
    int (*sync)(struct raft_files *f, int handle); /* data, and the size if it grew */
    int (*sync_folder)(struct raft_files *f);      /* names */
    int (*rename)(struct raft_files *f, const char *from, const char *to);
    int (*remove)(struct raft_files *f, const char *name);
    int (*list)(struct raft_files *f, void (*entry)(void *arg, const char *name), void *arg);
};

/* A real folder, made when absent (its parent must exist, and is synced then). Held by a lock while
 * open: a second process gets ERR_CONFLICT. */
int raft_files_open(struct raft_files **out, const char *folder, struct err *e);
void raft_files_close(struct raft_files *f);

#endif
