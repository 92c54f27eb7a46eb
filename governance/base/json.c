/* The reader: one pass, one loop, a stack of open containers, a tape of nodes. */
#include "base/json.h"

#include "base/codec.h"
#include "base/json_names.h"
#include "base/json_text.h"
#include "base/mem.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

enum { NODES_FIRST = 256 };

struct frame {
    uint32_t node;
    uint32_t names; /* where its names start in scratch->names.list */
    bool object;
};

struct json_scratch {
    struct frame *frames;
    uint32_t frames_cap;
    struct json_names names; /* of all open objects */
};

struct parser {
    struct json_doc *doc;
    struct json_scratch *s;
    const uint8_t *begin;
    const uint8_t *p;
    const uint8_t *end;
    uint32_t depth;
    uint32_t max_depth;
    uint32_t max_nodes;
    bool allow_duplicates;
};

static int fail(struct parser *ps, const uint8_t *at, const char *rule)
{
    ps->doc->error = rule;
    ps->doc->error_offset = (uint32_t)(at - ps->begin);
    return ERR_INVALID;
}

static int fail_limit(struct parser *ps, const char *rule)
{
    fail(ps, ps->p, rule);
    return ERR_LIMIT;
}

static const char unexpected[] = "unexpected character";
static const char truncated[] = "unexpected end of text";

static int fail_here(struct parser *ps)
{
    return fail(ps, ps->p, ps->p < ps->end ? unexpected : truncated);
}

static inline bool is_space(uint8_t c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline void skip_space(struct parser *ps)
{
    const uint8_t *p = ps->p;
    const uint8_t *end = ps->end;
    if (p != end && *p > ' ')
        return;
    while (p < end && is_space(*p)) {
        p++;
#if defined(__SSE2__)
        /* Indentation: a run of spaces in steps of 16. */
        while (end - p >= 16) {
            __m128i chunk = _mm_loadu_si128((const __m128i *)(const void *)p);
            unsigned other =
                ~(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(chunk, _mm_set1_epi8(' '))) & 0xffff;
            if (other != 0) {
                p += __builtin_ctz(other);
                break;
            }
            p += 16;
        }
#endif
    }
    ps->p = p;
}

static inline bool is_digit(uint8_t c)
{
    return (uint8_t)(c - '0') < 10;
}

static int read_number(struct parser *ps, struct json_node *node)
{
    const uint8_t *p = ps->p;
    const uint8_t *end = ps->end;
    node->type = JSON_NUMBER;
    node->integer = true;
    if (*p == '-') {
        node->negative = true;
        p++;
    }
    const uint8_t *first = p;
    while (p < end && is_digit(*p))
        p++;
    if (p == first || (*first == '0' && p - first > 1))
        return fail(ps, first, p < end || p != first ? "invalid number" : truncated);
    if (p < end && *p == '.') {
        node->integer = false;
        first = ++p;
        while (p < end && is_digit(*p))
            p++;
        if (p == first)
            return fail(ps, p, p < end ? "invalid number" : truncated);
    }
    if (p < end && (*p | 0x20) == 'e') {
        node->integer = false;
        p++;
        if (p < end && (*p == '+' || *p == '-'))
            p++;
        first = p;
        while (p < end && is_digit(*p))
            p++;
        if (p == first)
            return fail(ps, p, p < end ? "invalid number" : truncated);
    }
    node->length = (uint32_t)(p - ps->p);
    ps->p = p;
    return 0;
}

static int read_word(struct parser *ps, struct json_node *node, const char *word, size_t n,
                     enum json_type type)
{
    if ((size_t)(ps->end - ps->p) < n || memcmp(ps->p, word, n) != 0)
        return fail(ps, ps->p, "unexpected word");
    node->type = (uint8_t)type;
    node->length = (uint32_t)n;
    ps->p += n;
    return 0;
}

/* Checks \uXXXX (p at the u) and its pair; returns the byte after, or NULL. */
static const uint8_t *check_unicode_escape(const uint8_t *p, const uint8_t *end, const char **rule)
{
    uint32_t unit, low;
    *rule = "invalid escape";
    if (end - p < 5 || !json_hex4(p + 1, &unit))
        return NULL;
    p += 5;
    if (unit < 0xd800 || unit > 0xdfff)
        return p;
    *rule = "lone surrogate";
    if (unit > 0xdbff || end - p < 6 || p[0] != '\\' || p[1] != 'u' || !json_hex4(p + 2, &low) ||
        low < 0xdc00 || low > 0xdfff)
        return NULL;
    return p + 6;
}

static const uint8_t *check_escape(const uint8_t *p, const uint8_t *end, const char **rule)
{
    *rule = truncated;
    if (end - p < 2)
        return NULL;
    switch (p[1]) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        return p + 2;
    case 'u':
        return check_unicode_escape(p + 1, end, rule);
    default:
        *rule = "invalid escape";
        return NULL;
    }
}

