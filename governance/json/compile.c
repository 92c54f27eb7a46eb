#include "json/compile.h"

#include "base/check.h"
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>

void *compile_grow(void *list, uint32_t n, uint32_t *cap, size_t size)
{
    if (n < *cap)
        return list;
    *cap = *cap ? *cap * 2 : 32;
    return mem_realloc(list, *cap * size);
}

bool compile_fail(struct compiler *c, enum err_code code, uint32_t document, uint32_t node,
                  const char *rule, const char *fmt, ...)
{
    char message[200];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(message, sizeof message, fmt, ap);
    va_end(ap);
    const struct document *d = &c->documents[document];
    bytes_clear(&c->text);
    if (d->doc.n > 0)
        json_pointer(&d->doc, node, &c->text);
    const char *path = bytes_cstr(&c->text);
    c->rc = (int)code;
    if (c->problem) {
        struct json_problem *p = c->problem;
        snprintf(p->path, sizeof p->path, "%s", path);
        snprintf(p->rule, sizeof p->rule, "%s", rule);
        if (d->name.n > 0)
            snprintf(p->message, sizeof p->message, "%s (in reference %.*s)", message,
                     (int)(d->name.n < 40 ? d->name.n : 40), (const char *)d->name.p);
        else
            snprintf(p->message, sizeof p->message, "%s", message);
    }
    err_set(c->err, code, "schema %.*s%sat %s: %s %s", SLICE_FMT(d->name), d->name.n > 0 ? " " : "",
            path[0] ? path : "its root", rule, message);
    return false;
}

uint32_t keyword(const struct place *at, const char *name, enum json_dialect from,
                 enum json_dialect to)
{
    if (at->resource->dialect < from || at->resource->dialect > to)
        return JSON_NONE;
    return json_get(at->doc, at->node, name);
}

bool rule_for(struct compiler *c, uint32_t document, uint32_t node, uint32_t *rule)
{
    struct json_program *p = c->program;
    uint32_t *known = &c->documents[document].rule_of[node];
    if (*known != RULE_NONE) {
        *rule = *known;
        return true;
    }
    if (p->rules_n == JSON_SCHEMA_RULES_MAX)
        return compile_fail(c, ERR_LIMIT, document, node, "limit", "more than %d subschemas",
                            JSON_SCHEMA_RULES_MAX);
    p->rules = compile_grow(p->rules, p->rules_n, &c->rules_cap, sizeof *p->rules);
    *rule = *known = p->rules_n++;
    p->rules[*rule] = (struct rule){.types = TYPE_ANY};
    c->work = compile_grow(c->work, c->work_n, &c->work_cap, sizeof *c->work);
    c->work[c->work_n++] = (struct work){document, node, *rule};
    return true;
}

bool pattern_for(struct compiler *c, const struct place *at, uint32_t node, struct slice source,
                 const struct pattern **out)
{
    struct json_program *p = c->program;
    struct pattern *pattern = map_get(&c->patterns, source);
    if (pattern == NULL) {
        struct err err = {0};
        if (p->patterns_n == JSON_PATTERNS_MAX)
            return compile_fail(c, ERR_LIMIT, at->document, node, "pattern",
                                "more than %d patterns", JSON_PATTERNS_MAX);
        pcre2_code *code = regex_compile(source, &err);
        if (code == NULL)
            return compile_fail(c, err.code, at->document, node, "pattern", "%s", err.msg);
        pattern = arena_zalloc(&p->arena, 1, sizeof *pattern);
        pattern->source = source.n ? arena_copy(&p->arena, source) : SLICE_LIT("");
        pattern->code = code;
        p->patterns = compile_grow(p->patterns, p->patterns_n, &c->patterns_cap, sizeof(void *));
        p->patterns[p->patterns_n++] = pattern;
        map_put(&c->patterns, source, pattern);
    }
    *out = pattern;
    return true;
}

