/* Assertions about a single value: type, enum, const, numbers, strings. */
#include "json/compile.h"

static const struct {
    const char *name;
    uint8_t bit;
} type_names[] = {
    {"null", TYPE_NULL},     {"boolean", TYPE_BOOLEAN}, {"integer", TYPE_INTEGER},
    {"number", TYPE_NUMBER}, {"string", TYPE_STRING},   {"array", TYPE_ARRAY},
    {"object", TYPE_OBJECT},
};

static bool add_type(struct compiler *c, const struct place *at, uint32_t i, uint8_t *types)
{
    for (size_t k = 0; k < sizeof type_names / sizeof *type_names; k++) {
        if (json_string_is(at->doc, i, slice_str(type_names[k].name))) {
            *types |= type_names[k].bit;
            return true;
        }
    }
    return compile_fail(c, ERR_INVALID, at->document, i, "type",
                        "must be null, boolean, integer, number, string, array or object");
}

static bool compile_type(struct compiler *c, const struct place *at, struct rule *r)
{
    uint32_t value = keyword(at, "type", JSON_DRAFT_4, JSON_DRAFT_2020);
    if (value == JSON_NONE)
        return true;
    r->types = 0;
    if (json_type(at->doc, value) != JSON_ARRAY)
        return add_type(c, at, value, &r->types);
    for (uint32_t i = json_first(at->doc, value); i != JSON_NONE;
         i = json_sibling(at->doc, value, i))
        if (!add_type(c, at, i, &r->types))
            return false;
    return true;
}

static struct rule_values *new_values(struct compiler *c, uint32_t n)
{
    struct rule_values *v = arena_zalloc(&c->program->arena, 1, sizeof *v);
    v->n = n;
    v->list = arena_zalloc(&c->program->arena, n, sizeof *v->list);
    c->values = compile_grow(c->values, c->values_n, &c->values_cap, sizeof(void *));
    c->values[c->values_n++] = v;
    return v;
}

static void add_value(struct compiler *c, const struct place *at, uint32_t node,
                      struct rule_values *v, uint32_t i)
{
    bytes_add_u8(&c->constants, c->constants_n == 0 ? '[' : ',');
    if (json_type(at->doc, node) == JSON_STRING)
        bytes_add_u8(&c->constants, '"');
    bytes_add_slice(&c->constants, json_raw(at->doc, node));
    if (json_type(at->doc, node) == JSON_STRING)
        bytes_add_u8(&c->constants, '"');
    v->list[i].node = c->constants_n++; /* its number, until the constants are parsed */
    v->types |= node_type_bit(&at->doc->node[node]);
}

static bool compile_values(struct compiler *c, const struct place *at, struct rule *r)
{
    uint32_t value = keyword(at, "enum", JSON_DRAFT_4, JSON_DRAFT_2020);
    if (value != JSON_NONE) {
        if (json_type(at->doc, value) != JSON_ARRAY)
            return compile_fail(c, ERR_INVALID, at->document, value, "enum", "must be an array");
        struct rule_values *v = new_values(c, at->doc->node[value].count);
        uint32_t n = 0;
        for (uint32_t i = json_first(at->doc, value); i != JSON_NONE;
             i = json_sibling(at->doc, value, i))
            add_value(c, at, i, v, n++);
        r->values = v;
    }
    value = keyword(at, "const", JSON_DRAFT_6, JSON_DRAFT_2020);
    if (value != JSON_NONE) {
        struct rule_values *v = new_values(c, 1);
        add_value(c, at, value, v, 0);
        r->constant = v;
    }
    return true;
}

static bool read_number(struct compiler *c, const struct place *at, uint32_t node, const char *name,
                        struct decimal *out)
{
    if (json_type(at->doc, node) != JSON_NUMBER)
        return compile_fail(c, ERR_INVALID, at->document, node, name, "must be a number");
    *out = decimal_of(arena_copy(&c->program->arena, json_raw(at->doc, node)));
    return true;
}

static bool compile_bound(struct compiler *c, const struct place *at, const char *name,
                          struct bound *b)
{
    uint32_t value = keyword(at, name, JSON_DRAFT_4, JSON_DRAFT_2020);
    if (value == JSON_NONE)
        return true;
    b->present = true;
    b->small = json_int64(at->doc, value, &b->small_value);
    return read_number(c, at, value, name, &b->value);
}

/* Draft 4: a flag that turns the plain bound into an exclusive one. */
static bool exclusive_flag(struct compiler *c, const struct place *at, const char *name,
                           struct bound *plain, struct bound *exclusive)
{
    uint32_t value = keyword(at, name, JSON_DRAFT_4, JSON_DRAFT_4);
    if (value == JSON_NONE)
        return true;
    enum json_type type = json_type(at->doc, value);
    if (type != JSON_TRUE && type != JSON_FALSE)
        return compile_fail(c, ERR_INVALID, at->document, value, name, "must be a boolean");
    if (type == JSON_TRUE && plain->present) {
        *exclusive = *plain;
        plain->present = false;
    }
    return true;
}

