#include "log_fixture.h"

#include "base/codec.h"
#include "base/mem.h"
#include "wire/batch.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>

static struct plog *open_one(struct fixture *fx, uint64_t seed)
{
    fx_init(fx, seed);
    assert_int_equal(fx_open(fx), 0);
    struct plog_id id = fx_id(1, 0);
    return store_create(fx->s, &id, fx->now_ms);
}

static struct plog *reopen(struct fixture *fx)
{
    fx_close(fx);
    if (fx_open(fx)) {
        fail_msg("%s", fx->err.msg);
    }
    store_check_invariants(fx->s);
    struct plog_id id = fx_id(1, 0);
    return store_find(fx->s, &id);
}

/* ---- append, flush, done ---- */

static void test_append_is_stable_after_journal_and_segment(void **state)
{
    (void)state;
    struct fixture fx;
    struct plog *p = open_one(&fx, 1);
    assert_int_equal(fx_append(&fx, p, 3, 100, 5000, 1), 0);
    assert_int_equal(fx_append(&fx, p, 1, 100, 5003, 1), 3);
    assert_int_equal(plog_end_offset(p), 4);
    assert_int_equal(plog_stable_offset(p), 0);
    fx_drain(&fx);
    assert_int_equal(plog_stable_offset(p), 4);
    assert_int_equal(fx.moved_n, 1); /* one group, one write */
    fx_free(&fx);
}

static void test_one_group_under_way(void **state)
{
    (void)state;
    struct fixture fx;
    struct plog *p = open_one(&fx, 2);
    struct store_stats st;
    for (int i = 0; i < 10; i++) {
        fx_append(&fx, p, 1, 10, 1, 0);
        fx_flush(&fx);
    }
    store_stats(fx.s, &st);
    assert_int_equal(st.groups, 1);
    fx_drain(&fx);
    store_stats(fx.s, &st);
    assert_int_equal(st.groups, 2); /* all that waited went in one */
    assert_int_equal(plog_stable_offset(p), 10);
    fx_free(&fx);
}

static void test_big_batches_are_not_copied(void **state)
{
    (void)state;
    struct fixture fx;
    fx_init(&fx, 3);
    fx.config.journal_file_bytes = 1 << 20;
    fx.config.journal_total_bytes = 4 << 20;
    fx.config.group_max_bytes = 512 << 10;
    assert_int_equal(fx_open(&fx), 0);
    struct plog_id id = fx_id(1, 0);
    struct plog *p = store_create(fx.s, &id, 0);
    struct buf *b = fx_batch(100, 1100, 1, 1, 9);
    fx_append_buf(&fx, p, b, 100, 100);
    store_flush(fx.s, 0, &fx.ops);
    bool journal = false, segment = false;
    for (size_t i = 0; i < fx.ops.n; i++) {
        for (size_t k = 0; k < fx.ops.op[i].parts_n; k++) {
            bool same = fx.ops.op[i].part[k].bytes.p == b->data;
            journal |= same && fx.ops.op[i].queue == DISK_JOURNAL;
            segment |= same && fx.ops.op[i].queue == DISK_FILES;
        }
    }
    assert_true(journal && segment);
    sim_disk_submit(fx.sd, &fx.ops);
    fx_drain(&fx);
    assert_int_equal(b->refs, 1); /* nobody holds it any more */
    buf_unref(b);
    fx_free(&fx);
}

/* ---- reading ---- */

static void read_back(struct fixture *fx, struct plog *p, int64_t from, int batch_records,
                      uint64_t max_bytes)
{
    int64_t at = from;
    while (at < plog_stable_offset(p)) {
        struct plog_range r;
        assert_int_equal(plog_read(fx->s, p, at, max_bytes, INT64_MAX, &r, &fx->err), 0);
        assert_true(r.size_bytes > 0);
        assert_true(r.size_bytes <= max_bytes || r.size_bytes == r.first_batch_bytes);
        assert_int_equal(r.first_offset, at / batch_records * batch_records);
        uint8_t *bytes = mem_alloc(r.size_bytes);
        struct disk *d = sim_disk_disk(fx->sd);
        assert_int_equal(d->read(d, r.path, r.position, bytes, r.size_bytes), r.size_bytes);
        int64_t expect = r.first_offset;
        for (size_t i = 0; i < r.size_bytes;) {
            assert_int_equal(be64_get(bytes + i), expect);
            expect += be32_get(bytes + i + 23) + 1;
            i += be32_get(bytes + i + 8) + 12;
            assert_true(i <= r.size_bytes);
        }
        at = expect;
        mem_free(bytes);
    }
    assert_int_equal(at, plog_stable_offset(p));
}

