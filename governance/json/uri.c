/* References and bases (RFC 3986 sections 5.2 and 5.3). */
#include "json/internal.h"

struct parts {
    struct slice scheme, authority, path, query;
    bool has_scheme, has_authority, has_query;
};

void uri_split(struct slice uri, struct slice *without_fragment, struct slice *fragment)
{
    const uint8_t *hash = uri.n ? memchr(uri.p, '#', uri.n) : NULL;
    if (hash == NULL) {
        *without_fragment = uri;
        *fragment = SLICE_NULL;
        return;
    }
    size_t n = (size_t)(hash - uri.p);
    *without_fragment = slice_of(uri.p, n);
    *fragment = slice_of(hash + 1, uri.n - n - 1);
}

static bool scheme_end(struct slice s, size_t *n)
{
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        bool letter = (uint8_t)((c | 0x20) - 'a') < 26;
        if (c == ':' && i > 0) {
            *n = i;
            return true;
        }
        if (!letter && (i == 0 || !((c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.')))
            return false;
    }
    return false;
}

static struct parts split(struct slice s)
{
    struct parts u = {0};
    size_t n;
    if (scheme_end(s, &n)) {
        u.has_scheme = true;
        u.scheme = slice_of(s.p, n);
        s = slice_of(s.p + n + 1, s.n - n - 1);
    }
    const uint8_t *query = s.n ? memchr(s.p, '?', s.n) : NULL;
    if (query) {
        u.has_query = true;
        n = (size_t)(query - s.p);
        u.query = slice_of(query + 1, s.n - n - 1);
        s.n = n;
    }
    if (s.n >= 2 && s.p[0] == '/' && s.p[1] == '/') {
        u.has_authority = true;
        const uint8_t *slash = memchr(s.p + 2, '/', s.n - 2);
        n = slash ? (size_t)(slash - s.p) : s.n;
        u.authority = slice_of(s.p + 2, n - 2);
        s = slice_of(s.p + n, s.n - n);
    }
    u.path = s;
    return u;
}

/* RFC 3986 5.2.4, in place: out starts empty and only shrinks by whole segments. */
static struct slice remove_dots(struct slice path, struct arena *a)
{
    uint8_t *out = arena_alloc(a, path.n + 1);
    size_t n = 0;
    size_t i = 0;
    while (i < path.n) {
        size_t start = i; /* a segment with its leading slash */
        if (path.p[i] == '/')
            i++;
        while (i < path.n && path.p[i] != '/')
            i++;
        struct slice segment = slice_of(path.p + start, i - start);
        bool last = i == path.n;
        bool slash = segment.n > 0 && segment.p[0] == '/';
        struct slice name = slash ? slice_of(segment.p + 1, segment.n - 1) : segment;
        bool up = slice_eq_str(name, "..");
        if (up || slice_eq_str(name, ".")) {
            if (up) {
                while (n > 0 && out[n - 1] != '/')
                    n--;
                if (n > 0)
                    n--;
            }
            if (last && slash)
                out[n++] = '/';
            continue;
        }
        memcpy(out + n, segment.p, segment.n);
        n += segment.n;
    }
    return slice_of(out, n);
}

static struct slice merge(const struct parts *base, struct slice path, struct arena *a)
{
    size_t keep = base->path.n;
    while (keep > 0 && base->path.p[keep - 1] != '/')
        keep--;
    bool root = base->has_authority && base->path.n == 0;
    uint8_t *out = arena_alloc(a, keep + path.n + 1);
    if (root)
        out[0] = '/';
    else if (keep > 0)
        memcpy(out, base->path.p, keep);
    size_t n = root ? 1 : keep;
    memcpy(out + n, path.p, path.n);
    return slice_of(out, n + path.n);
}

static struct slice join(const struct parts *u, struct arena *a)
{
    uint8_t *out = arena_alloc(a, u->scheme.n + u->authority.n + u->path.n + u->query.n + 4);
    size_t n = 0;
#define ADD(s) (memcpy(out + n, (s).p ? (s).p : out, (s).n), n += (s).n)
    if (u->has_scheme) {
        ADD(u->scheme);
        out[n++] = ':';
    }
    if (u->has_authority) {
        out[n++] = '/';
        out[n++] = '/';
        ADD(u->authority);
    }
    ADD(u->path);
    if (u->has_query) {
        out[n++] = '?';
        ADD(u->query);
    }
#undef ADD
    return slice_of(out, n);
}

struct slice uri_resolve(struct slice base_text, struct slice reference, struct arena *a)
{
    struct slice without, fragment;
    uri_split(reference, &without, &fragment);
    if (without.n == 0)
        return base_text;
    struct parts base = split(base_text);
    struct parts r = split(without);
    struct parts t = r;
    if (r.has_scheme) {
        t.path =
            r.has_authority || (r.path.n && r.path.p[0] == '/') ? remove_dots(r.path, a) : r.path;
        return join(&t, a);
    }
    t.scheme = base.scheme;
    t.has_scheme = base.has_scheme;
    if (!r.has_authority) {
        t.authority = base.authority;
        t.has_authority = base.has_authority;
        if (r.path.n == 0) {
            t.path = base.path;
            if (!r.has_query) {
                t.query = base.query;
                t.has_query = base.has_query;
            }
        } else if (r.path.p[0] == '/') {
            t.path = remove_dots(r.path, a);
        } else {
            t.path = remove_dots(merge(&base, r.path, a), a);
        }
    }
    return join(&t, a);
}

bool uri_decode(struct slice in, struct arena *a, struct slice *out)
{
    uint8_t *p = arena_alloc(a, in.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < in.n; i++) {
        if (in.p[i] != '%') {
            p[n++] = in.p[i];
            continue;
        }
        uint8_t four[4] = {'0', '0', 0, 0};
        uint32_t v;
        if (in.n - i < 3)
            return false;
        four[2] = in.p[i + 1];
        four[3] = in.p[i + 2];
        if (!json_hex4(four, &v))
            return false;
        p[n++] = (uint8_t)v;
        i += 2;
    }
    *out = slice_of(p, n);
    return true;
}