/* A schema without $schema is read as 2020-12. A word that only older drafts know would then be
 * ignored without a sound, so it is refused. */
static bool check_guess(struct compiler *c, const struct place *at)
{
    if (!at->resource->guessed)
        return true;
    uint32_t value = json_get(at->doc, at->node, "additionalItems");
    if (value == JSON_NONE)
        return true;
    return compile_fail(c, ERR_INVALID, at->document, value, "additionalItems",
                        "is of older drafts; say in $schema which one is meant");
}

static bool compile_schema(struct compiler *c, const struct work *w)
{
    const struct document *d = &c->documents[w->document];
    struct rule r = {.types = TYPE_ANY};
    struct place at = {w->document, w->node, &d->doc, NULL};
    uint32_t resource = d->resource_of[w->node];
    if (resource == RULE_NONE)
        return compile_fail(c, ERR_INVALID, w->document, w->node, "$ref", "is not a schema");
    at.resource = c->resources[resource];
    r.resource = resource;
    enum json_type type = json_type(&d->doc, w->node);
    if (type == JSON_FALSE) {
        r.never = true;
    } else if (type == JSON_OBJECT) {
        if (!check_guess(c, &at) || !compile_ops(c, &at, &r))
            return false;
        bool only_ref = at.resource->dialect <= JSON_DRAFT_7 && r.ops_n > 0 &&
                        json_get(&d->doc, w->node, "$ref") != JSON_NONE;
        if (!only_ref && (!compile_assertions(c, &at, &r) || !compile_object(c, &at, &r) ||
                          !compile_array(c, &at, &r)))
            return false;
    }
    c->program->rules[w->rule] = r;
    return true;
}

static bool compile_all(struct compiler *c)
{
    while (c->work_n > 0) {
        struct work w = c->work[--c->work_n];
        if (!compile_schema(c, &w))
            return false;
    }
    return true;
}

/* Every place that a dynamic reference may end at must have its rule. */
static bool compile_dynamic(struct compiler *c)
{
    struct json_program *p = c->program;
    p->anchors = arena_zalloc(&p->arena, c->dynamic_n, sizeof *p->anchors);
    for (uint32_t i = 0; p->dynamic && i < c->dynamic_n; i++) {
        const struct anchor *a = c->dynamic[i];
        struct dynamic_anchor *out = &p->anchors[p->anchors_n++];
        out->resource = a->resource;
        out->anchor = a->name;
        if (!rule_for(c, c->resources[a->resource]->document, a->node, &out->rule) ||
            !compile_all(c))
            return false;
    }
    return true;
}

static void finish_table(struct json_program *p, struct rule_values *v)
{
    enum { SEARCH_MAX = 8 };
    if (v->n <= SEARCH_MAX)
        return;
    uint32_t slots = 16;
    while (slots < v->n * 2)
        slots *= 2;
    uint32_t *table = arena_zalloc(&p->arena, slots, sizeof *table);
    for (uint32_t i = 0; i < v->n; i++) {
        uint32_t slot = (uint32_t)v->list[i].hash & (slots - 1);
        while (table[slot] != 0)
            slot = (slot + 1) & (slots - 1);
        table[slot] = i + 1;
    }
    v->table = table;
    v->slots = slots;
}

