#include "base/buf.h"

#include "base/check.h"
#include "base/mem.h"

#include <stdatomic.h>

struct buf *buf_new(size_t cap)
{
    ASSERT(cap <= SIZE_MAX - sizeof(struct buf));
    struct buf *b = mem_alloc(sizeof *b + cap);
    atomic_init(&b->refs, 1);
    b->n = 0;
    b->cap = cap;
    b->release = NULL;
    b->release_arg = NULL;
    return b;
}

struct buf *buf_from(const void *p, size_t n)
{
    struct buf *b = buf_new(n);
    if (n > 0)
        memcpy(b->data, p, n);
    b->n = n;
    return b;
}

struct buf *buf_ref(struct buf *b)
{
    uint32_t before = atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    ASSERT(before > 0 && before < UINT32_MAX);
    return b;
}

void buf_unref(struct buf *b)
{
    if (b == NULL)
        return;
    /* Release: our writes come before the free. Acquire: the freeing thread sees everyone's. */
    uint32_t before = atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel);
    ASSERT(before > 0);
    if (before > 1)
        return;
    if (b->release)
        b->release(b, b->release_arg);
    else
        mem_free(b);
}
