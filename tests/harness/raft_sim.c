#include "raft_sim_impl.h"

#include "base/check.h"
#include "base/mem.h"
#include "raft_sim_heap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- events ---- */

static bool before(const struct sim_event *a, const struct sim_event *b)
{
    return a->at < b->at || (a->at == b->at && a->order < b->order);
}

struct sim_event *sim_schedule(struct sim *s, uint64_t at, enum sim_event_kind kind, int node)
{
    struct sim_event *ev = MEM_NEW(struct sim_event);

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

static struct sim_event *next_event(struct sim *s)
{
    struct sim_event *first = s->heap[0];
    struct sim_event *last = s->heap[--s->heap_n];
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

/* ---- faults ---- */

static unsigned alive_count(const struct sim *s)
{
    unsigned n = 0;

    for (unsigned i = 0; i < s->options.nodes; i++)
        n += s->node[i].alive;
    return n;
}

static void on_crash(struct sim *s)
{
    struct sim_node *x = &s->node[sim_chance(s, 0, s->options.nodes - 1)];

    /* Now and then all of them, but mostly a majority stays. */
    if (x->alive && (alive_count(s) > s->options.nodes / 2 || sim_chance(s, 0, 9) == 0))
        sim_crash(x, true, sim_chance(s, 10, 2500));
    if (!s->quiet)
        sim_schedule(s, s->now + sim_chance(s, s->options.crash_ms / 5, s->options.crash_ms * 2),
                     EV_CRASH, -1);
}

static void on_network(struct sim *s)
{
    unsigned n = s->options.nodes;
    unsigned a = sim_chance(s, 0, n - 1);
    unsigned b = sim_chance(s, 0, n - 1);

    memset(s->cut, 0, sizeof s->cut);
    if (s->quiet)
        return;
    switch (sim_chance(s, 0, 4)) {
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
    sim_schedule(s, s->now + sim_chance(s, 50, s->options.partition_ms * 2), EV_NETWORK, -1);
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

static void propose(struct sim_node *x)
{
    struct sim *s = x->sim;
    size_t size = 8 * sim_chance(s, 1, 12);
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

/* With two voters the one that leads must not make itself the only one: what it had sent but not
 * stored when it crashes leaves nobody who may be elected (libraft wants a candidate to be a voter
 * in its own newest configuration; Raft does not). Three voters are the least in service, so the
 * harness keeps so many where it wants to see the cluster come back. */
static void change_role(struct sim_node *x)
{
    struct sim *s = x->sim;
    unsigned voters = 0;
    raft_id id = sim_chance(s, 1, s->options.nodes);
    int role = sim_chance(s, 0, 2) == 0 ? RAFT_STANDBY : RAFT_VOTER;
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

static void transfer(struct sim_node *x)
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
        struct sim_node *x = &s->node[i];

        if (!x->alive || x->dying || raft_state(x->raft) != RAFT_LEADER ||
            (barrier && !raft_guard_ready(&x->guard)))
            continue;
        for (unsigned k = sim_chance(s, 1, 3); k > 0; k--)
            propose(x);
        if (s->quiet)
            continue;
        if (s->options.roles && sim_chance(s, 0, 24) == 0)
            change_role(x);
        if (s->options.transfers && sim_chance(s, 0, 39) == 0)
            transfer(x);
    }
    sim_schedule(s, s->now + sim_chance(s, 5, 60), EV_CLIENT, -1);
}

/* ---- one history ---- */

static void sim_on_read(struct sim_node *x, const struct sim_event *ev)
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
    struct sim_node *x = &s->node[sim_chance(s, 0, s->options.nodes - 1)];

    if (s->quiet)
        return;
    if (x->alive)
        sim_folder_fail(x->folder, sim_chance(s, 1, 12), sim_chance(s, 0, 1) == 0 ? EIO : ENOSPC);
    sim_schedule(
        s, s->now + sim_chance(s, s->options.write_error_ms / 5, s->options.write_error_ms * 2),
        EV_WRITE_ERROR, -1);
}

static void on_mirror(struct sim_node *x)
{
    struct err e = {0};

    if (raft_store_mirror_due(x->store) && raft_store_mirror_meta(x->store, &e) != 0)
        x->dying = true;
}

static void play_node(struct sim_node *x, struct sim_event *ev)
{
    struct sim *s = x->sim;

    switch (ev->kind) {
    case EV_TICK:
        x->tick(&x->io);
        if (x->alive)
            sim_schedule(s, s->now + SIM_HEARTBEAT_MS, EV_TICK, ev->node);
        break;
    case EV_DISK:
        sim_on_disk(x);
        break;
    case EV_SENT:
        if (ev->sent_cb != NULL)
            ev->sent_cb(ev->request, 0);
        break;
    case EV_SNAPSHOT:
        sim_on_snapshot(x, ev);
        break;
    case EV_READ:
        sim_on_read(x, ev);
        break;
    case EV_MIRROR:
        on_mirror(x);
        break;
    default:
        UNREACHABLE();
    }
}

static void play(struct sim *s, struct sim_event *ev)
{
    struct sim_node *x = ev->node >= 0 ? &s->node[ev->node] : NULL;

    s->result->hash = sim_mix(sim_mix(s->result->hash, s->now), (uint64_t)ev->kind);
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
        sim_boot(x);
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
    raft_term leading[SIM_NODES_MAX];
    unsigned n = 0;

    for (unsigned i = 0; i < s->options.nodes; i++) {
        struct sim_node *x = &s->node[i];

        if (x->alive && (x->dying || x->restart_wanted))
            sim_crash(x, false, 100);
        if (!x->alive || raft_state(x->raft) != RAFT_LEADER)
            continue;
        for (unsigned k = 0; k < n; k++)
            if (leading[k] == x->raft->current_term)
                sim_violate(s, "two leaders in one term", i, x->raft->current_term);
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
        struct sim_node *x = &s->node[i];

        if (!x->alive) {
            sim_violate(s, "a node did not come back", i, 0);
            return;
        }
        leader |= raft_guard_ready(&x->guard);
        if (x->raft->last_applied < least && x->raft->configuration.n > 0)
            least = x->raft->last_applied;
    }
    if (!leader && !(s->options.roles && s->options.nodes <= 3))
        sim_violate(s, "no leader, although all faults have ended", 0, 0);
    if (!s->options.roles && least + 64 < s->acked_max)
        sim_violate(s, "a node did not catch up", 0, least);
    for (raft_index i = 1; i <= s->acked_max && i < SIM_INDEX_MAX; i++)
        if (i == s->acked_max && s->applied[i] == 0)
            sim_violate(s, "an acknowledged entry was never applied", 0, i);
}

static void free_sim(struct sim *s)
{
    for (unsigned i = 0; i < s->options.nodes; i++) {
        struct sim_node *x = &s->node[i];

        if (x->alive) {
            for (unsigned k = 0; k < RAFT_GUARD_RULES; k++)
                s->result->guard_hits[k] += x->guard.hits[k];
            sim_drop_ops(x);
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
    uint64_t end = options->duration_ms + SIM_QUIET_MS;

    memset(result, 0, sizeof *result);
    ASSERT(options->nodes >= 1 && options->nodes <= SIM_NODES_MAX);
    s->options = *options;
    s->result = result;
    s->next_value = 1;
    s->applied = mem_zalloc(SIM_INDEX_MAX, sizeof *s->applied);
    s->state_hash = mem_zalloc(SIM_INDEX_MAX, sizeof *s->state_hash);
    sim_rng_seed(&s->rng, options->seed);
    sim_heap_begin();
    for (unsigned i = 0; i < options->nodes; i++) {
        struct sim_node *x = &s->node[i];

        x->number = i;
        x->sim = s;
        snprintf(x->address, sizeof x->address, "%u", i + 1);
        x->folder = sim_folder_new();
    }
    for (unsigned i = 0; i < options->nodes; i++)
        sim_boot(&s->node[i]);
    sim_schedule(s, sim_chance(s, 1, 100), EV_CLIENT, -1);
    if (options->crash_ms > 0)
        sim_schedule(s, sim_chance(s, 500, 2000), EV_CRASH, -1);
    if (options->partition_ms > 0)
        sim_schedule(s, sim_chance(s, 300, 1500), EV_NETWORK, -1);
    if (options->write_error_ms > 0)
        sim_schedule(s, sim_chance(s, 500, 4000), EV_WRITE_ERROR, -1);
    while (s->heap_n > 0 && s->now < end && !result->violated) {
        struct sim_event *ev = next_event(s);

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
