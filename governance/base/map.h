/* Hash map from bytes to a pointer. Keys are copied into the map; values are the caller's. The hash
 * is seeded by the caller (SipHash-2-4), so hostile keys cannot aim at one bucket. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/slice.h"

struct map_entry;

struct map {
    struct map_entry **buckets;
    size_t n;
    size_t cap; /* a power of two, or 0 */
    uint64_t seed;
};

void map_init(struct map *m, uint64_t seed);
void map_free(struct map *m);                                /* the values are not touched */
void *map_get(const struct map *m, struct slice key);        /* NULL: absent */
void *map_put(struct map *m, struct slice key, void *value); /* returns the old value or NULL */
void *map_remove(struct map *m, struct slice key);           /* returns the value or NULL */

/* Iterates in no particular order; start with it == 0; returns false at the end. The map must not
 * change meanwhile. */
struct map_iter {
    size_t bucket;
    struct map_entry *entry;
    struct slice key;
    void *value;
};
bool map_next(const struct map *m, struct map_iter *it);

/* SipHash-2-4 with key (seed, ~seed). */
uint64_t hash_bytes(struct slice s, uint64_t seed);

#endif
