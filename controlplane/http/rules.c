/* The rules on a parsed head: target, Host, framing, persistence (RFC 9112 3.2, 6, 9.3). */
#include "http/parse.h"

#include <strings.h>

static bool is_nocase(struct slice s, const char *lower)
{
    return s.n == strlen(lower) && (s.n == 0 || strncasecmp((const char *)s.p, lower, s.n) == 0);
}

/* A comma-separated list of tokens, without regard to case. */
static bool list_has(struct slice v, const char *lower)
{
    size_t from = 0;
    while (from <= v.n) {
        size_t to = from;
        while (to < v.n && v.p[to] != ',')
            to++;
        size_t b = from, e = to;
        while (b < e && (v.p[b] == ' ' || v.p[b] == '\t'))
            b++;
        while (e > b && (v.p[e - 1] == ' ' || v.p[e - 1] == '\t'))
            e--;
        if (e > b && is_nocase(slice_of(v.p + b, e - b), lower))
            return true;
        from = to + 1;
    }
    return false;
}

static bool is_alnum(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* name, IPv4 or [IPv6], then perhaps :port. Empty is legal (RFC 9112 3.2). */
static bool host_ok(struct slice s)
{
    size_t i = 0;
    if (s.n && s.p[0] == '[') {
        for (i = 1; i < s.n && (is_alnum(s.p[i]) || s.p[i] == ':' || s.p[i] == '.');)
            i++;
        if (i == s.n || s.p[i++] != ']')
            return false;
    } else {
        while (i < s.n && (is_alnum(s.p[i]) || (s.p[i] && strchr("-._~", s.p[i]))))
            i++;
    }
    if (i == s.n)
        return true;
    if (s.p[i++] != ':' || s.n - i > 5)
        return false;
    while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9')
        i++;
    return i == s.n;
}

/* absolute-form: keep the path; its authority overrides Host (RFC 9112 3.2.2). */
static int check_target(struct http_parser *p)
{
    struct slice t = p->target;
    if (t.n == 0 || memchr(t.p, '#', t.n))
        return 400;
    if (t.p[0] == '/')
        return 0;
    if (t.n == 1 && t.p[0] == '*')
        return is_nocase(p->method, "options") ? 0 : 400;
    size_t skip = 0;
    if (t.n > 7 && strncasecmp((const char *)t.p, "http://", 7) == 0)
        skip = 7;
    else if (t.n > 8 && strncasecmp((const char *)t.p, "https://", 8) == 0)
        skip = 8;
    if (!skip)
        return 400;
    const uint8_t *slash = memchr(t.p + skip, '/', t.n - skip);
    if (!slash || slash == t.p + skip)
        return 400;
    size_t at = (size_t)(slash - t.p);
    p->host = slice_of(t.p + skip, at - skip);
    p->target = slice_of(slash, t.n - at);
    return host_ok(p->host) ? 0 : 400;
}

static int parse_length(struct http_parser *p, struct slice v)
{
    if (p->has_length || v.n == 0 || v.n > 18)
        return 400;
    for (size_t i = 0; i < v.n; i++) {
        if (v.p[i] < '0' || v.p[i] > '9')
            return 400;
        p->length = p->length * 10 + (uint64_t)(v.p[i] - '0');
    }
    p->has_length = true;
    return 0;
}

struct seen {
    int hosts, codings;
};

static int check_field(struct http_parser *p, const struct http_field *f, struct seen *seen)
{
    struct slice v = f->value;
    if (slice_eq_str(f->name, "host")) {
        if (seen->hosts++ || !host_ok(v))
            return 400;
        if (!p->host.p)
            p->host = v;
    } else if (slice_eq_str(f->name, "content-length")) {
        return parse_length(p, v);
    } else if (slice_eq_str(f->name, "transfer-encoding")) {
        seen->codings++;
        if (!is_nocase(v, "chunked"))
            return 501;
    } else if (slice_eq_str(f->name, "connection")) {
        if (list_has(v, "close"))
            p->keep_alive = false;
        else if (p->minor == 0 && list_has(v, "keep-alive"))
            p->keep_alive = true;
    } else if (slice_eq_str(f->name, "expect")) {
        if (!is_nocase(v, "100-continue"))
            return 417;
        p->expect_continue = p->minor == 1;
    }
    return 0;
}

int http_parse_check_head(struct http_parser *p)
{
    p->keep_alive = p->minor == 1;
    int status = check_target(p);
    struct seen seen = {0, 0};
    for (size_t i = 0; i < p->fields_n && status == 0; i++)
        status = check_field(p, &p->field[i], &seen);
    if (status)
        return status;
    if (is_nocase(p->method, "connect"))
        return 501; /* its body is framed otherwise */
    if (seen.hosts == 0 && p->minor == 1)
        return 400;
    if (seen.codings > 1 || (seen.codings && (p->has_length || p->minor == 0)))
        return 400;
    p->chunked = seen.codings == 1;
    return 0;
}