static void test_read_ranges(void **state)
{
    (void)state;
    struct fixture fx;
    struct plog *p = open_one(&fx, 4);
    for (int i = 0; i < 300; i++) {
        fx_append(&fx, p, 3, 40, 5000 + i, 0);
        fx_drain(&fx);
    }
    for (int round = 0; round < 2; round++) {
        read_back(&fx, p, 0, 3, 1);
        read_back(&fx, p, 0, 3, 3000);
        read_back(&fx, p, 400, 3, 1 << 20);
        for (int64_t o = 0; o < 900; o += 7) {
            struct plog_range r;
            assert_int_equal(plog_read(fx.s, p, o, 500, INT64_MAX, &r, &fx.err), 0);
            assert_int_equal(r.first_offset, o / 3 * 3);
        }
        struct plog_range r;
        assert_int_equal(plog_read(fx.s, p, 900, 100, INT64_MAX, &r, &fx.err), 0);
        assert_int_equal(r.size_bytes, 0);
        assert_int_equal(plog_read(fx.s, p, 901, 100, INT64_MAX, &r, &fx.err), ERR_INVALID);
        assert_int_equal(plog_read(fx.s, p, -1, 100, INT64_MAX, &r, &fx.err), ERR_INVALID);
        /* below a high watermark: whole batches only */
        assert_int_equal(plog_read(fx.s, p, 0, 1 << 20, 7, &r, &fx.err), 0);
        assert_int_equal(r.size_bytes, 2 * r.first_batch_bytes);
        p = reopen(&fx);
    }
    fx_free(&fx);
}

static void test_verified_ranges(void **state)
{
    (void)state;
    struct fixture fx;
    struct plog *p = open_one(&fx, 5);
    for (int i = 0; i < 20; i++) {
        fx_append(&fx, p, 1, 200, 1, 0);
    }
    fx_drain(&fx);
    struct plog_range r;
    assert_int_equal(plog_read(fx.s, p, 0, 1000, INT64_MAX, &r, &fx.err), 0);
    assert_true(r.verified);
    fx.now_ms += 6000;
    fx_tick(&fx); /* idle: a checkpoint, so that the next start replays nothing */
    fx_drain(&fx);
    p = reopen(&fx);
    struct store_stats st;
    store_stats(fx.s, &st);
    assert_int_equal(st.replayed_bytes, 0);
    assert_int_equal(plog_read(fx.s, p, 0, 1000, INT64_MAX, &r, &fx.err), 0);
    assert_false(r.verified);
    assert_int_equal(plog_verify(fx.s, p, &r, &fx.err), 0);
    assert_int_equal(plog_read(fx.s, p, 0, 1000, INT64_MAX, &r, &fx.err), 0);
    assert_true(r.verified);
    struct plog_range later;
    assert_int_equal(plog_read(fx.s, p, 10, 1000, INT64_MAX, &later, &fx.err), 0);
    assert_false(later.verified);
    assert_true(sim_disk_poke(fx.sd, later.path, later.position + 100, 4));
    assert_int_equal(plog_verify(fx.s, p, &later, &fx.err), ERR_CORRUPT);
    assert_int_equal(plog_read(fx.s, p, 10, 1000, INT64_MAX, &later, &fx.err), 0);
    assert_false(later.verified);
    fx_free(&fx);
}

