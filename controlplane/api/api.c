#include "api/internal.h"

#include "base/check.h"
#include "base/codec.h"
#include "base/mem.h"
#include "policy/judge.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <stdio.h>

struct api *api_new(const struct api_config *config)
{
    struct api *a = MEM_NEW(struct api);
    a->config = *config;
    a->schema_scratch = schema_scratch_new();
    a->judge_scratch = judge_scratch_new();
    return a;
}

void api_free(struct api *a)
{
    if (!a)
        return;
    schema_scratch_free(a->schema_scratch);
    judge_scratch_free(a->judge_scratch);
    mem_free(a);
}

/* ---- the call's parts ---- */

struct slice api_header(const struct api_call *call, const char *lower_name)
{
    for (size_t i = 0; i < call->fields_n; i++)
        if (slice_eq_str(call->field[i].name, lower_name))
            return call->field[i].value;
    return SLICE_NULL;
}

static struct slice percent_decode(struct arena *a, struct slice in)
{
    uint8_t *out = arena_alloc(a, in.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < in.n; i++) {
        uint8_t c = in.p[i];
        if (c == '+') {
            c = ' ';
        } else if (c == '%' && i + 2 < in.n && hex_digit(in.p[i + 1]) >= 0 &&
                   hex_digit(in.p[i + 2]) >= 0) {
            c = (uint8_t)(hex_digit(in.p[i + 1]) * 16 + hex_digit(in.p[i + 2]));
            i += 2;
        }
        out[n++] = c;
    }
    out[n] = 0;
    return slice_of(out, n);
}

struct slice api_query(struct api_ctx *x, const char *name)
{
    struct slice q = x->call->query;
    size_t want = strlen(name), from = 0;
    while (from < q.n) {
        size_t to = from;
        while (to < q.n && q.p[to] != '&')
            to++;
        struct slice pair = slice_of(q.p + from, to - from);
        from = to + 1;
        if (pair.n > want && memcmp(pair.p, name, want) == 0 && pair.p[want] == '=')
            return percent_decode(x->arena, slice_of(pair.p + want + 1, pair.n - want - 1));
    }
    return SLICE_NULL;
}

bool api_page(struct api_ctx *x, int32_t *limit, struct slice *cursor)
{
    struct slice text = api_query(x, "limit");
    *limit = API_PAGE_DEFAULT;
    *cursor = api_query(x, "cursor");
    if (text.p) {
        int64_t v = 0;
        for (size_t i = 0; i < text.n && v <= API_PAGE_MAX; i++)
            v = text.p[i] >= '0' && text.p[i] <= '9' ? v * 10 + (text.p[i] - '0') : INT32_MAX;
        if (v < 1 || v > API_PAGE_MAX) {
            api_problem(x, 400, "query.invalid", "limit must be a number from 1 to %d",
                        API_PAGE_MAX);
            return false;
        }
        *limit = (int32_t)v;
    }
    return true;
}

bool api_body(struct api_ctx *x, struct json_doc *doc)
{
    struct err err = {0};
    if (x->call->body.n == 0) {
        api_problem(x, 400, "body.missing", "this operation needs a JSON body");
        return false;
    }
    if (json_parse(doc, x->call->body, NULL, &err)) {
        api_problem(x, 400, "body.malformed", "the body is not acceptable JSON: %s", err.msg);
        return false;
    }
    if (json_type(doc, 0) != JSON_OBJECT) {
        api_problem(x, 400, "body.malformed", "the body must be a JSON object");
        return false;
    }
    return true;
}

