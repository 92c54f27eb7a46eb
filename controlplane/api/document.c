/* Documents as resources: teams, producers, policies, and what topics share with them. */
#include "api/internal.h"

#include "base/check.h"
#include "base/codec.h"
#include "base/mem.h"

#include <stdio.h>

/* ---- preparing: parse, compile, check the examples ---- */

static void add_prefix(struct document_errors *errors, size_t from, const char *prefix)
{
    for (size_t i = from; i < errors->n; i++) {
        struct document_error *e = &errors->item[i];
        char joined[sizeof e->pointer];
        size_t n = strlen(prefix), k = strlen(e->pointer);
        if (n + k >= sizeof joined)
            k = sizeof joined - n - 1;
        memcpy(joined, prefix, n);
        memcpy(joined + n, e->pointer, k);
        joined[n + k] = 0;
        memcpy(e->pointer, joined, n + k + 1);
    }
}

static bool check_examples(struct api_ctx *x, const struct contract *c, struct schema *schema,
                           struct document_errors *errors)
{
    bool ok = true;
    for (size_t i = 0; i < c->value.examples.n; i++) {
        struct schema_problem problem;
        enum schema_verdict v =
            schema_validate(schema, c->value.examples.item[i], x->api->schema_scratch, &problem);
        if (v == SCHEMA_VALID)
            continue;
        ok = false;
        char pointer[64];
        snprintf(pointer, sizeof pointer, "/value/examples/%zu", i);
        document_errors_add(errors, "example.invalid", pointer,
                            "the example is not valid under the schema: at %s: %s",
                            problem.path[0] ? problem.path : "/", problem.message);
    }
    return ok;
}

static bool compile_topic(struct api_ctx *x, const struct contract *c, struct schema **out,
                          struct document_errors *errors)
{
    struct schema_options options = {.check_formats = c->value.check_formats};
    struct schema_problem problem = {.path = ""};
    struct err err = {0};
    if (schema_compile(c->value.format, c->value.schema_text, NULL, 0, &options, out, &problem,
                       &err)) {
        document_errors_add(errors, "schema.refused", "/value/schema", "%s%s%s", err.msg,
                            problem.path[0] ? " at " : "", problem.path);
        return false;
    }
    return check_examples(x, c, *out, errors);
}

bool api_prepare_document(struct api_ctx *x, const struct json_doc *doc, uint32_t node,
                          const char *prefix, struct request_document *out,
                          struct document_errors *errors)
{
    size_t from = errors->n;
    *out = (struct request_document){0};
    out->document = document_parse(doc, node, errors);
    bool ok = out->document != NULL;
    if (ok && out->document->kind == DOCUMENT_TOPIC)
        ok = compile_topic(x, &out->document->topic, &out->schema, errors);
    add_prefix(errors, from, prefix);
    return ok;
}

/* ---- reading ---- */

void api_write_document(struct json_writer *w, const struct view_document *d)
{
    struct bytes text = {0};
    char when[TIME_TEXT_SIZE];
    document_write(d->document, &text);
    time_text(d->updated_ms, when);
    json_begin_object(w);
    json_name(w, "kind");
    json_put_cstr(w, document_kind_name(d->kind));
    json_name(w, "name");
    json_put_string(w, d->name);
    json_name(w, "version");
    json_put_int(w, (int64_t)d->version);
    json_name(w, "updated_at");
    json_put_cstr(w, when);
    json_name(w, "document");
    json_put_raw(w, bytes_slice(&text));
    json_end_object(w);
    bytes_free(&text);
}

void api_answer_resource(struct api_ctx *x, enum document_kind kind, struct slice name, int status)
{
    struct json_writer w;
    if (kind == DOCUMENT_TOPIC) {
        const struct view_topic *t = view_topic_by_name(x->view, name);
        if (t && !t->deleted) {
            api_json(x, status, &w);
            api_write_topic(&w, t);
            api_field(x, "ETag", "\"%llu\"", (unsigned long long)t->version);
            return;
        }
    } else {
        const struct view_document *d = view_document_by_name(x->view, kind, name);
        if (d) {
            api_json(x, status, &w);
            api_write_document(&w, d);
            api_field(x, "ETag", "\"%llu\"", (unsigned long long)d->version);
            return;
        }
    }
    api_problem(x, 404, "resource.unknown", "there is no %s named %.*s", document_kind_name(kind),
                (int)(name.n > 250 ? 250 : name.n), (const char *)name.p);
}

