/* Keys of producers. A key is added and revoked, never changed or removed: an old signature must
 * stay judgeable. */
#include "api/internal.h"

#include "base/codec.h"
#include "sign/sign.h"

static const struct producer *producer_or_404(struct api_ctx *x)
{
    const struct view_document *d = view_document_by_name(x->view, DOCUMENT_PRODUCER, x->param[0]);
    if (d)
        return &d->document->producer;
    api_problem(x, 404, "resource.unknown", "there is no Producer named %.*s",
                (int)(x->param[0].n > 250 ? 250 : x->param[0].n), (const char *)x->param[0].p);
    return NULL;
}

static void put_time(struct json_writer *w, const char *name, int64_t ms)
{
    char text[TIME_TEXT_SIZE];
    json_name(w, name);
    if (ms == 0) {
        json_put_null(w);
        return;
    }
    time_text(ms, text);
    json_put_cstr(w, text);
}

static void put_key(struct json_writer *w, const struct producer *producer,
                    const struct producer_key *k)
{
    struct bytes text = {0};
    json_begin_object(w);
    json_name(w, "id");
    json_put_string(w, k->id);
    json_name(w, "kid");
    bytes_add_slice(&text, producer->name);
    bytes_add_u8(&text, '/');
    bytes_add_slice(&text, k->id);
    json_put_string(w, bytes_slice(&text));
    bytes_clear(&text);
    base64url_add(&text, slice_of(k->public_key, sizeof k->public_key));
    json_name(w, "public_key");
    json_put_string(w, bytes_slice(&text));
    bytes_free(&text);
    json_name(w, "state");
    json_put_cstr(w, k->state == KEY_REVOKED ? "revoked" : "active");
    put_time(w, "not_before", k->not_before_ms);
    put_time(w, "not_after", k->not_after_ms);
    put_time(w, "revoked_at", k->revoked_at_ms);
    json_name(w, "reason");
    if (k->reason.n)
        json_put_string(w, k->reason);
    else
        json_put_null(w);
    json_end_object(w);
}

void api_list_keys(struct api_ctx *x)
{
    const struct producer *producer = producer_or_404(x);
    if (!producer)
        return;
    struct json_writer w;
    api_json(x, 200, &w);
    json_begin_object(&w);
    json_name(&w, "items");
    json_begin_array(&w);
    for (size_t i = 0; i < producer->keys_n; i++)
        put_key(&w, producer, &producer->key[i]);
    json_end_array(&w);
    json_name(&w, "next");
    json_put_null(&w);
    json_end_object(&w);
}

static void answer_key(struct api_ctx *x, struct slice producer_name, struct slice id, int status)
{
    const struct view_document *d =
        view_document_by_name(x->view, DOCUMENT_PRODUCER, producer_name);
    for (size_t i = 0; d && i < d->document->producer.keys_n; i++) {
        const struct producer_key *k = &d->document->producer.key[i];
        if (!slice_eq(k->id, id))
            continue;
        struct json_writer w;
        api_json(x, status, &w);
        put_key(&w, &d->document->producer, k);
        return;
    }
    api_problem(x, 404, "key.unknown", "the producer has no key with this id");
}

void api_get_key(struct api_ctx *x)
{
    if (producer_or_404(x))
        answer_key(x, x->param[0], x->param[1], 200);
}

static void on_key_result(struct api_ctx *x, struct api_pending *p, const struct result *r)
{
    if (r->code) {
        api_problem_result(x, r);
        return;
    }
    api_field(x, "Catalogue-Version", "%llu", (unsigned long long)r->version);
    answer_key(x, p->name, p->item, p->created_expected ? 201 : 200);
}

static void ask_key(struct api_ctx *x, struct request *r, bool created)
{
    struct api_pending *p = api_pending_new(x);
    p->name = arena_copy(&p->arena, r->name);
    p->item = arena_copy(&p->arena, r->key.id);
    p->created_expected = created;
    p->on_result = on_key_result;
    api_ask_catalogue(x, r, p);
}

static bool take_time(struct api_ctx *x, const struct json_doc *doc, const char *name, int64_t *ms)
{
    uint32_t i = json_get(doc, 0, name);
    if (i == JSON_NONE || json_type(doc, i) == JSON_NULL)
        return true;
    if (json_type(doc, i) == JSON_STRING && time_parse(json_string(doc, i, x->arena), ms))
        return true;
    api_problem(x, 422, "value.invalid",
                "%s must be an RFC 3339 time such as "
                "2026-12-01T00:00:00Z",
                name);
    return false;
}

static bool take_key(struct api_ctx *x, const struct json_doc *doc, struct request *r)
{
    static const char *const members[] = {"id", "public_key", "not_before", "not_after"};
    uint32_t id = json_get(doc, 0, "id"), key = json_get(doc, 0, "public_key");
    if (!api_known_members(x, doc, 0, members, 4))
        return false;
    if (json_type(doc, id) != JSON_STRING || json_type(doc, key) != JSON_STRING) {
        api_problem(x, 422, "field.missing", "a key needs id and public_key, both strings");
        return false;
    }
    r->key.id = arena_copy(&r->arena, json_string(doc, id, x->arena));
    size_t n;
    if (!base64url_get(json_string(doc, key, x->arena), r->key.public_key, sizeof r->key.public_key,
                       &n) ||
        n != sizeof r->key.public_key || !sign_public_key_ok(r->key.public_key)) {
        api_problem(x, 422, "key.invalid",
                    "public_key must be a valid Ed25519 public key: 32 bytes as base64url without "
                    "padding, as \"writ key new\" prints it");
        return false;
    }
    return take_time(x, doc, "not_before", &r->key.not_before_ms) &&
           take_time(x, doc, "not_after", &r->key.not_after_ms);
}

void api_add_key(struct api_ctx *x)
{
    struct json_doc doc = {0};
    if (producer_or_404(x) && api_body(x, &doc)) {
        struct request *r = api_request_new(x, REQUEST_KEY_ADD);
        r->name = arena_copy(&r->arena, x->param[0]);
        if (take_key(x, &doc, r))
            ask_key(x, r, true);
        else
            request_free(r);
    }
    json_free(&doc);
}

void api_revoke_key(struct api_ctx *x)
{
    static const char *const members[] = {"reason"};
    struct json_doc doc = {0};
    if (producer_or_404(x) && api_body(x, &doc) && api_known_members(x, &doc, 0, members, 1)) {
        uint32_t reason = json_get(&doc, 0, "reason");
        struct slice text = json_type(&doc, reason) == JSON_STRING
                                ? json_string(&doc, reason, x->arena)
                                : SLICE_NULL;
        if (text.n == 0 || text.n > 500) {
            api_problem(x, 422, "reason.missing",
                        "say why in \"reason\" (up to 500 bytes); auditors will read it");
        } else {
            struct request *r = api_request_new(x, REQUEST_KEY_REVOKE);
            r->name = arena_copy(&r->arena, x->param[0]);
            r->key.id = arena_copy(&r->arena, x->param[1]);
            r->key.reason = arena_copy(&r->arena, text);
            ask_key(x, r, false);
        }
    }
    json_free(&doc);
}
