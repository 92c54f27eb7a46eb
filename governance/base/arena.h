/* A bump allocator: many small allocations, freed all at once. arena_reset keeps the first chunks,
 * so a reused arena stops calling malloc. Not for sharing between threads. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/slice.h"

struct arena_chunk;

struct arena {
    struct arena_chunk *first;
    struct arena_chunk *current;
    size_t used_bytes;  /* handed out since the last reset */
    size_t limit_bytes; /* 0: none; arena_try_alloc returns NULL beyond it */
};

void arena_init(struct arena *a, size_t limit_bytes);
void arena_free(struct arena *a);
void arena_reset(struct arena *a);
/* 16-byte aligned, uninitialised. arena_alloc asserts that the limit holds; use arena_try_alloc
 * where the size comes from outside. */
void *arena_alloc(struct arena *a, size_t size_bytes);
void *arena_try_alloc(struct arena *a, size_t size_bytes);
void *arena_zalloc(struct arena *a, size_t count, size_t size_bytes);
struct slice arena_copy(struct arena *a, struct slice s);
char *arena_strdup(struct arena *a, struct slice s); /* NUL-terminated copy */
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
