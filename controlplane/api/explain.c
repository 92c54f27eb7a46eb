/* POST /v1/topics/{name}/explain: runs a record through the contract in force and writes nothing.
 */
#include "api/internal.h"

#include "base/codec.h"
#include "policy/judge.h"

#include <stdio.h>

enum { EXPLAIN_HEADERS_MAX = 64 };

static bool find_key(void *arg, struct slice kid, struct judge_key *out)
{
    const struct view_key *k = view_key_by_id(arg, kid);
    if (!k)
        return false;
    *out = (struct judge_key){k->producer, k->key};
    return true;
}

/* "name" holds JSON or text, "name_base64" bytes. Sets *out; null and absent give a null slice. */
static bool take_bytes(struct api_ctx *x, const struct json_doc *doc, const char *name, bool raw,
                       struct bytes *buf, struct slice *out)
{
    char base64_name[32];
    snprintf(base64_name, sizeof base64_name, "%s_base64", name);
    uint32_t plain = json_get(doc, 0, name), encoded = json_get(doc, 0, base64_name);
    *out = SLICE_NULL;
    if (encoded != JSON_NONE) {
        if (json_type(doc, encoded) != JSON_STRING ||
            !base64_get(json_string(doc, encoded, x->arena), buf)) {
            api_problem(x, 422, "value.invalid", "%s is not base64", base64_name);
            return false;
        }
        bytes_reserve(buf, 1); /* an empty value is not a null one */
        *out = bytes_slice(buf);
    } else if (plain != JSON_NONE && json_type(doc, plain) != JSON_NULL) {
        if (raw) {
            /* The value's own text, byte for byte: a signature is over these bytes. */
            struct slice text = json_raw(doc, plain);
            if (json_type(doc, plain) == JSON_STRING)
                text = slice_of(text.p - 1, text.n + 2);
            *out = text;
        } else if (json_type(doc, plain) == JSON_STRING) {
            *out = json_string(doc, plain, x->arena);
        } else {
            api_problem(x, 422, "value.invalid", "\"%s\" must be a string or null", name);
            return false;
        }
    }
    return true;
}

static bool take_headers(struct api_ctx *x, const struct json_doc *doc, struct judge_record *rec)
{
    uint32_t headers = json_get(doc, 0, "headers");
    if (headers == JSON_NONE)
        return true;
    if (json_type(doc, headers) != JSON_OBJECT || doc->node[headers].count > EXPLAIN_HEADERS_MAX) {
        api_problem(x, 422, "value.invalid", "\"headers\" must be an object of at most %d strings",
                    EXPLAIN_HEADERS_MAX);
        return false;
    }
    struct sign_header *h = arena_zalloc(x->arena, EXPLAIN_HEADERS_MAX, sizeof *h);
    for (uint32_t i = json_first(doc, headers); i != JSON_NONE;) {
        uint32_t value = json_sibling(doc, headers, i);
        h[rec->headers_n].name = json_string(doc, i, x->arena);
        if (json_type(doc, value) == JSON_STRING)
            h[rec->headers_n].value = json_string(doc, value, x->arena);
        rec->size_bytes += h[rec->headers_n].name.n + h[rec->headers_n].value.n;
        rec->headers_n++;
        i = json_sibling(doc, headers, value);
    }
    rec->headers = h;
    return true;
}

static void put_verdict(struct json_writer *w, const struct verdict *v, const struct view_topic *t)
{
    char text[768];
    json_begin_object(w);
    json_name(w, "code");
    json_put_cstr(w, verdict_code_name(v->code));
    json_name(w, "rule");
    json_put_cstr(w, v->rule);
    json_name(w, "path");
    json_put_cstr(w, v->path);
    json_name(w, "detail");
    json_put_cstr(w, v->detail);
    json_name(w, "text");
    json_put_cstr(w, verdict_text(v, t->name, t->version, text, sizeof text));
    json_name(w, "remedy");
    json_put_cstr(w, verdict_remedy(v->code));
    json_end_object(w);
}

