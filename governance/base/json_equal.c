/* Equality of two JSON values without recursion: pairs of containers that remain to be compared
 * stand on a stack. */
#include "base/json.h"

#include "base/decimal.h"
#include "base/json_text.h"
#include "base/mem.h"

#include <stdlib.h>

enum { STACK_FIRST = 64, SEARCH_MAX = 16 };

struct pair {
    uint32_t i;
    uint32_t j;
};

struct compare {
    const struct json_doc *a;
    const struct json_doc *b;
    struct pair *stack;
    size_t n;
    size_t cap;
    struct pair first[STACK_FIRST];
};

static void push(struct compare *c, uint32_t i, uint32_t j)
{
    if (c->n == c->cap) {
        c->cap *= 2;
        if (c->stack == c->first) {
            c->stack = mem_alloc(c->cap * sizeof *c->stack);
            memcpy(c->stack, c->first, sizeof c->first);
        } else {
            c->stack = mem_realloc(c->stack, c->cap * sizeof *c->stack);
        }
    }
    c->stack[c->n++] = (struct pair){i, j};
}

static bool same_string(const struct compare *c, uint32_t i, uint32_t j)
{
    bool escaped_a = c->a->node[i].escaped;
    bool escaped_b = c->b->node[j].escaped;
    if (!escaped_b)
        return json_string_is(c->a, i, json_raw(c->b, j));
    if (!escaped_a)
        return json_string_is(c->b, j, json_raw(c->a, i));
    struct slice raw = json_raw(c->b, j);
    if (slice_eq(json_raw(c->a, i), raw))
        return true;
    uint8_t *text = mem_alloc(raw.n);
    bool same = json_string_is(c->a, i, slice_of(text, json_unescape(raw, text)));
    mem_free(text);
    return same;
}

/* Scalars are decided here, containers of one size pushed. */
static bool same_or_later(struct compare *c, uint32_t i, uint32_t j)
{
    const struct json_node *x = &c->a->node[i];
    const struct json_node *y = &c->b->node[j];
    if (x->type != y->type)
        return false;
    switch ((enum json_type)x->type) {
    case JSON_NULL:
    case JSON_FALSE:
    case JSON_TRUE:
        return true;
    case JSON_NUMBER: {
        struct slice text_a = json_raw(c->a, i);
        struct slice text_b = json_raw(c->b, j);
        if (slice_eq(text_a, text_b))
            return true;
        struct decimal da = decimal_of(text_a);
        struct decimal db = decimal_of(text_b);
        return decimal_cmp(&da, &db) == 0;
    }
    case JSON_STRING:
        return same_string(c, i, j);
    case JSON_ARRAY:
    case JSON_OBJECT:
        if (x->count != y->count)
            return false;
        if (x->count > 0)
            push(c, i, j);
        return true;
    }
    return false;
}

static bool same_array(struct compare *c, uint32_t i, uint32_t j)
{
    uint32_t end = c->a->node[i].next;
    uint32_t y = j + 1;
    for (uint32_t x = i + 1; x < end; x = c->a->node[x].next) {
        if (!same_or_later(c, x, y))
            return false;
        y = c->b->node[y].next;
    }
    return true;
}

static bool same_name(const struct compare *c, uint32_t i, uint32_t j)
{
    return c->a->node[i].count == c->b->node[j].count && same_string(c, i, j);
}

static bool same_small_object(struct compare *c, uint32_t i, uint32_t j)
{
    uint32_t end_a = c->a->node[i].next;
    uint32_t end_b = c->b->node[j].next;
    uint32_t guess = j + 1; /* most often the members stand in one order */
    for (uint32_t x = i + 1; x < end_a; x = c->a->node[x + 1].next) {
        uint32_t y = guess;
        if (y >= end_b || !same_name(c, x, y)) {
            y = j + 1;
            while (y < end_b && !same_name(c, x, y))
                y = c->b->node[y + 1].next;
        }
        if (y >= end_b || !same_or_later(c, x + 1, y + 1))
            return false;
        guess = c->b->node[y + 1].next;
    }
    return true;
}

int json_member_cmp(const void *a, const void *b)
{
    const struct json_member *x = a;
    const struct json_member *y = b;
    int order = slice_cmp(x->name, y->name);
    return order != 0 ? order : (x->node > y->node) - (x->node < y->node);
}

/* The name nodes of object i, by name. Equal names (only where duplicates are allowed) keep their
 * order. */
static struct json_member *members(const struct json_doc *doc, uint32_t i, struct arena *a)
{
    struct json_member *list = arena_alloc(a, doc->node[i].count * sizeof *list);
    uint32_t n = 0;
    for (uint32_t x = i + 1; x < doc->node[i].next; x = doc->node[x + 1].next)
        list[n++] = (struct json_member){json_string(doc, x, a), x};
    qsort(list, n, sizeof *list, json_member_cmp);
    return list;
}

static bool same_object(struct compare *c, uint32_t i, uint32_t j)
{
    uint32_t n = c->a->node[i].count;
    if (n <= SEARCH_MAX)
        return same_small_object(c, i, j);
    struct arena arena;
    arena_init(&arena, 0);
    struct json_member *x = members(c->a, i, &arena);
    struct json_member *y = members(c->b, j, &arena);
    bool same = true;
    for (uint32_t k = 0; k < n && same; k++)
        same = slice_eq(x[k].name, y[k].name) && same_or_later(c, x[k].node + 1, y[k].node + 1);
    arena_free(&arena);
    return same;
}

bool json_equal(const struct json_doc *a, uint32_t i, const struct json_doc *b, uint32_t j)
{
    struct compare c = {.a = a, .b = b, .cap = STACK_FIRST};
    c.stack = c.first;
    bool same = same_or_later(&c, i, j);
    while (same && c.n > 0) {
        struct pair p = c.stack[--c.n];
        same =
            a->node[p.i].type == JSON_ARRAY ? same_array(&c, p.i, p.j) : same_object(&c, p.i, p.j);
    }
    if (c.stack != c.first)
        mem_free(c.stack);
    return same;
}
