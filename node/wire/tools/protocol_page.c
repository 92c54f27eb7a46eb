/* Prints docs/kafka-protocol.md from the tables of the wire room. */
#include "wire/api.h"
#include "wire/describe.h"
#include "wire/error.h"
#include "wire/message.h"

#include <stdio.h>

#define VERSION_MAX 32767

static void print_range(int first, int last)
{
    if (first == last)
        printf("%d", first);
    else
        printf("%d-%d", first, last);
}

static void print_versions(const struct wire_field *f, const struct wire_api *api)
{
    int last = f->last == VERSION_MAX ? api->codec_last : f->last;
    print_range(f->first < api->codec_first ? api->codec_first : f->first, last);
}

static void print_default(const struct wire_field *f, const struct wire_struct *s)
{
    const uint8_t *at = (const uint8_t *)s->dflt + f->offset;
    struct slice text;
    int64_t v = 0;
    if (f->shape != WIRE_SHAPE_ONE || f->type == WIRE_TYPE_STRUCT || f->type == WIRE_TYPE_UUID) {
        printf("%s", f->shape == WIRE_SHAPE_POINTER ? "null" : "");
        return;
    }
    switch (f->type) {
    case WIRE_TYPE_BOOL:
        printf("%s", *at ? "true" : "false");
        return;
    case WIRE_TYPE_INT8:
        v = (int8_t)*at;
        break;
    case WIRE_TYPE_INT16: {
        int16_t small;
        memcpy(&small, at, sizeof(small));
        v = small;
        break;
    }
    case WIRE_TYPE_INT32: {
        int32_t middle;
        memcpy(&middle, at, sizeof(middle));
        v = middle;
        break;
    }
    case WIRE_TYPE_INT64:
        memcpy(&v, at, sizeof(v));
        break;
    default:
        memcpy(&text, at, sizeof(text));
        printf("%s", text.p ? "empty" : "null");
        return;
    }
    printf("%lld", (long long)v);
}

static void print_fields(const struct wire_struct *s, const struct wire_api *api, int depth)
{
    static const char indent[] = "· · · · · · · · ";
    for (size_t i = 0; i < s->fields_n; i++) {
        const struct wire_field *f = &s->field[i];
        if (f->first > api->codec_last || f->last < api->codec_first)
            continue;
        printf("| %.*s`%s` | %s%s | ", depth * 3, indent, f->name,
               f->shape == WIRE_SHAPE_MANY ? "array of " : "", wire_type_name(f->type));
        print_versions(f, api);
        printf(" | ");
        if (f->null_first <= api->codec_last && f->null_first <= f->last)
            printf("%d+", f->null_first > f->first ? f->null_first : f->first);
        printf(" | ");
        if (f->tag >= 0)
            printf("%d", f->tag);
        printf(" | ");
        print_default(f, s);
        printf(" | %s |\n", f->about);
        if (f->type == WIRE_TYPE_STRUCT)
            print_fields(f->object(), api, depth + 1);
    }
}

static void print_message(const char *what, const struct wire_struct *s, const struct wire_api *api)
{
    printf("\n### %s %s\n%s `struct wire_%s`\n", api->name, what, s->about, s->name);
    if (s->fields_n == 0)
        return;
    printf(
        "\n| field | type | versions | null | tag | default | |\n|---|---|---|---|---|---|---|\n");
    print_fields(s, api, 0);
}

static void print_apis(void)
{
    printf("| key | API | advertised | served | flexible from | described here |\n"
           "|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < wire_apis_n; i++) {
        const struct wire_api *api = &wire_api[i];
        printf("| %d | %s | ", api->key, api->name);
        print_range(api->first, api->last);
        printf(" | ");
        print_range(api->served_first, api->last);
        printf(" | %d | ", api->flexible_first);
        print_range(api->codec_first, api->codec_last);
        printf(" |\n");
    }
}

int main(void)
{
    printf("<!-- Made from node/wire/def by wire_protocol_page. Do not edit. -->\n"
           "# The Kafka protocol, as Writ speaks it\n"
           "What each message holds, version by version. The same declarations (`node/wire/def`) "
           "give the structs, the codecs and the seeds of the fuzzers. Field names are those of "
           "Kafka's message definitions in snake case.\n\n"
           "A frame is a 4-byte length, a header and a body. *Advertised* is what ApiVersions "
           "tells; versions that are advertised and not served are answered with error 35 "
           "(UNSUPPORTED_VERSION). *Null*: the version from which the field may be null. *Tag*: "
           "the field stands among the tagged fields, and is left out when it has its default.\n\n"
           "## APIs\n");
    print_apis();
    printf("\n## Messages\n");
    for (size_t i = 0; i < wire_apis_n; i++) {
        print_message("request", wire_describe(wire_api[i].key, false), &wire_api[i]);
        print_message("response", wire_describe(wire_api[i].key, true), &wire_api[i]);
    }
    printf("\n## Error codes\n| code | name | clients retry |\n|---|---|---|\n");
#define ERROR(code, name, retriable)                                                               \
    printf("| %d | %s | %s |\n", code, #name, (retriable) ? "yes" : "");
#include "wire/error.def"
    return 0;
}