void api_get_document(struct api_ctx *x, enum document_kind kind)
{
    api_answer_resource(x, kind, x->param[0], 200);
}

void api_list_documents(struct api_ctx *x, enum document_kind kind)
{
    int32_t limit;
    struct slice cursor, prefix = api_query(x, "prefix");
    if (!api_page(x, &limit, &cursor))
        return;
    struct json_writer w;
    api_json(x, 200, &w);
    json_begin_object(&w);
    json_name(&w, "items");
    json_begin_array(&w);
    struct slice next = SLICE_NULL;
    const struct view_document *last = NULL;
    for (size_t i = 0; i < x->view->documents_n; i++) {
        const struct view_document *d = x->view->document[i];
        if (d->kind != kind || (cursor.p && slice_cmp(d->name, cursor) <= 0) ||
            !slice_starts(d->name, prefix))
            continue;
        if (limit-- == 0) {
            next = last->name;
            break;
        }
        api_write_document(&w, d);
        last = d;
    }
    json_end_array(&w);
    json_name(&w, "next");
    if (next.p)
        json_put_string(&w, next);
    else
        json_put_null(&w);
    json_end_object(&w);
}

/* ---- writing ---- */

/* The body with kind and name put in front, so that PUT /v1/teams/orders needs neither. */
static bool complete_document(struct api_ctx *x, const struct json_doc *doc,
                              enum document_kind kind, struct bytes *out)
{
    struct json_writer w;
    json_writer_init(&w, out);
    json_begin_object(&w);
    json_name(&w, "kind");
    json_put_cstr(&w, document_kind_name(kind));
    json_name(&w, "name");
    json_put_string(&w, x->param[0]);
    for (uint32_t i = json_first(doc, 0); i != JSON_NONE;) {
        struct slice member = json_string(doc, i, x->arena);
        uint32_t value = json_sibling(doc, 0, i);
        struct slice text =
            json_type(doc, value) == JSON_STRING ? json_string(doc, value, x->arena) : SLICE_NULL;
        bool is_kind = slice_eq_str(member, "kind"), is_name = slice_eq_str(member, "name");
        if ((is_kind && !slice_eq_str(text, document_kind_name(kind))) ||
            (is_name && !slice_eq(text, x->param[0]))) {
            api_problem(x, 422, "name.mismatch",
                        "the body's %s is not that of the path; leave it out or make them equal",
                        is_kind ? "kind" : "name");
            return false;
        }
        if (!is_kind && !is_name) {
            json_name_slice(&w, member);
            if (json_type(doc, value) == JSON_STRING)
                json_put_string(&w, text);
            else
                json_put_raw(&w, json_raw(doc, value));
        }
        i = json_sibling(doc, 0, value);
    }
    json_end_object(&w);
    return true;
}

static void on_put_result(struct api_ctx *x, struct api_pending *p, const struct result *r)
{
    if (r->code) {
        api_problem_result(x, r);
        return;
    }
    api_field(x, "Catalogue-Version", "%llu", (unsigned long long)r->version);
    api_answer_resource(x, p->kind, p->name, p->created_expected ? 201 : 200);
}

static bool resource_exists(struct api_ctx *x, enum document_kind kind, struct slice name)
{
    if (kind != DOCUMENT_TOPIC)
        return view_document_by_name(x->view, kind, name) != NULL;
    const struct view_topic *t = view_topic_by_name(x->view, name);
    return t && !t->deleted;
}

