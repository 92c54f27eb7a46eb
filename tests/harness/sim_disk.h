/* A disk in memory that knows what was synced. It is both doors of log/disk.h: a struct disk, and
 * an executor of disk_ops with one queue per enum disk_queue. Everything that is left to chance
 * (which queue goes next, which unsynced sectors survive a power cut) comes from the seed, so a run
 * can be played again.
 *
 * What it keeps of the truth about disks:
 *   - a write is in the page cache until its file is synced; at a power cut each unsynced sector of
 *     512 bytes is kept or lost on its own, and so is the file's growth;
 *   - a name (created, removed, renamed) is unsynced until its folder is synced; syncing a file
 * does not make its name durable;
 *   - after a failed sync the pages count as clean: a later sync that succeeds does not write them,
 *     unless they are written again;
 *   - SIGKILL keeps the page cache; what was queued is gone, what was being written may be cut.
 * It does not model misdirected writes; sim_disk_poke damages bytes for good. */
#ifndef HARNESS_SIM_DISK_H
#define HARNESS_SIM_DISK_H

#include "log/disk.h"

struct sim_disk;

struct sim_disk *sim_disk_new(uint64_t seed);
void sim_disk_free(struct sim_disk *sd);
struct disk *sim_disk_disk(struct sim_disk *sd); /* borrowed; valid as long as sd */

/* ---- operations in service ---- */

/* Takes all operations of the list into the queues and empties the list. */
void sim_disk_submit(struct sim_disk *sd, struct disk_ops *ops);
/* The same for one, as broker effects carry them; the parts are taken. */
void sim_disk_submit_one(struct sim_disk *sd, const struct disk_op *op);
size_t sim_disk_queued(const struct sim_disk *sd);
/* Executes the oldest operation of one queue, chosen by the seed. False: nothing is queued. The
 * caller hands id and status to store_done (or as an event to the broker). */
bool sim_disk_step(struct sim_disk *sd, uint64_t *id, int *status);

/* ---- crashes ---- */

/* Power cut: what was queued is gone (the first of each queue may have been begun); of what was not
 * synced an arbitrary subset of sectors, sizes and names stays. */
void sim_disk_power_cut(struct sim_disk *sd);
/* Power cut at which nothing unsynced stays: the worst that a disk may do. */
void sim_disk_power_cut_all(struct sim_disk *sd);
/* SIGKILL: what was queued is gone; the page cache stays, synced or not. */
void sim_disk_kill(struct sim_disk *sd);

/* ---- faults ---- */

enum sim_disk_call {
    SIM_DISK_READ = 1 << 0,
    SIM_DISK_WRITE = 1 << 1,
    SIM_DISK_SYNC = 1 << 2, /* of files and folders */
    SIM_DISK_ALLOCATE = 1 << 3,
    SIM_DISK_NAMES = 1 << 4, /* make_dir, rename, remove, list, truncate */
};
/* From now on the nth call (1: the next) of one of these kinds, on a path that contains `path`
 * (NULL: any), fails with -error, and so do `times` - 1 after it (0: for ever). One fault at a
 * time; a new one replaces it, calls == 0 ends it. */
void sim_disk_fail(struct sim_disk *sd, unsigned calls, const char *path, uint64_t nth, int error,
                   uint64_t times);
/* Writes and allocations beyond this many bytes in all files together fail with ENOSPC.
 * UINT64_MAX: no limit. */
void sim_disk_set_space(struct sim_disk *sd, uint64_t total_bytes);
uint64_t sim_disk_used(const struct sim_disk *sd); /* bytes in all files */

/* Changes stored bytes behind everybody's back, synced: XORs one byte, or writes zeros. False:
 * there is no such byte. */
bool sim_disk_poke(struct sim_disk *sd, const char *path, uint64_t offset, uint8_t xor_with);
bool sim_disk_zero(struct sim_disk *sd, const char *path, uint64_t offset, uint64_t n);

/* Calls of writing and syncing kinds since sim_disk_new, direct or queued: "cut after each". */
uint64_t sim_disk_calls(const struct sim_disk *sd);
/* When the count of those calls reaches this, every later call does nothing and fails with EIO, as
 * if the machine had gone: for cuts in the middle of a recovery. 0: never. A crash lifts it. */
void sim_disk_cut_at(struct sim_disk *sd, uint64_t calls);
bool sim_disk_is_cut(const struct sim_disk *sd);

/* An independent copy, queues included (the buffers are shared by reference). */
struct sim_disk *sim_disk_clone(const struct sim_disk *sd, uint64_t seed);

#endif
