#include "txn/producer.h"

#include "base/check.h"
#include "base/codec.h"
#include "base/map.h"
#include "base/mem.h"

/* A batch in memory. */
struct stored {
    int32_t base_sequence;
    int32_t records_n;
    int64_t base_offset;
    int64_t append_time_ms;
};

/* A batch on its way. */
struct pending {
    struct pending *next;
    uint64_t ticket;
    int16_t epoch;
    int32_t base_sequence;
    int32_t records_n;
    bool broken; /* something before it was abandoned */
};

struct producer {
    int64_t id;
    int64_t last_ms;  /* of its last committed batch, or of its first sight; broker's clock */
    int16_t epoch;    /* committed; -1: nothing is */
    uint8_t first, n; /* ring of stored */
    struct stored stored[TXN_BATCHES];
    struct pending *pending; /* owned, in order of reservation */
    size_t pending_n;
    /* All producers, the longest silent first. */
    struct producer *older, *younger;
};

struct txn_producers {
    struct txn_config config;
    struct map by_id; /* allocates with the first entry */
    struct producer *oldest, *youngest;
    uint64_t tickets;
};

struct txn_producers *txn_producers_new(const struct txn_config *config)
{
    struct txn_producers *t = MEM_NEW(struct txn_producers);
    t->config = *config;
    if (!t->config.expiry_ms) {
        t->config.expiry_ms = TXN_EXPIRY_DEFAULT_MS;
    }
    if (!t->config.producers_max) {
        t->config.producers_max = TXN_PRODUCERS_MAX;
    }
    map_init(&t->by_id, config->seed);
    return t;
}

static struct slice id_key(const int64_t *id)
{
    return slice_of(id, sizeof *id);
}

static struct producer *find(const struct txn_producers *t, int64_t id)
{
    return map_get(&t->by_id, id_key(&id));
}

/* ---- the list by silence ---- */

static void list_remove(struct txn_producers *t, struct producer *p)
{
    *(p->older ? &p->older->younger : &t->oldest) = p->younger;
    *(p->younger ? &p->younger->older : &t->youngest) = p->older;
    p->older = p->younger = NULL;
}

static void list_push(struct txn_producers *t, struct producer *p)
{
    p->older = t->youngest;
    *(t->youngest ? &t->youngest->younger : &t->oldest) = p;
    t->youngest = p;
}

static void drop(struct txn_producers *t, struct producer *p)
{
    while (p->pending) {
        struct pending *q = p->pending;
        p->pending = q->next;
        mem_free(q);
    }
    list_remove(t, p);
    map_remove(&t->by_id, id_key(&p->id));
    mem_free(p);
}

static bool is_expired(const struct txn_producers *t, const struct producer *p, int64_t now_ms)
{
    return !p->pending && now_ms - p->last_ms > t->config.expiry_ms;
}

void txn_expire(struct txn_producers *t, int64_t now_ms)
{
    for (struct producer *p = t->oldest, *next; p; p = next) {
        next = p->younger;
        if (now_ms - p->last_ms <= t->config.expiry_ms) {
            return; /* the list is in order of silence */
        }
        if (!p->pending) {
            drop(t, p);
        }
    }
}

/* Makes room by forgetting who has expired, then who never got anything stored. */
static bool has_room(struct txn_producers *t, int64_t now_ms)
{
    if (t->by_id.n < t->config.producers_max) {
        return true;
    }
    txn_expire(t, now_ms);
    struct producer *p = t->oldest;
    while (p && t->by_id.n >= t->config.producers_max) {
        struct producer *next = p->younger;
        if (!p->n && !p->pending) {
            drop(t, p);
        }
        p = next;
    }
    return t->by_id.n < t->config.producers_max;
}

/* A clock that goes back must not break the order of the list. */
static int64_t list_time(const struct txn_producers *t, int64_t now_ms)
{
    return t->youngest && t->youngest->last_ms > now_ms ? t->youngest->last_ms : now_ms;
}

