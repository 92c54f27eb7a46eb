/* Damage to stored bytes: whatever single byte of whatever file changes, the store either refuses
 * to start with a sentence, or opens and serves only bytes as they were appended. Nothing that a
 * client could notice is lost, unless the damage is in the journal's last group, which cannot be
 * told from one that was never synced. */
#include "log_fixture.h"

#include "base/bytes.h"
#include "base/codec.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

enum { BATCHES = 160 };

struct made {
    struct fixture fx;
    struct buf *batch[BATCHES];
};

/* One partition, several segments; `quiet`: with a checkpoint at the end, nothing to replay. */
static void make(struct made *m, uint64_t seed, bool quiet)
{
    fx_init(&m->fx, seed);
    assert_int_equal(fx_open(&m->fx), 0);
    struct plog_id id = fx_id(1, 0);
    struct plog *p = store_create(m->fx.s, &id, m->fx.now_ms);
    for (int i = 0; i < BATCHES; i++) {
        m->batch[i] = fx_batch(1, 100 + (size_t)(i * 37) % 300, 1000 + i, 0, (uint8_t)i);
        fx_append_buf(&m->fx, p, m->batch[i], 1, 1000 + i);
        fx_drain(&m->fx);
    }
    if (quiet) {
        m->fx.now_ms += 6000;
        fx_tick(&m->fx);
        fx_drain(&m->fx);
    }
    fx_close(&m->fx);
}

static void unmake(struct made *m)
{
    for (int i = 0; i < BATCHES; i++) {
        buf_unref(m->batch[i]);
    }
    fx_free(&m->fx);
}

/* Reads all that may be served; what fails its check is not served. Returns how many batches were.
 */
static int serve(struct made *m, struct plog *p, int *corrupt)
{
    struct fixture *fx = &m->fx;
    struct disk *d = sim_disk_disk(fx->sd);
    int served = 0;
    for (int64_t at = 0; at < plog_stable_offset(p);) {
        struct plog_range r;
        int e = plog_read(fx->s, p, at, 1, INT64_MAX, &r, &fx->err);
        if (e == 0 && !r.verified) {
            e = plog_verify(fx->s, p, &r, &fx->err);
        }
        if (e) {
            assert_int_equal(e, ERR_CORRUPT);
            ++*corrupt;
            at++;
            continue;
        }
        uint8_t bytes[2048];
        assert_int_equal(r.first_offset, at);
        assert_true(r.size_bytes <= sizeof bytes);
        assert_int_equal(d->read(d, r.path, r.position, bytes, r.size_bytes), r.size_bytes);
        assert_true(slice_eq(slice_of(bytes, r.size_bytes), buf_bytes(m->batch[at])));
        served++;
        at++;
    }
    return served;
}

struct file_list {
    struct bytes names;
    const char *dir;
};

static void add_name(void *arg, const char *name)
{
    struct file_list *l = arg;
    bytes_printf(&l->names, "%s/%s", l->dir, name);
    bytes_add_u8(&l->names, 0);
}

static uint64_t rnd(uint64_t *s)
{
    *s = *s * 6364136223846793005u + 1442695040888963407u;
    return *s >> 33;
}

struct outcome {
    int refused, opened, corrupt, lost;
};

static void damage_once(struct made *m, const char *path, uint64_t at, uint8_t with,
                        struct outcome *out)
{
    struct sim_disk *sd = sim_disk_clone(m->fx.sd, at);
    struct made copy = *m;
    copy.fx.sd = sd;
    assert_true(sim_disk_poke(sd, path, at, with));
    if (fx_open(&copy.fx)) {
        assert_int_equal(copy.fx.err.code, ERR_CORRUPT);
        assert_non_null(strstr(copy.fx.err.msg, "restore")); /* it says what to do */
        out->refused++;
        sim_disk_free(sd);
        return;
    }
    struct plog_id id = fx_id(1, 0);
    struct plog *p = store_find(copy.fx.s, &id);
    assert_non_null(p);
    int corrupt = 0;
    int served = serve(&copy, p, &corrupt);
    out->opened++;
    out->corrupt += corrupt > 0;
    if (plog_stable_offset(p) < BATCHES) {
        assert_non_null(strstr(path, ".jnl"));
        assert_int_equal(plog_stable_offset(p), BATCHES - 1); /* the last group, no more */
        out->lost++;
    }
    assert_int_equal(served + corrupt, plog_stable_offset(p));
    store_check_invariants(copy.fx.s);
    fx_free(&copy.fx);
}

