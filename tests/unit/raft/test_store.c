/* The store over a folder in memory: a crash or a failure at each single change of a run, and
 * damage. */
#include "raft/store.h"
#include "raft_files_sim.h"

#include "base/check.h"
#include "base/mem.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MODEL_MAX = 512 };

static const struct raft_store_sizes small = {.file_first_bytes = 1024, .file_bytes = 2048};

/* What the store was told, and what it has answered for. */
struct model {
    uint64_t term, vote;             /* acknowledged */
    uint64_t asked_term, asked_vote; /* maybe not */
    uint64_t value[MODEL_MAX];       /* by index: what stands there, 0 nothing */
    uint64_t last, synced_last;      /* of the log as told, and as acknowledged */
    uint64_t least;                  /* it cannot be shorter, whatever of it came through */
    uint64_t synced_value[MODEL_MAX];
    uint64_t snapshot, asked_snapshot; /* index; the log before it is not needed */
    bool started;
};

static int open_store(struct raft_store **s, struct sim_folder *f, struct err *e)
{
    return raft_store_open(s, sim_folder_files(f), 3, 0x1234, &small, e);
}

static int bootstrap(struct raft_store *s, struct model *m, struct err *e)
{
    struct raft_configuration conf;

    raft_configuration_init(&conf);
    raft_configuration_add(&conf, 3, "three", RAFT_VOTER);
    int rc = raft_store_bootstrap(s, &conf, e);

    raft_configuration_close(&conf);
    m->asked_term = 1;
    if (rc != 0)
        return rc;
    m->started = true;
    m->term = 1;
    m->value[1] = m->synced_value[1] = 1;
    m->last = m->synced_last = m->least = 1;
    return 0;
}

static int append(struct raft_store *s, struct model *m, unsigned n, uint64_t value, struct err *e)
{
    struct raft_entry entry[8];
    uint64_t data[8][5] = {{0}};

    for (unsigned i = 0; i < n; i++) {
        data[i][0] = value + i;
        entry[i] = (struct raft_entry){
            .term = m->term, .type = RAFT_COMMAND, .buf = {data[i], 8 * (1 + (value + i) % 5)}};
        m->value[m->last + 1 + i] = value + i;
    }
    m->last += n;
    return raft_store_append(s, entry, n, e);
}

static int sync_store(struct raft_store *s, struct model *m, struct err *e)
{
    int rc = raft_store_sync(s, e);

    if (rc != 0)
        return rc;
    m->synced_last = m->least = m->last;
    memcpy(m->synced_value, m->value, sizeof m->value);
    return 0;
}

static int snapshot(struct raft_store *s, struct model *m, uint64_t index, unsigned trailing,
                    struct err *e)
{
    uint64_t image[300];
    struct raft_buffer buf = {image, sizeof image};
    struct raft_snapshot snap = {.index = index, .term = m->term, .configuration_index = 1};
    bool done = false;

    for (size_t i = 0; i < sizeof image / sizeof image[0]; i++)
        image[i] = index + i;
    raft_configuration_init(&snap.configuration);
    raft_configuration_add(&snap.configuration, 3, "three", RAFT_VOTER);
    snap.bufs = &buf;
    snap.n_bufs = 1;
    m->asked_snapshot = index;

    int rc = raft_store_snapshot_begin(s, &snap, trailing, e);

    while (rc == 0 && !done)
        rc = raft_store_snapshot_step(s, &done, e);
    if (rc == 0)
        rc = raft_store_snapshot_commit(s, e);
    raft_configuration_close(&snap.configuration);
    if (rc != 0)
        return rc;
    m->snapshot = index;
    if (trailing == 0) {
        m->last = m->synced_last = m->least = index;
        for (uint64_t i = 0; i < MODEL_MAX; i++)
            m->value[i] = m->synced_value[i] = 0;
    }
    return 0;
}

static int meta(struct raft_store *s, struct model *m, uint64_t term, uint64_t vote, struct err *e)
{
    m->asked_term = term;
    m->asked_vote = vote;

    int rc = raft_store_set_meta(s, term, vote, e);

    if (rc == 0) {
        m->term = term;
        m->vote = vote;
    }
    return rc;
}