/* The first byte from p on that needs a look: quote, backslash, control or not ASCII. */
static inline const uint8_t *scan_plain(const uint8_t *p, const uint8_t *end)
{
#if defined(__SSE2__)
    while (end - p >= 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
        __m128i quote = _mm_cmpeq_epi8(v, _mm_set1_epi8('"'));
        __m128i slash = _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'));
        /* Signed: bytes from 0x80 on are negative, so both ends in one comparison. */
        __m128i low = _mm_cmplt_epi8(v, _mm_set1_epi8(0x20));
        unsigned mask = (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, slash), low));
        if (mask != 0)
            return p + __builtin_ctz(mask);
        p += 16;
    }
#endif
    while (p < end && *p >= 0x20 && *p < 0x80 && *p != '"' && *p != '\\')
        p++;
    return p;
}

/* ps->p is after the opening quote. */
static int read_string(struct parser *ps, struct json_node *node)
{
    const uint8_t *p = ps->p;
    const uint8_t *end = ps->end;
    node->type = JSON_STRING;
    node->start = (uint32_t)(p - ps->begin);
    for (;;) {
        p = scan_plain(p, end);
        if (p == end)
            return fail(ps, p, truncated);
        if (*p == '"')
            break;
        if (*p == '\\') {
            const char *rule;
            const uint8_t *next = check_escape(p, end, &rule);
            if (next == NULL)
                return fail(ps, p, rule);
            node->escaped = true;
            p = next;
        } else if (*p < 0x20) {
            return fail(ps, p, "control character in a string");
        } else {
            do {
                size_t n = utf8_sequence(p, end);
                if (n == 0)
                    return fail(ps, p, "invalid UTF-8");
                p += n;
            } while (p < end && *p >= 0x80);
        }
    }
    node->length = (uint32_t)(p - ps->begin) - node->start;
    ps->p = p + 1;
    return 0;
}

static void add_name(struct parser *ps, uint32_t node_index)
{
    struct json_node *node = &ps->doc->node[node_index];
    node->is_name = true;
    node->next = node_index + 1;
    node->count = json_names_hash(&ps->s->names, ps->doc, node_index);
    json_names_add(&ps->s->names, (struct json_name_ref){node->count, node_index});
}

static int push(struct parser *ps, uint32_t node, bool object)
{
    struct json_scratch *s = ps->s;
    if (ps->depth == ps->max_depth) {
        ps->p--;
        return fail_limit(ps, "nested too deep");
    }
    if (ps->depth == s->frames_cap) {
        s->frames_cap = s->frames_cap ? s->frames_cap * 2 : 64;
        s->frames = mem_realloc(s->frames, s->frames_cap * sizeof *s->frames);
    }
    s->frames[ps->depth++] = (struct frame){node, s->names.n, object};
    return 0;
}

/* The closing bracket has been read. */
static int pop(struct parser *ps)
{
    struct frame *f = &ps->s->frames[ps->depth - 1];
    struct json_node *node = &ps->doc->node[f->node];
    node->length = (uint32_t)(ps->p - ps->begin) - node->start;
    node->next = ps->doc->n;
    if (f->object && !ps->allow_duplicates) {
        uint32_t twice = json_names_duplicate(&ps->s->names, ps->doc, f->names);
        if (twice != JSON_NONE)
            return fail(ps, ps->begin + ps->doc->node[twice].start, "duplicate member name");
    }
    ps->s->names.n = f->names;
    ps->depth--;
    return 0;
}

static int new_node(struct parser *ps, uint32_t *out)
{
    struct json_doc *doc = ps->doc;
    if (doc->n == doc->cap) {
        if (ps->max_nodes != 0 && doc->n >= ps->max_nodes)
            return fail_limit(ps, "too many values");
        uint32_t cap = doc->cap ? doc->cap * 2 : NODES_FIRST;
        if (cap < doc->cap) /* not reached: every node has a byte of text */
            return fail_limit(ps, "too many values");
        doc->node = mem_realloc(doc->node, cap * sizeof *doc->node);
        doc->cap = cap;
    } else if (ps->max_nodes != 0 && doc->n >= ps->max_nodes) {
        return fail_limit(ps, "too many values");
    }
    doc->node[doc->n] =
        (struct json_node){.start = (uint32_t)(ps->p - ps->begin), .next = doc->n + 1};
    *out = doc->n++;
    return 0;
}

