#include "txn/ids.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_each_id_once(void **state)
{
    (void)state;
    struct txn_ids ids;
    txn_ids_init(&ids);
    assert_int_equal(txn_ids_take(&ids), -1);
    assert_true(txn_ids_ask(&ids, 10));
    assert_false(txn_ids_ask(&ids, 10)); /* one is on its way */
    assert_true(txn_ids_add(&ids, 0, 3));
    assert_true(txn_ids_ask(&ids, 10));
    assert_true(txn_ids_add(&ids, 1000, 2)); /* another node had 3 .. 999 */
    int64_t expect[] = {0, 1, 2, 1000, 1001, -1, -1};
    assert_int_equal(txn_ids_left(&ids), 5);
    for (int i = 0; i < 7; i++) {
        assert_int_equal(txn_ids_take(&ids), expect[i]);
    }
    assert_true(txn_ids_ask(&ids, 1));
    txn_ids_asked_in_vain(&ids);
    assert_true(txn_ids_ask(&ids, 1));
}

static void test_blocks_are_bounded(void **state)
{
    (void)state;
    struct txn_ids ids;
    txn_ids_init(&ids);
    int64_t at = 0;
    for (int i = 0; i < TXN_ID_BLOCKS_MAX; i++, at += 10) {
        assert_true(txn_ids_add(&ids, at, 10));
    }
    assert_false(txn_ids_add(&ids, at, 10)); /* lost, and so never given */
    int64_t last = -1, id;
    int n = 0;
    while ((id = txn_ids_take(&ids)) >= 0) {
        assert_true(id > last);
        last = id;
        n++;
    }
    assert_int_equal(n, 10 * TXN_ID_BLOCKS_MAX);
    assert_true(txn_ids_add(&ids, at + 10, 10));
    assert_int_equal(txn_ids_take(&ids), at + 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_id_once),
        cmocka_unit_test(test_blocks_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
