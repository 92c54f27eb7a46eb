/* Keywords that apply subschemas, and the assertions about arrays and objects. */
#include "json/compile.h"

#include "base/mem.h"

static bool schema_at(struct compiler *c, const struct place *at, uint32_t node, const char *name,
                      uint32_t *rule)
{
    enum json_type type = json_type(at->doc, node);
    if (type != JSON_OBJECT && type != JSON_TRUE && type != JSON_FALSE)
        return compile_fail(c, ERR_INVALID, at->document, node, name, "must be a schema");
    return rule_for(c, at->document, node, rule);
}

static bool optional_schema(struct compiler *c, const struct place *at, const char *name,
                            enum json_dialect from, enum json_dialect to, uint32_t *rule)
{
    uint32_t value = keyword(at, name, from, to);
    *rule = RULE_NONE;
    return value == JSON_NONE || schema_at(c, at, value, name, rule);
}

static bool must_be(struct compiler *c, const struct place *at, uint32_t node, const char *name,
                    enum json_type type)
{
    if (json_type(at->doc, node) == type)
        return true;
    return compile_fail(c, ERR_INVALID, at->document, node, name, "must be %s",
                        type == JSON_OBJECT ? "an object" : "an array");
}

static bool optional_count(struct compiler *c, const struct place *at, const char *name,
                           enum json_dialect from, uint32_t *out)
{
    uint32_t value = keyword(at, name, from, JSON_DRAFT_2020);
    uint64_t count;
    if (value == JSON_NONE || !at->resource->validation)
        return true;
    if (!read_count(c, at, value, name, &count))
        return false;
    *out = count < UINT32_MAX ? (uint32_t)count : UINT32_MAX - 1;
    return true;
}

static bool string_list(struct compiler *c, const struct place *at, uint32_t list, const char *name)
{
    if (!must_be(c, at, list, name, JSON_ARRAY))
        return false;
    for (uint32_t i = json_first(at->doc, list); i != JSON_NONE; i = json_sibling(at->doc, list, i))
        if (json_type(at->doc, i) != JSON_STRING)
            return compile_fail(c, ERR_INVALID, at->document, i, name, "must be a string");
    return true;
}

static struct slice program_string(struct compiler *c, const struct place *at, uint32_t node)
{
    struct slice s = json_string(at->doc, node, &c->arena);
    return at->doc->node[node].length == 0 ? SLICE_LIT("") : arena_copy(&c->program->arena, s);
}

/* Finds or adds the property in the table of o, which has room. */
static struct property *property_slot(struct rule_object *o, uint32_t *table, struct slice name)
{
    uint32_t hash = json_name_hash(name);
    uint32_t slot = hash & o->mask;
    for (; table[slot] != 0; slot = (slot + 1) & o->mask) {
        struct property *p = &o->properties[table[slot] - 1];
        if (p->hash == hash && slice_eq(p->name, name))
            return p;
    }
    table[slot] = o->properties_n + 1;
    struct property *p = &o->properties[o->properties_n++];
    *p = (struct property){.name = name, .hash = hash, .rule = RULE_NONE};
    return p;
}

static bool fill_properties(struct compiler *c, const struct place *at, uint32_t properties,
                            uint32_t required, struct rule_object *o)
{
    uint32_t n = 0;
    if (properties != JSON_NONE)
        n += at->doc->node[properties].count;
    if (required != JSON_NONE)
        n += at->doc->node[required].count;
    uint32_t slots = 8;
    while (slots < n * 2)
        slots *= 2;
    uint32_t *table = arena_zalloc(&c->program->arena, slots, sizeof *table);
    o->table = table;
    o->mask = slots - 1;
    o->properties = arena_zalloc(&c->program->arena, n, sizeof *o->properties);
    if (properties != JSON_NONE) {
        for (uint32_t i = json_first(at->doc, properties); i != JSON_NONE;
             i = json_sibling(at->doc, properties, i + 1)) {
            struct property *p = property_slot(o, table, program_string(c, at, i));
            uint32_t rule;
            if (!schema_at(c, at, i + 1, "properties", &rule))
                return false;
            p->rule = rule;
        }
    }
    for (uint32_t i = required == JSON_NONE ? JSON_NONE : json_first(at->doc, required);
         i != JSON_NONE; i = json_sibling(at->doc, required, i)) {
        struct property *p = property_slot(o, table, program_string(c, at, i));
        o->required_n += !p->required;
        p->required = 1;
    }
    return true;
}

