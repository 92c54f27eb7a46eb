#include "cli/internal.h"

#include "base/codec.h"

static void put_number(const cJSON *v, struct bytes *out)
{
    if (v->valuedouble == (double)(int64_t)v->valuedouble)
        bytes_printf(out, "%lld", (long long)v->valuedouble);
    else
        bytes_printf(out, "%g", v->valuedouble);
}

/* Terminals obey control characters; a name or a reason must not. */
static void put_text(const char *text, struct bytes *out)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7F)
            bytes_printf(out, "\\x%02x", (unsigned char)*text);
        else
            bytes_add_u8(out, (uint8_t)*text);
    }
}

static void put_cell(const cJSON *v, struct bytes *out)
{
    const cJSON *item;
    size_t before = out->n;
    if (cJSON_IsString(v))
        put_text(v->valuestring, out);
    else if (cJSON_IsNumber(v))
        put_number(v, out);
    else if (cJSON_IsBool(v))
        bytes_add_str(out, cJSON_IsTrue(v) ? "yes" : "no");
    else if (cJSON_IsArray(v))
        cJSON_ArrayForEach(item, v)
        {
            bytes_add_str(out, out->n > before ? "," : "");
            put_cell(item, out);
        }
    if (out->n == before)
        bytes_add_u8(out, '-');
}

void output_cell(const cJSON *item, const char *path, struct bytes *out)
{
    char name[64];
    while (*path != '\0') {
        size_t n = strcspn(path, ".");
        (void)snprintf(name, sizeof name, "%.*s", (int)n, path);
        item = cJSON_GetObjectItemCaseSensitive(item, name);
        path += n + (path[n] == '.');
    }
    put_cell(item, out);
}

static size_t width_of(const struct bytes *cell)
{
    return utf8_valid(bytes_slice(cell)) ? utf8_length(bytes_slice(cell)) : cell->n;
}

static void put_row(const cJSON *item, const struct column *columns, size_t n, const size_t *width)
{
    struct bytes cell = {0};
    for (size_t k = 0; k < n; k++) {
        bytes_clear(&cell);
        output_cell(item, columns[k].path, &cell);
        int pad = k + 1 < n ? (int)(width[k] - width_of(&cell)) + 2 : 0;
        (void)printf("%.*s%*s", SLICE_FMT(bytes_slice(&cell)), pad, "");
    }
    (void)putchar('\n');
    bytes_free(&cell);
}

void output_table(const cJSON *items, const struct column *columns, size_t n)
{
    size_t width[16];
    struct bytes cell = {0};
    const cJSON *item;
    for (size_t k = 0; k < n; k++) {
        width[k] = strlen(columns[k].title);
        cJSON_ArrayForEach(item, items)
        {
            bytes_clear(&cell);
            output_cell(item, columns[k].path, &cell);
            if (width_of(&cell) > width[k])
                width[k] = width_of(&cell);
        }
    }
    bytes_free(&cell);
    for (size_t k = 0; k < n; k++)
        (void)printf("%s%*s", columns[k].title,
                     k + 1 < n ? (int)(width[k] - strlen(columns[k].title)) + 2 : 0, "");
    (void)putchar('\n');
    cJSON_ArrayForEach(item, items) put_row(item, columns, n, width);
}

int output_value(const struct cli *c, struct slice json)
{
    struct json_doc doc = {0};
    struct json_limits limits = {.max_depth = 128};
    struct bytes out = {0};
    if (c->format == CLI_JSON) {
        (void)printf("%.*s\n", SLICE_FMT(json));
        return CLI_DONE;
    }
    if (json_parse(&doc, json, &limits, NULL) != 0) {
        json_free(&doc);
        return cli_fail(CLI_UNREACHABLE, "the answer is not JSON: is this Writ's admin address?");
    }
    yaml_write(&doc, 0, &out);
    (void)fwrite(out.p, 1, out.n, stdout);
    bytes_free(&out);
    json_free(&doc);
    return CLI_DONE;
}
