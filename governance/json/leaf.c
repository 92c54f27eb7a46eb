/* Assertions that look at one value without opening a frame. */
#include "json/run.h"

#include "base/codec.h"
#include "base/mem.h"

static uint64_t node_hash(struct run *v, uint32_t i)
{
    struct json_scratch_run *s = v->s;
    uint8_t type = v->nodes[i].type;
    if (type != JSON_ARRAY && type != JSON_OBJECT)
        return hash_scalar(v->doc, i, &s->text);
    if (!v->hashed) {
        if (s->hashes_cap < v->doc->n) {
            mem_free(s->hashes);
            s->hashes_cap = v->doc->cap;
            s->hashes = mem_alloc(s->hashes_cap * sizeof *s->hashes);
        }
        hash_nodes(v->doc, s->hashes, &s->text);
        run_charge(v, v->doc->n);
        v->hashed = true;
    }
    return s->hashes[i];
}

static bool string_in_values(const struct rule_values *values, struct slice text)
{
    if (values->slots == 0) {
        for (uint32_t k = 0; k < values->n; k++)
            if (values->list[k].text.p && slice_eq(values->list[k].text, text))
                return true;
        return false;
    }
    uint64_t hash = hash_string(text);
    uint32_t mask = values->slots - 1;
    for (uint32_t slot = (uint32_t)hash & mask; values->table[slot] != 0;
         slot = (slot + 1) & mask) {
        const struct constant *k = &values->list[values->table[slot] - 1];
        if (k->hash == hash && k->text.p && slice_eq(k->text, text))
            return true;
    }
    return false;
}

static bool is_constant(struct run *v, const struct constant *k, uint64_t hash, uint32_t i)
{
    if (k->hash != hash)
        return false;
    run_charge(v, v->nodes[i].next - i);
    return json_equal(&v->program->constants, k->node, v->doc, i);
}

static bool in_values(struct run *v, const struct rule_values *values, uint32_t i)
{
    const struct json_node *node = &v->nodes[i];
    if (!(values->types & node_type_bit(node)))
        return false;
    if (node->type == JSON_STRING)
        return string_in_values(values, node_string(v->doc, i, &v->s->text));
    uint64_t hash = node_hash(v, i);
    if (values->slots == 0) {
        for (uint32_t k = 0; k < values->n; k++)
            if (is_constant(v, &values->list[k], hash, i))
                return true;
        return false;
    }
    uint32_t mask = values->slots - 1;
    for (uint32_t slot = (uint32_t)hash & mask; values->table[slot] != 0; slot = (slot + 1) & mask)
        if (is_constant(v, &values->list[values->table[slot] - 1], hash, i))
            return true;
    return false;
}

/* PCRE2 does not say how much work a match was, only that it was more than a limit. So the limit is
 * low at first and grows, and each try that was cut is paid from the payload's budget: an honest
 * pattern costs nearly nothing, a hostile pair of pattern and text at most the budget. */
bool leaf_pattern(struct run *v, const struct pattern *pattern, struct slice subject)
{
    struct json_scratch_run *s = v->s;
    uint64_t limit = JSON_PATTERN_STEPS_FIRST + (uint64_t)subject.n * JSON_PATTERN_STEPS_PER_BYTE;
    enum regex_result result;
    run_charge(v, 8 + (int64_t)subject.n / 32);
    for (bool again = false;; again = true) {
        if (limit > JSON_PATTERN_STEPS_MAX)
            limit = JSON_PATTERN_STEPS_MAX;
        result = regex_match(pattern->code, subject, (uint32_t)limit, s->match, s->context);
        if (again && result != REGEX_LIMIT)
            scratch_new_match(s); /* lets go of the memory that an unusual match has taken */
        if (result != REGEX_LIMIT)
            break;
        run_charge(v, (int64_t)limit / JSON_PATTERN_STEPS_PRICE);
        if (v->limit || limit == JSON_PATTERN_STEPS_MAX) {
            v->limit = true;
            scratch_new_match(s);
            break;
        }
        limit *= JSON_PATTERN_STEPS_GROWTH;
    }
    return result == REGEX_YES;
}

