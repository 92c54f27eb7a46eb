/* What a partition remembers of its idempotent producers (KIP-98, KIP-360): per producer id the
 * epoch and the last five batches, so that a retry is answered from memory, a gap is refused and an
 * old epoch is fenced. Pure state; nothing here does I/O.
 *
 * The life of a batch: txn_check says what it is; for TXN_NEXT txn_reserve takes its place in the
 * sequence while its records are judged elsewhere; when it is its turn, txn_still_next asks again,
 * then txn_commit puts it into the memory, or txn_abandon forgets it. A refused batch leaves the
 * memory untouched; what the same producer had sent behind it is then no longer next, and is
 * answered 45 (kafka.md, "Sequence"). Batches that need no judging use txn_check and txn_record.
 *
 * The memory is kept with the log: txn_encode gives the note for plog_set_note, txn_decode and
 * txn_record over the batches behind it rebuild the memory after a start. */
#ifndef TXN_PRODUCER_H
#define TXN_PRODUCER_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/slice.h"
#include "txn/limits.h"

struct txn_producers; /* of one partition; costs nothing until the first producer */

struct txn_config {
    int64_t expiry_ms;    /* forget a producer that was silent this long; 0: 7 days. Must be longer
                             than records are kept where duplicates matter */
    size_t producers_max; /* 0: TXN_PRODUCERS_MAX */
    uint64_t seed;        /* of the hash */
};

struct txn_producers *txn_producers_new(const struct txn_config *config);
void txn_producers_free(struct txn_producers *t); /* NULL is allowed; tickets die with it */

/* What the header of a batch says. */
struct txn_batch {
    int64_t producer_id; /* >= 0: batches without one do not come here */
    int16_t epoch;
    int32_t base_sequence;
    int32_t records_n; /* > 0 */
};

enum txn_answer {
    TXN_NEXT,
    TXN_DUPLICATE,        /* stored before: answer success with what `stored` says, once stable */
    TXN_IN_FLIGHT,        /* the same batch is being judged: a retriable error (19) */
    TXN_OUT_OF_ORDER,     /* Kafka error 45 */
    TXN_INVALID_EPOCH,    /* 47: an older epoch than the newest seen */
    TXN_UNKNOWN_PRODUCER, /* 59: nothing is known of it and the sequence is not 0 */
    TXN_FULL, /* no room for another producer, none has expired: a retriable error (19) */
};

struct txn_stored {
    int64_t base_offset;
    int64_t last_offset;
    int64_t append_time_ms; /* as given to txn_commit */
};

/* stored may be NULL; filled for TXN_DUPLICATE. */
enum txn_answer txn_check(struct txn_producers *t, const struct txn_batch *b, int64_t now_ms,
                          struct txn_stored *stored);

/* After TXN_NEXT. Returns a ticket, never 0, good for the same producer id. */
uint64_t txn_reserve(struct txn_producers *t, const struct txn_batch *b, int64_t now_ms);
/* False: something before it was abandoned; abandon it too and answer 45. */
bool txn_still_next(const struct txn_producers *t, int64_t producer_id, uint64_t ticket);
/* In the order of the reservations of a producer. append_time_ms: what the broker answers as log
 * append time, -1 with create time. */
void txn_commit(struct txn_producers *t, int64_t producer_id, uint64_t ticket, int64_t base_offset,
                int64_t append_time_ms, int64_t now_ms);
void txn_abandon(struct txn_producers *t, int64_t producer_id, uint64_t ticket);

/* Takes a stored batch into the memory without questions: right after txn_check said TXN_NEXT, or
 * when replaying the log, whose word counts. False: full. */
bool txn_record(struct txn_producers *t, const struct txn_batch *b, int64_t base_offset,
                int64_t append_time_ms, int64_t now_ms);

/* Forgets what has expired; cheap enough for once a minute. */
void txn_expire(struct txn_producers *t, int64_t now_ms);
size_t txn_producers_count(const struct txn_producers *t);
size_t txn_producers_memory(const struct txn_producers *t); /* bytes */

/* The committed memory as bytes: version 1, see docs/internals/txn.md. Pending batches are not in
 * it: they are not in the log. */
void txn_encode(const struct txn_producers *t, struct bytes *out);
/* Into an empty table; takes all that is there, also beyond producers_max. ERR_CORRUPT: malformed;
 * ERR_UNSUPPORTED: of a newer version. */
int txn_decode(struct txn_producers *t, struct slice in, struct err *err);

void txn_check_invariants(const struct txn_producers *t);

#endif
