/* What keeps canonical/raft 0.15 safe. The Debian library loses, diverges or crashes under faults
 * that tests/harness/raft_sim.h plays in seconds; a wrapper around its struct raft_io (and struct
 * raft_fsm) keeps it from the states in which it does. docs/internals/raft.md names the bug behind
 * each rule.
 *
 *   libraft <-> guard.io <-> base (raft/disk.h, or a simulated one)
 *
 * The guard reads fields of struct raft that 0.16 made private and relies on how 0.15 behaves, so
 * it belongs to that version alone. Everything runs on the thread that drives libraft. */
#ifndef RAFT_GUARD_H
#define RAFT_GUARD_H

#include <raft.h>

#include <stdbool.h>
#include <stdint.h>

/* 0.15 defines its error codes as macros; from 0.16 on they are an enum. 0.18 has version macros.
 */
#if !defined(RAFT_TOOMANY) || !defined(RAFT_SPARE) || defined(RAFT_VERSION) ||                     \
    defined(RAFT_VERSION_NUMBER) || defined(RAFT_VERSION_MAJOR)
#error "controlplane/raft/guard.c guards libraft 0.15 only: see docs/decisions/0002"
#endif

/* The same for the function that came with 0.17, which no macro tells of: where <raft.h> declares
 * raft_version_number() this line does not compile. */
extern const char raft_version_number[] __attribute__((weak));

/* True when the shared library is a later one than the header that this was built with. */
bool raft_guard_library_is_newer(void);

enum raft_guard_rule {
    RAFT_GUARD_BARRIER,  /* 1: an entry of an old term never commits by counting */
    RAFT_GUARD_ACK,      /* 2: a follower acknowledges only what this leader has checked */
    RAFT_GUARD_ADDRESS,  /* 3: no late answers to nobody */
    RAFT_GUARD_ELECTION, /* 4: no election while entries are being written */
    RAFT_GUARD_VOTE,     /* 5: one vote per term */
    RAFT_GUARD_PREFIX,   /* 6: entries below the commit index are not appended again */
    RAFT_GUARD_CONFIG,   /* 7: a configuration entry that must go is undone by a restart */
    RAFT_GUARD_TERM,     /* 8: a sole voter takes a new term */
    RAFT_GUARD_SEND,     /* 9: send never fails at once */
    RAFT_GUARD_PADDING,  /* 10: entries are multiples of 8 bytes */
    RAFT_GUARD_FAILSTOP, /* 11: a failed write ends the process */
    RAFT_GUARD_STALL,    /* 14: so does one that does not come back */
    RAFT_GUARD_PRE_VOTE, /* 16: a refused pre-vote tells the newer term */
    RAFT_GUARD_RULES,
};

enum {
    RAFT_GUARD_PEERS_MAX = 16,
    RAFT_GUARD_ADDRESS_MAX = 255,
};

/* For tests, which show what each rule is for. Zero everywhere else. */
struct raft_guard_options {
    uint32_t off; /* bit (1u << rule) */
};

struct raft_guard_hooks {
    void *arg;
    /* The process must end before anything else happens; `why` is one sentence. After it the guard
     * lets nothing through any more. */
    void (*fatal)(void *arg, const char *why);
    /* Rule 7: the log on disk was told to drop its tail; when that is durable the process must end
     * and start again. The guard lets nothing through any more. */
    void (*restart)(void *arg);
    /* libraft has returned: look at its state, propose what waits. */
    void (*settled)(void *arg);
};

struct raft_guard_held {
    struct raft_append_entries_result result;
    raft_id server_id; /* 0: empty */
    char address[RAFT_GUARD_ADDRESS_MAX + 1];
};

struct raft_guard_append;
struct raft_guard_send;

struct raft_guard {
    struct raft_io io;   /* what libraft is given; impl is the guard */
    struct raft_fsm fsm; /* likewise; data is the guard */
    struct raft_io *base;
    struct raft_fsm *base_fsm;
    struct raft *raft;
    struct raft_guard_options options;
    struct raft_guard_hooks hooks;
    unsigned stall_limit_ms;

    raft_io_tick_cb tick;
    raft_io_recv_cb recv;
    raft_io_close_cb close_cb;
    bool dead;    /* the process is to end: nothing passes */
    bool closing; /* only what comes back from below passes */
    /* Runs with the ticks, and not while the process is stopped (SIGSTOP): for rule 14. */
    raft_time patience_ms, last_tick;
    unsigned inside; /* depth of calls into libraft */

    /* Leadership: rules 1 and 8. */
    raft_term lead_term; /* 0: not leader, as far as the guard has seen */
    raft_index term_start;
    bool term_stored;
    bool barrier_pending;
    struct raft_barrier barrier;
    struct raft_guard_held held[RAFT_GUARD_PEERS_MAX];

    /* Following: rules 2 and 4. */
    raft_term match_term;
    raft_index match; /* of match_term: up to here our log is the leader's */
    enum { RAFT_GUARD_IDLE, RAFT_GUARD_APPENDING, RAFT_GUARD_INSTALLING } receiving;
    raft_index receiving_end;
    struct raft_guard_append *appends, **appends_end; /* on their way to the disk, oldest first */
    struct raft_guard_append *orphans; /* came back when we were dead: libraft hears at the close */

    struct {                                        /* libraft has one at a time */
        struct raft_io_snapshot_put base, *request; /* request NULL: none */
        raft_io_snapshot_put_cb cb;
        bool install, back;
        raft_time since;
    } put;

    raft_id vote; /* of the current term */
    struct raft_guard_send *swallowed, **swallowed_end;
    uint64_t hits[RAFT_GUARD_RULES];
};

/* Wraps base and fsm, which are borrowed and must outlive the guard, as must *r. Give guard->io and
 * guard->fsm to raft_init afterwards. base->data becomes the guard's. options: NULL for all rules.
 */
void raft_guard_init(struct raft_guard *g, struct raft *r, struct raft_io *base,
                     struct raft_fsm *fsm, const struct raft_guard_hooks *hooks,
                     unsigned stall_limit_ms, const struct raft_guard_options *options);
/* Frees what the guard holds, e.g. of a simulated node that crashed. */
void raft_guard_release(struct raft_guard *g);

/* Around each call into libraft that does not come through io (raft_start, raft_apply, ...):
 * leave() looks what has changed, as the guard does after each event of its own. */
void raft_guard_enter(struct raft_guard *g);
void raft_guard_leave(struct raft_guard *g);

/* Leader, and the barrier of this term is committed and applied. */
bool raft_guard_ready(const struct raft_guard *g);
/* Whether the membership may be changed now: ready, and the last change is committed. */
bool raft_guard_may_change(const struct raft_guard *g);
/* Ends the process as a rule would. */
void raft_guard_stop(struct raft_guard *g, const char *why);

/* The entry at an index as libraft has it in memory, or NULL. Borrowed until libraft runs again. */
const struct raft_entry *raft_guard_entry(const struct raft *r, raft_index index);
/* Bytes and number of the entries that libraft keeps in memory above `index`. */
uint64_t raft_guard_log_bytes(const struct raft *r, raft_index above, uint64_t *entries);
/* How many entries up to `index` fit into max_bytes, counted back from it; at least 1. */
unsigned raft_guard_trailing(const struct raft *r, raft_index index, unsigned max_entries,
                             uint64_t max_bytes);

#endif
