/* The node on real files: start, propose, restart. */
#include "raft/node.h"

#include "base/mem.h"
#include "raft/files.h"

#include <errno.h>
#include <raft.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct world {
    char folder[64];
    char path[80];
    uv_loop_t loop;
    struct raft_node *node;
    struct bytes state; /* all applied entries, one behind the other */
    unsigned applied, restored;
    uint64_t last_index;
    unsigned done, done_applied;
    char fatal[600];
    bool closed;
};

static void on_apply(void *arg, uint64_t index, uint64_t term, struct slice entry)
{
    struct world *w = arg;

    assert_true(index > w->last_index);
    assert_true(term > 0);
    w->last_index = index;
    w->applied++;
    bytes_add_be32(&w->state, (uint32_t)entry.n);
    bytes_add_slice(&w->state, entry);
}

static void on_snapshot(void *arg, struct bytes *out)
{
    struct world *w = arg;

    bytes_add_slice(out, bytes_slice(&w->state));
}

static int on_restore(void *arg, struct slice image, struct err *e)
{
    struct world *w = arg;

    (void)e;
    bytes_clear(&w->state);
    bytes_add_slice(&w->state, image);
    w->restored++;
    return 0;
}

static void on_fatal(void *arg, const char *why)
{
    struct world *w = arg;

    snprintf(w->fatal, sizeof w->fatal, "%s", why);
}

static void on_closed(void *arg)
{
    ((struct world *)arg)->closed = true;
}

static void on_done(void *arg, enum raft_node_outcome outcome, uint64_t index)
{
    struct world *w = arg;

    w->done++;
    if (outcome == RAFT_NODE_APPLIED) {
        assert_int_equal(index, w->last_index);
        w->done_applied++;
    }
}

static struct raft_node_config config_of(struct world *w)
{
    return (struct raft_node_config){
        .folder = w->path,
        .raft_id = 7,
        .address = "127.0.0.1:9292",
        .fsm = {.arg = w, .apply = on_apply, .snapshot = on_snapshot, .restore = on_restore},
        .arg = w,
        .fatal = on_fatal,
    };
}

static void start(struct world *w, const struct raft_node_config *c)
{
    struct err e = {0};

    w->last_index = 0;
    w->applied = w->restored = 0;
    bytes_clear(&w->state);
    if (raft_node_start(&w->node, &w->loop, c, &e) != 0)
        fail_msg("%s", e.msg);
}

static void until_ready(struct world *w)
{
    uint64_t limit = uv_hrtime() + UINT64_C(5000000000);

    while (!raft_node_ready(w->node)) {
        assert_true(uv_hrtime() < limit);
        uv_run(&w->loop, UV_RUN_ONCE);
    }
}

static void stop(struct world *w)
{
    w->closed = false;
    raft_node_stop(w->node, on_closed, w);
    while (!w->closed)
        uv_run(&w->loop, UV_RUN_ONCE);
    w->node = NULL;
}

static void propose(struct world *w, const char *text)
{
    struct err e = {0};
    unsigned before = w->done_applied;

    if (raft_node_propose(w->node, slice_str(text), on_done, w, &e) != 0)
        fail_msg("%s", e.msg);
    while (w->done_applied == before)
        uv_run(&w->loop, UV_RUN_ONCE);
}

static int setup(void **state)
{
    struct world *w = MEM_NEW(struct world);

    snprintf(w->folder, sizeof w->folder, "/tmp/writ-raft-XXXXXX");
    assert_non_null(mkdtemp(w->folder));
    snprintf(w->path, sizeof w->path, "%s/raft", w->folder);
    assert_int_equal(uv_loop_init(&w->loop), 0);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    char command[128];

    if (w->node != NULL)
        stop(w);
    while (uv_run(&w->loop, UV_RUN_DEFAULT) != 0)
        ;
    assert_int_equal(uv_loop_close(&w->loop), 0);
    bytes_free(&w->state);
    snprintf(command, sizeof command, "rm -rf %s", w->folder);
    assert_int_equal(system(command), 0);
    mem_free(w);
    return 0;
}

