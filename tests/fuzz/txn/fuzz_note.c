/* The producers' note: decoded, checked, encoded again, decoded again. */
#include "base/check.h"
#include "txn/producer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct txn_config c = {.seed = 1};
    struct txn_producers *t = txn_producers_new(&c), *again = txn_producers_new(&c);
    struct bytes note = {0}, second = {0};
    struct err err;
    if (txn_decode(t, slice_of(data, size), &err) == 0) {
        txn_check_invariants(t);
        txn_encode(t, &note);
        ASSERT(txn_decode(again, bytes_slice(&note), &err) == 0);
        txn_encode(again, &second);
        ASSERT(slice_eq(bytes_slice(&note), bytes_slice(&second)));
    }
    bytes_free(&note);
    bytes_free(&second);
    txn_producers_free(t);
    txn_producers_free(again);
    return 0;
}
