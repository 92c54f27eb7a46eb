/* Two oracles for the strict parser: the same bytes cut differently must be read the same, and what
 * it accepts llhttp must read with the same method, target and body. */
#include "base/mem.h"
#include "http/parse.h"

#include <stdio.h>
#include <stdlib.h>
#ifdef HAVE_LLHTTP
#include <llhttp.h>
#endif

enum { REQUESTS_MAX = 8 };

struct reading {
    uint64_t method, target, body;
};
struct trace {
    int n;
    bool failed;
    struct reading request[REQUESTS_MAX];
};

static uint64_t mix(uint64_t h, const void *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        h = (h ^ ((const uint8_t *)p)[i]) * 1099511628211u;
    return h;
}

static void read_ours(const uint8_t *in, size_t n, unsigned seed, struct trace *t)
{
    struct http_parser p;
    struct reading r = {7, 7, 7};
    http_parse_init(&p);
    memset(t, 0, sizeof *t);
    for (size_t at = 0; t->n < REQUESTS_MAX;) {
        size_t piece = n - at, used;
        if (seed) {
            seed = seed * 1103515245u + 12345;
            size_t k = 1 + (seed >> 16) % 9;
            piece = k < piece ? k : piece;
        }
        uint8_t *copy = mem_alloc(piece ? piece : 1);
        memcpy(copy, in + at, piece);
        enum http_parse_event ev = http_parse_feed(&p, slice_of(copy, piece), &used);
        if (ev == HTTP_PARSE_HEAD) {
            r.method = mix(7, p.method.p, p.method.n);
            r.target = mix(7, p.target.p, p.target.n);
        }
        if (ev == HTTP_PARSE_BODY)
            r.body = mix(r.body, p.body.p, p.body.n);
        mem_free(copy);
        at += used;
        if (ev == HTTP_PARSE_DONE) {
            bool more = p.keep_alive;
            t->request[t->n++] = r;
            r = (struct reading){7, 7, 7};
            http_parse_reset(&p);
            if (!more)
                break;
        } else if (ev == HTTP_PARSE_FAIL) {
            t->failed = true;
            break;
        } else if (ev == HTTP_PARSE_NEED && at == n) {
            break;
        }
    }
    http_parse_reset(&p);
}

#ifdef HAVE_LLHTTP
struct oracle {
    llhttp_t llhttp;
    struct trace trace;
    struct reading now;
    uint8_t target[512];
    size_t target_n;
};

static int on_url(llhttp_t *h, const char *at, size_t n)
{
    struct oracle *o = h->data;
    if (o->target_n + n <= sizeof o->target) {
        memcpy(o->target + o->target_n, at, n);
        o->target_n += n;
    }
    return 0;
}

static int on_body(llhttp_t *h, const char *at, size_t n)
{
    struct oracle *o = h->data;
    o->now.body = mix(o->now.body, at, n);
    return 0;
}

static int on_complete(llhttp_t *h)
{
    struct oracle *o = h->data;
    const char *name = llhttp_method_name((llhttp_method_t)h->method);
    o->now.method = mix(7, name, strlen(name));
    size_t skip = 0; /* absolute-form: compare the path, as our parser hands it out */
    if (o->target_n > 7 && o->target[0] != '/' && o->target[0] != '*') {
        const uint8_t *colon = memchr(o->target, ':', o->target_n);
        const uint8_t *end = o->target + o->target_n;
        const uint8_t *slash =
            colon && end - colon > 3 ? memchr(colon + 3, '/', (size_t)(end - colon - 3)) : NULL;
        skip = slash ? (size_t)(slash - o->target) : 0;
    }
    o->now.target = mix(7, o->target + skip, o->target_n - skip);
    if (o->trace.n < REQUESTS_MAX)
        o->trace.request[o->trace.n++] = o->now;
    o->now = (struct reading){7, 7, 7};
    o->target_n = 0;
    return 0;
}

static void compare_with_llhttp(const uint8_t *in, size_t n, const struct trace *ours)
{
    struct oracle o;
    llhttp_settings_t settings;
    memset(&o, 0, sizeof o);
    o.now = (struct reading){7, 7, 7};
    llhttp_settings_init(&settings);
    settings.on_url = on_url;
    settings.on_body = on_body;
    settings.on_message_complete = on_complete;
    llhttp_init(&o.llhttp, HTTP_REQUEST, &settings);
    o.llhttp.data = &o;
    llhttp_execute(&o.llhttp, (const char *)in, n);
    /* llhttp may refuse more (its list of methods, chunk extensions); where both read, they agree.
     */
    for (int i = 0; i < ours->n && i < o.trace.n; i++)
        if (memcmp(&ours->request[i], &o.trace.request[i], sizeof o.trace.request[i]) != 0) {
            fprintf(stderr, "request %d is read differently\n", i);
            abort();
        }
}
#endif

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct trace whole, cut;
    if (n < 2)
        return 0;
    read_ours(data + 1, n - 1, 0, &whole);
    read_ours(data + 1, n - 1, data[0] + 1u, &cut);
    if (whole.n != cut.n || whole.failed != cut.failed ||
        memcmp(whole.request, cut.request, sizeof whole.request[0] * (size_t)whole.n) != 0)
        abort();
#ifdef HAVE_LLHTTP
    compare_with_llhttp(data + 1, n - 1, &whole);
#endif
    return 0;
}