static void test_restart_keeps_what_was_applied(void **state)
{
    struct world *w = *state;
    struct raft_node_config c = config_of(w);

    start(w, &c);
    until_ready(w);
    propose(w, "one");
    propose(w, "two!");
    stop(w);

    uint64_t t0 = uv_hrtime();
    start(w, &c);
    until_ready(w);
    print_message("restart to ready: %llu us\n", (unsigned long long)(uv_hrtime() - t0) / 1000);
    assert_int_equal(w->applied, 2);
    assert_memory_equal(w->state.p, "\0\0\0\3one\0\0\0\4two!", 15);

    struct raft_node_metrics m;

    raft_node_metrics(w->node, &m);
    assert_int_equal(m.term, 3); /* a sole voter takes a new term at each start */
    assert_int_equal(raft_node_leader(w->node, NULL), 7);
}

static void test_fresh_node_is_ready_fast(void **state)
{
    struct world *w = *state;
    struct raft_node_config c = config_of(w);
    uint64_t t0 = uv_hrtime();

    start(w, &c);
    until_ready(w);
    print_message("fresh to ready: %llu us\n", (unsigned long long)(uv_hrtime() - t0) / 1000);
    assert_int_equal(w->applied, 0);
    t0 = uv_hrtime();
    for (int i = 0; i < 100; i++)
        propose(w, "x");
    print_message("a proposal: %llu us\n", (unsigned long long)(uv_hrtime() - t0) / 100000);
}

/* ---- a folder that fails ---- */

/* Hands through to real files, until the n-th change: that one and all later ones fail, or wait. */
struct faulty {
    struct raft_files files; /* first */
    struct raft_files *real;
    atomic_uint changes, fail_at; /* 0: never */
    int error;
    atomic_bool hang;
    bool only_growth; /* fail what needs new space, nothing else */
};

static int fault(struct raft_files *f, bool growth)
{
    struct faulty *x = (struct faulty *)f;
    unsigned n = atomic_fetch_add(&x->changes, 1) + 1;
    unsigned at = atomic_load(&x->fail_at);

    while (atomic_load(&x->hang))
        usleep(1000);
    if (at == 0 || n < at || (x->only_growth && !growth))
        return 0;
    return -x->error;
}

#define REAL(f) (((struct faulty *)(f))->real)

static int faulty_open(struct raft_files *f, const char *name, bool create)
{
    int rc = create ? fault(f, true) : 0;

    return rc != 0 ? rc : REAL(f)->open(REAL(f), name, create);
}

static void faulty_close(struct raft_files *f, int handle)
{
    REAL(f)->close(REAL(f), handle);
}

static int64_t faulty_size(struct raft_files *f, int handle)
{
    return REAL(f)->size(REAL(f), handle);
}

static int64_t faulty_read(struct raft_files *f, int handle, uint64_t offset, void *p, size_t n)
{
    return REAL(f)->read(REAL(f), handle, offset, p, n);
}

static int faulty_write(struct raft_files *f, int handle, uint64_t offset, const void *p, size_t n)
{
    bool growth = (int64_t)(offset + n) > REAL(f)->size(REAL(f), handle);
    int rc = fault(f, growth);

    if (rc != 0 && !growth) /* a part of it is there */
        REAL(f)->write(REAL(f), handle, offset, p, n / 2);
    return rc != 0 ? rc : REAL(f)->write(REAL(f), handle, offset, p, n);
}

static int faulty_allocate(struct raft_files *f, int handle, uint64_t size)
{
    int rc = fault(f, true);

    return rc != 0 ? rc : REAL(f)->allocate(REAL(f), handle, size);
}

static int faulty_sync(struct raft_files *f, int handle)
{
    int rc = fault(f, false);

    return rc != 0 ? rc : REAL(f)->sync(REAL(f), handle);
}

static int faulty_sync_folder(struct raft_files *f)
{
    int rc = fault(f, false);

    return rc != 0 ? rc : REAL(f)->sync_folder(REAL(f));
}

static int faulty_rename(struct raft_files *f, const char *from, const char *to)
{
    int rc = fault(f, false);

    return rc != 0 ? rc : REAL(f)->rename(REAL(f), from, to);
}

static int faulty_remove(struct raft_files *f, const char *name)
{
    int rc = fault(f, false);

    return rc != 0 ? rc : REAL(f)->remove(REAL(f), name);
}

static int faulty_list(struct raft_files *f, void (*entry)(void *arg, const char *name), void *arg)
{
    return REAL(f)->list(REAL(f), entry, arg);
}

