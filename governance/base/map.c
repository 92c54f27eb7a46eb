#include "base/map.h"

#include "base/check.h"
#include "base/mem.h"

enum { MAP_FIRST_SIZE = 16 };

struct map_entry {
    struct map_entry *next;
    void *value;
    uint64_t hash;
    size_t n;
    uint8_t key[];
};

static inline uint64_t rotate(uint64_t v, int bits)
{
    return (v << bits) | (v >> (64 - bits));
}

static inline uint64_t load_le64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap64(v);
#endif
    return v;
}

struct sip {
    uint64_t v0, v1, v2, v3;
};

static inline void sip_round(struct sip *s)
{
    s->v0 += s->v1;
    s->v1 = rotate(s->v1, 13) ^ s->v0;
    s->v0 = rotate(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = rotate(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = rotate(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = rotate(s->v1, 17) ^ s->v2;
    s->v2 = rotate(s->v2, 32);
}

static uint64_t siphash(struct slice in, uint64_t k0, uint64_t k1)
{
    struct sip s = {k0 ^ 0x736f6d6570736575u, k1 ^ 0x646f72616e646f6du, k0 ^ 0x6c7967656e657261u,
                    k1 ^ 0x7465646279746573u};
    size_t i = 0;
    for (; in.n - i >= 8; i += 8) {
        uint64_t m = load_le64(in.p + i);
        s.v3 ^= m;
        sip_round(&s);
        sip_round(&s);
        s.v0 ^= m;
    }
    uint64_t last = (uint64_t)in.n << 56;
    for (size_t j = 0; i + j < in.n; j++)
        last |= (uint64_t)in.p[i + j] << (8 * j);
    s.v3 ^= last;
    sip_round(&s);
    sip_round(&s);
    s.v0 ^= last;
    s.v2 ^= 0xff;
    for (int round = 0; round < 4; round++)
        sip_round(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

uint64_t hash_bytes(struct slice s, uint64_t seed)
{
    return siphash(s, seed, ~seed);
}

void map_init(struct map *m, uint64_t seed)
{
    *m = (struct map){.seed = seed};
}

void map_free(struct map *m)
{
    for (size_t i = 0; i < m->cap; i++) {
        struct map_entry *e = m->buckets[i];
        while (e) {
            struct map_entry *next = e->next;
            mem_free(e);
            e = next;
        }
    }
    mem_free(m->buckets);
    *m = (struct map){.seed = m->seed};
}

static struct map_entry **find(const struct map *m, struct slice key, uint64_t hash)
{
    struct map_entry **link = &m->buckets[hash & (m->cap - 1)];
    while (*link && !((*link)->hash == hash && slice_eq(slice_of((*link)->key, (*link)->n), key)))
        link = &(*link)->next;
    return link;
}

void *map_get(const struct map *m, struct slice key)
{
    if (m->n == 0)
        return NULL;
    struct map_entry *e = *find(m, key, hash_bytes(key, m->seed));
    return e ? e->value : NULL;
}

static void grow(struct map *m)
{
    size_t cap = m->cap ? m->cap * 2 : MAP_FIRST_SIZE;
    struct map_entry **buckets = mem_zalloc(cap, sizeof(struct map_entry *));
    for (size_t i = 0; i < m->cap; i++) {
        struct map_entry *e = m->buckets[i];
        while (e) {
            struct map_entry *next = e->next;
            e->next = buckets[e->hash & (cap - 1)];
            buckets[e->hash & (cap - 1)] = e;
            e = next;
        }
    }
    mem_free(m->buckets);
    m->buckets = buckets;
    m->cap = cap;
}

void *map_put(struct map *m, struct slice key, void *value)
{
    ASSERT(value != NULL); /* NULL is the answer for "absent" */
    if (m->n >= m->cap)
        grow(m);
    uint64_t hash = hash_bytes(key, m->seed);
    struct map_entry **link = find(m, key, hash);
    if (*link) {
        void *old = (*link)->value;
        (*link)->value = value;
        return old;
    }
    struct map_entry *e = mem_alloc(sizeof *e + key.n);
    *e = (struct map_entry){.value = value, .hash = hash, .n = key.n};
    if (key.n > 0)
        memcpy(e->key, key.p, key.n);
    *link = e;
    m->n++;
    return NULL;
}

void *map_remove(struct map *m, struct slice key)
{
    if (m->n == 0)
        return NULL;
    struct map_entry **link = find(m, key, hash_bytes(key, m->seed));
    struct map_entry *e = *link;
    if (e == NULL)
        return NULL;
    void *value = e->value;
    *link = e->next;
    mem_free(e);
    m->n--;
    return value;
}

bool map_next(const struct map *m, struct map_iter *it)
{
    struct map_entry *e = it->entry ? it->entry->next : NULL;
    while (e == NULL && it->bucket < m->cap)
        e = m->buckets[it->bucket++];
    if (e == NULL)
        return false;
    it->entry = e;
    it->key = slice_of(e->key, e->n);
    it->value = e->value;
    return true;
}
