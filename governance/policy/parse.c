/* A document's JSON -> struct, driven by the field tables. Every field of a table is set exactly
 * once: from the document, or from its default. */
#include "policy/parse.h"

#include "base/check.h"
#include "base/codec.h"
#include "base/mem.h"

#include <stdio.h>

/* The part of path below the group: path "value.format", group "value" -> "format"; NULL when the
 * field is not directly there. */
static const char *leaf_in(const char *path, const char *group, size_t group_n)
{
    if (group_n > 0) {
        if (strncmp(path, group, group_n) != 0 || path[group_n] != '.')
            return NULL;
        path += group_n + 1;
    }
    return path;
}

static void unknown_field(struct parse *p, const struct field_table *t, const char *group,
                          const char *pointer, struct slice name)
{
    if (p->errors->n == DOCUMENT_ERRORS_MAX)
        return; /* no name is looked for that nobody would read */
    const char *best = "kind";
    size_t best_n = 4;
    unsigned least = group[0] == '\0' ? text_distance(name, SLICE_LIT("kind")) : UINT32_MAX;
    for (size_t i = 0; i < t->n; i++) {
        const char *path = t->field[i].path;
        const char *leaf = leaf_in(path, group, strlen(group));
        if (leaf == NULL || t->field[i].type == FIELD_NOT_BUILT)
            continue;
        const char *dot = strchr(leaf, '.');
        size_t n = dot != NULL ? (size_t)(dot - leaf) : strlen(leaf);
        unsigned d = text_distance(name, slice_of(leaf, n));
        if (d < least) {
            least = d;
            best = leaf;
            best_n = n;
        }
    }
    /* Right name, wrong place: "schema" beside "value" rather than in it. */
    for (size_t i = 0; least > 1 && i < t->n; i++) {
        const char *path = t->field[i].path;
        const char *dot = strrchr(path, '.');
        if (slice_eq_str(name, dot != NULL ? dot + 1 : path)) {
            best = path;
            best_n = strlen(path);
            break;
        }
    }
    document_errors_add(p->errors, "field.unknown", pointer,
                        "%s has no field \"%.*s\"; did you mean \"%.*s\"?", t->title,
                        (int)(name.n < 60 ? name.n : 60), (const char *)name.p, (int)best_n, best);
}

enum { NOT_A_FIELD = -1, IS_A_GROUP = -2 };

static int field_find(const struct field_table *t, const char *group, struct slice name)
{
    for (size_t i = 0; i < t->n; i++) {
        const char *leaf = leaf_in(t->field[i].path, group, strlen(group));
        if (leaf == NULL)
            continue;
        if (slice_eq_str(name, leaf) && strchr(leaf, '.') == NULL)
            return (int)i;
        if (group[0] == '\0' && strncmp(leaf, (const char *)name.p, name.n) == 0 &&
            leaf[name.n] == '.')
            return IS_A_GROUP;
    }
    return NOT_A_FIELD;
}

static void parse_members(struct parse *p, const struct field_table *t, void *base, uint32_t node,
                          const char *group, const char *pointer, uint64_t *seen)
{
    for (uint32_t i = json_first(p->doc, node); i != JSON_NONE;
         i = json_sibling(p->doc, node, p->doc->node[i].next)) {
        struct slice name = json_string(p->doc, i, p->arena);
        uint32_t value = p->doc->node[i].next;
        char at[POINTER_MAX];
        pointer_child(at, pointer, name);
        if (group[0] == '\0' && slice_eq_str(name, "kind") && t != field_table_keys())
            continue;
        /* A NUL inside the name would end the comparison early. */
        int found = memchr(name.p, 0, name.n) != NULL || name.n == 0 ? NOT_A_FIELD
                                                                     : field_find(t, group, name);
        if (found == NOT_A_FIELD) {
            unknown_field(p, t, group, at, name);
        } else if (found != IS_A_GROUP) {
            *seen |= UINT64_C(1) << found;
            parse_set_field(p, &t->field[found], base, at, value);
        } else if (json_type(p->doc, value) == JSON_OBJECT) {
            char inner[32];
            ASSERT(name.n < sizeof inner);
            (void)snprintf(inner, sizeof inner, "%.*s", SLICE_FMT(name));
            parse_members(p, t, base, value, inner, at, seen);
        } else if (json_type(p->doc, value) != JSON_NULL) {
            parse_invalid(p, at, "must be a map");
        }
    }
}

static void pointer_of_path(char out[POINTER_MAX], const char *base, const char *path)
{
    const char *dot = strchr(path, '.');
    if (dot == NULL) {
        pointer_child(out, base, slice_str(path));
        return;
    }
    char group[POINTER_MAX];
    pointer_child(group, base, slice_of(path, (size_t)(dot - path)));
    pointer_child(out, group, slice_str(dot + 1));
}

void parse_fields(struct parse *p, const struct field_table *t, void *base, uint32_t node,
                  const char *pointer)
{
    uint64_t seen = 0;
    for (size_t i = 0; i < t->n; i++) {
        if (t->field[i].standard != NULL)
            parse_set_default(p, &t->field[i], base);
    }
    parse_members(p, t, base, node, "", pointer, &seen);
    for (size_t i = 0; i < t->n; i++) {
        const struct field *f = &t->field[i];
        if ((seen & (UINT64_C(1) << i)) != 0 || f->standard != NULL || f->type == FIELD_NOT_BUILT)
            continue;
        char at[POINTER_MAX];
        pointer_of_path(at, pointer, f->path);
        document_errors_add(p->errors, "field.missing", at, "\"%s\" is required", f->path);
    }
}

