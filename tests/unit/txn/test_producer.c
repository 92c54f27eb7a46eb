#include "txn/producer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct txn_producers *table(size_t most)
{
    struct txn_config c = {.producers_max = most, .expiry_ms = 10000, .seed = 7};
    return txn_producers_new(&c);
}

/* ---- golden transcripts: each line is a request and what a broker must say ----
 *   check  PID EPOCH SEQ N  ANSWER [BASE]     asks only
 *   write  PID EPOCH SEQ N  ANSWER [BASE]     asks, and stores when next, at the next offset
 *   send   PID EPOCH SEQ N  ANSWER  =NAME     asks, and reserves when next, under a name
 *   ok     NAME  BASE | 45                    its turn came and the records were good
 *   bad    NAME                               refused
 *   time   MS    forget    restart            (restart: encode, decode, go on) */

struct play {
    struct txn_producers *t;
    int64_t now_ms, offset;
    struct {
        int64_t pid;
        uint64_t ticket;
        int n;
    } named[26];
};

static const char *const answers[] = {"next", "dup", "flying", "45", "47", "59", "full"};

static void restart(struct play *pl)
{
    struct bytes note = {0};
    txn_encode(pl->t, &note);
    txn_producers_free(pl->t);
    pl->t = table(3);
    struct err err;
    if (txn_decode(pl->t, bytes_slice(&note), &err)) {
        fail_msg("%s", err.msg);
    }
    bytes_free(&note);
}

static void play_batch(struct play *pl, const char *line, const char *verb)
{
    long long pid, epoch, seq, n, base = -1;
    char answer[16], name = 0;
    int got = sscanf(line, "%*s %lld %lld %lld %lld %15s", &pid, &epoch, &seq, &n, answer);
    assert_int_equal(got, 5);
    sscanf(line, "%*s %*d %*d %*d %*d %*s =%c", &name);
    sscanf(line, "%*s %*d %*d %*d %*d %*s %lld", &base);
    struct txn_batch b = {pid, (int16_t)epoch, (int32_t)seq, (int32_t)n};
    struct txn_stored stored = {.base_offset = -1};
    enum txn_answer a = txn_check(pl->t, &b, pl->now_ms, &stored);
    if (strcmp(answers[a], answer) != 0) {
        fail_msg("'%s' was answered %s", line, answers[a]);
    }
    if (a == TXN_DUPLICATE) {
        assert_int_equal(stored.base_offset, base);
        assert_int_equal(stored.last_offset, base + n - 1);
        assert_int_equal(stored.append_time_ms, 77);
    } else if (a == TXN_NEXT && strcmp(verb, "write") == 0) {
        assert_int_equal(pl->offset, base);
        assert_true(txn_record(pl->t, &b, pl->offset, 77, pl->now_ms));
        pl->offset += n;
    } else if (a == TXN_NEXT && strcmp(verb, "send") == 0) {
        assert_in_range(name, 'a', 'z');
        pl->named[name - 'a'].pid = pid;
        pl->named[name - 'a'].n = (int)n;
        pl->named[name - 'a'].ticket = txn_reserve(pl->t, &b, pl->now_ms);
    }
}

static void play_turn(struct play *pl, const char *line, const char *verb)
{
    char name, what[16] = "";
    assert_true(sscanf(line, "%*s %c %15s", &name, what) >= 1);
    int i = name - 'a';
    bool next = txn_still_next(pl->t, pl->named[i].pid, pl->named[i].ticket);
    if (strcmp(verb, "bad") == 0) {
        txn_abandon(pl->t, pl->named[i].pid, pl->named[i].ticket);
    } else if (strcmp(what, "45") == 0) {
        assert_false(next);
        txn_abandon(pl->t, pl->named[i].pid, pl->named[i].ticket);
    } else {
        if (!next) {
            fail_msg("'%s' is not next any more", line);
        }
        assert_int_equal(pl->offset, atoll(what));
        txn_commit(pl->t, pl->named[i].pid, pl->named[i].ticket, pl->offset, 77, pl->now_ms);
        pl->offset += pl->named[i].n;
    }
}

static void play(const char *const *script)
{
    struct play pl = {.t = table(3), .now_ms = 100};
    for (; *script; script++) {
        char verb[16];
        assert_int_equal(sscanf(*script, "%15s", verb), 1);
        if (strcmp(verb, "time") == 0) {
            pl.now_ms += atoll(*script + 5);
        } else if (strcmp(verb, "forget") == 0) {
            txn_expire(pl.t, pl.now_ms);
        } else if (strcmp(verb, "restart") == 0) {
            restart(&pl);
        } else if (strcmp(verb, "ok") == 0 || strcmp(verb, "bad") == 0) {
            play_turn(&pl, *script, verb);
        } else {
            play_batch(&pl, *script, verb);
        }
        txn_check_invariants(pl.t);
    }
    txn_producers_free(pl.t);
}

#define PLAY(...) play((const char *const[]){__VA_ARGS__, NULL})

