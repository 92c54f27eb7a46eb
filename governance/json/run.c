#include "json/run.h"

#include "base/check.h"
#include "base/mem.h"

#include <stdio.h>

static uint32_t marks_size(const struct run *v, uint32_t node)
{
    return v->nodes[node].count / 64 + 1;
}

static uint32_t new_marks(struct run *v, uint32_t node)
{
    struct json_scratch_run *s = v->s;
    uint32_t n = marks_size(v, node);
    uint32_t start = s->words_n;
    if (s->words_cap - start < n) {
        s->words_cap = (start + n) * 2;
        s->words = mem_realloc(s->words, s->words_cap * sizeof *s->words);
    }
    memset(s->words + start, 0, n * sizeof *s->words);
    s->words_n += n;
    run_charge(v, n);
    return start;
}

void run_push(struct run *v, uint32_t rule, uint32_t node, bool explain, bool in_place)
{
    struct json_scratch_run *s = v->s;
    if (s->frames_n == s->frames_cap) {
        if (s->frames_n >= JSON_FRAMES_MAX)
            v->limit = true; /* the frame is still pushed: the caller counts on it */
        s->frames_cap = s->frames_cap ? s->frames_cap * 2 : 64;
        s->frames = mem_realloc(s->frames, s->frames_cap * sizeof *s->frames);
    }
    uint8_t type = v->nodes[node].type;
    bool marks = v->rules[rule].unevaluated ||
                 (in_place && s->frames_n > 0 && s->frames[s->frames_n - 1].marks != MARKS_NONE);
    marks = marks && (type == JSON_ARRAY || type == JSON_OBJECT);
    s->frames[s->frames_n++] = (struct frame){
        .rule = rule,
        .node = node,
        .phase = type == JSON_OBJECT  ? PHASE_OBJECT
                 : type == JSON_ARRAY ? PHASE_ARRAY
                                      : PHASE_OPS,
        .explain = explain,
        .in_place = in_place,
        .marks = marks ? new_marks(v, node) : MARKS_NONE,
    };
}

static bool is_whole(const struct run *v, const struct rule *r, uint32_t i)
{
    if (v->nodes[i].integer)
        return true;
    if (r->draft4_integer)
        return false;
    struct decimal d = decimal_of(json_raw(v->doc, i));
    return decimal_is_integer(&d);
}

enum outcome run_enter(struct run *v, uint32_t rule, uint32_t i, bool explain)
{
    const struct rule *r = &v->rules[rule];
    uint8_t bit = node_type_bit(&v->nodes[i]);
    if (--v->steps < 0)
        v->limit = true;
    if (!(r->types & bit) &&
        !(bit == TYPE_NUMBER && (r->types & TYPE_INTEGER) && is_whole(v, r, i))) {
        if (explain)
            fault_add(v, (struct fault){.node = i, .kind = KIND_TYPE, .number = r->types});
        return FAIL;
    }
    if (r->never) {
        if (explain)
            fault_add(v, (struct fault){.node = i, .kind = KIND_FALSE});
        return FAIL;
    }
    if ((r->leaf & bit) && !leaf_check(v, r, i, explain))
        return FAIL;
    return r->frames & bit ? OPENED : PASS;
}

enum outcome run_child(struct run *v, struct frame *f, uint32_t rule, uint32_t node, bool explain,
                       bool in_place)
{
    if (f->waiting) {
        f->waiting = false;
        return v->child_ok ? PASS : FAIL;
    }
    enum outcome o = run_enter(v, rule, node, explain);
    if (o == OPENED) {
        f->waiting = true;
        run_push(v, rule, node, explain, in_place);
    }
    return o;
}

/* Children that no keyword of this value, here or in subschemas in place, has evaluated. */
static enum outcome phase_unevaluated(struct run *v, struct frame *f)
{
    const struct rule *r = &v->rules[f->rule];
    bool object = v->nodes[f->node].type == JSON_OBJECT;
    uint32_t rule = object ? (r->object ? r->object->unevaluated : RULE_NONE)
                           : (r->array ? r->array->unevaluated : RULE_NONE);
    if (f->marks == MARKS_NONE || rule == RULE_NONE)
        return PASS;
    if (f->sub == 0) {
        f->sub = 1;
        f->cursor = f->node + 1;
        f->index = 0;
    }
    uint32_t end = v->nodes[f->node].next;
    for (; f->cursor < end; f->index++) {
        uint32_t value = f->cursor + object;
        if (f->waiting || !has_mark(v, f, f->index)) {
            bool never = v->rules[rule].never;
            enum outcome o = never ? FAIL : run_child(v, f, rule, value, f->explain, false);
            if (o == OPENED)
                return o;
            if (o == FAIL && !never)
                f->failed = true;
            if (never)
                broken(v, f,
                       (struct fault){.kind = object ? KIND_UNEVALUATED_PROPERTIES
                                                     : KIND_UNEVALUATED_ITEMS,
                                      .other = f->cursor});
            if (f->failed && !f->explain)
                return FAIL;
            set_mark(v, f, f->index);
        }
        f->cursor = v->nodes[value].next;
    }
    return PASS;
}

static enum outcome run_phase(struct run *v, struct frame *f)
{
    switch ((enum phase)f->phase) {
    case PHASE_OBJECT:
        return phase_object(v, f);
    case PHASE_MEMBERS:
        return phase_members(v, f);
    case PHASE_ARRAY:
        return phase_array(v, f);
    case PHASE_ITEMS:
        return phase_items(v, f);
    case PHASE_CONTAINS:
        return phase_contains(v, f);
    case PHASE_OPS:
        return phase_ops(v, f);
    case PHASE_UNEVALUATED:
        return phase_unevaluated(v, f);
    case PHASE_DONE:
        break;
    }
    return FAIL;
}