/* "required" as a list. Draft 3's boolean is refused like any other shape. */
static bool compile_properties(struct compiler *c, const struct place *at, struct rule_object *o)
{
    uint32_t properties = keyword(at, "properties", JSON_DRAFT_4, JSON_DRAFT_2020);
    uint32_t required = keyword(at, "required", JSON_DRAFT_4, JSON_DRAFT_2020);
    if (!at->resource->validation)
        required = JSON_NONE;
    if (properties != JSON_NONE && !must_be(c, at, properties, "properties", JSON_OBJECT))
        return false;
    if (required != JSON_NONE && !string_list(c, at, required, "required"))
        return false;
    return fill_properties(c, at, properties, required, o);
}

static bool compile_pattern_properties(struct compiler *c, const struct place *at,
                                       struct rule_object *o)
{
    uint32_t value = keyword(at, "patternProperties", JSON_DRAFT_4, JSON_DRAFT_2020);
    if (value == JSON_NONE)
        return true;
    if (!must_be(c, at, value, "patternProperties", JSON_OBJECT))
        return false;
    o->patterns = arena_zalloc(&c->program->arena, at->doc->node[value].count, sizeof *o->patterns);
    for (uint32_t i = json_first(at->doc, value); i != JSON_NONE;
         i = json_sibling(at->doc, value, i + 1)) {
        struct pattern_property *p = &o->patterns[o->patterns_n++];
        if (!pattern_for(c, at, i + 1, json_string(at->doc, i, &c->arena), &p->pattern) ||
            !schema_at(c, at, i + 1, "patternProperties", &p->rule))
            return false;
    }
    return true;
}

static bool add_dependent(struct compiler *c, const struct place *at, uint32_t name,
                          const char *word, struct dependent_required *d)
{
    uint32_t list = name + 1;
    if (!string_list(c, at, list, word))
        return false;
    d->name = program_string(c, at, name);
    d->required = arena_zalloc(&c->program->arena, at->doc->node[list].count, sizeof(struct slice));
    for (uint32_t i = json_first(at->doc, list); i != JSON_NONE; i = json_sibling(at->doc, list, i))
        d->required[d->n++] = program_string(c, at, i);
    return true;
}

/* Lists of names, from dependentRequired and from the older dependencies. */
static bool compile_dependents(struct compiler *c, const struct place *at, struct rule_object *o)
{
    static const char *const words[] = {"dependentRequired", "dependencies"};
    if (!at->resource->validation)
        return true;
    for (size_t k = 0; k < 2; k++) {
        uint32_t value = k == 0 ? keyword(at, words[0], JSON_DRAFT_2019, JSON_DRAFT_2020)
                                : keyword(at, words[1], JSON_DRAFT_4, JSON_DRAFT_2020);
        if (value == JSON_NONE)
            continue;
        if (!must_be(c, at, value, words[k], JSON_OBJECT))
            return false;
        struct dependent_required *list = arena_zalloc(
            &c->program->arena, o->dependents_n + at->doc->node[value].count, sizeof *list);
        if (o->dependents_n > 0)
            memcpy(list, o->dependents, o->dependents_n * sizeof *list);
        o->dependents = list;
        for (uint32_t i = json_first(at->doc, value); i != JSON_NONE;
             i = json_sibling(at->doc, value, i + 1)) {
            if (k == 1 && json_type(at->doc, i + 1) != JSON_ARRAY)
                continue; /* a schema: see compile_ops */
            if (!add_dependent(c, at, i, words[k], &o->dependents[o->dependents_n++]))
                return false;
        }
    }
    return true;
}

