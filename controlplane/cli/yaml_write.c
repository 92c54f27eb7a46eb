#include "cli/internal.h"

#include "base/codec.h"

static void indent(struct bytes *out, unsigned depth)
{
    for (unsigned i = 0; i < depth; i++)
        bytes_add_str(out, "  ");
}

/* May the text stand unquoted, and mean itself? Only what is surely harmless. */
static bool plain(struct slice s)
{
    struct bytes ignored = {0};
    const char *why;
    if (s.n == 0 || s.n > 200 || s.p[0] == '-' || s.p[s.n - 1] == ' ')
        return false;
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    (c != 0 && strchr("_./+-", c) != NULL) || (c >= 0xA0 && c != 0xEF);
        bool inside = i > 0 && (c == ' ' || c == ',' || c == '(' || c == ')' || c == ';');
        if (!word && !inside)
            return false;
    }
    bool text = yaml_scalar(s, &ignored, &why) == YAML_TEXT;
    bytes_free(&ignored);
    bool digit = s.p[0] >= '0' && s.p[0] <= '9';
    /* 7d and 64KiB may stand as they are; dates, versions and 1_000 are quoted. */
    for (size_t i = 0; digit && i < s.n; i++)
        text = text && strchr("-_.:+ ,;/()", s.p[i]) == NULL;
    return text;
}

/* Several lines of printable text: a literal block keeps them readable. */
static bool literal(struct slice s)
{
    bool lines = false;
    if (s.n < 2 || s.p[0] == ' ' || s.p[0] == '\n')
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\n')
            lines |= i + 1 < s.n;
        else if (s.p[i] < 0x20 || s.p[i] == 0x7F || s.p[i] == 0xC2 || s.p[i] == 0xE2 ||
                 s.p[i] == 0xEF)
            return false; /* controls, NEL, line separators, byte order marks */
    }
    return lines && (s.n < 2 || s.p[s.n - 2] != '\n' || s.p[s.n - 1] != '\n');
}

static void put_literal(struct bytes *out, struct slice s, unsigned depth)
{
    bool ends = s.p[s.n - 1] == '\n';
    bytes_add_str(out, ends ? "|" : "|-");
    if (ends)
        s.n--;
    for (size_t from = 0; from <= s.n;) {
        const uint8_t *at = memchr(s.p + from, '\n', s.n - from);
        size_t n = at != NULL ? (size_t)(at - s.p) - from : s.n - from;
        bytes_add_u8(out, '\n');
        if (n > 0)
            indent(out, depth);
        bytes_add(out, s.p + from, n);
        from += n + 1;
    }
}

/* JSON's quoting is YAML's double quoting, but for a few characters that YAML takes for the end of
 * a line or does not print: DEL, U+0080 to U+009F, U+2028, U+2029, U+FEFF. */
static void put_quoted(struct bytes *out, struct slice s)
{
    struct bytes json = {0};
    struct json_writer w;
    json_writer_init(&w, &json);
    json_put_string(&w, s);
    for (size_t i = 0; i < json.n; i++) {
        const uint8_t *p = json.p + i;
        if (p[0] == 0x7F) {
            bytes_add_str(out, "\\u007f");
        } else if (p[0] == 0xC2 && p[1] < 0xA0) {
            bytes_printf(out, "\\u00%02x", p[1]);
            i++;
        } else if (p[0] == 0xE2 && p[1] == 0x80 && (p[2] == 0xA8 || p[2] == 0xA9)) {
            bytes_printf(out, "\\u20%02x", p[2] - 0x80);
            i += 2;
        } else if (p[0] == 0xEF && p[1] == 0xBB && p[2] == 0xBF) {
            bytes_add_str(out, "\\ufeff");
            i += 2;
        } else {
            bytes_add_u8(out, p[0]);
        }
    }
    bytes_free(&json);
}

static void put_name(struct bytes *out, struct slice s)
{
    if (plain(s))
        bytes_add_slice(out, s);
    else
        put_quoted(out, s);
}

