/* The phases of an object: its size and dependents, then its members. */
#include "json/run.h"

static inline const struct property *find_property(const struct run *v, const struct rule_object *o,
                                                   uint32_t name)
{
    const struct json_node *node = &v->nodes[name];
    for (uint32_t slot = node->count & o->mask; o->table[slot] != 0; slot = (slot + 1) & o->mask) {
        const struct property *p = &o->properties[o->table[slot] - 1];
        if (p->hash != node->count)
            continue;
        if (node->escaped ? json_string_is(v->doc, name, p->name)
                          : slice_eq(p->name, json_raw(v->doc, name)))
            return p;
    }
    return NULL;
}

static enum outcome check_dependents(struct run *v, struct frame *f, const struct rule_object *o)
{
    for (uint32_t i = 0; i < o->dependents_n; i++) {
        const struct dependent_required *d = &o->dependents[i];
        run_charge(v, v->nodes[f->node].count / 8);
        if (json_get_slice(v->doc, f->node, d->name) == JSON_NONE)
            continue;
        for (uint32_t k = 0; k < d->n && !v->limit; k++) {
            run_charge(v, v->nodes[f->node].count / 8);
            if (json_get_slice(v->doc, f->node, d->required[k]) == JSON_NONE &&
                broken(v, f,
                       (struct fault){.kind = KIND_DEPENDENT_REQUIRED, .detail = d->required[k]}))
                return FAIL;
        }
    }
    return PASS;
}

/* What can be said of an object before its members are looked at. */
enum outcome phase_object(struct run *v, struct frame *f)
{
    const struct rule_object *o = v->rules[f->rule].object;
    if (o == NULL)
        return PASS;
    uint32_t count = v->nodes[f->node].count;
    if (count < o->min &&
        broken(v, f, (struct fault){.kind = KIND_MIN_PROPERTIES, .number = o->min}))
        return FAIL;
    if (count > o->max &&
        broken(v, f, (struct fault){.kind = KIND_MAX_PROPERTIES, .number = o->max}))
        return FAIL;
    f->cursor = f->node + 1;
    return o->dependents_n > 0 ? check_dependents(v, f, o) : PASS;
}

/* Names each required property that is missing. */
static enum outcome missing_required(struct run *v, struct frame *f, const struct rule_object *o)
{
    f->failed = true;
    if (!f->explain)
        return FAIL;
    for (uint32_t i = 0; i < o->properties_n && !v->limit; i++) {
        const struct property *p = &o->properties[i];
        run_charge(v, v->nodes[f->node].count / 8);
        if (p->required && json_get_slice(v->doc, f->node, p->name) == JSON_NONE)
            broken(v, f, (struct fault){.kind = KIND_REQUIRED, .detail = p->name});
    }
    return PASS;
}

/* Applies additionalProperties to a member that nothing else knew. */
static enum outcome additional_member(struct run *v, struct frame *f, const struct rule_object *o,
                                      uint32_t name)
{
    if (!f->waiting && v->rules[o->additional].never)
        return broken(v, f, (struct fault){.kind = KIND_ADDITIONAL_PROPERTIES, .other = name})
                   ? FAIL
                   : PASS;
    set_mark(v, f, f->index);
    return run_child(v, f, o->additional, name + 1, f->explain, false);
}

/* The steps of one member: its name, its property, each pattern, the rest. f->sub says which is
 * next. */
