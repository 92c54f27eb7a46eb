/* POST /v1/plan and /v1/apply: a set of documents, judged as one change. */
#include "api/internal.h"

#include "base/mem.h"

#include <stdio.h>

static void free_documents(struct request_document *d, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        document_free(d[i].document);
        schema_unref(d[i].schema);
    }
    mem_free(d);
}

static bool take_documents(struct api_ctx *x, const struct json_doc *doc, struct request *r,
                           struct document_errors *errors)
{
    uint32_t list = json_get(doc, 0, "documents");
    if (list == JSON_NONE || json_type(doc, list) != JSON_ARRAY) {
        api_problem(x, 400, "field.missing", "\"documents\" must be an array of documents");
        return false;
    }
    uint32_t n = doc->node[list].count;
    if (n > API_DOCUMENTS_MAX) {
        api_problem(x, 413, "documents.too-many", "%u documents at once; at most %d", n,
                    API_DOCUMENTS_MAX);
        return false;
    }
    r->documents = mem_zalloc(n ? n : 1, sizeof *r->documents);
    r->documents_n = n;
    bool ok = true;
    uint32_t i = json_first(doc, list);
    for (uint32_t k = 0; k < n; k++, i = json_sibling(doc, list, i)) {
        char prefix[32];
        snprintf(prefix, sizeof prefix, "/documents/%u", k);
        ok &= api_prepare_document(x, doc, i, prefix, &r->documents[k], errors);
    }
    return ok;
}

static bool take_names(struct api_ctx *x, const struct json_doc *doc, uint32_t list,
                       struct request *r)
{
    if (list == JSON_NONE)
        return true;
    if (json_type(doc, list) != JSON_ARRAY) {
        api_problem(x, 400, "value.invalid", "\"accept\" must be an array of guard names");
        return false;
    }
    uint32_t n = doc->node[list].count;
    r->accept.item = arena_zalloc(&r->arena, n ? n : 1, sizeof *r->accept.item);
    for (uint32_t i = json_first(doc, list); i != JSON_NONE; i = json_sibling(doc, list, i)) {
        if (json_type(doc, i) != JSON_STRING) {
            api_problem(x, 400, "value.invalid", "\"accept\" must hold strings");
            return false;
        }
        r->accept.item[r->accept.n++] = arena_copy(&r->arena, json_string(doc, i, x->arena));
    }
    return true;
}

static bool take_options(struct api_ctx *x, const struct json_doc *doc, struct request *r)
{
    static const char *const members[] = {"documents", "prune", "scope", "accept", "if_version"};
    if (!api_known_members(x, doc, 0, members, 5))
        return false;
    uint32_t prune = json_get(doc, 0, "prune"), scope = json_get(doc, 0, "scope"),
             version = json_get(doc, 0, "if_version");
    int64_t v = 0;
    if (version != JSON_NONE && json_type(doc, version) != JSON_NULL &&
        (!json_int64(doc, version, &v) || v < 0)) {
        api_problem(x, 400, "value.invalid", "\"if_version\" must be a catalogue version");
        return false;
    }
    r->if_version = (uint64_t)v;
    if (prune != JSON_NONE && json_type(doc, prune) != JSON_TRUE &&
        json_type(doc, prune) != JSON_FALSE) {
        api_problem(x, 400, "value.invalid", "\"prune\" must be true or false");
        return false;
    }
    r->prune = json_type(doc, prune) == JSON_TRUE;
    if (json_type(doc, scope) == JSON_STRING)
        r->prune_scope = arena_copy(&r->arena, json_string(doc, scope, x->arena));
    if (r->prune && r->prune_scope.n == 0) {
        api_problem(
            x, 422, "scope.missing",
            "prune removes what the documents do not name, so \"scope\" must name the prefix "
            "that it may touch");
        return false;
    }
    return take_names(x, doc, json_get(doc, 0, "accept"), r);
}

static void on_plan_result(struct api_ctx *x, struct api_pending *p, const struct result *r)
{
    (void)p;
    /* A plan with violations is a good answer to "what would happen"; an apply with them is not. */
    bool planning = x->route->handle == api_plan;
    if (r->code && !(planning && r->body.n && r->code == ERR_INVALID)) {
        api_problem_result(x, r);
        return;
    }
    struct json_writer w;
    api_json(x, 200, &w);
    json_put_raw(&w, bytes_slice(&r->body));
    api_field(x, "Catalogue-Version", "%llu", (unsigned long long)r->version);
}

static void change(struct api_ctx *x, bool dry_run)
{
    struct json_doc doc = {0};
    struct document_errors errors = {0};
    if (!api_body(x, &doc))
        goto out;
    struct request *r = api_request_new(x, REQUEST_APPLY);
    r->dry_run = dry_run;
    bool ok = take_options(x, &doc, r) && take_documents(x, &doc, r, &errors);
    if (!ok) {
        if (errors.n)
            api_problem_list(x, 422, "document.refused",
                             "nothing was changed: the documents break the rules listed", &errors);
        free_documents(r->documents, r->documents_n);
        r->documents = NULL;
        r->documents_n = 0;
        request_free(r);
        goto out;
    }
    struct api_pending *p = api_pending_new(x);
    p->on_result = on_plan_result;
    api_ask_catalogue(x, r, p);
out:
    document_errors_free(&errors);
    json_free(&doc);
}

void api_plan(struct api_ctx *x)
{
    change(x, true);
}

void api_apply(struct api_ctx *x)
{
    change(x, false);
}
