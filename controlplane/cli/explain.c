/* explain TOPIC FILE: every rule's result for one record, without writing it. */
#include "cli/record.h"

#include "base/codec.h"

static const char *text_of(const cJSON *object, const char *name)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
    return text != NULL ? text : "";
}

static void put_bytes(struct json_writer *w, const char *name, struct slice s)
{
    struct bytes text = {0};
    json_name(w, name);
    base64_add(&text, s);
    json_put_string(w, bytes_slice(&text));
    bytes_free(&text);
}

static int make_request(struct cli *c, struct bytes *body)
{
    struct record rec;
    struct bytes value = {0};
    struct err err = {0};
    struct json_writer w;
    int rc = record_take(c, &rec);
    if (rc != 0)
        return rc;
    if (file_read(c->argument[1], CLI_FILE_MAX_BYTES / 2, &value, &err) != 0) {
        bytes_free(&value);
        return cli_fail(CLI_USAGE, "%s", err.msg);
    }
    json_writer_init(&w, body);
    json_begin_object(&w);
    put_bytes(&w, "value_base64", bytes_slice(&value));
    if (rec.r.key.p != NULL)
        put_bytes(&w, "key_base64", rec.r.key);
    json_name(&w, "headers");
    json_begin_object(&w);
    for (size_t i = 0; i < rec.r.headers_n; i++) {
        for (size_t k = 0; k < i && rc == 0; k++) {
            if (slice_eq(rec.header[k].name, rec.header[i].name))
                rc = cli_usage(c, "--header %.*s is given twice", SLICE_FMT(rec.header[i].name));
        }
        json_name_slice(&w, rec.header[i].name);
        json_put_string(&w, rec.header[i].value);
    }
    json_end_object(&w);
    if (cli_value(c, "principal") != NULL) {
        json_name(&w, "principal");
        json_put_cstr(&w, cli_value(c, "principal"));
    }
    json_end_object(&w);
    bytes_free(&value);
    return rc;
}

static void print_steps(const cJSON *json)
{
    const cJSON *step;
    cJSON_ArrayForEach(step, cJSON_GetObjectItemCaseSensitive(json, "steps"))
    {
        const cJSON *verdict = cJSON_GetObjectItemCaseSensitive(step, "verdict");
        const char *note =
            cJSON_IsObject(verdict) ? text_of(verdict, "text") : text_of(step, "note");
        (void)printf("%-6s %-20s %s\n", text_of(step, "outcome"), text_of(step, "rule"), note);
    }
    const cJSON *verdict = cJSON_GetObjectItemCaseSensitive(json, "verdict");
    if (cJSON_IsObject(verdict))
        (void)printf("\nrefused: %s\nremedy:  %s\n", text_of(verdict, "text"),
                     text_of(verdict, "remedy"));
    else
        (void)printf("\naccepted\n");
}

int cli_explain(struct cli *c)
{
    struct bytes path = {0}, body = {0};
    struct answer a = {0};
    int rc = make_request(c, &body);
    bytes_add_str(&path, "/v1/topics");
    path_add(&path, c->argument[0]);
    bytes_add_str(&path, "/explain");
    if (rc == 0)
        rc = answer_get(c, "POST", bytes_cstr(&path), &body, &a);
    if (rc == 0) {
        if (c->format == CLI_TABLE)
            print_steps(a.json);
        else
            rc = output_value(c, bytes_slice(&a.body));
        if (!cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(a.json, "accepted")))
            rc = CLI_REFUSED;
    }
    answer_free(&a);
    bytes_free(&path);
    bytes_free(&body);
    return rc;
}
