#include "raft/guard_impl.h"

#include "base/check.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

bool raft_guard_library_is_newer(void)
{
    return raft_version_number != NULL;
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

/* libraft 0.15 frees the entries of a received message twice when its answer fails at once (rule
 * 9), so every failure is told later, from the next tick. */
int raft_guard_swallow(struct raft_guard *g, struct raft_io_send *request, raft_io_send_cb cb)
{
    struct raft_guard_send *s = MEM_NEW(struct raft_guard_send);

    s->request = request;
    s->cb = cb;
    *g->swallowed_end = s;
    g->swallowed_end = &s->next;
    return 0;
}

void raft_guard_tell_swallowed(struct raft_guard *g)
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

void raft_guard_hold(struct raft_guard *g, const struct raft_message *m)
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

/* A sole voter makes itself leader without a new term; entries that it had sent to a standby before
 * a crash could be replaced by others of the same index and term. */
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

/* A leader may count followers only for entries of its own term; libraft counts for any. So the
 * first entry of each term is a barrier, and until it is stored here (0.15 never counts beyond what
 * is stored here) no acknowledgement is let in. */
static void begin_term(struct raft_guard *g)
{
    struct raft *r = g->raft;

    drop_held(g);
    g->lead_term = r->current_term;
    g->term_stored = !raft_guard_rule_on(g, RAFT_GUARD_BARRIER);
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
    if (g->lead_term == 0 && raft_guard_rule_on(g, RAFT_GUARD_TERM) && voters(r) == 1)
        take_new_term(g);
    if (!g->dead && g->lead_term != r->current_term)
        begin_term(g);
    if (g->lead_term != 0 && !g->term_stored && r->last_stored >= g->term_start) {
        g->term_stored = true;
        deliver_held(g);
    }
}

void raft_guard_settle(struct raft_guard *g)
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
    raft_guard_settle(g);
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
