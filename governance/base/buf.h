/* Owned bytes: a reference-counted block that is immutable once it is shared. The count is atomic,
 * so references may cross threads. The last buf_unref frees. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/slice.h"

struct buf {
    _Atomic uint32_t refs;
    size_t n;   /* bytes in use */
    size_t cap; /* bytes that data can hold */
    /* Called instead of free when the count reaches zero, for budgets; NULL: plain free. */
    void (*release)(struct buf *b, void *arg);
    void *release_arg;
    uint8_t data[];
};

struct buf *buf_new(size_t cap);               /* one reference, n == 0 */
struct buf *buf_from(const void *p, size_t n); /* a copy */
struct buf *buf_ref(struct buf *b);            /* returns b */
void buf_unref(struct buf *b);                 /* NULL is allowed */

/* A part of a buf together with a reference to it. */
struct buf_slice {
    struct buf *buf; /* owns one reference; may be NULL for static bytes */
    struct slice bytes;
};

static inline struct slice buf_bytes(const struct buf *b)
{
    return (struct slice){b->data, b->n};
}

#endif
