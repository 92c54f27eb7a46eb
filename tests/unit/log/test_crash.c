/* Crashes: a store runs random work over a simulated disk, is cut at an arbitrary call (power cut
 * with any unsynced sectors lost, or SIGKILL), recovers (perhaps cut again while it does), and is
 * compared with a model that knows everything that was ever appended. Then it goes on, several
 * lives per seed. Argument: number of seeds. */
#include "log_fixture.h"

#include "base/codec.h"
#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { PLOGS = 5, BATCHES = 3000, LIVES = 4, NOTES = 400 };

struct model_plog {
    struct plog_id id;
    bool exists;                /* for the caller */
    bool certain;               /* its creation (exists) or deletion (not) is known to be durable */
    int generation;             /* of its creations */
    struct buf *batch[BATCHES]; /* as stored, patched */
    int64_t base[BATCHES + 1];
    int n;
    int64_t acked; /* the largest stable offset that was seen */
    int64_t start, start_wanted;
    uint32_t note; /* number of the last one set; 0: none */
    uint32_t note_certain;
    int64_t note_offset[NOTES];
};

struct world {
    struct fixture fx;
    struct model_plog m[PLOGS];
    uint64_t random;
    uint64_t seed;
    uint64_t recoveries, lives;
    uint64_t resumed, failed;
};

static bool with_faults;

static uint64_t rnd(struct world *w, uint64_t n)
{
    uint64_t z = w->random += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (z ^ (z >> 31)) % n;
}

#define CHECK(w, cond, ...)                                                                        \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            print_error("seed %llu life %llu: ", (unsigned long long)(w)->seed,                    \
                        (unsigned long long)(w)->lives);                                           \
            print_error(__VA_ARGS__);                                                              \
            fail_msg(" (%s)", #cond);                                                              \
        }                                                                                          \
    } while (0)

/* ---- the model ---- */

static void model_drop(struct model_plog *m, int from)
{
    while (m->n > from) {
        buf_unref(m->batch[--m->n]);
    }
}

static void model_clear(struct model_plog *m)
{
    model_drop(m, 0);
    m->acked = m->start = m->start_wanted = 0;
    m->base[0] = 0;
    m->note = m->note_certain = 0;
}

static struct model_plog *model_of(struct world *w, const struct plog *p)
{
    for (int i = 0; i < PLOGS; i++) {
        if (memcmp(&w->m[i].id, plog_id(p), sizeof w->m[i].id) == 0) {
            return &w->m[i];
        }
    }
    fail_msg("a replica that nobody made");
    return NULL;
}

static void note_text(uint32_t number, char text[64])
{
    snprintf(text, 64, "note %u of many", number);
}

static void moved(struct fixture *fx, struct plog *p)
{
    struct world *w = fx->arg;
    struct model_plog *m = model_of(w, p);
    int64_t stable = plog_stable_offset(p), start = plog_start_offset(p);
    CHECK(w, stable >= m->acked && stable <= m->base[m->n], "stable %lld", (long long)stable);
    CHECK(w, start >= m->start && start <= m->start_wanted, "start %lld", (long long)start);
    m->acked = stable;
    m->start = start;
    m->certain = true;
}

/* ---- work ---- */

static void work_append(struct world *w, struct plog *p, struct model_plog *m)
{
    int n = 1 + (int)rnd(w, 4);
    size_t value = rnd(w, 8) ? rnd(w, 300) : 2000 + rnd(w, 4000);
    if (m->n == BATCHES || store_room(w->fx.s) < 4 * value + 400) {
        return;
    }
    struct buf *b = fx_batch(n, value, w->fx.now_ms, 1, (uint8_t)rnd(w, 256));
    CHECK(w, plog_end_offset(p) == m->base[m->n], "end");
    fx_append_buf(&w->fx, p, b, n, w->fx.now_ms + n - 1);
    m->batch[m->n] = b;
    m->base[m->n + 1] = m->base[m->n] + n;
    m->n++;
}

/* Only when the deletion before is known to be durable: the model keeps one incarnation. */
static void work_create(struct world *w, struct model_plog *m)
{
    store_create(w->fx.s, &m->id, w->fx.now_ms);
    model_clear(m);
    m->exists = true;
    m->certain = false;
    m->generation++;
}

