/* Whole clusters under faults: guarded ones keep every promise; the plain library does not. Without
 * an argument of its own this is the quick round, with RAFT_SIM_SLOW the long one. */
#include "raft_sim.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#ifdef RAFT_SIM_SLOW
enum { FACTOR = 25, FIRST_SEED = 100000 };
#else
enum { FACTOR = 1, FIRST_SEED = 1 };
#endif

enum { ALL_RULES = 0x1fff };

static void many(const char *name, unsigned nodes, unsigned count,
                 void (*change)(struct raft_sim_options *o))
{
    uint64_t acknowledged = 0, crashes = 0;

    for (uint64_t seed = FIRST_SEED; seed < FIRST_SEED + (uint64_t)count * FACTOR; seed++) {
        struct raft_sim_options o = raft_sim_defaults(seed, nodes);
        struct raft_sim_result r;

        if (change != NULL)
            change(&o);
        raft_sim_run(&o, &r);
        if (r.violated)
            fail_msg("%s, seed %llu: %s", name, (unsigned long long)seed, r.what);
        acknowledged += r.acknowledged;
        crashes += r.crashes;
    }
    print_message("%s: %u histories, %llu acknowledged, %llu crashes\n", name, count * FACTOR,
                  (unsigned long long)acknowledged, (unsigned long long)crashes);
    assert_true(acknowledged > (uint64_t)count * FACTOR * 100); /* it did something */
}

static void test_same_seed_same_history(void **state)
{
    struct raft_sim_options o = raft_sim_defaults(42, 5);
    struct raft_sim_result a, b, other;

    (void)state;
    o.roles = o.transfers = true;
    raft_sim_run(&o, &a);
    raft_sim_run(&o, &b);
    o.seed = 43;
    raft_sim_run(&o, &other);
    assert_true(a.hash == b.hash);
    assert_int_equal(a.acknowledged, b.acknowledged);
    assert_true(a.hash != other.hash);
}

static void test_three_nodes(void **state)
{
    (void)state;
    many("three nodes", 3, 60, NULL);
}

static void one_node(struct raft_sim_options *o)
{
    o->crash_ms = 700;
    o->write_error_ms = 2000;
}

static void test_one_node(void **state)
{
    (void)state;
    many("one node", 1, 60, one_node);
}

static void stalls(struct raft_sim_options *o)
{
    o->stall_ppm = 50000;
    o->no_pre_vote = true;
    o->send_fails = true;
}

static void test_slow_disks_without_pre_vote(void **state)
{
    (void)state;
    many("slow disks", 3, 40, stalls);
}

static void roles(struct raft_sim_options *o)
{
    o->roles = o->transfers = true;
}

static void test_changing_roles(void **state)
{
    (void)state;
    many("five nodes with changing roles", 5, 40, roles);
    many("three nodes with changing roles", 3, 40, roles);
}

static void rough_network(struct raft_sim_options *o)
{
    o->loss_ppm = 100000;
    o->duplicate_ppm = 100000;
    o->reorder_ppm = 200000;
}

static void test_rough_network(void **state)
{
    (void)state;
    many("rough network", 5, 30, rough_network);
}

static void frequent_snapshots(struct raft_sim_options *o)
{
    o->snapshot_entries = 8;
    o->trailing_entries = 1;
    o->crash_ms = 800;
}

static void test_frequent_snapshots(void **state)
{
    (void)state;
    many("frequent snapshots", 3, 40, frequent_snapshots);
}

/* The library without the guard, in a child, since it also crashes. True when a history broke. */
static bool plain_library_breaks(unsigned nodes, unsigned count,
                                 void (*change)(struct raft_sim_options *o))
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        struct rlimit none = {0, 0};

        setrlimit(RLIMIT_CORE, &none);
        signal(SIGSEGV, SIG_DFL);
        signal(SIGABRT, SIG_DFL);
        if (freopen("/dev/null", "w", stderr) == NULL)
            _exit(0);
        for (uint64_t seed = 1; seed <= count; seed++) {
            struct raft_sim_options o = raft_sim_defaults(seed, nodes);
            struct raft_sim_result r;

            change(&o);
            o.guard_off = ALL_RULES;
            o.write_error_ms = 0;
            o.quiet_end_unchecked = true;
            raft_sim_run(&o, &r);
            if (r.violated)
                _exit(1);
        }
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) || WEXITSTATUS(status) != 0;
}

static void test_plain_library_breaks_when_roles_change(void **state)
{
    (void)state;
    assert_true(plain_library_breaks(3, 400, roles));
}

#ifdef RAFT_SIM_SLOW
static void crashes(struct raft_sim_options *o)
{
    o->stall_ppm = 30000;
    o->crash_ms = 600;
    o->partition_ms = 500;
    o->duration_ms = 40000;
}

static void test_plain_library_breaks_with_fixed_voters(void **state)
{
    (void)state;
    assert_true(plain_library_breaks(3, 3000, crashes));
    many("the same faults, guarded", 3, 60, crashes);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_seed_same_history),
        cmocka_unit_test(test_three_nodes),
        cmocka_unit_test(test_one_node),
        cmocka_unit_test(test_slow_disks_without_pre_vote),
        cmocka_unit_test(test_changing_roles),
        cmocka_unit_test(test_rough_network),
        cmocka_unit_test(test_frequent_snapshots),
        cmocka_unit_test(test_plain_library_breaks_when_roles_change),
#ifdef RAFT_SIM_SLOW
        cmocka_unit_test(test_plain_library_breaks_with_fixed_voters),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