static void faulty_init(struct faulty *x, struct world *w)
{
    struct err e = {0};

    memset(x, 0, sizeof *x);
    if (raft_files_open(&x->real, w->path, &e) != 0)
        fail_msg("%s", e.msg);
    x->error = EIO;
    x->files = (struct raft_files){.open = faulty_open,
                                   .close = faulty_close,
                                   .size = faulty_size,
                                   .read = faulty_read,
                                   .write = faulty_write,
                                   .allocate = faulty_allocate,
                                   .sync = faulty_sync,
                                   .sync_folder = faulty_sync_folder,
                                   .rename = faulty_rename,
                                   .remove = faulty_remove,
                                   .list = faulty_list};
}

/* Everything the node can do with its disk, until it fails. Returns what was acknowledged. */
static unsigned live(struct world *w, struct faulty *x, uint64_t *term)
{
    struct raft_node_config c = config_of(w);
    struct err e = {0};
    unsigned acknowledged = 0;

    c.options.snapshot_entries = 8;
    c.options.trailing_entries = 2;
    w->fatal[0] = '\0';
    w->last_index = 0;
    bytes_clear(&w->state);
    w->done_applied = 0;
    if (raft_node_start_on(&w->node, &w->loop, &c, &x->files, &e) != 0) {
        w->node = NULL;
        while (uv_run(&w->loop, UV_RUN_DEFAULT) != 0)
            ;
        return 0;
    }
    while (!raft_node_ready(w->node) && w->fatal[0] == '\0')
        uv_run(&w->loop, UV_RUN_ONCE);
    for (int i = 0; i < 24 && w->fatal[0] == '\0'; i++) {
        unsigned before = w->done_applied;

        if (raft_node_propose(w->node, SLICE_LIT("a change"), on_done, w, &e) != 0)
            break;
        while (w->done_applied == before && w->fatal[0] == '\0')
            uv_run(&w->loop, UV_RUN_ONCE);
        acknowledged += w->done_applied > before;
        if (i % 10 == 9) /* the writer gets time for what can wait */
            for (int k = 0; k < 3 && w->fatal[0] == '\0'; k++)
                usleep(8000);
    }
    struct raft_node_metrics m;

    raft_node_metrics(w->node, &m);
    *term = m.term;
    stop(w);
    return acknowledged;
}

/* Whatever change fails, and however often: the node says so and stops; nothing acknowledged is gone. */
static void test_failure_at_each_change(void **state)
{
    struct world *w = *state;
    struct faulty x;
    unsigned n = 1, changes;
    uint64_t term = 0;

    for (bool whole = false; !whole; n += 1 + n / 24) {
        char command[128];

        faulty_init(&x, w);
        atomic_store(&x.fail_at, n);
        unsigned acknowledged = live(w, &x, &term);

        whole = w->fatal[0] == '\0' && acknowledged == 24;
        changes = atomic_load(&x.changes);
        raft_files_close(x.real);

        struct raft_node_config c = config_of(w);
        uint64_t before = term;

        start(w, &c);
        until_ready(w);
        assert_true(w->state.n >= acknowledged * 12u);
        assert_true(w->state.n <= (acknowledged + 1) * 12u);
        struct raft_node_metrics m;

        raft_node_metrics(w->node, &m);
        assert_true(m.term > before || acknowledged == 0);
        stop(w);
        snprintf(command, sizeof command, "rm -rf %s", w->path);
        assert_int_equal(system(command), 0);
    }
    print_message("%u changes in a whole life\n", changes);
}

static void test_hanging_write_is_fatal(void **state)
{
    struct world *w = *state;
    struct raft_node_config c = config_of(w);
    struct faulty x;
    struct err e = {0};

    faulty_init(&x, w);
    c.options.stall_limit_ms = 300;
    assert_int_equal(raft_node_start_on(&w->node, &w->loop, &c, &x.files, &e), 0);
    until_ready(w);
    propose(w, "before");
    atomic_store(&x.hang, true);
    assert_int_equal(raft_node_propose(w->node, SLICE_LIT("hangs"), on_done, w, &e), 0);
    while (w->fatal[0] == '\0')
        uv_run(&w->loop, UV_RUN_ONCE);
    assert_non_null(strstr(w->fatal, "has not come back"));
    assert_false(raft_node_ready(w->node));
    assert_int_equal(raft_node_propose(w->node, SLICE_LIT("no"), on_done, w, &e), ERR_UNAVAILABLE);
    assert_int_equal(w->done, 1);
    atomic_store(&x.hang, false);
    stop(w);
    raft_files_close(x.real);
}