bool api_known_members(struct api_ctx *x, const struct json_doc *doc, uint32_t object,
                       const char *const *names, size_t n)
{
    uint32_t i = json_first(doc, object);
    while (i != JSON_NONE) {
        struct slice name = json_string(doc, i, x->arena);
        size_t best = 0;
        unsigned best_distance = UINT32_MAX;
        for (size_t k = 0; k < n && best_distance; k++) {
            unsigned d = text_distance(name, slice_str(names[k]));
            if (d < best_distance) {
                best_distance = d;
                best = k;
            }
        }
        if (best_distance) {
            api_problem(x, 400, "field.unknown", "unknown member \"%.*s\"; did you mean \"%s\"?",
                        (int)(name.n > 64 ? 64 : name.n), (const char *)name.p, names[best]);
            return false;
        }
        i = json_sibling(doc, object, json_sibling(doc, object, i));
    }
    return true;
}

/* "3" or W/"3" -> 3; 0 when it is not one of our ETags. */
static uint64_t etag_version(struct slice s)
{
    uint64_t v = 0;
    if (s.n < 3 || s.n > 21 || s.p[0] != '"' || s.p[s.n - 1] != '"')
        return 0;
    for (size_t i = 1; i + 1 < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return 0;
        v = v * 10 + (uint64_t)(s.p[i] - '0');
    }
    return v;
}

bool api_condition(struct api_ctx *x, struct request *r)
{
    struct slice match = api_header(x->call, "if-match");
    struct slice none = api_header(x->call, "if-none-match");
    if (match.p) {
        r->if_resource_version = etag_version(match);
        if (!r->if_resource_version) {
            api_problem(x, 400, "if-match.invalid",
                        "If-Match takes one ETag as this API gave it, for example \"3\"");
            return false;
        }
    } else if (none.p) {
        if (!slice_eq_str(none, "*")) {
            api_problem(x, 400, "if-none-match.invalid", "If-None-Match takes only * here");
            return false;
        }
        r->if_resource_version = UINT64_MAX;
    }
    return true;
}

struct request *api_request_new(struct api_ctx *x, enum request_kind kind)
{
    struct request *r = request_new(kind);
    r->principal = arena_copy(&r->arena, x->principal);
    r->correlation_id = arena_copy(&r->arena, x->call->correlation_id);
    r->now_ms = x->call->now_ms;
    memcpy(r->random, x->call->random, sizeof r->random);
    struct slice key = api_header(x->call, "idempotency-key");
    if (key.p)
        r->idempotency_key = arena_copy(&r->arena, key);
    return r;
}

struct api_pending *api_pending_new(struct api_ctx *x)
{
    struct api_pending *p = MEM_NEW(struct api_pending);
    arena_init(&p->arena, 0);
    p->route = x->route;
    p->correlation_id = arena_copy(&p->arena, x->call->correlation_id);
    p->principal = arena_copy(&p->arena, x->principal);
    return p;
}

static void pending_free(struct api_pending *p)
{
    arena_free(&p->arena);
    mem_free(p);
}

void api_ask_catalogue(struct api_ctx *x, struct request *r, struct api_pending *p)
{
    ASSERT(p->on_result);
    request_prepare(r); /* here, on the worker, rather than on the control thread */
    x->outcome->next = API_CATALOGUE;
    x->outcome->request = r;
    x->outcome->pending = p;
}

void api_ask(struct api_ctx *x, struct api_pending *p)
{
    ASSERT(p->on_reply);
    x->outcome->next = API_QUESTION;
    x->outcome->question = p->question;
    x->outcome->pending = p;
}

/* ---- dispatch ---- */

static bool token_ok(const struct api *a, const struct api_call *call)
{
    struct slice h = api_header(call, "authorization");
    if (!slice_starts(h, SLICE_LIT("Bearer ")))
        return false;
    uint8_t digest[SHA256_DIGEST_LENGTH];
    SHA256(h.p + 7, h.n - 7, digest);
    return CRYPTO_memcmp(digest, a->config.token_sha256, sizeof digest) == 0;
}

/* Matches "/v1/topics/{name}" against a path; parameters are single segments. */
static bool match_path(const char *pattern, struct slice path, struct slice *param)
{
    size_t i = 0, params = 0;
    const char *p = pattern;
    while (*p) {
        if (*p == '{') {
            size_t from = i;
            while (i < path.n && path.p[i] != '/')
                i++;
            if (i == from)
                return false;
            ASSERT(params < API_PARAMS_MAX);
            param[params++] = slice_of(path.p + from, i - from);
            p = strchr(p, '}') + 1;
        } else {
            if (i >= path.n || path.p[i] != (uint8_t)*p)
                return false;
            i++;
            p++;
        }
    }
    return i == path.n;
}

