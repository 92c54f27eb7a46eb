#include "base/arena.h"

#include "base/check.h"
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>

enum {
    ARENA_ALIGN = 16,
    ARENA_CHUNK_SIZE = 8 * 1024,
    ARENA_CHUNK_SIZE_MAX = 256 * 1024,
    ARENA_KEEP_SIZE = 1024 * 1024, /* what a reset keeps at most */
};

struct arena_chunk {
    struct arena_chunk *next;
    size_t cap;
    size_t used;
    size_t pad; /* keeps data aligned */
    uint8_t data[];
};

_Static_assert(sizeof(struct arena_chunk) % ARENA_ALIGN == 0, "chunk data must be aligned");

void arena_init(struct arena *a, size_t limit_bytes)
{
    *a = (struct arena){.limit_bytes = limit_bytes};
}

static void free_chunks(struct arena_chunk *c)
{
    while (c) {
        struct arena_chunk *next = c->next;
        mem_free(c);
        c = next;
    }
}

void arena_free(struct arena *a)
{
    free_chunks(a->first);
    *a = (struct arena){.limit_bytes = a->limit_bytes};
}

void arena_reset(struct arena *a)
{
    size_t kept = 0;
    struct arena_chunk **link = &a->first;
    while (*link && kept + (*link)->cap <= ARENA_KEEP_SIZE) {
        kept += (*link)->cap;
        (*link)->used = 0;
        link = &(*link)->next;
    }
    free_chunks(*link);
    *link = NULL;
    a->current = a->first;
    a->used_bytes = 0;
}

static struct arena_chunk *add_chunk(struct arena *a, size_t size_bytes)
{
    size_t cap = ARENA_CHUNK_SIZE;
    if (a->current && a->current->cap >= cap)
        cap = a->current->cap * 2;
    if (cap > ARENA_CHUNK_SIZE_MAX)
        cap = ARENA_CHUNK_SIZE_MAX;
    if (cap < size_bytes)
        cap = size_bytes;
    struct arena_chunk *c = mem_alloc(sizeof *c + cap);
    c->cap = cap;
    c->used = 0;
    if (a->current) {
        c->next = a->current->next;
        a->current->next = c;
    } else {
        c->next = NULL;
        a->first = c;
    }
    a->current = c;
    return c;
}

void *arena_try_alloc(struct arena *a, size_t size_bytes)
{
    if (size_bytes > SIZE_MAX / 2)
        return NULL;
    size_t size = (size_bytes + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    if (size == 0)
        size = ARENA_ALIGN; /* distinct pointers */
    if (a->limit_bytes != 0 && (size > a->limit_bytes || a->used_bytes > a->limit_bytes - size))
        return NULL;
    struct arena_chunk *c = a->current;
    while (c && c->cap - c->used < size) {
        c = c->next;
        if (c)
            a->current = c;
    }
    if (c == NULL)
        c = add_chunk(a, size);
    void *p = c->data + c->used;
    c->used += size;
    a->used_bytes += size;
    return p;
}

void *arena_alloc(struct arena *a, size_t size_bytes)
{
    void *p = arena_try_alloc(a, size_bytes);
    ASSERT(p != NULL);
    return p;
}

void *arena_zalloc(struct arena *a, size_t count, size_t size_bytes)
{
    ASSERT(size_bytes == 0 || count <= SIZE_MAX / 2 / size_bytes);
    void *p = arena_alloc(a, count * size_bytes);
    memset(p, 0, count * size_bytes);
    return p;
}

struct slice arena_copy(struct arena *a, struct slice s)
{
    if (s.p == NULL)
        return s;
    uint8_t *p = arena_alloc(a, s.n);
    memcpy(p, s.p, s.n);
    return (struct slice){p, s.n};
}

char *arena_strdup(struct arena *a, struct slice s)
{
    char *p = arena_alloc(a, s.n + 1);
    if (s.n > 0)
        memcpy(p, s.p, s.n);
    p[s.n] = '\0';
    return p;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    ASSERT(n >= 0);
    char *p = arena_alloc(a, (size_t)n + 1);
    vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    va_end(ap);
    return p;
}
