/* A simulated node: its state machine, its starts and its crashes. */
#include "raft_sim_impl.h"

#include "base/check.h"
#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- the state machine: a count and a chain of hashes ---- */

static int sim_fsm_apply(struct raft_fsm *fsm, const struct raft_buffer *buf, void **result)
{
    struct sim_node *x = fsm->data;
    struct sim *s = x->sim;
    raft_index index = x->raft->last_applied + 1;
    const struct raft_entry *entry = raft_guard_entry(x->raft, index);
    uint64_t value;
    uint64_t h;

    *result = NULL;
    memcpy(&value, buf->base, sizeof value);
    h = sim_mix(sim_mix(sim_mix(1, value), entry != NULL ? entry->term : 0), buf->len);
    x->count++;
    x->state_hash = sim_mix(x->state_hash, h);
    if (index >= SIM_INDEX_MAX)
        return 0;
    if (s->applied[index] != 0 && s->applied[index] != h)
        sim_violate(s, "two nodes applied different entries", x->number, index);
    if (s->state_hash[index] != 0 && s->state_hash[index] != x->state_hash)
        sim_violate(s, "the state differs from that of another node at the same entry", x->number,
                    index);
    s->applied[index] = h;
    s->state_hash[index] = x->state_hash;
    s->result->applied++;
    s->result->hash = sim_mix(sim_mix(s->result->hash, index), x->state_hash);
    return 0;
}

static int sim_fsm_snapshot(struct raft_fsm *fsm, struct raft_buffer *bufs[], unsigned *n_bufs)
{
    struct sim_node *x = fsm->data;
    uint64_t image[4] = {x->count, x->state_hash, 0, 0};

    *n_bufs = 1;
    *bufs = raft_malloc(sizeof **bufs);
    (*bufs)[0].len = sizeof image;
    (*bufs)[0].base = raft_malloc(sizeof image);
    memcpy((*bufs)[0].base, image, sizeof image);
    return 0;
}

static int sim_fsm_restore(struct raft_fsm *fsm, struct raft_buffer *buf)
{
    struct sim_node *x = fsm->data;
    uint64_t image[4];

    if (buf->len != sizeof image)
        sim_violate(x->sim, "a snapshot of another length came back", x->number, buf->len);
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
    ((struct sim_node *)arg)->dying = true;
}

static void on_restart(void *arg)
{
    ((struct sim_node *)arg)->restart_wanted = true;
}

static void on_settled(void *arg)
{
    struct sim_node *x = arg;

    if (raft_state(x->raft) == RAFT_UNAVAILABLE)
        x->dying = true;
}

static void configure(struct sim_node *x)
{
    const struct raft_sim_options *o = &x->sim->options;

    raft_set_election_timeout(x->raft, SIM_ELECTION_MS);
    raft_set_heartbeat_timeout(x->raft, SIM_HEARTBEAT_MS);
    raft_set_install_snapshot_timeout(x->raft, 1000);
    raft_set_snapshot_threshold(x->raft, o->snapshot_entries);
    raft_set_snapshot_trailing(x->raft, o->trailing_entries);
    raft_set_pre_vote(x->raft, !o->no_pre_vote);
}

void sim_boot(struct sim_node *x)
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
    sim_io_init(x);
    x->fsm = (struct raft_fsm){.version = 1,
                               .data = x,
                               .apply = sim_fsm_apply,
                               .snapshot = sim_fsm_snapshot,
                               .restore = sim_fsm_restore};
    if (raft_store_open(&x->store, sim_folder_files(x->folder), x->number + 1, 1000 + x->number,
                        &sizes, &e) != 0) {
        s->result->restarts_refused++;
        sim_violate(s, e.msg, x->number, 0);
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

void sim_drop_ops(struct sim_node *x)
{
    while (x->first != NULL) {
        struct sim_op *next = x->first->next;

        mem_free(x->first);
        x->first = next;
    }
    x->end = &x->first;
}

/* The rest of what was queued may reach the disk, up to any point. */
void sim_crash(struct sim_node *x, bool finish, unsigned back_ms)
{
    struct sim *s = x->sim;
    struct err e = {0};
    int rc = 0;

    if (x->restart_wanted || (finish && sim_chance(s, 0, 1) == 0)) {
        if (!x->restart_wanted)
            sim_folder_fail(x->folder, sim_chance(s, 1, 6), EIO);
        for (struct sim_op *op = x->first; op != NULL && rc == 0; op = op->next)
            rc = sim_run_op(x, op, &e);
        if (rc == 0)
            rc = raft_store_sync(x->store, &e);
    }
    s->result->crashes++;
    s->result->config_restarts += x->restart_wanted;
    for (unsigned i = 0; i < RAFT_GUARD_RULES; i++)
        s->result->guard_hits[i] += x->guard.hits[i];
    sim_drop_ops(x);
    raft_guard_release(&x->guard);
    raft_store_close(x->store);
    x->store = NULL;
    x->alive = false;
    x->life++;
    sim_folder_cut(x->folder, sim_chance(s, 0, 1) == 0, &s->rng);
    sim_schedule(s, s->now + back_ms, EV_RESTART, (int)x->number);
}
