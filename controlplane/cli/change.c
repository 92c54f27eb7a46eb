/* plan, apply, diff, export, delete. */
#include "cli/documents.h"
#include "cli/internal.h"

#include <stdlib.h>

static const char *text_of(const cJSON *object, const char *name)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
    return text != NULL ? text : "";
}

/* "/documents/3/value/format" -> "orders.yaml:12 /value/format". */
static void put_place(const struct documents *d, const char *pointer, struct bytes *out)
{
    char *end = NULL;
    unsigned long i = d->n;
    if (strncmp(pointer, "/documents/", 11) == 0)
        i = strtoul(pointer + 11, &end, 10);
    if (end == NULL || end == pointer + 11 || i >= d->n) {
        bytes_add_str(out, pointer);
        return;
    }
    bytes_printf(out, "%s:%zu%s%s", d->place[i].file, d->place[i].line, *end != '\0' ? " " : "",
                 end);
}

static void tell_errors(const struct documents *d, const cJSON *errors)
{
    struct bytes place = {0};
    const cJSON *e;
    cJSON_ArrayForEach(e, errors)
    {
        bytes_clear(&place);
        put_place(d, text_of(e, "pointer"), &place);
        (void)fprintf(stderr, "  %s%s%s (%s)\n", bytes_cstr(&place), place.n > 0 ? ": " : "",
                      text_of(e, "detail"), text_of(e, "code"));
    }
    bytes_free(&place);
}

static void put_side(const cJSON *value)
{
    const cJSON *size = cJSON_GetObjectItemCaseSensitive(value, "bytes");
    char *text = NULL;
    if (cJSON_IsObject(value) && cJSON_GetObjectItemCaseSensitive(value, "blake2b") != NULL)
        (void)printf("(%.0f bytes)", cJSON_GetNumberValue(size));
    else if ((text = cJSON_PrintUnformatted(value)) != NULL)
        (void)printf("%.200s%s", text, strlen(text) > 200 ? "..." : "");
    cJSON_free(text);
}

static void print_changes(const cJSON *plan)
{
    const cJSON *change, *field;
    cJSON_ArrayForEach(change, cJSON_GetObjectItemCaseSensitive(plan, "changes"))
    {
        if (strcmp(text_of(change, "action"), "unchanged") == 0)
            continue; /* counted in the summary */
        (void)printf("%s %s %s\n", text_of(change, "action"), text_of(change, "kind"),
                     text_of(change, "name"));
        cJSON_ArrayForEach(field, cJSON_GetObjectItemCaseSensitive(change, "fields"))
        {
            (void)printf("  %s: ", text_of(field, "pointer"));
            put_side(cJSON_GetObjectItemCaseSensitive(field, "old"));
            (void)printf(" -> ");
            put_side(cJSON_GetObjectItemCaseSensitive(field, "new"));
            (void)putchar('\n');
        }
    }
    cJSON_ArrayForEach(change, cJSON_GetObjectItemCaseSensitive(plan, "impact"))
    {
        (void)printf("impact: %s %s: %s\n", text_of(change, "kind"), text_of(change, "name"),
                     text_of(change, "detail"));
    }
}

static double number_of(const cJSON *object, const char *name)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(object, name);
    return cJSON_IsNumber(v) ? v->valuedouble : 0;
}

static void print_summary(const cJSON *plan, bool applied)
{
    const cJSON *s = cJSON_GetObjectItemCaseSensitive(plan, "summary");
    double version = number_of(plan, "version");
    if (!cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(plan, "changed")))
        (void)printf("Nothing to change: the catalogue is as asked (version %.0f).\n", version);
    else if (applied)
        (void)printf("Applied: %.0f created, %.0f updated, %.0f deleted; the catalogue's version "
                     "is %.0f.\n",
                     number_of(s, "created"), number_of(s, "updated"), number_of(s, "deleted"),
                     version);
    else
        (void)printf("%.0f to create, %.0f to update, %.0f to delete, %.0f unchanged (catalogue "
                     "version %.0f).\n",
                     number_of(s, "created"), number_of(s, "updated"), number_of(s, "deleted"),
                     number_of(s, "unchanged"), version);
}