static void test_in_order(void **state)
{
    (void)state;
    PLAY("write 1 0 0 10 next 0", "write 1 0 10 5 next 10", "write 1 0 15 1 next 15",
         "write 1 0 17 1 45", /* a gap */
         "write 1 0 0 10 dup 0", "write 1 0 10 5 dup 10", "write 1 0 15 1 dup 15",
         "write 1 0 10 4 45", /* the same begin, another length: not a retry */
         "write 2 0 5 1 59",  /* nobody knows it */
         "write 2 0 0 1 next 16");
}

static void test_five_are_remembered(void **state)
{
    (void)state;
    PLAY("write 1 0 0 1 next 0", "write 1 0 1 1 next 1", "write 1 0 2 1 next 2",
         "write 1 0 3 1 next 3", "write 1 0 4 1 next 4", "write 1 0 0 1 dup 0",
         "write 1 0 5 1 next 5", "write 1 0 0 1 45", "write 1 0 1 1 dup 1", "write 1 0 5 1 dup 5",
         "restart", "write 1 0 0 1 45", "write 1 0 1 1 dup 1", "write 1 0 5 1 dup 5",
         "write 1 0 6 1 next 6");
}

static void test_epochs(void **state)
{
    (void)state;
    PLAY("write 1 3 0 2 next 0", "write 1 2 2 1 47",
         "write 1 4 2 1 45",     /* raised, but not from 0 */
         "write 1 4 0 2 next 2", /* raised locally */
         "write 1 3 0 2 47", "write 1 4 0 2 dup 2", "write 1 4 2 1 next 4", "restart",
         "write 1 3 2 1 47", "write 1 4 2 1 dup 4", "write 1 9 0 1 next 5");
}

static void test_sequence_wraps(void **state)
{
    (void)state;
    PLAY("write 1 0 0 2147483640 next 0", "write 1 0 2147483640 5 next 2147483640",
         "write 1 0 2147483645 6 next 2147483645", /* over the edge */
         "write 1 0 2147483645 6 dup 2147483645", "write 1 0 4 1 45",
         "write 1 0 3 2 next 2147483651", "restart", "write 1 0 5 1 next 2147483653");
    PLAY("write 1 0 0 2147483647 next 0", "write 1 0 2147483647 1 next 2147483647",
         "write 1 0 0 1 next 2147483648");
}

static void test_a_refused_batch_leaves_no_trace(void **state)
{
    (void)state;
    PLAY("write 1 0 0 3 next 0", "send 1 0 3 2 next =a", "send 1 0 5 2 next =b",
         "send 1 0 7 2 next =c", "check 1 0 3 2 flying", "check 1 0 9 1 next", "bad a",
         "check 1 0 9 1 45", "ok b 45", /* pipelined behind it */
         "send 1 0 3 2 next =d",        /* repaired and sent again */
         "ok c 45", "ok d 3", "write 1 0 5 2 next 5", "write 1 0 0 3 dup 0");
}

static void test_the_first_batch_refused(void **state)
{
    (void)state;
    PLAY("send 1 0 0 1 next =a", "send 1 0 1 1 next =b", "bad a", "ok b 45", "write 1 0 2 1 45",
         "write 1 0 0 1 next 0");
    /* and a raised epoch after a refusal */
    PLAY("write 1 0 0 1 next 0", "send 1 0 1 1 next =a", "send 1 0 2 1 next =b", "bad a",
         "send 1 1 0 1 next =c", "ok b 45", "ok c 1", "write 1 0 1 1 47", "write 1 1 1 1 next 2");
    /* an epoch that was only ever refused fences nobody */
    PLAY("write 1 0 0 1 next 0", "send 1 1 0 1 next =a", "check 1 0 1 1 47", "bad a",
         "write 1 0 1 1 next 1");
}

static void test_expiry_and_bound(void **state)
{
    (void)state;
    PLAY("write 1 0 0 1 next 0", "time 5000", "write 2 0 0 1 next 1", "write 3 0 0 1 next 2",
         "write 4 0 0 1 full", "write 1 0 1 1 next 3", /* the known ones go on */
         "time 9000", "write 4 0 0 1 full", "time 2000", "write 2 0 1 1 59", /* expired */
         "write 4 0 0 1 next 4", "write 4 0 0 1 dup 4");
    PLAY("write 1 0 0 1 next 0", "time 10001", "forget", "write 1 0 1 1 59");
    /* those that never got anything stored make room */
    PLAY("send 1 0 0 1 next =a", "send 2 0 0 1 next =b", "send 3 0 0 1 next =c",
         "check 4 0 0 1 full", "bad b", "write 4 0 0 1 next 0", "ok a 1", "ok c 2");
}