/* No space: changes are refused while all else works, and accepted again when there is some. */
static void test_full_disk(void **state)
{
    struct world *w = *state;
    struct raft_node_config c = config_of(w);
    struct faulty x;
    struct err e = {0};
    static char big[100000];
    int rc = 0;
    unsigned accepted = 0;

    memset(big, 'x', sizeof big - 1);
    faulty_init(&x, w);
    c.options.snapshot_entries = 3;
    x.error = ENOSPC;
    x.only_growth = true;
    assert_int_equal(raft_node_start_on(&w->node, &w->loop, &c, &x.files, &e), 0);
    until_ready(w);
    for (int i = 0; i < 10; i++) { /* the spare file comes when the writer is idle */
        usleep(5000);
        uv_run(&w->loop, UV_RUN_NOWAIT);
    }
    atomic_store(&x.fail_at, 1);
    for (; accepted < 200; accepted++) {
        unsigned before = w->done_applied;

        rc = raft_node_propose(w->node, slice_str(big), on_done, w, &e);
        if (rc != 0)
            break;
        while (w->done_applied == before && w->fatal[0] == '\0')
            uv_run(&w->loop, UV_RUN_ONCE);
        assert_string_equal(w->fatal, "");
    }
    assert_int_equal(rc, ERR_UNAVAILABLE);
    assert_non_null(strstr(e.msg, "disk is full"));
    assert_true(accepted > 50); /* what was reserved was used */
    assert_true(raft_node_ready(w->node));
    atomic_store(&x.fail_at, 0);
    for (int i = 0; i < 200 && rc != 0; i++) { /* it looks again every few seconds */
        usleep(50000);
        uv_run(&w->loop, UV_RUN_NOWAIT);
        rc = raft_node_propose(w->node, slice_str("room"), on_done, w, &e);
    }
    assert_int_equal(rc, 0);
    while (w->done_applied == accepted)
        uv_run(&w->loop, UV_RUN_ONCE);
    stop(w);
    raft_files_close(x.real);
}

/* ---- folders ---- */

static void test_wrong_folder_and_second_process_are_refused(void **state)
{
    struct world *w = *state;
    struct raft_node_config c = config_of(w);
    struct raft_node *other;
    struct err e = {0};

    start(w, &c);
    until_ready(w);
    assert_int_equal(raft_node_start(&other, &w->loop, &c, &e), ERR_CONFLICT);
    assert_non_null(strstr(e.msg, "in use by another process"));
    stop(w);
    c.raft_id = 8;
    assert_int_equal(raft_node_start(&other, &w->loop, &c, &e), ERR_CONFLICT);
    assert_non_null(strstr(e.msg, "belongs to Raft id 7, not to 8"));
    assert_null(other);
}

static void spoil(struct world *w, const char *name, long offset)
{
    char path[160];

    snprintf(path, sizeof path, "%s/%s", w->path, name);
    FILE *f = fopen(path, "r+");

    assert_non_null(f);
    assert_int_equal(fseek(f, offset, SEEK_SET), 0);
    int c = fgetc(f);

    assert_int_equal(fseek(f, offset, SEEK_SET), 0);
    assert_true(fputc(c ^ 0xff, f) != EOF);
    assert_int_equal(fclose(f), 0);
}

static void test_damage_is_refused(void **state)
{
    struct world *w = *state;
    struct raft_node_config c = config_of(w);
    struct raft_node *node;
    struct err e = {0};

    start(w, &c);
    until_ready(w);
    for (int i = 0; i < 5; i++)
        propose(w, "some change");
    stop(w);
    spoil(w, "log-0000000000000001", 300); /* a group in the middle */
    assert_int_equal(raft_node_start(&node, &w->loop, &c, &e), ERR_CORRUPT);
    assert_non_null(strstr(e.msg, "log-0000000000000001 cannot be read"));
    assert_non_null(strstr(e.msg, "restore the whole data folder"));
    spoil(w, "log-0000000000000001", 300);
    start(w, &c);
    until_ready(w);
    assert_int_equal(w->applied, 5);
}

/* ---- snapshots ---- */