static struct fault string_fault(const struct rule_string *r, enum kind kind, uint32_t i)
{
    struct fault f = {.node = i, .kind = (uint8_t)kind};
    switch (kind) {
    case KIND_MIN_LENGTH:
        f.number = r->min_length;
        break;
    case KIND_MAX_LENGTH:
        f.number = r->max_length;
        break;
    case KIND_PATTERN:
        f.detail = r->pattern->source;
        break;
    default:
        f.detail = slice_str(r->format_name);
    }
    return f;
}

static bool check_string(struct run *v, const struct rule_string *r, uint32_t i, bool explain)
{
    struct slice text = node_string(v->doc, i, &v->s->text);
    enum kind kind = KIND_COUNT;
    if (r->min_length > 0 || r->max_length < text.n) {
        uint64_t length = utf8_length(text);
        if (length < r->min_length)
            kind = KIND_MIN_LENGTH;
        else if (length > r->max_length)
            kind = KIND_MAX_LENGTH;
    }
    if (kind == KIND_COUNT && r->pattern && !leaf_pattern(v, r->pattern, text))
        kind = KIND_PATTERN;
    if (kind == KIND_COUNT && r->format && !r->format(text))
        kind = KIND_FORMAT;
    if (kind != KIND_COUNT && explain)
        fault_add(v, string_fault(r, kind, i));
    return kind == KIND_COUNT;
}

static bool check_number(struct run *v, const struct rule_number *r, uint32_t i, bool explain)
{
    enum kind kind;
    if (number_in_bounds(r, v->doc, i, &kind))
        return true;
    if (explain) {
        const struct decimal *d = kind == KIND_MINIMUM             ? &r->minimum.value
                                  : kind == KIND_MAXIMUM           ? &r->maximum.value
                                  : kind == KIND_EXCLUSIVE_MINIMUM ? &r->exclusive_minimum.value
                                  : kind == KIND_EXCLUSIVE_MAXIMUM ? &r->exclusive_maximum.value
                                                                   : &r->divisor;
        fault_add(v, (struct fault){.node = i, .kind = (uint8_t)kind, .detail = d->text});
    }
    return false;
}

bool leaf_check(struct run *v, const struct rule *r, uint32_t i, bool explain)
{
    uint8_t type = v->nodes[i].type;
    if (r->values && !in_values(v, r->values, i)) {
        if (explain)
            fault_add(v, (struct fault){.node = i, .kind = KIND_ENUM});
        return false;
    }
    if (r->constant && !in_values(v, r->constant, i)) {
        if (explain)
            fault_add(v, (struct fault){.node = i, .kind = KIND_CONST});
        return false;
    }
    if (r->number && type == JSON_NUMBER)
        return check_number(v, r->number, i, explain);
    if (r->string && type == JSON_STRING)
        return check_string(v, r->string, i, explain);
    return true;
}

/* Elements are found again by their hash; only equal hashes are compared. Each comparison is paid
 * for, so values made to collide end in the limit and not in n^2. */
bool leaf_unique(struct run *v, uint32_t array, uint32_t *first, uint32_t *second)
{
    struct json_scratch_run *s = v->s;
    uint32_t n = v->nodes[array].count;
    if (n < 2)
        return true;
    uint32_t slots = 16;
    while (slots < n * 2)
        slots *= 2;
    if (slots > s->table_cap) {
        mem_free(s->table);
        s->table = mem_alloc(slots * 2 * sizeof *s->table);
        s->table_cap = slots;
    }
    uint32_t *table = s->table;
    uint32_t *tags = s->table + slots; /* the upper half of each hash */
    memset(table, 0, slots * sizeof *table);
    run_charge(v, n);
    for (uint32_t i = array + 1; i < v->nodes[array].next && !v->limit; i = v->nodes[i].next) {
        uint64_t hash = node_hash(v, i);
        uint32_t tag = (uint32_t)(hash >> 32);
        uint32_t slot = (uint32_t)hash & (slots - 1);
        for (; table[slot] != 0; slot = (slot + 1) & (slots - 1)) {
            uint32_t other = table[slot];
            run_charge(v, 1);
            if (tags[slot] != tag)
                continue;
            run_charge(v, v->nodes[i].next - i);
            if (v->limit)
                return true;
            if (json_equal(v->doc, other, v->doc, i)) {
                *first = other;
                *second = i;
                return false;
            }
        }
        table[slot] = i;
        tags[slot] = tag;
    }
    return true;
}
