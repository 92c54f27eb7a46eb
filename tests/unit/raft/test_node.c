/* The node on real files: start, propose, restart. */
#include "faulty.h"
#include "world.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

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

static void faulty_init(struct faulty *x, struct world *w)
{
    struct err e = {0};

    if (faulty_open_folder(x, w->path, &e) != 0)
        fail_msg("%s", e.msg);
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

/* Whatever change fails, and however often: the node says so and stops; nothing acknowledged is
 * gone. */
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

/* What a killed process had told of an acknowledged change is there at the next start. */
static void child_that_proposes(struct world *w, int out)
{
    struct raft_node_config c = config_of(w);
    uv_loop_t loop;
    struct err e = {0};

    c.options.snapshot_entries = 50;
    c.options.trailing_entries = 5;
    if (uv_loop_init(&loop) != 0 || raft_node_start(&w->node, &loop, &c, &e) != 0)
        _exit(1);
    while (!raft_node_ready(w->node))
        uv_run(&loop, UV_RUN_ONCE);
    for (;;) {
        unsigned before = w->done_applied;

        if (raft_node_propose(w->node, SLICE_LIT("a change"), on_done, w, &e) != 0)
            _exit(2);
        while (w->done_applied == before)
            uv_run(&loop, UV_RUN_ONCE);
        uint32_t applied = (uint32_t)(w->state.n / 12);

        if (write(out, &applied, sizeof applied) != (ssize_t)sizeof applied)
            _exit(3);
    }
}

static void test_killed_again_and_again(void **state)
{
    struct world *w = *state;
    struct raft_node_config c = config_of(w);
    uint32_t told = 0;

    srand(7);
    for (int round = 0; round < 20; round++) {
        int fds[2], status;
        uint32_t n;

        assert_int_equal(pipe(fds), 0);
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0) {
            close(fds[0]);
            child_that_proposes(w, fds[1]);
        }
        close(fds[1]);
        usleep((useconds_t)(rand() % 60000));
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status)); /* it never gave up by itself */
        while (read(fds[0], &n, sizeof n) == (ssize_t)sizeof n)
            told = n;
        close(fds[0]);
    }
    start(w, &c);
    until_ready(w);
    print_message("%u changes over 20 kills\n", told);
    assert_true(told > 20);
    assert_in_range(w->state.n / 12, told, told + 20); /* one of each life may have gone untold */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_fresh_node_is_ready_fast, setup, teardown),
        cmocka_unit_test_setup_teardown(test_restart_keeps_what_was_applied, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failure_at_each_change, setup, teardown),
        cmocka_unit_test_setup_teardown(test_killed_again_and_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hanging_write_is_fatal, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full_disk, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wrong_folder_and_second_process_are_refused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_damage_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_snapshot_and_tail_are_the_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(test_snapshots_follow_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limits_of_proposals, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
