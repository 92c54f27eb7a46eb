/* The admin API over the real catalogue, without HTTP and without Raft: what a client sees. */
#include "api/api.h"
#include "base/json.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <openssl/sha.h>
#include <stdio.h>

static const char token[] = "secret-token";

struct world {
    struct catalogue *catalogue;
    struct api *api;
    uint64_t index;
    int64_t now_ms;
    uint64_t random;
};

/* The last answer. */
struct answer {
    int status;
    char text[262144];
    char etag[64];
    struct json_doc doc;
};

static void fill_random(struct world *w, uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        w->random = w->random * 6364136223846793005u + 1442695040888963407u;
        p[i] = (uint8_t)(w->random >> 56);
    }
}

static void settle(struct world *w, const struct request *r, struct result *result)
{
    struct bytes facts = {0}, audit = {0};
    catalogue_decide(w->catalogue, r, &facts, result);
    if (facts.n) {
        result_free(result);
        memset(result, 0, sizeof *result);
        catalogue_apply(w->catalogue, ++w->index, bytes_slice(&facts), r, result, &audit);
        assert_true(audit.n > 0);
    }
    catalogue_check_invariants(w->catalogue);
    bytes_free(&facts);
    bytes_free(&audit);
}

static int setup(void **state)
{
    struct world *w = MEM_NEW(struct world);
    struct err err = {0};
    struct api_config config = {.token_required = true, .node_id = 1};
    SHA256((const uint8_t *)token, strlen(token), config.token_sha256);
    w->now_ms = 1790000000000;
    w->random = 7;
    if (catalogue_open(&w->catalogue, &err))
        fail_msg("%s", err.msg);
    struct request *r = request_new(REQUEST_BOOTSTRAP);
    r->now_ms = w->now_ms;
    r->principal = SLICE_LIT("node");
    fill_random(w, r->random, sizeof r->random);
    struct result result = {0};
    settle(w, r, &result);
    assert_int_equal(result.code, 0);
    result_free(&result);
    request_free(r);
    r = request_new(REQUEST_NODE_REGISTER);
    r->now_ms = w->now_ms;
    r->principal = SLICE_LIT("node");
    r->node = (struct view_node){.id = 1,
                                 .kafka_host = SLICE_LIT("127.0.0.1"),
                                 .kafka_port = 9092,
                                 .admin_url = SLICE_LIT("http://127.0.0.1:9192"),
                                 .role = SLICE_LIT("voter"),
                                 .state = SLICE_LIT("active")};
    settle(w, r, &result);
    if (result.code)
        fail_msg("%s", result.message);
    result_free(&result);
    request_free(r);
    w->api = api_new(&config);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    api_free(w->api);
    catalogue_close(w->catalogue);
    mem_free(w);
    return 0;
}

static void take(struct answer *a, struct api_response *r)
{
    json_free(&a->doc);
    memset(a, 0, sizeof *a);
    a->status = r->status;
    snprintf(a->text, sizeof a->text, "%.*s", (int)r->body.n, r->body.p ? (char *)r->body.p : "");
    for (size_t i = 0; i < r->fields_n; i++)
        if (strcmp(r->field[i].name, "ETag") == 0)
            snprintf(a->etag, sizeof a->etag, "%.63s", r->field[i].value);
    api_response_free(r);
    struct err err = {0};
    if (a->text[0] == '{' && json_parse(&a->doc, slice_str(a->text), NULL, &err))
        fail_msg("the answer is not JSON: %s: %s", err.msg, a->text);
}