static void work_one(struct world *w)
{
    struct fixture *fx = &w->fx;
    struct model_plog *m = &w->m[rnd(w, PLOGS)];
    struct plog *p = store_find(fx->s, &m->id);
    CHECK(w, (p != NULL) == m->exists, "existence");
    uint64_t kind = rnd(w, 100);
    if (!p) {
        if (kind < 30 && m->certain) {
            work_create(w, m);
        }
    } else if (kind < 70) {
        work_append(w, p, m);
    } else if (kind < 72) {
        store_delete(fx->s, p, &fx->ops);
        m->exists = m->certain = false;
    } else if (kind < 76) {
        int64_t at = m->start + (int64_t)rnd(w, (uint64_t)(plog_stable_offset(p) - m->start + 1));
        if (plog_delete_before(fx->s, p, at, &fx->err) == 0 && at > m->start_wanted) {
            m->start_wanted = at;
        }
    } else if (kind < 80 && m->note + 1 < NOTES) {
        char text[64];
        note_text(++m->note, text);
        m->note_offset[m->note] = plog_end_offset(p);
        plog_set_note(fx->s, p, plog_end_offset(p), slice_str(text));
    } else if (kind < 84) {
        static const int64_t sizes[] = {-1, 0, 30000};
        struct plog_settings set = {.retention_ms = rnd(w, 4) ? -1 : 20000,
                                    .retention_bytes = sizes[rnd(w, 3)],
                                    .segment_bytes = rnd(w, 3) ? 0 : 3000};
        plog_set_settings(p, &set);
    } else if (kind < 90) {
        fx->now_ms += (int64_t)rnd(w, 9000);
        for (struct plog *q = NULL; (q = store_next(fx->s, q));) {
            model_of(w, q)->start_wanted = plog_stable_offset(q); /* retention may go that far */
        }
        fx_tick(fx);
    }
    fx_flush(fx);
    uint64_t steps = rnd(w, 4);
    while (steps-- && !sim_disk_is_cut(fx->sd) && fx_step(fx)) {
    }
}

/* Everything that was asked for is durable when nothing is under way any more. */
static void settle(struct world *w)
{
    fx_drain(&w->fx);
    if (store_failed(w->fx.s)) {
        return;
    }
    for (int i = 0; i < PLOGS; i++) {
        struct model_plog *m = &w->m[i];
        struct plog *p = store_find(w->fx.s, &m->id);
        m->certain = true;
        if (p) {
            m->note_certain = m->note;
            CHECK(w, plog_stable_offset(p) == m->base[m->n], "not all is stable");
        }
    }
}

/* ---- comparing ---- */

struct compare {
    struct world *w;
    struct model_plog *m;
    int at;
};

static bool compare_visit(void *arg, int64_t base, struct slice batch)
{
    struct compare *c = arg;
    CHECK(c->w, c->at < c->m->n && base == c->m->base[c->at], "batch at %lld", (long long)base);
    CHECK(c->w, slice_eq(batch, buf_bytes(c->m->batch[c->at])), "bytes at %lld", (long long)base);
    c->at++;
    return true;
}

