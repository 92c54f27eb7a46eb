#include "raft_sim_heap.h"

#include "base/check.h"

#include <raft.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Before each block; its size keeps the block aligned. */
struct block {
    struct block *next, *before;
    size_t size;
    uint64_t guard;
};

static struct block all = {.next = &all, .before = &all};
static const uint64_t LIVE = UINT64_C(0x5e47b10c5e47b10c);

static void *heap_malloc(void *data, size_t size)
{
    struct block *b = malloc(sizeof *b + size);

    (void)data;
    ASSERT(b != NULL);
    b->size = size;
    b->guard = LIVE;
    b->next = all.next;
    b->before = &all;
    all.next->before = b;
    all.next = b;
    return b + 1;
}

static void heap_free(void *data, void *p)
{
    (void)data;
    if (p == NULL)
        return;
    struct block *b = (struct block *)p - 1;

    ASSERT(b->guard == LIVE); /* freed twice, or not from here */
    b->guard = 0;
    b->next->before = b->before;
    b->before->next = b->next;
    free(b);
}

static void *heap_calloc(void *data, size_t count, size_t size)
{
    void *p = heap_malloc(data, count * size);

    memset(p, 0, count * size);
    return p;
}

static void *heap_realloc(void *data, void *p, size_t size)
{
    if (p == NULL)
        return heap_malloc(data, size);
    struct block *old = (struct block *)p - 1;
    void *moved = heap_malloc(data, size);

    memcpy(moved, p, old->size < size ? old->size : size);
    heap_free(data, p);
    return moved;
}

static void *heap_aligned(void *data, size_t alignment, size_t size)
{
    ASSERT(alignment <= sizeof(struct block));
    return heap_malloc(data, size);
}

static void heap_aligned_free(void *data, size_t alignment, void *p)
{
    (void)alignment;
    heap_free(data, p);
}

static struct raft_heap heap = {
    .malloc = heap_malloc,
    .free = heap_free,
    .calloc = heap_calloc,
    .realloc = heap_realloc,
    .aligned_alloc = heap_aligned,
    .aligned_free = heap_aligned_free,
};

void sim_heap_begin(void)
{
    raft_heap_set(&heap);
}

void sim_heap_end(void)
{
    while (all.next != &all)
        heap_free(NULL, all.next + 1);
    raft_heap_set_default();
}
