/* The replicated log of the control plane: canonical/raft 0.15 (raft/guard.h keeps it safe) on a
 * disk of our own (raft/disk.h), as one object that the control thread drives.
 *
 *   propose(bytes) -> ... -> apply(index, term, bytes) on every node, in one order
 *
 * Everything here runs on the loop's thread, callbacks included, and no function blocks longer than
 * a sync of one disk block. What is proposed is durable on a majority of the voters before it is
 * applied anywhere. Proposals are the caller's batches: one is in flight at a time, the rest wait
 * in a bounded queue, and each becomes one entry of the log.
 *
 * Restart: raft_node_start hands the last snapshot to restore(), then applies the entries behind it
 * that are known to be committed. A sole voter is leader, and has applied its whole log, when
 * raft_node_start returns; it is ready one disk write later. */
#ifndef RAFT_NODE_H
#define RAFT_NODE_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/slice.h"

#include <uv.h>

enum {
    RAFT_NODE_ENTRY_MAX = 4 * 1024 * 1024,    /* bytes of one proposal; design.md 6.3 */
    RAFT_NODE_QUEUE_MAX = 1024,               /* proposals waiting */
    RAFT_NODE_QUEUE_BYTES = 32 * 1024 * 1024, /* and their bytes together */
    RAFT_NODE_VOTERS_MAX = 7,
    RAFT_NODE_ADDRESS_MAX = 255,
};

struct raft_node;
struct raft_files;
struct raft_message; /* <raft.h>; only the link needs to look inside */

struct raft_node_voter {
    uint64_t id;         /* Raft server id: of the data folder's incarnation, never reused */
    const char *address; /* opaque to this room; the link resolves it */
};

/* The state machine. All three are called on the loop's thread, never from inside
 * raft_node_propose. */
struct raft_node_fsm {
    void *arg;
    /* A committed entry, exactly as proposed. Indexes rise but are not dense (elections and
     * membership have entries of their own). Must not fail: what does not fit the state is a no-op.
     * `entry` is borrowed for the call. */
    void (*apply)(void *arg, uint64_t index, uint64_t term, struct slice entry);
    /* Appends the state as of the last apply to *out (empty at entry; owned by the node). */
    void (*snapshot)(void *arg, struct bytes *out);
    /* Replaces the state. An error at start is the start's error; in service it is fatal. `image`
     * is borrowed for the call. */
    int (*restore)(void *arg, struct slice image, struct err *e);
};

enum raft_node_state {
    RAFT_NODE_FOLLOWER, /* or candidate: knows of no leadership of its own */
    RAFT_NODE_LEADER,   /* elected, but the barrier of its term is not committed: decide nothing */
    RAFT_NODE_READY,    /* has applied all that was committed before its term: may decide */
};

enum raft_node_outcome {
    RAFT_NODE_APPLIED,     /* committed and applied on this node: apply() ran just before */
    RAFT_NODE_NOT_APPLIED, /* never entered the log: safe to try again anywhere */
    RAFT_NODE_UNKNOWN,     /* leadership was lost: it may be applied later, or never. Ask by its
                            * idempotency id */
};
/* index: of the entry when applied, else 0. */
typedef void (*raft_node_done)(void *arg, enum raft_node_outcome outcome, uint64_t index);

/* What carries Raft's messages between nodes. send() borrows *m for the call only, must not call
 * back into the node and cannot fail: what does not arrive is Raft's normal case. With one voter it
 * is never called and may be NULL. Incoming messages go to raft_node_receive. */
struct raft_transport {
    void *arg;
    void (*send)(void *arg, uint64_t to_id, const char *to_address, const struct raft_message *m);
};

struct raft_node_options {        /* 0 means the default */
    unsigned election_timeout_ms; /* 1000: see docs/internals/raft.md for the reasons */
    unsigned heartbeat_ms;        /* 100; also the period of the tick */
    unsigned install_timeout_ms;  /* 3000 */
    unsigned snapshot_entries;    /* 20000: entries behind a snapshot before the next */
    uint64_t snapshot_bytes;      /* 16 MiB: bytes behind a snapshot before the next */
    unsigned trailing_entries;    /* 2000: entries kept for followers that are behind */
    uint64_t trailing_bytes;      /* 4 MiB: and at most so many bytes of them */
    unsigned stall_limit_ms;      /* 20000: a disk operation that takes longer is fatal */
};