static bool compile_divisor(struct compiler *c, const struct place *at, struct rule_number *r)
{
    uint32_t value = keyword(at, "multipleOf", JSON_DRAFT_4, JSON_DRAFT_2020);
    if (value == JSON_NONE)
        return true;
    if (!read_number(c, at, value, "multipleOf", &r->divisor))
        return false;
    const struct decimal *d = &r->divisor;
    if (d->n == 0 || d->negative)
        return compile_fail(c, ERR_INVALID, at->document, value, "multipleOf",
                            "must be greater than 0");
    if (d->n > JSON_DIVISOR_DIGITS_MAX || d->huge)
        return compile_fail(c, ERR_LIMIT, at->document, value, "multipleOf",
                            "has more than %d digits", JSON_DIVISOR_DIGITS_MAX);
    for (uint32_t i = 0; i < d->n; i++)
        r->divisor_digits = r->divisor_digits * 10 + decimal_digit(d, i);
    r->divisor_power = d->exponent - (int64_t)d->n;
    r->has_divisor = true;
    return true;
}

static bool compile_number(struct compiler *c, const struct place *at, struct rule *r)
{
    struct rule_number n = {0};
    if (!compile_bound(c, at, "minimum", &n.minimum) ||
        !compile_bound(c, at, "maximum", &n.maximum))
        return false;
    if (at->resource->dialect == JSON_DRAFT_4) {
        if (!exclusive_flag(c, at, "exclusiveMinimum", &n.minimum, &n.exclusive_minimum) ||
            !exclusive_flag(c, at, "exclusiveMaximum", &n.maximum, &n.exclusive_maximum))
            return false;
    } else if (!compile_bound(c, at, "exclusiveMinimum", &n.exclusive_minimum) ||
               !compile_bound(c, at, "exclusiveMaximum", &n.exclusive_maximum)) {
        return false;
    }
    if (!compile_divisor(c, at, &n))
        return false;
    if (n.minimum.present || n.maximum.present || n.exclusive_minimum.present ||
        n.exclusive_maximum.present || n.has_divisor) {
        struct rule_number *copy = arena_alloc(&c->program->arena, sizeof *copy);
        *copy = n;
        r->number = copy;
    }
    return true;
}

bool read_count(struct compiler *c, const struct place *at, uint32_t node, const char *name,
                uint64_t *out)
{
    struct decimal d = {0};
    bool number = json_type(at->doc, node) == JSON_NUMBER;
    if (number)
        d = decimal_of(json_raw(at->doc, node));
    if (!number || d.negative || !decimal_is_integer(&d))
        return compile_fail(c, ERR_INVALID, at->document, node, name,
                            "must be a whole number and not negative");
    *out = 0;
    if (d.n > 0 && (d.huge || d.exponent > 18)) {
        *out = UINT64_MAX - 1; /* larger than any text */
        return true;
    }
    for (int64_t i = 0; i < (d.n ? d.exponent : 0); i++)
        *out = *out * 10 + (i < (int64_t)d.n ? decimal_digit(&d, (uint32_t)i) : 0);
    return true;
}

static bool compile_lengths(struct compiler *c, const struct place *at, struct rule_string *s)
{
    uint32_t value = keyword(at, "minLength", JSON_DRAFT_4, JSON_DRAFT_2020);
    if (value != JSON_NONE && !read_count(c, at, value, "minLength", &s->min_length))
        return false;
    value = keyword(at, "maxLength", JSON_DRAFT_4, JSON_DRAFT_2020);
    return value == JSON_NONE || read_count(c, at, value, "maxLength", &s->max_length);
}

static bool compile_string(struct compiler *c, const struct place *at, struct rule *r)
{
    struct rule_string s = {.max_length = UINT64_MAX};
    if (at->resource->validation) {
        if (!compile_lengths(c, at, &s))
            return false;
        uint32_t value = keyword(at, "pattern", JSON_DRAFT_4, JSON_DRAFT_2020);
        if (value != JSON_NONE) {
            if (json_type(at->doc, value) != JSON_STRING)
                return compile_fail(c, ERR_INVALID, at->document, value, "pattern",
                                    "must be a string");
            struct slice source = json_string(at->doc, value, &c->arena);
            if (!pattern_for(c, at, value, source, &s.pattern))
                return false;
        }
    }
    uint32_t format = keyword(at, "format", JSON_DRAFT_4, JSON_DRAFT_2020);
    if (format != JSON_NONE && json_type(at->doc, format) != JSON_STRING)
        return compile_fail(c, ERR_INVALID, at->document, format, "format", "must be a string");
    if (format != JSON_NONE && at->resource->formats)
        s.format = format_find(json_string(at->doc, format, &c->arena), &s.format_name);
    if (s.min_length > 0 || s.max_length != UINT64_MAX || s.pattern || s.format) {
        struct rule_string *copy = arena_alloc(&c->program->arena, sizeof *copy);
        *copy = s;
        r->string = copy;
    }
    return true;
}

bool compile_assertions(struct compiler *c, const struct place *at, struct rule *r)
{
    r->draft4_integer = at->resource->dialect == JSON_DRAFT_4;
    if (at->resource->validation &&
        (!compile_type(c, at, r) || !compile_values(c, at, r) || !compile_number(c, at, r)))
        return false;
    if (!compile_string(c, at, r))
        return false;
    if (r->number)
        r->leaf |= TYPE_NUMBER;
    if (r->string)
        r->leaf |= TYPE_STRING;
    if (r->values || r->constant)
        r->leaf = TYPE_ANY;
    return true;
}
