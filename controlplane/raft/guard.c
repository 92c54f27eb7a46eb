#include "raft/guard.h"

#include "base/check.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

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

static bool rule_on(const struct raft_guard *g, enum raft_guard_rule rule)
{
    return (g->options.off & (1u << rule)) == 0;
}

void raft_guard_stop(struct raft_guard *g, const char *why)
{
    if (g->dead)
        return;
    g->dead = true;
    g->hooks.fatal(g->hooks.arg, why);
}

/* ---- what libraft remembers ---- */

const struct raft_entry *raft_guard_entry(const struct raft *r, raft_index index)
{
    const struct raft_log *l = &r->log;
    raft_index last = raft_last_index((struct raft *)r);

    if (l->size == 0 || l->front == l->back || index <= l->offset || index > last)
        return NULL;
    return &l->entries[(l->front + (index - l->offset - 1)) % l->size];
}

static unsigned voters(const struct raft *r)
{
    unsigned n = 0;

    for (unsigned i = 0; i < r->configuration.n; i++)
        n += r->configuration.servers[i].role == RAFT_VOTER;
    return n;
}

uint64_t raft_guard_log_bytes(const struct raft *r, raft_index above, uint64_t *entries)
{
    raft_index last = raft_last_index((struct raft *)r);
    uint64_t sum = 0;
    uint64_t n = 0;

    if (above < r->log.offset)
        above = r->log.offset;
    for (raft_index i = above + 1; i <= last; i++) {
        const struct raft_entry *e = raft_guard_entry(r, i);

        if (e == NULL)
            continue;
        sum += e->buf.len;
        n++;
    }
    if (entries != NULL)
        *entries = n;
    return sum;
}

unsigned raft_guard_trailing(const struct raft *r, raft_index index, unsigned max_entries,
                             uint64_t max_bytes)
{
    uint64_t sum = 0;
    unsigned n = 0;

    for (; n < max_entries && index > n; n++) {
        const struct raft_entry *e = raft_guard_entry(r, index - n);

        if (e == NULL || sum + e->buf.len > max_bytes)
            break;
        sum += e->buf.len;
    }
    return n > 0 ? n : 1;
}

/* ---- sends that go nowhere ---- */

/* libraft 0.15 frees the entries of a received message twice when its answer fails at once (rule 9), so
 * every failure is told later, from the next tick. */
static int swallow(struct raft_guard *g, struct raft_io_send *request, raft_io_send_cb cb)
{
    struct raft_guard_send *s = MEM_NEW(struct raft_guard_send);

    s->request = request;
    s->cb = cb;
    *g->swallowed_end = s;
    g->swallowed_end = &s->next;
    return 0;
}

static void tell_swallowed(struct raft_guard *g)
{
    struct raft_guard_send *s = g->swallowed;

    g->swallowed = NULL;
    g->swallowed_end = &g->swallowed;
    while (s != NULL) {
        struct raft_guard_send *next = s->next;

        if (s->cb != NULL) {
            g->inside++;
            s->cb(s->request, RAFT_NOCONNECTION);
            g->inside--;
        }
        mem_free(s);
        s = next;
    }
}

/* ---- leadership: rules 1 and 8 ---- */

static void drop_held(struct raft_guard *g)
{
    for (unsigned i = 0; i < RAFT_GUARD_PEERS_MAX; i++)
        g->held[i].server_id = 0;
}

static void deliver_held(struct raft_guard *g)
{
    for (unsigned i = 0; i < RAFT_GUARD_PEERS_MAX; i++) {
        struct raft_guard_held *h = &g->held[i];
        struct raft_message m = {.type = RAFT_IO_APPEND_ENTRIES_RESULT,
                                 .server_id = h->server_id,
                                 .server_address = h->address,
                                 .append_entries_result = h->result};

        if (h->server_id == 0)
            continue;
        h->server_id = 0;
        if (raft_state(g->raft) != RAFT_LEADER || g->dead)
            continue;
        g->inside++;
        g->recv(&g->io, &m);
        g->inside--;
    }
}

/* Only the furthest answer of each follower counts. */
static void hold(struct raft_guard *g, const struct raft_message *m)
{
    struct raft_guard_held *slot = NULL;

    g->hits[RAFT_GUARD_BARRIER]++;
    for (unsigned i = 0; i < RAFT_GUARD_PEERS_MAX; i++) {
        struct raft_guard_held *h = &g->held[i];

        if (h->server_id == m->server_id) {
            slot = h;
            break;
        }
        if (h->server_id == 0 && slot == NULL)
            slot = h;
    }
    if (slot == NULL)
        return; /* the follower answers the next heartbeat again */
    if (slot->server_id == m->server_id &&
        slot->result.last_log_index > m->append_entries_result.last_log_index)
        return;
    slot->server_id = m->server_id;
    slot->result = m->append_entries_result;
    snprintf(slot->address, sizeof slot->address, "%s", m->server_address);
}

