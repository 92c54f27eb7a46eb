/* Shortens the way: a rule that is nothing but one $ref is replaced by its target wherever it is
 * used. With dynamic references each step of the way counts, so nothing is changed then. */
#include "json/internal.h"

static uint32_t target(const struct json_program *p, uint32_t i)
{
    if (i == RULE_NONE)
        return i;
    const struct rule *r = &p->rules[i];
    while (r->types == TYPE_ANY && !r->never && r->leaf == 0 && !r->array && !r->object &&
           r->ops_n == 1 && r->ops[0].kind == OP_MUST) {
        i = r->ops[0].rule; /* ends: check_loops has refused circles */
        r = &p->rules[i];
    }
    return i;
}

static void shorten(const struct json_program *p, uint32_t *list, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        list[i] = target(p, list[i]);
}

/* The parts are const for those who run the program; here it is still being made. */
static void shorten_object(const struct json_program *p, struct rule_object *o)
{
    for (uint32_t i = 0; i < o->properties_n; i++)
        shorten(p, &o->properties[i].rule, 1);
    for (uint32_t i = 0; i < o->patterns_n; i++)
        shorten(p, &o->patterns[i].rule, 1);
    shorten(p, &o->additional, 1);
    shorten(p, &o->names, 1);
    shorten(p, &o->unevaluated, 1);
}

static void shorten_array(const struct json_program *p, struct rule_array *a)
{
    shorten(p, a->prefix, a->prefix_n);
    shorten(p, &a->items, 1);
    shorten(p, &a->contains, 1);
    shorten(p, &a->unevaluated, 1);
}

static void shorten_op(const struct json_program *p, struct rule_op *op)
{
    if (op->kind == OP_ANY || op->kind == OP_ONE) {
        shorten(p, op->branches, op->branches_n);
        return;
    }
    shorten(p, &op->rule, 1);
    shorten(p, &op->then_rule, 1);
    shorten(p, &op->else_rule, 1);
}

void program_optimise(struct json_program *p)
{
    if (p->dynamic)
        return;
    for (uint32_t i = 0; i < p->rules_n; i++) {
        const struct rule *r = &p->rules[i];
        if (r->object)
            shorten_object(p, (struct rule_object *)(uintptr_t)r->object);
        if (r->array)
            shorten_array(p, (struct rule_array *)(uintptr_t)r->array);
        for (uint32_t k = 0; k < r->ops_n; k++)
            shorten_op(p, (struct rule_op *)(uintptr_t)&r->ops[k]);
    }
    p->root = target(p, p->root);
}
