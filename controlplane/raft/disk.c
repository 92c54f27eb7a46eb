#include "raft/disk_impl.h"

#include "base/check.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

enum { WAIT_STEPS = 8 };

static struct raft_disk *disk_of(struct raft_io *io)
{
    return io->impl;
}

static void submit(struct raft_disk *d, struct disk_op *op)
{
    op->since_ns = uv_hrtime();
    uv_mutex_lock(&d->lock);
    if (op->kind == OP_PUT && op->put.trailing > 0)
        d->own = op;
    else
        disk_queue_push(&d->queue, op);
    uv_cond_signal(&d->work);
    uv_mutex_unlock(&d->lock);
}

static void count_append(struct raft_disk *d, uint64_t us)
{
    struct raft_disk_metrics *m = &d->metrics;
    unsigned bucket = 0;

    while (bucket < RAFT_DISK_BUCKETS - 1 && us > (UINT64_C(64) << bucket))
        bucket++;
    m->append_bucket[bucket]++;
    m->append_us_sum += us;
    m->appends++;
    if (us > m->append_us_max)
        m->append_us_max = us;
}

static void deliver(struct raft_disk *d, struct disk_op *op)
{
    uint64_t us = (uv_hrtime() - op->since_ns) / 1000;
    struct raft_disk_metrics *m = &d->metrics;

    switch (op->kind) {
    case OP_APPEND:
        if (op->status == 0)
            count_append(d, us);
        op->append.cb(op->append.request, op->status);
        break;
    case OP_TRUNCATE:
        break; /* a failure stands in `why` and is told there */
    case OP_PUT:
        if (op->status != 0)
            m->snapshots_failed++;
        else if (op->put.trailing > 0)
            m->snapshots++;
        else
            m->snapshots_installed++;
        m->snapshot_write_us_sum += us;
        op->put.cb(op->put.request, op->status);
        break;
    case OP_GET:
        op->get.cb(op->get.request, op->get.snapshot, op->status);
        break;
    }
    mem_free(op);
}

static void tell_sent(struct raft_disk *d, int status)
{
    struct disk_sent *s = d->sent;

    d->sent = NULL;
    d->sent_end = &d->sent;
    while (s != NULL) {
        struct disk_sent *next = s->next;

        s->cb(s->request, status);
        mem_free(s);
        s = next;
    }
}

static void deliver_done(struct raft_disk *d)
{
    struct disk_op *op;

    uv_mutex_lock(&d->lock);
    op = d->done.first;
    disk_queue_init(&d->done);
    bool failed = d->failed && !d->failed_told;

    d->failed_told |= failed;
    if (d->failed)
        memcpy(d->io.errmsg, d->why, sizeof d->io.errmsg);
    uv_mutex_unlock(&d->lock);
    while (op != NULL) {
        struct disk_op *next = op->next;

        deliver(d, op);
        op = next;
    }
    if (failed)
        d->config.failed(d->config.arg, d->why);
}

static void on_wake(uv_async_t *handle)
{
    struct raft_disk *d = handle->data;

    tell_sent(d, 0);
    deliver_done(d);
}

static void on_timer(uv_timer_t *handle)
{
    struct raft_disk *d = handle->data;

    d->tick(&d->io);
}

static int disk_init(struct raft_io *io, raft_id id, const char *address)
{
    (void)io;
    (void)id;
    (void)address;
    return 0;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct raft_disk *d = handle->data;

    if (--d->open_handles > 0)
        return;
    raft_io_close_cb cb = d->close_cb;

    uv_mutex_destroy(&d->lock);
    uv_cond_destroy(&d->work);
    uv_cond_destroy(&d->settled);
    raft_store_close(d->config.store);
    if (cb != NULL)
        cb(&d->io);
    mem_free(d);
}

static void free_state(struct raft_disk *d)
{
    struct raft_store_state *state = &d->config.state;

    if (d->loaded)
        return;
    void *batch = NULL;

    for (size_t i = 0; i < state->entries_n; i++) {
        if (state->entries[i].batch != batch)
            raft_free(state->entries[i].batch);
        batch = state->entries[i].batch;
    }
    raft_free(state->entries);
    if (state->snapshot != NULL) {
        raft_configuration_close(&state->snapshot->configuration);
        raft_free(state->snapshot->bufs[0].base);
        raft_free(state->snapshot->bufs);
        raft_free(state->snapshot);
    }
}