static int make_request(struct cli *c, struct documents *d, struct bytes *body)
{
    struct err err = {0};
    const char *path, *name, *version = cli_value(c, "if-version");
    struct json_writer w;
    if (cli_value(c, "file") == NULL)
        return cli_usage(c, "name a folder or a file with -f");
    if (cli_flag(c, "prune") != (cli_value(c, "scope") != NULL))
        return cli_usage(c, "--prune deletes what the documents do not name, within --scope "
                            "PREFIX: give both");
    if (version != NULL && (version[0] == '\0' || strspn(version, "0123456789") != strlen(version)))
        return cli_usage(c, "--if-version is a number, not %s", version);
    for (size_t i = 0; (path = cli_value_at(c, "file", i)) != NULL; i++) {
        if (documents_add(d, path, &err) != 0)
            return cli_fail(CLI_USAGE, "%s", err.msg);
    }
    json_writer_init(&w, body);
    json_begin_object(&w);
    json_name(&w, "documents");
    json_begin_array(&w);
    json_put_raw(&w, bytes_slice(&d->json));
    json_end_array(&w);
    json_name(&w, "prune");
    json_put_bool(&w, cli_flag(c, "prune"));
    if (cli_flag(c, "prune")) {
        json_name(&w, "scope");
        json_put_cstr(&w, cli_value(c, "scope"));
    }
    json_name(&w, "accept");
    json_begin_array(&w);
    for (size_t i = 0; (name = cli_value_at(c, "accept", i)) != NULL; i++)
        json_put_cstr(&w, name);
    json_end_array(&w);
    if (version != NULL) {
        json_name(&w, "if_version");
        json_put_raw(&w, slice_str(version));
    }
    json_end_object(&w);
    return 0;
}

static int tell_problem(const struct documents *d, const struct answer *a)
{
    const char *detail = text_of(a->json, "detail");
    const cJSON *errors = cJSON_GetObjectItemCaseSensitive(a->json, "errors");
    if (!cJSON_IsArray(errors))
        return answer_tell(a);
    (void)fprintf(stderr, "writ: %s (%s)\n", detail, text_of(a->json, "code"));
    tell_errors(d, errors);
    return CLI_REFUSED;
}

static int tell_plan(struct cli *c, const struct documents *d, const struct answer *a, bool applied)
{
    const cJSON *violations = cJSON_GetObjectItemCaseSensitive(a->json, "violations");
    int rc = cJSON_GetArraySize(violations) > 0 ? CLI_REFUSED : CLI_DONE;
    if (c->format != CLI_TABLE) {
        (void)output_value(c, bytes_slice(&a->body));
        return rc;
    }
    print_changes(a->json);
    if (rc == CLI_DONE) {
        print_summary(a->json, applied);
        return rc;
    }
    (void)fflush(stdout);
    (void)fprintf(stderr, "writ: this would be refused:\n");
    tell_errors(d, violations);
    return rc;
}

static int change(struct cli *c, const char *path, bool applied, struct answer *a)
{
    struct documents d = {0};
    struct bytes body = {0};
    *a = (struct answer){0};
    int rc = make_request(c, &d, &body);
    if (rc == 0)
        rc = answer_any(c, "POST", path, &body, a);
    if (rc == 0 && (a->status < 200 || a->status > 299))
        rc = tell_problem(&d, a);
    else if (rc == 0)
        rc = tell_plan(c, &d, a, applied);
    documents_free(&d);
    bytes_free(&body);
    return rc;
}

int cli_plan(struct cli *c)
{
    struct answer a;
    int rc = change(c, "/v1/plan", false, &a);
    answer_free(&a);
    return rc;
}

int cli_apply(struct cli *c)
{
    struct answer a;
    int rc = change(c, "/v1/apply", true, &a);
    answer_free(&a);
    return rc;
}

int cli_diff(struct cli *c)
{
    struct answer a;
    int rc = change(c, "/v1/plan", false, &a);
    if (rc == CLI_DONE && cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(a.json, "changed")))
        rc = CLI_REFUSED;
    answer_free(&a);
    return rc;
}

/* The documents as a YAML stream, each with its own "---". */
static int print_documents(struct slice json)
{
    struct json_doc doc = {0};
    struct json_limits limits = {.max_depth = 128};
    struct bytes out = {0};
    bool ok = json_parse(&doc, json, &limits, NULL) == 0 && json_type(&doc, 0) == JSON_OBJECT;
    uint32_t list = ok ? json_get(&doc, 0, "documents") : JSON_NONE;
    ok = ok && json_type(&doc, list) == JSON_ARRAY;
    for (uint32_t i = ok ? json_first(&doc, list) : JSON_NONE; i != JSON_NONE;
         i = json_sibling(&doc, list, i)) {
        if (out.n > 0)
            bytes_add_str(&out, "---\n");
        yaml_write(&doc, i, &out);
    }
    (void)fwrite(out.p, 1, out.n, stdout);
    bytes_free(&out);
    json_free(&doc);
    return ok ? CLI_DONE
              : cli_fail(CLI_UNREACHABLE, "the answer is no catalogue: is this Writ's address?");
}

int cli_export(struct cli *c)
{
    struct answer a;
    int rc = answer_get(c, "GET", "/v1/catalogue", NULL, &a);
    if (rc == 0)
        rc = c->format == CLI_JSON ? output_value(c, bytes_slice(&a.body))
                                   : print_documents(bytes_slice(&a.body));
    answer_free(&a);
    return rc;
}