static void test_find_time(void **state)
{
    (void)state;
    struct fixture fx;
    struct plog *p = open_one(&fx, 6);
    int64_t offset, ms;
    assert_int_equal(plog_find_time(fx.s, p, 0, &offset, &ms, &fx.err), 0);
    assert_int_equal(offset, -1);
    assert_int_equal(plog_max_timestamp_ms(p, &offset), -1);
    /* times wander: batch i holds base(i), base(i) + 10, ..., base(i) + 40 */
    enum { BATCHES = 400 };
    int64_t time_of[BATCHES * 5];
    for (int i = 0; i < BATCHES; i++) {
        int64_t first = 10000 + i * 20 + (i * 7919) % 173;
        fx_append(&fx, p, 5, 30, first, 10);
        for (int k = 0; k < 5; k++) {
            time_of[i * 5 + k] = first + k * 10;
        }
        if (i % 9 == 0) {
            fx_drain(&fx);
        }
    }
    fx_drain(&fx);
    for (int round = 0; round < 2; round++) {
        for (int64_t t = 9990; t < 18400; t += 13) {
            int64_t expect = -1;
            for (int k = 0; k < BATCHES * 5 && expect < 0; k++) {
                expect = time_of[k] >= t ? k : -1;
            }
            assert_int_equal(plog_find_time(fx.s, p, t, &offset, &ms, &fx.err), 0);
            assert_int_equal(offset, expect);
            assert_int_equal(ms, expect < 0 ? -1 : time_of[expect]);
        }
        int64_t max = 0, first_max = 0;
        for (int k = 0; k < BATCHES * 5; k++) {
            first_max = time_of[k] > max ? k : first_max;
            max = time_of[k] > max ? time_of[k] : max;
        }
        assert_int_equal(plog_max_timestamp_ms(p, &offset), max);
        assert_int_equal(offset, first_max);
        p = reopen(&fx);
    }
    fx_free(&fx);
}

static void test_find_time_in_compressed_batches(void **state)
{
    (void)state;
    struct fixture fx;
    struct plog *p = open_one(&fx, 60);
    for (int codec = 0; codec < WIRE_CODECS_N; codec++) {
        struct wire_batch_builder bb;
        struct bytes out = {0};
        wire_batch_builder_init(&bb, codec);
        for (int i = 0; i < 10; i++) {
            wire_batch_builder_add(&bb, 1000 * codec + i * 10, SLICE_LIT("k"), SLICE_LIT("value"),
                                   NULL, 0);
        }
        assert_int_equal(wire_batch_builder_finish(&bb, &out, &fx.err), 0);
        struct buf *b = buf_from(out.p, out.n);
        fx_append_buf(&fx, p, b, 10, 1000 * codec + 90);
        buf_unref(b);
        bytes_free(&out);
        wire_batch_builder_free(&bb);
    }
    fx_drain(&fx);
    for (int codec = 0; codec < WIRE_CODECS_N; codec++) {
        int64_t offset, ms;
        assert_int_equal(plog_find_time(fx.s, p, 1000 * codec + 41, &offset, &ms, &fx.err), 0);
        assert_int_equal(offset, codec * 10 + 5);
        assert_int_equal(ms, 1000 * codec + 50);
    }
    /* from a start offset inside a batch on */
    assert_int_equal(plog_delete_before(fx.s, p, 17, &fx.err), 0);
    fx_drain(&fx);
    int64_t offset, ms;
    assert_int_equal(plog_find_time(fx.s, p, 5, &offset, &ms, &fx.err), 0);
    assert_int_equal(offset, 17);
    assert_int_equal(ms, 1070);
    fx_free(&fx);
}

static void test_damaged_index_is_rebuilt(void **state)
{
    (void)state;
    struct fixture fx;
    struct plog *p = open_one(&fx, 7);
    for (int i = 0; i < 400; i++) {
        fx_append(&fx, p, 1, 100, 1000 + i, 0);
        fx_drain(&fx);
    }
    fx.now_ms += 6000;
    fx_tick(&fx);
    fx_drain(&fx);
    struct plog_range r;
    assert_int_equal(plog_read(fx.s, p, 0, 10, INT64_MAX, &r, &fx.err), 0);
    char index[DISK_PATH_MAX + 8];
    snprintf(index, sizeof index, "%.*s.index", (int)(strlen(r.path) - 4), r.path);
    for (int round = 0; round < 3; round++) {
        struct disk *d = sim_disk_disk(fx.sd);
        assert_true(d->size(d, index) > 100);
        if (round == 0) {
            assert_true(sim_disk_poke(fx.sd, index, 60, 1));
        } else if (round == 1) {
            assert_int_equal(d->truncate(d, index, 50), 0);
            p = reopen(&fx);
            read_back(&fx, p, 0, 1, 700);
            assert_int_equal(d->remove(d, index), 0);
        }
        p = reopen(&fx);
        read_back(&fx, p, 0, 1, 700);
        int64_t offset, ms;
        assert_int_equal(plog_find_time(fx.s, p, 1111, &offset, &ms, &fx.err), 0);
        assert_int_equal(offset, 111);
        if (round == 1) {
            break;
        }
    }
    fx_free(&fx);
}

