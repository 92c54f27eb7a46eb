/* Three nodes in one process on real files, joined by this test instead of the link: the
 * transport's joint, fail-over, and a node that comes back by a snapshot. */
#include "world.h"

#include <raft.h>

enum { VOTERS = 3 };

struct member {
    struct world world;
    struct cluster *cluster;
    unsigned number;
    struct raft_transport transport;
};

struct packet {
    unsigned to;
    struct raft_message m;
    struct packet *next;
};

struct cluster {
    struct member member[VOTERS];
    struct packet *first, **end;
    bool cut[VOTERS];
};

static void copy_message(struct raft_message *m)
{
    if (m->type == RAFT_IO_APPEND_ENTRIES && m->append_entries.n_entries > 0) {
        struct raft_append_entries *a = &m->append_entries;
        struct raft_entry *copy = raft_calloc(a->n_entries, sizeof *copy);
        size_t size = 0, at = 0;

        for (unsigned i = 0; i < a->n_entries; i++)
            size += a->entries[i].buf.len;
        uint8_t *batch = raft_malloc(size);

        for (unsigned i = 0; i < a->n_entries; i++) {
            copy[i] = a->entries[i];
            copy[i].buf.base = batch + at;
            copy[i].batch = batch;
            memcpy(batch + at, a->entries[i].buf.base, copy[i].buf.len);
            at += copy[i].buf.len;
        }
        a->entries = copy;
    }
    if (m->type == RAFT_IO_INSTALL_SNAPSHOT) {
        struct raft_install_snapshot *i = &m->install_snapshot;
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
}

static void cluster_send(void *arg, uint64_t to_id, const char *to_address,
                         const struct raft_message *m)
{
    static const char *const address[VOTERS] = {"a:1", "b:1", "c:1"};
    struct member *from = arg;
    struct cluster *c = from->cluster;
    struct packet *p = MEM_NEW(struct packet);

    assert_string_equal(to_address, address[to_id - 1]);
    p->to = (unsigned)to_id - 1;
    p->m = *m;
    p->m.server_id = from->number + 1;
    p->m.server_address = address[from->number];
    copy_message(&p->m);
    *c->end = p;
    c->end = &p->next;
}

static void drop_packet(struct packet *p)
{
    if (p->m.type == RAFT_IO_APPEND_ENTRIES && p->m.append_entries.n_entries > 0) {
        raft_free(p->m.append_entries.entries[0].batch);
        raft_free(p->m.append_entries.entries);
    }
    if (p->m.type == RAFT_IO_INSTALL_SNAPSHOT) {
        raft_configuration_close(&p->m.install_snapshot.conf);
        raft_free(p->m.install_snapshot.data.base);
    }
}

static void cluster_run(struct cluster *c)
{
    for (unsigned i = 0; i < VOTERS; i++)
        uv_run(&c->member[i].world.loop, UV_RUN_NOWAIT);
    usleep(500);
    while (c->first != NULL) {
        struct packet *p = c->first;
        struct world *w = &c->member[p->to].world;

        c->first = p->next;
        if (c->first == NULL)
            c->end = &c->first;
        if (w->node != NULL && !c->cut[p->to] && !c->cut[p->m.server_id - 1])
            raft_node_receive(w->node, &p->m);
        else
            drop_packet(p);
        mem_free(p);
    }
}

static void cluster_start(struct cluster *c, unsigned i, const char *folder)
{
    static const struct raft_node_voter voters[VOTERS] = {{1, "a:1"}, {2, "b:1"}, {3, "c:1"}};
    struct member *m = &c->member[i];
    struct raft_node_config config;

    m->cluster = c;
    m->number = i;
    snprintf(m->world.path, sizeof m->world.path, "%s/%u", folder, i);
    config = config_of(&m->world);
    config.raft_id = i + 1;
    config.address = voters[i].address;
    config.voters = voters;
    config.voters_n = VOTERS;
    config.options.election_timeout_ms = 150;
    config.options.heartbeat_ms = 20;
    config.options.snapshot_entries = 30;
    config.options.trailing_entries = 5;
    config.transport = (struct raft_transport){.arg = m, .send = cluster_send};
    start(&m->world, &config);
}

static struct world *cluster_leader(struct cluster *c, int without)
{
    uint64_t limit = uv_hrtime() + UINT64_C(10000000000);

    while (uv_hrtime() < limit) {
        for (int i = 0; i < VOTERS; i++)
            if (i != without && c->member[i].world.node != NULL &&
                raft_node_ready(c->member[i].world.node))
                return &c->member[i].world;
        cluster_run(c);
    }
    fail_msg("no leader");
    return NULL;
}

static void cluster_propose(struct cluster *c, struct world *leader, int n)
{
    struct err e = {0};

    for (int i = 0; i < n; i++) {
        unsigned before = leader->done;

        if (raft_node_propose(leader->node, SLICE_LIT("agreed"), on_done, leader, &e) != 0)
            fail_msg("%s", e.msg);
        while (leader->done == before)
            cluster_run(c);
    }
}

static void cluster_until_equal(struct cluster *c)
{
    uint64_t limit = uv_hrtime() + UINT64_C(10000000000);

    for (;;) {
        bool equal = true;

        for (int i = 1; i < VOTERS; i++)
            equal &= slice_eq(bytes_slice(&c->member[i].world.state),
                              bytes_slice(&c->member[0].world.state));
        if (equal)
            return;
        assert_true(uv_hrtime() < limit);
        cluster_run(c);
    }
}

/* Three nodes over the transport's joint: agreement, a dead leader, one that comes back by a
 * snapshot. */
static void test_three_voters(void **state)
{
    struct world *home = *state;
    struct cluster *c = MEM_NEW(struct cluster);
    struct world *leader;
    struct raft_node_metrics m;
    uint64_t id;

    c->end = &c->first;
    for (unsigned i = 0; i < VOTERS; i++) {
        assert_int_equal(uv_loop_init(&c->member[i].world.loop), 0);
        cluster_start(c, i, home->folder);
    }
    leader = cluster_leader(c, -1);
    cluster_propose(c, leader, 10);
    cluster_until_equal(c);

    int lost;

    for (lost = 0; leader != &c->member[lost].world; lost++)
        ;
    c->cut[lost] = true;
    leader = cluster_leader(c, lost);
    id = raft_node_leader(leader->node, NULL);
    assert_int_not_equal(id, lost + 1);
    cluster_propose(c, leader, 100); /* beyond what the log keeps for it */
    c->cut[lost] = false;
    cluster_until_equal(c);
    raft_node_metrics(c->member[lost].world.node, &m);
    assert_true(m.snapshots_installed >= 1);
    assert_string_equal(c->member[lost].world.fatal, "");
    for (unsigned i = 0; i < VOTERS; i++) {
        struct world *w = &c->member[i].world;

        stop(w);
        while (uv_run(&w->loop, UV_RUN_DEFAULT) != 0)
            ;
        assert_int_equal(uv_loop_close(&w->loop), 0);
        bytes_free(&w->state);
    }
    while (c->first != NULL) {
        struct packet *next = c->first->next;

        drop_packet(c->first);
        mem_free(c->first);
        c->first = next;
    }
    mem_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_three_voters, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
