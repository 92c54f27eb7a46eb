/* Which nodes of the documents are schemas, which URIs and anchors they have, and what a reference
 * means. Only positions that the dialect calls schemas are looked at: an $id inside an enum or an
 * unknown keyword is data. */
#include "json/compile.h"

#include "base/mem.h"

#include <stdio.h>

enum shape { SHAPE_SCHEMA, SHAPE_LIST, SHAPE_MAP, SHAPE_ITEMS, SHAPE_DEPENDENCIES };

static const struct {
    const char *name;
    enum shape shape;
} positions[] = {
    {"$defs", SHAPE_MAP},
    {"definitions", SHAPE_MAP},
    {"properties", SHAPE_MAP},
    {"patternProperties", SHAPE_MAP},
    {"dependentSchemas", SHAPE_MAP},
    {"dependencies", SHAPE_DEPENDENCIES},
    {"items", SHAPE_ITEMS},
    {"prefixItems", SHAPE_LIST},
    {"allOf", SHAPE_LIST},
    {"anyOf", SHAPE_LIST},
    {"oneOf", SHAPE_LIST},
    {"additionalItems", SHAPE_SCHEMA},
    {"additionalProperties", SHAPE_SCHEMA},
    {"contains", SHAPE_SCHEMA},
    {"contentSchema", SHAPE_SCHEMA},
    {"if", SHAPE_SCHEMA},
    {"then", SHAPE_SCHEMA},
    {"else", SHAPE_SCHEMA},
    {"not", SHAPE_SCHEMA},
    {"propertyNames", SHAPE_SCHEMA},
    {"unevaluatedItems", SHAPE_SCHEMA},
    {"unevaluatedProperties", SHAPE_SCHEMA},
};

struct visit {
    uint32_t node;
    uint32_t resource;
};

struct visits {
    struct visit *list;
    uint32_t n, cap;
};

static void push_visit(struct visits *v, const struct json_doc *doc, uint32_t node,
                       uint32_t resource)
{
    enum json_type type = json_type(doc, node);
    if (type != JSON_OBJECT && type != JSON_TRUE && type != JSON_FALSE)
        return; /* not a schema; the compiler refuses it if it matters */
    v->list = compile_grow(v->list, v->n, &v->cap, sizeof *v->list);
    v->list[v->n++] = (struct visit){node, resource};
}

static void push_children(struct visits *v, const struct json_doc *doc, uint32_t node,
                          uint32_t resource)
{
    bool object = json_type(doc, node) == JSON_OBJECT;
    if (!object && json_type(doc, node) != JSON_ARRAY)
        return;
    for (uint32_t i = json_first(doc, node); i != JSON_NONE; i = json_sibling(doc, node, i))
        if (!doc->node[i].is_name)
            push_visit(v, doc, i, resource);
}

static void push_subschemas(struct visits *v, const struct json_doc *doc, uint32_t node,
                            uint32_t resource)
{
    for (size_t i = 0; i < sizeof positions / sizeof *positions; i++) {
        uint32_t value = json_get(doc, node, positions[i].name);
        if (value == JSON_NONE)
            continue;
        enum json_type type = json_type(doc, value);
        switch (positions[i].shape) {
        case SHAPE_SCHEMA:
            push_visit(v, doc, value, resource);
            break;
        case SHAPE_LIST:
            if (type == JSON_ARRAY)
                push_children(v, doc, value, resource);
            break;
        case SHAPE_MAP:
        case SHAPE_DEPENDENCIES:
            if (type == JSON_OBJECT)
                push_children(v, doc, value, resource);
            break;
        case SHAPE_ITEMS:
            if (type == JSON_ARRAY)
                push_children(v, doc, value, resource);
            else
                push_visit(v, doc, value, resource);
            break;
        }
    }
}

enum json_dialect dialect_of(struct slice uri)
{
    static const struct {
        const char *tail;
        enum json_dialect dialect;
    } known[] = {
        {"json-schema.org/draft-04/schema", JSON_DRAFT_4},
        {"json-schema.org/draft-06/schema", JSON_DRAFT_6},
        {"json-schema.org/draft-07/schema", JSON_DRAFT_7},
        {"json-schema.org/draft/2019-09/schema", JSON_DRAFT_2019},
        {"json-schema.org/draft/2020-12/schema", JSON_DRAFT_2020},
    };
    if (slice_starts(uri, SLICE_LIT("https://")))
        uri = slice_of(uri.p + 8, uri.n - 8);
    else if (slice_starts(uri, SLICE_LIT("http://")))
        uri = slice_of(uri.p + 7, uri.n - 7);
    else
        return JSON_DIALECT_DEFAULT;
    if (uri.n > 0 && uri.p[uri.n - 1] == '#')
        uri.n--;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (slice_eq_str(uri, known[i].tail))
            return known[i].dialect;
    return JSON_DIALECT_DEFAULT;
}

