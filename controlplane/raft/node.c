#include "raft/node.h"

#include "base/check.h"
#include "base/codec.h"
#include "base/mem.h"
#include "raft/disk.h"
#include "raft/guard.h"
#include "raft/node_open.h"

#include <stdio.h>

enum {
    /* What stands before a proposal in its entry: the entry's length must be a multiple of 8. */
    FRAME_HEAD = 8,
    FRAME_VERSION = 1,
};

struct proposal {
    struct raft_buffer buf; /* raft_malloc; libraft's once it is in flight */
    raft_node_done done;
    void *arg;
    struct proposal *next;
};

struct raft_node {
    struct raft raft;
    struct raft_guard guard;
    struct raft_fsm fsm;
    struct raft_disk *disk;
    struct raft_files *files; /* NULL when they are the caller's */
    struct raft_node_config config;

    struct proposal *first, **end; /* waiting */
    uint64_t queue_n, queue_bytes;
    struct proposal *in_flight; /* NULL: none */
    struct raft_apply apply;

    struct bytes image; /* of the snapshot that is being written */
    struct raft_buffer image_buf;
    uint64_t bytes_behind;   /* of entries applied since the last snapshot */
    uint64_t bytes_at_image; /* of them, those that the one being written has */

    enum raft_node_state state; /* as told */
    uint64_t state_term;
    bool starting, stopping;
    struct err start_error;
    struct raft_node_metrics metrics;

    void (*closed)(void *arg);
    void *closed_arg;
};

static void end_process(struct raft_node *n, const char *why)
{
    if (n->starting) { /* raft_node_start's error says it */
        err_set(&n->start_error, ERR_IO, "%s", why);
        return;
    }
    n->config.fatal(n->config.arg, why);
}

/* ---- the state machine ---- */

static int fsm_apply(struct raft_fsm *fsm, const struct raft_buffer *buf, void **result)
{
    struct raft_node *n = fsm->data;
    uint64_t index = n->raft.last_applied + 1; /* 0.15 raises it when we have returned */
    const struct raft_entry *entry = raft_guard_entry(&n->raft, index);
    const uint8_t *p = buf->base;

    *result = NULL;
    if (buf->len < FRAME_HEAD || be32_get(p) != FRAME_VERSION ||
        be32_get(p + 4) > buf->len - FRAME_HEAD) {
        raft_guard_stop(&n->guard, "the Raft log has an entry that this version of writ does not "
                                   "know: start the version that wrote it");
        return RAFT_MALFORMED;
    }
    n->config.fsm.apply(n->config.fsm.arg, index, entry != NULL ? entry->term : 0,
                        slice_of(p + FRAME_HEAD, be32_get(p + 4)));
    n->bytes_behind += buf->len;
    if (n->bytes_behind > n->config.options.snapshot_bytes)
        raft_set_snapshot_threshold(&n->raft, 1); /* libraft counts entries only */
    return 0;
}

static int fsm_snapshot(struct raft_fsm *fsm, struct raft_buffer *bufs[], unsigned *n_bufs)
{
    struct raft_node *n = fsm->data;
    const struct raft_node_options *o = &n->config.options;
    uint64_t start = uv_hrtime();

    if (raft_disk_no_space(n->disk))
        return RAFT_BUSY; /* asked again at the next entry */
    bytes_clear(&n->image);
    n->config.fsm.snapshot(n->config.fsm.arg, &n->image);
    n->image_buf = (struct raft_buffer){.base = n->image.p, .len = n->image.n};
    *bufs = &n->image_buf;
    *n_bufs = 1;
    n->bytes_at_image = n->bytes_behind;
    raft_set_snapshot_trailing(&n->raft,
                               raft_guard_trailing(&n->raft, n->raft.last_applied,
                                                   o->trailing_entries, o->trailing_bytes));

    uint64_t us = (uv_hrtime() - start) / 1000;

    n->metrics.snapshot_us_sum += us;
    if (us > n->metrics.snapshot_us_max)
        n->metrics.snapshot_us_max = us;
    return 0;
}

/* The image was written, or could not be. */
static int fsm_finalize(struct raft_fsm *fsm, struct raft_buffer *bufs[], unsigned *n_bufs)
{
    struct raft_node *n = fsm->data;

    bytes_free(&n->image);
    *bufs = NULL;
    *n_bufs = 0;
    if (n->raft.log.snapshot.last_index != n->raft.snapshot.pending.index)
        return 0; /* it failed: the limits stay passed */
    n->bytes_behind -= n->bytes_at_image;
    raft_set_snapshot_threshold(&n->raft, n->config.options.snapshot_entries);
    return 0;
}

