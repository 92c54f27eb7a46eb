/* struct raft_io on files: a store (raft/store.h) run by a writer thread of its own, and the tick.
 *
 * The writer has three kinds of work, and takes the first that there is:
 *   1. term and vote: the loop waits for them, since libraft wants them durable when the call
 * returns;
 *   2. appends, truncations, snapshots from other nodes and reads of the newest one, in their
 * order; what waits together is synced together;
 *   3. piece by piece in between: a snapshot of our own, the second copy of term and vote, the next
 *      spare log file.
 * Callbacks come on the loop's thread. Any error of 1 and 2 is told through libraft's own callbacks
 * (which the guard makes fatal), any of 3 through `failed`; after it the writer does nothing more.
 */
#ifndef RAFT_DISK_H
#define RAFT_DISK_H

#include "raft/store.h"

#include <uv.h>

enum { RAFT_DISK_BUCKETS = 16 };

struct raft_disk;

struct raft_disk_config {
    uv_loop_t *loop;
    struct raft_store *store;      /* taken, closed at the end */
    struct raft_store_state state; /* taken: what load() answers; empty when the store is fresh */
    unsigned stall_limit_ms;       /* how long the loop waits for term and vote */
    void *arg;
    /* Carries a message of ours; non-zero: no way to it now. May be NULL. */
    int (*send)(void *arg, const struct raft_message *m);
    void (*failed)(void *arg, const char *why);
};

struct raft_disk *raft_disk_open(const struct raft_disk_config *config);
/* The interface for the guard. Its close() drains what is queued, ends the thread and frees the
 * disk; the store's files are no longer used when its callback runs. */
struct raft_io *raft_disk_io(struct raft_disk *d);

/* A message from another node: to libraft, through the guard. */
void raft_disk_receive(struct raft_disk *d, struct raft_message *m);

/* Waits until everything of kind 2 is durable; false when that failed or takes too long. */
bool raft_disk_flush(struct raft_disk *d);

/* The largest group that an append can write without new disk space. */
uint64_t raft_disk_room(const struct raft_disk *d);
/* A snapshot of our own failed for want of space less than a moment ago: not the time for another.
 */
bool raft_disk_no_space(const struct raft_disk *d);

struct raft_disk_metrics {
    uint64_t append_bucket[RAFT_DISK_BUCKETS]; /* of at most 2^i * 64 us */
    uint64_t append_us_sum, append_us_max, appends;
    uint64_t meta_us_sum, meta_writes;
    uint64_t snapshots, snapshots_failed, snapshots_installed;
    uint64_t snapshot_write_us_sum;
    uint64_t snapshot_index, snapshot_bytes, log_bytes;
};
void raft_disk_metrics(struct raft_disk *d, struct raft_disk_metrics *out);

#endif
