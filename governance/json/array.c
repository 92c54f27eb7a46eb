/* The phases of an array. */
#include "json/run.h"

enum outcome phase_array(struct run *v, struct frame *f)
{
    const struct rule_array *a = v->rules[f->rule].array;
    if (a == NULL)
        return PASS;
    uint32_t count = v->nodes[f->node].count;
    uint32_t first, second;
    if (count < a->min && broken(v, f, (struct fault){.kind = KIND_MIN_ITEMS, .number = a->min}))
        return FAIL;
    if (count > a->max && broken(v, f, (struct fault){.kind = KIND_MAX_ITEMS, .number = a->max}))
        return FAIL;
    if (a->unique && !leaf_unique(v, f->node, &first, &second) &&
        broken(v, f, (struct fault){.kind = KIND_UNIQUE_ITEMS, .other = first, .number = second}))
        return FAIL;
    f->cursor = f->node + 1;
    f->index = 0;
    return PASS;
}

enum outcome phase_items(struct run *v, struct frame *f)
{
    const struct rule_array *a = v->rules[f->rule].array;
    if (a == NULL || (a->prefix_n == 0 && a->items == RULE_NONE))
        return PASS;
    uint32_t end = v->nodes[f->node].next;
    for (; f->cursor < end; f->cursor = v->nodes[f->cursor].next, f->index++) {
        uint32_t rule = f->index < a->prefix_n ? a->prefix[f->index] : a->items;
        if (rule == RULE_NONE)
            break;
        if (f->index >= a->prefix_n && v->rules[rule].never) {
            if (broken(v, f, (struct fault){.kind = KIND_ADDITIONAL_ITEMS, .number = a->prefix_n}))
                return FAIL;
            break;
        }
        set_mark(v, f, f->index);
        enum outcome r = run_child(v, f, rule, f->cursor, f->explain, false);
        if (r == OPENED)
            return r;
        if (r == FAIL) {
            f->failed = true;
            if (!f->explain)
                return FAIL;
        }
    }
    return PASS;
}

enum outcome phase_contains(struct run *v, struct frame *f)
{
    const struct rule_array *a = v->rules[f->rule].array;
    if (a == NULL || a->contains == RULE_NONE)
        return PASS;
    if (f->sub == 0) {
        f->sub = 1;
        f->cursor = f->node + 1;
        f->index = 0;
        f->count = 0;
    }
    uint32_t end = v->nodes[f->node].next;
    bool count_all = a->max_contains != UINT32_MAX || f->marks != MARKS_NONE;
    for (; f->cursor < end; f->cursor = v->nodes[f->cursor].next, f->index++) {
        if (!count_all && !f->waiting && f->count >= a->min_contains)
            break;
        enum outcome r = run_child(v, f, a->contains, f->cursor, false, false);
        if (r == OPENED)
            return r;
        if (r == FAIL)
            continue;
        f->count++;
        if (a->contains_evaluates)
            set_mark(v, f, f->index);
    }
    if (f->count < a->min_contains &&
        broken(v, f, (struct fault){.kind = KIND_CONTAINS, .number = a->min_contains}))
        return FAIL;
    if (f->count > a->max_contains &&
        broken(v, f, (struct fault){.kind = KIND_MAX_CONTAINS, .number = a->max_contains}))
        return FAIL;
    return PASS;
}