/* Whether the vocabulary of that name, of whichever draft, is listed. */
static bool has_vocabulary(const struct json_doc *doc, uint32_t list, const char *name)
{
    static const char *const bases[] = {"https://json-schema.org/draft/2019-09/vocab/",
                                        "https://json-schema.org/draft/2020-12/vocab/"};
    for (size_t i = 0; i < sizeof bases / sizeof *bases; i++) {
        char uri[128];
        snprintf(uri, sizeof uri, "%s%s", bases[i], name);
        if (json_get(doc, list, uri) != JSON_NONE)
            return true;
    }
    return false;
}

/* A metaschema among the references: its dialect, and whether it has the assertions. */
static bool custom_dialect(struct compiler *c, struct slice uri, struct resource *r)
{
    struct slice without, fragment;
    uri_split(uri, &without, &fragment);
    for (uint32_t i = 1; i < c->documents_n; i++) {
        const struct document *d = &c->documents[i];
        uint32_t id = json_get(&d->doc, 0, "$id");
        if (!slice_eq(d->name, without) && !json_string_is(&d->doc, id, without))
            continue;
        uint32_t schema = json_get(&d->doc, 0, "$schema");
        enum json_dialect dialect = dialect_of(json_string(&d->doc, schema, &c->arena));
        if (dialect == JSON_DIALECT_DEFAULT)
            return false;
        r->dialect = dialect;
        uint32_t vocabulary = json_get(&d->doc, 0, "$vocabulary");
        if (json_type(&d->doc, vocabulary) == JSON_OBJECT) {
            r->validation = has_vocabulary(&d->doc, vocabulary, "validation");
            r->formats |= has_vocabulary(&d->doc, vocabulary, "format-assertion");
        }
        return true;
    }
    return false;
}

static bool choose_dialect(struct compiler *c, const struct document *d, uint32_t node,
                           struct resource *r)
{
    uint32_t schema = json_get(&d->doc, node, "$schema");
    if (schema == JSON_NONE)
        return true;
    struct slice uri = json_string(&d->doc, schema, &c->arena);
    enum json_dialect dialect = dialect_of(uri);
    r->guessed = false;
    r->validation = true;
    if (dialect != JSON_DIALECT_DEFAULT)
        r->dialect = dialect;
    else if (!custom_dialect(c, uri, r))
        return compile_fail(c, ERR_INVALID, r->document, schema, "$schema",
                            "names no known dialect; draft-07 and 2020-12 are");
    return true;
}

static bool register_uri(struct compiler *c, struct slice uri, uint32_t resource)
{
    uintptr_t number = (uintptr_t)map_get(&c->by_uri, uri);
    if (number != 0) {
        const struct resource *old = c->resources[number - 1];
        const struct resource *r = c->resources[resource];
        if (old->document == r->document && old->node != r->node)
            return compile_fail(c, ERR_INVALID, r->document, r->node, "$id",
                                "two subschemas have one $id");
        return true; /* the schema's own come first, then references in their order */
    }
    map_put(&c->by_uri, uri, (void *)(uintptr_t)(resource + 1));
    return true;
}

static bool new_resource(struct compiler *c, struct resource r, uint32_t *out)
{
    c->resources = compile_grow(c->resources, c->resources_n, &c->resources_cap, sizeof(void *));
    struct resource *copy = arena_alloc(&c->arena, sizeof *copy);
    *copy = r;
    copy->index = *out = c->resources_n;
    c->resources[c->resources_n++] = copy;
    return register_uri(c, r.uri, *out);
}

static struct slice anchor_key(struct compiler *c, uint32_t resource, struct slice name)
{
    uint8_t *p = arena_alloc(&c->arena, 4 + name.n);
    memcpy(p, &resource, 4);
    memcpy(p + 4, name.p, name.n);
    return slice_of(p, 4 + name.n);
}

