/* /openapi.json: OpenAPI 3.1 made of the route table and components.json, so that neither can name
 * what the other lacks (tests/unit/api compares them). */
#include "api/internal.h"

static const uint8_t components[] = {
#include "components.inc"
};

static void put_reference(struct api_ctx *x, struct json_writer *w, const char *kind,
                          const char *name)
{
    json_begin_object(w);
    json_name(w, "$ref");
    json_put_cstr(w, arena_printf(x->arena, "#/components/%s/%s", kind, name));
    json_end_object(w);
}

static void put_content(struct api_ctx *x, struct json_writer *w, const char *type,
                        const char *schema)
{
    json_name(w, "content");
    json_begin_object(w);
    json_name(w, type);
    json_begin_object(w);
    json_name(w, "schema");
    if (schema) {
        put_reference(x, w, "schemas", schema);
    } else {
        json_begin_object(w);
        json_name(w, "type");
        json_put_cstr(w, "string");
        json_end_object(w);
    }
    json_end_object(w);
    json_end_object(w);
}

static void put_path_parameters(struct api_ctx *x, struct json_writer *w, const char *path)
{
    for (const char *p = strchr(path, '{'); p; p = strchr(p, '{')) {
        const char *end = strchr(p, '}');
        json_begin_object(w);
        json_name(w, "name");
        json_put_string(w, slice_of(p + 1, (size_t)(end - p - 1)));
        json_name(w, "in");
        json_put_cstr(w, "path");
        json_name(w, "required");
        json_put_bool(w, true);
        json_name(w, "schema");
        json_begin_object(w);
        json_name(w, "type");
        json_put_cstr(w, "string");
        json_end_object(w);
        json_end_object(w);
        p = end;
    }
    (void)x;
}

static void put_named_parameters(struct api_ctx *x, struct json_writer *w, const char *names)
{
    while (names && *names) {
        size_t n = strcspn(names, " ");
        put_reference(x, w, "parameters", arena_strdup(x->arena, slice_of(names, n)));
        names += n + (names[n] == ' ');
    }
}

static void put_responses(struct api_ctx *x, struct json_writer *w, const struct api_route *r)
{
    json_name(w, "responses");
    json_begin_object(w);
    json_name(w, arena_printf(x->arena, "%d", r->status));
    json_begin_object(w);
    json_name(w, "description");
    json_put_cstr(w, r->summary);
    if (r->status != 204)
        put_content(x, w, r->response ? "application/json" : "text/plain", r->response);
    json_end_object(w);
    if (strcmp(r->method, "PUT") == 0) {
        json_name(w, "201");
        json_begin_object(w);
        json_name(w, "description");
        json_put_cstr(w, "Created");
        put_content(x, w, "application/json", r->response);
        json_end_object(w);
    }
    if (strcmp(r->path, "/readyz") == 0) {
        json_name(w, "503");
        json_begin_object(w);
        json_name(w, "description");
        json_put_cstr(w, "Not ready; the reasons are listed");
        put_content(x, w, "application/json", r->response);
        json_end_object(w);
    }
    json_name(w, "4XX");
    put_reference(x, w, "responses", "Problem");
    json_name(w, "5XX");
    put_reference(x, w, "responses", "Problem");
    json_end_object(w);
}

static void put_operation(struct api_ctx *x, struct json_writer *w, const struct api_route *r)
{
    struct bytes method = {0};
    for (const char *c = r->method; *c; c++)
        bytes_add_u8(&method, (uint8_t)(*c | 0x20));
    json_name_slice(w, bytes_slice(&method));
    bytes_free(&method);
    json_begin_object(w);
    json_name(w, "operationId");
    json_put_cstr(w, r->operation);
    json_name(w, "summary");
    json_put_cstr(w, r->summary);
    json_name(w, "tags");
    json_begin_array(w);
    json_put_cstr(w, r->tag);
    json_end_array(w);
    if (r->access == API_OPEN) {
        json_name(w, "security");
        json_begin_array(w);
        json_end_array(w);
    }
    json_name(w, "parameters");
    json_begin_array(w);
    put_path_parameters(x, w, r->path);
    put_named_parameters(x, w, r->query);
    if (r->conditional)
        put_named_parameters(x, w, "if-match idempotency-key");
    json_end_array(w);
    if (r->request) {
        json_name(w, "requestBody");
        json_begin_object(w);
        json_name(w, "required");
        json_put_bool(w, true);
        put_content(x, w, "application/json", r->request);
        json_end_object(w);
    }
    put_responses(x, w, r);
    json_end_object(w);
}

static void put_paths(struct api_ctx *x, struct json_writer *w)
{
    size_t n;
    const struct api_route *routes = api_routes(&n);
    json_name(w, "paths");
    json_begin_object(w);
    for (size_t i = 0; i < n; i++) {
        bool seen = false;
        for (size_t k = 0; k < i && !seen; k++)
            seen = strcmp(routes[k].path, routes[i].path) == 0;
        if (seen)
            continue;
        json_name(w, routes[i].path);
        json_begin_object(w);
        for (size_t k = i; k < n; k++)
            if (strcmp(routes[k].path, routes[i].path) == 0)
                put_operation(x, w, &routes[k]);
        json_end_object(w);
    }
    json_end_object(w);
}

void api_openapi(struct api_ctx *x)
{
    struct json_writer w;
    api_json(x, 200, &w);
    json_begin_object(&w);
    json_name(&w, "openapi");
    json_put_cstr(&w, "3.1.0");
    json_name(&w, "info");
    json_put_raw(&w,
                 SLICE_LIT("{\"title\":\"Writ admin API\",\"version\":\"" WRIT_VERSION "\","
                           "\"description\":\"Contracts, grants, plans, audit and the state of a "
                           "Writ cluster.\",\"license\":{\"name\":\"Apache-2.0\","
                           "\"identifier\":\"Apache-2.0\"}}"));
    json_name(&w, "servers");
    json_put_raw(&w, SLICE_LIT("[{\"url\":\"/\",\"description\":\"this node\"}]"));
    json_name(&w, "security");
    json_put_raw(&w, SLICE_LIT("[{\"token\":[]}]"));
    json_name(&w, "tags");
    json_put_raw(
        &w, SLICE_LIT("[{\"name\":\"topics\",\"description\":\"Topics and their contracts\"},"
                      "{\"name\":\"teams\",\"description\":\"Who answers for what\"},"
                      "{\"name\":\"producers\",\"description\":\"Who may write, with which keys\"},"
                      "{\"name\":\"policies\",\"description\":\"Rules over contracts\"},"
                      "{\"name\":\"changes\",\"description\":\"Several documents as one change\"},"
                      "{\"name\":\"schemas\",\"description\":\"Payloads against schemas\"},"
                      "{\"name\":\"nodes\",\"description\":\"The cluster's nodes\"},"
                      "{\"name\":\"audit\",\"description\":\"What was changed, what was refused\"},"
                      "{\"name\":\"node\",\"description\":\"The node that answers\"}]"));
    put_paths(x, &w);
    json_name(&w, "components");
    json_put_raw(&w, slice_of(components, sizeof components));
    json_end_object(&w);
}
