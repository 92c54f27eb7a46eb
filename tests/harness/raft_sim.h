/* A cluster of three to five Raft nodes in one process, played from a seed: libraft, the guard, the
 * store over folders in memory, a network and a clock. The same options give the same history, and
 * so the same hash. It checks while it runs:
 *
 *   - at each index all nodes apply the same entry (safety.md 31), and nothing that was
 * acknowledged is missing from it;
 *   - a restored snapshot is the state that full replay gives (33);
 *   - at most one leader in a term; a proposal is made only after the barrier of its term (32);
 *   - a node that restarts after a crash opens its folder, and finds its term, vote and what it had
 *     acknowledged;
 *   - when all faults end, a leader comes, and all nodes reach the same state.
 *
 * libraft's heap is replaced while a history runs, so that crashed nodes leave nothing behind. */
#ifndef HARNESS_RAFT_SIM_H
#define HARNESS_RAFT_SIM_H

#include <stdbool.h>
#include <stdint.h>

struct raft_sim_options {
    uint64_t seed;
    unsigned nodes;
    unsigned duration_ms;  /* of the time with faults */
    uint32_t guard_off;    /* bits of enum raft_guard_rule */
    unsigned crash_ms;     /* mean time between crashes; 0: none */
    unsigned partition_ms; /* mean time between changes of the network; 0: none */
    unsigned loss_ppm, duplicate_ppm, reorder_ppm;
    unsigned stall_ppm;      /* of disk operations: 50 to 1500 ms */
    unsigned write_error_ms; /* mean time between failing writes; 0: none */
    bool roles;              /* membership changes */
    bool transfers;
    bool no_pre_vote;
    bool send_fails; /* send() says at once that there is no way */
    unsigned snapshot_entries, trailing_entries;
    bool quiet_end_unchecked; /* for histories that are expected to break */
};

struct raft_sim_result {
    bool violated;
    char what[240];
    uint64_t hash;
    uint64_t acknowledged, applied, elections, crashes, restarts_refused, role_changes;
    uint64_t snapshots_installed, config_restarts, sends_to_nobody;
    uint64_t guard_hits[16];
};

/* Sensible faults of every kind. */
struct raft_sim_options raft_sim_defaults(uint64_t seed, unsigned nodes);

void raft_sim_run(const struct raft_sim_options *options, struct raft_sim_result *result);

#endif