bool compile_object(struct compiler *c, const struct place *at, struct rule *r)
{
    struct rule_object o = {.max = UINT32_MAX};
    if (!compile_properties(c, at, &o) || !compile_pattern_properties(c, at, &o) ||
        !compile_dependents(c, at, &o) ||
        !optional_schema(c, at, "additionalProperties", JSON_DRAFT_4, JSON_DRAFT_2020,
                         &o.additional) ||
        !optional_schema(c, at, "propertyNames", JSON_DRAFT_6, JSON_DRAFT_2020, &o.names) ||
        !optional_schema(c, at, "unevaluatedProperties", JSON_DRAFT_2019, JSON_DRAFT_2020,
                         &o.unevaluated) ||
        !optional_count(c, at, "minProperties", JSON_DRAFT_4, &o.min) ||
        !optional_count(c, at, "maxProperties", JSON_DRAFT_4, &o.max))
        return false;
    if (o.properties_n == 0 && o.patterns_n == 0 && o.dependents_n == 0 &&
        o.additional == RULE_NONE && o.names == RULE_NONE && o.unevaluated == RULE_NONE &&
        o.min == 0 && o.max == UINT32_MAX)
        return true;
    struct rule_object *copy = arena_alloc(&c->program->arena, sizeof *copy);
    *copy = o;
    r->object = copy;
    r->frames |= TYPE_OBJECT;
    r->unevaluated |= o.unevaluated != RULE_NONE;
    return true;
}

static bool schema_list(struct compiler *c, const struct place *at, uint32_t list, const char *name,
                        uint32_t **out, uint32_t *out_n)
{
    if (!must_be(c, at, list, name, JSON_ARRAY))
        return false;
    *out = arena_zalloc(&c->program->arena, at->doc->node[list].count, sizeof(uint32_t));
    *out_n = 0;
    for (uint32_t i = json_first(at->doc, list); i != JSON_NONE; i = json_sibling(at->doc, list, i))
        if (!schema_at(c, at, i, name, &(*out)[(*out_n)++]))
            return false;
    return true;
}

/* Until 2019-09: items as a list, the rest by additionalItems; then prefixItems and items. */
static bool compile_items(struct compiler *c, const struct place *at, struct rule_array *a)
{
    uint32_t items = keyword(at, "items", JSON_DRAFT_4, JSON_DRAFT_2020);
    uint32_t prefix = keyword(at, "prefixItems", JSON_DRAFT_2020, JSON_DRAFT_2020);
    a->items = RULE_NONE;
    if (at->resource->dialect == JSON_DRAFT_2020) {
        a->closed_by_items = true;
        if (prefix != JSON_NONE &&
            !schema_list(c, at, prefix, "prefixItems", &a->prefix, &a->prefix_n))
            return false;
        if (items != JSON_NONE && json_type(at->doc, items) == JSON_ARRAY)
            return compile_fail(c, ERR_INVALID, at->document, items, "items",
                                "must be a schema in 2020-12; for draft-07 say so in $schema");
        return items == JSON_NONE || schema_at(c, at, items, "items", &a->items);
    }
    if (items == JSON_NONE)
        return true;
    if (json_type(at->doc, items) != JSON_ARRAY)
        return schema_at(c, at, items, "items", &a->items);
    return schema_list(c, at, items, "items", &a->prefix, &a->prefix_n) &&
           optional_schema(c, at, "additionalItems", JSON_DRAFT_4, JSON_DRAFT_2019, &a->items);
}

static bool compile_unique(struct compiler *c, const struct place *at, struct rule_array *a)
{
    uint32_t value = keyword(at, "uniqueItems", JSON_DRAFT_4, JSON_DRAFT_2020);
    if (value == JSON_NONE || !at->resource->validation)
        return true;
    enum json_type type = json_type(at->doc, value);
    a->unique = type == JSON_TRUE;
    if (type != JSON_TRUE && type != JSON_FALSE)
        return compile_fail(c, ERR_INVALID, at->document, value, "uniqueItems",
                            "must be a boolean");
    return true;
}

