/* The replay memory of signed records (signature.md): within the signature's window, a (key id,
 * jti) is stored once in a partition. One memory for the node, bounded in bytes; nothing is
 * forgotten before its time, so when it is full an insert fails and the write gets a retriable
 * error.
 *
 * An entry takes 16 bytes: a keyed 64-bit fingerprint of (partition, key id, jti), the low 40 bits
 * of the offset and the expiry in seconds. Two different records share a fingerprint with
 * probability 2^-64 per pair, and nobody without the seed can aim for it; the worst result is one
 * refusal.
 *
 * After a start it is rebuilt from the tail of the log: txn_replay_insert for each signed record of
 * the window. */
#ifndef TXN_REPLAY_H
#define TXN_REPLAY_H

#include "base/slice.h"
#include "txn/limits.h"

struct txn_replay;

struct txn_replay_key {
    uint64_t partition; /* the caller's name for topic and partition, never reused within a run */
    uint64_t kid_hash;
    uint8_t jti[12];
};

enum txn_replay_answer {
    TXN_REPLAY_NEW,
    TXN_REPLAY_SEEN,    /* *offset: where the record is stored */
    TXN_REPLAY_FULL,    /* retriable */
    TXN_REPLAY_TOO_OLD, /* the memory has forgotten that time already (the clock went back) */
};

struct txn_replay *txn_replay_new(uint64_t max_bytes, uint64_t seed);
void txn_replay_free(struct txn_replay *r);

/* Looks the record up and, when it is new, remembers it until expires_ms (iat + window):
 * TXN_REPLAY_NEW means inserted. offset: where it will be stored. end_offset: the partition's end
 * now, from which the full offset of a seen record is told. */
enum txn_replay_answer txn_replay_insert(struct txn_replay *r, const struct txn_replay_key *key,
                                         int64_t offset, int64_t expires_ms, int64_t end_offset,
                                         int64_t now_ms, int64_t *seen_offset);
bool txn_replay_find(const struct txn_replay *r, const struct txn_replay_key *key,
                     int64_t end_offset, int64_t now_ms, int64_t *seen_offset);
/* Takes an insert back: another record of the same batch was refused. */
void txn_replay_remove(struct txn_replay *r, const struct txn_replay_key *key);
/* Forgets a part of what has expired; call once a second. */
void txn_replay_tick(struct txn_replay *r, int64_t now_ms);

struct txn_replay_stats {
    uint64_t entries, memory_bytes, max_bytes, full_refusals;
};
void txn_replay_stats(const struct txn_replay *r, struct txn_replay_stats *out);
void txn_replay_check_invariants(const struct txn_replay *r);

#endif