/* "If-Match: x" style extra fields are given as name, value pairs ended by NULL. */
static void call_with(struct world *w, struct answer *a, const char *method, const char *target,
                      const char *body, const char *const *fields)
{
    struct api_field field[8] = {{SLICE_LIT("authorization"), SLICE_LIT("Bearer secret-token")}};
    size_t n = 1;
    for (size_t i = 0; fields && fields[i]; i += 2)
        field[n++] = (struct api_field){slice_str(fields[i]), slice_str(fields[i + 1])};
    const char *query = strchr(target, '?');
    struct api_call call = {.method = slice_str(method),
                            .path =
                                slice_of(target, query ? (size_t)(query - target) : strlen(target)),
                            .query = query ? slice_str(query + 1) : SLICE_NULL,
                            .body = slice_str(body),
                            .field = field,
                            .fields_n = n,
                            .correlation_id = SLICE_LIT("request-7"),
                            .now_ms = w->now_ms++};
    fill_random(w, call.random, sizeof call.random);
    const struct view *view = catalogue_view(w->catalogue);
    struct api_outcome out;
    api_call(w->api, view, &call, &out);
    view_unref(view);
    if (out.next == API_CATALOGUE) {
        struct result result = {0};
        settle(w, out.request, &result);
        request_free(out.request);
        view = catalogue_view(w->catalogue);
        api_result(w->api, view, out.pending, &result, &out.response);
        view_unref(view);
        result_free(&result);
    } else if (out.next == API_QUESTION) {
        struct api_reply reply = {.next = 12};
        bytes_add_str(&reply.body, "{\"asked\":1}");
        view = catalogue_view(w->catalogue);
        api_reply(w->api, view, out.pending, &reply, &out.response);
        view_unref(view);
        bytes_free(&reply.body);
    }
    take(a, &out.response);
}

static void call(struct world *w, struct answer *a, const char *method, const char *target,
                 const char *body)
{
    call_with(w, a, method, target, body, NULL);
}

static void expect(const struct answer *a, int status, const char *contains)
{
    if (a->status != status || (contains && !strstr(a->text, contains)))
        fail_msg("status %d (wanted %d), wanted \"%s\" in %s", a->status, status,
                 contains ? contains : "", a->text);
}

#define TEAM "{\"description\":\"d\",\"contact\":\"c@example.com\"}"
#define SCHEMA                                                                                     \
    "{\"type\":\"object\",\"required\":[\"total\"],\"properties\":{\"total\":{\"type\":"           \
    "\"number\",\"minimum\":0}}}"
#define TOPIC                                                                                      \
    "{\"team\":\"orders\",\"description\":\"d\",\"type\":\"T\",\"value\":{\"format\":\"json\","    \
    "\"schema\":" SCHEMA "},\"partitions\":2}"

static void test_token(void **state)
{
    struct world *w = *state;
    struct answer *a = MEM_NEW(struct answer);
    struct api_call c = {.method = SLICE_LIT("GET"), .path = SLICE_LIT("/v1/topics"), .now_ms = 1};
    struct api_outcome out;
    const struct view *view = catalogue_view(w->catalogue);
    api_call(w->api, view, &c, &out);
    take(a, &out.response);
    expect(a, 401, "token.required");
    c.path = SLICE_LIT("/healthz");
    api_call(w->api, view, &c, &out);
    take(a, &out.response);
    expect(a, 200, "\"alive\":true");
    view_unref(view);
    json_free(&a->doc);
    mem_free(a);
}

static void test_routes(void **state)
{
    struct world *w = *state;
    struct answer *a = MEM_NEW(struct answer);
    call(w, a, "GET", "/v1/nothing", "");
    expect(a, 404, "path.unknown");
    call(w, a, "PATCH", "/v1/topics/x", "");
    expect(a, 405, "GET, PUT, DELETE");
    call(w, a, "GET", "/v1/topics?limit=0", "");
    expect(a, 400, "query.invalid");
    call(w, a, "GET", "/v1/topics?limit=abc", "");
    expect(a, 400, "query.invalid");
    call(w, a, "GET", "/v1/rejections?since=yesterday", "");
    expect(a, 400, "RFC 3339");
    call(w, a, "GET", "/v1/rejections?limit=5&code=payload.invalid", "");
    expect(a, 200, "\"items\":[{\"asked\":1}],\"next\":\"12\"");
    call(w, a, "GET", "/v1/nodes", "");
    expect(a, 200, "\"kafka\":\"127.0.0.1:9092\"");
    call(w, a, "GET", "/v1/nodes/9", "");
    expect(a, 404, "node.unknown");
    json_free(&a->doc);
    mem_free(a);
}