static void answer_steps(struct api_ctx *x, const struct view_topic *t,
                         const struct judge_step *steps, size_t n)
{
    static const char *const outcomes[] = {"pass", "fail", "skip"};
    const struct judge_step *first = NULL;
    for (size_t i = 0; i < n && !first; i++)
        if (steps[i].outcome == JUDGE_FAIL)
            first = &steps[i];
    struct json_writer w;
    api_json(x, 200, &w);
    json_begin_object(&w);
    json_name(&w, "topic");
    json_put_string(&w, t->name);
    json_name(&w, "contract_version");
    json_put_int(&w, (int64_t)t->version);
    json_name(&w, "accepted");
    json_put_bool(&w, !first);
    json_name(&w, "verdict");
    if (first)
        put_verdict(&w, &first->verdict, t);
    else
        json_put_null(&w);
    json_name(&w, "steps");
    json_begin_array(&w);
    for (size_t i = 0; i < n; i++) {
        json_begin_object(&w);
        json_name(&w, "rule");
        json_put_cstr(&w, steps[i].rule);
        json_name(&w, "outcome");
        json_put_cstr(&w, outcomes[steps[i].outcome]);
        json_name(&w, "note");
        json_put_cstr(&w, steps[i].note);
        json_name(&w, "verdict");
        if (steps[i].outcome == JUDGE_FAIL)
            put_verdict(&w, &steps[i].verdict, t);
        else
            json_put_null(&w);
        json_end_object(&w);
    }
    json_end_array(&w);
    json_end_object(&w);
}

static void explain_record(struct api_ctx *x, const struct view_topic *t,
                           const struct json_doc *doc)
{
    struct bytes value = {0}, key = {0};
    struct judge_record rec = {.timestamp_ms = x->call->now_ms};
    uint32_t who = json_get(doc, 0, "principal"), when = json_get(doc, 0, "timestamp_ms");
    if (!take_bytes(x, doc, "value", true, &value, &rec.value) ||
        !take_bytes(x, doc, "key", false, &key, &rec.key) || !take_headers(x, doc, &rec))
        goto out;
    if (when != JSON_NONE && !json_int64(doc, when, &rec.timestamp_ms)) {
        api_problem(x, 422, "value.invalid", "\"timestamp_ms\" must be an integer");
        goto out;
    }
    rec.size_bytes += rec.key.n + rec.value.n;
    struct slice principal = json_type(doc, who) == JSON_STRING ? json_string(doc, who, x->arena)
                                                                : SLICE_LIT("anonymous");
    struct judge_context ctx = {
        .topic = t->name,
        .contract = t->contract,
        .contract_version = t->version,
        .schema = t->schema,
        .now_ms = x->call->now_ms,
        .principal = principal,
        .principal_granted = view_principal_may_write(x->view, principal, t->name),
        .find_key = find_key,
        .find_key_arg = (void *)(uintptr_t)x->view,
    };
    struct judge_step steps[JUDGE_STEPS_MAX];
    size_t n = judge_explain(&ctx, &rec, x->api->judge_scratch, steps);
    answer_steps(x, t, steps, n);
out:
    bytes_free(&value);
    bytes_free(&key);
}

void api_explain(struct api_ctx *x)
{
    static const char *const members[] = {"value",   "value_base64", "key",         "key_base64",
                                          "headers", "principal",    "timestamp_ms"};
    const struct view_topic *t = view_topic_by_name(x->view, x->param[0]);
    if (!t || t->deleted) {
        api_problem(x, 404, "topic.unknown", "there is no such topic");
        return;
    }
    if (!t->contract) {
        api_problem(x, 422, "topic.ungoverned",
                    "the topic has no contract: everything is accepted");
        return;
    }
    struct json_doc doc = {0};
    if (api_body(x, &doc) && api_known_members(x, &doc, 0, members, 7))
        explain_record(x, t, &doc);
    json_free(&doc);
}
