/* Every bound of the txn room in one place. */
#ifndef TXN_LIMITS_H
#define TXN_LIMITS_H

enum {
    TXN_BATCHES = 5,      /* remembered per producer (KIP-98: max.in.flight of an idempotent one) */
    TXN_PENDING_MAX = 64, /* batches of one producer on their way in one partition */
    TXN_PRODUCERS_MAX = 4096, /* of one partition, when the caller does not say */
    TXN_ID_BLOCKS_MAX = 4,    /* blocks of producer ids waiting to be given out */
    TXN_REPLAY_SHARDS = 64,   /* of the replay memory: it grows one shard at a time */
    TXN_REPLAY_SWEEP = 8,     /* entries looked at for expiry with each insert */
};

#define TXN_EXPIRY_DEFAULT_MS (INT64_C(7) * 86400000)

#endif
