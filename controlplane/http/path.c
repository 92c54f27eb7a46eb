#include "http/parse.h"

#include "base/codec.h"

static bool has_dot_segment(const char *path, size_t n)
{
    size_t from = 0;
    for (size_t i = 0; i <= n; i++) {
        if (i < n && path[i] != '/')
            continue;
        size_t len = i - from;
        if ((len == 1 && path[from] == '.') || (len == 2 && memcmp(path + from, "..", 2) == 0))
            return true;
        from = i + 1;
    }
    return false;
}

bool http_path_clean(struct slice target, char *out, size_t cap, size_t *out_n, struct slice *query)
{
    size_t n = 0, i = 0;
    for (; i < target.n && target.p[i] != '?'; i++) {
        uint8_t c = target.p[i];
        if (c == '%') {
            if (i + 2 >= target.n)
                return false;
            int hi = hex_digit(target.p[i + 1]), lo = hex_digit(target.p[i + 2]);
            if (hi < 0 || lo < 0)
                return false;
            c = (uint8_t)(hi * 16 + lo);
            if (c < 0x20 || c == '/' || c == 0x7f)
                return false;
            i += 2;
        }
        if (c == '\\' || n + 1 >= cap || (c == '/' && n && out[n - 1] == '/'))
            return false;
        out[n++] = (char)c;
    }
    out[n] = 0;
    *out_n = n;
    *query = i < target.n ? slice_of(target.p + i + 1, target.n - i - 1) : SLICE_NULL;
    return !has_dot_segment(out, n);
}

bool http_query_get(struct slice query, const char *name, struct bytes *buf)
{
    size_t want = strlen(name), from = 0;
    while (from < query.n) {
        size_t to = from;
        while (to < query.n && query.p[to] != '&')
            to++;
        struct slice pair = slice_of(query.p + from, to - from);
        from = to + 1;
        if (pair.n < want || memcmp(pair.p, name, want) != 0 ||
            (pair.n > want && pair.p[want] != '='))
            continue;
        bytes_clear(buf);
        for (size_t i = want + 1; i < pair.n; i++) {
            uint8_t c = pair.p[i];
            if (c == '+') {
                c = ' ';
            } else if (c == '%' && i + 2 < pair.n && hex_digit(pair.p[i + 1]) >= 0 &&
                       hex_digit(pair.p[i + 2]) >= 0) {
                c = (uint8_t)(hex_digit(pair.p[i + 1]) * 16 + hex_digit(pair.p[i + 2]));
                i += 2;
            }
            bytes_add_u8(buf, c);
        }
        return true;
    }
    return false;
}
