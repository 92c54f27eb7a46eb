#include "base/json_names.h"

#include "base/json_text.h"
#include "base/mem.h"

#include <stdlib.h>

enum {
    NAMES_FIRST = 128,
    PAIRWISE_MAX = 16, /* up to here each name is compared with each; beyond, a table */
    PROBES_MAX = 48,   /* a longer search means hostile names: then they are sorted */
};

void json_names_init(struct json_names *names)
{
    *names = (struct json_names){.cap = NAMES_FIRST};
    names->list = mem_alloc(NAMES_FIRST * sizeof *names->list);
}

void json_names_free(struct json_names *names)
{
    mem_free(names->list);
    mem_free(names->table);
    arena_free(&names->arena);
}

void json_names_grow(struct json_names *names)
{
    names->cap *= 2;
    names->list = mem_realloc(names->list, names->cap * sizeof *names->list);
}

uint32_t json_names_hash(struct json_names *names, const struct json_doc *doc, uint32_t node)
{
    if (!doc->node[node].escaped)
        return json_name_hash(json_raw(doc, node));
    arena_reset(&names->arena);
    return json_name_hash(json_string(doc, node, &names->arena));
}

static bool same_name(struct json_names *names, const struct json_doc *doc, uint32_t i, uint32_t j)
{
    if (!doc->node[i].escaped)
        return json_string_is(doc, j, json_raw(doc, i));
    arena_reset(&names->arena);
    return json_string_is(doc, j, json_string(doc, i, &names->arena));
}

/* Only for names made to collide: n log n whatever they are. */
static uint32_t duplicate_sorted(struct json_names *names, const struct json_doc *doc,
                                 const struct json_name_ref *list, uint32_t n)
{
    struct json_member *sorted = mem_alloc(n * sizeof *sorted);
    uint32_t found = JSON_NONE;
    arena_reset(&names->arena);
    for (uint32_t i = 0; i < n; i++)
        sorted[i] =
            (struct json_member){json_string(doc, list[i].node, &names->arena), list[i].node};
    qsort(sorted, n, sizeof *sorted, json_member_cmp);
    for (uint32_t i = 1; i < n && found == JSON_NONE; i++)
        if (slice_eq(sorted[i - 1].name, sorted[i].name))
            found = sorted[i].node;
    mem_free(sorted);
    arena_reset(&names->arena);
    return found;
}

static uint32_t duplicate_hashed(struct json_names *names, const struct json_doc *doc,
                                 const struct json_name_ref *list, uint32_t n)
{
    uint32_t cap = 64;
    while (cap < n * 2)
        cap *= 2;
    if (cap > names->table_cap) {
        mem_free(names->table);
        names->table = mem_alloc(cap * sizeof *names->table);
        names->table_cap = cap;
    }
    memset(names->table, 0, cap * sizeof *names->table);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t slot = list[i].hash & (cap - 1);
        for (unsigned probes = 0; names->table[slot] != 0; probes++) {
            const struct json_name_ref *other = &list[names->table[slot] - 1];
            if (other->hash == list[i].hash && same_name(names, doc, other->node, list[i].node))
                return list[i].node;
            if (probes == PROBES_MAX)
                return duplicate_sorted(names, doc, list, n);
            slot = (slot + 1) & (cap - 1);
        }
        names->table[slot] = i + 1;
    }
    return JSON_NONE;
}

uint32_t json_names_duplicate(struct json_names *names, const struct json_doc *doc, uint32_t first)
{
    const struct json_name_ref *list = names->list + first;
    uint32_t n = names->n - first;
    if (n > PAIRWISE_MAX)
        return duplicate_hashed(names, doc, list, n);
    for (uint32_t i = 1; i < n; i++)
        for (uint32_t j = 0; j < i; j++)
            if (list[i].hash == list[j].hash && same_name(names, doc, list[i].node, list[j].node))
                return list[i].node;
    return JSON_NONE;
}
