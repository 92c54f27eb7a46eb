/* Calls of the admin API and what they say. Answers are read with cJSON where people look at them;
 * what programs get (-o json, yaml) stays the node's own text, so 64-bit numbers stay exact. */
#include "cli/context.h"
#include "cli/internal.h"

#include <strings.h>

static cJSON *parse(const struct bytes *body)
{
    const char *end = NULL;
    cJSON *json = cJSON_ParseWithLengthOpts((const char *)body->p, body->n, &end, 0);
    /* cJSON stops at the value's end: only white space may follow. */
    for (; json != NULL && end < (const char *)body->p + body->n; end++) {
        if (*end != ' ' && *end != '\n' && *end != '\r' && *end != '\t') {
            cJSON_Delete(json);
            return NULL;
        }
    }
    return json;
}

void answer_free(struct answer *a)
{
    cJSON_Delete(a->json);
    bytes_free(&a->body);
    *a = (struct answer){0};
}

int answer_any(const struct cli *c, const char *method, const char *path, const struct bytes *body,
               struct answer *out)
{
    struct client_target target;
    struct err err = {0};
    *out = (struct answer){0};
    int rc = context_target(c, &target);
    if (rc != 0)
        return rc;
    rc = client_call(&target, method, path, body, &out->status, &out->body, &err);
    if (rc == ERR_UNAVAILABLE)
        return cli_fail(CLI_UNREACHABLE,
                        "%s\nIs the node running? Name it with --server http://HOST:PORT, or set "
                        "WRIT_SERVER.",
                        err.msg);
    if (rc != 0)
        return cli_fail(CLI_UNREACHABLE, "%s", err.msg);
    if (out->body.n > 0)
        out->json = parse(&out->body);
    return 0;
}

static const char *text_of(const cJSON *object, const char *name)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
    return text != NULL ? text : "";
}

int answer_tell(const struct answer *a)
{
    const char *detail = text_of(a->json, "detail"), *code = text_of(a->json, "code");
    if (a->status == 401)
        return cli_fail(CLI_REFUSED,
                        "%s\nThe token is in the node's data folder: --token-file DATA/token, "
                        "--data DATA, or WRIT_TOKEN.",
                        detail[0] != '\0' ? detail : "a token is needed");
    if (a->json == NULL || detail[0] == '\0')
        return cli_fail(a->status >= 500 ? CLI_UNREACHABLE : CLI_REFUSED,
                        "the node answered %d without a reason", a->status);
    (void)fprintf(stderr, "writ: %s (%s)\n", detail, code);
    const cJSON *e;
    cJSON_ArrayForEach(e, cJSON_GetObjectItemCaseSensitive(a->json, "errors"))
    {
        const char *pointer = text_of(e, "pointer");
        (void)fprintf(stderr, "  %s%s%s (%s)\n", pointer, pointer[0] != '\0' ? ": " : "",
                      text_of(e, "detail"), text_of(e, "code"));
    }
    return a->status == 503 ? CLI_UNREACHABLE : CLI_REFUSED;
}

int answer_get(const struct cli *c, const char *method, const char *path, const struct bytes *body,
               struct answer *out)
{
    int rc = answer_any(c, method, path, body, out);
    if (rc != 0)
        return rc;
    if (out->status < 200 || out->status > 299)
        return answer_tell(out);
    if (out->status != 204 && out->json == NULL)
        return cli_fail(CLI_UNREACHABLE, "the answer is not JSON: is this Writ's admin address?");
    return 0;
}

/* The items of one page, as the node wrote them; *next is the cursor, or "". */
static bool take_page(const struct answer *a, struct bytes *items, struct bytes *next)
{
    struct json_doc doc = {0};
    struct arena arena;
    arena_init(&arena, 0);
    bytes_clear(next);
    bool ok = json_parse(&doc, bytes_slice(&a->body), NULL, NULL) == 0 &&
              json_type(&doc, 0) == JSON_OBJECT;
    uint32_t list = ok ? json_get(&doc, 0, "items") : JSON_NONE;
    ok = ok && json_type(&doc, list) == JSON_ARRAY;
    for (uint32_t i = ok ? json_first(&doc, list) : JSON_NONE; i != JSON_NONE;
         i = json_sibling(&doc, list, i)) {
        if (items->n > 1)
            bytes_add_u8(items, ',');
        bytes_add_slice(items, json_raw(&doc, i));
    }
    uint32_t cursor = ok ? json_get(&doc, 0, "next") : JSON_NONE;
    if (json_type(&doc, cursor) == JSON_STRING)
        bytes_add_slice(next, json_string(&doc, cursor, &arena));
    arena_free(&arena);
    json_free(&doc);
    return ok;
}

int answer_list(const struct cli *c, const char *path, struct bytes *items)
{
    struct bytes next = {0};
    int rc = 0;
    bytes_clear(items);
    bytes_add_u8(items, '[');
    for (unsigned page = 0; page < CLI_PAGES_MAX; page++) {
        struct bytes at = {0};
        struct answer a;
        bytes_add_str(&at, path);
        if (next.n > 0)
            query_add(&at, "cursor", bytes_cstr(&next));
        rc = answer_get(c, "GET", bytes_cstr(&at), NULL, &a);
        if (rc == 0 && !take_page(&a, items, &next))
            rc = cli_fail(CLI_UNREACHABLE, "the answer is no list: is this Writ's admin address?");
        answer_free(&a);
        bytes_free(&at);
        if (rc != 0 || next.n == 0)
            break;
    }
    bytes_add_u8(items, ']');
    bytes_free(&next);
    return rc;
}

static void percent_encode(struct bytes *out, const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char ch = (unsigned char)*text;
        if ((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
            strchr("-._~", ch) != NULL)
            bytes_add_u8(out, ch);
        else
            bytes_printf(out, "%%%02X", ch);
    }
}

void path_add(struct bytes *path, const char *text)
{
    bytes_add_u8(path, '/');
    percent_encode(path, text);
}

void query_add(struct bytes *path, const char *name, const char *value)
{
    if (value == NULL)
        return;
    bytes_printf(path, "%c%s=", memchr(path->p, '?', path->n) != NULL ? '&' : '?', name);
    percent_encode(path, value);
}