/* ---- retention ---- */

static void test_retention_by_size(void **state)
{
    (void)state;
    struct fixture fx;
    struct plog *p = open_one(&fx, 8);
    struct plog_settings set = {.retention_ms = -1, .retention_bytes = 40000};
    plog_set_settings(p, &set);
    for (int i = 0; i < 500; i++) {
        fx_append(&fx, p, 1, 200, 1000 + i, 0);
        fx_drain(&fx);
        fx_tick(&fx);
        fx_drain(&fx);
    }
    assert_true(plog_size_bytes(p) >= 40000 && plog_size_bytes(p) < 40000 + 17000);
    int64_t start = plog_start_offset(p);
    assert_true(start > 0);
    struct plog_range r;
    assert_int_equal(plog_read(fx.s, p, start - 1, 1, INT64_MAX, &r, &fx.err), ERR_INVALID);
    assert_int_equal(plog_read(fx.s, p, start, 1, INT64_MAX, &r, &fx.err), 0);
    assert_int_equal(r.first_offset, start); /* whole segments */
    /* a hold keeps everything from it on */
    plog_set_hold(p, start + 10);
    set.retention_bytes = 0;
    plog_set_settings(p, &set);
    fx_tick(&fx);
    fx_drain(&fx);
    assert_true(plog_start_offset(p) <= start + 10);
    plog_set_hold(p, INT64_MAX);
    fx_tick(&fx);
    fx_drain(&fx);
    assert_true(plog_start_offset(p) > start + 10);
    start = plog_start_offset(p);
    p = reopen(&fx);
    assert_int_equal(plog_start_offset(p), start);
    fx_free(&fx);
}

static void test_retention_by_time(void **state)
{
    (void)state;
    struct fixture fx;
    struct plog *p = open_one(&fx, 9);
    struct plog_settings set = {.retention_ms = 5000, .retention_bytes = -1};
    plog_set_settings(p, &set);
    for (int i = 0; i < 10; i++) {
        fx_append(&fx, p, 1, 2000, fx.now_ms, 0);
        fx_drain(&fx);
        fx.now_ms += 1000;
        fx_tick(&fx);
        fx_drain(&fx);
    }
    fx.now_ms += 4000; /* the first segment's youngest record is older than 5 s, not all are */
    fx_tick(&fx);
    fx_drain(&fx);
    assert_int_equal(plog_start_offset(p), 7);
    fx.now_ms += 5000; /* now the active one too */
    fx_tick(&fx);
    fx_drain(&fx);
    assert_int_equal(plog_start_offset(p), 10);
    assert_int_equal(plog_size_bytes(p), 0);
    int64_t offset, ms;
    assert_int_equal(plog_find_time(fx.s, p, 0, &offset, &ms, &fx.err), 0);
    assert_int_equal(offset, -1);
    fx_append(&fx, p, 1, 10, fx.now_ms, 0);
    fx_drain(&fx);
    p = reopen(&fx);
    assert_int_equal(plog_start_offset(p), 10);
    assert_int_equal(plog_stable_offset(p), 11);
    fx_free(&fx);
}

