/* RFC 8785. Members are ordered by their names' UTF-16 code units. Numbers are written as there,
 * but a number that the nearest double would change keeps all its digits: different values must
 * not give equal bytes. */
#include "base/json.h"

#include "base/decimal.h"
#include "base/json_text.h"
#include "base/mem.h"

#include <stdlib.h>

struct frame {
    struct json_member *members; /* sorted; NULL for an array */
    uint32_t at;                 /* member number, or node of the next element */
    uint32_t end;
};

struct canonical {
    const struct json_doc *doc;
    struct json_writer w;
    struct frame *frames;
    size_t n;
    size_t cap;
    struct bytes text; /* a string without its escapes */
};

/* UTF-8 orders as UTF-16 does, save that U+E000..U+FFFF come after the surrogates there. */
static int utf16_cmp(struct slice a, struct slice b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    for (size_t i = 0; i < n; i++) {
        uint8_t x = a.p[i];
        uint8_t y = b.p[i];
        if (x == y)
            continue;
        bool pair_x = x >= 0xf0;
        bool pair_y = y >= 0xf0;
        if (pair_x != pair_y && x >= 0xee && y >= 0xee)
            return pair_x ? -1 : 1;
        return x < y ? -1 : 1;
    }
    return (a.n > b.n) - (a.n < b.n);
}

static int cmp_member(const void *a, const void *b)
{
    const struct json_member *x = a;
    const struct json_member *y = b;
    int order = utf16_cmp(x->name, y->name);
    return order != 0 ? order : (x->node > y->node) - (x->node < y->node);
}

static void push(struct canonical *c, uint32_t i, struct arena *a)
{
    if (c->n == c->cap) {
        c->cap = c->cap ? c->cap * 2 : 16;
        c->frames = mem_realloc(c->frames, c->cap * sizeof *c->frames);
    }
    const struct json_node *node = &c->doc->node[i];
    struct frame f = {NULL, i + 1, node->next};
    if (node->type == JSON_OBJECT) {
        f.members = arena_alloc(a, node->count * sizeof *f.members);
        f.at = 0;
        f.end = 0;
        for (uint32_t x = i + 1; x < node->next; x = c->doc->node[x + 1].next)
            f.members[f.end++] = (struct json_member){json_string(c->doc, x, a), x};
        qsort(f.members, f.end, sizeof *f.members, cmp_member);
        json_begin_object(&c->w);
    } else {
        json_begin_array(&c->w);
    }
    c->frames[c->n++] = f;
}

static void put_string(struct canonical *c, uint32_t i)
{
    struct slice raw = json_raw(c->doc, i);
    bytes_clear(&c->text);
    bytes_reserve(&c->text, raw.n + 1);
    c->text.n = json_unescape(raw, c->text.p);
    json_put_string(&c->w, bytes_slice(&c->text));
}

static void put_number(struct canonical *c, uint32_t i)
{
    struct decimal d = decimal_of(json_raw(c->doc, i));
    bytes_clear(&c->text);
    decimal_text(&d, &c->text);
    json_put_raw(&c->w, bytes_slice(&c->text));
}

static void put_value(struct canonical *c, uint32_t i, struct arena *a)
{
    switch ((enum json_type)c->doc->node[i].type) {
    case JSON_NULL:
        json_put_null(&c->w);
        break;
    case JSON_FALSE:
    case JSON_TRUE:
        json_put_bool(&c->w, c->doc->node[i].type == JSON_TRUE);
        break;
    case JSON_NUMBER:
        put_number(c, i);
        break;
    case JSON_STRING:
        put_string(c, i);
        break;
    case JSON_ARRAY:
    case JSON_OBJECT:
        push(c, i, a);
        break;
    }
}

void json_canonical(const struct json_doc *doc, uint32_t i, struct bytes *out)
{
    struct canonical c = {.doc = doc};
    struct arena a;
    arena_init(&a, 0);
    json_writer_init(&c.w, out);
    put_value(&c, i, &a);
    while (c.n > 0) {
        struct frame *f = &c.frames[c.n - 1];
        if (f->at == f->end) {
            if (f->members)
                json_end_object(&c.w);
            else
                json_end_array(&c.w);
            c.n--;
        } else if (f->members) {
            struct json_member m = f->members[f->at++];
            json_name_slice(&c.w, m.name);
            put_value(&c, m.node + 1, &a);
        } else {
            uint32_t x = f->at;
            f->at = doc->node[x].next;
            put_value(&c, x, &a);
        }
    }
    bytes_free(&c.text);
    mem_free(c.frames);
    arena_free(&a);
}
