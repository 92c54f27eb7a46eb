/* Subschemas that judge the same value: references, allOf, anyOf, oneOf, not, if, dependencies. */
#include "json/run.h"

/* The outermost resource of the evaluation that has the anchor (2020-12 core, 8.2.3.2). */
static uint32_t dynamic_target(struct run *v, const struct rule_op *op)
{
    const struct json_program *p = v->program;
    uint32_t seen = UINT32_MAX;
    for (uint32_t i = 0; i < v->s->frames_n; i++) {
        uint32_t resource = v->rules[v->s->frames[i].rule].resource;
        if (resource == seen)
            continue;
        seen = resource;
        run_charge(v, 1);
        for (uint32_t k = 0; k < p->anchors_n; k++)
            if (p->anchors[k].resource == resource && p->anchors[k].anchor == op->anchor)
                return p->anchors[k].rule;
    }
    return op->rule;
}

static bool has_member(struct run *v, uint32_t i, struct slice name)
{
    run_charge(v, v->nodes[i].count / 8);
    return json_get_slice(v->doc, i, name) != JSON_NONE;
}

static enum outcome op_not(struct run *v, struct frame *f, const struct rule_op *op)
{
    enum outcome o = run_child(v, f, op->rule, f->node, false, true);
    if (o == OPENED)
        return o;
    if (o == PASS && f->explain)
        fault_add(v, (struct fault){.node = f->node, .kind = KIND_NOT});
    return o == PASS ? FAIL : PASS;
}

static enum outcome op_if(struct run *v, struct frame *f, const struct rule_op *op)
{
    enum { CONDITION, THEN, ELSE };
    if (f->sub == CONDITION) {
        enum outcome o = run_child(v, f, op->rule, f->node, false, true);
        if (o == OPENED)
            return o;
        f->sub = o == PASS ? THEN : ELSE;
    }
    uint32_t rule = f->sub == THEN ? op->then_rule : op->else_rule;
    return rule == RULE_NONE ? PASS : run_child(v, f, rule, f->node, f->explain, true);
}

/* anyOf and oneOf. Where evaluated children are marked anyOf must try all branches. */
static enum outcome op_branches(struct run *v, struct frame *f, const struct rule_op *op)
{
    bool one = op->kind == OP_ONE;
    uint32_t enough = one ? 2 : f->marks == MARKS_NONE ? 1 : UINT32_MAX;
    if (f->sub == 0 && !f->waiting) {
        f->fault_mark = v->s->faults_n;
        f->best_end = 0;
        f->count = 0;
    }
    for (; f->sub < op->branches_n && f->count < enough; f->sub++) {
        enum outcome o = run_child(v, f, op->branches[f->sub], f->node, f->explain, true);
        if (o == OPENED)
            return o;
        if (o == PASS)
            f->count++;
        else if (f->explain)
            fault_keep_best(v, f);
    }
    if (one ? f->count == 1 : f->count > 0) {
        if (f->explain)
            v->s->faults_n = f->fault_mark;
        return PASS;
    }
    if (f->explain && f->count > 1) {
        v->s->faults_n = f->fault_mark;
        fault_add(v, (struct fault){.node = f->node, .kind = KIND_ONE_OF_MANY});
    } else if (f->explain && v->s->faults_n == f->fault_mark) {
        fault_add(v, (struct fault){.node = f->node, .kind = one ? KIND_ONE_OF : KIND_ANY_OF});
    }
    return FAIL;
}

static enum outcome run_op(struct run *v, struct frame *f, const struct rule_op *op)
{
    switch ((enum op_kind)op->kind) {
    case OP_MUST:
        return run_child(v, f, op->rule, f->node, f->explain, true);
    case OP_ANY:
    case OP_ONE:
        return op_branches(v, f, op);
    case OP_NOT:
        return op_not(v, f, op);
    case OP_IF:
        return op_if(v, f, op);
    case OP_DEPENDENT:
        if (!f->waiting && !has_member(v, f->node, op->name))
            return PASS;
        return run_child(v, f, op->rule, f->node, f->explain, true);
    case OP_DYNAMIC:
        return run_child(v, f, f->waiting ? op->rule : dynamic_target(v, op), f->node, f->explain,
                         true);
    }
    return FAIL;
}

enum outcome phase_ops(struct run *v, struct frame *f)
{
    const struct rule *r = &v->rules[f->rule];
    while (f->op < r->ops_n) {
        enum outcome o = run_op(v, f, &r->ops[f->op]);
        if (o == OPENED)
            return o;
        if (o == FAIL) {
            f->failed = true;
            if (!f->explain)
                return FAIL;
        }
        f->op++;
        f->sub = 0;
    }
    return PASS;
}
