#include "writ_scan.h"

#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 8 };

int scan_take(struct scan *s, char c)
{
    s->p += strspn(s->p, " \t\r\n");
    if (*s->p != c || c == '\0')
        return 0;
    s->p++;
    return 1;
}

static int hex4(struct scan *s, unsigned *v)
{
    *v = 0;
    for (int i = 0; i < 4; i++, s->p++) {
        const char *digits = "0123456789abcdef", *at = NULL;
        if (*s->p != '\0')
            at = strchr(digits, *s->p >= 'A' && *s->p <= 'F' ? *s->p + 32 : *s->p);
        if (at == NULL)
            return 0;
        *v = *v * 16 + (unsigned)(at - digits);
    }
    return 1;
}

static int escape(struct scan *s, char **w)
{
    unsigned v, low;
    const char *from = "\"\\/bfnrt", *to = "\"\\/\b\f\n\r\t", *at;
    if (*s->p != 'u') {
        if (*s->p == '\0' || (at = strchr(from, *s->p)) == NULL)
            return 0;
        *(*w)++ = to[at - from];
        s->p++;
        return 1;
    }
    s->p++;
    if (!hex4(s, &v) || v == 0 || (v >= 0xDC00 && v <= 0xDFFF))
        return 0; /* a name with a NUL would be cut in C */
    if (v >= 0xD800 && v <= 0xDBFF) {
        if (s->p[0] != '\\' || s->p[1] != 'u' || (s->p += 2, !hex4(s, &low)) || low < 0xDC00 ||
            low > 0xDFFF)
            return 0;
        v = 0x10000 + ((v - 0xD800) << 10) + (low - 0xDC00);
    }
    int tail = v < 0x80 ? 0 : v < 0x800 ? 1 : v < 0x10000 ? 2 : 3;
    static const unsigned lead[] = {0, 0xC0, 0xE0, 0xF0};
    *(*w)++ = (char)(lead[tail] | v >> 6 * tail);
    while (tail-- > 0)
        *(*w)++ = (char)(0x80 | (v >> 6 * tail & 0x3F));
    return 1;
}

int scan_string(struct scan *s, char **out)
{
    char *w;
    if (!scan_take(s, '"'))
        return 0;
    for (*out = w = s->p; *s->p != '"';) {
        if ((unsigned char)*s->p < 0x20)
            return 0;
        if (*s->p != '\\')
            *w++ = *s->p++;
        else if (s->p++, !escape(s, &w))
            return 0;
    }
    s->p++;
    *w = '\0';
    return 1;
}

static int digits(struct scan *s)
{
    size_t n = strspn(s->p, "0123456789");
    s->p += n;
    return n > 0;
}

static int number(struct scan *s)
{
    s->p += *s->p == '-';
    if (*s->p == '0' ? (s->p++, 0) : !digits(s))
        return 0;
    if (*s->p == '.' && (s->p++, !digits(s)))
        return 0;
    if (*s->p == 'e' || *s->p == 'E') {
        s->p++;
        s->p += *s->p == '+' || *s->p == '-';
        return digits(s);
    }
    return 1;
}

/* Nesting is bounded, so the recursion is. */
int scan_skip(struct scan *s)
{
    char *ignored;
    int object = scan_take(s, '{'), ok = 1;
    if (!object && !scan_take(s, '[')) {
        static const char *const words[] = {"true", "false", "null"};
        for (int i = 0; i < 3; i++)
            if (strncmp(s->p, words[i], strlen(words[i])) == 0)
                return s->p += strlen(words[i]), 1;
        return *s->p == '"' ? scan_string(s, &ignored) : number(s);
    }
    if (scan_take(s, object ? '}' : ']'))
        return 1;
    if (++s->depth > DEPTH_MAX)
        return 0;
    do
        ok = (!object || (scan_string(s, &ignored) && scan_take(s, ':'))) && scan_skip(s);
    while (ok && scan_take(s, ','));
    s->depth--;
    return ok && scan_take(s, object ? '}' : ']');
}

int scan_uint(struct scan *s, int64_t *out)
{
    s->p += strspn(s->p, " \t\r\n");
    size_t n = strspn(s->p, "0123456789");
    if (n == 0 || n > 16 || (n > 1 && *s->p == '0') || strchr(".eE", s->p[n]) != NULL)
        return 0;
    *out = strtoll(s->p, &s->p, 10);
    return *out < INT64_C(1) << 53;
}
