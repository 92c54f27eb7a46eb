/* From faults to the words that people read. */
#include "json/run.h"

#include "base/codec.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Numbers and details that do not fit a plain sentence are handled in message(). */
static const struct {
    const char *rule;
    const char *message;
} kinds[KIND_COUNT] = {
    [KIND_FALSE] = {"false schema", "is not allowed here"},
    [KIND_TYPE] = {"type", NULL},
    [KIND_ENUM] = {"enum", "must be equal to one of the allowed values"},
    [KIND_CONST] = {"const", "must be equal to constant"},
    [KIND_MINIMUM] = {"minimum", "must be >= "},
    [KIND_MAXIMUM] = {"maximum", "must be <= "},
    [KIND_EXCLUSIVE_MINIMUM] = {"exclusiveMinimum", "must be > "},
    [KIND_EXCLUSIVE_MAXIMUM] = {"exclusiveMaximum", "must be < "},
    [KIND_MULTIPLE_OF] = {"multipleOf", "must be multiple of "},
    [KIND_MIN_LENGTH] = {"minLength", "must NOT have fewer than %u characters"},
    [KIND_MAX_LENGTH] = {"maxLength", "must NOT have more than %u characters"},
    [KIND_PATTERN] = {"pattern", "must match pattern "},
    [KIND_FORMAT] = {"format", "must match format "},
    [KIND_REQUIRED] = {"required", "must have required property "},
    [KIND_ADDITIONAL_PROPERTIES] = {"additionalProperties", "must NOT have additional property "},
    [KIND_UNEVALUATED_PROPERTIES] = {"unevaluatedProperties",
                                     "must NOT have unevaluated property "},
    [KIND_MIN_PROPERTIES] = {"minProperties", "must NOT have fewer than %u properties"},
    [KIND_MAX_PROPERTIES] = {"maxProperties", "must NOT have more than %u properties"},
    [KIND_DEPENDENT_REQUIRED] = {"dependentRequired", "must have property "},
    [KIND_ADDITIONAL_ITEMS] = {"items", "must NOT have more than %u items"},
    [KIND_UNEVALUATED_ITEMS] = {"unevaluatedItems", "must NOT have unevaluated items"},
    [KIND_MIN_ITEMS] = {"minItems", "must NOT have fewer than %u items"},
    [KIND_MAX_ITEMS] = {"maxItems", "must NOT have more than %u items"},
    [KIND_UNIQUE_ITEMS] = {"uniqueItems", NULL},
    [KIND_CONTAINS] = {"contains", "must contain at least %u valid item(s)"},
    [KIND_MAX_CONTAINS] = {"maxContains", "must contain at most %u valid item(s)"},
    [KIND_NOT] = {"not", "must NOT be valid"},
    [KIND_ANY_OF] = {"anyOf", "must match a schema in anyOf"},
    [KIND_ONE_OF] = {"oneOf", "must match exactly one schema in oneOf"},
    [KIND_ONE_OF_MANY] = {"oneOf", "must match exactly one schema in oneOf, matches several"},
    [KIND_LIMIT] = {"limit", "needs more work than is allowed for one payload"},
};

void fault_add(struct run *v, struct fault fault)
{
    if (v->s->faults_n < JSON_PROBLEMS_MAX)
        v->s->faults[v->s->faults_n++] = fault;
}

/* How far a branch of anyOf or oneOf was from its value. */
struct rank {
    int wrong_kind; /* 2: the value's own type or constant; 1: a member's constant; else 0 */
    uint32_t first; /* the first problem's node: the later, the better */
    uint32_t n;
};

static bool is_member(struct run *v, uint32_t object, uint32_t value)
{
    run_charge(v, v->nodes[object].count / 8);
    if (v->nodes[object].type != JSON_OBJECT)
        return false;
    uint32_t end = v->nodes[object].next;
    for (uint32_t i = object + 1; i < end && i < value; i = v->nodes[i + 1].next)
        if (i + 1 == value)
            return true;
    return false;
}

static struct rank rank_of(struct run *v, uint32_t node, const struct fault *list, uint32_t n)
{
    struct rank r = {.first = UINT32_MAX, .n = n};
    for (uint32_t i = 0; i < n; i++) {
        uint8_t kind = list[i].kind;
        bool constant = kind == KIND_ENUM || kind == KIND_CONST;
        if (list[i].node < r.first)
            r.first = list[i].node;
        if (list[i].node == node && (constant || kind == KIND_TYPE || kind == KIND_FALSE))
            r.wrong_kind = 2;
        else if (constant && r.wrong_kind == 0 && !v->limit && is_member(v, node, list[i].node))
            r.wrong_kind = 1;
    }
    return r;
}

static bool better(struct rank a, struct rank b)
{
    if (a.wrong_kind != b.wrong_kind)
        return a.wrong_kind < b.wrong_kind;
    if (a.first != b.first)
        return a.first > b.first;
    return a.n < b.n;
}

/* Of a union's branches the one that was meant says what is wrong. Meant is the branch that does
 * not already fail at the value's type or at a constant that tells branches apart ("action"); among
 * those the one whose first problem comes last in the text. */