static void next_phase(struct frame *f)
{
    f->phase = f->phase == PHASE_MEMBERS ? PHASE_OPS : (uint8_t)(f->phase + 1);
    f->sub = 0;
}

static void pop(struct run *v)
{
    struct json_scratch_run *s = v->s;
    struct frame *f = &s->frames[--s->frames_n];
    v->child_ok = !f->failed;
    if (f->marks == MARKS_NONE)
        return;
    struct frame *parent = f - 1;
    if (v->child_ok && f->in_place && parent->marks != MARKS_NONE) {
        uint32_t n = marks_size(v, f->node);
        for (uint32_t i = 0; i < n; i++)
            s->words[parent->marks + i] |= s->words[f->marks + i];
    }
    s->words_n = f->marks;
}

static bool run_all(struct run *v, bool explain)
{
    struct json_scratch_run *s = v->s;
    s->frames_n = 0;
    s->words_n = 0;
    s->faults_n = 0;
    enum outcome o = run_enter(v, v->program->root, 0, explain);
    if (o != OPENED)
        return o == PASS;
    run_push(v, v->program->root, 0, explain, false);
    while (s->frames_n > 0 && !v->limit) {
        struct frame *f = &s->frames[s->frames_n - 1];
        o = run_phase(v, f);
        if (o == OPENED)
            continue;
        if (o == FAIL)
            f->failed = true;
        else
            next_phase(f);
        if (o == FAIL || f->phase == PHASE_DONE)
            pop(v);
    }
    return v->child_ok && !v->limit;
}

static void set_budget(struct run *v)
{
    int64_t steps = JSON_STEPS_BASE + (int64_t)v->doc->n * JSON_STEPS_PER_NODE;
    v->steps = steps < JSON_STEPS_MAX ? steps : JSON_STEPS_MAX;
    v->limit = false;
}

static size_t malformed(struct run *v, struct json_problem *problems, size_t max)
{
    if (max == 0)
        return 0;
    struct json_problem *p = &problems[0];
    p->path[0] = '\0';
    snprintf(p->rule, sizeof p->rule, "malformed");
    snprintf(p->message, sizeof p->message, "%s at byte %u", v->doc->error, v->doc->error_offset);
    return 1;
}

static size_t explain(struct run *v, struct json_problem *problems, size_t max)
{
    static const struct fault over = {.kind = KIND_LIMIT};
    struct json_scratch_run *s = v->s;
    bool limit = v->limit;
    if (max == 0)
        return 0;
    if (!limit) {
        set_budget(v);
        run_all(v, true);
        fault_sort(v);
    }
    /* Explaining looks at more than judging and may pass the limit where judging did not. */
    if (limit || s->faults_n == 0) {
        fault_text(v, &over, &problems[0]);
        return 1;
    }
    size_t n = s->faults_n < max ? s->faults_n : max;
    for (size_t i = 0; i < n; i++)
        fault_text(v, &s->faults[i], &problems[i]);
    return n;
}

/* One giant payload must not hold its memory in every thread's scratch for ever. */
static void let_go(struct json_scratch_run *s)
{
    json_free(&s->doc);
    mem_free(s->hashes);
    mem_free(s->table);
    s->hashes = NULL;
    s->hashes_cap = 0;
    s->table = NULL;
    s->table_cap = 0;
}

enum json_verdict json_program_run(const struct json_program *program, struct slice payload,
                                   struct json_scratch_run *s, struct json_problem *problems,
                                   size_t max, size_t *found)
{
    static const struct json_limits limits = {.max_depth = JSON_PAYLOAD_DEPTH_MAX};
    struct run v = {.program = program, .rules = program->rules, .s = s, .doc = &s->doc};
    size_t n = 0;
    enum json_verdict verdict = JSON_VALID;
    if (json_parse(&s->doc, payload, &limits, NULL) != 0) {
        n = malformed(&v, problems, max);
        verdict = JSON_MALFORMED;
    } else {
        v.nodes = s->doc.node;
        set_budget(&v);
        if (!run_all(&v, false)) {
            n = explain(&v, problems, max);
            verdict = JSON_INVALID;
        }
    }
    if (s->doc.cap > JSON_SCRATCH_NODES_KEEP)
        let_go(s);
    if (found)
        *found = n;
    return verdict;
}

void scratch_new_match(struct json_scratch_run *s)
{
    pcre2_match_data_free(s->match);
    s->match = pcre2_match_data_create(1, NULL);
    ASSERT(s->match != NULL);
}

struct json_scratch_run *json_scratch_new(void)
{
    struct json_scratch_run *s = MEM_NEW(struct json_scratch_run);
    s->faults = mem_alloc(JSON_PROBLEMS_MAX * sizeof *s->faults);
    s->context = pcre2_match_context_create(NULL);
    ASSERT(s->context != NULL);
    scratch_new_match(s);
    pcre2_set_depth_limit(s->context, JSON_PATTERN_STEPS_MAX); /* the memory is what bounds it */
    pcre2_set_heap_limit(s->context, JSON_PATTERN_HEAP_KIB);
    return s;
}

void json_scratch_free(struct json_scratch_run *s)
{
    if (s == NULL)
        return;
    pcre2_match_data_free(s->match);
    pcre2_match_context_free(s->context);
    json_free(&s->doc);
    mem_free(s->frames);
    mem_free(s->words);
    mem_free(s->faults);
    mem_free(s->hashes);
    mem_free(s->table);
    bytes_free(&s->text);
    mem_free(s);
}
