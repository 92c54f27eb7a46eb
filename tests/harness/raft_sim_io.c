/* A simulated node's disk and network. */
#include "raft_sim_impl.h"

#include "base/check.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* ---- the disk: operations in order, through the real store ---- */

static struct sim_node *sim_node_of(struct raft_io *io)
{
    return io->impl;
}

static int sim_io_error(struct sim_node *x, const struct err *e)
{
    snprintf(x->io.errmsg, sizeof x->io.errmsg, "%.255s", e->msg);
    return RAFT_IOERR;
}

static void sim_kick_disk(struct sim_node *x)
{
    struct sim *s = x->sim;
    uint64_t delay;

    if (x->disk_busy || x->first == NULL)
        return;
    x->disk_busy = true;
    delay = sim_chance(s, 1, 12);
    if (!s->quiet && sim_happens(s, s->options.stall_ppm))
        delay += sim_chance(s, 50, 1500);
    sim_schedule(s, s->now + delay, EV_DISK, (int)x->number);
}

static void sim_push_op(struct sim_node *x, const struct sim_op *op)
{
    struct sim_op *copy = MEM_NEW(struct sim_op);

    *copy = *op;
    copy->next = NULL;
    *x->end = copy;
    x->end = &copy->next;
    sim_kick_disk(x);
}

int sim_run_op(struct sim_node *x, const struct sim_op *op, struct err *e)
{
    bool done = false;
    int rc;

    if (op->kind == OP_APPEND)
        return raft_store_append(x->store, op->entries, op->n, e);
    if (op->kind == OP_TRUNCATE)
        return raft_store_truncate(x->store, op->index, e);
    rc = raft_store_snapshot_begin(x->store, op->snapshot, 0, e);
    while (rc == 0 && !done)
        rc = raft_store_snapshot_step(x->store, &done, e);
    return rc == 0 ? raft_store_snapshot_commit(x->store, e) : rc;
}

static void finish_op(struct sim_node *x, struct sim_op *op, int status)
{
    if (op->kind == OP_APPEND)
        op->cb(op->request, status);
    if (op->kind == OP_INSTALL) {
        x->sim->result->snapshots_installed += status == 0;
        op->put_cb(op->put, status);
    }
    mem_free(op);
}

/* One or several operations with one sync, as the writer does. */
void sim_on_disk(struct sim_node *x)
{
    struct sim *s = x->sim;
    struct sim_op *batch[4];
    struct err e = {0};
    unsigned n = 0;
    unsigned most = sim_chance(s, 1, 4);
    unsigned life = x->life;
    int rc = 0;

    x->disk_busy = false;
    while (n < most && x->first != NULL) {
        batch[n] = x->first;
        x->first = batch[n]->next;
        n++;
    }
    if (x->first == NULL)
        x->end = &x->first;
    for (unsigned i = 0; i < n && rc == 0; i++)
        rc = sim_run_op(x, batch[i], &e);
    if (rc == 0)
        rc = raft_store_sync(x->store, &e);
    if (rc == 0 && x->first == NULL && sim_chance(s, 0, 3) > 0)
        rc = raft_store_mark(x->store, &e);
    if (rc == 0 && raft_store_prepare_due(x->store) && sim_chance(s, 0, 1) == 0)
        rc = raft_store_prepare(x->store, &e);
    if (rc != 0)
        rc = sim_io_error(x, &e);
    for (unsigned i = 0; i < n; i++)
        if (x->life == life)
            finish_op(x, batch[i], rc);
    if (x->alive && x->life == life)
        sim_kick_disk(x);
}

static int sim_init(struct raft_io *io, raft_id id, const char *address)
{
    (void)io;
    (void)id;
    (void)address;
    return 0;
}

static void sim_close(struct raft_io *io, raft_io_close_cb cb)
{
    cb(io);
}

static int sim_load(struct raft_io *io, raft_term *term, raft_id *voted_for,
                    struct raft_snapshot **snapshot, raft_index *start_index,
                    struct raft_entry *entries[], size_t *n_entries)
{
    struct sim_node *x = sim_node_of(io);
    struct raft_store_state state;
    struct err e = {0};

    if (raft_store_load(x->store, &state, &e) != 0)
        return sim_io_error(x, &e);
    *term = state.term;
    *voted_for = state.voted_for;
    *snapshot = state.snapshot;
    *start_index = state.start_index;
    *entries = state.entries;
    *n_entries = state.entries_n;
    if (state.term < x->told_term ||
        (state.term == x->told_term && x->told_vote != 0 && state.voted_for != x->told_vote))
        sim_violate(x->sim, "a restarted node has forgotten its term or vote", x->number,
                    state.term);
    if (state.start_index + state.entries_n <= x->durable)
        sim_violate(x->sim, "a restarted node has lost an entry that it had acknowledged",
                    x->number, x->durable);
    return 0;
}