/* The constants become one small document of the program's own. */
static bool finish_constants(struct compiler *c)
{
    struct json_program *p = c->program;
    bytes_add_str(&c->constants, c->constants_n == 0 ? "[]" : "]");
    struct json_limits limits = {.max_depth = JSON_SCHEMA_DEPTH_MAX + 1};
    struct slice text = arena_copy(&p->arena, bytes_slice(&c->constants));
    int rc = json_parse(&p->constants, text, &limits, NULL);
    ASSERT(rc == 0); /* made of parts that were parsed before */
    p->constant_hashes = arena_alloc(&p->arena, p->constants.n * sizeof(uint64_t));
    hash_nodes(&p->constants, p->constant_hashes, &c->text);
    uint32_t *node_of = arena_alloc(&c->arena, (c->constants_n + 1) * sizeof *node_of);
    uint32_t n = 0;
    for (uint32_t i = json_first(&p->constants, 0); i != JSON_NONE;
         i = json_sibling(&p->constants, 0, i))
        node_of[n++] = i;
    for (uint32_t k = 0; k < c->values_n; k++) {
        struct rule_values *v = c->values[k];
        for (uint32_t i = 0; i < v->n; i++) {
            struct constant *constant = &v->list[i];
            constant->node = node_of[constant->node];
            constant->hash = p->constant_hashes[constant->node];
            constant->text = json_string(&p->constants, constant->node, &p->arena);
        }
        finish_table(p, v);
    }
    return true;
}

/* Visits the rules that r applies to the same value; returns the number of them. */
static uint32_t same_value_rules(const struct rule *r, uint32_t i, uint32_t *out)
{
    for (uint32_t k = 0; k < r->ops_n; k++) {
        const struct rule_op *op = &r->ops[k];
        if (op->kind == OP_ANY || op->kind == OP_ONE) {
            if (i < op->branches_n) {
                *out = op->branches[i];
                return 1;
            }
            i -= op->branches_n;
            continue;
        }
        const uint32_t list[3] = {op->rule, op->then_rule, op->else_rule};
        uint32_t n = op->kind == OP_IF ? 3 : 1;
        if (i < n) {
            *out = list[i];
            return 1;
        }
        i -= n;
    }
    return 0;
}

struct step {
    uint32_t rule;
    uint32_t next;
};

/* A rule that leads back to itself on the same value would never end: depth-first search over
 * such edges, with a stack of its own. */
static bool check_loops(struct compiler *c)
{
    enum { NEW, OPEN, DONE };
    struct json_program *p = c->program;
    uint8_t *state = arena_zalloc(&c->arena, p->rules_n, 1);
    struct step *stack = arena_alloc(&c->arena, p->rules_n * sizeof *stack);
    for (uint32_t root = 0; root < p->rules_n; root++) {
        uint32_t depth = 0;
        if (state[root] != NEW)
            continue;
        stack[depth++] = (struct step){root, 0};
        state[root] = OPEN;
        while (depth > 0) {
            struct step *s = &stack[depth - 1];
            uint32_t next;
            if (!same_value_rules(&p->rules[s->rule], s->next++, &next)) {
                state[s->rule] = DONE;
                depth--;
                continue;
            }
            if (next == RULE_NONE || state[next] == DONE)
                continue;
            if (state[next] == OPEN)
                return compile_fail(c, ERR_INVALID, 0, 0, "$ref",
                                    "the schema refers to itself without end");
            state[next] = OPEN;
            stack[depth++] = (struct step){next, 0};
        }
    }
    return true;
}

static bool load_document(struct compiler *c, uint32_t i, struct slice name, struct slice text)
{
    struct document *d = &c->documents[i];
    d->name = name;
    struct json_limits limits = {.max_depth = JSON_SCHEMA_DEPTH_MAX};
    int rc = json_parse(&d->doc, text, &limits, NULL);
    if (rc != 0) {
        char message[120];
        snprintf(message, sizeof message, "at byte %u: %s", d->doc.error_offset, d->doc.error);
        d->doc.n = 0; /* no pointers into a broken tape */
        return compile_fail(c, (enum err_code)rc, i, 0, "malformed", "%s", message);
    }
    enum json_type type = json_type(&d->doc, 0);
    if (type != JSON_OBJECT && type != JSON_TRUE && type != JSON_FALSE)
        return compile_fail(c, ERR_INVALID, i, 0, "type", "a schema is an object or a boolean");
    d->rule_of = mem_alloc(d->doc.n * sizeof(uint32_t));
    d->resource_of = mem_alloc(d->doc.n * sizeof(uint32_t));
    memset(d->rule_of, 0xff, d->doc.n * sizeof(uint32_t));
    memset(d->resource_of, 0xff, d->doc.n * sizeof(uint32_t));
    return true;
}

