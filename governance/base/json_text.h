/* The text of JSON strings: escapes and the hash of member names. Used by the reader and by those
 * who look into its tape. */
#ifndef BASE_JSON_TEXT_H
#define BASE_JSON_TEXT_H

#include "base/slice.h"

/* A member of an object, for sorting. */
struct json_member {
    struct slice name; /* unescaped */
    uint32_t node;     /* its name node */
};
int json_member_cmp(const void *a, const void *b); /* for qsort: by bytes, then by position */

/* Four hexadecimal digits. */
bool json_hex4(const uint8_t *p, uint32_t *out);

/* Unescapes the inside of a string that the reader has accepted; out has room for raw.n bytes.
 * Returns the number of bytes written. */
size_t json_unescape(struct slice raw, uint8_t *out);

static inline uint64_t json_hash_mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * 0x9e3779b97f4a7c15u;
    return h ^ (h >> 32);
}

/* Hash of an unescaped member name, as kept in node.count of name nodes. Fast, not secret: whoever
 * builds a table with it bounds its probes. */
static inline uint32_t json_name_hash(struct slice name)
{
    const uint8_t *p = name.p;
    size_t n = name.n;
    uint64_t h = n;
    uint64_t a = 0, b = 0;
    if (n >= 8) {
        for (; n > 8; n -= 8, p += 8) {
            memcpy(&a, p, 8);
            h = json_hash_mix(h, a);
        }
        memcpy(&b, p + n - 8, 8); /* overlaps what was read: still a function of the name */
    } else if (n >= 4) {
        uint32_t low, high;
        memcpy(&low, p, 4);
        memcpy(&high, p + n - 4, 4);
        b = (uint64_t)high << 32 | low;
    } else if (n > 0) {
        b = (uint64_t)p[0] << 16 | (uint64_t)p[n / 2] << 8 | p[n - 1];
    }
    return (uint32_t)json_hash_mix(h, b);
}

#endif