static int sim_start(struct raft_io *io, unsigned msecs, raft_io_tick_cb tick, raft_io_recv_cb recv)
{
    struct sim_node *x = sim_node_of(io);

    x->tick = tick;
    x->recv = recv;
    sim_schedule(x->sim, x->sim->now + sim_chance(x->sim, 1, msecs), EV_TICK, (int)x->number);
    return 0;
}

static int sim_bootstrap(struct raft_io *io, const struct raft_configuration *conf)
{
    struct err e = {0};

    return raft_store_bootstrap(sim_node_of(io)->store, conf, &e) == 0 ? 0 : RAFT_IOERR;
}

static int set_meta(struct sim_node *x, raft_term term, raft_id vote)
{
    struct err e = {0};

    if (raft_store_set_meta(x->store, term, vote, &e) != 0)
        return sim_io_error(x, &e);
    sim_schedule(x->sim, x->sim->now + sim_chance(x->sim, 1, 40), EV_MIRROR, (int)x->number);
    return 0;
}

static int sim_set_term(struct raft_io *io, raft_term term)
{
    return set_meta(sim_node_of(io), term, 0);
}

static int sim_set_vote(struct raft_io *io, raft_id server_id)
{
    struct sim_node *x = sim_node_of(io);

    return set_meta(x, raft_store_term(x->store), server_id);
}

static int sim_append(struct raft_io *io, struct raft_io_append *request,
                      const struct raft_entry entries[], unsigned n, raft_io_append_cb cb)
{
    sim_push_op(sim_node_of(io),
                &(struct sim_op){
                    .kind = OP_APPEND, .request = request, .cb = cb, .entries = entries, .n = n});
    return 0;
}

static int sim_truncate(struct raft_io *io, raft_index index)
{
    struct sim_node *x = sim_node_of(io);

    sim_push_op(x, &(struct sim_op){.kind = OP_TRUNCATE, .index = index});
    if (x->durable >= index)
        x->durable = index - 1; /* what a newer leader takes back was never committed */
    return 0;
}

static int sim_snapshot_put(struct raft_io *io, unsigned trailing,
                            struct raft_io_snapshot_put *request,
                            const struct raft_snapshot *snapshot, raft_io_snapshot_put_cb cb)
{
    struct sim_node *x = sim_node_of(io);
    struct sim *s = x->sim;

    if (trailing == 0) {
        sim_push_op(x, &(struct sim_op){
                           .kind = OP_INSTALL, .put = request, .put_cb = cb, .snapshot = snapshot});
        if (x->durable > snapshot->index)
            x->durable = snapshot->index; /* as with a truncation */
        return 0;
    }
    struct sim_event *ev =
        sim_schedule(s, s->now + sim_chance(s, 5, 400), EV_SNAPSHOT, (int)x->number);

    ev->request = request;
    ev->put_cb = cb;
    ev->snapshot = snapshot;
    ev->trailing = trailing;
    return 0;
}

void sim_on_snapshot(struct sim_node *x, const struct sim_event *ev)
{
    struct err e = {0};
    bool done = false;
    int rc = raft_store_snapshot_begin(x->store, ev->snapshot, ev->trailing, &e);

    while (rc == 0 && !done)
        rc = raft_store_snapshot_step(x->store, &done, &e);
    if (rc == 0)
        rc = raft_store_snapshot_commit(x->store, &e);
    if (rc != 0) { /* the real disk tells its node through failed() */
        x->dying = true;
        return;
    }
    ev->put_cb(ev->request, 0);
}

static int sim_snapshot_get(struct raft_io *io, struct raft_io_snapshot_get *request,
                            raft_io_snapshot_get_cb cb)
{
    struct sim_node *x = sim_node_of(io);
    struct sim *s = x->sim;
    struct sim_event *ev = sim_schedule(s, s->now + sim_chance(s, 1, 30), EV_READ, (int)x->number);

    ev->request = request;
    ev->get_cb = cb;
    return 0;
}

static raft_time sim_time(struct raft_io *io)
{
    return sim_node_of(io)->sim->now;
}

static int sim_random(struct raft_io *io, int min, int max)
{
    return (int)sim_chance(sim_node_of(io)->sim, (unsigned)min, (unsigned)max);
}

/* ---- the network ---- */

