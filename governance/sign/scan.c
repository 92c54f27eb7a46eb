#include "sign/scan.h"

#include "base/codec.h"

void scan_space(struct scan *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r'))
        s->p++;
}

bool scan_take(struct scan *s, char c)
{
    scan_space(s);
    if (s->p == s->end || *s->p != (uint8_t)c)
        return false;
    s->p++;
    return true;
}

static bool hex4(struct scan *s, uint32_t *out)
{
    uint8_t two[2];
    size_t n;
    if (s->end - s->p < 4 || !hex_get(slice_of(s->p, 4), two, sizeof two, &n))
        return false;
    s->p += 4;
    *out = be16_get(two);
    return true;
}

/* After "\u": one code point; a pair of surrogates is one, a lone surrogate is refused. */
static bool code_point(struct scan *s, uint32_t *out)
{
    uint32_t low;
    if (!hex4(s, out))
        return false;
    if (*out < 0xD800 || *out > 0xDFFF)
        return true;
    if (*out > 0xDBFF || s->end - s->p < 2 || s->p[0] != '\\' || s->p[1] != 'u')
        return false;
    s->p += 2;
    if (!hex4(s, &low) || low < 0xDC00 || low > 0xDFFF)
        return false;
    *out = 0x10000 + ((*out - 0xD800) << 10) + (low - 0xDC00);
    return true;
}

static bool escape(struct scan *s, uint8_t **out)
{
    static const char from[] = "\"\\/bfnrt";
    static const char to[] = "\"\\/\b\f\n\r\t";
    if (s->p == s->end)
        return false;
    uint8_t c = *s->p++;
    if (c == 'u') {
        uint32_t cp;
        if (!code_point(s, &cp))
            return false;
        *out += utf8_put(*out, cp);
        return true;
    }
    const char *at = c == 0 ? NULL : strchr(from, c);
    if (at == NULL)
        return false;
    *(*out)++ = (uint8_t)to[at - from];
    return true;
}

bool scan_string(struct scan *s, struct slice *out)
{
    if (!scan_take(s, '"'))
        return false;
    uint8_t *start = s->p, *w = s->p;
    while (s->p < s->end && *s->p != '"') {
        uint8_t c = *s->p++;
        if (c < 0x20)
            return false;
        if (c != '\\')
            *w++ = c;
        else if (!escape(s, &w))
            return false;
    }
    if (s->p == s->end)
        return false;
    s->p++;
    *out = slice_of(start, (size_t)(w - start));
    return utf8_valid(*out);
}

bool scan_uint(struct scan *s, int64_t most, int64_t *out)
{
    scan_space(s);
    uint8_t *start = s->p;
    int64_t v = 0;
    for (; s->p < s->end && *s->p >= '0' && *s->p <= '9'; s->p++) {
        int64_t digit = *s->p - '0';
        if (v > (most - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    if (s->p == start || (*start == '0' && s->p - start > 1))
        return false;
    /* 1.0 and 1e3 are numbers too, but not what RFC 7519 producers write for a time. */
    if (s->p < s->end && (*s->p == '.' || *s->p == 'e' || *s->p == 'E'))
        return false;
    *out = v;
    return true;
}

static bool literal(struct scan *s, const char *word)
{
    size_t n = strlen(word);
    scan_space(s);
    if ((size_t)(s->end - s->p) < n || memcmp(s->p, word, n) != 0)
        return false;
    s->p += n;
    return true;
}

bool scan_false(struct scan *s)
{
    return literal(s, "false");
}

static size_t digits(struct scan *s)
{
    uint8_t *start = s->p;
    while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
        s->p++;
    return (size_t)(s->p - start);
}

static bool number(struct scan *s)
{
    if (*s->p == '-')
        s->p++;
    uint8_t *start = s->p;
    size_t n = digits(s);
    if (n == 0 || (n > 1 && *start == '0'))
        return false;
    if (s->p < s->end && *s->p == '.') {
        s->p++;
        if (digits(s) == 0)
            return false;
    }
    if (s->p < s->end && (*s->p == 'e' || *s->p == 'E')) {
        s->p++;
        if (s->p < s->end && (*s->p == '+' || *s->p == '-'))
            s->p++;
        if (digits(s) == 0)
            return false;
    }
    return true;
}

static bool scalar(struct scan *s)
{
    struct slice ignored;
    scan_space(s);
    if (s->p == s->end)
        return false;
    switch (*s->p) {
    case '"':
        return scan_string(s, &ignored);
    case 't':
        return literal(s, "true");
    case 'f':
        return literal(s, "false");
    case 'n':
        return literal(s, "null");
    default:
        return number(s);
    }
}

/* Iterative: close[] is the stack of brackets to come. */
bool scan_skip(struct scan *s)
{
    char close[SCAN_DEPTH_MAX];
    unsigned depth = 0;
    struct slice name;
    for (;;) {
        bool opened = false;
        if (scan_take(s, '{') || (opened = scan_take(s, '['))) {
            if (depth == SCAN_DEPTH_MAX)
                return false;
            close[depth++] = opened ? ']' : '}';
            if (!scan_take(s, close[depth - 1])) {
                if (close[depth - 1] == '}' && !(scan_string(s, &name) && scan_take(s, ':')))
                    return false;
                continue; /* the first element */
            }
            depth--;
        } else if (!scalar(s)) {
            return false;
        }
        /* A value has ended: close what ends with it, or go to the next element. */
        while (depth > 0 && scan_take(s, close[depth - 1]))
            depth--;
        if (depth == 0)
            return true;
        if (!scan_take(s, ','))
            return false;
        if (close[depth - 1] == '}' && !(scan_string(s, &name) && scan_take(s, ':')))
            return false;
    }
}