static int fsm_restore(struct raft_fsm *fsm, struct raft_buffer *buf)
{
    struct raft_node *n = fsm->data;
    struct err e = {0};
    char why[sizeof e.msg + 64];

    if (n->config.fsm.restore(n->config.fsm.arg, slice_of(buf->base, buf->len), &e) != 0) {
        snprintf(why, sizeof why, "a snapshot cannot be restored: %s", e.msg);
        raft_guard_stop(&n->guard, why);
        if (n->starting)
            n->start_error.code = e.code != ERR_OK ? e.code : ERR_CORRUPT;
        return RAFT_CORRUPT;
    }
    raft_free(buf->base);
    n->bytes_behind = 0;
    return 0;
}

/* ---- proposals ---- */

static void finish(struct proposal *p, enum raft_node_outcome outcome, uint64_t index)
{
    p->done(p->arg, outcome, index);
    mem_free(p);
}

static struct proposal *next_proposal(struct raft_node *n)
{
    struct proposal *p = n->first;

    n->first = p->next;
    if (n->first == NULL)
        n->end = &n->first;
    n->queue_n--;
    n->queue_bytes -= p->buf.len;
    return p;
}

static void refuse_waiting(struct raft_node *n)
{
    while (n->first != NULL) {
        struct proposal *p = next_proposal(n);

        raft_free(p->buf.base);
        n->metrics.proposals_refused++;
        finish(p, RAFT_NODE_NOT_APPLIED, 0);
    }
}

static void on_applied(struct raft_apply *request, int status, void *result)
{
    struct raft_node *n = request->data;
    struct proposal *p = n->in_flight;

    (void)result;
    n->in_flight = NULL;
    if (status != 0)
        n->metrics.proposals_unknown++;
    finish(p, status == 0 ? RAFT_NODE_APPLIED : RAFT_NODE_UNKNOWN,
           status == 0 ? request->index : 0);
}

static void propose_next(struct raft_node *n)
{
    while (n->in_flight == NULL && n->first != NULL && !n->stopping && raft_node_ready(n)) {
        struct proposal *p = next_proposal(n);

        n->in_flight = p;
        n->apply.data = n;
        raft_guard_enter(&n->guard);
        int rc = raft_apply(&n->raft, &n->apply, &p->buf, 1, on_applied);

        if (rc != 0) { /* a transfer of leadership has begun */
            n->in_flight = NULL;
            raft_free(p->buf.base);
            n->metrics.proposals_refused++;
            finish(p, RAFT_NODE_NOT_APPLIED, 0);
        }
        raft_guard_leave(&n->guard);
    }
}

int raft_node_propose(struct raft_node *n, struct slice entry, raft_node_done done, void *arg,
                      struct err *e)
{
    size_t size = FRAME_HEAD + (entry.n + 7) / 8 * 8;

    if (entry.n == 0 || entry.n > RAFT_NODE_ENTRY_MAX)
        return err_set(e, entry.n == 0 ? ERR_INVALID : ERR_LIMIT,
                       "a change of %zu bytes cannot be proposed: the limit is %d", entry.n,
                       RAFT_NODE_ENTRY_MAX);
    if (!raft_node_ready(n) || n->stopping)
        return err_set(e, ERR_UNAVAILABLE, "this node does not lead the control plane");
    if (n->queue_n >= RAFT_NODE_QUEUE_MAX || n->queue_bytes + size > RAFT_NODE_QUEUE_BYTES)
        return err_set(e, ERR_LIMIT, "%llu changes with %llu bytes wait already: try again later",
                       (unsigned long long)n->queue_n, (unsigned long long)n->queue_bytes);
    if (raft_disk_no_space(n->disk) && raft_disk_room(n->disk) < size + RAFT_GROUP_HEAD * 4)
        return err_set(e, ERR_UNAVAILABLE,
                       "the disk is full: the control plane accepts no change until it has room");

    struct proposal *p = MEM_NEW(struct proposal);
    uint8_t *frame = raft_malloc(size);

    ASSERT(frame != NULL);
    memset(frame + size - 8, 0, 8);
    be32_put(frame, FRAME_VERSION);
    be32_put(frame + 4, (uint32_t)entry.n);
    memcpy(frame + FRAME_HEAD, entry.p, entry.n);
    p->buf = (struct raft_buffer){.base = frame, .len = size};
    p->done = done;
    p->arg = arg;
    *n->end = p;
    n->end = &p->next;
    n->queue_n++;
    n->queue_bytes += size;
    n->metrics.proposals++;
    if (n->guard.inside == 0) /* else when libraft has returned */
        propose_next(n);
    return 0;
}