static void disk_close(struct raft_io *io, raft_io_close_cb cb)
{
    struct raft_disk *d = disk_of(io);

    d->close_cb = cb;
    uv_mutex_lock(&d->lock);
    d->stopping = true;
    d->failed_told = true;
    uv_cond_signal(&d->work);
    uv_mutex_unlock(&d->lock);
    uv_thread_join(&d->thread);
    tell_sent(d, RAFT_CANCELED);
    deliver_done(d);
    free_state(d);
    uv_close((uv_handle_t *)&d->wake, on_handle_closed);
    uv_close((uv_handle_t *)&d->timer, on_handle_closed);
}

static int disk_load(struct raft_io *io, raft_term *term, raft_id *voted_for,
                     struct raft_snapshot **snapshot, raft_index *start_index,
                     struct raft_entry *entries[], size_t *n_entries)
{
    struct raft_disk *d = disk_of(io);
    const struct raft_store_state *state = &d->config.state;

    ASSERT(!d->loaded);
    d->loaded = true;
    *term = state->term;
    *voted_for = state->voted_for;
    *snapshot = state->snapshot;
    *start_index = state->start_index;
    *entries = state->entries;
    *n_entries = state->entries_n;
    return 0;
}

static int disk_start(struct raft_io *io, unsigned msecs, raft_io_tick_cb tick,
                      raft_io_recv_cb recv)
{
    struct raft_disk *d = disk_of(io);

    d->tick = tick;
    d->recv = recv;
    return uv_timer_start(&d->timer, on_timer, msecs, msecs) == 0 ? 0 : RAFT_IOERR;
}

/* raft/node.c does both at the store, before there is a disk. */
static int disk_bootstrap(struct raft_io *io, const struct raft_configuration *conf)
{
    (void)io;
    (void)conf;
    return RAFT_CANTBOOTSTRAP;
}

/* Waits for the writer, with the lock held, in steps: one step at most is lost to a SIGSTOP. */
static void wait_settled(struct raft_disk *d, bool (*pending)(const struct raft_disk *d))
{
    uint64_t step_ns = UINT64_C(1000000) * d->config.stall_limit_ms / WAIT_STEPS + 1;

    for (unsigned step = 0; step < WAIT_STEPS && pending(d);)
        step += uv_cond_timedwait(&d->settled, &d->lock, step_ns) != 0;
}

static bool meta_pending(const struct raft_disk *d)
{
    return d->meta_due;
}

static bool queue_pending(const struct raft_disk *d)
{
    return (d->queue.first != NULL || d->busy > 0) && !d->failed;
}

static int disk_set_meta(struct raft_disk *d, uint64_t term, uint64_t vote)
{
    uint64_t start = uv_hrtime();
    int status;

    uv_mutex_lock(&d->lock);
    d->meta_term = term;
    d->meta_vote = vote;
    d->meta_due = true;
    uv_cond_signal(&d->work);
    wait_settled(d, meta_pending);
    status = d->meta_due ? RAFT_IOERR : d->meta_status;
    if (d->meta_due)
        snprintf(d->io.errmsg, sizeof d->io.errmsg, "the write has not come back for %u ms",
                 d->config.stall_limit_ms);
    else if (status != 0)
        memcpy(d->io.errmsg, d->why, sizeof d->io.errmsg);
    uv_mutex_unlock(&d->lock);
    d->metrics.meta_writes++;
    d->metrics.meta_us_sum += (uv_hrtime() - start) / 1000;
    return status;
}

static int disk_set_term(struct raft_io *io, raft_term term)
{
    struct raft_disk *d = disk_of(io);

    d->config.state.term = term;
    d->config.state.voted_for = 0;
    return disk_set_meta(d, term, 0);
}

static int disk_set_vote(struct raft_io *io, raft_id server_id)
{
    struct raft_disk *d = disk_of(io);

    d->config.state.voted_for = server_id;
    return disk_set_meta(d, d->config.state.term, server_id);
}

static int disk_send(struct raft_io *io, struct raft_io_send *request,
                     const struct raft_message *message, raft_io_send_cb cb)
{
    struct raft_disk *d = disk_of(io);

    if (d->config.send == NULL || d->config.send(d->config.arg, message) != 0)
        return RAFT_NOCONNECTION;
    if (cb == NULL)
        return 0;
    struct disk_sent *s = MEM_NEW(struct disk_sent);

    s->request = request;
    s->cb = cb;
    *d->sent_end = s;
    d->sent_end = &s->next;
    uv_async_send(&d->wake);
    return 0;
}

static int disk_append(struct raft_io *io, struct raft_io_append *request,
                       const struct raft_entry entries[], unsigned n, raft_io_append_cb cb)
{
    struct disk_op *op = MEM_NEW(struct disk_op);

    op->kind = OP_APPEND;
    op->append.request = request;
    op->append.cb = cb;
    op->append.entries = entries;
    op->append.n = n;
    submit(disk_of(io), op);
    return 0;
}