static void test_resources(void **state)
{
    struct world *w = *state;
    struct answer *a = MEM_NEW(struct answer);
    call(w, a, "PUT", "/v1/teams/orders", TEAM);
    expect(a, 201, "\"contact\":\"c@example.com\"");
    assert_true(a->etag[0] == '"');
    call(w, a, "PUT", "/v1/topics/shop.orders", TOPIC);
    expect(a, 201, "\"partitions\":2");
    call(w, a, "GET", "/v1/topics/shop.orders", "");
    expect(a, 200, "\"governed\":true");
    call(w, a, "GET", "/v1/topics?prefix=shop", "");
    expect(a, 200, "\"name\":\"shop.orders\"");
    call(w, a, "GET", "/v1/topics?prefix=other", "");
    expect(a, 200, "\"items\":[]");
    call(w, a, "GET", "/v1/topics/shop.orders/partitions", "");
    expect(a, 200, "\"leader\":1");
    call(w, a, "DELETE", "/v1/teams/orders", "");
    expect(a, 422, "orders");
    call(w, a, "DELETE", "/v1/topics/shop.orders", "");
    expect(a, 422, "loses-records"); /* nobody has reported how many records there are */
    call(w, a, "DELETE", "/v1/topics/shop.orders?accept=loses-records", "");
    expect(a, 204, NULL);
    call(w, a, "GET", "/v1/topics/shop.orders", "");
    expect(a, 404, NULL);
    call(w, a, "DELETE", "/v1/teams/orders", "");
    expect(a, 204, NULL);
    json_free(&a->doc);
    mem_free(a);
}

static void test_refusals_name_the_place(void **state)
{
    struct world *w = *state;
    struct answer *a = MEM_NEW(struct answer);
    call(w, a, "PUT", "/v1/topics/shop.orders", "{\"team\":");
    expect(a, 400, "body.malformed");
    call(w, a, "PUT", "/v1/topics/shop.orders", "[]");
    expect(a, 400, "object");
    call(w, a, "PUT", "/v1/topics/shop.orders", "{\"name\":\"other\"}");
    expect(a, 422, "name.mismatch");
    call(w, a, "PUT", "/v1/topics/shop.orders", TOPIC);
    expect(a, 422, "orders"); /* the team does not exist */
    call(w, a, "PUT", "/v1/teams/orders", "{\"descripton\":\"d\"}");
    expect(a, 422, "description");
    call(w, a, "PUT", "/v1/topics/t",
         "{\"team\":\"x\",\"value\":{\"format\":\"json\",\"schema\":{\"$ref\":\"http://e.x/y\"}}}");
    expect(a, 422, "/value/schema");
    call(w, a, "PUT", "/v1/topics/t",
         "{\"team\":\"x\",\"value\":{\"format\":\"json\",\"schema\":" SCHEMA
         ",\"examples\":[{\"total\":-1}]}}");
    expect(a, 422, "/value/examples/0");
    json_free(&a->doc);
    mem_free(a);
}

static void test_conditions(void **state)
{
    struct world *w = *state;
    struct answer *a = MEM_NEW(struct answer);
    static const char *const absent[] = {"if-none-match", "*", NULL};
    char etag[64];
    const char *const first[] = {"if-match", etag, NULL};
    static const char *const other[] = {"if-match", "\"1\"", NULL};
    static const char *const bad[] = {"if-match", "abc", NULL};
    static const char *const once[] = {"idempotency-key", "k-1", NULL};
    call_with(w, a, "PUT", "/v1/teams/orders", TEAM, absent);
    expect(a, 201, NULL);
    memcpy(etag, a->etag, sizeof etag);
    call_with(w, a, "PUT", "/v1/teams/orders", TEAM, absent);
    expect(a, 412, NULL);
    call_with(w, a, "PUT", "/v1/teams/orders", "{\"description\":\"new\"}", other);
    expect(a, 412, NULL);
    call_with(w, a, "PUT", "/v1/teams/orders", "{\"description\":\"new\"}", first);
    expect(a, 200, "\"description\":\"new\"");
    assert_string_not_equal(a->etag, etag);
    call_with(w, a, "PUT", "/v1/teams/orders", TEAM, bad);
    expect(a, 400, "if-match.invalid");
    call_with(w, a, "PUT", "/v1/teams/other", TEAM, once);
    expect(a, 201, NULL);
    uint64_t version = catalogue_version(w->catalogue);
    call_with(w, a, "PUT", "/v1/teams/other", TEAM, once);
    assert_true(a->status == 200 || a->status == 201);
    assert_int_equal(version, catalogue_version(w->catalogue));
    json_free(&a->doc);
    mem_free(a);
}

