#include "txn/ids.h"

#include "base/check.h"

void txn_ids_init(struct txn_ids *ids)
{
    *ids = (struct txn_ids){0};
}

bool txn_ids_add(struct txn_ids *ids, int64_t first, int64_t n)
{
    ASSERT(first >= ids->highest_end && n > 0 && n <= INT64_MAX - first);
    ids->asked = false;
    ids->highest_end = first + n;
    for (int i = 0; i < TXN_ID_BLOCKS_MAX; i++) {
        if (ids->block[i].next == ids->block[i].end) {
            ids->block[i].next = first;
            ids->block[i].end = first + n;
            return true;
        }
    }
    return false;
}

int64_t txn_ids_take(struct txn_ids *ids)
{
    int lowest = -1;
    for (int i = 0; i < TXN_ID_BLOCKS_MAX; i++) {
        if (ids->block[i].next < ids->block[i].end &&
            (lowest < 0 || ids->block[i].next < ids->block[lowest].next)) {
            lowest = i;
        }
    }
    return lowest < 0 ? -1 : ids->block[lowest].next++;
}

int64_t txn_ids_left(const struct txn_ids *ids)
{
    int64_t n = 0;
    for (int i = 0; i < TXN_ID_BLOCKS_MAX; i++) {
        n += ids->block[i].end - ids->block[i].next;
    }
    return n;
}

bool txn_ids_ask(struct txn_ids *ids, int64_t low)
{
    if (ids->asked || txn_ids_left(ids) >= low) {
        return false;
    }
    ids->asked = true;
    return true;
}

void txn_ids_asked_in_vain(struct txn_ids *ids)
{
    ids->asked = false;
}