static void put_prepared(struct api_ctx *x, enum document_kind kind,
                         const struct request_document *prepared)
{
    struct request *r = api_request_new(x, REQUEST_APPLY);
    r->documents = MEM_NEW(struct request_document);
    r->documents[0] = *prepared;
    r->documents_n = 1;
    if (!api_condition(x, r)) {
        request_free(r);
        return;
    }
    struct api_pending *p = api_pending_new(x);
    p->kind = kind;
    p->name = arena_copy(&p->arena, x->param[0]);
    p->created_expected = !resource_exists(x, kind, x->param[0]);
    p->on_result = on_put_result;
    api_ask_catalogue(x, r, p);
}

void api_put_document(struct api_ctx *x, enum document_kind kind)
{
    struct json_doc body = {0}, whole = {0};
    struct bytes text = {0};
    struct document_errors errors = {0};
    struct request_document prepared = {0};
    struct err err = {0};
    if (!api_body(x, &body) || !complete_document(x, &body, kind, &text))
        goto out;
    if (json_parse(&whole, bytes_slice(&text), NULL, &err)) {
        api_problem(x, 400, "body.malformed", "the body is not acceptable JSON: %s", err.msg);
    } else if (!api_prepare_document(x, &whole, 0, "", &prepared, &errors)) {
        api_problem_list(x, 422, "document.refused", "the document breaks the rules listed",
                         &errors);
        document_free(prepared.document);
        schema_unref(prepared.schema);
    } else {
        put_prepared(x, kind, &prepared);
    }
out:
    document_errors_free(&errors);
    bytes_free(&text);
    json_free(&whole);
    json_free(&body);
}

static void on_delete_result(struct api_ctx *x, struct api_pending *p, const struct result *r)
{
    (void)p;
    if (r->code) {
        api_problem_result(x, r);
        return;
    }
    api_field(x, "Catalogue-Version", "%llu", (unsigned long long)r->version);
    x->resp->status = 204;
}

/* ?accept=loses-records,... names the guards that are overridden. */
static void take_accept(struct api_ctx *x, struct request *r)
{
    struct slice text = api_query(x, "accept");
    if (!text.n)
        return;
    size_t n = 1;
    for (size_t i = 0; i < text.n; i++)
        n += text.p[i] == ',';
    r->accept.item = arena_zalloc(&r->arena, n, sizeof *r->accept.item);
    size_t from = 0;
    for (size_t i = 0; i <= text.n; i++) {
        if (i < text.n && text.p[i] != ',')
            continue;
        if (i > from)
            r->accept.item[r->accept.n++] =
                arena_copy(&r->arena, slice_of(text.p + from, i - from));
        from = i + 1;
    }
}

void api_delete_document(struct api_ctx *x, enum document_kind kind)
{
    struct request *r = api_request_new(x, REQUEST_DELETE);
    r->target_kind = kind;
    r->name = arena_copy(&r->arena, x->param[0]);
    take_accept(x, r);
    if (!api_condition(x, r)) {
        request_free(r);
        return;
    }
    struct api_pending *p = api_pending_new(x);
    p->on_result = on_delete_result;
    api_ask_catalogue(x, r, p);
}

#define DOCUMENT_HANDLERS(one, many, KIND)                                                         \
    void api_list_##many(struct api_ctx *x)                                                        \
    {                                                                                              \
        api_list_documents(x, KIND);                                                               \
    }                                                                                              \
    void api_get_##one(struct api_ctx *x)                                                          \
    {                                                                                              \
        api_get_document(x, KIND);                                                                 \
    }                                                                                              \
    void api_put_##one(struct api_ctx *x)                                                          \
    {                                                                                              \
        api_put_document(x, KIND);                                                                 \
    }                                                                                              \
    void api_delete_##one(struct api_ctx *x)                                                       \
    {                                                                                              \
        api_delete_document(x, KIND);                                                              \
    }
DOCUMENT_HANDLERS(team, teams, DOCUMENT_TEAM)
DOCUMENT_HANDLERS(producer, producers, DOCUMENT_PRODUCER)
DOCUMENT_HANDLERS(policy, policies, DOCUMENT_POLICY)
