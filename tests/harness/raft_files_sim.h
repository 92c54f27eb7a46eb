/* A folder in memory that knows what was synced. A power cut keeps, of what was not, any part:
 * sector by sector, now and then torn inside one; names come back up to some point of their order.
 * A kill keeps everything that was written. Played from the caller's random numbers. */
#ifndef HARNESS_RAFT_FILES_SIM_H
#define HARNESS_RAFT_FILES_SIM_H

#include "raft/files.h"

struct sim_rng {
    uint64_t state;
};
void sim_rng_seed(struct sim_rng *r, uint64_t seed);
uint64_t sim_rng_next(struct sim_rng *r);
unsigned sim_rng_range(struct sim_rng *r, unsigned low, unsigned high); /* both included */

struct sim_folder;

struct sim_folder *sim_folder_new(void);
void sim_folder_free(struct sim_folder *f);
struct sim_folder *sim_folder_clone(const struct sim_folder *f); /* no handle is open in it */
struct raft_files *sim_folder_files(struct sim_folder *f);

/* Calls that change something, since the folder was made. */
uint64_t sim_folder_changes(const struct sim_folder *f);
/* The n-th change from now on (1: the next) fails with `error`, and so do all later ones until the
 * next cut. 0: none fails. A write that fails has written a part. */
void sim_folder_fail(struct sim_folder *f, uint64_t n, int error);
/* Allocations and writes beyond a file's end fail with ENOSPC. */
void sim_folder_set_full(struct sim_folder *f, bool full);

/* The process is gone: all handles are closed. power: the machine too. */
void sim_folder_cut(struct sim_folder *f, bool power, struct sim_rng *r);

/* The bytes of a file as they are, for tests that spoil them; NULL when there is none. */
uint8_t *sim_folder_bytes(struct sim_folder *f, const char *name, size_t *n);
/* What a test does with a file must count as synced. */
void sim_folder_settle(struct sim_folder *f);

#endif