void fault_keep_best(struct run *v, struct frame *f)
{
    struct json_scratch_run *s = v->s;
    uint32_t start = f->best_end ? f->best_end : f->fault_mark;
    uint32_t n = s->faults_n - start;
    struct fault *list = s->faults;
    if (f->best_end) {
        struct rank old = rank_of(v, f->node, list + f->fault_mark, f->best_end - f->fault_mark);
        if (!better(rank_of(v, f->node, list + start, n), old)) {
            s->faults_n = f->best_end;
            return;
        }
        memmove(list + f->fault_mark, list + start, n * sizeof *list);
        s->faults_n = f->fault_mark + n;
    }
    f->best_end = n > 0 ? s->faults_n : 0;
}

static int cmp_fault(const void *a, const void *b)
{
    const struct fault *x = a;
    const struct fault *y = b;
    if (x->node != y->node)
        return x->node < y->node ? -1 : 1;
    return (x->kind > y->kind) - (x->kind < y->kind);
}

void fault_sort(struct run *v)
{
    qsort(v->s->faults, v->s->faults_n, sizeof(struct fault), cmp_fault);
}

/* Copies what fits, and never half a character. */
static void copy_text(char *out, size_t cap, struct slice s)
{
    size_t n = s.n < cap ? s.n : cap - 1;
    if (n < s.n)
        while (n > 0 && (s.p[n] & 0xc0) == 0x80)
            n--;
    if (n > 0)
        memcpy(out, s.p, n);
    out[n] = '\0';
}

static void add_types(struct bytes *out, uint64_t types)
{
    static const char *const names[] = {"null",   "boolean", "integer", "number",
                                        "string", "array",   "object"};
    bool first = true;
    bytes_add_str(out, "must be ");
    for (unsigned i = 0; i < 7; i++) {
        if (!(types >> i & 1))
            continue;
        bytes_printf(out, "%s%s", first ? "" : " or ", names[i]);
        first = false;
    }
}

static void add_quoted(struct bytes *out, struct slice s, char quote)
{
    bytes_add_u8(out, (uint8_t)quote);
    bytes_add_slice(out, s);
    bytes_add_u8(out, (uint8_t)quote);
}

static uint32_t element_number(const struct run *v, uint32_t array, uint32_t element)
{
    uint32_t n = 0;
    for (uint32_t i = array + 1; i < element; i = v->nodes[i].next)
        n++;
    return n;
}

static void message(struct run *v, const struct fault *f, struct bytes *out)
{
    const char *text = kinds[f->kind].message;
    switch ((enum kind)f->kind) {
    case KIND_TYPE:
        add_types(out, f->number);
        break;
    case KIND_MINIMUM:
    case KIND_MAXIMUM:
    case KIND_EXCLUSIVE_MINIMUM:
    case KIND_EXCLUSIVE_MAXIMUM:
    case KIND_MULTIPLE_OF:
        bytes_add_str(out, text);
        bytes_add_slice(out, f->detail);
        break;
    case KIND_PATTERN:
    case KIND_FORMAT:
        bytes_add_str(out, text);
        add_quoted(out, f->detail, '"');
        break;
    case KIND_REQUIRED:
    case KIND_DEPENDENT_REQUIRED:
        bytes_add_str(out, text);
        add_quoted(out, f->detail, '\'');
        break;
    case KIND_ADDITIONAL_PROPERTIES:
    case KIND_UNEVALUATED_PROPERTIES:
        bytes_add_str(out, text);
        add_quoted(out, node_string(v->doc, f->other, &v->s->text), '\'');
        break;
    case KIND_UNIQUE_ITEMS:
        bytes_printf(out, "must NOT have duplicate items (items %u and %u are identical)",
                     element_number(v, f->node, f->other),
                     element_number(v, f->node, (uint32_t)f->number));
        break;
    case KIND_MIN_LENGTH:
    case KIND_MAX_LENGTH:
    case KIND_MIN_PROPERTIES:
    case KIND_MAX_PROPERTIES:
    case KIND_ADDITIONAL_ITEMS:
    case KIND_MIN_ITEMS:
    case KIND_MAX_ITEMS:
    case KIND_CONTAINS:
    case KIND_MAX_CONTAINS: {
        const char *percent = strchr(text, '%');
        bytes_add(out, text, (size_t)(percent - text));
        bytes_printf(out, "%" PRIu64, f->number);
        bytes_add_str(out, strchr(percent, ' '));
        break;
    }
    default:
        bytes_add_str(out, text);
    }
}

void fault_text(struct run *v, const struct fault *fault, struct json_problem *out)
{
    struct bytes text = {0};
    json_pointer(v->doc, fault->node, &text);
    copy_text(out->path, sizeof out->path, bytes_slice(&text));
    copy_text(out->rule, sizeof out->rule, slice_str(kinds[fault->kind].rule));
    bytes_clear(&text);
    message(v, fault, &text);
    copy_text(out->message, sizeof out->message, bytes_slice(&text));
    bytes_free(&text);
}
