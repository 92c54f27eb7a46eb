#include "raft_sim.h"

#include "base/check.h"
#include "base/mem.h"
#include "raft/guard.h"
#include "raft/store.h"
#include "raft_files_sim.h"
#include "raft_sim_heap.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NODES_MAX = 5, INDEX_MAX = 1 << 16, ELECTION_MS = 300, HEARTBEAT_MS = 50, QUIET_MS = 12000 };

enum op_kind { OP_APPEND, OP_TRUNCATE, OP_INSTALL };

struct op {
    enum op_kind kind;
    struct raft_io_append *request;
    raft_io_append_cb cb;
    const struct raft_entry *entries;
    unsigned n;
    raft_index index;
    struct raft_io_snapshot_put *put;
    raft_io_snapshot_put_cb put_cb;
    const struct raft_snapshot *snapshot;
    struct op *next;
};

struct node {
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
    struct op *first, **end;
    bool disk_busy;
    raft_io_tick_cb tick;
    raft_io_recv_cb recv;
    uint64_t count, state_hash; /* the state machine */
    raft_index durable;         /* the highest entry that was acknowledged to another node or a client */
    raft_term told_term;        /* the highest term that left this node */
    raft_id told_vote;          /* what it voted in that term, 0: nothing known */
};

enum event_kind {
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

struct event {
    uint64_t at, order;
    enum event_kind kind;
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
    struct event **heap;
    size_t heap_n, heap_cap;
    struct node node[NODES_MAX];
    bool cut[NODES_MAX][NODES_MAX];
    uint64_t link_at[NODES_MAX][NODES_MAX];
    uint64_t next_value;
    uint64_t *applied;    /* by index: hash of the entry and its term, 0 unknown */
    uint64_t *state_hash; /* by index: of the state machine after it */
    raft_index acked_max;
};

static uint64_t mix(uint64_t h, uint64_t v)
{
    h ^= v + UINT64_C(0x9e3779b97f4a7c15) + (h << 6) + (h >> 2);
    return h * UINT64_C(0xff51afd7ed558ccd);
}

static unsigned chance(struct sim *s, unsigned low, unsigned high)
{
    return sim_rng_range(&s->rng, low, high);
}

static bool happens(struct sim *s, unsigned ppm)
{
    return ppm > 0 && chance(s, 1, 1000000) <= ppm;
}

static void violate(struct sim *s, const char *what, unsigned node, uint64_t index)
{
    if (s->result->violated)
        return;
    s->result->violated = true;
    snprintf(s->result->what, sizeof s->result->what, "%llu ms: %s (node %u, index %llu)",
             (unsigned long long)s->now, what, node, (unsigned long long)index);
}

/* ---- events ---- */

static bool before(const struct event *a, const struct event *b)
{
    return a->at < b->at || (a->at == b->at && a->order < b->order);
}

static struct event *schedule(struct sim *s, uint64_t at, enum event_kind kind, int node)
{
    struct event *ev = MEM_NEW(struct event);

    ev->at = at;
    ev->order = s->order++;
    ev->kind = kind;
    ev->node = node;
    if (node >= 0)
        ev->life = s->node[node].life;
    if (s->heap_n == s->heap_cap) {
        s->heap_cap = s->heap_cap == 0 ? 256 : s->heap_cap * 2;
        s->heap = mem_realloc(s->heap, s->heap_cap * sizeof *s->heap);
    }
    size_t i = s->heap_n++;

    for (; i > 0 && before(ev, s->heap[(i - 1) / 2]); i = (i - 1) / 2)
        s->heap[i] = s->heap[(i - 1) / 2];
    s->heap[i] = ev;
    return ev;
}

static struct event *next_event(struct sim *s)
{
    struct event *first = s->heap[0];
    struct event *last = s->heap[--s->heap_n];
    size_t i = 0;

