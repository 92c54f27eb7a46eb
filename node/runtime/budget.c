#include "runtime/budget.h"

#include "base/check.h"
#include "base/mem.h"

void budget_init(struct budget *b, uint64_t limit_bytes, void (*wake)(void *arg), void *arg)
{
    atomic_init(&b->used_bytes, 0);
    atomic_init(&b->waiting, false);
    b->limit_bytes = limit_bytes;
    b->wake = wake;
    b->wake_arg = arg;
}

uint64_t budget_used(const struct budget *b)
{
    return atomic_load_explicit(&b->used_bytes, memory_order_relaxed);
}

bool budget_has(const struct budget *b, uint64_t size_bytes)
{
    uint64_t used = budget_used(b);
    return used <= b->limit_bytes && size_bytes <= b->limit_bytes - used;
}

static void budget_release(struct buf *buf, void *arg)
{
    struct budget *b = arg;
    uint64_t before = atomic_fetch_sub(&b->used_bytes, buf->cap);
    ASSERT(before >= buf->cap);
    mem_free(buf);
    if (atomic_load(&b->waiting) && atomic_exchange(&b->waiting, false))
        b->wake(b->wake_arg);
}

struct buf *budget_buf_forced(struct budget *b, size_t cap)
{
    struct buf *buf = buf_new(cap);
    atomic_fetch_add(&b->used_bytes, buf->cap);
    buf->release = budget_release;
    buf->release_arg = b;
    return buf;
}

struct buf *budget_buf(struct budget *b, size_t cap)
{
    if (!budget_has(b, cap)) {
        /* Bytes may have come back between the look and the flag: look again, so that the wake-up
         * is never missed. */
        atomic_store(&b->waiting, true);
        if (!budget_has(b, cap))
            return NULL;
    }
    return budget_buf_forced(b, cap);
}
