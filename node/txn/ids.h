/* Producer ids for InitProducerId: blocks come from the catalogue, which never gives a block twice;
 * from a block each id is given out once. What is left at a crash is lost, which is the point. */
#ifndef TXN_IDS_H
#define TXN_IDS_H

#include "txn/limits.h"

#include <stdbool.h>
#include <stdint.h>

struct txn_ids {
    struct {
        int64_t next, end; /* [next, end) is left */
    } block[TXN_ID_BLOCKS_MAX];
    int64_t highest_end; /* of all blocks ever added */
    bool asked;          /* a block is on its way */
};

void txn_ids_init(struct txn_ids *ids);
/* The catalogue's answer: ids first .. first + n - 1. Asserts that the block is above all before.
 * It ends the asking. False: no room for it (the block is lost, not harmful). */
bool txn_ids_add(struct txn_ids *ids, int64_t first, int64_t n);
int64_t txn_ids_take(struct txn_ids *ids); /* -1: none left, ask for a block */
int64_t txn_ids_left(const struct txn_ids *ids);
/* True once when fewer than `low` are left and no block is on its way: ask the catalogue now. */
bool txn_ids_ask(struct txn_ids *ids, int64_t low);
void txn_ids_asked_in_vain(struct txn_ids *ids); /* the catalogue refused: ask again later */

#endif
