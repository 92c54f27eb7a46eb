/* Deadlines: a binary heap of nodes that live inside other rows. Each node knows its place, so it
 * can be taken out before it is due. Ties are broken by insertion, which keeps runs reproducible.
 */
#ifndef BROKER_DEADLINE_H
#define BROKER_DEADLINE_H

#include <stddef.h>
#include <stdint.h>

struct deadline {
    int64_t at_ms;
    uint64_t order;
    size_t place; /* index in the heap + 1; 0: not in it */
};

struct deadlines {
    struct deadline **heap; /* owned array of borrowed nodes */
    size_t n, cap;
    uint64_t order;
};

void deadlines_free(struct deadlines *d);
void deadlines_add(struct deadlines *d, struct deadline *node, int64_t at_ms);
void deadlines_remove(struct deadlines *d, struct deadline *node);   /* absent: nothing happens */
int64_t deadlines_next_ms(const struct deadlines *d);                /* INT64_MAX: none */
struct deadline *deadlines_pop(struct deadlines *d, int64_t now_ms); /* NULL: none is due */

#endif