static uint32_t dynamic_name(struct compiler *c, struct slice name)
{
    uintptr_t number = (uintptr_t)map_get(&c->dynamic_names, name);
    if (number == 0) {
        number = c->dynamic_names.n + 1;
        map_put(&c->dynamic_names, name, (void *)number);
    }
    return (uint32_t)number - 1;
}

static bool add_anchor(struct compiler *c, uint32_t resource, uint32_t node, struct slice name,
                       bool dynamic)
{
    struct slice key = anchor_key(c, resource, name);
    struct anchor *a = map_get(&c->by_anchor, key);
    if (a != NULL && a->node != node)
        return compile_fail(c, ERR_INVALID, c->resources[resource]->document, node, "$anchor",
                            "two subschemas have one anchor");
    if (a == NULL) {
        a = arena_zalloc(&c->arena, 1, sizeof *a);
        *a = (struct anchor){.resource = resource, .node = node};
        map_put(&c->by_anchor, key, a);
    }
    if (dynamic && !a->dynamic) {
        a->dynamic = true;
        a->name = dynamic_name(c, name);
        c->dynamic = compile_grow(c->dynamic, c->dynamic_n, &c->dynamic_cap, sizeof(void *));
        c->dynamic[c->dynamic_n++] = a;
    }
    return true;
}

static bool read_anchor(struct compiler *c, uint32_t document, uint32_t node, uint32_t resource,
                        const char *name, bool dynamic)
{
    const struct json_doc *doc = &c->documents[document].doc;
    uint32_t value = json_get(doc, node, name);
    if (value == JSON_NONE)
        return true;
    struct slice text = json_string(doc, value, &c->arena);
    if (text.n == 0 || memchr(text.p, '#', text.n) || text.p[0] == '/')
        return compile_fail(c, ERR_INVALID, document, value, name, "must be a plain name");
    return add_anchor(c, resource, node, text, dynamic);
}

/* The schema's $id; *resource becomes its own when it has one. */
static bool read_id(struct compiler *c, uint32_t document, uint32_t node, uint32_t *resource)
{
    const struct document *d = &c->documents[document];
    struct resource r = *c->resources[*resource];
    if (r.node != node && !choose_dialect(c, d, node, &r))
        return false;
    const char *name = r.dialect == JSON_DRAFT_4 ? "id" : "$id";
    uint32_t id = json_get(&d->doc, node, name);
    if (id == JSON_NONE)
        return true;
    if (r.dialect <= JSON_DRAFT_7 && json_get(&d->doc, node, "$ref") != JSON_NONE)
        return true; /* siblings of $ref are ignored */
    if (json_type(&d->doc, id) != JSON_STRING)
        return compile_fail(c, ERR_INVALID, document, id, name, "must be a string");
    struct slice text = json_string(&d->doc, id, &c->arena);
    struct slice without, fragment;
    uri_split(text, &without, &fragment);
    if (fragment.n > 0 && r.dialect > JSON_DRAFT_7)
        return compile_fail(c, ERR_INVALID, document, id, name, "must not have a fragment");
    if (without.n > 0) {
        struct slice uri = uri_resolve(r.uri, without, &c->arena);
        if (r.node == node) { /* a document's root: its name stays valid beside */
            c->resources[*resource]->uri = uri;
            if (!register_uri(c, uri, *resource))
                return false;
        } else {
            r.node = node;
            r.document = document;
            r.uri = uri;
            if (!new_resource(c, r, resource))
                return false;
        }
    }
    if (fragment.n > 0 && fragment.p[0] != '/')
        return add_anchor(c, *resource, node, fragment, false);
    return true;
}

static bool discover_one(struct compiler *c, uint32_t document, uint32_t node, uint32_t *resource)
{
    const struct json_doc *doc = &c->documents[document].doc;
    if (!read_id(c, document, node, resource))
        return false;
    const struct resource *r = c->resources[*resource];
    if (r->dialect <= JSON_DRAFT_7)
        return true;
    if (!read_anchor(c, document, node, *resource, "$anchor", false))
        return false;
    if (r->dialect == JSON_DRAFT_2020)
        return read_anchor(c, document, node, *resource, "$dynamicAnchor", true);
    /* 2019-09: a resource's root may let itself be replaced; its anchor has no name. */
    if (r->node == node && json_type(doc, json_get(doc, node, "$recursiveAnchor")) == JSON_TRUE)
        return add_anchor(c, *resource, node, SLICE_LIT(""), true);
    return true;
}