static void on_barrier(struct raft_barrier *request, int status)
{
    struct raft_guard *g = request->data;

    (void)status;
    g->barrier_pending = false;
}

/* A sole voter makes itself leader without a new term; entries that it had sent to a standby before a
 * crash could be replaced by others of the same index and term. */
static void take_new_term(struct raft_guard *g)
{
    struct raft *r = g->raft;

    g->hits[RAFT_GUARD_TERM]++;
    if (g->io.set_term(&g->io, r->current_term + 1) != 0 || g->io.set_vote(&g->io, r->id) != 0 ||
        g->dead)
        return;
    r->current_term++;
    r->voted_for = r->id;
}

/* A leader may count followers only for entries of its own term; libraft counts for any. So the first
 * entry of each term is a barrier, and until it is stored here (0.15 never counts beyond what is stored
 * here) no acknowledgement is let in. */
static void begin_term(struct raft_guard *g)
{
    struct raft *r = g->raft;

    drop_held(g);
    g->lead_term = r->current_term;
    g->term_stored = !rule_on(g, RAFT_GUARD_BARRIER);
    g->term_start = raft_last_index(r) + 1;
    if (g->term_stored)
        return;
    ASSERT(!g->barrier_pending);
    g->barrier_pending = true;
    g->barrier.data = g;
    g->inside++;
    if (raft_barrier(r, &g->barrier, on_barrier) != 0) {
        g->barrier_pending = false;
        g->lead_term = 0;
    }
    g->inside--;
}

static void look(struct raft_guard *g)
{
    struct raft *r = g->raft;

    if (raft_state(r) != RAFT_LEADER) {
        if (g->lead_term != 0)
            drop_held(g);
        g->lead_term = 0;
        return;
    }
    if (g->lead_term == 0 && rule_on(g, RAFT_GUARD_TERM) && voters(r) == 1)
        take_new_term(g);
    if (!g->dead && g->lead_term != r->current_term)
        begin_term(g);
    if (g->lead_term != 0 && !g->term_stored && r->last_stored >= g->term_start) {
        g->term_stored = true;
        deliver_held(g);
    }
}

static void settle(struct raft_guard *g)
{
    if (g->inside > 0 || g->dead || g->closing)
        return;
    look(g);
    if (!g->dead && g->hooks.settled != NULL)
        g->hooks.settled(g->hooks.arg);
}

void raft_guard_enter(struct raft_guard *g)
{
    g->inside++;
}

void raft_guard_leave(struct raft_guard *g)
{
    g->inside--;
    settle(g);
}

bool raft_guard_ready(const struct raft_guard *g)
{
    const struct raft *r = g->raft;

    return r->state == RAFT_LEADER && g->lead_term != 0 && g->lead_term == r->current_term &&
           r->last_applied >= g->term_start;
}

bool raft_guard_may_change(const struct raft_guard *g)
{
    return raft_guard_ready(g) && g->raft->configuration_uncommitted_index == 0;
}

/* ---- events from below ---- */

static bool writing(const struct raft_guard *g)
{
    return g->appends != NULL || (g->put.request != NULL && g->put.install);
}

static void watch_stall(struct raft_guard *g, raft_time now)
{
    char why[128];
    raft_time since = g->appends != NULL ? g->appends->since : now;

    if (g->put.request != NULL && g->put.install && g->put.since < since)
        since = g->put.since;
    if (!rule_on(g, RAFT_GUARD_STALL) || g->stall_limit_ms == 0 || now < since ||
        now - since <= g->stall_limit_ms)
        return;
    g->hits[RAFT_GUARD_STALL]++;
    snprintf(why, sizeof why, "a write of the Raft log has not come back for %llu ms",
             (unsigned long long)(now - since));
    raft_guard_stop(g, why);
}