/* A member name and its colon; ps->p is where the name should start. */
static int read_name(struct parser *ps)
{
    uint32_t i;
    if (ps->p == ps->end || *ps->p != '"')
        return fail_here(ps);
    int rc = new_node(ps, &i);
    if (rc != 0)
        return rc;
    ps->p++;
    rc = read_string(ps, &ps->doc->node[i]);
    if (rc != 0)
        return rc;
    add_name(ps, i);
    skip_space(ps);
    if (ps->p == ps->end || *ps->p != ':')
        return fail_here(ps);
    ps->p++;
    skip_space(ps);
    return 0;
}

/* One value; an opened container is pushed and *opened set unless it is empty. */
static int read_value(struct parser *ps, bool *opened)
{
    uint32_t i;
    *opened = false;
    if (ps->p == ps->end)
        return fail_here(ps);
    int rc = new_node(ps, &i);
    if (rc != 0)
        return rc;
    struct json_node *node = &ps->doc->node[i];
    uint8_t c = *ps->p;
    switch (c) {
    case '"':
        ps->p++;
        return read_string(ps, node);
    case '{':
    case '[':
        node->type = c == '{' ? JSON_OBJECT : JSON_ARRAY;
        ps->p++;
        rc = push(ps, i, c == '{');
        if (rc != 0)
            return rc;
        skip_space(ps);
        if (ps->p < ps->end && *ps->p == (c == '{' ? '}' : ']')) {
            ps->p++;
            return pop(ps);
        }
        *opened = true;
        return c == '{' ? read_name(ps) : 0;
    case 't':
        return read_word(ps, node, "true", 4, JSON_TRUE);
    case 'f':
        return read_word(ps, node, "false", 5, JSON_FALSE);
    case 'n':
        return read_word(ps, node, "null", 4, JSON_NULL);
    default:
        if (c == '-' || is_digit(c))
            return read_number(ps, node);
        return fail_here(ps);
    }
}

/* After a value inside a container: counts it, then the comma or the closing brackets. */
static int finish_value(struct parser *ps)
{
    while (ps->depth > 0) {
        struct frame *f = &ps->s->frames[ps->depth - 1];
        ps->doc->node[f->node].count++;
        skip_space(ps);
        if (ps->p == ps->end)
            return fail_here(ps);
        uint8_t c = *ps->p;
        if (c == ',') {
            ps->p++;
            skip_space(ps);
            return f->object ? read_name(ps) : 0;
        }
        if (c != (f->object ? '}' : ']'))
            return fail_here(ps);
        ps->p++;
        int rc = pop(ps);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int parse_document(struct parser *ps)
{
    skip_space(ps);
    do {
        bool opened;
        int rc = read_value(ps, &opened);
        if (rc == 0 && !opened)
            rc = finish_value(ps);
        if (rc != 0)
            return rc;
    } while (ps->depth > 0);
    skip_space(ps);
    return ps->p == ps->end ? 0 : fail(ps, ps->p, "bytes after the value");
}

static struct json_scratch *new_scratch(void)
{
    struct json_scratch *s = MEM_NEW(struct json_scratch);
    json_names_init(&s->names);
    return s;
}

int json_parse(struct json_doc *doc, struct slice text, const struct json_limits *limits,
               struct err *err)
{
    if (doc->scratch == NULL)
        doc->scratch = new_scratch();
    if (text.p == NULL)
        text = SLICE_LIT("");
    doc->text = text;
    doc->n = 0;
    doc->error = NULL;
    doc->error_offset = 0;
    struct parser ps = {
        .doc = doc,
        .s = doc->scratch,
        .begin = text.p,
        .p = text.p,
        .end = text.p + text.n,
        .max_depth = limits && limits->max_depth ? limits->max_depth : JSON_DEPTH_DEFAULT,
        .max_nodes = limits ? limits->max_nodes : 0,
        .allow_duplicates = limits && limits->allow_duplicates,
    };
    ps.s->names.n = 0;
    int rc;
    if (text.n > INT32_MAX) /* offsets and counts are 32 bits wide */
        rc = fail_limit(&ps, "text too long");
    else
        rc = parse_document(&ps);
    if (rc != 0)
        err_set(err, (enum err_code)rc, "malformed JSON at byte %u: %s", doc->error_offset,
                doc->error);
    return rc;
}

void json_free(struct json_doc *doc)
{
    struct json_scratch *s = doc->scratch;
    if (s) {
        mem_free(s->frames);
        json_names_free(&s->names);
        mem_free(s);
    }
    mem_free(doc->node);
    *doc = (struct json_doc){0};
}