    for (;;) {
        size_t child = 2 * i + 1;

        if (child >= s->heap_n)
            break;
        if (child + 1 < s->heap_n && before(s->heap[child + 1], s->heap[child]))
            child++;
        if (!before(s->heap[child], last))
            break;
        s->heap[i] = s->heap[child];
        i = child;
    }
    if (s->heap_n > 0)
        s->heap[i] = last;
    return first;
}

/* ---- the disk: operations in order, through the real store ---- */

static struct node *node_of(struct raft_io *io)
{
    return io->impl;
}

static int io_error(struct node *x, const struct err *e)
{
    snprintf(x->io.errmsg, sizeof x->io.errmsg, "%.255s", e->msg);
    return RAFT_IOERR;
}

static void kick_disk(struct node *x)
{
    struct sim *s = x->sim;
    uint64_t delay;

    if (x->disk_busy || x->first == NULL)
        return;
    x->disk_busy = true;
    delay = chance(s, 1, 12);
    if (!s->quiet && happens(s, s->options.stall_ppm))
        delay += chance(s, 50, 1500);
    schedule(s, s->now + delay, EV_DISK, (int)x->number);
}

static void push_op(struct node *x, const struct op *op)
{
    struct op *copy = MEM_NEW(struct op);

    *copy = *op;
    copy->next = NULL;
    *x->end = copy;
    x->end = &copy->next;
    kick_disk(x);
}

static int run_op(struct node *x, const struct op *op, struct err *e)
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

static void finish_op(struct node *x, struct op *op, int status)
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
static void on_disk(struct node *x)
{
    struct sim *s = x->sim;
    struct op *batch[4];
    struct err e = {0};
    unsigned n = 0;
    unsigned most = chance(s, 1, 4);
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
        rc = run_op(x, batch[i], &e);
    if (rc == 0)
        rc = raft_store_sync(x->store, &e);
    if (rc == 0 && x->first == NULL && chance(s, 0, 3) > 0)
        rc = raft_store_mark(x->store, &e);
    if (rc == 0 && raft_store_prepare_due(x->store) && chance(s, 0, 1) == 0)
        rc = raft_store_prepare(x->store, &e);
    if (rc != 0)
        rc = io_error(x, &e);
    for (unsigned i = 0; i < n; i++)
        if (x->life == life)
            finish_op(x, batch[i], rc);
    if (x->alive && x->life == life)
        kick_disk(x);
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
    struct node *x = node_of(io);
    struct raft_store_state state;
    struct err e = {0};

    if (raft_store_load(x->store, &state, &e) != 0)
        return io_error(x, &e);
    *term = state.term;
    *voted_for = state.voted_for;
    *snapshot = state.snapshot;
    *start_index = state.start_index;
    *entries = state.entries;
    *n_entries = state.entries_n;
    if (state.term < x->told_term ||
        (state.term == x->told_term && x->told_vote != 0 && state.voted_for != x->told_vote))
        violate(x->sim, "a restarted node has forgotten its term or vote", x->number, state.term);
    if (state.start_index + state.entries_n <= x->durable)
        violate(x->sim, "a restarted node has lost an entry that it had acknowledged", x->number,
                x->durable);
    return 0;
}

static int sim_start(struct raft_io *io, unsigned msecs, raft_io_tick_cb tick, raft_io_recv_cb recv)
{
    struct node *x = node_of(io);

    x->tick = tick;
    x->recv = recv;
    schedule(x->sim, x->sim->now + chance(x->sim, 1, msecs), EV_TICK, (int)x->number);
    return 0;
}

static int sim_bootstrap(struct raft_io *io, const struct raft_configuration *conf)
{
    struct err e = {0};

    return raft_store_bootstrap(node_of(io)->store, conf, &e) == 0 ? 0 : RAFT_IOERR;
}

static int set_meta(struct node *x, raft_term term, raft_id vote)
{
    struct err e = {0};

    if (raft_store_set_meta(x->store, term, vote, &e) != 0)
        return io_error(x, &e);
    schedule(x->sim, x->sim->now + chance(x->sim, 1, 40), EV_MIRROR, (int)x->number);
    return 0;
}

static int sim_set_term(struct raft_io *io, raft_term term)
{
    return set_meta(node_of(io), term, 0);
}

static int sim_set_vote(struct raft_io *io, raft_id server_id)
{
    struct node *x = node_of(io);

    return set_meta(x, raft_store_term(x->store), server_id);
}

static int sim_append(struct raft_io *io, struct raft_io_append *request,
                      const struct raft_entry entries[], unsigned n, raft_io_append_cb cb)
{
    push_op(node_of(io), &(struct op){.kind = OP_APPEND,
                                      .request = request,
                                      .cb = cb,
                                      .entries = entries,
                                      .n = n});
    return 0;
}

static int sim_truncate(struct raft_io *io, raft_index index)
{
    struct node *x = node_of(io);

    push_op(x, &(struct op){.kind = OP_TRUNCATE, .index = index});
    if (x->durable >= index)
        x->durable = index - 1; /* what a newer leader takes back was never committed */
    return 0;
}

static int sim_snapshot_put(struct raft_io *io, unsigned trailing,
                            struct raft_io_snapshot_put *request,
                            const struct raft_snapshot *snapshot, raft_io_snapshot_put_cb cb)
{
    struct node *x = node_of(io);
    struct sim *s = x->sim;

    if (trailing == 0) {
        push_op(x, &(struct op){
                       .kind = OP_INSTALL, .put = request, .put_cb = cb, .snapshot = snapshot});
        if (x->durable > snapshot->index)
            x->durable = snapshot->index; /* as with a truncation */
        return 0;
    }
    struct event *ev = schedule(s, s->now + chance(s, 5, 400), EV_SNAPSHOT, (int)x->number);

    ev->request = request;
    ev->put_cb = cb;
    ev->snapshot = snapshot;
    ev->trailing = trailing;
    return 0;
}

static void on_snapshot(struct node *x, const struct event *ev)
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
    struct node *x = node_of(io);
    struct sim *s = x->sim;
    struct event *ev = schedule(s, s->now + chance(s, 1, 30), EV_READ, (int)x->number);

