/* Member names of the objects that the reader has open, and the search for duplicates among them.
 * Private to the reader. */
#ifndef BASE_JSON_NAMES_H
#define BASE_JSON_NAMES_H

#include "base/json.h"

struct json_name_ref {
    uint32_t hash;
    uint32_t node;
};

struct json_names {
    struct json_name_ref *list;
    uint32_t n;
    uint32_t cap;
    uint32_t *table;
    uint32_t table_cap;
    struct arena arena; /* unescaped names that are being compared */
};

void json_names_init(struct json_names *names);
void json_names_free(struct json_names *names);
void json_names_grow(struct json_names *names);
/* json_name_hash of the unescaped name. */
uint32_t json_names_hash(struct json_names *names, const struct json_doc *doc, uint32_t node);
/* The node of a name that stands twice among those from `first` on, or JSON_NONE. */
uint32_t json_names_duplicate(struct json_names *names, const struct json_doc *doc, uint32_t first);

static inline void json_names_add(struct json_names *names, struct json_name_ref ref)
{
    if (names->n == names->cap)
        json_names_grow(names);
    names->list[names->n++] = ref;
}

#endif
