#include "json/format.h"

/* Character classes of RFC 3986 and RFC 5322, as bits of one table. */
enum {
    UNRESERVED = 1, /* letters, digits, - . _ ~ */
    SUB_DELIM = 2,  /* ! $ & ' ( ) * + , ; = and, as ajv-formats has it, " */
    ATEXT = 4,
    ALNUM = 8,
    DIGIT = 16,
};

static unsigned char_class(uint8_t c)
{
    unsigned bits = 0;
    if ((uint8_t)(c - '0') < 10)
        return UNRESERVED | ATEXT | ALNUM | DIGIT;
    if ((uint8_t)((c | 0x20) - 'a') < 26)
        return UNRESERVED | ATEXT | ALNUM;
    if (c == 0 || c >= 0x80)
        return 0;
    if (strchr("-._~", c))
        bits |= UNRESERVED;
    if (strchr("!$&'\"()*+,;=", c))
        bits |= SUB_DELIM;
    if (strchr("!#$%&'*+/=?^_`{|}~-", c))
        bits |= ATEXT;
    return bits;
}

static inline bool is_alnum(uint8_t c)
{
    return (uint8_t)(c - '0') < 10 || (uint8_t)((c | 0x20) - 'a') < 26;
}

/* Letters, digits and inner hyphens. max: longest label. */
static size_t label_length(const uint8_t *p, const uint8_t *end, size_t max)
{
    const uint8_t *q = p;
    while (q < end && (is_alnum(*q) || *q == '-'))
        q++;
    size_t n = (size_t)(q - p);
    return n == 0 || n > max || *p == '-' || q[-1] == '-' ? 0 : n;
}

bool format_is_hostname(struct slice s)
{
    const uint8_t *p = s.p;
    const uint8_t *end = p + s.n;
    if (s.n > 0 && end[-1] == '.')
        end--;
    if (p == end || end - p > 253)
        return false;
    for (;;) {
        size_t n = label_length(p, end, 63);
        if (n == 0)
            return false;
        p += n;
        if (p == end)
            return true;
        if (*p++ != '.')
            return false;
    }
}

bool format_is_email(struct slice s)
{
    const uint8_t *at = s.n ? memchr(s.p, '@', s.n) : NULL;
    if (at == NULL)
        return false;
    const uint8_t *dot = s.p; /* the byte after the last dot */
    for (const uint8_t *p = s.p; p <= at; p++) {
        if (p == at || *p == '.') {
            if (p == dot)
                return false;
            dot = p + 1;
        } else if (!(char_class(*p) & ATEXT)) {
            return false;
        }
    }
    const uint8_t *end = s.p + s.n;
    size_t labels = 0;
    for (const uint8_t *p = at + 1;; p++) {
        size_t n = label_length(p, end, SIZE_MAX);
        if (n == 0)
            return false;
        labels++;
        p += n;
        if (p == end)
            return labels > 1;
        if (*p != '.')
            return false;
    }
}

bool format_is_ipv4(struct slice s)
{
    size_t i = 0;
    for (int part = 0; part < 4; part++) {
        if (part > 0 && (i >= s.n || s.p[i++] != '.'))
            return false;
        unsigned v = 0;
        size_t first = i;
        while (i < s.n && i - first < 3 && (uint8_t)(s.p[i] - '0') < 10)
            v = v * 10 + (unsigned)(s.p[i++] - '0');
        if (i == first || v > 255 || (i - first > 1 && s.p[first] == '0'))
            return false;
    }
    return i == s.n;
}

bool format_is_ipv6(struct slice s)
{
    const uint8_t *p = s.p;
    const uint8_t *end = p + s.n;
    int groups = 0;
    bool gap = false;
    if (s.n < 2)
        return false;
    if (*p == ':') {
        if (p[1] != ':')
            return false;
        gap = true;
        p += 2;
    }
    while (p < end) {
        const uint8_t *start = p;
        while (p < end && p - start < 5 && format_is_hex(*p))
            p++;
        if (p < end && *p == '.') {
            if (!format_is_ipv4(slice_of(start, (size_t)(end - start))))
                return false;
            groups += 2;
            p = end;
            break;
        }
        if (p == start || p - start > 4)
            return false;
        groups++;
        if (p == end)
            break;
        if (*p++ != ':')
            return false;
        if (p < end && *p == ':') {
            if (gap)
                return false;
            gap = true;
            p++;
        } else if (p == end) {
            return false;
        }
    }
    return gap ? groups <= 7 : groups == 8;
}

/* One character of the set, plain or as %XX; more lists further characters. Returns its size. */
static size_t uri_char(const uint8_t *p, const uint8_t *end, const char *more)
{
    if (is_alnum(*p))
        return 1;
    if (*p == '%')
        return end - p >= 3 && format_is_hex(p[1]) && format_is_hex(p[2]) ? 3 : 0;
    if (char_class(*p) & (UNRESERVED | SUB_DELIM))
        return 1;
    return *p != 0 && strchr(more, *p) ? 1 : 0;
}