static void test_delete_before(void **state)
{
    (void)state;
    struct fixture fx;
    struct plog *p = open_one(&fx, 10);
    fx_append(&fx, p, 5, 10, 1, 0);
    fx_append(&fx, p, 5, 10, 1, 0);
    assert_int_equal(plog_delete_before(fx.s, p, 3, &fx.err), ERR_INVALID); /* not stable yet */
    fx_drain(&fx);
    assert_int_equal(plog_delete_before(fx.s, p, 3, &fx.err), 0);
    assert_int_equal(plog_start_offset(p), 0); /* not durable yet */
    fx.moved_n = 0;
    fx_drain(&fx);
    assert_int_equal(plog_start_offset(p), 3);
    assert_int_equal(fx.moved_n, 1);
    assert_int_equal(plog_delete_before(fx.s, p, 2, &fx.err), 0); /* never back */
    fx_drain(&fx);
    assert_int_equal(plog_start_offset(p), 3);
    struct plog_range r;
    assert_int_equal(plog_read(fx.s, p, 3, 1, INT64_MAX, &r, &fx.err), 0);
    assert_int_equal(r.first_offset, 0);
    sim_disk_power_cut_all(fx.sd);
    p = reopen(&fx);
    assert_int_equal(plog_start_offset(p), 3);
    assert_int_equal(plog_delete_before(fx.s, p, 10, &fx.err), 0);
    fx_drain(&fx);
    assert_int_equal(plog_start_offset(p), 10);
    assert_int_equal(plog_size_bytes(p), 0);
    fx_free(&fx);
}

/* ---- replicas, notes, epochs ---- */

static void count_entry(void *arg, const char *name)
{
    (void)name;
    ++*(int *)arg;
}

static void test_create_and_delete(void **state)
{
    (void)state;
    struct fixture fx;
    struct plog *p = open_one(&fx, 11);
    struct plog_id two = fx_id(2, 7);
    struct plog *q = store_create(fx.s, &two, 0);
    fx_append(&fx, p, 1, 10, 1, 0);
    fx_append(&fx, q, 1, 3000, 1, 0);
    fx_drain(&fx);
    fx_append(&fx, q, 1, 3000, 1, 0);
    fx_flush(&fx);
    store_delete(fx.s, q, &fx.ops); /* with a group under way */
    assert_null(store_find(fx.s, &two));
    assert_ptr_equal(store_next(fx.s, NULL), p);
    assert_null(store_next(fx.s, p));
    q = store_create(fx.s, &two, 0); /* again, at once */
    fx_append(&fx, q, 2, 50, 1, 0);
    fx_drain(&fx);
    assert_int_equal(plog_stable_offset(q), 2);
    sim_disk_power_cut_all(fx.sd);
    p = reopen(&fx);
    q = store_find(fx.s, &two);
    assert_non_null(q);
    assert_int_equal(plog_stable_offset(q), 2);
    store_delete(fx.s, q, &fx.ops);
    fx_drain(&fx);
    int n = 0;
    struct disk *d = sim_disk_disk(fx.sd);
    d->list(d, "topics", count_entry, &n);
    assert_int_equal(n, 1);
    sim_disk_power_cut_all(fx.sd); /* the folder comes back, nothing synced its removal */
    p = reopen(&fx);
    assert_non_null(p);
    assert_null(store_find(fx.s, &two));
    n = 0;
    d->list(d, "topics", count_entry, &n);
    assert_int_equal(n, 1);
    fx_free(&fx);
}

static void test_notes_and_epochs(void **state)
{
    (void)state;
    struct fixture fx;
    struct plog *p = open_one(&fx, 12);
    int64_t offset;
    assert_null(plog_note(p, &offset).p);
    for (int i = 0; i < 4; i++) {
        struct buf *b = fx_batch(2, 20, 1, 0, 1);
        struct store_batch sb = {
            .buf = b, .bytes = buf_bytes(b), .records_n = 2, .max_timestamp_ms = 1};
        store_append(fx.s, p, &sb, 3 + i / 2 * 4, 1);
        buf_unref(b);
    }
    fx_drain(&fx);
    plog_set_note(fx.s, p, 8, SLICE_LIT("five batches of pid 7"));
    fx_drain(&fx);
    for (int round = 0; round < 3; round++) {
        assert_true(slice_eq_str(plog_note(p, &offset), "five batches of pid 7"));
        assert_int_equal(offset, 8);
        assert_int_equal(plog_epoch_at(p, 0), 3);
        assert_int_equal(plog_epoch_at(p, 3), 3);
        assert_int_equal(plog_epoch_at(p, 4), 7);
        assert_int_equal(plog_epoch_at(p, 8), 7);
        sim_disk_power_cut_all(fx.sd);
        p = reopen(&fx);
    }
    fx_free(&fx);
}