/* A life of a store with everything in it; stops at the first error. */
static int live(struct raft_store *s, struct model *m, struct err *e)
{
    int rc = raft_store_is_fresh(s) ? bootstrap(s, m, e) : 0;

    if (rc == 0)
        rc = meta(s, m, 2, 0, e);
    if (rc == 0)
        rc = meta(s, m, 2, 3, e);
    for (uint64_t round = 0; round < 12 && rc == 0; round++) {
        rc = append(s, m, 1 + (unsigned)round % 4, 100 + round * 10, e);
        if (rc == 0 && round % 3 == 1) /* two appends share a sync */
            rc = append(s, m, 2, 500 + round * 10, e);
        if (rc == 0)
            rc = sync_store(s, m, e);
        if (rc == 0 && round % 2 == 0)
            rc = raft_store_mark(s, e);
        if (rc == 0 && round == 4)
            rc = raft_store_mirror_meta(s, e);
        if (rc == 0 && round % 4 == 3)
            rc = snapshot(s, m, m->last - 1, 4, e);
        if (rc == 0 && raft_store_prepare_due(s) && round % 2 == 1)
            rc = raft_store_prepare(s, e);
        if (rc == 0 && round == 6) { /* a new leader takes back the last two */
            rc = raft_store_truncate(s, m->last - 1, e);
            m->last -= 2;
            m->least = m->last;
            if (rc == 0)
                rc = append(s, m, 1, 900, e);
            if (rc == 0)
                rc = sync_store(s, m, e);
        }
    }
    if (rc == 0)
        rc = snapshot(s, m, m->last + 7, 0, e); /* another node's, beyond our log */
    if (rc == 0)
        rc = append(s, m, 3, 2000, e);
    if (rc == 0)
        rc = sync_store(s, m, e);
    if (rc == 0)
        rc = meta(s, m, 3, 0, e);
    return rc;
}

