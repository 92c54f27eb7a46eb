/* Shared by the files of the simulator; tests include raft_sim.h. */
#ifndef HARNESS_RAFT_SIM_IMPL_H
#define HARNESS_RAFT_SIM_IMPL_H

#include "raft_sim.h"

#include "raft/guard.h"
#include "raft/store.h"
#include "raft_files_sim.h"

#include <stdio.h>

enum {
    SIM_NODES_MAX = 5,
    SIM_INDEX_MAX = 1 << 16,
    SIM_ELECTION_MS = 300,
    SIM_HEARTBEAT_MS = 50,
    SIM_QUIET_MS = 12000
};

enum sim_op_kind { OP_APPEND, OP_TRUNCATE, OP_INSTALL };

struct sim_op {
    enum sim_op_kind kind;
    struct raft_io_append *request;
    raft_io_append_cb cb;
    const struct raft_entry *entries;
    unsigned n;
    raft_index index;
    struct raft_io_snapshot_put *put;
    raft_io_snapshot_put_cb put_cb;
    const struct raft_snapshot *snapshot;
    struct sim_op *next;
};

struct sim_node {
    unsigned number;
    struct sim *sim;
    char address[16];
    bool alive, dying, restart_wanted;
    unsigned life; /* events of an earlier one are void */
    struct sim_folder *folder;
    struct raft_store *store;
    struct raft_io io;
    struct raft_fsm fsm;
    struct raft *raft;
    struct raft_guard guard;
    struct sim_op *first, **end;
    bool disk_busy;
    raft_io_tick_cb tick;
    raft_io_recv_cb recv;
    uint64_t count, state_hash; /* the state machine */
    raft_index durable;  /* the highest entry that was acknowledged to another node or a client */
    raft_term told_term; /* the highest term that left this node */
    raft_id told_vote;   /* what it voted in that term, 0: nothing known */
};

enum sim_event_kind {
    EV_TICK,
    EV_DISK,
    EV_SENT,
    EV_MESSAGE,
    EV_SNAPSHOT,
    EV_READ,
    EV_CRASH,
    EV_RESTART,
    EV_NETWORK,
    EV_CLIENT,
    EV_WRITE_ERROR,
    EV_MIRROR,
};

struct sim_event {
    uint64_t at, order;
    enum sim_event_kind kind;
    int node; /* -1: the world's */
    unsigned life;
    int from;
    struct raft_message message;
    void *request;
    raft_io_send_cb sent_cb;
    raft_io_snapshot_put_cb put_cb;
    raft_io_snapshot_get_cb get_cb;
    const struct raft_snapshot *snapshot;
    unsigned trailing;
};

struct sim {
    struct raft_sim_options options;
    struct raft_sim_result *result;
    struct sim_rng rng;
    uint64_t now, order;
    bool quiet;
    struct sim_event **heap;
    size_t heap_n, heap_cap;
    struct sim_node node[SIM_NODES_MAX];
    bool cut[SIM_NODES_MAX][SIM_NODES_MAX];
    uint64_t link_at[SIM_NODES_MAX][SIM_NODES_MAX];
    uint64_t next_value;
    uint64_t *applied;    /* by index: hash of the entry and its term, 0 unknown */
    uint64_t *state_hash; /* by index: of the state machine after it */
    raft_index acked_max;
};

static inline uint64_t sim_mix(uint64_t h, uint64_t v)
{
    h ^= v + UINT64_C(0x9e3779b97f4a7c15) + (h << 6) + (h >> 2);
    return h * UINT64_C(0xff51afd7ed558ccd);
}

static inline unsigned sim_chance(struct sim *s, unsigned low, unsigned high)
{
    return sim_rng_range(&s->rng, low, high);
}

static inline bool sim_happens(struct sim *s, unsigned ppm)
{
    return ppm > 0 && sim_chance(s, 1, 1000000) <= ppm;
}

static inline void sim_violate(struct sim *s, const char *what, unsigned node, uint64_t index)
{
    if (s->result->violated)
        return;
    s->result->violated = true;
    snprintf(s->result->what, sizeof s->result->what, "%llu ms: %s (node %u, index %llu)",
             (unsigned long long)s->now, what, node, (unsigned long long)index);
}

struct sim_event *sim_schedule(struct sim *s, uint64_t at, enum sim_event_kind kind, int node);

/* struct raft_io of a node: the store as its disk, the others as its network. */
void sim_io_init(struct sim_node *x);
int sim_run_op(struct sim_node *x, const struct sim_op *op, struct err *e);
void sim_on_disk(struct sim_node *x);
void sim_on_snapshot(struct sim_node *x, const struct sim_event *ev);

void sim_boot(struct sim_node *x);
/* finish: what was queued may reach the disk, up to any point. */
void sim_crash(struct sim_node *x, bool finish, unsigned back_ms);
void sim_drop_ops(struct sim_node *x);

#endif