static void test_keys(void **state)
{
    struct world *w = *state;
    struct answer *a = MEM_NEW(struct answer);
    /* RFC 8037 appendix A.2's public key. */
    static const char key[] =
        "{\"id\":\"k1\",\"public_key\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}";
    call(w, a, "PUT", "/v1/teams/orders", TEAM);
    call(w, a, "PUT", "/v1/producers/shop", "{\"team\":\"orders\",\"topics\":[\"shop.*\"]}");
    expect(a, 201, NULL);
    call(w, a, "POST", "/v1/producers/shop/keys", "{\"id\":\"k1\",\"public_key\":\"AAAA\"}");
    expect(a, 422, "key.invalid");
    call(w, a, "POST", "/v1/producers/shop/keys", "{\"id\":\"k1\",\"public_kee\":\"AAAA\"}");
    expect(a, 400, "public_key");
    call(w, a, "POST", "/v1/producers/shop/keys", key);
    expect(a, 201, "\"kid\":\"shop/k1\"");
    call(w, a, "GET", "/v1/producers/shop/keys", "");
    expect(a, 200, "\"state\":\"active\"");
    call(w, a, "POST", "/v1/producers/shop/keys/k1/revoke", "{}");
    expect(a, 422, "reason.missing");
    call(w, a, "POST", "/v1/producers/shop/keys/k1/revoke", "{\"reason\":\"lost laptop\"}");
    expect(a, 200, "\"state\":\"revoked\"");
    call(w, a, "GET", "/v1/producers/shop/keys/k2", "");
    expect(a, 404, "key.unknown");
    json_free(&a->doc);
    mem_free(a);
}

static void test_plan_and_apply(void **state)
{
    struct world *w = *state;
    struct answer *a = MEM_NEW(struct answer);
    static const char documents[] =
        "{\"documents\":[{\"kind\":\"Team\",\"name\":\"orders\"},"
        "{\"kind\":\"Topic\",\"name\":\"shop.orders\",\"team\":\"orders\",\"description\":\"d\","
        "\"type\":\"T\",\"value\":{\"format\":\"json\",\"schema\":" SCHEMA "}}]}";
    uint64_t version = catalogue_version(w->catalogue);
    call(w, a, "POST", "/v1/plan", documents);
    expect(a, 200, "\"changed\":true");
    assert_int_equal(version, catalogue_version(w->catalogue));
    call(w, a, "POST", "/v1/apply", documents);
    expect(a, 200, "\"changed\":true");
    assert_int_equal(version + 1, catalogue_version(w->catalogue));
    call(w, a, "POST", "/v1/apply", documents);
    expect(a, 200, "\"changed\":false");
    assert_int_equal(version + 1, catalogue_version(w->catalogue));
    call(w, a, "POST", "/v1/apply",
         "{\"documents\":[{\"kind\":\"Team\",\"name\":\"x\"}],\"if_version\":1}");
    expect(a, 412, NULL);
    call(w, a, "POST", "/v1/apply",
         "{\"documents\":[{\"kind\":\"Team\",\"name\":\"good\"},{\"kind\":\"Team\",\"nam\":\"bad\"}"
         "]}");
    expect(a, 422, "/documents/1");
    const struct view *view = catalogue_view(w->catalogue);
    assert_null(view_document_by_name(view, DOCUMENT_TEAM, SLICE_LIT("good")));
    view_unref(view);
    call(w, a, "POST", "/v1/apply", "{\"documents\":[],\"prune\":true}");
    expect(a, 422, "scope.missing");
    call(w, a, "POST", "/v1/apply", "{\"documnets\":[]}");
    expect(a, 400, "documents");
    json_free(&a->doc);
    mem_free(a);
}