struct raft_node_config {
    const char *folder; /* its own, e.g. "<data>/raft"; made when absent, its parent must exist */
    uint64_t raft_id;   /* > 0 */
    const char *address;
    /* The first configuration, used only when the folder is fresh: the same list on each of the
     * first voters. n == 0: this node alone. */
    const struct raft_node_voter *voters;
    size_t voters_n;
    struct raft_node_options options;
    struct raft_node_fsm fsm;
    struct raft_transport transport;

    void *arg; /* for the two below */
    /* Leadership changed. Never from inside raft_node_propose; it may come from raft_node_start. */
    void (*state)(void *arg, enum raft_node_state state, uint64_t term);
    /* A write or sync failed or hangs, or Raft found its log broken: the process must end now, with
     * this sentence, and recover at its next start. Nothing is delivered after it. It should not
     * return; if it does (tests), the node is dead and only raft_node_stop may be called. It may
     * come from inside any function of this header. */
    void (*fatal)(void *arg, const char *why);
};

/* Opens or makes the folder, restores, and joins. All of *config is copied; the strings may go.
 * Errors: ERR_CORRUPT (damaged; the message says what to do), ERR_CONFLICT (another node's folder),
 * ERR_IO, ERR_INVALID. On error nothing runs and *out is NULL; handles may still be closing, so let
 * the loop run once before it is closed. */
int raft_node_start(struct raft_node **out, uv_loop_t *loop, const struct raft_node_config *config,
                    struct err *e);
/* The same over files of the caller (raft/files.h), which are borrowed until closed() of
 * raft_node_stop: for tests that let them fail. config->folder is only named in messages. */
int raft_node_start_on(struct raft_node **out, uv_loop_t *loop,
                       const struct raft_node_config *config, struct raft_files *files,
                       struct err *e);

/* Ends: waits for the disk operation in progress, drops what was not accepted (their done callbacks
 * get RAFT_NODE_UNKNOWN or RAFT_NODE_NOT_APPLIED from inside this call), closes its loop handles
 * and frees the node, then calls closed(arg) from the loop. */
void raft_node_stop(struct raft_node *n, void (*closed)(void *arg), void *arg);

/* Proposes a copy of `entry` (1 to RAFT_NODE_ENTRY_MAX bytes). Returns 0 and calls done later,
 * exactly once; or an error and never calls it: ERR_UNAVAILABLE (not ready, or the disk has no room
 * for a longer log), ERR_LIMIT (queue full or entry too large; the message says the size). */
int raft_node_propose(struct raft_node *n, struct slice entry, raft_node_done done, void *arg,
                      struct err *e);

enum raft_node_state raft_node_state(const struct raft_node *n);
bool raft_node_ready(const struct raft_node *n); /* state == RAFT_NODE_READY */

/* The leader this node knows of (maybe itself): its id, or 0 when there is none. *address (NULL is
 * allowed) is borrowed until the next call of the loop. */
uint64_t raft_node_leader(const struct raft_node *n, const char **address);

/* A message from another node, already authenticated by the link. Takes the entries or the snapshot
 * data inside *m (allocated with raft_malloc, entries as one batch); m and the address are
 * borrowed. */
void raft_node_receive(struct raft_node *n, struct raft_message *m);

struct raft_node_metrics {
    uint64_t term;
    uint64_t commit_index, applied_index, last_index, stored_index;
    uint64_t log_entries, log_bytes;         /* in memory; on disk: disk_log_bytes */
    uint64_t disk_log_bytes;                 /* of the files in use, recycled ones included */
    uint64_t snapshot_index, snapshot_bytes; /* of the newest */
    uint64_t snapshots, snapshots_failed, snapshots_installed;
    uint64_t snapshot_us_sum, snapshot_us_max; /* the part that holds the loop: making the image */
    uint64_t snapshot_write_us_sum;            /* writing it, beside the appends */
    uint64_t proposals, proposals_refused, proposals_unknown;
    uint64_t queue_entries, queue_bytes;
    uint64_t elections; /* leaderships won since start */
    /* Append to durable, as a histogram: bucket i counts appends of at most 2^i * 64 us, the last
     * all longer ones. */
    uint64_t append_bucket[16];
    uint64_t append_us_sum, append_us_max, appends;
    uint64_t meta_us_sum, meta_writes; /* term and vote */
    /* How often the guard stood between libraft and a fault; by rule in docs/internals/raft.md. */
    uint64_t guard_hits[16];
};
void raft_node_metrics(const struct raft_node *n, struct raft_node_metrics *out);

#endif