static void guard_tick(struct raft_io *base)
{
    struct raft_guard *g = base->data;
    raft_time now = base->time(base);

    if (g->dead || g->closing)
        return;
    tell_swallowed(g);
    watch_stall(g, now);
    if (g->dead)
        return;
    if (rule_on(g, RAFT_GUARD_ELECTION) && raft_state(g->raft) != RAFT_LEADER && writing(g)) {
        /* 0.15 goes into elections with a log that is not stored yet. */
        g->hits[RAFT_GUARD_ELECTION]++;
        g->raft->election_timer_start = now;
        return;
    }
    g->inside++;
    g->tick(&g->io);
    g->inside--;
    settle(g);
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

/* Where a new leader's entries contradict ours and a configuration entry would go: 0.15 cannot take it
 * back (it dereferences NULL, or goes on with a stale configuration). 0: nowhere. */
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
    /* Nothing is left and its end is below what the log can compare: all of it is in the snapshot. */
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
    if (rule_on(g, RAFT_GUARD_ACK) && a->leader_commit > g->receiving_end)
        a->leader_commit = g->receiving_end; /* 0.15 would commit an unchecked tail of ours */
    if (rule_on(g, RAFT_GUARD_PREFIX))
        skip_committed(g, a);
}

/* True when the message must not reach libraft now. */
static bool keep_out(struct raft_guard *g, struct raft_message *m)
{
    struct raft *r = g->raft;

    switch (m->type) {
    case RAFT_IO_APPEND_ENTRIES_RESULT:
        if (!rule_on(g, RAFT_GUARD_BARRIER) || raft_state(r) != RAFT_LEADER || g->term_stored ||
            m->append_entries_result.term > r->current_term ||
            m->append_entries_result.rejected != 0)
            return false;
        if (m->append_entries_result.term == r->current_term)
            hold(g, m);
        return true;
    case RAFT_IO_TIMEOUT_NOW:
        if (!rule_on(g, RAFT_GUARD_ELECTION) || !writing(g))
            return false;
        g->hits[RAFT_GUARD_ELECTION]++;
        return true;
    case RAFT_IO_APPEND_ENTRIES:
        if (rule_on(g, RAFT_GUARD_CONFIG)) {
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

static void guard_recv(struct raft_io *base, struct raft_message *m)
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
    settle(g);
}

/* ---- what libraft asks for ---- */

static struct raft_guard *guard_of(struct raft_io *io)
{
    return io->impl;
}

static int pass_error(struct raft_guard *g, int rc)
{
    if (rc != 0)
        memcpy(g->io.errmsg, g->base->errmsg, sizeof g->io.errmsg);
    return rc;
}

static int guard_init_io(struct raft_io *io, raft_id id, const char *address)
{
    struct raft_guard *g = guard_of(io);

    return pass_error(g, g->base->init(g->base, id, address));
}

static void on_base_closed(struct raft_io *base)
{
    struct raft_guard *g = base->data;

    if (g->close_cb != NULL)
        g->close_cb(&g->io);
}

static int guard_load(struct raft_io *io, raft_term *term, raft_id *voted_for,
                      struct raft_snapshot **snapshot, raft_index *start_index,
                      struct raft_entry *entries[], size_t *n_entries)
{
    struct raft_guard *g = guard_of(io);
    int rc = g->base->load(g->base, term, voted_for, snapshot, start_index, entries, n_entries);

    if (rc == 0)
        g->vote = *voted_for;
    return pass_error(g, rc);
}

static int guard_start(struct raft_io *io, unsigned msecs, raft_io_tick_cb tick,
                       raft_io_recv_cb recv)
{
    struct raft_guard *g = guard_of(io);

    g->tick = tick;
    g->recv = recv;
    return pass_error(g, g->base->start(g->base, msecs, guard_tick, guard_recv));
}

static int guard_bootstrap(struct raft_io *io, const struct raft_configuration *conf)
{
    struct raft_guard *g = guard_of(io);

    return pass_error(g, g->base->bootstrap(g->base, conf));
}

static int guard_recover(struct raft_io *io, const struct raft_configuration *conf)
{
    struct raft_guard *g = guard_of(io);

    return pass_error(g, g->base->recover(g->base, conf));
}

/* Rule 11 for the synchronous writes. Where fatal() comes back (tests), libraft is told that all went
 * well: nothing that it does from then on leaves this process, and its own handling of the error frees a
 * stray pointer (convertToCandidate leaves a candidate's fields to a follower). */
static int must_succeed(struct raft_guard *g, int rc, const char *what)
{
    char why[RAFT_ERRMSG_BUF_SIZE + 64];

    if (rc == 0 || !rule_on(g, RAFT_GUARD_FAILSTOP))
        return pass_error(g, rc);
    g->hits[RAFT_GUARD_FAILSTOP]++;
    snprintf(why, sizeof why, "%s: %s", what, g->base->errmsg);
    raft_guard_stop(g, why);
    return 0;
}

static int guard_set_term(struct raft_io *io, raft_term term)
{
    struct raft_guard *g = guard_of(io);
    int rc;

    if (g->dead)
        return 0;
    rc = must_succeed(g, g->base->set_term(g->base, term), "Raft's term cannot be stored");
    if (rc == 0)
        g->vote = 0;
    return rc;
}

static int guard_set_vote(struct raft_io *io, raft_id server_id)
{
    struct raft_guard *g = guard_of(io);
    int rc;

    if (g->dead)
        return 0;
    if (rule_on(g, RAFT_GUARD_VOTE) && g->vote != 0 && g->vote != server_id) {
        /* A leader that transfers its leadership forgets that it voted for itself. */
        g->hits[RAFT_GUARD_VOTE]++;
        return RAFT_NOCONNECTION; /* which libraft takes for "no answer" */
    }
    rc = must_succeed(g, g->base->set_vote(g->base, server_id), "Raft's vote cannot be stored");
    if (rc == 0)
        g->vote = server_id;
    return rc;
}

static void note_match(struct raft_guard *g)
{
    if (g->match_term != g->raft->current_term) {
        g->match_term = g->raft->current_term;
        g->match = 0;
    }
    if (g->receiving_end > g->match)
        g->match = g->receiving_end;
}

/* Rules 2 and 3: true when the answer must not go out; else its index is cut to what this leader has
 * compared. */
static bool check_answer(struct raft_guard *g, struct raft_message *m)
{
    struct raft_append_entries_result *a = &m->append_entries_result;

    if (rule_on(g, RAFT_GUARD_ACK) && a->rejected == 0 && a->term == g->raft->current_term) {
        if (g->receiving != RAFT_GUARD_IDLE)
            note_match(g);
        raft_index match = g->match_term == g->raft->current_term ? g->match : 0;

        if (a->last_log_index > match) {
            g->hits[RAFT_GUARD_ACK]++;
            a->last_log_index = match;
            if (match == 0)
                return true;
        }
    }
    if (rule_on(g, RAFT_GUARD_ADDRESS) && g->receiving == RAFT_GUARD_IDLE &&
        raft_state(g->raft) != RAFT_FOLLOWER) {
        g->hits[RAFT_GUARD_ADDRESS]++;
        return true;
    }
    return false;
}

/* 0.15 answers a pre-vote with the candidate's own number, also when it refuses for a newer term. A
 * candidate with the longest log and the lowest term then never learns why, and nobody can win. */
static void tell_newer_term(struct raft_guard *g, struct raft_request_vote_result *a)
{
    if (!rule_on(g, RAFT_GUARD_PRE_VOTE) || a->pre_vote != raft_tribool_true || a->vote_granted ||
        a->term >= g->raft->current_term)
        return;
    g->hits[RAFT_GUARD_PRE_VOTE]++;
    a->term = g->raft->current_term;
}

static int guard_send(struct raft_io *io, struct raft_io_send *request,
                      const struct raft_message *message, raft_io_send_cb cb)
{
    struct raft_guard *g = guard_of(io);
    struct raft_message m = *message;
    int rc;

    if (g->closing) {
        if (cb != NULL)
            cb(request, RAFT_CANCELED);
        return 0;
    }
    if (g->dead)
        return swallow(g, request, cb);
    if (m.type == RAFT_IO_APPEND_ENTRIES_RESULT && check_answer(g, &m))
        return swallow(g, request, cb);
    if (m.type == RAFT_IO_REQUEST_VOTE_RESULT)
        tell_newer_term(g, &m.request_vote_result);
    if (rule_on(g, RAFT_GUARD_ADDRESS) && (m.server_id == 0 || m.server_address == NULL)) {
        g->hits[RAFT_GUARD_ADDRESS]++;
        return swallow(g, request, cb);
    }
    rc = g->base->send(g->base, request, &m, cb);
    if (rc != 0 && rule_on(g, RAFT_GUARD_SEND)) {
        g->hits[RAFT_GUARD_SEND]++;
        return swallow(g, request, cb);
    }
    return rc;
}

static void on_append(struct raft_io_append *base, int status)
{
    struct raft_guard_append *a = base->data;
    struct raft_guard *g = a->guard;
    char why[RAFT_ERRMSG_BUF_SIZE + 64];

    ASSERT(g->appends == a); /* the disk answers in order */
    g->appends = a->next;
    if (g->appends == NULL)
        g->appends_end = &g->appends;
    if (status != 0 && !g->closing && rule_on(g, RAFT_GUARD_FAILSTOP)) {
        g->hits[RAFT_GUARD_FAILSTOP]++;
        snprintf(why, sizeof why, "the Raft log cannot be written: %s", g->base->errmsg);
        raft_guard_stop(g, why);
    }
    if (g->dead && !g->closing) {
        a->next = g->orphans;
        g->orphans = a;
        return;
    }
    g->inside++;
    a->cb(a->request, status); /* closing: libraft frees what it holds */
    g->inside--;
    mem_free(a);
    settle(g);
}

static int guard_append(struct raft_io *io, struct raft_io_append *request,
                        const struct raft_entry entries[], unsigned n, raft_io_append_cb cb)
{
    struct raft_guard *g = guard_of(io);
    struct raft_guard_append *a = MEM_NEW(struct raft_guard_append);
    int rc;

    for (unsigned i = 0; i < n && rule_on(g, RAFT_GUARD_PADDING); i++)
        ASSERT(entries[i].buf.len % 8 == 0);
    *a = (struct raft_guard_append){
        .guard = g, .request = request, .cb = cb, .since = g->base->time(g->base)};
    a->base.data = a;
    *g->appends_end = a;
    struct raft_guard_append **before = g->appends_end;

    g->appends_end = &a->next;
    if (g->dead) /* libraft waits for ever, as the process ends */
        return 0;
    rc = g->base->append(g->base, &a->base, entries, n, on_append);
    if (rc != 0) {
        *before = NULL;
        g->appends_end = before;
        mem_free(a);
        return must_succeed(g, rc, "the Raft log cannot be written");
    }
    if (g->receiving == RAFT_GUARD_APPENDING)
        note_match(g);
    return 0;
}

static int guard_truncate(struct raft_io *io, raft_index index)
{
    struct raft_guard *g = guard_of(io);

    if (g->dead)
        return 0;
    return must_succeed(g, g->base->truncate(g->base, index), "the Raft log cannot be cut");
}

static void finish_put(struct raft_guard *g, int status)
{
    struct raft_io_snapshot_put *request = g->put.request;

    g->put.request = NULL; /* libraft may begin the next one from inside */
    g->inside++;
    g->put.cb(request, status);
    g->inside--;
}

static void on_put(struct raft_io_snapshot_put *base, int status)
{
    struct raft_guard *g = base->data;
    char why[RAFT_ERRMSG_BUF_SIZE + 64];

    if (g->put.install && status != 0 && !g->closing && rule_on(g, RAFT_GUARD_FAILSTOP)) {
        g->hits[RAFT_GUARD_FAILSTOP]++;
        snprintf(why, sizeof why, "a received snapshot cannot be written: %s", g->base->errmsg);
        raft_guard_stop(g, why);
    }
    g->put.back = g->dead && !g->closing;
    if (g->put.back)
        return;
    finish_put(g, status);
    settle(g);
}

static int guard_snapshot_put(struct raft_io *io, unsigned trailing,
                              struct raft_io_snapshot_put *request,
                              const struct raft_snapshot *snapshot, raft_io_snapshot_put_cb cb)
{
    struct raft_guard *g = guard_of(io);
    int rc;

    if (g->dead)
        return RAFT_SHUTDOWN;
    ASSERT(g->put.request == NULL);
    g->put.request = request;
    g->put.cb = cb;
    g->put.install = trailing == 0;
    g->put.back = false;
    g->put.since = g->base->time(g->base);
    g->put.base.data = g;
    if (g->put.install && g->receiving == RAFT_GUARD_INSTALLING)
        note_match(g);
    rc = g->base->snapshot_put(g->base, trailing, &g->put.base, snapshot, on_put);
    if (rc != 0)
        g->put.request = NULL;
    return pass_error(g, rc);
}

static int guard_snapshot_get(struct raft_io *io, struct raft_io_snapshot_get *request,
                              raft_io_snapshot_get_cb cb)
{
    struct raft_guard *g = guard_of(io);

    return g->dead ? RAFT_SHUTDOWN : pass_error(g, g->base->snapshot_get(g->base, request, cb));
}

static raft_time guard_time(struct raft_io *io)
{
    struct raft_guard *g = guard_of(io);

    return g->base->time(g->base);
}

static int guard_random(struct raft_io *io, int min, int max)
{
    struct raft_guard *g = guard_of(io);

    return g->base->random(g->base, min, max);
}

static void guard_close(struct raft_io *io, raft_io_close_cb cb)
{
    struct raft_guard *g = guard_of(io);

    g->close_cb = cb;
    g->closing = true;
    tell_swallowed(g);
    while (g->orphans != NULL) {
        struct raft_guard_append *a = g->orphans;

        g->orphans = a->next;
        a->cb(a->request, RAFT_CANCELED);
        mem_free(a);
    }
    if (g->put.request != NULL && g->put.back)
        finish_put(g, RAFT_CANCELED);
    g->base->close(g->base, on_base_closed);
}

/* ---- the state machine ---- */

static int guard_fsm_apply(struct raft_fsm *fsm, const struct raft_buffer *buf, void **result)
{
    struct raft_guard *g = fsm->data;

    return g->base_fsm->apply(g->base_fsm, buf, result);
}

/* A snapshot takes libraft's configuration with it, committed or not: none is made meanwhile. */
static int guard_fsm_snapshot(struct raft_fsm *fsm, struct raft_buffer *bufs[], unsigned *n_bufs)
{
    struct raft_guard *g = fsm->data;
    struct raft *r = g->raft;

    if (g->dead)
        return RAFT_BUSY;
    if (rule_on(g, RAFT_GUARD_CONFIG)) {
        bool busy = r->configuration_uncommitted_index != 0;

        for (raft_index i = r->last_applied + 1; !busy && i <= raft_last_index(r); i++) {
            const struct raft_entry *e = raft_guard_entry(r, i);

            busy = e != NULL && e->type == RAFT_CHANGE;
        }
        if (busy) {
            g->hits[RAFT_GUARD_CONFIG]++;
            return RAFT_BUSY;
        }
    }
    return g->base_fsm->snapshot(g->base_fsm, bufs, n_bufs);
}

static int guard_fsm_restore(struct raft_fsm *fsm, struct raft_buffer *buf)
{
    struct raft_guard *g = fsm->data;

    return g->base_fsm->restore(g->base_fsm, buf);
}

static int guard_fsm_finalize(struct raft_fsm *fsm, struct raft_buffer *bufs[], unsigned *n_bufs)
{
    struct raft_guard *g = fsm->data;

    return g->base_fsm->snapshot_finalize(g->base_fsm, bufs, n_bufs);
}

void raft_guard_init(struct raft_guard *g, struct raft *r, struct raft_io *base,
                     struct raft_fsm *fsm, const struct raft_guard_hooks *hooks,
                     unsigned stall_limit_ms, const struct raft_guard_options *options)
{
    memset(g, 0, sizeof *g);
    if (options != NULL)
        g->options = *options;
    g->raft = r;
    g->base = base;
    g->base_fsm = fsm;
    g->hooks = *hooks;
    g->stall_limit_ms = stall_limit_ms;
    g->appends_end = &g->appends;
    g->swallowed_end = &g->swallowed;
    base->data = g;
    g->io = (struct raft_io){
        .version = 1,
        .impl = g,
        .init = guard_init_io,
        .close = guard_close,
        .load = guard_load,
        .start = guard_start,
        .bootstrap = guard_bootstrap,
        .recover = guard_recover,
        .set_term = guard_set_term,
        .set_vote = guard_set_vote,
        .send = guard_send,
        .append = guard_append,
        .truncate = guard_truncate,
        .snapshot_put = guard_snapshot_put,
        .snapshot_get = guard_snapshot_get,
        .time = guard_time,
        .random = guard_random,
    };
    g->fsm = (struct raft_fsm){
        .version = fsm->snapshot_finalize != NULL ? 2 : 1,
        .data = g,
        .apply = guard_fsm_apply,
        .snapshot = guard_fsm_snapshot,
        .restore = guard_fsm_restore,
        .snapshot_finalize = fsm->snapshot_finalize != NULL ? guard_fsm_finalize : NULL,
    };
}

void raft_guard_release(struct raft_guard *g)
{
    while (g->appends != NULL) {
        struct raft_guard_append *next = g->appends->next;

        mem_free(g->appends);
        g->appends = next;
    }
    while (g->orphans != NULL) {
        struct raft_guard_append *next = g->orphans->next;

        mem_free(g->orphans);
        g->orphans = next;
    }
    while (g->swallowed != NULL) {
        struct raft_guard_send *next = g->swallowed->next;

        mem_free(g->swallowed);
        g->swallowed = next;
    }
}
