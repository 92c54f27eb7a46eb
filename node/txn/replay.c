#include "txn/replay.h"

#include "base/check.h"
#include "base/codec.h"
#include "base/map.h"
#include "base/mem.h"

/* 16 bytes. Expiry in seconds modulo 2^24 (194 days), offset modulo 2^40. */
struct slot {
    uint64_t fingerprint; /* 0: empty */
    uint64_t rest;        /* offset << 24 | expiry */
};

enum { EXPIRY_BITS = 24, SHARD_FIRST = 64 };
#define EXPIRY_MASK ((1u << EXPIRY_BITS) - 1)
#define OFFSET_MASK ((UINT64_C(1) << 40) - 1)

/* Open addressing, linear probing, deletion by shifting back: no tombstones, so look-ups stay short
 * however long the node runs. */
struct shard {
    struct slot *slot; /* owned */
    uint32_t cap, n;
    uint32_t sweep; /* where the search for expired entries goes on */
};

struct txn_replay {
    uint64_t max_bytes, seed;
    uint64_t bytes; /* of all slots */
    uint64_t full_refusals;
    int64_t horizon_ms; /* something that expired here may have been forgotten */
    uint32_t tick_shard;
    struct shard shard[TXN_REPLAY_SHARDS];
};

struct txn_replay *txn_replay_new(uint64_t max_bytes, uint64_t seed)
{
    struct txn_replay *r = MEM_NEW(struct txn_replay);
    r->max_bytes = max_bytes;
    r->seed = seed;
    r->horizon_ms = INT64_MIN;
    return r;
}

void txn_replay_free(struct txn_replay *r)
{
    if (r) {
        for (size_t i = 0; i < TXN_REPLAY_SHARDS; i++) {
            mem_free(r->shard[i].slot);
        }
        mem_free(r);
    }
}

static uint64_t fingerprint_of(const struct txn_replay *r, const struct txn_replay_key *key)
{
    uint8_t p[28];
    be64_put(p, key->partition);
    be64_put(p + 8, key->kid_hash);
    memcpy(p + 16, key->jti, sizeof key->jti);
    uint64_t h = hash_bytes(slice_of(p, sizeof p), r->seed);
    return h ? h : 1;
}

static struct shard *shard_of(const struct txn_replay *r, uint64_t fingerprint)
{
    return (struct shard *)&r->shard[fingerprint % TXN_REPLAY_SHARDS];
}

static uint32_t home_of(const struct shard *s, uint64_t fingerprint)
{
    return (uint32_t)(((fingerprint >> 32) * s->cap) >> 32);
}

static uint32_t find_slot(const struct shard *s, uint64_t fingerprint)
{
    if (!s->cap) {
        return UINT32_MAX;
    }
    uint32_t i = home_of(s, fingerprint);
    while (s->slot[i].fingerprint) {
        if (s->slot[i].fingerprint == fingerprint) {
            return i;
        }
        i = i + 1 == s->cap ? 0 : i + 1;
    }
    return UINT32_MAX;
}

/* The entry is gone for good once the clock is past its second. */
static bool slot_expired(const struct slot *t, int64_t now_ms)
{
    uint32_t now_s = (uint32_t)(now_ms / 1000) & EXPIRY_MASK;
    uint32_t behind = (now_s - (uint32_t)t->rest) & EXPIRY_MASK;
    return behind != 0 && behind < 1u << (EXPIRY_BITS - 1);
}

static void slot_remove(struct shard *s, uint32_t i)
{
    uint32_t hole = i, at = i;
    for (;;) {
        at = at + 1 == s->cap ? 0 : at + 1;
        if (!s->slot[at].fingerprint) {
            break;
        }
        /* It may move into the hole unless its home lies behind the hole. */
        uint32_t home = home_of(s, s->slot[at].fingerprint);
        uint32_t from_home = at >= home ? at - home : at + s->cap - home;
        uint32_t from_hole = at >= hole ? at - hole : at + s->cap - hole;
        if (from_home >= from_hole) {
            s->slot[hole] = s->slot[at];
            hole = at;
        }
    }
    s->slot[hole] = (struct slot){0};
    s->n--;
}

static void sweep(struct txn_replay *r, struct shard *s, uint32_t n, int64_t now_ms)
{
    while (n && s->n) {
        s->sweep = s->sweep >= s->cap ? 0 : s->sweep;
        struct slot *t = &s->slot[s->sweep];
        if (t->fingerprint && slot_expired(t, now_ms)) {
            slot_remove(s, s->sweep); /* what moved here is looked at next */
            int64_t second = now_ms / 1000 * 1000;
            r->horizon_ms = second > r->horizon_ms ? second : r->horizon_ms;
        } else {
            s->sweep++;
            n--;
        }
    }
}

static void slot_put(struct shard *s, struct slot t)
{
    uint32_t i = home_of(s, t.fingerprint);
    while (s->slot[i].fingerprint) {
        i = i + 1 == s->cap ? 0 : i + 1;
    }
    s->slot[i] = t;
    s->n++;
}

