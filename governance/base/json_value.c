/* Looking into a parsed document. */
#include "base/json.h"

#include "base/check.h"
#include "base/codec.h"
#include "base/json_text.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>

bool json_hex4(const uint8_t *p, uint32_t *out)
{
    uint32_t v = 0;
    for (int i = 0; i < 4; i++) {
        uint8_t c = p[i];
        uint8_t lower = c | 0x20;
        if (c >= '0' && c <= '9')
            v = v << 4 | (uint32_t)(c - '0');
        else if (lower >= 'a' && lower <= 'f')
            v = v << 4 | (uint32_t)(lower - 'a' + 10);
        else
            return false;
    }
    *out = v;
    return true;
}

static size_t unescape_unicode(const uint8_t **p, uint8_t *out)
{
    uint32_t unit = 0, low = 0;
    json_hex4(*p, &unit);
    *p += 4;
    if (unit >= 0xd800 && unit <= 0xdbff) {
        json_hex4(*p + 2, &low);
        *p += 6;
        unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
    }
    return utf8_put(out, unit);
}

size_t json_unescape(struct slice raw, uint8_t *out)
{
    const uint8_t *p = raw.p;
    const uint8_t *end = p + raw.n;
    size_t n = 0;
    while (p < end) {
        const uint8_t *slash = memchr(p, '\\', (size_t)(end - p));
        size_t plain = (size_t)((slash ? slash : end) - p);
        memcpy(out + n, p, plain);
        n += plain;
        if (slash == NULL)
            break;
        uint8_t c = slash[1];
        p = slash + 2;
        switch (c) {
        case 'b':
            out[n++] = '\b';
            break;
        case 'f':
            out[n++] = '\f';
            break;
        case 'n':
            out[n++] = '\n';
            break;
        case 'r':
            out[n++] = '\r';
            break;
        case 't':
            out[n++] = '\t';
            break;
        case 'u':
            n += unescape_unicode(&p, out + n);
            break;
        default:
            out[n++] = c;
        }
    }
    return n;
}

struct slice json_string(const struct json_doc *doc, uint32_t i, struct arena *a)
{
    if (i == JSON_NONE || doc->node[i].type != JSON_STRING)
        return SLICE_NULL;
    struct slice raw = json_raw(doc, i);
    if (!doc->node[i].escaped)
        return raw;
    uint8_t *out = arena_alloc(a, raw.n);
    return slice_of(out, json_unescape(raw, out));
}

char *json_cstr(const struct json_doc *doc, uint32_t i, struct arena *a)
{
    if (i == JSON_NONE || doc->node[i].type != JSON_STRING)
        return NULL;
    struct slice raw = json_raw(doc, i);
    char *out = arena_alloc(a, raw.n + 1);
    out[json_unescape(raw, (uint8_t *)out)] = '\0';
    return out;
}

bool json_string_is(const struct json_doc *doc, uint32_t i, struct slice text)
{
    if (i == JSON_NONE || doc->node[i].type != JSON_STRING)
        return false;
    struct slice raw = json_raw(doc, i);
    if (!doc->node[i].escaped)
        return slice_eq(raw, text);
    if (raw.n < text.n)
        return false;
    uint8_t small[256];
    uint8_t *out = raw.n <= sizeof small ? small : mem_alloc(raw.n);
    bool same = slice_eq(slice_of(out, json_unescape(raw, out)), text);
    if (out != small)
        mem_free(out);
    return same;
}

uint32_t json_get_slice(const struct json_doc *doc, uint32_t obj, struct slice name)
{
    if (obj == JSON_NONE || doc->node[obj].type != JSON_OBJECT)
        return JSON_NONE;
    uint32_t hash = json_name_hash(name);
    uint32_t end = doc->node[obj].next;
    for (uint32_t i = obj + 1; i < end; i = doc->node[i + 1].next)
        if (doc->node[i].count == hash && json_string_is(doc, i, name))
            return i + 1;
    return JSON_NONE;
}

uint32_t json_get(const struct json_doc *doc, uint32_t obj, const char *name)
{
    return json_get_slice(doc, obj, slice_str(name));
}

uint32_t json_first(const struct json_doc *doc, uint32_t i)
{
    if (i == JSON_NONE || doc->node[i].next == i + 1 || doc->node[i].is_name)
        return JSON_NONE;
    return i + 1;
}

uint32_t json_sibling(const struct json_doc *doc, uint32_t parent, uint32_t i)
{
    uint32_t next = doc->node[i].next;
    return next < doc->node[parent].next ? next : JSON_NONE;
}