/* ---- faults ---- */

static void test_failed_journal_ends_the_store(void **state)
{
    (void)state;
    static const unsigned calls[] = {SIM_DISK_WRITE, SIM_DISK_SYNC};
    static const int errors[] = {EIO, ENOSPC};
    for (int i = 0; i < 4; i++) {
        struct fixture fx;
        struct plog *p = open_one(&fx, 13);
        fx_append(&fx, p, 1, 10, 1, 0);
        fx_drain(&fx);
        sim_disk_fail(fx.sd, calls[i % 2], ".jnl", 1, errors[i / 2], 1);
        fx_append(&fx, p, 1, 10, 1, 0);
        fx_drain(&fx);
        assert_true(store_failed(fx.s));
        assert_int_equal(store_room(fx.s), 0);
        assert_int_equal(plog_stable_offset(p), 1);
        sim_disk_power_cut_all(fx.sd);
        p = reopen(&fx);
        assert_int_equal(plog_stable_offset(p), 1);
        fx_free(&fx);
    }
}

static void test_full_segment_disk_stops_and_resumes(void **state)
{
    (void)state;
    static const int errors[] = {EIO, ENOSPC};
    for (int i = 0; i < 2; i++) {
        struct fixture fx;
        struct plog *p = open_one(&fx, 14);
        fx_append(&fx, p, 1, 1000, 1, 0);
        fx_drain(&fx);
        sim_disk_fail(fx.sd, SIM_DISK_WRITE, ".log", 1, errors[i], 0);
        fx_append(&fx, p, 1, 1000, 1, 0);
        fx_append(&fx, p, 1, 1000, 1, 0);
        fx_drain(&fx);
        assert_false(store_failed(fx.s));
        assert_int_equal(store_room(fx.s), 0);
        assert_int_equal(plog_stable_offset(p), 1);
        read_back(&fx, p, 0, 1, 100000); /* reading goes on */
        fx.now_ms += 2000;
        fx_tick(&fx);
        fx_drain(&fx);
        assert_int_equal(store_room(fx.s), 0);
        sim_disk_fail(fx.sd, 0, NULL, 0, 0, 0);
        fx.now_ms += 2000;
        fx_tick(&fx);
        fx_drain(&fx);
        assert_int_equal(plog_stable_offset(p), 3);
        assert_true(store_room(fx.s) > 0);
        read_back(&fx, p, 0, 1, 100000);
        fx_free(&fx);
    }
}

static void test_watermark(void **state)
{
    (void)state;
    struct fixture fx;
    open_one(&fx, 15);
    assert_true(store_room(fx.s) > 0);
    store_set_free_bytes(fx.s, 99, 100);
    assert_int_equal(store_room(fx.s), 0);
    store_set_free_bytes(fx.s, 100, 100);
    assert_true(store_room(fx.s) > 0);
    fx_free(&fx);
}

static void test_room_is_bounded(void **state)
{
    (void)state;
    struct fixture fx;
    struct plog *p = open_one(&fx, 16);
    int n = 0;
    while (store_room(fx.s) >= 1200) {
        fx_append(&fx, p, 1, 1000, 1, 0);
        fx_flush(&fx);
        n++;
    }
    assert_in_range(n, 5, 100);
    fx_drain(&fx);
    assert_int_equal(plog_stable_offset(p), n);
    assert_true(store_room(fx.s) >= 1200);
    fx_free(&fx);
}

/* ---- torn, damaged, foreign, missing ---- */

static void fill(struct fixture *fx, struct plog *p, int n)
{
    for (int i = 0; i < n; i++) {
        fx_append(fx, p, 1, 100, i, 0);
        fx_drain(fx);
    }
}

static void expect_refused(struct fixture *fx, const char *part)
{
    fx_close(fx);
    int e = fx_open(fx);
    assert_int_equal(e, ERR_CORRUPT);
    if (!strstr(fx->err.msg, part)) {
        fail_msg("'%s' lacks '%s'", fx->err.msg, part);
    }
    fx->s = NULL;
}

