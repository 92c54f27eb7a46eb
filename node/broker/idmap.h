/* Pending work by id: a hash table from a 64-bit id to a pointer, open addressing. Ids are given by
 * counters, never by clients. 0 is no id. */
#ifndef BROKER_IDMAP_H
#define BROKER_IDMAP_H

#include <stddef.h>
#include <stdint.h>

struct idmap {
    struct idmap_slot {
        uint64_t id;
        void *value;
    } * slot; /* owned */
    size_t n;
    size_t cap; /* a power of two, or 0 */
};

void idmap_free(struct idmap *m);                          /* the values are not touched */
void idmap_put(struct idmap *m, uint64_t id, void *value); /* asserts that id is new */
void *idmap_get(const struct idmap *m, uint64_t id);       /* NULL: absent */
void *idmap_remove(struct idmap *m, uint64_t id);          /* NULL: absent */
/* Iterates; start with *at == 0; NULL at the end. The map must not change meanwhile. */
void *idmap_next(const struct idmap *m, size_t *at);

#endif
