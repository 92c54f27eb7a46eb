/* The writer's thread: see raft/disk.h for what it does in which order. */
#include "raft/disk_impl.h"

#include "base/check.h"

#include <stdio.h>

void raft_disk_publish(struct raft_disk *d)
{
    const struct raft_store *s = d->config.store;

    atomic_store(&d->room, raft_store_room(s));
    atomic_store(&d->log_bytes, raft_store_disk_bytes(s));
    atomic_store(&d->snapshot_index, raft_store_snapshot_index(s));
    atomic_store(&d->snapshot_bytes, raft_store_snapshot_bytes(s));
}

/* With the lock held. */
static void note_failure(struct raft_disk *d, const struct err *e)
{
    if (d->failed)
        return;
    d->failed = true;
    snprintf(d->why, sizeof d->why, "%.255s", e->msg);
    uv_cond_broadcast(&d->settled);
    uv_async_send(&d->wake);
}

static int status_of(enum err_code code)
{
    return code == ERR_OK ? 0 : code == ERR_LIMIT ? RAFT_NOSPACE : RAFT_IOERR;
}

static void answer(struct raft_disk *d, struct disk_op *op, int status)
{
    op->status = status;
    disk_queue_push(&d->done, op);
    uv_async_send(&d->wake);
}

static void do_meta(struct raft_disk *d)
{
    struct err e = {0};
    uint64_t term = d->meta_term, vote = d->meta_vote;

    uv_mutex_unlock(&d->lock);
    int rc = raft_store_set_meta(d->config.store, term, vote, &e);

    uv_mutex_lock(&d->lock);
    if (rc != 0)
        note_failure(d, &e);
    d->meta_status = status_of((enum err_code)rc);
    d->meta_due = false;
    uv_cond_broadcast(&d->settled);
}

static int install(struct raft_store *s, struct disk_op *op, struct err *e)
{
    bool done = false;
    int rc = raft_store_snapshot_begin(s, op->put.snapshot, 0, e);

    while (rc == 0 && !done)
        rc = raft_store_snapshot_step(s, &done, e);
    return rc == 0 ? raft_store_snapshot_commit(s, e) : rc;
}

static int run_op(struct raft_store *s, struct disk_op *op, struct err *e)
{
    switch (op->kind) {
    case OP_APPEND:
        return raft_store_append(s, op->append.entries, op->append.n, e);
    case OP_TRUNCATE:
        return raft_store_truncate(s, op->truncate, e);
    case OP_PUT:
        return install(s, op, e);
    case OP_GET:
        return raft_store_snapshot_read(s, &op->get.snapshot, e);
    }
    UNREACHABLE();
}

/* Takes what waits, syncs once, answers in order. libraft never has two snapshots put at once, so
 * an install does not meet one of our own. */
static void do_queue(struct raft_disk *d)
{
    struct raft_store *s = d->config.store;
    struct disk_op *batch[BATCH_MAX];
    struct err e = {0};
    unsigned n = 0;
    int rc = 0;

    while (n < BATCH_MAX && d->queue.first != NULL)
        batch[n++] = disk_queue_pop(&d->queue);
    d->busy = n;
    uv_mutex_unlock(&d->lock);

    for (unsigned i = 0; i < n && rc == 0; i++)
        rc = run_op(s, batch[i], &e);
    if (rc == 0)
        rc = raft_store_sync(s, &e);

    uv_mutex_lock(&d->lock);
    if (rc != 0)
        note_failure(d, &e);
    raft_disk_publish(d);
    for (unsigned i = 0; i < n; i++)
        answer(d, batch[i], status_of((enum err_code)rc));
    d->busy = 0;
    uv_cond_broadcast(&d->settled);
    if (rc != 0 || d->queue.first != NULL)
        return;
    uv_mutex_unlock(&d->lock);
    rc = raft_store_mark(s, &e);
    uv_mutex_lock(&d->lock);
    if (rc != 0)
        note_failure(d, &e);
}

static void do_own_snapshot(struct raft_disk *d)
{
    struct raft_store *s = d->config.store;
    struct disk_op *op = d->own;
    struct err e = {0};
    bool done = false;
    int rc = 0;

    uv_mutex_unlock(&d->lock);
    if (!op->put.begun)
        rc = raft_store_snapshot_begin(s, op->put.snapshot, op->put.trailing, &e);
    op->put.begun = true;
    if (rc == 0)
        rc = raft_store_snapshot_step(s, &done, &e);
    if (rc == 0 && done)
        rc = raft_store_snapshot_commit(s, &e);
    uv_mutex_lock(&d->lock);
    if (rc == ERR_LIMIT)
        atomic_store(&d->no_space_until_ms, disk_now_ms() + NO_SPACE_PAUSE_MS);
    else if (rc != 0)
        note_failure(d, &e);
    if (rc == 0 && !done)
        return;
    raft_disk_publish(d);
    d->own = NULL;
    answer(d, op, status_of((enum err_code)rc));
}

/* The second copy of term and vote, or a spare log file. False when there is nothing to do. */
static bool do_spare_work(struct raft_disk *d)
{
    struct raft_store *s = d->config.store;
    struct err e = {0};
    int rc;

    if (raft_store_mirror_due(s) && !raft_store_prepare_urgent(s)) {
        uv_mutex_unlock(&d->lock);
        rc = raft_store_mirror_meta(s, &e);
    } else if (raft_store_prepare_due(s) && disk_now_ms() >= atomic_load(&d->no_space_until_ms)) {
        uv_mutex_unlock(&d->lock);
        rc = raft_store_prepare(s, &e);
        if (rc == ERR_LIMIT) {
            atomic_store(&d->no_space_until_ms, disk_now_ms() + NO_SPACE_PAUSE_MS);
            rc = 0;
        }
    } else {
        return false;
    }
    uv_mutex_lock(&d->lock);
    if (rc != 0)
        note_failure(d, &e);
    raft_disk_publish(d);
    return true;
}

/* What came too late is answered without being done. */
static void refuse_rest(struct raft_disk *d)
{
    while (d->queue.first != NULL)
        answer(d, disk_queue_pop(&d->queue), RAFT_IOERR);
    if (d->own != NULL)
        answer(d, d->own, RAFT_CANCELED);
    d->own = NULL;
    if (d->meta_due) {
        d->meta_status = RAFT_IOERR;
        d->meta_due = false;
    }
    uv_cond_broadcast(&d->settled);
}

void raft_disk_writer(void *arg)
{
    struct raft_disk *d = arg;
    bool idle = false; /* nothing came for IDLE_MS */

    uv_mutex_lock(&d->lock);
    for (;;) {
        if (d->failed) {
            refuse_rest(d);
            if (d->stopping)
                break;
            uv_cond_wait(&d->work, &d->lock);
        } else if (d->meta_due) {
            do_meta(d);
            idle = false;
        } else if (raft_store_prepare_urgent(d->config.store) && do_spare_work(d)) {
            continue;
        } else if (d->queue.first != NULL) {
            do_queue(d);
            idle = false;
        } else if (d->stopping) {
            refuse_rest(d);
            break;
        } else if (d->own != NULL) {
            do_own_snapshot(d);
        } else if (!idle || !do_spare_work(d)) {
            uint64_t wait_ms = idle ? NO_SPACE_PAUSE_MS : IDLE_MS;

            idle = uv_cond_timedwait(&d->work, &d->lock, UINT64_C(1000000) * wait_ms) != 0;
        }
    }
    uv_mutex_unlock(&d->lock);
}