static void test_last_group_torn(void **state)
{
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        struct fixture fx;
        struct plog *p = open_one(&fx, 17);
        fill(&fx, p, 5);
        /* groups are one page each from page 1 on; the last of five is page 5 */
        const char *j = "journal/0000.jnl";
        static const uint64_t flips[] = {0, 10, 70, 200};
        if (kind == 0) {
            assert_true(sim_disk_zero(fx.sd, j, 5 * 4096, 512));
        } else {
            assert_true(sim_disk_poke(fx.sd, j, 5 * 4096 + flips[kind], 0x10));
        }
        p = reopen(&fx);
        assert_int_equal(plog_stable_offset(p), 4);
        fill(&fx, p, 3);
        p = reopen(&fx);
        assert_int_equal(plog_stable_offset(p), 7);
        read_back(&fx, p, 0, 1, 100000);
        fx_free(&fx);
    }
}

static void test_damage_below_synced_refuses(void **state)
{
    (void)state;
    for (int kind = 0; kind < 8; kind++) {
        struct fixture fx;
        struct plog *p = open_one(&fx, 18);
        fill(&fx, p, 6);
        uint64_t at = (uint64_t)(1 + kind / 2) * 4096 + (kind % 2 ? 30 : 150);
        assert_true(sim_disk_poke(fx.sd, "journal/0000.jnl", at, 0x80));
        expect_refused(&fx, "restore the whole data folder");
        fx_free(&fx);
    }
}

static void test_lost_journal_refuses(void **state)
{
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        struct fixture fx;
        struct plog *p = open_one(&fx, 19);
        fill(&fx, p, kind == 2 ? 60 : 6);
        struct disk *d = sim_disk_disk(fx.sd);
        if (kind == 0) {
            d->remove(d, "journal/0000.jnl");
            expect_refused(&fx, "missing or unreadable");
        } else if (kind == 1) {
            assert_true(sim_disk_poke(fx.sd, "journal/0000.jnl", 40, 1));
            expect_refused(&fx, "missing or unreadable");
        } else {
            d->remove(d, "journal/checkpoint.0");
            d->remove(d, "journal/checkpoint.1");
            expect_refused(&fx, "lacks the files");
        }
        fx_free(&fx);
    }
}

static void test_foreign_journal_refuses(void **state)
{
    (void)state;
    struct fixture a, b;
    fill(&a, open_one(&a, 20), 3);
    fill(&b, open_one(&b, 21), 3);
    struct disk *da = sim_disk_disk(a.sd), *db = sim_disk_disk(b.sd);
    uint8_t *file = mem_alloc(64 << 10);
    assert_int_equal(db->read(db, "journal/0000.jnl", 0, file, 64 << 10), 64 << 10);
    assert_int_equal(da->write(da, "journal/0002.jnl", 0, file, 64 << 10), 0);
    mem_free(file);
    expect_refused(&a, "belongs to another data folder");
    fx_free(&a);
    fx_free(&b);
}

static void test_missing_segment_refuses(void **state)
{
    (void)state;
    struct fixture fx;
    struct plog *p = open_one(&fx, 22);
    fill(&fx, p, 5);
    fx.now_ms += 6000;
    fx_tick(&fx);
    fx_drain(&fx);
    struct plog_range r;
    assert_int_equal(plog_read(fx.s, p, 0, 1, INT64_MAX, &r, &fx.err), 0);
    struct disk *d = sim_disk_disk(fx.sd);
    d->truncate(d, r.path, 100);
    expect_refused(&fx, "missing or too short");
    fx_free(&fx);
}

static void test_ring_goes_round(void **state)
{
    (void)state;
    struct fixture fx;
    struct plog *p = open_one(&fx, 23);
    for (int i = 0; i < 600; i++) {
        fx_append(&fx, p, 1, 700, i, 0);
        fx_drain(&fx);
    }
    struct store_stats st;
    store_stats(fx.s, &st);
    assert_true(st.checkpoints > 5);
    assert_true(st.journal_used_bytes <= fx.config.journal_total_bytes);
    int n = 0;
    struct disk *d = sim_disk_disk(fx.sd);
    d->list(d, "journal", count_entry, &n);
    assert_in_range(n, 3, 6);
    sim_disk_power_cut_all(fx.sd);
    p = reopen(&fx);
    assert_int_equal(plog_stable_offset(p), 600);
    read_back(&fx, p, 0, 1, 5000);
    fx_free(&fx);
}