static void check_topic(struct parse *p, const struct contract *c)
{
    bool has_schema = c->value.schema_text.n > 0;
    if (c->value.format == SCHEMA_JSON && !has_schema)
        document_errors_add(p->errors, "field.missing", "/value/schema",
                            "format json needs a schema");
    if (c->value.format == SCHEMA_BYTES && has_schema)
        parse_invalid(p, "/value/schema",
                      "format bytes has no schema; leave it out or use format json");
    if (c->min_insync_replicas > c->replicas)
        document_errors_add(p->errors, "value.invalid", "/min_insync_replicas",
                            "is %d, more than the %d replicas", c->min_insync_replicas,
                            c->replicas);
}

static void check_producer(struct parse *p, const struct producer *producer)
{
    for (size_t i = 0; i < producer->topics.n; i++) {
        struct slice name = producer->topics.item[i];
        char at[POINTER_MAX];
        pointer_item(at, "/topics", (uint32_t)i);
        struct slice stem = name;
        if (stem.p[stem.n - 1] == '*')
            stem.n--;
        if (stem.n > 0 && !field_name_valid(stem))
            parse_invalid(p, at, "must be a topic name, or a prefix that ends in *");
    }
}

static void check_policy(struct parse *p, const struct policy *policy)
{
    if (policy->prefix.n > 0 && !field_name_valid(policy->prefix))
        parse_invalid(p, "/prefix", "must be the beginning of a topic name, without *");
    for (size_t i = 0; i < policy->required_fields.n; i++) {
        char at[POINTER_MAX];
        pointer_item(at, "/required", (uint32_t)i);
        if (policy->required_fields.item[i].p[0] != '/')
            parse_invalid(p, at, "must be a JSON Pointer such as /description");
    }
    if (policy->retention_min_ms >= 0 && policy->retention_max_ms >= 0 &&
        policy->retention_min_ms > policy->retention_max_ms)
        parse_invalid(p, "/retention", "min is longer than max");
}

bool document_kind_parse(struct slice name, enum document_kind *out)
{
    for (unsigned k = 0; k < DOCUMENT_KINDS; k++) {
        if (slice_eq_str(name, document_kind_name((enum document_kind)k))) {
            *out = (enum document_kind)k;
            return true;
        }
    }
    return false;
}

static bool parse_kind(struct parse *p, uint32_t node, enum document_kind *kind)
{
    if (json_type(p->doc, node) != JSON_OBJECT) {
        parse_invalid(p, "", "a document must be a map with kind and name");
        return false;
    }
    uint32_t member = json_get(p->doc, node, "kind");
    if (member == JSON_NONE) {
        document_errors_add(p->errors, "field.missing", "/kind",
                            "\"kind\" is required: Topic, Team, Producer or Policy");
        return false;
    }
    if (json_type(p->doc, member) != JSON_STRING) {
        parse_invalid(p, "/kind", "must be Topic, Team, Producer or Policy");
        return false;
    }
    struct slice name = json_string(p->doc, member, p->arena);
    if (document_kind_parse(name, kind))
        return true;
    const char *nearest = NULL;
    unsigned least = UINT32_MAX;
    for (unsigned k = 0; k < DOCUMENT_KINDS; k++) {
        const char *known = document_kind_name((enum document_kind)k);
        unsigned d = text_distance(name, slice_str(known));
        if (d < least) {
            least = d;
            nearest = known;
        }
    }
    document_errors_add(p->errors, "kind.unknown", "/kind",
                        "no kind \"%.*s\"; did you mean \"%s\"? (Topic, Team, Producer, Policy)",
                        (int)(name.n < 60 ? name.n : 60), (const char *)name.p, nearest);
    return false;
}

static void check_document(struct parse *p, struct document *d)
{
    switch (d->kind) {
    case DOCUMENT_TOPIC:
        d->name = d->topic.name;
        check_topic(p, &d->topic);
        break;
    case DOCUMENT_TEAM:
        d->name = d->team.name;
        break;
    case DOCUMENT_PRODUCER:
        d->name = d->producer.name;
        check_producer(p, &d->producer);
        break;
    case DOCUMENT_POLICY:
        d->name = d->policy.name;
        check_policy(p, &d->policy);
        break;
    }
}

struct document *document_parse(const struct json_doc *doc, uint32_t node,
                                struct document_errors *errors)
{
    /* Errors of its own, so that a full list of the caller's cannot hide one. */
    struct document_errors own = {0};
    struct document *d = MEM_NEW(struct document);
    arena_init(&d->arena, 0);
    struct parse p = {doc, &d->arena, &own};
    if (parse_kind(&p, node, &d->kind)) {
        parse_fields(&p, field_table_of(d->kind), &d->topic, node, "");
        if (own.n == 0)
            check_document(&p, d);
    }
    if (own.n > 0) {
        for (size_t i = 0; i < own.n; i++)
            document_errors_add(errors, own.item[i].code, own.item[i].pointer, "%s",
                                own.item[i].detail);
        document_free(d);
        d = NULL;
    }
    document_errors_free(&own);
    return d;
}

void document_free(struct document *d)
{
    if (d == NULL)
        return;
    arena_free(&d->arena);
    mem_free(d);
}