static enum outcome member_steps(struct run *v, struct frame *f, const struct rule_object *o,
                                 uint32_t name)
{
    enum { NAME, PROPERTY, PATTERNS };
    enum outcome o_child;
    bool ok = true;
    if (f->sub == NAME) {
        if (o->names != RULE_NONE) {
            o_child = run_child(v, f, o->names, name, f->explain, false);
            if (o_child != PASS)
                return o_child; /* a wrong name says enough about the member */
        }
        f->sub = PROPERTY;
    }
    if (f->sub == PROPERTY) {
        const struct property *p = find_property(v, o, name);
        f->count += p != NULL && p->required && !f->waiting;
        if (p != NULL && p->rule != RULE_NONE) {
            f->matched = true;
            set_mark(v, f, f->index);
            o_child = run_child(v, f, p->rule, name + 1, f->explain, false);
            if (o_child == OPENED)
                return OPENED;
            ok &= o_child == PASS;
        }
        f->sub = PATTERNS;
    }
    for (; f->sub < PATTERNS + o->patterns_n && (ok || f->explain); f->sub++) {
        const struct pattern_property *p = &o->patterns[f->sub - PATTERNS];
        if (!f->waiting && !leaf_pattern(v, p->pattern, node_string(v->doc, name, &v->s->text)))
            continue;
        f->matched = true;
        set_mark(v, f, f->index);
        o_child = run_child(v, f, p->rule, name + 1, f->explain, false);
        if (o_child == OPENED)
            return OPENED;
        ok &= o_child == PASS;
    }
    if (ok && !f->matched && o->additional != RULE_NONE) {
        o_child = additional_member(v, f, o, name);
        if (o_child == OPENED)
            return OPENED;
        ok &= o_child == PASS;
    }
    return ok ? PASS : FAIL;
}

static enum outcome members_general(struct run *v, struct frame *f, const struct rule_object *o)
{
    uint32_t end = v->nodes[f->node].next;
    while (f->cursor < end) {
        enum outcome r = member_steps(v, f, o, f->cursor);
        if (r == OPENED)
            return r;
        if (r == FAIL) {
            f->failed = true;
            if (!f->explain)
                return FAIL;
        }
        f->cursor = v->nodes[f->cursor + 1].next;
        f->index++;
        f->sub = 0;
        f->matched = false;
    }
    return PASS;
}

/* The common case: properties, required, additionalProperties; no patterns, names or marks. A
 * child's result needs no look: here a child that fails ends the frame, save when explaining. */
static enum outcome members_plain(struct run *v, struct frame *f, const struct rule_object *o)
{
    uint32_t end = v->nodes[f->node].next;
    uint32_t cursor = f->cursor;
    uint32_t seen = f->count;
    while (cursor < end) {
        uint32_t name = cursor;
        const struct property *p = find_property(v, o, name);
        uint32_t rule = RULE_NONE;
        cursor = v->nodes[name + 1].next;
        if (p != NULL) {
            seen += p->required;
            rule = p->rule;
        }
        if (rule == RULE_NONE) {
            rule = o->additional;
            if (rule == RULE_NONE)
                continue;
            if (v->rules[rule].never) {
                if (broken(v, f, (struct fault){.kind = KIND_ADDITIONAL_PROPERTIES, .other = name}))
                    return FAIL;
                continue;
            }
        }
        enum outcome r = run_enter(v, rule, name + 1, f->explain);
        if (r == PASS)
            continue;
        if (r == OPENED) {
            f->cursor = cursor;
            f->count = seen;
            f->waiting = true;
            run_push(v, rule, name + 1, f->explain, false);
            return OPENED;
        }
        f->failed = true;
        if (!f->explain)
            return FAIL;
    }
    f->count = seen;
    return PASS;
}

enum outcome phase_members(struct run *v, struct frame *f)
{
    const struct rule_object *o = v->rules[f->rule].object;
    enum outcome r;
    if (o == NULL)
        return PASS;
    if (o->patterns_n == 0 && o->names == RULE_NONE && f->marks == MARKS_NONE) {
        if (f->waiting) {
            f->waiting = false;
            f->failed |= !v->child_ok;
            if (f->failed && !f->explain)
                return FAIL;
        }
        r = members_plain(v, f, o);
    } else {
        r = members_general(v, f, o);
    }
    if (r == PASS && f->count < o->required_n)
        return missing_required(v, f, o);
    return r;
}