static struct producer *make(struct txn_producers *t, int64_t id, int64_t now_ms)
{
    struct producer *p = MEM_NEW(struct producer);
    p->id = id;
    p->epoch = -1;
    p->last_ms = list_time(t, now_ms);
    map_put(&t->by_id, id_key(&p->id), p);
    list_push(t, p);
    return p;
}

/* ---- sequences ---- */

/* After 2^31 - 1 comes 0. */
static int32_t sequence_add(int32_t sequence, int32_t n)
{
    return (int32_t)(((int64_t)sequence + n) & INT32_MAX);
}

static const struct stored *stored_at(const struct producer *p, uint8_t i)
{
    return &p->stored[(p->first + i) % TXN_BATCHES];
}

/* Epoch and next sequence that the producer must go on with, counting what is on its way. next < 0:
 * nothing was ever taken from it. */
static void expectation(const struct producer *p, int16_t *epoch, int32_t *next)
{
    *epoch = p->epoch;
    *next = -1;
    if (p->n) {
        const struct stored *last = stored_at(p, (uint8_t)(p->n - 1));
        *next = sequence_add(last->base_sequence, last->records_n);
    }
    for (const struct pending *q = p->pending; q; q = q->next) {
        if (!q->broken) {
            *epoch = q->epoch;
            *next = sequence_add(q->base_sequence, q->records_n);
        }
    }
}

static bool find_stored(const struct producer *p, const struct txn_batch *b, struct txn_stored *out)
{
    for (uint8_t i = 0; p->epoch == b->epoch && i < p->n; i++) {
        const struct stored *s = stored_at(p, i);
        if (s->base_sequence == b->base_sequence && s->records_n == b->records_n) {
            if (out) {
                *out = (struct txn_stored){.base_offset = s->base_offset,
                                           .last_offset = s->base_offset + s->records_n - 1,
                                           .append_time_ms = s->append_time_ms};
            }
            return true;
        }
    }
    return false;
}

static bool find_pending(const struct producer *p, const struct txn_batch *b)
{
    for (const struct pending *q = p->pending; q; q = q->next) {
        if (!q->broken && q->epoch == b->epoch && q->base_sequence == b->base_sequence &&
            q->records_n == b->records_n) {
            return true;
        }
    }
    return false;
}

enum txn_answer txn_check(struct txn_producers *t, const struct txn_batch *b, int64_t now_ms,
                          struct txn_stored *stored)
{
    ASSERT(b->producer_id >= 0 && b->records_n > 0);
    struct producer *p = find(t, b->producer_id);
    if (p && is_expired(t, p, now_ms)) {
        drop(t, p);
        p = NULL;
    }
    if (b->base_sequence < 0 || b->epoch < 0) {
        return TXN_OUT_OF_ORDER;
    }
    if (!p) {
        return b->base_sequence != 0 ? TXN_UNKNOWN_PRODUCER
               : has_room(t, now_ms) ? TXN_NEXT
                                     : TXN_FULL;
    }
    int16_t epoch;
    int32_t next;
    expectation(p, &epoch, &next);
    if (b->epoch < epoch) {
        return TXN_INVALID_EPOCH;
    }
    if (find_stored(p, b, stored)) {
        return TXN_DUPLICATE;
    }
    if (find_pending(p, b)) {
        return TXN_IN_FLIGHT;
    }
    /* next < 0: all it ever sent was refused; what it had sent behind that is out of order. */
    if (b->base_sequence != (b->epoch == epoch && next >= 0 ? next : 0)) {
        return TXN_OUT_OF_ORDER;
    }
    return p->pending_n < TXN_PENDING_MAX ? TXN_NEXT : TXN_FULL;
}

/* ---- on its way ---- */

uint64_t txn_reserve(struct txn_producers *t, const struct txn_batch *b, int64_t now_ms)
{
    struct producer *p = find(t, b->producer_id);
    if (!p) {
        p = make(t, b->producer_id, now_ms);
    }
    struct pending *q = MEM_NEW(struct pending);
    q->ticket = ++t->tickets;
    q->epoch = b->epoch;
    q->base_sequence = b->base_sequence;
    q->records_n = b->records_n;
    struct pending **at = &p->pending;
    while (*at) {
        at = &(*at)->next;
    }
    *at = q;
    p->pending_n++;
    return q->ticket;
}

