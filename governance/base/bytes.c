#include "base/bytes.h"

#include "base/check.h"
#include "base/codec.h"
#include "base/mem.h"

#include <stdio.h>

enum { BYTES_FIRST_SIZE = 64 };

void bytes_reserve(struct bytes *b, size_t more)
{
    if (b->cap - b->n >= more)
        return;
    ASSERT(more <= SIZE_MAX / 2 - b->n);
    size_t cap = b->cap ? b->cap : BYTES_FIRST_SIZE;
    while (cap - b->n < more)
        cap *= 2;
    b->p = mem_realloc(b->p, cap);
    b->cap = cap;
}

void bytes_add(struct bytes *b, const void *p, size_t n)
{
    if (n == 0)
        return;
    bytes_reserve(b, n);
    memcpy(b->p + b->n, p, n);
    b->n += n;
}

void bytes_add_slice(struct bytes *b, struct slice s)
{
    bytes_add(b, s.p, s.n);
}

void bytes_add_str(struct bytes *b, const char *s)
{
    bytes_add(b, s, strlen(s));
}

void bytes_add_u8(struct bytes *b, uint8_t v)
{
    bytes_reserve(b, 1);
    b->p[b->n++] = v;
}

void bytes_add_be16(struct bytes *b, uint16_t v)
{
    bytes_reserve(b, 2);
    be16_put(b->p + b->n, v);
    b->n += 2;
}

void bytes_add_be32(struct bytes *b, uint32_t v)
{
    bytes_reserve(b, 4);
    be32_put(b->p + b->n, v);
    b->n += 4;
}

void bytes_add_be64(struct bytes *b, uint64_t v)
{
    bytes_reserve(b, 8);
    be64_put(b->p + b->n, v);
    b->n += 8;
}

void bytes_printf(struct bytes *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    bytes_vprintf(b, fmt, ap);
    va_end(ap);
}

void bytes_vprintf(struct bytes *b, const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    bytes_reserve(b, 1);
    int n = vsnprintf((char *)b->p + b->n, b->cap - b->n, fmt, ap);
    ASSERT(n >= 0);
    if ((size_t)n >= b->cap - b->n) {
        bytes_reserve(b, (size_t)n + 1);
        n = vsnprintf((char *)b->p + b->n, b->cap - b->n, fmt, again);
        ASSERT(n >= 0);
    }
    va_end(again);
    b->n += (size_t)n;
}

void bytes_clear(struct bytes *b)
{
    b->n = 0;
}

void bytes_free(struct bytes *b)
{
    mem_free(b->p);
    *b = (struct bytes){0};
}

const char *bytes_cstr(struct bytes *b)
{
    bytes_reserve(b, 1);
    b->p[b->n] = '\0';
    return (const char *)b->p;
}