static const struct api_route *find_route(struct api_ctx *x, struct slice method, char *allow,
                                          size_t allow_n)
{
    size_t n;
    const struct api_route *routes = api_routes(&n);
    allow[0] = 0;
    for (size_t i = 0; i < n; i++) {
        struct slice param[API_PARAMS_MAX] = {SLICE_NULL};
        if (!match_path(routes[i].path, x->call->path, param))
            continue;
        if (slice_eq_str(method, routes[i].method)) {
            memcpy(x->param, param, sizeof param);
            return &routes[i];
        }
        size_t used = strlen(allow);
        snprintf(allow + used, allow_n - used, "%s%s", used ? ", " : "", routes[i].method);
    }
    return NULL;
}

static void route_call(struct api_ctx *x)
{
    struct slice method = x->call->method;
    if (slice_eq_str(method, "HEAD"))
        method = SLICE_LIT("GET");
    char allow[96];
    x->route = find_route(x, method, allow, sizeof allow);
    bool open = x->route && x->route->access == API_OPEN;
    bool known = token_ok(x->api, x->call);
    x->principal = known ? SLICE_LIT("admin") : SLICE_LIT("anonymous");
    if (!open && x->api->config.token_required && !known) {
        api_field(x, "WWW-Authenticate", "Bearer");
        api_problem(
            x, 401, "token.required",
            "send \"Authorization: Bearer TOKEN\"; the token is in the file \"token\" of the "
            "node's data folder");
    } else if (x->route) {
        x->route->handle(x);
    } else if (allow[0]) {
        api_field(x, "Allow", "%s", allow);
        api_problem(x, 405, "method.not-allowed", "this resource takes %s", allow);
    } else {
        api_problem(x, 404, "path.unknown", "no such resource; /openapi.json lists all of them");
    }
}

static void finish(struct api_ctx *x, struct slice correlation_id)
{
    if (correlation_id.n)
        api_field(x, "X-Request-Id", "%.*s", (int)(correlation_id.n > 128 ? 128 : correlation_id.n),
                  (const char *)correlation_id.p);
}

void api_call(struct api *a, const struct view *view, const struct api_call *call,
              struct api_outcome *out)
{
    struct arena arena;
    arena_init(&arena, 0);
    memset(out, 0, sizeof *out);
    struct api_ctx x = {.api = a,
                        .view = view,
                        .call = call,
                        .resp = &out->response,
                        .outcome = out,
                        .arena = &arena};
    route_call(&x);
    if (out->next == API_ANSWERED)
        finish(&x, call->correlation_id);
    arena_free(&arena);
}

void api_result(struct api *a, const struct view *view, struct api_pending *p,
                const struct result *result, struct api_response *out)
{
    memset(out, 0, sizeof *out);
    struct api_ctx x = {.api = a,
                        .view = view,
                        .route = p->route,
                        .principal = p->principal,
                        .resp = out,
                        .arena = &p->arena};
    p->on_result(&x, p, result);
    finish(&x, p->correlation_id);
    pending_free(p);
}

void api_reply(struct api *a, const struct view *view, struct api_pending *p,
               const struct api_reply *reply, struct api_response *out)
{
    memset(out, 0, sizeof *out);
    struct api_ctx x = {.api = a,
                        .view = view,
                        .route = p->route,
                        .principal = p->principal,
                        .resp = out,
                        .arena = &p->arena};
    if (reply->code)
        api_problem(&x, api_status_of(reply->code, ""), err_code_name(reply->code), "%s",
                    reply->message);
    else
        p->on_reply(&x, p, reply);
    finish(&x, p->correlation_id);
    pending_free(p);
}