static bool root_resource(struct compiler *c, uint32_t document, uint32_t *resource)
{
    struct document *d = &c->documents[document];
    struct resource r = {.document = document,
                         .uri = d->name,
                         .validation = true,
                         .formats = c->options->check_formats};
    if (document > 0) { /* a reference without $schema speaks as the schema that names it */
        r.dialect = c->resources[0]->dialect;
        r.guessed = c->resources[0]->guessed;
    } else {
        r.dialect = c->options->dialect ? c->options->dialect : JSON_DRAFT_2020;
        r.guessed = c->options->dialect == JSON_DIALECT_DEFAULT;
    }
    if (json_type(&d->doc, 0) == JSON_OBJECT && !choose_dialect(c, d, 0, &r))
        return false;
    return new_resource(c, r, resource);
}

bool discover(struct compiler *c, uint32_t document, uint32_t node, uint32_t resource)
{
    struct document *d = &c->documents[document];
    struct visits v = {0};
    bool ok = resource != RULE_NONE || root_resource(c, document, &resource);
    if (ok)
        push_visit(&v, &d->doc, node, resource);
    while (ok && v.n > 0) {
        struct visit at = v.list[--v.n];
        if (d->resource_of[at.node] != RULE_NONE)
            continue;
        if (json_type(&d->doc, at.node) == JSON_OBJECT) {
            ok = discover_one(c, document, at.node, &at.resource);
            push_subschemas(&v, &d->doc, at.node, at.resource);
        }
        d->resource_of[at.node] = at.resource;
    }
    mem_free(v.list);
    return ok;
}

/* A pointer may lead into an unknown keyword: then what it means is a schema all the same, with the
 * base of the nearest schema above it. */
static bool discover_target(struct compiler *c, uint32_t document, uint32_t root, uint32_t target)
{
    struct document *d = &c->documents[document];
    if (d->resource_of[target] != RULE_NONE)
        return true;
    uint32_t resource = RULE_NONE;
    uint32_t at = root;
    while (at != target) {
        if (d->resource_of[at] != RULE_NONE)
            resource = d->resource_of[at];
        uint32_t i = at + 1;
        while (d->doc.node[i].is_name || d->doc.node[i].next <= target)
            i = d->doc.node[i].next;
        at = i;
    }
    return discover(c, document, target, resource);
}

static bool find_resource(struct compiler *c, const struct place *at, struct slice without,
                          uint32_t *resource)
{
    if (without.n == 0) {
        *resource = at->resource->index;
        return true;
    }
    struct slice uri = uri_resolve(at->resource->uri, without, &c->arena);
    uintptr_t number = (uintptr_t)map_get(&c->by_uri, uri);
    if (number == 0) /* a reference's name as it was registered */
        number = (uintptr_t)map_get(&c->by_uri, without);
    *resource = (uint32_t)number - 1;
    return number != 0;
}

bool resolve_reference(struct compiler *c, const struct place *at, uint32_t value,
                       uint32_t *document, uint32_t *node, struct anchor **anchor)
{
    *anchor = NULL;
    if (json_type(at->doc, value) != JSON_STRING)
        return compile_fail(c, ERR_INVALID, at->document, value, "$ref", "must be a string");
    struct slice text = json_string(at->doc, value, &c->arena);
    struct slice without, fragment, decoded;
    uint32_t resource;
    uri_split(text, &without, &fragment);
    if (!find_resource(c, at, without, &resource))
        return compile_fail(c, ERR_INVALID, at->document, value, "$ref",
                            "'%.*s' is neither in the schema nor a registered reference",
                            SLICE_FMT(text));
    if (!uri_decode(fragment, &c->arena, &decoded))
        return compile_fail(c, ERR_INVALID, at->document, value, "$ref", "has a wrong %% escape");
    const struct resource *r = c->resources[resource];
    *document = r->document;
    const struct json_doc *doc = &c->documents[r->document].doc;
    uint32_t root = r->node;
    if (decoded.n > 0 && decoded.p[0] != '/') {
        *anchor = map_get(&c->by_anchor, anchor_key(c, resource, decoded));
        *node = *anchor ? (*anchor)->node : JSON_NONE;
    } else {
        *node = json_at(doc, root, decoded);
    }
    if (*node == JSON_NONE)
        return compile_fail(c, ERR_INVALID, at->document, value, "$ref", "'%.*s' points at nothing",
                            SLICE_FMT(text));
    return discover_target(c, *document, root, *node);
}
