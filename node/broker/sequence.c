/* Idempotent producers (KIP-98, KIP-360): the partition's memory of sequences, asked in the order
 * of the admission queue. A refused batch leaves it untouched, so what the producer had sent behind
 * it is out of order (45), which clients expect. */
#include "broker/state.h"

struct txn_batch sequence_batch(const struct wire_batch *batch)
{
    return (struct txn_batch){
        .producer_id = batch->producer_id,
        .epoch = batch->producer_epoch,
        .base_sequence = batch->base_sequence,
        .records_n = batch->records_count,
    };
}

int16_t sequence_check(struct broker *b, struct partition *p, const struct wire_batch *batch,
                       struct txn_stored *stored, const char **message)
{
    const char *ignored;
    if (batch->producer_id < 0)
        return 0;
    if (!message)
        message = &ignored;
    struct txn_batch t = sequence_batch(batch);
    switch (txn_check(p->producers, &t, b->now_ms, stored)) {
    case TXN_NEXT:
        return 0;
    case TXN_DUPLICATE:
        return -1;
    case TXN_OUT_OF_ORDER:
        *message = "the batch's sequence is not the next of its producer";
        return WIRE_E_OUT_OF_ORDER_SEQUENCE_NUMBER;
    case TXN_INVALID_EPOCH:
        *message = "the producer has a newer epoch";
        return WIRE_E_INVALID_PRODUCER_EPOCH;
    case TXN_UNKNOWN_PRODUCER:
        *message = "nothing is known of this producer, and its sequence does not begin at 0";
        return WIRE_E_UNKNOWN_PRODUCER_ID;
    case TXN_IN_FLIGHT: /* nothing is reserved here: the admission queue keeps the order */
    case TXN_FULL:
        *message = "too many producers write to this partition; try again";
        return WIRE_E_NOT_ENOUGH_REPLICAS;
    }
    UNREACHABLE();
}

void sequence_appended(struct broker *b, struct partition *p, const struct wire_batch *batch,
                       int64_t base_offset)
{
    if (batch->producer_id < 0)
        return;
    struct txn_batch t = sequence_batch(batch);
    bool kept = txn_record(p->producers, &t, base_offset, -1, b->now_ms);
    ASSERT(kept); /* sequence_check has said that there is room */
}

void sequence_tick(struct broker *b)
{
    if (b->now_ms < b->expire_at_ms)
        return;
    b->expire_at_ms = b->now_ms + BROKER_PRODUCER_EXPIRY_EVERY_MS;
    struct map_iter it = {0};
    while (map_next(&b->topics_by_id, &it)) {
        const struct topic_row *t = it.value;
        for (int32_t i = 0; i < t->partitions_n; i++)
            if (t->partition[i])
                txn_expire(t->partition[i]->producers, b->now_ms);
    }
}