static void put_string(struct bytes *out, struct slice s, unsigned depth)
{
    if (literal(s))
        put_literal(out, s, depth);
    else
        put_name(out, s);
}

static void put(const struct json_doc *doc, uint32_t i, struct bytes *out, unsigned depth,
                struct arena *a);

/* Lists of short texts stand on one line. */
static bool flow(const struct json_doc *doc, uint32_t node)
{
    size_t n = 0;
    for (uint32_t i = json_first(doc, node); i != JSON_NONE; i = json_sibling(doc, node, i)) {
        if (json_type(doc, i) >= JSON_ARRAY || doc->node[i].escaped)
            return false;
        n += doc->node[i].length + 2;
    }
    return n < 70;
}

static void put_array(const struct json_doc *doc, uint32_t node, struct bytes *out, unsigned depth,
                      struct arena *a)
{
    bool inside = flow(doc, node), first = true;
    bytes_add_str(out, inside ? "[" : "");
    for (uint32_t i = json_first(doc, node); i != JSON_NONE; i = json_sibling(doc, node, i)) {
        if (inside) {
            struct slice text =
                json_type(doc, i) == JSON_STRING ? json_string(doc, i, a) : SLICE_NULL;
            bytes_add_str(out, first ? "" : ", ");
            if (json_type(doc, i) != JSON_STRING)
                bytes_add_slice(out, json_raw(doc, i));
            else if (memchr(text.p, ',', text.n) == NULL)
                put_name(out, text);
            else
                put_quoted(out, text);
        } else {
            bytes_add_u8(out, '\n');
            indent(out, depth);
            bytes_add_str(out, "- ");
            put(doc, i, out, depth + 1, a);
        }
        first = false;
    }
    bytes_add_str(out, inside ? "]" : "");
}

static void put_object(const struct json_doc *doc, uint32_t node, struct bytes *out, unsigned depth,
                       bool in_list, struct arena *a)
{
    bool first = true;
    if (doc->node[node].count == 0) {
        bytes_add_str(out, "{}");
        return;
    }
    for (uint32_t i = json_first(doc, node); i != JSON_NONE;) {
        uint32_t value = json_sibling(doc, node, i);
        if (!first || !in_list) {
            if (out->n > 0 && out->p[out->n - 1] == ' ')
                out->n--; /* after "name: " */
            if (out->n > 0)
                bytes_add_u8(out, '\n');
            indent(out, depth);
        }
        first = false;
        put_name(out, json_string(doc, i, a));
        bytes_add_str(out, ": ");
        put(doc, value, out, depth + 1, a);
        i = json_sibling(doc, node, value);
    }
}

/* Nesting is bounded by the reader's depth. */
static void put(const struct json_doc *doc, uint32_t i, struct bytes *out, unsigned depth,
                struct arena *a)
{
    bool in_list = out->n >= 2 && out->p[out->n - 2] == '-' && out->p[out->n - 1] == ' ';
    switch (json_type(doc, i)) {
    case JSON_STRING:
        put_string(out, json_string(doc, i, a), depth);
        break;
    case JSON_ARRAY:
        if (!flow(doc, i) && out->n > 0 && out->p[out->n - 1] == ' ' && !in_list)
            out->n--;
        put_array(doc, i, out, depth, a);
        break;
    case JSON_OBJECT:
        put_object(doc, i, out, depth, in_list, a);
        break;
    default:
        bytes_add_slice(out, json_raw(doc, i));
    }
}

void yaml_write(const struct json_doc *doc, uint32_t node, struct bytes *out)
{
    struct bytes text = {0};
    struct arena a;
    arena_init(&a, 0);
    put(doc, node, &text, 0, &a);
    bytes_add_slice(out, bytes_slice(&text));
    bytes_add_u8(out, '\n');
    bytes_free(&text);
    arena_free(&a);
}