static void compare_plog(struct world *w, struct plog *p, struct model_plog *m)
{
    struct fixture *fx = &w->fx;
    int64_t start = plog_start_offset(p), end = plog_end_offset(p);
    CHECK(w, end == plog_stable_offset(p), "all that is left is stable");
    CHECK(w, end >= m->acked, "acknowledged %lld, left %lld", (long long)m->acked, (long long)end);
    CHECK(w, start >= m->start, "start went back from %lld to %lld", (long long)m->start,
          (long long)start);
    CHECK(w, start <= m->start_wanted && start <= end, "start %lld", (long long)start);
    int n = 0;
    while (n <= m->n && m->base[n] < end) {
        n++;
    }
    CHECK(w, n <= m->n && m->base[n] == end, "end %lld is no batch's", (long long)end);
    struct compare c = {w, m, 0};
    while (c.at < n && m->base[c.at + 1] <= start) {
        c.at++;
    }
    int e = plog_scan(fx->s, p, start, compare_visit, &c, &fx->err);
    CHECK(w, e == 0, "%s", fx->err.msg);
    CHECK(w, c.at == n, "scan ended at %d of %d", c.at, n);
    struct plog_range r;
    for (int64_t at = start; at < end;) {
        e = plog_read(fx->s, p, at, 1 + rnd(w, 5000), INT64_MAX, &r, &fx->err);
        CHECK(w, e == 0 && r.size_bytes, "%s", fx->err.msg);
        CHECK(w, plog_verify(fx->s, p, &r, &fx->err) == 0, "%s", fx->err.msg);
        int i = 0;
        while (m->base[i + 1] <= at) {
            i++;
        }
        CHECK(w, m->base[i] == r.first_offset, "read at %lld", (long long)at);
        for (uint64_t left = r.size_bytes; left; i++) {
            CHECK(w, i < n && left >= m->batch[i]->n, "range at %lld", (long long)at);
            left -= m->batch[i]->n;
        }
        at = m->base[i];
    }
    int64_t note_offset;
    struct slice note = plog_note(p, &note_offset);
    uint32_t number = 0;
    if (note.p) {
        char text[64];
        CHECK(w, sscanf((const char *)note.p, "note %u", &number) == 1, "note");
        note_text(number, text);
        CHECK(w, slice_eq_str(note, text) && note_offset == m->note_offset[number], "note");
    }
    CHECK(w, number >= m->note_certain && number <= m->note && note_offset <= end, "note %u",
          number);
    /* the model becomes what has survived */
    model_drop(m, n);
    m->acked = end;
    m->start = m->start_wanted = start;
    m->note = m->note_certain = number;
    m->certain = true;
}

static void compare(struct world *w)
{
    struct fixture *fx = &w->fx;
    store_check_invariants(fx->s);
    for (struct plog *p = NULL; (p = store_next(fx->s, p));) {
        model_of(w, p);
    }
    for (int i = 0; i < PLOGS; i++) {
        struct model_plog *m = &w->m[i];
        struct plog *p = store_find(fx->s, &m->id);
        if (m->certain) {
            CHECK(w, (p != NULL) == m->exists, "replica %d %s", i, p ? "came back" : "is lost");
        }
        if (p && !m->exists) {
            /* Its deletion was asked for and not kept: it is there as it was. */
            m->exists = true;
        } else if (!p) {
            m->exists = false;
            m->certain = true;
            continue;
        }
        compare_plog(w, p, m);
    }
}

/* ---- faults ---- */

static void fault_begin(struct world *w)
{
    static const unsigned calls[] = {SIM_DISK_WRITE, SIM_DISK_SYNC, SIM_DISK_ALLOCATE,
                                     SIM_DISK_NAMES, SIM_DISK_WRITE | SIM_DISK_SYNC};
    static const char *const paths[] = {NULL, ".jnl", ".log", ".index", "checkpoint", "topics"};
    if (rnd(w, 3) == 0) {
        sim_disk_set_space(w->fx.sd, sim_disk_used(w->fx.sd) + rnd(w, 30000));
        return;
    }
    /* a failed journal ends a life early: that has its share, not more */
    unsigned call = calls[rnd(w, 5)];
    sim_disk_fail(w->fx.sd, call, paths[rnd(w, 6)], 1 + rnd(w, 20), rnd(w, 2) ? EIO : ENOSPC,
                  rnd(w, 4));
}

/* The fault is over: the store goes on by itself, or has failed for good. */
static void fault_end(struct world *w)
{
    sim_disk_fail(w->fx.sd, 0, NULL, 0, 0, 0);
    sim_disk_set_space(w->fx.sd, UINT64_MAX);
    for (int i = 0; i < 4; i++) {
        w->fx.now_ms += 1500;
        for (struct plog *q = NULL; (q = store_next(w->fx.s, q));) {
            model_of(w, q)->start_wanted = plog_stable_offset(q);
        }
        fx_tick(&w->fx);
        fx_drain(&w->fx);
    }
    if (!store_failed(w->fx.s)) {
        settle(w);
        CHECK(w, store_room(w->fx.s) > 0, "appends did not resume");
        w->resumed++;
    }
}