static const uint8_t *skip_uri_chars(const uint8_t *p, const uint8_t *end, const char *more)
{
    size_t n;
    while (p < end && (n = uri_char(p, end, more)) > 0)
        p += n;
    return p;
}

static bool is_ip_literal(struct slice s)
{
    if (s.n > 0 && (s.p[0] | 0x20) == 'v') { /* IPvFuture */
        size_t i = 1;
        while (i < s.n && format_is_hex(s.p[i]))
            i++;
        if (i == 1 || i + 1 >= s.n || s.p[i] != '.')
            return false;
        for (i++; i < s.n; i++)
            if (s.p[i] != ':' && !(char_class(s.p[i]) & (UNRESERVED | SUB_DELIM)))
                return false;
        return true;
    }
    return format_is_ipv6(s);
}

/* After "//": user information, host, port. NULL when it is wrong. */
static const uint8_t *skip_authority(const uint8_t *p, const uint8_t *end)
{
    const uint8_t *user = skip_uri_chars(p, end, ":");
    if (user < end && *user == '@')
        p = user + 1;
    if (p < end && *p == '[') {
        const uint8_t *close = memchr(p, ']', (size_t)(end - p));
        if (close == NULL || !is_ip_literal(slice_of(p + 1, (size_t)(close - p - 1))))
            return NULL;
        p = close + 1;
    } else {
        p = skip_uri_chars(p, end, "");
    }
    if (p < end && *p == ':')
        for (p++; p < end && (uint8_t)(*p - '0') < 10; p++)
            ;
    return p;
}

static const uint8_t *skip_scheme(const uint8_t *p, const uint8_t *end)
{
    if (p == end || (uint8_t)((*p | 0x20) - 'a') >= 26)
        return NULL;
    while (p < end && (is_alnum(*p) || *p == '+' || *p == '-' || *p == '.'))
        p++;
    return p < end && *p == ':' ? p + 1 : NULL;
}

/* What follows the scheme. A path that is not empty must follow a scheme. */
static bool is_uri_rest(const uint8_t *p, const uint8_t *end, bool need_path)
{
    if (end - p >= 2 && p[0] == '/' && p[1] == '/') {
        p = skip_authority(p + 2, end);
        if (p == NULL)
            return false;
        if (p < end && *p == '/')
            p = skip_uri_chars(p, end, ":@/");
    } else {
        const uint8_t *path = p;
        p = skip_uri_chars(p, end, ":@/");
        if (need_path && p == path)
            return false;
    }
    if (p < end && *p == '?')
        p = skip_uri_chars(p + 1, end, ":@/?");
    if (p < end && *p == '#')
        p = skip_uri_chars(p + 1, end, ":@/?");
    return p == end;
}

bool format_is_uri(struct slice s)
{
    const uint8_t *end = s.p + s.n;
    const uint8_t *p = skip_scheme(s.p, end);
    return p != NULL && is_uri_rest(p, end, true);
}

bool format_is_uri_reference(struct slice s)
{
    const uint8_t *end = s.p + s.n;
    const uint8_t *p = skip_scheme(s.p, end);
    return is_uri_rest(p ? p : s.p, end, false);
}

/* varname of RFC 6570 with its modifier; returns the byte after, or NULL. */
static const uint8_t *template_variable(const uint8_t *p, const uint8_t *end)
{
    const uint8_t *first = p;
    while (p < end) {
        if (is_alnum(*p) || *p == '_')
            p++;
        else if (*p == '%' && end - p >= 3 && format_is_hex(p[1]) && format_is_hex(p[2]))
            p += 3;
        else
            break;
    }
    if (p == first)
        return NULL;
    if (p < end && *p == '*')
        return p + 1;
    if (p < end && *p == ':') {
        const uint8_t *digits = ++p;
        while (p < end && p - digits < 4 && (uint8_t)(*p - '0') < 10)
            p++;
        if (p == digits || *digits == '0')
            return NULL;
    }
    return p;
}

static const uint8_t *template_expression(const uint8_t *p, const uint8_t *end)
{
    if (p < end && *p != 0 && strchr("+#./;?&=,!@|", *p))
        p++;
    for (;;) {
        p = template_variable(p, end);
        if (p == NULL || p == end)
            return NULL;
        if (*p == '}')
            return p + 1;
        if (*p++ != ',')
            return NULL;
    }
}

bool format_is_uri_template(struct slice s)
{
    const uint8_t *p = s.p;
    const uint8_t *end = p + s.n;
    while (p < end) {
        if (*p == '{') {
            p = template_expression(p + 1, end);
            if (p == NULL)
                return false;
        } else if (*p == '%') {
            if (end - p < 3 || !format_is_hex(p[1]) || !format_is_hex(p[2]))
                return false;
            p += 3;
        } else if (*p <= 0x20 || strchr("\"'<>\\^`|}", *p)) {
            return false;
        } else {
            p++;
        }
    }
    return true;
}