static void free_state(struct raft_store_state *state)
{
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

static void check_snapshot(const struct raft_store_state *state, const struct model *m)
{
    uint64_t index = state->snapshot != NULL ? state->snapshot->index : 0;

    assert_true(index == m->snapshot || index == m->asked_snapshot);
    if (index == 0)
        return;
    const uint64_t *image = state->snapshot->bufs[0].base;

    assert_int_equal(state->snapshot->bufs[0].len, 300 * 8);
    for (uint64_t i = 0; i < 300; i++)
        assert_int_equal(image[i], index + i);
    assert_int_equal(state->snapshot->configuration.n, 1);
    assert_true(state->start_index <= index + 1);
}

/* Everything acknowledged is there; what is more was asked for. */
static void check(struct raft_store *s, const struct model *m)
{
    struct raft_store_state state;
    struct err e = {0};

    if (raft_store_is_fresh(s)) {
        assert_false(m->started);
        return;
    }
    if (raft_store_load(s, &state, &e) != 0)
        fail_msg("%s", e.msg);
    assert_true((state.term == m->term && state.voted_for == m->vote) ||
                (state.term == m->asked_term && state.voted_for == m->asked_vote));
    check_snapshot(&state, m);

    uint64_t snap = state.snapshot != NULL ? state.snapshot->index : 0;
    uint64_t last = state.start_index + state.entries_n - 1;

    for (size_t i = 0; i < state.entries_n; i++) {
        uint64_t index = state.start_index + i;
        uint64_t value = 0;

        if (state.entries[i].type == RAFT_CHANGE)
            value = 1;
        else
            memcpy(&value, state.entries[i].buf.base, sizeof value);
        if (index <= m->synced_last && index > snap && snap >= m->snapshot)
            assert_true(value == m->synced_value[index] ||
                        (index <= MODEL_MAX && value == m->value[index]));
        else
            assert_true(index <= snap || index > m->synced_last || value == m->value[index] ||
                        value == m->synced_value[index]);
    }
    assert_true(last >= m->least || snap > m->snapshot);
    free_state(&state);
}

/* Cuts the run at its n-th change and opens what is left. False when the run came to its end. */
static bool cut_at(uint64_t n, bool power, uint64_t seed, int error)
{
    struct sim_folder *f = sim_folder_new();
    struct sim_rng rng;
    struct model m = {0};
    struct raft_store *s;
    struct err e = {0};
    int rc;

    sim_rng_seed(&rng, seed * 1000003 + n);
    sim_folder_fail(f, n, error);
    rc = open_store(&s, f, &e);
    if (rc == 0) {
        rc = live(s, &m, &e);
        raft_store_close(s);
    }
    for (int again = 0; again < 3; again++) { /* and a crash during recovery, too */
        sim_folder_cut(f, power, &rng);
        if (again < 2)
            sim_folder_fail(f, sim_rng_range(&rng, 1, 4), error);
        struct err e2 = {0};
        int opened = open_store(&s, f, &e2);

        if (opened == 0) {
            check(s, &m);
            raft_store_close(s);
        } else if (again == 2 || opened == ERR_CORRUPT || opened == ERR_CONFLICT) {
            fail_msg("cut at change %llu (%s, seed %llu): %s", (unsigned long long)n,
                     power ? "power" : "kill", (unsigned long long)seed, e2.msg);
        }
    }
    /* And it goes on: a whole second life on what is left. */
    sim_folder_cut(f, power, &rng);
    assert_int_equal(open_store(&s, f, &e), 0);
    raft_store_close(s);
    sim_folder_free(f);
    return rc != 0;
}

static void test_power_cut_at_each_change(void **state)
{
    uint64_t n = 1;

    (void)state;
    while (cut_at(n, true, 0, EIO))
        n++;
    assert_true(n > 100);
    for (uint64_t seed = 1; seed < 12; seed++)
        for (uint64_t k = 1; k < n; k++)
            cut_at(k, true, seed, EIO);
    print_message("%llu changes, each cut 12 times\n", (unsigned long long)n - 1);
}

static void test_kill_at_each_change(void **state)
{
    (void)state;
    for (uint64_t n = 1; cut_at(n, false, 0, EIO); n++)
        ;
}

static void test_no_space_at_each_change(void **state)
{
    (void)state;
    for (uint64_t n = 1; cut_at(n, true, 5, ENOSPC); n++)
        ;
}

/* One whole life; the folder as it was left, settled. */
static struct sim_folder *lived(struct model *m, bool marked)
{
    struct sim_folder *f = sim_folder_new();
    struct sim_rng rng;
    struct raft_store *s;
    struct err e = {0};

    memset(m, 0, sizeof *m);
    sim_rng_seed(&rng, 1);
    assert_int_equal(open_store(&s, f, &e), 0);
    assert_int_equal(live(s, m, &e), 0);
    assert_int_equal(raft_store_mirror_meta(s, &e), 0);
    if (marked)
        assert_int_equal(raft_store_mark(s, &e), 0);
    raft_store_close(s);
    sim_folder_cut(f, false, &rng);
    sim_folder_settle(f);
    return f;
}

/* Opens and loads. 0 only when nothing of the model is missing. */
static int open_code(struct sim_folder *f, const struct model *m, struct err *e)
{
    struct raft_store *s;
    int rc = open_store(&s, f, e);
    struct raft_store_state state;

    if (rc != 0)
        return rc;
    rc = raft_store_load(s, &state, e);
    if (rc == 0) {
        assert_int_equal(state.term, m->term);
        assert_int_equal(state.voted_for, m->vote);
        assert_int_equal(state.start_index + state.entries_n - 1, m->last);
        check_snapshot(&state, m);
        free_state(&state);
    }
    raft_store_close(s);
    return rc;
}

struct names {
    char name[64][40];
    unsigned n;
};

static void on_name(void *arg, const char *name)
{
    struct names *l = arg;

    snprintf(l->name[l->n++], 40, "%s", name);
}

/* Any flipped bit is either refused, or was in bytes that nobody needs: then the state is the same.
 */
static void test_flipped_bits_never_pass(void **state)
{
    struct model m;
    struct sim_folder *whole = lived(&m, true);
    struct names names = {.n = 0};
    struct raft_files *files = sim_folder_files(whole);
    unsigned refused = 0, harmless = 0;

    (void)state;
    files->list(files, on_name, &names);
    for (unsigned i = 0; i < names.n; i++) {
        size_t n;

        assert_non_null(sim_folder_bytes(whole, names.name[i], &n));
        for (size_t at = 0; at<n; at += n> 4096 ? 61 : 7) {
            struct sim_folder *f = sim_folder_clone(whole);
            struct err e = {0};

            sim_folder_bytes(f, names.name[i], &n)[at] ^= 0x10;
            sim_folder_settle(f);
            int rc = open_code(f, &m, &e);

            if (rc != 0)
                assert_int_equal(rc, ERR_CORRUPT);
            refused += rc != 0;
            harmless += rc == 0;
            sim_folder_free(f);
        }
    }
    print_message("%u flipped bits refused, %u harmless\n", refused, harmless);
    assert_true(refused > 20);
    assert_true(harmless > 20);
    sim_folder_free(whole);
}

static void test_torn_tail_is_dropped(void **state)
{
    struct sim_folder *f = sim_folder_new();
    struct sim_rng rng;
    struct model m = {0};
    struct raft_store *s;
    struct raft_store_state loaded;
    struct err e = {0};
    size_t n;

    (void)state;
    sim_rng_seed(&rng, 1);
    assert_int_equal(open_store(&s, f, &e), 0);
    assert_int_equal(bootstrap(s, &m, &e), 0);
    assert_int_equal(append(s, &m, 2, 10, &e), 0);
    assert_int_equal(sync_store(s, &m, &e), 0);
    assert_int_equal(append(s, &m, 3, 20, &e), 0); /* never synced */
    raft_store_close(s);
    sim_folder_cut(f, false, &rng);

    uint8_t *p = sim_folder_bytes(f, "log-0000000000000001", &n);

    for (size_t at = n; at >= 8; at -= 8) /* spoil the end of the last group */
        if (memcmp(p + at - 8, "\0\0\0\0\0\0\0\0", 8) != 0) {
            p[at - 1] ^= 1;
            p[at - 8] ^= 1;
            break;
        }
    assert_int_equal(open_store(&s, f, &e), 0);
    assert_int_equal(raft_store_load(s, &loaded, &e), 0);
    assert_int_equal(loaded.entries_n, 3);
    free_state(&loaded);
    raft_store_close(s);
    sim_folder_free(f);
}

static void test_wrong_and_missing_files_are_refused(void **state)
{
    struct model m;
    struct sim_folder *whole = lived(&m, true);
    struct raft_files *files = sim_folder_files(whole);
    struct names names = {.n = 0};
    struct raft_store *s;
    struct err e = {0};
    unsigned refused = 0;

    (void)state;
    assert_int_equal(raft_store_open(&s, files, 4, 0x1234, &small, &e), ERR_CONFLICT);
    assert_non_null(strstr(e.msg, "belongs to Raft id 3, not to 4"));
    files->list(files, on_name, &names);
    for (unsigned i = 0; i < names.n; i++) {
        struct sim_folder *f = sim_folder_clone(whole);

        assert_int_equal(sim_folder_files(f)->remove(sim_folder_files(f), names.name[i]), 0);
        sim_folder_settle(f);
        /* Without the oldest log file, or a spare one, nothing may be missing: open_code looks. */
        int rc = open_code(f, &m, &e);

        if (strncmp(names.name[i], "meta", 4) == 0)
            assert_int_equal(rc, 0);
        else if (strncmp(names.name[i], "snap", 4) == 0 || rc != 0)
            assert_int_equal(rc, ERR_CORRUPT);
        refused += rc != 0;
        if (rc != 0)
            assert_non_null(strstr(e.msg, "Do not delete"));
        sim_folder_free(f);
    }
    assert_true(refused >= 2);
    sim_folder_free(whole);
}

/* Appends need no new space while there is a spare file; a full disk is told, not met. */
static void test_full_disk(void **state)
{
    struct sim_folder *f = sim_folder_new();
    struct model m = {0};
    struct raft_store *s;
    struct err e = {0};

    (void)state;
    assert_int_equal(open_store(&s, f, &e), 0);
    assert_int_equal(bootstrap(s, &m, &e), 0);
    assert_int_equal(raft_store_prepare(s, &e), 0);
    sim_folder_set_full(f, true);
    while (raft_store_room(s) > 256) {
        assert_int_equal(append(s, &m, 1, m.last, &e), 0);
        assert_int_equal(sync_store(s, &m, &e), 0);
        if (raft_store_prepare_due(s))
            assert_int_equal(raft_store_prepare(s, &e), ERR_LIMIT);
    }
    assert_true(m.last > 15);
    assert_int_equal(snapshot(s, &m, m.last, 2, &e), ERR_LIMIT);
    m.asked_snapshot = 0;
    assert_int_equal(append(s, &m, 1, 1, &e), 0); /* nothing is broken */
    sim_folder_set_full(f, false);
    assert_int_equal(sync_store(s, &m, &e), 0);
    assert_int_equal(snapshot(s, &m, m.last, 2, &e), 0); /* and it goes on with room */
    if (raft_store_prepare_due(s))
        assert_int_equal(raft_store_prepare(s, &e), 0);
    raft_store_close(s);
    sim_folder_free(f);
}

/* A long life stays small: files are used again. */
static void test_files_are_recycled(void **state)
{
    struct sim_folder *f = sim_folder_new();
    struct raft_files *files = sim_folder_files(f);
    struct model m = {0};
    struct raft_store *s;
    struct err e = {0};

    (void)state;
    assert_int_equal(open_store(&s, f, &e), 0);
    assert_int_equal(bootstrap(s, &m, &e), 0);
    for (int i = 0; i < 400; i++) {
        assert_int_equal(append(s, &m, 1, 100 + (uint64_t)i, &e), 0);
        assert_int_equal(sync_store(s, &m, &e), 0);
        if (i % 40 == 39)
            assert_int_equal(snapshot(s, &m, m.last, 5, &e), 0);
        assert_true(raft_store_disk_bytes(s) <= 8 * 2048);
    }
    struct names names = {.n = 0};

    files->list(files, on_name, &names);
    assert_true(names.n <= 8 + 3);
    raft_store_close(s);
    sim_folder_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_power_cut_at_each_change),
        cmocka_unit_test(test_kill_at_each_change),
        cmocka_unit_test(test_no_space_at_each_change),
        cmocka_unit_test(test_flipped_bits_never_pass),
        cmocka_unit_test(test_torn_tail_is_dropped),
        cmocka_unit_test(test_wrong_and_missing_files_are_refused),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_files_are_recycled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