/* An idle replica costs less than 1 KB, and opening thousands is a matter of stat calls. */
static void test_thousands_of_replicas_are_cheap(void **state)
{
    (void)state;
    enum { N = 2000 };
    struct fixture fx;
    open_one(&fx, 25);
    fx.config.journal_total_bytes = 1 << 20;
    size_t before = 0;
    for (int round = 0; round < 2; round++) { /* the first one grows the queue of what waits */
        fx_drain(&fx);
        before = mallinfo2().uordblks;
        for (int i = 0; i < N; i++) {
            struct plog_id id = fx_id(3 + round, i);
            store_create(fx.s, &id, 0);
        }
    }
    if (before) { /* sanitizers have an allocator that does not say */
        assert_in_range((mallinfo2().uordblks - before) / N, 1, 1023);
    }
    fx_drain(&fx);
    reopen(&fx);
    int n = 0;
    for (struct plog *p = NULL; (p = store_next(fx.s, p));) {
        n++;
    }
    assert_int_equal(n, 2 * N + 1);
    fx_free(&fx);
}

/* A restart with little to replay waits for a handful of syncs only. */
static void test_a_restart_syncs_little(void **state)
{
    (void)state;
    struct fixture fx;
    struct plog *p = open_one(&fx, 26);
    fill(&fx, p, 3);
    fx_close(&fx);
    uint64_t calls = sim_disk_calls(fx.sd);
    assert_int_equal(fx_open(&fx), 0);
    assert_true(sim_disk_calls(fx.sd) - calls < 24); /* writes, syncs and names together */
    fx_free(&fx);
}

struct scanned {
    int64_t next;
    int n, stop_after;
};

static bool scan_visit(void *arg, int64_t base, struct slice batch)
{
    struct scanned *sc = arg;
    assert_int_equal(base, sc->next);
    sc->next += be32_get(batch.p + 23) + 1;
    return ++sc->n != sc->stop_after;
}

static void test_scan(void **state)
{
    (void)state;
    struct fixture fx;
    struct plog *p = open_one(&fx, 24);
    for (int i = 0; i < 200; i++) {
        fx_append(&fx, p, 2, 300, i, 0);
        fx_drain(&fx);
    }
    struct scanned sc = {0};
    assert_int_equal(plog_scan(fx.s, p, 0, scan_visit, &sc, &fx.err), 0);
    assert_int_equal(sc.n, 200);
    sc = (struct scanned){.next = 100, .stop_after = 7};
    assert_int_equal(plog_scan(fx.s, p, 100, scan_visit, &sc, &fx.err), 0);
    assert_int_equal(sc.n, 7);
    fx_free(&fx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_append_is_stable_after_journal_and_segment),
        cmocka_unit_test(test_one_group_under_way),
        cmocka_unit_test(test_big_batches_are_not_copied),
        cmocka_unit_test(test_read_ranges),
        cmocka_unit_test(test_verified_ranges),
        cmocka_unit_test(test_find_time),
        cmocka_unit_test(test_find_time_in_compressed_batches),
        cmocka_unit_test(test_damaged_index_is_rebuilt),
        cmocka_unit_test(test_retention_by_size),
        cmocka_unit_test(test_retention_by_time),
        cmocka_unit_test(test_delete_before),
        cmocka_unit_test(test_create_and_delete),
        cmocka_unit_test(test_notes_and_epochs),
        cmocka_unit_test(test_failed_journal_ends_the_store),
        cmocka_unit_test(test_full_segment_disk_stops_and_resumes),
        cmocka_unit_test(test_watermark),
        cmocka_unit_test(test_room_is_bounded),
        cmocka_unit_test(test_last_group_torn),
        cmocka_unit_test(test_damage_below_synced_refuses),
        cmocka_unit_test(test_lost_journal_refuses),
        cmocka_unit_test(test_foreign_journal_refuses),
        cmocka_unit_test(test_missing_segment_refuses),
        cmocka_unit_test(test_ring_goes_round),
        cmocka_unit_test(test_thousands_of_replicas_are_cheap),
        cmocka_unit_test(test_a_restart_syncs_little),
        cmocka_unit_test(test_scan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
