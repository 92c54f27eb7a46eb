/* Ticks and messages on their way to libraft. */
#include "raft/guard_impl.h"

#include <stdio.h>
#include <string.h>

enum { PATIENCE_STEP_MS = 1000 };

static bool writing(const struct raft_guard *g)
{
    return g->appends != NULL || (g->put.request != NULL && g->put.install);
}

static void watch_stall(struct raft_guard *g, raft_time now)
{
    char why[128];
    raft_time passed = g->last_tick != 0 && now > g->last_tick ? now - g->last_tick : 0;

    g->last_tick = now;
    g->patience_ms += passed < PATIENCE_STEP_MS ? passed : PATIENCE_STEP_MS;
    raft_time since = g->appends != NULL ? g->appends->since : g->patience_ms;

    if (g->put.request != NULL && g->put.install && g->put.since < since)
        since = g->put.since;
    if (!raft_guard_rule_on(g, RAFT_GUARD_STALL) || g->stall_limit_ms == 0 ||
        g->patience_ms - since <= g->stall_limit_ms)
        return;
    g->hits[RAFT_GUARD_STALL]++;
    snprintf(why, sizeof why, "a write of the Raft log has not come back for %llu ms",
             (unsigned long long)(g->patience_ms - since));
    raft_guard_stop(g, why);
}

void raft_guard_tick(struct raft_io *base)
{
    struct raft_guard *g = base->data;
    raft_time now = base->time(base);

    if (g->dead || g->closing)
        return;
    raft_guard_tell_swallowed(g);
    watch_stall(g, now);
    if (g->dead)
        return;
    if (raft_guard_rule_on(g, RAFT_GUARD_ELECTION) && raft_state(g->raft) != RAFT_LEADER &&
        writing(g)) {
        /* 0.15 goes into elections with a log that is not stored yet. */
        g->hits[RAFT_GUARD_ELECTION]++;
        g->raft->election_timer_start = now;
        return;
    }
    g->inside++;
    g->tick(&g->io);
    g->inside--;
    raft_guard_settle(g);
}

static void drop_message(struct raft_message *m)
{
    if (m->type == RAFT_IO_APPEND_ENTRIES && m->append_entries.n_entries > 0) {
        raft_free(m->append_entries.entries[0].batch);
        raft_free(m->append_entries.entries);
    }
    if (m->type == RAFT_IO_INSTALL_SNAPSHOT) {
        raft_configuration_close(&m->install_snapshot.conf);
        raft_free(m->install_snapshot.data.base);
    }
}

/* Where a new leader's entries contradict ours and a configuration entry would go: 0.15 cannot take
 * it back (it dereferences NULL, or goes on with a stale configuration). 0: nowhere. */
static raft_index configuration_conflict(const struct raft *r, const struct raft_append_entries *a)
{
    raft_index last = raft_last_index((struct raft *)r);

    if (a->term < r->current_term)
        return 0;
    for (unsigned i = 0; i < a->n_entries; i++) {
        raft_index at = a->prev_log_index + 1 + i;
        const struct raft_entry *mine = raft_guard_entry(r, at);

        if (mine == NULL || mine->term == a->entries[i].term)
            continue;
        if (at <= r->commit_index)
            return 0; /* libraft stops itself */
        for (raft_index k = at; k <= last; k++) {
            const struct raft_entry *e = raft_guard_entry(r, k);

            if (e != NULL && e->type == RAFT_CHANGE)
                return at;
        }
        return 0;
    }
    return 0;
}

/* A message sent again can start below what is still in memory; 0.15 takes "not in memory" for "not
 * there" and appends it once more. What is committed here is equal, so it is left out. */
static void skip_committed(struct raft_guard *g, struct raft_append_entries *a)
{
    struct raft *r = g->raft;

    if (a->n_entries == 0 || a->prev_log_index >= r->commit_index)
        return;

    raft_index skip = r->commit_index - a->prev_log_index;

    if (skip > a->n_entries)
        skip = a->n_entries;
    g->hits[RAFT_GUARD_PREFIX]++;
    a->prev_log_term = a->entries[skip - 1].term;
    a->prev_log_index += skip;
    a->n_entries -= (unsigned)skip;
    if (a->n_entries > 0) {
        memmove(a->entries, a->entries + skip, a->n_entries * sizeof *a->entries);
        return;
    }
    raft_free(a->entries[0].batch);
    raft_free(a->entries);
    a->entries = NULL;
    /* Nothing is left and its end is below what the log can compare: all of it is in the snapshot.
     */
    if (a->prev_log_index <= r->log.offset && a->prev_log_index < r->log.snapshot.last_index) {
        a->prev_log_index = r->log.snapshot.last_index;
        a->prev_log_term = r->log.snapshot.last_term;
    }
}

static void receive_append(struct raft_guard *g, struct raft_message *m)
{
    struct raft_append_entries *a = &m->append_entries;

    g->receiving = RAFT_GUARD_APPENDING;
    g->receiving_end = a->prev_log_index + a->n_entries;
    if (raft_guard_rule_on(g, RAFT_GUARD_ACK) && a->leader_commit > g->receiving_end)
        a->leader_commit = g->receiving_end; /* 0.15 would commit an unchecked tail of ours */
    if (raft_guard_rule_on(g, RAFT_GUARD_PREFIX))
        skip_committed(g, a);
}

/* True when the message must not reach libraft now. */
static bool keep_out(struct raft_guard *g, struct raft_message *m)
{
    struct raft *r = g->raft;

    switch (m->type) {
    case RAFT_IO_APPEND_ENTRIES_RESULT:
        if (!raft_guard_rule_on(g, RAFT_GUARD_BARRIER) || raft_state(r) != RAFT_LEADER ||
            g->term_stored || m->append_entries_result.term > r->current_term ||
            m->append_entries_result.rejected != 0)
            return false;
        if (m->append_entries_result.term == r->current_term)
            raft_guard_hold(g, m);
        return true;
    case RAFT_IO_TIMEOUT_NOW:
        if (!raft_guard_rule_on(g, RAFT_GUARD_ELECTION) || !writing(g))
            return false;
        g->hits[RAFT_GUARD_ELECTION]++;
        return true;
    case RAFT_IO_APPEND_ENTRIES:
        if (raft_guard_rule_on(g, RAFT_GUARD_CONFIG)) {
            raft_index at = configuration_conflict(r, &m->append_entries);

            if (at == 0)
                return false;
            g->hits[RAFT_GUARD_CONFIG]++;
            drop_message(m);
            if (g->io.truncate(&g->io, at) == 0 && !g->dead) {
                g->dead = true;
                g->hooks.restart(g->hooks.arg);
            }
            return true;
        }
        return false;
    default:
        return false;
    }
}

void raft_guard_recv(struct raft_io *base, struct raft_message *m)
{
    struct raft_guard *g = base->data;

    if (g->dead || g->closing) {
        drop_message(m);
        return;
    }
    if (keep_out(g, m))
        return;
    if (m->type == RAFT_IO_APPEND_ENTRIES)
        receive_append(g, m);
    if (m->type == RAFT_IO_INSTALL_SNAPSHOT) {
        g->receiving = RAFT_GUARD_INSTALLING;
        g->receiving_end = m->install_snapshot.last_index;
    }
    g->inside++;
    g->recv(&g->io, m);
    g->inside--;
    g->receiving = RAFT_GUARD_IDLE;
    raft_guard_settle(g);
}