bool compile_array(struct compiler *c, const struct place *at, struct rule *r)
{
    struct rule_array a = {.max = UINT32_MAX, .min_contains = 1, .max_contains = UINT32_MAX};
    a.contains_evaluates = at->resource->dialect == JSON_DRAFT_2020;
    if (!compile_items(c, at, &a) || !compile_unique(c, at, &a) ||
        !optional_schema(c, at, "contains", JSON_DRAFT_6, JSON_DRAFT_2020, &a.contains) ||
        !optional_schema(c, at, "unevaluatedItems", JSON_DRAFT_2019, JSON_DRAFT_2020,
                         &a.unevaluated) ||
        !optional_count(c, at, "minItems", JSON_DRAFT_4, &a.min) ||
        !optional_count(c, at, "maxItems", JSON_DRAFT_4, &a.max) ||
        !optional_count(c, at, "minContains", JSON_DRAFT_2019, &a.min_contains) ||
        !optional_count(c, at, "maxContains", JSON_DRAFT_2019, &a.max_contains))
        return false;
    if (a.prefix_n == 0 && a.items == RULE_NONE && a.contains == RULE_NONE &&
        a.unevaluated == RULE_NONE && a.min == 0 && a.max == UINT32_MAX && !a.unique)
        return true;
    struct rule_array *copy = arena_alloc(&c->program->arena, sizeof *copy);
    *copy = a;
    r->array = copy;
    r->frames |= TYPE_ARRAY;
    r->unevaluated |= a.unevaluated != RULE_NONE;
    return true;
}

static struct rule_op *add_op(struct compiler *c, enum op_kind kind)
{
    c->ops = compile_grow(c->ops, c->ops_n, &c->ops_cap, sizeof *c->ops);
    struct rule_op *op = &c->ops[c->ops_n++];
    *op = (struct rule_op){.kind = (uint8_t)kind, .then_rule = RULE_NONE, .else_rule = RULE_NONE};
    return op;
}

static bool compile_ref(struct compiler *c, const struct place *at, const char *name,
                        enum json_dialect from, enum json_dialect to, bool dynamic)
{
    uint32_t value = keyword(at, name, from, to);
    uint32_t document, node, rule;
    struct anchor *anchor;
    if (value == JSON_NONE)
        return true;
    if (!resolve_reference(c, at, value, &document, &node, &anchor))
        return false;
    if (dynamic && anchor == NULL && to == JSON_DRAFT_2019) { /* $recursiveRef: "#" */
        uint32_t index = c->documents[document].resource_of[node];
        for (uint32_t i = 0; i < c->dynamic_n; i++)
            if (c->dynamic[i]->resource == index && c->dynamic[i]->node == node)
                anchor = c->dynamic[i];
    }
    if (!rule_for(c, document, node, &rule))
        return false;
    bool by_scope = dynamic && anchor != NULL && anchor->dynamic;
    struct rule_op *op = add_op(c, by_scope ? OP_DYNAMIC : OP_MUST);
    op->rule = rule;
    if (by_scope) {
        op->anchor = anchor->name;
        c->program->dynamic = true;
    }
    return true;
}

static bool compile_all_of(struct compiler *c, const struct place *at)
{
    uint32_t value = keyword(at, "allOf", JSON_DRAFT_4, JSON_DRAFT_2020);
    uint32_t *list, n;
    if (value == JSON_NONE)
        return true;
    if (!schema_list(c, at, value, "allOf", &list, &n))
        return false;
    for (uint32_t i = 0; i < n; i++)
        add_op(c, OP_MUST)->rule = list[i];
    return true;
}