/* Grows by half: the shards together stay near three quarters full. */
static bool grow(struct txn_replay *r, struct shard *s)
{
    uint32_t cap = s->cap ? s->cap + s->cap / 2 : SHARD_FIRST;
    uint64_t more = (uint64_t)(cap - s->cap) * sizeof(struct slot);
    if (r->bytes + more > r->max_bytes) {
        return false;
    }
    struct shard bigger = {.slot = mem_zalloc(cap, sizeof(struct slot)), .cap = cap};
    for (uint32_t i = 0; i < s->cap; i++) {
        if (s->slot[i].fingerprint) {
            slot_put(&bigger, s->slot[i]);
        }
    }
    mem_free(s->slot);
    *s = bigger;
    r->bytes += more;
    return true;
}

/* Seven eighths: probes stay short. */
static bool shard_full(const struct shard *s)
{
    return s->n >= s->cap - s->cap / 8;
}

static int64_t offset_of(const struct slot *t, int64_t end_offset)
{
    uint64_t behind = ((uint64_t)end_offset - (t->rest >> EXPIRY_BITS)) & OFFSET_MASK;
    return end_offset - (int64_t)behind;
}

bool txn_replay_find(const struct txn_replay *r, const struct txn_replay_key *key,
                     int64_t end_offset, int64_t now_ms, int64_t *seen_offset)
{
    uint64_t f = fingerprint_of(r, key);
    const struct shard *s = shard_of(r, f);
    uint32_t i = find_slot(s, f);
    if (i == UINT32_MAX || slot_expired(&s->slot[i], now_ms)) {
        return false;
    }
    *seen_offset = offset_of(&s->slot[i], end_offset);
    return true;
}

enum txn_replay_answer txn_replay_insert(struct txn_replay *r, const struct txn_replay_key *key,
                                         int64_t offset, int64_t expires_ms, int64_t end_offset,
                                         int64_t now_ms, int64_t *seen_offset)
{
    uint64_t f = fingerprint_of(r, key);
    struct shard *s = shard_of(r, f);
    uint32_t i = find_slot(s, f);
    if (i != UINT32_MAX && !slot_expired(&s->slot[i], now_ms)) {
        *seen_offset = offset_of(&s->slot[i], end_offset);
        return TXN_REPLAY_SEEN;
    }
    if (expires_ms <= r->horizon_ms) {
        return TXN_REPLAY_TOO_OLD;
    }
    if (i != UINT32_MAX) {
        slot_remove(s, i);
    }
    sweep(r, s, TXN_REPLAY_SWEEP, now_ms);
    if (shard_full(s) && !grow(r, s)) {
        sweep(r, s, s->cap, now_ms);
        if (!s->cap || shard_full(s)) {
            r->full_refusals++;
            return TXN_REPLAY_FULL;
        }
    }
    uint64_t expires_s = (uint64_t)((expires_ms + 999) / 1000) & EXPIRY_MASK;
    slot_put(s, (struct slot){f, ((uint64_t)offset & OFFSET_MASK) << EXPIRY_BITS | expires_s});
    return TXN_REPLAY_NEW;
}

void txn_replay_remove(struct txn_replay *r, const struct txn_replay_key *key)
{
    uint64_t f = fingerprint_of(r, key);
    struct shard *s = shard_of(r, f);
    uint32_t i = find_slot(s, f);
    if (i != UINT32_MAX) {
        slot_remove(s, i);
    }
}

void txn_replay_tick(struct txn_replay *r, int64_t now_ms)
{
    struct shard *s = &r->shard[r->tick_shard++ % TXN_REPLAY_SHARDS];
    sweep(r, s, s->cap, now_ms);
    if (!s->n && s->cap) {
        r->bytes -= s->cap * sizeof *s->slot;
        mem_free(s->slot);
        *s = (struct shard){0};
    }
}

void txn_replay_stats(const struct txn_replay *r, struct txn_replay_stats *out)
{
    *out = (struct txn_replay_stats){.memory_bytes = sizeof *r + r->bytes,
                                     .max_bytes = r->max_bytes,
                                     .full_refusals = r->full_refusals};
    for (size_t i = 0; i < TXN_REPLAY_SHARDS; i++) {
        out->entries += r->shard[i].n;
    }
}

void txn_replay_check_invariants(const struct txn_replay *r)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < TXN_REPLAY_SHARDS; i++) {
        const struct shard *s = &r->shard[i];
        uint32_t n = 0;
        for (uint32_t k = 0; k < s->cap; k++) {
            if (s->slot[k].fingerprint) {
                n++;
                ASSERT(shard_of(r, s->slot[k].fingerprint) == s);
                ASSERT(find_slot(s, s->slot[k].fingerprint) == k);
            }
        }
        ASSERT(n == s->n && (!s->cap || n < s->cap));
        bytes += (uint64_t)s->cap * sizeof(struct slot);
    }
    ASSERT(bytes == r->bytes && bytes <= r->max_bytes);
}
