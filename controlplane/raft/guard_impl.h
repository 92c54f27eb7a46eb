/* Shared by guard.c (leadership), guard_events.c (what comes from below) and guard_calls.c (what
 * libraft asks for); nobody else includes it. */
#ifndef RAFT_GUARD_IMPL_H
#define RAFT_GUARD_IMPL_H

#include "raft/guard.h"

struct raft_guard_append {
    struct raft_guard *guard;
    struct raft_io_append *request; /* libraft's */
    raft_io_append_cb cb;
    struct raft_io_append base; /* ours */
    raft_time since;
    struct raft_guard_append *next;
};

struct raft_guard_send {
    struct raft_io_send *request;
    raft_io_send_cb cb;
    struct raft_guard_send *next;
};

static inline bool raft_guard_rule_on(const struct raft_guard *g, enum raft_guard_rule rule)
{
    return (g->options.off & (1u << rule)) == 0;
}

/* libraft 0.15 frees the entries of a received message twice when its answer fails at once (rule
 * 9), so every failure is told later, from the next tick. Returns 0. */
int raft_guard_swallow(struct raft_guard *g, struct raft_io_send *request, raft_io_send_cb cb);
void raft_guard_tell_swallowed(struct raft_guard *g);

/* Keeps the answer of a follower until the barrier is stored: only the furthest of each counts. */
void raft_guard_hold(struct raft_guard *g, const struct raft_message *m);

/* libraft has returned: looks what has changed, and tells the owner. */
void raft_guard_settle(struct raft_guard *g);

/* What the layer below calls. */
void raft_guard_tick(struct raft_io *base);
void raft_guard_recv(struct raft_io *base, struct raft_message *m);

#endif