static int disk_truncate(struct raft_io *io, raft_index index)
{
    struct disk_op *op = MEM_NEW(struct disk_op);

    op->kind = OP_TRUNCATE;
    op->truncate = index;
    submit(disk_of(io), op);
    return 0;
}

static int disk_snapshot_put(struct raft_io *io, unsigned trailing,
                             struct raft_io_snapshot_put *request,
                             const struct raft_snapshot *snapshot, raft_io_snapshot_put_cb cb)
{
    struct disk_op *op = MEM_NEW(struct disk_op);

    op->kind = OP_PUT;
    op->put.request = request;
    op->put.cb = cb;
    op->put.snapshot = snapshot;
    op->put.trailing = trailing;
    submit(disk_of(io), op);
    return 0;
}

static int disk_snapshot_get(struct raft_io *io, struct raft_io_snapshot_get *request,
                             raft_io_snapshot_get_cb cb)
{
    struct disk_op *op = MEM_NEW(struct disk_op);

    op->kind = OP_GET;
    op->get.request = request;
    op->get.cb = cb;
    submit(disk_of(io), op);
    return 0;
}

static raft_time disk_time(struct raft_io *io)
{
    (void)io;
    return disk_now_ms();
}

/* xorshift64*: only election time-outs come from it. */
static int disk_random(struct raft_io *io, int min, int max)
{
    struct raft_disk *d = disk_of(io);

    d->random ^= d->random >> 12;
    d->random ^= d->random << 25;
    d->random ^= d->random >> 27;
    return min +
           (int)((d->random * UINT64_C(2685821657736338717) >> 33) % (uint64_t)(max - min + 1));
}

struct raft_io *raft_disk_io(struct raft_disk *d)
{
    return &d->io;
}

struct raft_disk *raft_disk_open(const struct raft_disk_config *config)
{
    struct raft_disk *d = MEM_NEW(struct raft_disk);

    d->config = *config;
    d->random = uv_hrtime() | 1;
    uv_random(NULL, NULL, &d->random, sizeof d->random, 0, NULL);
    d->random |= 1;
    d->io = (struct raft_io){
        .version = 1,
        .impl = d,
        .init = disk_init,
        .close = disk_close,
        .load = disk_load,
        .start = disk_start,
        .bootstrap = disk_bootstrap,
        .recover = disk_bootstrap,
        .set_term = disk_set_term,
        .set_vote = disk_set_vote,
        .send = disk_send,
        .append = disk_append,
        .truncate = disk_truncate,
        .snapshot_put = disk_snapshot_put,
        .snapshot_get = disk_snapshot_get,
        .time = disk_time,
        .random = disk_random,
    };
    d->sent_end = &d->sent;
    disk_queue_init(&d->queue);
    disk_queue_init(&d->done);
    raft_disk_publish(d);
    d->wake.data = d;
    d->timer.data = d;
    d->open_handles = 2;
    ASSERT(uv_mutex_init(&d->lock) == 0);
    ASSERT(uv_cond_init(&d->work) == 0);
    ASSERT(uv_cond_init(&d->settled) == 0);
    ASSERT(uv_async_init(config->loop, &d->wake, on_wake) == 0);
    ASSERT(uv_timer_init(config->loop, &d->timer) == 0);
    ASSERT(uv_thread_create(&d->thread, raft_disk_writer, d) == 0);
    return d;
}

void raft_disk_receive(struct raft_disk *d, struct raft_message *m)
{
    d->recv(&d->io, m);
}

bool raft_disk_flush(struct raft_disk *d)
{
    bool done;

    uv_mutex_lock(&d->lock);
    wait_settled(d, queue_pending);
    done = !queue_pending(d) && !d->failed;
    uv_mutex_unlock(&d->lock);
    return done;
}

uint64_t raft_disk_room(const struct raft_disk *d)
{
    return atomic_load(&((struct raft_disk *)d)->room);
}

bool raft_disk_no_space(const struct raft_disk *d)
{
    return disk_now_ms() < atomic_load(&((struct raft_disk *)d)->no_space_until_ms);
}

void raft_disk_metrics(struct raft_disk *d, struct raft_disk_metrics *out)
{
    *out = d->metrics;
    out->log_bytes = atomic_load(&d->log_bytes);
    out->snapshot_index = atomic_load(&d->snapshot_index);
    out->snapshot_bytes = atomic_load(&d->snapshot_bytes);
}
