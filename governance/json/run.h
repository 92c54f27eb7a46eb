/* The evaluation of one payload: frames instead of recursion. A frame is one rule applied to one
 * value; it works through its phases and opens child frames on the way. Shared by run.c, object.c,
 * array.c, leaf.c, ops.c and problem.c. */
#ifndef JSON_RUN_H
#define JSON_RUN_H

#include "json/internal.h"

#define MARKS_NONE UINT32_MAX

enum outcome { FAIL, PASS, OPENED };

enum phase {
    PHASE_OBJECT,
    PHASE_MEMBERS,
    PHASE_ARRAY,
    PHASE_ITEMS,
    PHASE_CONTAINS,
    PHASE_OPS,
    PHASE_UNEVALUATED,
    PHASE_DONE,
};

struct frame {
    uint32_t rule;
    uint32_t node;
    uint8_t phase;
    bool waiting; /* for the child frame above */
    bool failed;
    bool explain;    /* record problems and go on after the first */
    bool in_place;   /* judges its parent's value, so its marks are the parent's too */
    bool matched;    /* the member at hand: properties or patternProperties knew it */
    uint32_t cursor; /* node of the member's name or the element at hand */
    uint32_t index;  /* its number */
    uint32_t sub;    /* step within a member or an op */
    uint32_t count;  /* required seen, items contained, branches matched */
    uint32_t op;
    uint32_t marks;      /* start of the bits of evaluated children in words, or MARKS_NONE */
    uint32_t fault_mark; /* problems before the op at hand */
    uint32_t best_end;   /* end of the best branch's problems; 0: none yet */
};

/* A problem before it is text. */
struct fault {
    uint32_t node;
    uint32_t other; /* a second node */
    uint8_t kind;
    uint64_t number;
    struct slice detail; /* borrowed from the program */
};

struct json_scratch_run {
    struct json_doc doc;
    struct frame *frames;
    uint32_t frames_n, frames_cap;
    uint64_t *words;
    uint32_t words_n, words_cap;
    struct fault *faults; /* JSON_PROBLEMS_MAX */
    uint32_t faults_n;
    uint64_t *hashes; /* of all nodes, made when first needed */
    uint32_t hashes_cap;
    uint32_t *table; /* for uniqueItems */
    uint32_t table_cap;
    struct bytes text;
    pcre2_match_data *match;
    pcre2_match_context *context;
};

struct run {
    const struct json_program *program;
    const struct rule *rules;
    struct json_scratch_run *s;
    const struct json_doc *doc;
    const struct json_node *nodes;
    int64_t steps; /* that are left */
    bool limit;    /* they ran out, or a pattern did */
    bool hashed;
    bool child_ok; /* the result of the frame that was closed last */
};

static inline void run_charge(struct run *v, int64_t steps)
{
    v->steps -= steps;
    if (v->steps < 0)
        v->limit = true;
}

/* run.c */
void run_push(struct run *v, uint32_t rule, uint32_t node, bool explain, bool in_place);
enum outcome run_enter(struct run *v, uint32_t rule, uint32_t node, bool explain);
/* Resumes the child that f waits for, or starts it. After OPENED f is no longer valid. */
enum outcome run_child(struct run *v, struct frame *f, uint32_t rule, uint32_t node, bool explain,
                       bool in_place);

void scratch_new_match(struct json_scratch_run *s);

/* leaf.c */
bool leaf_check(struct run *v, const struct rule *r, uint32_t node, bool explain);
bool leaf_unique(struct run *v, uint32_t array, uint32_t *first, uint32_t *second);
bool leaf_pattern(struct run *v, const struct pattern *pattern, struct slice subject);

/* object.c, array.c */
enum outcome phase_object(struct run *v, struct frame *f);
enum outcome phase_members(struct run *v, struct frame *f);
enum outcome phase_array(struct run *v, struct frame *f);
enum outcome phase_items(struct run *v, struct frame *f);
enum outcome phase_contains(struct run *v, struct frame *f);

/* ops.c */
enum outcome phase_ops(struct run *v, struct frame *f);

/* problem.c */
void fault_add(struct run *v, struct fault fault);
void fault_keep_best(struct run *v, struct frame *f);
void fault_text(struct run *v, const struct fault *fault, struct json_problem *out);
void fault_sort(struct run *v);

static inline void set_mark(struct run *v, const struct frame *f, uint32_t index)
{
    if (f->marks != MARKS_NONE)
        v->s->words[f->marks + index / 64] |= UINT64_C(1) << index % 64;
}

static inline bool has_mark(const struct run *v, const struct frame *f, uint32_t index)
{
    return v->s->words[f->marks + index / 64] >> index % 64 & 1;
}

/* A problem of f's own value. Returns whether the phase must stop. */
static inline bool broken(struct run *v, struct frame *f, struct fault fault)
{
    f->failed = true;
    if (!f->explain)
        return true;
    fault.node = f->node;
    fault_add(v, fault);
    return false;
}

#endif
