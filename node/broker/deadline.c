#include "broker/deadline.h"

#include "base/check.h"
#include "base/mem.h"

static int deadline_before(const struct deadline *a, const struct deadline *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

static void deadlines_set(struct deadlines *d, size_t i, struct deadline *node)
{
    d->heap[i] = node;
    node->place = i + 1;
}

static void deadlines_up(struct deadlines *d, size_t i, struct deadline *node)
{
    while (i > 0 && deadline_before(node, d->heap[(i - 1) / 2])) {
        deadlines_set(d, i, d->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    deadlines_set(d, i, node);
}

static void deadlines_down(struct deadlines *d, size_t i, struct deadline *node)
{
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= d->n)
            break;
        if (child + 1 < d->n && deadline_before(d->heap[child + 1], d->heap[child]))
            child++;
        if (!deadline_before(d->heap[child], node))
            break;
        deadlines_set(d, i, d->heap[child]);
        i = child;
    }
    deadlines_set(d, i, node);
}

void deadlines_free(struct deadlines *d)
{
    mem_free(d->heap);
    *d = (struct deadlines){0};
}

void deadlines_add(struct deadlines *d, struct deadline *node, int64_t at_ms)
{
    ASSERT(node->place == 0);
    if (d->n == d->cap) {
        d->cap = d->cap ? d->cap * 2 : 64;
        d->heap = mem_realloc(d->heap, d->cap * sizeof *d->heap);
    }
    node->at_ms = at_ms;
    node->order = d->order++;
    deadlines_up(d, d->n++, node);
}

void deadlines_remove(struct deadlines *d, struct deadline *node)
{
    if (node->place == 0)
        return;
    size_t i = node->place - 1;
    ASSERT(i < d->n && d->heap[i] == node);
    node->place = 0;
    struct deadline *last = d->heap[--d->n];
    if (last == node)
        return;
    if (i > 0 && deadline_before(last, d->heap[(i - 1) / 2]))
        deadlines_up(d, i, last);
    else
        deadlines_down(d, i, last);
}

int64_t deadlines_next_ms(const struct deadlines *d)
{
    return d->n ? d->heap[0]->at_ms : INT64_MAX;
}

struct deadline *deadlines_pop(struct deadlines *d, int64_t now_ms)
{
    if (d->n == 0 || d->heap[0]->at_ms > now_ms)
        return NULL;
    struct deadline *node = d->heap[0];
    deadlines_remove(d, node);
    return node;
}