/* ---- lives ---- */

static void crash(struct world *w)
{
    struct fixture *fx = &w->fx;
    fx_close(fx);
    switch (rnd(w, 4)) {
    case 0:
        sim_disk_kill(fx->sd);
        break;
    case 1:
        sim_disk_power_cut_all(fx->sd);
        break;
    default:
        sim_disk_power_cut(fx->sd);
    }
}

static void recover(struct world *w)
{
    struct fixture *fx = &w->fx;
    for (uint64_t cuts = rnd(w, 3); cuts; cuts--) {
        sim_disk_cut_at(fx->sd, sim_disk_calls(fx->sd) + 1 + rnd(w, 12));
        if (fx_open(fx) == 0) {
            sim_disk_cut_at(fx->sd, 0);
            crash(w);
        } else {
            CHECK(w, sim_disk_is_cut(fx->sd), "%s", fx->err.msg);
            if (rnd(w, 2)) {
                sim_disk_power_cut(fx->sd);
            } else {
                sim_disk_kill(fx->sd);
            }
        }
    }
    int e = fx_open(fx);
    CHECK(w, e == 0, "%s", fx->err.msg);
    w->recoveries++;
}

static uint64_t resumed, failed; /* over all seeds: the faults did something */

static void run_seed(uint64_t seed)
{
    struct world *w = MEM_NEW(struct world);
    w->seed = w->random = seed;
    fx_init(&w->fx, seed);
    static const uint64_t rings[] = {192 << 10, 256 << 10, 512 << 10};
    w->fx.config.journal_total_bytes = rings[rnd(w, 3)];
    w->fx.config.group_max_bytes = rnd(w, 3) ? 16 << 10 : 4 << 10;
    w->fx.config.index_interval_bytes = rnd(w, 2) ? 512 : 4096;
    w->fx.config.segment_bytes = rnd(w, 3) ? 16 << 10 : 100 << 10;
    w->fx.moved = moved;
    w->fx.arg = w;
    for (int i = 0; i < PLOGS; i++) {
        w->m[i].id = fx_id(i / 2, i % 2);
        w->m[i].certain = true;
    }
    recover(w);
    for (; w->lives < LIVES; w->lives++) {
        uint64_t cut = sim_disk_calls(w->fx.sd) + rnd(w, 400);
        bool faulty = with_faults && rnd(w, 3);
        if (faulty) {
            fault_begin(w);
        }
        for (int i = 0; i < 300 && sim_disk_calls(w->fx.sd) < cut && !store_failed(w->fx.s); i++) {
            work_one(w);
            if (rnd(w, 60) == 0 && !faulty) {
                settle(w);
            }
            if (faulty && rnd(w, 200) == 0) {
                fault_end(w);
                faulty = false;
            }
        }
        CHECK(w, with_faults || !store_failed(w->fx.s), "failed");
        w->failed += store_failed(w->fx.s);
        if (faulty && rnd(w, 2) && !store_failed(w->fx.s)) {
            fault_end(w);
        }
        sim_disk_fail(w->fx.sd, 0, NULL, 0, 0, 0);
        sim_disk_set_space(w->fx.sd, UINT64_MAX);
        crash(w);
        recover(w);
        compare(w);
    }
    for (int i = 0; i < PLOGS; i++) {
        model_clear(&w->m[i]);
    }
    resumed += w->resumed;
    failed += w->failed;
    fx_free(&w->fx);
    mem_free(w);
}

static uint64_t seeds = 500, first_seed = 1;

static void test_crashes(void **state)
{
    (void)state;
    for (uint64_t seed = first_seed; seed < first_seed + seeds; seed++) {
        run_seed(seed);
    }
    if (with_faults && seeds >= 100) {
        assert_true(resumed > seeds / 10 && failed > seeds / 10);
    }
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        seeds = strtoull(argv[1], NULL, 10);
    }
    if (argc > 2) {
        first_seed = strtoull(argv[2], NULL, 10);
    }
    with_faults = argc > 3 && strcmp(argv[3], "faults") == 0;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
