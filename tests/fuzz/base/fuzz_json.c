/* What the reader accepts must survive: its tape is consistent, its canonical text is accepted,
 * equal to it, and its own canonical text. */
#include "base/check.h"
#include "base/codec.h"
#include "base/json.h"

static void check_tape(const struct json_doc *doc)
{
    for (uint32_t i = 0; i < doc->n; i++) {
        const struct json_node *n = &doc->node[i];
        ASSERT(n->next > i && n->next <= doc->n);
        ASSERT(n->start <= doc->text.n && n->length <= doc->text.n - n->start);
        if (n->type == JSON_ARRAY || n->type == JSON_OBJECT) {
            uint32_t count = 0;
            for (uint32_t c = json_first(doc, i); c != JSON_NONE; c = json_sibling(doc, i, c))
                count += !doc->node[c].is_name;
            ASSERT(count == n->count);
        }
    }
}

static void check_pointers(const struct json_doc *doc)
{
    struct bytes p = {0};
    for (uint32_t i = 0; i < doc->n && i < 50; i++) {
        bytes_clear(&p);
        json_pointer(doc, i, &p);
        ASSERT(json_at(doc, 0, bytes_slice(&p)) == i + doc->node[i].is_name);
    }
    bytes_free(&p);
}

static void check_strings(const struct json_doc *doc)
{
    struct arena a;
    arena_init(&a, 0);
    for (uint32_t i = 0; i < doc->n; i++) {
        if (doc->node[i].type != JSON_STRING)
            continue;
        struct slice s = json_string(doc, i, &a);
        ASSERT(utf8_valid(s));
        ASSERT(json_string_is(doc, i, s));
    }
    arena_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json_doc doc = {0}, again = {0};
    struct bytes canonical = {0}, twice = {0};
    struct err err;
    struct json_limits limits = {.max_nodes = 100000};
    int rc = json_parse(&doc, slice_of(data, size), &limits, &err);
    if (rc == 0) {
        check_tape(&doc);
        check_pointers(&doc);
        check_strings(&doc);
        ASSERT(json_equal(&doc, 0, &doc, 0));
        json_canonical(&doc, 0, &canonical);
        ASSERT(json_parse(&again, bytes_slice(&canonical), NULL, NULL) == 0);
        ASSERT(json_equal(&doc, 0, &again, 0) && json_equal(&again, 0, &doc, 0));
        json_canonical(&again, 0, &twice);
        ASSERT(slice_eq(bytes_slice(&canonical), bytes_slice(&twice)));
    } else {
        ASSERT(doc.error != NULL && doc.error_offset <= size && err.code == (enum err_code)rc);
    }
    bytes_free(&canonical);
    bytes_free(&twice);
    json_free(&doc);
    json_free(&again);
    return 0;
}