static void damage_everywhere(bool quiet, struct outcome *out)
{
    struct made m;
    make(&m, 77, quiet);
    struct disk *d = sim_disk_disk(m.fx.sd);
    static const char *const dirs[] = {"journal", "topics/1112131415161718191a1b1c1d1e1f20-0"};
    uint64_t random = 5;
    for (int i = 0; i < 2; i++) {
        struct file_list l = {.dir = dirs[i]};
        assert_int_equal(d->list(d, dirs[i], add_name, &l), 0);
        assert_true(l.names.n > 0);
        for (size_t at = 0; at < l.names.n; at += strlen((char *)l.names.p + at) + 1) {
            const char *path = (char *)l.names.p + at;
            uint64_t size = (uint64_t)d->size(d, path);
            for (int k = 0; k < 60; k++) {
                uint64_t where = rnd(&random) % (k % 2 || size < 200 ? size : 200);
                damage_once(&m, path, where, (uint8_t)(1u << rnd(&random) % 8), out);
            }
        }
        bytes_free(&l.names);
    }
    unmake(&m);
}

static void test_any_byte_after_a_checkpoint(void **state)
{
    (void)state;
    struct outcome out = {0};
    damage_everywhere(true, &out);
    assert_true(out.opened > 100 && out.corrupt > 50);
}

static void test_any_byte_with_a_journal_to_replay(void **state)
{
    (void)state;
    struct outcome out = {0};
    damage_everywhere(false, &out);
    assert_true(out.opened > 100 && out.refused > 3);
}

/* The tail of the journal: torn at any sector, zero-filled, or any bit of it. */
static void test_any_tail(void **state)
{
    (void)state;
    struct made m;
    make(&m, 78, false);
    /* the youngest group is the last page that is not zeros in the youngest file */
    struct disk *d = sim_disk_disk(m.fx.sd);
    uint64_t best_lsn = 0, best_at = 0;
    char best[64] = "";
    for (int slot = 0; slot < 8; slot++) {
        char path[64];
        snprintf(path, sizeof path, "journal/%04d.jnl", slot);
        uint8_t head[64];
        for (uint64_t at = 4096; d->read(d, path, at, head, sizeof head) == 64; at += 4096) {
            if (be32_get(head) == 0x57524a47 && be64_get(head + 24) >= best_lsn) {
                best_lsn = be64_get(head + 24);
                best_at = at;
                snprintf(best, sizeof best, "%s", path);
            }
        }
    }
    assert_true(best_at > 0);
    uint8_t group[4096];
    assert_int_equal(d->read(d, best, best_at, group, sizeof group), sizeof group);
    uint32_t n = be32_get(group + 44);
    struct outcome out = {0};
    for (uint64_t i = 0; i < n; i++) {
        damage_once(&m, best, best_at + i, (uint8_t)(1u << i % 8), &out);
    }
    assert_int_equal(out.refused, 0);
    assert_int_equal(out.lost, (int)n); /* every byte of a group is guarded */
    for (uint64_t i = 0; i * 512 < n; i++) {
        struct sim_disk *sd = sim_disk_clone(m.fx.sd, i);
        struct made copy = m;
        copy.fx.sd = sd;
        assert_true(sim_disk_zero(sd, best, best_at + i * 512, 512));
        assert_int_equal(fx_open(&copy.fx), 0);
        struct plog_id id = fx_id(1, 0);
        int corrupt = 0;
        assert_int_equal(serve(&copy, store_find(copy.fx.s, &id), &corrupt), BATCHES - 1);
        assert_int_equal(corrupt, 0);
        fx_free(&copy.fx);
    }
    unmake(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_byte_after_a_checkpoint),
        cmocka_unit_test(test_any_byte_with_a_journal_to_replay),
        cmocka_unit_test(test_any_tail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
