/* The one budget of bytes for requests that are in memory: taken before bytes are read from a
 * socket, given back when the last reference to the buffer goes, on whatever thread that happens.
 */
#ifndef RUNTIME_BUDGET_H
#define RUNTIME_BUDGET_H

#include "base/buf.h"

#include <stdatomic.h>

struct budget {
    _Atomic uint64_t used_bytes;
    uint64_t limit_bytes;
    atomic_bool waiting;     /* someone wants to be told when bytes come back */
    void (*wake)(void *arg); /* from any thread; must only enqueue */
    void *wake_arg;
};

void budget_init(struct budget *b, uint64_t limit_bytes, void (*wake)(void *arg), void *arg);
uint64_t budget_used(const struct budget *b);
bool budget_has(const struct budget *b, uint64_t size_bytes);

/* A buffer of this capacity on the budget, or NULL when it does not fit: then `waiting` is set and
 * wake is called once after bytes have been given back. */
struct buf *budget_buf(struct budget *b, size_t cap);
/* The same for bytes that have been read already: always succeeds. The excess is bounded by one
 * loop buffer, because reading is not begun without budget_has. */
struct buf *budget_buf_forced(struct budget *b, size_t cap);

#endif