static struct pending **pending_at(struct producer *p, uint64_t ticket)
{
    for (struct pending **at = &p->pending; *at; at = &(*at)->next) {
        if ((*at)->ticket == ticket) {
            return at;
        }
    }
    UNREACHABLE();
}

bool txn_still_next(const struct txn_producers *t, int64_t producer_id, uint64_t ticket)
{
    struct producer *p = find(t, producer_id);
    ASSERT(p);
    return !(*pending_at(p, ticket))->broken;
}

static void store(struct txn_producers *t, struct producer *p, const struct txn_batch *b,
                  int64_t base_offset, int64_t append_time_ms, int64_t now_ms)
{
    if (b->epoch != p->epoch) {
        p->epoch = b->epoch;
        p->n = p->first = 0;
    }
    struct stored *s;
    if (p->n < TXN_BATCHES) {
        s = &p->stored[(p->first + p->n++) % TXN_BATCHES];
    } else {
        s = &p->stored[p->first];
        p->first = (uint8_t)((p->first + 1) % TXN_BATCHES);
    }
    *s = (struct stored){b->base_sequence, b->records_n, base_offset, append_time_ms};
    p->last_ms = list_time(t, now_ms);
    list_remove(t, p);
    list_push(t, p);
}

void txn_commit(struct txn_producers *t, int64_t producer_id, uint64_t ticket, int64_t base_offset,
                int64_t append_time_ms, int64_t now_ms)
{
    struct producer *p = find(t, producer_id);
    ASSERT(p);
    struct pending *q = p->pending;
    while (q && q->broken) { /* those before it that will be abandoned */
        q = q->next;
    }
    ASSERT(q && q->ticket == ticket);
    struct txn_batch b = {producer_id, q->epoch, q->base_sequence, q->records_n};
    struct pending **at = pending_at(p, ticket);
    *at = q->next;
    mem_free(q);
    p->pending_n--;
    store(t, p, &b, base_offset, append_time_ms, now_ms);
}

void txn_abandon(struct txn_producers *t, int64_t producer_id, uint64_t ticket)
{
    struct producer *p = find(t, producer_id);
    ASSERT(p);
    struct pending **at = pending_at(p, ticket);
    struct pending *q = *at;
    bool was_broken = q->broken;
    *at = q->next;
    mem_free(q);
    p->pending_n--;
    /* A broken one had nothing behind it that counted on it. */
    for (q = *at; q && !was_broken; q = q->next) {
        q->broken = true;
    }
}

bool txn_record(struct txn_producers *t, const struct txn_batch *b, int64_t base_offset,
                int64_t append_time_ms, int64_t now_ms)
{
    struct producer *p = find(t, b->producer_id);
    if (!p) {
        if (!has_room(t, now_ms)) {
            return false;
        }
        p = make(t, b->producer_id, now_ms);
    }
    store(t, p, b, base_offset, append_time_ms, now_ms);
    return true;
}

/* ---- counting, and the note ---- */

size_t txn_producers_count(const struct txn_producers *t)
{
    return t->by_id.n;
}

size_t txn_producers_memory(const struct txn_producers *t)
{
    return sizeof *t + t->by_id.n * (sizeof(struct producer) + 64) + t->by_id.cap * sizeof(void *);
}

enum { NOTE_VERSION = 1, NOTE_HEADER_BYTES = 8, NOTE_PRODUCER_BYTES = 20, NOTE_BATCH_BYTES = 24 };