static void test_explain(void **state)
{
    struct world *w = *state;
    struct answer *a = MEM_NEW(struct answer);
    call(w, a, "PUT", "/v1/teams/orders", TEAM);
    call(w, a, "PUT", "/v1/topics/shop.orders", TOPIC);
    expect(a, 201, NULL);
    call(w, a, "PUT", "/v1/producers/web",
         "{\"team\":\"orders\",\"topics\":[\"shop.*\"],\"principals\":[\"anonymous\"]}");
    expect(a, 201, NULL);
    call(w, a, "POST", "/v1/topics/shop.orders/explain", "{\"value\":{\"total\":-3}}");
    expect(a, 200, "payload.invalid");
    expect(a, 200, "/total");
    call(w, a, "POST", "/v1/topics/shop.orders/explain", "{\"value\":{\"total\":3}}");
    expect(a, 200, "\"accepted\":true");
    call(w, a, "POST", "/v1/topics/shop.orders/explain", "{\"value_base64\":\"eyJ0b3RhbCI6M30=\"}");
    expect(a, 200, "\"accepted\":true");
    call(w, a, "POST", "/v1/topics/shop.orders/explain", "{\"value_base64\":\"***\"}");
    expect(a, 422, "base64");
    call(w, a, "POST", "/v1/topics/none/explain", "{}");
    expect(a, 404, NULL);
    json_free(&a->doc);
    mem_free(a);
}

static void test_validate(void **state)
{
    struct world *w = *state;
    struct answer *a = MEM_NEW(struct answer);
    call(w, a, "POST", "/v1/schemas/validate",
         "{\"format\":\"json\",\"schema\":" SCHEMA ",\"payload_base64\":\"eyJ0b3RhbCI6M30=\"}");
    expect(a, 200, "\"valid\":true");
    call(w, a, "POST", "/v1/schemas/validate",
         "{\"format\":\"json\",\"schema\":" SCHEMA ",\"payload\":{\"total\":\"x\"}}");
    expect(a, 200, "\"path\":\"/total\"");
    call(w, a, "POST", "/v1/schemas/validate", "{\"format\":\"xml\",\"schema\":{},\"payload\":1}");
    expect(a, 422, "format.unknown");
    call(w, a, "POST", "/v1/schemas/validate", "{\"format\":\"avro\",\"schema\":{},\"payload\":1}");
    expect(a, 501, "avro");
    call(w, a, "POST", "/v1/schemas/validate",
         "{\"format\":\"json\",\"schema\":{\"$ref\":\"#/nowhere\"},\"payload\":1}");
    expect(a, 422, "schema.refused");
    json_free(&a->doc);
    mem_free(a);
}

/* Every path of the document is served, every reference resolves. */
static void test_openapi(void **state)
{
    struct world *w = *state;
    struct answer *a = MEM_NEW(struct answer);
    struct arena arena;
    arena_init(&arena, 0);
    call(w, a, "GET", "/openapi.json", "");
    expect(a, 200, "\"openapi\":\"3.1.0\"");
    unsigned references = 0;
    for (uint32_t i = 0; i < a->doc.n; i++) {
        if (!a->doc.node[i].is_name || !slice_eq_str(json_raw(&a->doc, i), "$ref"))
            continue;
        struct slice to = json_string(&a->doc, i + 1, &arena);
        assert_true(to.n > 1 && to.p[0] == '#');
        if (json_at(&a->doc, 0, slice_of(to.p + 1, to.n - 1)) == JSON_NONE)
            fail_msg("%.*s does not resolve", SLICE_FMT(to));
        references++;
    }
    assert_true(references > 50);
    arena_free(&arena);
    json_free(&a->doc);
    mem_free(a);
}

#define API_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        API_TEST(test_token),          API_TEST(test_routes),
        API_TEST(test_resources),      API_TEST(test_refusals_name_the_place),
        API_TEST(test_conditions),     API_TEST(test_keys),
        API_TEST(test_plan_and_apply), API_TEST(test_explain),
        API_TEST(test_validate),       API_TEST(test_openapi),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