static bool compile_branches(struct compiler *c, const struct place *at, const char *name,
                             enum op_kind kind)
{
    uint32_t value = keyword(at, name, JSON_DRAFT_4, JSON_DRAFT_2020);
    if (value == JSON_NONE)
        return true;
    uint32_t *list, n;
    if (!schema_list(c, at, value, name, &list, &n))
        return false;
    if (n == 0)
        return compile_fail(c, ERR_INVALID, at->document, value, name, "must not be empty");
    struct rule_op *op = add_op(c, kind);
    op->branches = list;
    op->branches_n = n;
    return true;
}

static bool compile_conditions(struct compiler *c, const struct place *at)
{
    uint32_t rule, then_rule, else_rule;
    if (!optional_schema(c, at, "not", JSON_DRAFT_4, JSON_DRAFT_2020, &rule))
        return false;
    if (rule != RULE_NONE)
        add_op(c, OP_NOT)->rule = rule;
    if (!optional_schema(c, at, "if", JSON_DRAFT_7, JSON_DRAFT_2020, &rule) ||
        !optional_schema(c, at, "then", JSON_DRAFT_7, JSON_DRAFT_2020, &then_rule) ||
        !optional_schema(c, at, "else", JSON_DRAFT_7, JSON_DRAFT_2020, &else_rule))
        return false;
    if (rule != RULE_NONE) { /* without then and else it still marks what it evaluates */
        struct rule_op *op = add_op(c, OP_IF);
        op->rule = rule;
        op->then_rule = then_rule;
        op->else_rule = else_rule;
    }
    return true;
}

/* The older dependencies, a schema or a list of names for each property, stay in force in the later
 * drafts too: leaving them out without a word would accept what the author refuses. */
static bool compile_dependent_schemas(struct compiler *c, const struct place *at, const char *name,
                                      enum json_dialect from, bool lists)
{
    uint32_t value = keyword(at, name, from, JSON_DRAFT_2020);
    if (value == JSON_NONE)
        return true;
    if (!must_be(c, at, value, name, JSON_OBJECT))
        return false;
    for (uint32_t i = json_first(at->doc, value); i != JSON_NONE;
         i = json_sibling(at->doc, value, i + 1)) {
        uint32_t rule;
        if (lists && json_type(at->doc, i + 1) == JSON_ARRAY)
            continue; /* a list of names: see compile_dependents */
        if (!schema_at(c, at, i + 1, name, &rule))
            return false;
        struct rule_op *op = add_op(c, OP_DEPENDENT);
        op->rule = rule;
        op->name = program_string(c, at, i);
    }
    return true;
}

bool compile_ops(struct compiler *c, const struct place *at, struct rule *r)
{
    c->ops_n = 0;
    if (!compile_ref(c, at, "$ref", JSON_DRAFT_4, JSON_DRAFT_2020, false) ||
        !compile_ref(c, at, "$dynamicRef", JSON_DRAFT_2020, JSON_DRAFT_2020, true) ||
        !compile_ref(c, at, "$recursiveRef", JSON_DRAFT_2019, JSON_DRAFT_2019, true))
        return false;
    bool only_ref = at->resource->dialect <= JSON_DRAFT_7 && c->ops_n > 0;
    if (!only_ref &&
        (!compile_all_of(c, at) || !compile_conditions(c, at) ||
         !compile_dependent_schemas(c, at, "dependentSchemas", JSON_DRAFT_2019, false) ||
         !compile_dependent_schemas(c, at, "dependencies", JSON_DRAFT_4, true) ||
         !compile_branches(c, at, "anyOf", OP_ANY) || !compile_branches(c, at, "oneOf", OP_ONE)))
        return false;
    if (c->ops_n == 0)
        return true;
    struct rule_op *copy = arena_alloc(&c->program->arena, c->ops_n * sizeof *copy);
    memcpy(copy, c->ops, c->ops_n * sizeof *copy);
    r->ops = copy;
    r->ops_n = c->ops_n;
    r->frames = TYPE_ANY;
    return true;
}