    ev->request = request;
    ev->get_cb = cb;
    return 0;
}

static raft_time sim_time(struct raft_io *io)
{
    return node_of(io)->sim->now;
}

static int sim_random(struct raft_io *io, int min, int max)
{
    return (int)chance(node_of(io)->sim, (unsigned)min, (unsigned)max);
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

static void deliver_later(struct node *x, const struct raft_message *m, int to, bool in_order)
{
    struct sim *s = x->sim;
    uint64_t at = s->now + chance(s, 1, 15);
    struct event *ev;

    if (!s->quiet && happens(s, 5000))
        at += chance(s, 100, 1500);
    if (in_order && at <= s->link_at[x->number][to])
        at = s->link_at[x->number][to] + 1;
    if (in_order)
        s->link_at[x->number][to] = at;
    ev = schedule(s, at, EV_MESSAGE, to);
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
static void note_promise(struct node *x, const struct raft_message *m)
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
    struct node *x = node_of(io);
    struct sim *s = x->sim;
    int to = (int)m->server_id - 1;

    if (m->server_id == 0 || m->server_id > s->options.nodes || m->server_address == NULL) {
        s->result->sends_to_nobody++;
        return RAFT_NOCONNECTION;
    }
    note_promise(x, m);
    if (s->options.send_fails && (s->cut[x->number][to] || !s->node[to].alive))
        return RAFT_NOCONNECTION;
    struct event *ev = schedule(s, s->now + 1, EV_SENT, (int)x->number);

    ev->request = request;
    ev->sent_cb = cb;
    if (s->cut[x->number][to] || (!s->quiet && happens(s, s->options.loss_ppm)))
        return 0;
    deliver_later(x, m, to, s->quiet || !happens(s, s->options.reorder_ppm));
    if (!s->quiet && happens(s, s->options.duplicate_ppm))
        deliver_later(x, m, to, false);
    return 0;
}

/* ---- the state machine: a count and a chain of hashes ---- */

static int fsm_apply(struct raft_fsm *fsm, const struct raft_buffer *buf, void **result)
{
    struct node *x = fsm->data;
    struct sim *s = x->sim;
    raft_index index = x->raft->last_applied + 1;
    const struct raft_entry *entry = raft_guard_entry(x->raft, index);
    uint64_t value;
    uint64_t h;

    *result = NULL;
    memcpy(&value, buf->base, sizeof value);
    h = mix(mix(mix(1, value), entry != NULL ? entry->term : 0), buf->len);
    x->count++;
    x->state_hash = mix(x->state_hash, h);
    if (index >= INDEX_MAX)
        return 0;
    if (s->applied[index] != 0 && s->applied[index] != h)
        violate(s, "two nodes applied different entries", x->number, index);
    if (s->state_hash[index] != 0 && s->state_hash[index] != x->state_hash)
        violate(s, "the state differs from that of another node at the same entry", x->number,
                index);
    s->applied[index] = h;
    s->state_hash[index] = x->state_hash;
    s->result->applied++;
    s->result->hash = mix(mix(s->result->hash, index), x->state_hash);
    return 0;
}

static int fsm_snapshot(struct raft_fsm *fsm, struct raft_buffer *bufs[], unsigned *n_bufs)
{
    struct node *x = fsm->data;
    uint64_t image[4] = {x->count, x->state_hash, 0, 0};

    *n_bufs = 1;
    *bufs = raft_malloc(sizeof **bufs);
    (*bufs)[0].len = sizeof image;
    (*bufs)[0].base = raft_malloc(sizeof image);
    memcpy((*bufs)[0].base, image, sizeof image);
    return 0;
}

static int fsm_restore(struct raft_fsm *fsm, struct raft_buffer *buf)
{
    struct node *x = fsm->data;
    uint64_t image[4];

    if (buf->len != sizeof image)
        violate(x->sim, "a snapshot of another length came back", x->number, buf->len);
    memcpy(image, buf->base, sizeof image);
    x->count = image[0];
    x->state_hash = image[1];
    raft_free(buf->base);
    return 0;
}

/* ---- lives of nodes ---- */

static void on_fatal(void *arg, const char *why)
{
    (void)why;
    ((struct node *)arg)->dying = true;
}

static void on_restart(void *arg)
{
    ((struct node *)arg)->restart_wanted = true;
}

static void on_settled(void *arg)
{
    struct node *x = arg;

    if (raft_state(x->raft) == RAFT_UNAVAILABLE)
        x->dying = true;
}

static void configure(struct node *x)
{
    const struct raft_sim_options *o = &x->sim->options;

    raft_set_election_timeout(x->raft, ELECTION_MS);
    raft_set_heartbeat_timeout(x->raft, HEARTBEAT_MS);
    raft_set_install_snapshot_timeout(x->raft, 1000);
    raft_set_snapshot_threshold(x->raft, o->snapshot_entries);
    raft_set_snapshot_trailing(x->raft, o->trailing_entries);
    raft_set_pre_vote(x->raft, !o->no_pre_vote);
}

static void boot(struct node *x)
{
    struct sim *s = x->sim;
    struct raft_guard_hooks hooks = {
        .arg = x, .fatal = on_fatal, .restart = on_restart, .settled = on_settled};
    struct raft_guard_options rules = {.off = s->options.guard_off};
    struct raft_store_sizes sizes = {.file_first_bytes = 2048, .file_bytes = 16384};
    struct err e = {0};

    x->first = NULL;
    x->end = &x->first;
    x->disk_busy = x->dying = x->restart_wanted = false;
    x->count = x->state_hash = 0;
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
    x->fsm = (struct raft_fsm){.version = 1,
                               .data = x,
                               .apply = fsm_apply,
                               .snapshot = fsm_snapshot,
                               .restore = fsm_restore};
    if (raft_store_open(&x->store, sim_folder_files(x->folder), x->number + 1,
                        1000 + x->number, &sizes, &e) != 0) {
        s->result->restarts_refused++;
        violate(s, e.msg, x->number, 0);
        return;
    }
    x->alive = true;
    x->raft = raft_calloc(1, sizeof *x->raft);
    raft_guard_init(&x->guard, x->raft, &x->io, &x->fsm, &hooks, 5000, &rules);
    ASSERT(raft_init(x->raft, &x->guard.io, &x->guard.fsm, x->number + 1, x->address) == 0);
    configure(x);
    if (raft_store_is_fresh(x->store)) {
        struct raft_configuration conf;

        raft_configuration_init(&conf);
        for (unsigned i = 0; i < s->options.nodes; i++)
            raft_configuration_add(&conf, i + 1, s->node[i].address, RAFT_VOTER);
        if (raft_bootstrap(x->raft, &conf) != 0)
            x->dying = true;
        raft_configuration_close(&conf);
        if (x->dying)
            return;
    }
    raft_guard_enter(&x->guard);
    int rc = raft_start(x->raft);

    raft_guard_leave(&x->guard);
    if (rc != 0)
        x->dying = true;
}

static void drop_ops(struct node *x)
{
    while (x->first != NULL) {
        struct op *next = x->first->next;

        mem_free(x->first);
        x->first = next;
    }
    x->end = &x->first;
}

/* The rest of what was queued may reach the disk, up to any point. */
static void crash(struct node *x, bool finish, unsigned back_ms)
{
    struct sim *s = x->sim;
    struct err e = {0};
    int rc = 0;

    if (x->restart_wanted || (finish && chance(s, 0, 1) == 0)) {
        if (!x->restart_wanted)
            sim_folder_fail(x->folder, chance(s, 1, 6), EIO);
        for (struct op *op = x->first; op != NULL && rc == 0; op = op->next)
            rc = run_op(x, op, &e);
        if (rc == 0)
            rc = raft_store_sync(x->store, &e);
    }
    s->result->crashes++;
    s->result->config_restarts += x->restart_wanted;
    for (unsigned i = 0; i < RAFT_GUARD_RULES; i++)
        s->result->guard_hits[i] += x->guard.hits[i];
    drop_ops(x);
    raft_guard_release(&x->guard);
    raft_store_close(x->store);
    x->store = NULL;
    x->alive = false;
    x->life++;
    sim_folder_cut(x->folder, chance(s, 0, 1) == 0, &s->rng);
    schedule(s, s->now + back_ms, EV_RESTART, (int)x->number);
}

static unsigned alive_count(const struct sim *s)
{
    unsigned n = 0;

    for (unsigned i = 0; i < s->options.nodes; i++)
        n += s->node[i].alive;
    return n;
}

static void on_crash(struct sim *s)
{
    struct node *x = &s->node[chance(s, 0, s->options.nodes - 1)];

    /* Now and then all of them, but mostly a majority stays. */
    if (x->alive && (alive_count(s) > s->options.nodes / 2 || chance(s, 0, 9) == 0))
        crash(x, true, chance(s, 10, 2500));
    if (!s->quiet)
        schedule(s, s->now + chance(s, s->options.crash_ms / 5, s->options.crash_ms * 2), EV_CRASH,
                 -1);
}

static void on_network(struct sim *s)
{
    unsigned n = s->options.nodes;
    unsigned a = chance(s, 0, n - 1);
    unsigned b = chance(s, 0, n - 1);

    memset(s->cut, 0, sizeof s->cut);
    if (s->quiet)
        return;
    switch (chance(s, 0, 4)) {
    case 0: /* one is alone */
        for (unsigned i = 0; i < n; i++)
            s->cut[a][i] = s->cut[i][a] = i != a;
        break;
    case 1:
        s->cut[a][b] = s->cut[b][a] = a != b;
        break;
    case 2: /* one way */
        s->cut[a][b] = a != b;
        break;
    case 3: /* one hears nobody, but is heard */
        for (unsigned i = 0; i < n; i++)
            s->cut[i][a] = i != a;
        break;
    default:
        break;
    }
    schedule(s, s->now + chance(s, 50, s->options.partition_ms * 2), EV_NETWORK, -1);
}

/* ---- clients ---- */

static void on_acknowledged(struct raft_apply *request, int status, void *result)
{
    struct sim *s = request->data;

    (void)result;
    if (status == 0) {
        s->result->acknowledged++;
        if (request->index > s->acked_max)
            s->acked_max = request->index;
    }
    raft_free(request);
}

static void on_changed(struct raft_change *request, int status)
{
    struct sim *s = request->data;

    s->result->role_changes += status == 0;
    raft_free(request);
}

/* libraft uses the request after this (fault 13); the heap sweeps it up at the end. */
static void on_transferred(struct raft_transfer *request)
{
    (void)request;
}

static void propose(struct node *x)
{
    struct sim *s = x->sim;
    size_t size = 8 * chance(s, 1, 12);
    struct raft_buffer buf = {.base = raft_calloc(1, size), .len = size};
    struct raft_apply *request = raft_calloc(1, sizeof *request);

    request->data = s;
    memcpy(buf.base, &s->next_value, sizeof s->next_value);
    s->next_value++;
    raft_guard_enter(&x->guard);
    if (raft_apply(x->raft, request, &buf, 1, on_acknowledged) != 0) {
        raft_free(buf.base);
        raft_free(request);
    }
    raft_guard_leave(&x->guard);
}

/* With two voters the one that leads must not make itself the only one: what it had sent but not stored
 * when it crashes leaves nobody who may be elected (libraft wants a candidate to be a voter in its own
 * newest configuration; Raft does not). Three voters are the least in service, so the harness keeps so
 * many where it wants to see the cluster come back. */
static void change_role(struct node *x)
{
    struct sim *s = x->sim;
    unsigned voters = 0;
    raft_id id = chance(s, 1, s->options.nodes);
    int role = chance(s, 0, 2) == 0 ? RAFT_STANDBY : RAFT_VOTER;
    bool rule = (s->options.guard_off & (1u << RAFT_GUARD_CONFIG)) == 0;
    struct raft_change *request;

    for (unsigned i = 0; i < x->raft->configuration.n; i++)
        voters += x->raft->configuration.servers[i].role == RAFT_VOTER;
    if (id == x->number + 1 || (rule && !raft_guard_may_change(&x->guard)) ||
        (role != RAFT_VOTER && voters <= 3 && s->options.nodes > 3))
        return;
    request = raft_calloc(1, sizeof *request);
    request->data = s;
    raft_guard_enter(&x->guard);
    if (raft_assign(x->raft, request, id, role, on_changed) != 0)
        raft_free(request);
    raft_guard_leave(&x->guard);
}

static void transfer(struct node *x)
{
    struct raft_transfer *request = raft_calloc(1, sizeof *request);

    raft_guard_enter(&x->guard);
    if (raft_transfer(x->raft, request, 0, on_transferred) != 0)
        raft_free(request);
    raft_guard_leave(&x->guard);
}

static void on_client(struct sim *s)
{
    bool barrier = (s->options.guard_off & (1u << RAFT_GUARD_BARRIER)) == 0;

    for (unsigned i = 0; i < s->options.nodes; i++) {
        struct node *x = &s->node[i];

        if (!x->alive || x->dying || raft_state(x->raft) != RAFT_LEADER ||
            (barrier && !raft_guard_ready(&x->guard)))
            continue;
        for (unsigned k = chance(s, 1, 3); k > 0; k--)
            propose(x);
        if (s->quiet)
            continue;
        if (s->options.roles && chance(s, 0, 24) == 0)
            change_role(x);
        if (s->options.transfers && chance(s, 0, 39) == 0)
            transfer(x);
    }
    schedule(s, s->now + chance(s, 5, 60), EV_CLIENT, -1);
}

/* ---- one history ---- */

static void on_read(struct node *x, const struct event *ev)
{
    struct raft_snapshot *snapshot = NULL;
    struct err e = {0};
    int rc = raft_store_snapshot_read(x->store, &snapshot, &e);

    raft_guard_enter(&x->guard);
    ev->get_cb(ev->request, snapshot, rc == 0 ? 0 : RAFT_IOERR);
    raft_guard_leave(&x->guard);
}

static void on_write_error(struct sim *s)
{
    struct node *x = &s->node[chance(s, 0, s->options.nodes - 1)];

    if (s->quiet)
        return;
    if (x->alive)
        sim_folder_fail(x->folder, chance(s, 1, 12), chance(s, 0, 1) == 0 ? EIO : ENOSPC);
    schedule(s, s->now + chance(s, s->options.write_error_ms / 5, s->options.write_error_ms * 2),
             EV_WRITE_ERROR, -1);
}

static void on_mirror(struct node *x)
{
    struct err e = {0};

    if (raft_store_mirror_due(x->store) && raft_store_mirror_meta(x->store, &e) != 0)
        x->dying = true;
}

static void play_node(struct node *x, struct event *ev)
{
    struct sim *s = x->sim;

    switch (ev->kind) {
    case EV_TICK:
        x->tick(&x->io);
        if (x->alive)
            schedule(s, s->now + HEARTBEAT_MS, EV_TICK, ev->node);
        break;
    case EV_DISK:
        on_disk(x);
        break;
    case EV_SENT:
        if (ev->sent_cb != NULL)
            ev->sent_cb(ev->request, 0);
        break;
    case EV_SNAPSHOT:
        on_snapshot(x, ev);
        break;
    case EV_READ:
        on_read(x, ev);
        break;
    case EV_MIRROR:
        on_mirror(x);
        break;
    default:
        UNREACHABLE();
    }
}

static void play(struct sim *s, struct event *ev)
{
    struct node *x = ev->node >= 0 ? &s->node[ev->node] : NULL;

    s->result->hash = mix(mix(s->result->hash, s->now), (uint64_t)ev->kind);
    switch (ev->kind) {
    case EV_CRASH:
        on_crash(s);
        break;
    case EV_NETWORK:
        on_network(s);
        break;
    case EV_CLIENT:
        on_client(s);
        break;
    case EV_WRITE_ERROR:
        on_write_error(s);
        break;
    case EV_RESTART:
        boot(x);
        break;
    case EV_MESSAGE:
        if (x->alive && !x->dying && !s->cut[ev->from][ev->node])
            x->recv(&x->io, &ev->message);
        break;
    default:
        if (x->alive && !x->dying && ev->life == x->life)
            play_node(x, ev);
    }
}

static void look_at_nodes(struct sim *s)
{
    raft_term leading[NODES_MAX];
    unsigned n = 0;

    for (unsigned i = 0; i < s->options.nodes; i++) {
        struct node *x = &s->node[i];

        if (x->alive && (x->dying || x->restart_wanted))
            crash(x, false, 100);
        if (!x->alive || raft_state(x->raft) != RAFT_LEADER)
            continue;
        for (unsigned k = 0; k < n; k++)
            if (leading[k] == x->raft->current_term)
                violate(s, "two leaders in one term", i, x->raft->current_term);
        leading[n++] = x->raft->current_term;
    }
}

static void begin_quiet(struct sim *s)
{
    s->quiet = true;
    memset(s->cut, 0, sizeof s->cut);
    for (unsigned i = 0; i < s->options.nodes; i++)
        if (s->node[i].alive)
            sim_folder_fail(s->node[i].folder, 0, 0);
}

/* After some time without faults all have applied the same, and more than was acknowledged. */
static void check_end(struct sim *s)
{
    raft_index least = (raft_index)-1;
    bool leader = false;

    if (s->options.quiet_end_unchecked || s->result->violated)
        return;
    for (unsigned i = 0; i < s->options.nodes; i++) {
        struct node *x = &s->node[i];

        if (!x->alive) {
            violate(s, "a node did not come back", i, 0);
            return;
        }
        leader |= raft_guard_ready(&x->guard);
        if (x->raft->last_applied < least && x->raft->configuration.n > 0)
            least = x->raft->last_applied;
    }
    if (!leader && !(s->options.roles && s->options.nodes <= 3))
        violate(s, "no leader, although all faults have ended", 0, 0);
    if (!s->options.roles && least + 64 < s->acked_max)
        violate(s, "a node did not catch up", 0, least);
    for (raft_index i = 1; i <= s->acked_max && i < INDEX_MAX; i++)
        if (i == s->acked_max && s->applied[i] == 0)
            violate(s, "an acknowledged entry was never applied", 0, i);
}

static void free_sim(struct sim *s)
{
    for (unsigned i = 0; i < s->options.nodes; i++) {
        struct node *x = &s->node[i];

        if (x->alive) {
            for (unsigned k = 0; k < RAFT_GUARD_RULES; k++)
                s->result->guard_hits[k] += x->guard.hits[k];
            drop_ops(x);
            raft_guard_release(&x->guard);
            raft_store_close(x->store);
        }
        sim_folder_free(x->folder);
    }
    while (s->heap_n > 0)
        mem_free(s->heap[--s->heap_n]);
    mem_free(s->heap);
    mem_free(s->applied);
    mem_free(s->state_hash);
    mem_free(s);
}

struct raft_sim_options raft_sim_defaults(uint64_t seed, unsigned nodes)
{
    return (struct raft_sim_options){
        .seed = seed,
        .nodes = nodes,
        .duration_ms = 20000,
        .crash_ms = 1500,
        .partition_ms = 1000,
        .loss_ppm = 20000,
        .duplicate_ppm = 5000,
        .reorder_ppm = 5000,
        .stall_ppm = 10000,
        .write_error_ms = 8000,
        .snapshot_entries = 64,
        .trailing_entries = 16,
    };
}

void raft_sim_run(const struct raft_sim_options *options, struct raft_sim_result *result)
{
    struct sim *s = MEM_NEW(struct sim);
    uint64_t end = options->duration_ms + QUIET_MS;

    memset(result, 0, sizeof *result);
    ASSERT(options->nodes >= 1 && options->nodes <= NODES_MAX);
    s->options = *options;
    s->result = result;
    s->next_value = 1;
    s->applied = mem_zalloc(INDEX_MAX, sizeof *s->applied);
    s->state_hash = mem_zalloc(INDEX_MAX, sizeof *s->state_hash);
    sim_rng_seed(&s->rng, options->seed);
    sim_heap_begin();
    for (unsigned i = 0; i < options->nodes; i++) {
        struct node *x = &s->node[i];

        x->number = i;
        x->sim = s;
        snprintf(x->address, sizeof x->address, "%u", i + 1);
        x->folder = sim_folder_new();
    }
    for (unsigned i = 0; i < options->nodes; i++)
        boot(&s->node[i]);
    schedule(s, chance(s, 1, 100), EV_CLIENT, -1);
    if (options->crash_ms > 0)
        schedule(s, chance(s, 500, 2000), EV_CRASH, -1);
    if (options->partition_ms > 0)
        schedule(s, chance(s, 300, 1500), EV_NETWORK, -1);
    if (options->write_error_ms > 0)
        schedule(s, chance(s, 500, 4000), EV_WRITE_ERROR, -1);
    while (s->heap_n > 0 && s->now < end && !result->violated) {
        struct event *ev = next_event(s);

        s->now = ev->at;
        if (!s->quiet && s->now > options->duration_ms)
            begin_quiet(s);
        play(s, ev);
        mem_free(ev);
        look_at_nodes(s);
    }
    check_end(s);
    free_sim(s);
    sim_heap_end();
}