static bool load_documents(struct compiler *c, struct slice text, const struct json_reference *refs,
                           size_t refs_n)
{
    size_t size = text.n;
    for (size_t i = 0; i < refs_n; i++)
        size += refs[i].text.n;
    if (refs_n > JSON_REFERENCES_MAX || size > JSON_SCHEMA_SIZE_MAX)
        return compile_fail(c, ERR_LIMIT, 0, 0, "limit",
                            "at most %d references and %d bytes in all", JSON_REFERENCES_MAX,
                            JSON_SCHEMA_SIZE_MAX);
    if (!load_document(c, 0, SLICE_LIT(""), text))
        return false;
    for (size_t i = 0; i < refs_n; i++)
        if (!load_document(c, (uint32_t)i + 1, refs[i].name, refs[i].text))
            return false;
    for (uint32_t i = 0; i < c->documents_n; i++)
        if (!discover(c, i, 0, RULE_NONE))
            return false;
    return true;
}

static void free_compiler(struct compiler *c)
{
    for (uint32_t i = 0; i < c->documents_n; i++) {
        json_free(&c->documents[i].doc);
        mem_free(c->documents[i].rule_of);
        mem_free(c->documents[i].resource_of);
    }
    map_free(&c->by_uri);
    map_free(&c->by_anchor);
    map_free(&c->dynamic_names);
    map_free(&c->patterns);
    mem_free(c->documents);
    mem_free(c->resources);
    mem_free(c->dynamic);
    mem_free(c->work);
    mem_free(c->ops);
    mem_free(c->values);
    bytes_free(&c->constants);
    bytes_free(&c->text);
    arena_free(&c->arena);
}

int json_program_compile(struct slice text, const struct json_reference *refs, size_t refs_n,
                         const struct json_compile_options *options, struct json_program **out,
                         struct json_problem *problem, struct err *err)
{
    static const struct json_compile_options defaults;
    struct compiler c = {
        .program = MEM_NEW(struct json_program),
        .options = options ? options : &defaults,
        .problem = problem,
        .err = err,
    };
    struct json_program *p = c.program;
    uint32_t root_rule = 0;
    arena_init(&p->arena, 0);
    arena_init(&c.arena, 0);
    c.documents_n = refs_n <= JSON_REFERENCES_MAX ? (uint32_t)refs_n + 1 : 1;
    c.documents = mem_zalloc(c.documents_n, sizeof *c.documents);
    bool ok = load_documents(&c, text, refs, refs_n) && rule_for(&c, 0, 0, &root_rule) &&
              compile_all(&c) && compile_dynamic(&c) && check_loops(&c) && finish_constants(&c);
    p->root = root_rule;
    if (ok)
        program_optimise(p);
    free_compiler(&c);
    if (!ok) {
        json_program_free(p);
        return c.rc;
    }
    *out = p;
    return 0;
}

void json_program_free(struct json_program *program)
{
    if (program == NULL)
        return;
    for (uint32_t i = 0; i < program->patterns_n; i++)
        pcre2_code_free(program->patterns[i]->code);
    mem_free(program->patterns);
    mem_free(program->rules);
    json_free(&program->constants);
    arena_free(&program->arena);
    mem_free(program);
}

size_t json_program_size(const struct json_program *p)
{
    size_t size = sizeof *p + p->arena.used_bytes + p->rules_n * sizeof(struct rule) +
                  p->constants.cap * sizeof(struct json_node);
    for (uint32_t i = 0; i < p->patterns_n; i++) {
        size_t code = 0;
        pcre2_pattern_info(p->patterns[i]->code, PCRE2_INFO_SIZE, &code);
        size += code + sizeof(struct pattern);
    }
    return size;
}