bool json_int64(const struct json_doc *doc, uint32_t i, int64_t *out)
{
    if (i == JSON_NONE || doc->node[i].type != JSON_NUMBER || !doc->node[i].integer)
        return false;
    struct slice raw = json_raw(doc, i);
    bool negative = doc->node[i].negative;
    int64_t v = 0;
    for (size_t k = negative; k < raw.n; k++) {
        int digit = raw.p[k] - '0';
        if (__builtin_mul_overflow(v, 10, &v) ||
            __builtin_add_overflow(v, negative ? -digit : digit, &v))
            return false;
    }
    *out = v;
    return true;
}

bool json_double(const struct json_doc *doc, uint32_t i, double *out)
{
    if (i == JSON_NONE || doc->node[i].type != JSON_NUMBER)
        return false;
    struct slice raw = json_raw(doc, i);
    char small[128];
    char *text = raw.n < sizeof small ? small : mem_alloc(raw.n + 1);
    memcpy(text, raw.p, raw.n);
    text[raw.n] = '\0';
    double v = strtod(text, NULL); /* the process never leaves the C locale */
    if (text != small)
        mem_free(text);
    if (!isfinite(v))
        return false;
    *out = v;
    return true;
}

static void add_pointer_token(struct slice token, struct bytes *out)
{
    bytes_add_u8(out, '/');
    for (size_t i = 0; i < token.n; i++) {
        if (token.p[i] == '~')
            bytes_add_str(out, "~0");
        else if (token.p[i] == '/')
            bytes_add_str(out, "~1");
        else
            bytes_add_u8(out, token.p[i]);
    }
}

void json_pointer(const struct json_doc *doc, uint32_t i, struct bytes *out)
{
    struct arena a;
    arena_init(&a, 0);
    uint32_t at = 0;
    while (at != i) {
        bool object = doc->node[at].type == JSON_OBJECT;
        uint32_t child = at + 1;
        uint32_t index = 0;
        ASSERT(child <= i && i < doc->node[at].next);
        /* In an object the name's subtree is taken to hold its value too. */
        while ((object ? doc->node[child + 1].next : doc->node[child].next) <= i) {
            child = object ? doc->node[child + 1].next : doc->node[child].next;
            index++;
        }
        if (object) {
            add_pointer_token(json_string(doc, child, &a), out);
            at = child == i ? i : child + 1;
        } else {
            bytes_printf(out, "/%u", index);
            at = child;
        }
    }
    arena_free(&a);
}

/* Array index of RFC 6901: no sign, no leading zeros. */
static bool pointer_index(struct slice token, uint32_t *out)
{
    if (token.n == 0 || token.n > 9 || (token.n > 1 && token.p[0] == '0'))
        return false;
    uint32_t v = 0;
    for (size_t i = 0; i < token.n; i++) {
        if (token.p[i] < '0' || token.p[i] > '9')
            return false;
        v = v * 10 + (uint32_t)(token.p[i] - '0');
    }
    *out = v;
    return true;
}

static uint32_t array_element(const struct json_doc *doc, uint32_t array, uint32_t index)
{
    if (index >= doc->node[array].count)
        return JSON_NONE;
    uint32_t i = array + 1;
    while (index-- > 0)
        i = doc->node[i].next;
    return i;
}

/* token ~-decoded into out, which has room for token.n bytes; false for a stray ~. */
static bool pointer_token(struct slice token, uint8_t *out, size_t *out_n)
{
    size_t n = 0;
    for (size_t i = 0; i < token.n; i++) {
        uint8_t c = token.p[i];
        if (c == '~') {
            i++;
            if (i == token.n || (token.p[i] != '0' && token.p[i] != '1'))
                return false;
            c = token.p[i] == '0' ? '~' : '/';
        }
        out[n++] = c;
    }
    *out_n = n;
    return true;
}

uint32_t json_at(const struct json_doc *doc, uint32_t root, struct slice pointer)
{
    uint32_t at = root;
    uint8_t *token = mem_alloc(pointer.n);
    size_t i = 0;
    while (i < pointer.n && at != JSON_NONE) {
        size_t end = i + 1;
        while (end < pointer.n && pointer.p[end] != '/')
            end++;
        size_t token_n;
        uint32_t index;
        struct slice raw = {pointer.p + i + 1, end - i - 1};
        if (pointer.p[i] != '/' || !pointer_token(raw, token, &token_n))
            at = JSON_NONE;
        else if (json_type(doc, at) == JSON_OBJECT)
            at = json_get_slice(doc, at, slice_of(token, token_n));
        else if (json_type(doc, at) == JSON_ARRAY && pointer_index(raw, &index))
            at = array_element(doc, at, index);
        else
            at = JSON_NONE;
        i = end;
    }
    mem_free(token);
    return at;
}