static uint64_t snapshots_of(struct world *w)
{
    struct raft_node_metrics m;

    raft_node_metrics(w->node, &m);
    return m.snapshots;
}

static void until_snapshots(struct world *w, uint64_t n)
{
    uint64_t limit = uv_hrtime() + UINT64_C(5000000000);

    while (snapshots_of(w) < n) {
        assert_true(uv_hrtime() < limit);
        uv_run(&w->loop, UV_RUN_ONCE);
    }
}

static void test_snapshot_and_tail_are_the_whole(void **state)
{
    struct world *w = *state;
    struct raft_node_config c = config_of(w);
    struct bytes whole = {0};
    char text[32];

    c.options.snapshot_entries = 20;
    c.options.trailing_entries = 4;
    start(w, &c);
    until_ready(w);
    for (int i = 0; i < 97; i++) {
        snprintf(text, sizeof text, "change %d", i * i);
        propose(w, text);
    }
    until_snapshots(w, 2);
    bytes_add_slice(&whole, bytes_slice(&w->state));
    stop(w);
    start(w, &c);
    until_ready(w);
    assert_int_equal(w->restored, 1);
    assert_true(w->applied < 60);
    assert_int_equal(w->state.n, whole.n);
    assert_memory_equal(w->state.p, whole.p, whole.n);
    bytes_free(&whole);
}

static void test_snapshots_follow_bytes(void **state)
{
    struct world *w = *state;
    struct raft_node_config c = config_of(w);
    static char big[60000];
    struct raft_node_metrics m;

    memset(big, 'y', sizeof big - 1);
    c.options.snapshot_bytes = 300000;
    c.options.trailing_bytes = 100000;
    start(w, &c);
    until_ready(w);
    for (int i = 0; i < 40; i++)
        propose(w, big);
    until_snapshots(w, 3);
    raft_node_metrics(w->node, &m);
    assert_true(m.log_bytes < 800000);
    assert_true(m.snapshot_bytes > 60000);
}

/* ---- proposals ---- */

static void test_limits_of_proposals(void **state)
{
    struct world *w = *state;
    struct raft_node_config c = config_of(w);
    struct err e = {0};
    uint8_t *most = mem_zalloc(1, RAFT_NODE_ENTRY_MAX + 1);
    unsigned accepted = 0;

    start(w, &c);
    assert_int_equal(raft_node_propose(w->node, SLICE_LIT("x"), on_done, w, &e), ERR_UNAVAILABLE);
    until_ready(w);
    assert_int_equal(raft_node_propose(w->node, slice_of(most, 0), on_done, w, &e), ERR_INVALID);
    assert_int_equal(
        raft_node_propose(w->node, slice_of(most, RAFT_NODE_ENTRY_MAX + 1), on_done, w, &e),
        ERR_LIMIT);
    while (raft_node_propose(w->node, slice_of(most, RAFT_NODE_ENTRY_MAX), on_done, w, &e) == 0)
        accepted++;
    assert_int_equal(e.code, ERR_LIMIT);
    assert_in_range(accepted, 7, 9); /* one in flight, 32 MiB behind it */
    while (w->done < accepted)
        uv_run(&w->loop, UV_RUN_ONCE);
    assert_int_equal(w->done_applied, accepted);
    accepted = 0;
    while (raft_node_propose(w->node, SLICE_LIT("small"), on_done, w, &e) == 0)
        accepted++;
    assert_int_equal(accepted, RAFT_NODE_QUEUE_MAX + 1);
    w->done = w->done_applied = 0;
    stop(w); /* each gets its answer: one is unknown, the others were never in the log */
    assert_int_equal(w->done, accepted);
    assert_int_equal(w->done_applied, 0);
    mem_free(most);
}

/* ---- several voters, joined by this test instead of the link ---- */

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

/* Three nodes over the transport's joint: agreement, a dead leader, one that comes back by a snapshot. */
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
        cmocka_unit_test_setup_teardown(test_fresh_node_is_ready_fast, setup, teardown),
        cmocka_unit_test_setup_teardown(test_restart_keeps_what_was_applied, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failure_at_each_change, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hanging_write_is_fatal, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full_disk, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wrong_folder_and_second_process_are_refused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_damage_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_snapshot_and_tail_are_the_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(test_snapshots_follow_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limits_of_proposals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_three_voters, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
