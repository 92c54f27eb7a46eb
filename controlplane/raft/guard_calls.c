/* What libraft asks of its disk, its network and the state machine, on the way down and back. */
#include "raft/guard_impl.h"

#include "base/check.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

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
    return pass_error(g, g->base->start(g->base, msecs, raft_guard_tick, raft_guard_recv));
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

/* Rule 11 for the synchronous writes. Where fatal() comes back (tests), libraft is told that all
 * went well: nothing that it does from then on leaves this process, and its own handling of the
 * error frees a stray pointer (convertToCandidate leaves a candidate's fields to a follower). */
static int must_succeed(struct raft_guard *g, int rc, const char *what)
{
    char why[RAFT_ERRMSG_BUF_SIZE + 64];

    if (rc == 0 || !raft_guard_rule_on(g, RAFT_GUARD_FAILSTOP))
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
    if (raft_guard_rule_on(g, RAFT_GUARD_VOTE) && g->vote != 0 && g->vote != server_id) {
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

/* Rules 2 and 3: true when the answer must not go out; else its index is cut to what this leader
 * has compared. */
static bool check_answer(struct raft_guard *g, struct raft_message *m)
{
    struct raft_append_entries_result *a = &m->append_entries_result;

    if (raft_guard_rule_on(g, RAFT_GUARD_ACK) && a->rejected == 0 &&
        a->term == g->raft->current_term) {
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
    if (raft_guard_rule_on(g, RAFT_GUARD_ADDRESS) && g->receiving == RAFT_GUARD_IDLE &&
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
    if (!raft_guard_rule_on(g, RAFT_GUARD_PRE_VOTE) || a->pre_vote != raft_tribool_true ||
        a->vote_granted || a->term >= g->raft->current_term)
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
        return raft_guard_swallow(g, request, cb);
    if (m.type == RAFT_IO_APPEND_ENTRIES_RESULT && check_answer(g, &m))
        return raft_guard_swallow(g, request, cb);
    if (m.type == RAFT_IO_REQUEST_VOTE_RESULT)
        tell_newer_term(g, &m.request_vote_result);
    if (raft_guard_rule_on(g, RAFT_GUARD_ADDRESS) &&
        (m.server_id == 0 || m.server_address == NULL)) {
        g->hits[RAFT_GUARD_ADDRESS]++;
        return raft_guard_swallow(g, request, cb);
    }
    rc = g->base->send(g->base, request, &m, cb);
    if (rc != 0 && raft_guard_rule_on(g, RAFT_GUARD_SEND)) {
        g->hits[RAFT_GUARD_SEND]++;
        return raft_guard_swallow(g, request, cb);
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
    if (status != 0 && !g->closing && raft_guard_rule_on(g, RAFT_GUARD_FAILSTOP)) {
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
    raft_guard_settle(g);
}

static int guard_append(struct raft_io *io, struct raft_io_append *request,
                        const struct raft_entry entries[], unsigned n, raft_io_append_cb cb)
{
    struct raft_guard *g = guard_of(io);
    struct raft_guard_append *a = MEM_NEW(struct raft_guard_append);
    int rc;

    for (unsigned i = 0; i < n && raft_guard_rule_on(g, RAFT_GUARD_PADDING); i++)
        ASSERT(entries[i].buf.len % 8 == 0);
    *a = (struct raft_guard_append){
        .guard = g, .request = request, .cb = cb, .since = g->patience_ms};
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

    if (g->put.install && status != 0 && !g->closing &&
        raft_guard_rule_on(g, RAFT_GUARD_FAILSTOP)) {
        g->hits[RAFT_GUARD_FAILSTOP]++;
        snprintf(why, sizeof why, "a received snapshot cannot be written: %s", g->base->errmsg);
        raft_guard_stop(g, why);
    }
    g->put.back = g->dead && !g->closing;
    if (g->put.back)
        return;
    finish_put(g, status);
    raft_guard_settle(g);
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
    g->put.since = g->patience_ms;
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
    raft_guard_tell_swallowed(g);
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
    if (raft_guard_rule_on(g, RAFT_GUARD_CONFIG)) {
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