/* ---- the guard's hooks ---- */

static void on_fatal(void *arg, const char *why)
{
    end_process(arg, why);
}

static void on_restart(void *arg)
{
    struct raft_node *n = arg;

    if (raft_disk_flush(n->disk))
        end_process(n, "a change of the membership was not agreed on and had to be taken back: "
                       "the process must start again");
    else
        end_process(n, "the Raft log cannot be cut");
}

static void on_settled(void *arg)
{
    struct raft_node *n = arg;
    enum raft_node_state state = RAFT_NODE_FOLLOWER;

    if (raft_state(&n->raft) == RAFT_UNAVAILABLE && !n->stopping) {
        char why[RAFT_ERRMSG_BUF_SIZE + 64];

        snprintf(why, sizeof why, "Raft gave up: %s", raft_errmsg(&n->raft));
        raft_guard_stop(&n->guard, why);
        return;
    }
    if (raft_state(&n->raft) == RAFT_LEADER)
        state = raft_guard_ready(&n->guard) ? RAFT_NODE_READY : RAFT_NODE_LEADER;
    if (state != n->state || n->raft.current_term != n->state_term) {
        bool told = state != n->state || state != RAFT_NODE_FOLLOWER;

        if (state != RAFT_NODE_FOLLOWER && n->raft.current_term != n->state_term)
            n->metrics.elections++;
        n->state = state;
        n->state_term = n->raft.current_term;
        if (told && n->config.state != NULL)
            n->config.state(n->config.arg, state, n->state_term);
    }
    if (state == RAFT_NODE_READY)
        propose_next(n);
    else
        refuse_waiting(n);
}

/* ---- messages ---- */

static int on_send(void *arg, const struct raft_message *m)
{
    struct raft_node *n = arg;
    const struct raft_transport *t = &n->config.transport;

    if (t->send == NULL)
        return RAFT_NOCONNECTION;
    t->send(t->arg, m->server_id, m->server_address, m);
    return 0;
}

static void on_disk_failed(void *arg, const char *why)
{
    struct raft_node *n = arg;

    raft_guard_stop(&n->guard, why);
}

void raft_node_receive(struct raft_node *n, struct raft_message *m)
{
    raft_disk_receive(n->disk, m);
}

/* ---- start and stop ---- */

static void on_raft_closed(struct raft *r)
{
    struct raft_node *n = r->data;
    void (*closed)(void *arg) = n->closed;
    void *arg = n->closed_arg;

    raft_guard_release(&n->guard);
    raft_files_close(n->files);
    bytes_free(&n->image);
    mem_free(n);
    if (closed != NULL)
        closed(arg);
}

static void configure(struct raft_node *n)
{
    const struct raft_node_options *o = &n->config.options;

    raft_set_election_timeout(&n->raft, o->election_timeout_ms);
    raft_set_heartbeat_timeout(&n->raft, o->heartbeat_ms);
    raft_set_install_snapshot_timeout(&n->raft, o->install_timeout_ms);
    raft_set_snapshot_threshold(&n->raft, o->snapshot_entries);
    raft_set_snapshot_trailing(&n->raft, o->trailing_entries);
    raft_set_pre_vote(&n->raft, true);
}

/* owned: the files are the node's, also when it does not start. */
static int start(struct raft_node **out, uv_loop_t *loop, const struct raft_node_config *config,
                 struct raft_files *files, bool owned, struct err *e)
{
    struct raft_disk_config disk = {.loop = loop, .send = on_send, .failed = on_disk_failed};
    struct raft_guard_hooks hooks = {
        .fatal = on_fatal, .restart = on_restart, .settled = on_settled};
    int rc;

    *out = NULL;
    rc = raft_node_check(config, e);
    if (rc == 0)
        rc = raft_node_open_store(&disk.store, files, config, &disk.state, e);
    if (rc != 0) {
        if (owned)
            raft_files_close(files);
        return rc;
    }
    struct raft_node *n = MEM_NEW(struct raft_node);

