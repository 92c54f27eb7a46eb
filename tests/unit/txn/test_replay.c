#include "txn/replay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct txn_replay_key key(uint64_t partition, uint64_t kid, uint32_t n)
{
    struct txn_replay_key k = {.partition = partition, .kid_hash = kid};
    memcpy(k.jti, &n, sizeof n);
    return k;
}

static void test_once_within_the_window(void **state)
{
    (void)state;
    struct txn_replay *r = txn_replay_new(1 << 20, 9);
    struct txn_replay_key a = key(1, 2, 3), b = key(2, 2, 3), c = key(1, 3, 3), d = key(1, 2, 4);
    int64_t seen = -1;
    assert_int_equal(txn_replay_insert(r, &a, 10, 120000, 10, 0, &seen), TXN_REPLAY_NEW);
    assert_int_equal(txn_replay_insert(r, &a, 11, 120000, 11, 0, &seen), TXN_REPLAY_SEEN);
    assert_int_equal(seen, 10);
    assert_int_equal(txn_replay_insert(r, &b, 12, 120000, 12, 0, &seen), TXN_REPLAY_NEW);
    assert_int_equal(txn_replay_insert(r, &c, 13, 120000, 13, 0, &seen), TXN_REPLAY_NEW);
    assert_int_equal(txn_replay_insert(r, &d, 14, 120000, 14, 0, &seen), TXN_REPLAY_NEW);
    txn_replay_remove(r, &d); /* its batch was refused */
    assert_false(txn_replay_find(r, &d, 20, 0, &seen));
    assert_true(txn_replay_find(r, &c, 20, 120999, &seen)); /* never early */
    assert_int_equal(seen, 13);
    assert_false(txn_replay_find(r, &c, 20, 121000, &seen));
    txn_replay_check_invariants(r);
    txn_replay_free(r);
}

static void test_offsets_beyond_forty_bits(void **state)
{
    (void)state;
    struct txn_replay *r = txn_replay_new(1 << 20, 9);
    int64_t seen, big = (INT64_C(1) << 52) + 12345;
    struct txn_replay_key a = key(1, 2, 3);
    assert_int_equal(txn_replay_insert(r, &a, big, 1000, big, 0, &seen), TXN_REPLAY_NEW);
    assert_true(txn_replay_find(r, &a, big + 1, 0, &seen));
    assert_int_equal(seen, big);
    assert_true(txn_replay_find(r, &a, big + 99999999, 0, &seen));
    assert_int_equal(seen, big);
    txn_replay_free(r);
}

static void test_full_forgets_nothing(void **state)
{
    (void)state;
    struct txn_replay *r = txn_replay_new(64 << 10, 9);
    int64_t seen;
    uint32_t n = 0;
    for (; n < 10000; n++) {
        struct txn_replay_key k = key(1, 1, n);
        if (txn_replay_insert(r, &k, n, 60000, n, 1000, &seen) == TXN_REPLAY_FULL) {
            break;
        }
    }
    assert_in_range(n, 1500, 4096); /* of 4096 slots in all shards */
    for (uint32_t i = 0; i < n; i++) {
        struct txn_replay_key k = key(1, 1, i);
        assert_true(txn_replay_find(r, &k, n, 60000, &seen));
        assert_int_equal(seen, i);
    }
    struct txn_replay_stats st;
    txn_replay_stats(r, &st);
    assert_int_equal(st.entries, n);
    assert_true(st.full_refusals >= 1 && st.memory_bytes <= (64 << 10) + 8192);
    /* once their time is over there is room again */
    for (uint32_t i = 0; i < 1000; i++) {
        struct txn_replay_key k = key(1, 1, 20000 + i);
        assert_int_equal(txn_replay_insert(r, &k, i, 200000, i, 62000, &seen), TXN_REPLAY_NEW);
    }
    txn_replay_check_invariants(r);
    for (int i = 0; i < TXN_REPLAY_SHARDS; i++) {
        txn_replay_tick(r, 62000);
    }
    txn_replay_stats(r, &st);
    assert_int_equal(st.entries, 1000);
    for (int i = 0; i < TXN_REPLAY_SHARDS; i++) {
        txn_replay_tick(r, 300000);
    }
    txn_replay_stats(r, &st);
    assert_int_equal(st.entries, 0);
    txn_replay_free(r);
}

static void test_clock_goes_back(void **state)
{
    (void)state;
    struct txn_replay *r = txn_replay_new(1 << 20, 9);
    int64_t seen;
    struct txn_replay_key a = key(1, 1, 1), b = key(1, 1, 2);
    assert_int_equal(txn_replay_insert(r, &a, 1, 50000, 1, 0, &seen), TXN_REPLAY_NEW);
    for (int i = 0; i < TXN_REPLAY_SHARDS; i++) {
        txn_replay_tick(r, 100000); /* forgotten */
    }
    assert_int_equal(txn_replay_insert(r, &a, 2, 50000, 2, 10000, &seen), TXN_REPLAY_TOO_OLD);
    assert_int_equal(txn_replay_insert(r, &b, 2, 100001, 2, 10000, &seen), TXN_REPLAY_NEW);
    txn_replay_free(r);
}

static void test_random_against_model(void **state)
{
    (void)state;
    enum { KEYS = 3000 };
    static int64_t offset[KEYS], expires[KEYS];
    uint32_t x = 1;
    struct txn_replay *r = txn_replay_new(1 << 20, 5);
    memset(expires, 0, sizeof expires);
    int64_t now = 1;
    for (int i = 0; i < 200000; i++) {
        x = x * 1664525u + 1013904223u;
        uint32_t k = (x >> 8) % KEYS;
        struct txn_replay_key at = key(k % 7, k % 3, k);
        bool alive = now / 1000 <= (expires[k] + 999) / 1000 && expires[k];
        int64_t seen = -1;
        if (x >> 31) {
            enum txn_replay_answer a = txn_replay_insert(r, &at, i, now + 4000, i, now, &seen);
            assert_int_equal(a, alive ? TXN_REPLAY_SEEN : TXN_REPLAY_NEW);
            if (a == TXN_REPLAY_NEW) {
                offset[k] = i;
                expires[k] = now + 4000;
            } else {
                assert_int_equal(seen, offset[k]);
            }
        } else if ((x >> 28) % 4 == 0) {
            txn_replay_remove(r, &at);
            expires[k] = 0;
        } else {
            assert_int_equal(txn_replay_find(r, &at, i, now, &seen), alive);
            assert_true(!alive || seen == offset[k]);
        }
        if (i % 50 == 0) {
            now += 37;
            txn_replay_tick(r, now);
        }
        if (i % 5000 == 0) {
            txn_replay_check_invariants(r);
        }
    }
    txn_replay_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_once_within_the_window),
        cmocka_unit_test(test_offsets_beyond_forty_bits),
        cmocka_unit_test(test_full_forgets_nothing),
        cmocka_unit_test(test_clock_goes_back),
        cmocka_unit_test(test_random_against_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