static void copy_entries(struct raft_append_entries *a)
{
    size_t size = 0;

    if (a->n_entries == 0) {
        a->entries = NULL;
        return;
    }
    struct raft_entry *copy = raft_calloc(a->n_entries, sizeof *copy);

    for (unsigned i = 0; i < a->n_entries; i++)
        size += a->entries[i].buf.len;
    uint8_t *batch = raft_malloc(size + 8);
    size_t at = 0;

    for (unsigned i = 0; i < a->n_entries; i++) {
        copy[i] = a->entries[i];
        copy[i].buf.base = batch + at;
        copy[i].batch = batch;
        memcpy(batch + at, a->entries[i].buf.base, copy[i].buf.len);
        at += copy[i].buf.len;
    }
    a->entries = copy;
}

static void copy_snapshot(struct raft_install_snapshot *i)
{
    struct raft_configuration conf;
    void *data = raft_malloc(i->data.len);

    raft_configuration_init(&conf);
    for (unsigned k = 0; k < i->conf.n; k++)
        raft_configuration_add(&conf, i->conf.servers[k].id, i->conf.servers[k].address,
                               i->conf.servers[k].role);
    i->conf = conf;
    memcpy(data, i->data.base, i->data.len);
    i->data.base = data;
}

static void deliver_later(struct sim_node *x, const struct raft_message *m, int to, bool in_order)
{
    struct sim *s = x->sim;
    uint64_t at = s->now + sim_chance(s, 1, 15);
    struct sim_event *ev;

    if (!s->quiet && sim_happens(s, 5000))
        at += sim_chance(s, 100, 1500);
    if (in_order && at <= s->link_at[x->number][to])
        at = s->link_at[x->number][to] + 1;
    if (in_order)
        s->link_at[x->number][to] = at;
    ev = sim_schedule(s, at, EV_MESSAGE, to);
    ev->from = (int)x->number;
    ev->message = *m;
    if (m->type == RAFT_IO_APPEND_ENTRIES)
        copy_entries(&ev->message.append_entries);
    if (m->type == RAFT_IO_INSTALL_SNAPSHOT)
        copy_snapshot(&ev->message.install_snapshot);
    ev->message.server_id = x->number + 1;
    ev->message.server_address = x->address;
}

/* What leaves a node is a promise that it must keep over a crash. */
static void note_promise(struct sim_node *x, const struct raft_message *m)
{
    if (raft_store_term(x->store) > x->told_term) {
        x->told_term = raft_store_term(x->store);
        x->told_vote = 0;
    }
    if (raft_store_voted_for(x->store) != 0 && raft_store_term(x->store) == x->told_term)
        x->told_vote = raft_store_voted_for(x->store);
    if (m->type == RAFT_IO_APPEND_ENTRIES_RESULT && m->append_entries_result.rejected == 0 &&
        m->append_entries_result.last_log_index > x->durable &&
        m->append_entries_result.last_log_index <= raft_store_last_index(x->store))
        x->durable = m->append_entries_result.last_log_index;
}

static int sim_send(struct raft_io *io, struct raft_io_send *request, const struct raft_message *m,
                    raft_io_send_cb cb)
{
    struct sim_node *x = sim_node_of(io);
    struct sim *s = x->sim;
    int to = (int)m->server_id - 1;

    if (m->server_id == 0 || m->server_id > s->options.nodes || m->server_address == NULL) {
        s->result->sends_to_nobody++;
        return RAFT_NOCONNECTION;
    }
    note_promise(x, m);
    if (s->options.send_fails && (s->cut[x->number][to] || !s->node[to].alive))
        return RAFT_NOCONNECTION;
    struct sim_event *ev = sim_schedule(s, s->now + 1, EV_SENT, (int)x->number);

    ev->request = request;
    ev->sent_cb = cb;
    if (s->cut[x->number][to] || (!s->quiet && sim_happens(s, s->options.loss_ppm)))
        return 0;
    deliver_later(x, m, to, s->quiet || !sim_happens(s, s->options.reorder_ppm));
    if (!s->quiet && sim_happens(s, s->options.duplicate_ppm))
        deliver_later(x, m, to, false);
    return 0;
}

void sim_io_init(struct sim_node *x)
{
    x->io = (struct raft_io){.version = 1,
                             .impl = x,
                             .init = sim_init,
                             .close = sim_close,
                             .load = sim_load,
                             .start = sim_start,
                             .bootstrap = sim_bootstrap,
                             .recover = sim_bootstrap,
                             .set_term = sim_set_term,
                             .set_vote = sim_set_vote,
                             .send = sim_send,
                             .append = sim_append,
                             .truncate = sim_truncate,
                             .snapshot_put = sim_snapshot_put,
                             .snapshot_get = sim_snapshot_get,
                             .time = sim_time,
                             .random = sim_random};
}