void txn_encode(const struct txn_producers *t, struct bytes *out)
{
    uint32_t n = 0;
    for (const struct producer *p = t->oldest; p; p = p->younger) {
        n += p->n > 0;
    }
    bytes_add_be32(out, NOTE_VERSION);
    bytes_add_be32(out, n);
    for (const struct producer *p = t->oldest; p; p = p->younger) {
        if (!p->n) {
            continue;
        }
        bytes_add_be64(out, (uint64_t)p->id);
        bytes_add_be64(out, (uint64_t)p->last_ms);
        bytes_add_be16(out, (uint16_t)p->epoch);
        bytes_add_be16(out, p->n);
        for (uint8_t i = 0; i < p->n; i++) {
            const struct stored *s = stored_at(p, i);
            bytes_add_be32(out, (uint32_t)s->base_sequence);
            bytes_add_be32(out, (uint32_t)s->records_n);
            bytes_add_be64(out, (uint64_t)s->base_offset);
            bytes_add_be64(out, (uint64_t)s->append_time_ms);
        }
    }
}

static int malformed(struct err *err)
{
    return err_set(err, ERR_CORRUPT, "the producers' note is malformed");
}

int txn_decode(struct txn_producers *t, struct slice in, struct err *err)
{
    ASSERT(!t->by_id.n);
    if (in.n < NOTE_HEADER_BYTES) {
        return malformed(err);
    }
    uint32_t version = be32_get(in.p), n = be32_get(in.p + 4);
    if (version != NOTE_VERSION) {
        return err_set(err, ERR_UNSUPPORTED, "the producers' note has version %u", version);
    }
    const uint8_t *at = in.p + NOTE_HEADER_BYTES, *end = in.p + in.n;
    for (uint32_t i = 0; i < n; i++) {
        if (end - at < NOTE_PRODUCER_BYTES) {
            return malformed(err);
        }
        int64_t id = (int64_t)be64_get(at), last_ms = (int64_t)be64_get(at + 8);
        int16_t epoch = (int16_t)be16_get(at + 16);
        uint16_t batches = be16_get(at + 18);
        at += NOTE_PRODUCER_BYTES;
        if (id < 0 || epoch < 0 || !batches || batches > TXN_BATCHES || find(t, id) ||
            end - at < batches * NOTE_BATCH_BYTES) {
            return malformed(err);
        }
        struct producer *p = make(t, id, last_ms);
        int64_t before = -1;
        for (uint16_t k = 0; k < batches; k++, at += NOTE_BATCH_BYTES) {
            struct txn_batch b = {id, epoch, (int32_t)be32_get(at), (int32_t)be32_get(at + 4)};
            int64_t base_offset = (int64_t)be64_get(at + 8);
            if (b.base_sequence < 0 || b.records_n <= 0 || base_offset <= before) {
                return malformed(err);
            }
            before = base_offset;
            store(t, p, &b, base_offset, (int64_t)be64_get(at + 16), last_ms);
        }
    }
    return at == end ? 0 : malformed(err);
}

void txn_producers_free(struct txn_producers *t)
{
    if (!t) {
        return;
    }
    while (t->oldest) {
        drop(t, t->oldest);
    }
    map_free(&t->by_id);
    mem_free(t);
}

void txn_check_invariants(const struct txn_producers *t)
{
    size_t n = 0;
    int64_t last_ms = INT64_MIN;
    for (const struct producer *p = t->oldest; p; p = p->younger) {
        n++;
        ASSERT(find(t, p->id) == p && p->n <= TXN_BATCHES && (p->epoch >= 0) == (p->n > 0));
        ASSERT(p->last_ms >= last_ms);
        last_ms = p->last_ms;
        for (uint8_t i = 1; i < p->n; i++) {
            ASSERT(stored_at(p, (uint8_t)(i - 1))->base_offset < stored_at(p, i)->base_offset);
        }
        size_t pending = 0;
        for (const struct pending *q = p->pending; q; q = q->next) {
            pending++;
            ASSERT(q->ticket <= t->tickets && (!q->next || q->ticket < q->next->ticket));
        }
        ASSERT(pending == p->pending_n && pending <= TXN_PENDING_MAX);
    }
    ASSERT(n == t->by_id.n);
}