static void test_malformed_note(void **state)
{
    (void)state;
    struct txn_producers *t = table(0);
    struct bytes note = {0};
    for (int64_t pid = 0; pid < 20; pid++) {
        for (int32_t i = 0; i < 7; i++) {
            struct txn_batch b = {pid, 1, i * 3, 3};
            assert_true(txn_record(t, &b, pid * 100 + i * 3, -1, 50 + pid));
        }
    }
    txn_encode(t, &note);
    txn_producers_free(t);
    assert_int_equal(note.n, 8 + 20 * (20 + 5 * 24));
    struct err err;
    for (size_t n = 0; n < note.n; n++) {
        t = table(0);
        assert_int_equal(txn_decode(t, slice_of(note.p, n), &err), ERR_CORRUPT);
        txn_producers_free(t);
    }
    note.p[3] = 2;
    t = table(0);
    assert_int_equal(txn_decode(t, bytes_slice(&note), &err), ERR_UNSUPPORTED);
    txn_producers_free(t);
    bytes_free(&note);
}

/* ---- against a model that keeps every batch ever stored ---- */

enum { PIDS = 4, HISTORY = 4000 };

struct model_batch {
    int16_t epoch;
    int32_t seq, n;
    int64_t offset;
};

struct model {
    struct model_batch all[PIDS][HISTORY];
    int count[PIDS];
};

static uint32_t rnd_state;
static uint32_t rnd(uint32_t n)
{
    rnd_state = rnd_state * 1664525u + 1013904223u;
    return (rnd_state >> 8) % n;
}

static enum txn_answer model_answer(const struct model *m, int64_t pid, const struct txn_batch *b,
                                    int64_t *offset)
{
    int count = m->count[pid];
    if (!count) {
        return b->base_sequence ? TXN_UNKNOWN_PRODUCER : TXN_NEXT;
    }
    const struct model_batch *last = &m->all[pid][count - 1];
    if (b->epoch < last->epoch) {
        return TXN_INVALID_EPOCH;
    }
    if (b->epoch > last->epoch) {
        return b->base_sequence ? TXN_OUT_OF_ORDER : TXN_NEXT;
    }
    for (int i = count - 1; i >= 0 && i >= count - 5 && m->all[pid][i].epoch == b->epoch; i--) {
        if (m->all[pid][i].seq == b->base_sequence && m->all[pid][i].n == b->records_n) {
            *offset = m->all[pid][i].offset;
            return TXN_DUPLICATE;
        }
    }
    return b->base_sequence == last->seq + last->n ? TXN_NEXT : TXN_OUT_OF_ORDER;
}

static void test_random_against_model(void **state)
{
    (void)state;
    static struct model m;
    for (uint32_t seed = 1; seed <= 30; seed++) {
        rnd_state = seed;
        memset(&m, 0, sizeof m);
        struct play pl = {.t = table(8)};
        for (int i = 0; i < 2000; i++) {
            int64_t pid = rnd(PIDS);
            int count = m.count[pid];
            const struct model_batch *last = count ? &m.all[pid][count - 1] : NULL;
            struct txn_batch b = {pid, last ? last->epoch : 0, last ? last->seq + last->n : 0,
                                  (int32_t)(1 + rnd(3))};
            uint32_t kind = rnd(10);
            if (kind < 3 && last) { /* a retry, near or far */
                const struct model_batch *old =
                    &m.all[pid][count - 1 - (int)rnd(count < 8 ? (uint32_t)count : 8)];
                b = (struct txn_batch){pid, old->epoch, old->seq, old->n};
            } else if (kind == 3) {
                b.base_sequence += (int32_t)rnd(3);
            } else if (kind == 4) {
                b.epoch = (int16_t)(b.epoch + (int)rnd(3) - 1);
                b.base_sequence = rnd(2) ? 0 : b.base_sequence;
                b.epoch = b.epoch < 0 ? 0 : b.epoch;
            } else if (kind == 5 && rnd(20) == 0) {
                restart(&pl);
            }
            int64_t offset = -1;
            enum txn_answer expect = model_answer(&m, pid, &b, &offset);
            struct txn_stored stored = {.base_offset = -1};
            assert_int_equal(txn_check(pl.t, &b, i, &stored), expect);
            assert_int_equal(stored.base_offset, offset);
            if (expect == TXN_NEXT) {
                m.all[pid][m.count[pid]++] =
                    (struct model_batch){b.epoch, b.base_sequence, b.records_n, pl.offset};
                if (rnd(2)) {
                    uint64_t ticket = txn_reserve(pl.t, &b, i);
                    assert_true(txn_still_next(pl.t, pid, ticket));
                    txn_commit(pl.t, pid, ticket, pl.offset, 77, i);
                } else {
                    assert_true(txn_record(pl.t, &b, pl.offset, 77, i));
                }
                pl.offset += b.records_n;
            }
            txn_check_invariants(pl.t);
        }
        txn_producers_free(pl.t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_order),
        cmocka_unit_test(test_five_are_remembered),
        cmocka_unit_test(test_epochs),
        cmocka_unit_test(test_sequence_wraps),
        cmocka_unit_test(test_a_refused_batch_leaves_no_trace),
        cmocka_unit_test(test_the_first_batch_refused),
        cmocka_unit_test(test_expiry_and_bound),
        cmocka_unit_test(test_malformed_note),
        cmocka_unit_test(test_random_against_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