    n->files = owned ? files : NULL;
    n->config = *config;
    n->config.folder = NULL; /* the strings are the caller's */
    n->config.address = NULL;
    n->config.voters = NULL;
    raft_node_set_defaults(&n->config.options);
    n->end = &n->first;
    n->starting = true;
    disk.stall_limit_ms = n->config.options.stall_limit_ms;
    disk.arg = n;
    hooks.arg = n;
    n->disk = raft_disk_open(&disk);
    n->fsm = (struct raft_fsm){.version = 2,
                               .data = n,
                               .apply = fsm_apply,
                               .snapshot = fsm_snapshot,
                               .restore = fsm_restore,
                               .snapshot_finalize = fsm_finalize};
    raft_guard_init(&n->guard, &n->raft, raft_disk_io(n->disk), &n->fsm, &hooks,
                    n->config.options.stall_limit_ms, NULL);
    ASSERT(raft_init(&n->raft, &n->guard.io, &n->guard.fsm, config->raft_id, config->address) == 0);
    n->raft.data = n;
    configure(n);
    *out = n;
    raft_guard_enter(&n->guard);
    rc = raft_start(&n->raft);
    if (n->guard.dead)
        rc = RAFT_IOERR;
    n->starting = rc != 0;
    raft_guard_leave(&n->guard);
    if (rc == 0)
        return 0;
    *out = NULL;
    if (n->start_error.code != ERR_OK)
        rc = err_set(e, n->start_error.code, "%s: %s", config->folder, n->start_error.msg);
    else
        rc = err_set(e, ERR_IO, "%s: Raft does not start: %s", config->folder, raft_strerror(rc));
    n->stopping = true;
    raft_close(&n->raft, on_raft_closed);
    return rc;
}

int raft_node_start(struct raft_node **out, uv_loop_t *loop, const struct raft_node_config *config,
                    struct err *e)
{
    struct raft_files *files;
    int rc = raft_files_open(&files, config->folder, e);

    *out = NULL;
    return rc != 0 ? rc : start(out, loop, config, files, true, e);
}

int raft_node_start_on(struct raft_node **out, uv_loop_t *loop,
                       const struct raft_node_config *config, struct raft_files *files,
                       struct err *e)
{
    return start(out, loop, config, files, false, e);
}

void raft_node_stop(struct raft_node *n, void (*closed)(void *arg), void *arg)
{
    n->stopping = true;
    n->closed = closed;
    n->closed_arg = arg;
    refuse_waiting(n);
    raft_close(&n->raft, on_raft_closed);
}

/* ---- questions ---- */

enum raft_node_state raft_node_state(const struct raft_node *n)
{
    if (raft_state((struct raft *)&n->raft) != RAFT_LEADER)
        return RAFT_NODE_FOLLOWER;
    return raft_guard_ready(&n->guard) && !n->guard.dead ? RAFT_NODE_READY : RAFT_NODE_LEADER;
}

bool raft_node_ready(const struct raft_node *n)
{
    return raft_node_state(n) == RAFT_NODE_READY;
}

uint64_t raft_node_leader(const struct raft_node *n, const char **address)
{
    raft_id id = 0;
    const char *text = NULL;

    raft_leader((struct raft *)&n->raft, &id, &text);
    if (address != NULL)
        *address = text;
    return id;
}

void raft_node_metrics(const struct raft_node *n, struct raft_node_metrics *out)
{
    struct raft_disk_metrics d;
    const struct raft *r = &n->raft;

    raft_disk_metrics(n->disk, &d);
    *out = n->metrics;
    out->term = r->current_term;
    out->commit_index = r->commit_index;
    out->applied_index = r->last_applied;
    out->last_index = raft_last_index((struct raft *)r);
    out->stored_index = r->last_stored;
    out->log_bytes = raft_guard_log_bytes(r, 0, &out->log_entries);
    out->disk_log_bytes = d.log_bytes;
    out->snapshot_index = d.snapshot_index;
    out->snapshot_bytes = d.snapshot_bytes;
    out->snapshots = d.snapshots;
    out->snapshots_failed = d.snapshots_failed;
    out->snapshots_installed = d.snapshots_installed;
    out->snapshot_write_us_sum = d.snapshot_write_us_sum;
    out->queue_entries = n->queue_n;
    out->queue_bytes = n->queue_bytes;
    _Static_assert(sizeof out->append_bucket == sizeof d.append_bucket, "one histogram");
    memcpy(out->append_bucket, d.append_bucket, sizeof out->append_bucket);
    out->append_us_sum = d.append_us_sum;
    out->append_us_max = d.append_us_max;
    out->appends = d.appends;
    out->meta_us_sum = d.meta_us_sum;
    out->meta_writes = d.meta_writes;
    _Static_assert(RAFT_GUARD_RULES <= sizeof out->guard_hits / sizeof out->guard_hits[0], "room");
    memcpy(out->guard_hits, n->guard.hits, sizeof n->guard.hits);
}
