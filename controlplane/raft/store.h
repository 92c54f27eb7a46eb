/* Raft's persistent state over one folder: what is written when, in which order, and what a crash
 * at any point leaves. Synchronous and without threads or libuv; raft/disk.h runs it on a writer
 * thread, the simulator on a disk in memory. The formats are raft/format.h's.
 *
 * Rules that hold between the calls:
 * - nothing is acknowledged by this room: a caller acknowledges after raft_store_sync returned 0;
 * - after any error but ERR_LIMIT from prepare or snapshot_begin/step the store is unusable: a
 * failed write or sync is never repeated, the process ends (design.md 6.7);
 * - an append allocates no disk space as long as raft_store_room is at least its size. */
#ifndef RAFT_STORE_H
#define RAFT_STORE_H

#include "raft/files.h"
#include "raft/format.h"

enum {
    RAFT_LOG_FILES_MAX = 4096,
    RAFT_LOG_SPARES_MAX = 3, /* recycled files kept beyond the current one; more are removed */
};

struct raft_store;

/* For tests, which want to see many files; NULL or 0 means format.h's. */
struct raft_store_sizes {
    uint32_t file_first_bytes, file_bytes;
};

/* Opens and recovers. `incarnation` is used only for a fresh folder: a random number. Errors:
 * ERR_CORRUPT, ERR_CONFLICT (another raft_id's folder), ERR_IO; each message says what to do. The
 * files are borrowed until raft_store_close. */
int raft_store_open(struct raft_store **out, struct raft_files *f, uint64_t raft_id,
                    uint64_t incarnation, const struct raft_store_sizes *sizes, struct err *e);
void raft_store_close(struct raft_store *s);

/* Nothing was ever stored here, or a bootstrap did not come to its end. */
bool raft_store_is_fresh(const struct raft_store *s);

/* Makes a fresh folder's first state: term 1, the configuration as entry 1. Durable when it
 * returns. */
int raft_store_bootstrap(struct raft_store *s, const struct raft_configuration *conf,
                         struct err *e);

/* What raft_io.load wants; everything in it is allocated with raft_malloc and the caller's. Once.
 */
struct raft_store_state {
    uint64_t term, voted_for;
    struct raft_snapshot *snapshot; /* NULL: none */
    uint64_t start_index;
    struct raft_entry *entries; /* NULL when entries_n is 0 */
    size_t entries_n;
};
int raft_store_load(struct raft_store *s, struct raft_store_state *out, struct err *e);

/* Durable when it returns: written over the older of the two copies. raft_store_mirror_meta brings
 * the other one up to date, so that each value stands twice; it costs a sync of its own and may be
 * done when there is time, or not before the next change. */
int raft_store_set_meta(struct raft_store *s, uint64_t term, uint64_t voted_for, struct err *e);
bool raft_store_mirror_due(const struct raft_store *s);
int raft_store_mirror_meta(struct raft_store *s, struct err *e);
uint64_t raft_store_term(const struct raft_store *s);
uint64_t raft_store_voted_for(const struct raft_store *s);

/* Writes the entries behind the last one, does not sync. */
int raft_store_append(struct raft_store *s, const struct raft_entry *entries, size_t n,
                      struct err *e);
/* Drops the entries from index on. Like an append, durable after the next sync. */
int raft_store_truncate(struct raft_store *s, uint64_t index, struct err *e);
int raft_store_sync(struct raft_store *s, struct err *e);
/* After a sync, when nothing waits: notes behind the tail that it is synced. Not durable itself and
 * need not be; it tells damage of the last group from a torn write, and makes the next start fast.
 */
int raft_store_mark(struct raft_store *s, struct err *e);

uint64_t raft_store_last_index(const struct raft_store *s);
/* The largest group that an append can write without allocating. */
uint64_t raft_store_room(const struct raft_store *s);
uint64_t raft_store_disk_bytes(const struct raft_store *s); /* of all log files */
bool raft_store_prepare_due(const struct raft_store *s);    /* no spare file is there */
bool raft_store_prepare_urgent(const struct raft_store *s); /* and the current one is half full */
/* Makes one spare file. ERR_LIMIT: the disk is full, try again later; nothing is broken. */
int raft_store_prepare(struct raft_store *s, struct err *e);

/* A snapshot in pieces, so that appends go on between them: begin, step until *done, commit. One at
 * a time; *snapshot (one buffer) must stay until commit or abort. ERR_LIMIT from begin and step:
 * the disk is full; the half-written file is gone and nothing is broken. trailing > 0: a snapshot
 * of our own; entries before index - trailing + 1 may go. trailing == 0: another node's; it
 * replaces the whole log, and commit must keep its place in the order of appends and truncations.
 */
int raft_store_snapshot_begin(struct raft_store *s, const struct raft_snapshot *snapshot,
                              unsigned trailing, struct err *e);
int raft_store_snapshot_step(struct raft_store *s, bool *done, struct err *e);
int raft_store_snapshot_commit(struct raft_store *s, struct err *e);
void raft_store_snapshot_abort(struct raft_store *s);

/* Reads the newest snapshot back, checked. ERR_NOT_FOUND when there is none. */
int raft_store_snapshot_read(struct raft_store *s, struct raft_snapshot **out, struct err *e);
uint64_t raft_store_snapshot_index(const struct raft_store *s);
uint64_t raft_store_snapshot_bytes(const struct raft_store *s);

#endif
