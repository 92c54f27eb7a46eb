/* Hashes of JSON values: numbers by value, members in any order. They only sort candidates;
 * equality is always decided by json_equal. */
#include "json/internal.h"

uint64_t hash_string(struct slice text)
{
    return json_hash_mix(json_name_hash(text), 0x5353);
}

uint64_t hash_scalar(const struct json_doc *doc, uint32_t i, struct bytes *text)
{
    const struct json_node *node = &doc->node[i];
    if (node->type == JSON_STRING) {
        if (node->is_name)
            return json_hash_mix(node->count, 0x5353);
        return hash_string(node_string(doc, i, text));
    }
    if (node->type == JSON_NUMBER) {
        struct decimal d = decimal_of(json_raw(doc, i));
        return decimal_hash(&d);
    }
    return json_hash_mix(0x1234567, node->type);
}

void hash_nodes(const struct json_doc *doc, uint64_t *hashes, struct bytes *text)
{
    for (uint32_t i = doc->n; i-- > 0;) {
        const struct json_node *node = &doc->node[i];
        if (node->type != JSON_ARRAY && node->type != JSON_OBJECT) {
            hashes[i] = hash_scalar(doc, i, text);
            continue;
        }
        uint64_t h = json_hash_mix(node->type, node->count);
        if (node->type == JSON_ARRAY) {
            for (uint32_t x = i + 1; x < node->next; x = doc->node[x].next)
                h = json_hash_mix(h, hashes[x]);
        } else { /* a sum, so that order does not matter */
            for (uint32_t x = i + 1; x < node->next; x = doc->node[x + 1].next)
                h += json_hash_mix(hashes[x], hashes[x + 1]);
        }
        hashes[i] = json_hash_mix(h, 0x77);
    }
}
