/* The inside of the room: the program's structures, shared by its files and by nobody else. */
#ifndef JSON_INTERNAL_H
#define JSON_INTERNAL_H

#define PCRE2_CODE_UNIT_WIDTH 8

#include "base/arena.h"
#include "base/decimal.h"
#include "base/json.h"
#include "base/json_text.h"
#include "json/limits.h"
#include "json/program.h"

#include <pcre2.h>

#define RULE_NONE UINT32_MAX

enum type_bit {
    TYPE_NULL = 1,
    TYPE_BOOLEAN = 2,
    TYPE_INTEGER = 4,
    TYPE_NUMBER = 8, /* includes integers */
    TYPE_STRING = 16,
    TYPE_ARRAY = 32,
    TYPE_OBJECT = 64,
    TYPE_ANY = 127,
};

/* What was violated; each has its keyword and its message in problem.c. */
enum kind {
    KIND_FALSE,
    KIND_TYPE,
    KIND_ENUM,
    KIND_CONST,
    KIND_MINIMUM,
    KIND_MAXIMUM,
    KIND_EXCLUSIVE_MINIMUM,
    KIND_EXCLUSIVE_MAXIMUM,
    KIND_MULTIPLE_OF,
    KIND_MIN_LENGTH,
    KIND_MAX_LENGTH,
    KIND_PATTERN,
    KIND_FORMAT,
    KIND_REQUIRED,
    KIND_ADDITIONAL_PROPERTIES,
    KIND_UNEVALUATED_PROPERTIES,
    KIND_MIN_PROPERTIES,
    KIND_MAX_PROPERTIES,
    KIND_DEPENDENT_REQUIRED,
    KIND_ADDITIONAL_ITEMS,
    KIND_UNEVALUATED_ITEMS,
    KIND_MIN_ITEMS,
    KIND_MAX_ITEMS,
    KIND_UNIQUE_ITEMS,
    KIND_CONTAINS,
    KIND_MAX_CONTAINS,
    KIND_NOT,
    KIND_ANY_OF,
    KIND_ONE_OF,
    KIND_ONE_OF_MANY,
    KIND_LIMIT, /* the work is over a limit: no verdict but refusal is safe */
    KIND_COUNT,
};

/* A set of constants. Values are nodes of program->constants. */
struct constant {
    uint64_t hash;
    uint32_t node;
    struct slice text; /* unescaped, when it is a string */
};

struct rule_values {
    uint32_t n;
    uint32_t slots; /* 0: search in order; else a power of two */
    uint8_t types;  /* type bits that occur; numbers as TYPE_NUMBER */
    struct constant *list;
    const uint32_t *table; /* slot -> index + 1 */
};

struct bound {
    bool present;
    bool small; /* an integer that fits in 64 bits */
    int64_t small_value;
    struct decimal value;
};

struct rule_number {
    struct bound minimum, maximum, exclusive_minimum, exclusive_maximum;
    bool has_divisor;
    struct decimal divisor;
    uint64_t divisor_digits; /* the divisor is divisor_digits * 10^divisor_power */
    int64_t divisor_power;
};

typedef bool (*format_check)(struct slice s);

struct pattern {
    struct slice source;
    pcre2_code *code;
};

struct rule_string {
    uint64_t min_length; /* code points */
    uint64_t max_length; /* UINT64_MAX: none */
    const struct pattern *pattern;
    format_check format;
    const char *format_name;
};

struct property {
    struct slice name;
    uint32_t hash;
    uint32_t rule;     /* RULE_NONE: only required */
    uint32_t required; /* 1 or 0 */
};

struct pattern_property {
    const struct pattern *pattern;
    uint32_t rule;
};

struct dependent_required {
    struct slice name;
    struct slice *required;
    uint32_t n;
};

struct rule_object {
    struct property *properties; /* of "properties" and "required" */
    uint32_t properties_n;
    uint32_t mask;         /* slots - 1 */
    const uint32_t *table; /* slot -> index + 1 */
    uint32_t required_n;
    struct pattern_property *patterns;
    uint32_t patterns_n;
    uint32_t additional; /* RULE_NONE: anything */
    uint32_t names;      /* propertyNames */
    uint32_t unevaluated;
    uint32_t min, max;
    struct dependent_required *dependents;
    uint32_t dependents_n;
};

struct rule_array {
    uint32_t *prefix;
    uint32_t prefix_n;
    uint32_t items; /* for what follows the prefix */
    uint32_t contains;
    uint32_t min_contains, max_contains;
    uint32_t unevaluated;
    uint32_t min, max;
    bool unique;
    bool contains_evaluates; /* 2020-12: what contains accepts counts as evaluated */
    bool closed_by_items;    /* "items" follows "prefixItems", else "additionalItems" */
};

enum op_kind { OP_MUST, OP_ANY, OP_ONE, OP_NOT, OP_IF, OP_DEPENDENT, OP_DYNAMIC };

/* A subschema that applies to the same value. */
struct rule_op {
    uint8_t kind;
    uint32_t rule; /* MUST, NOT, IF, DEPENDENT; DYNAMIC: where the reference points at first */
    uint32_t then_rule, else_rule; /* IF; RULE_NONE when missing */
    uint32_t *branches;            /* ANY, ONE */
    uint32_t branches_n;
    uint32_t anchor;   /* DYNAMIC: number of the anchor's name */
    struct slice name; /* DEPENDENT: the property */
};

struct rule {
    uint8_t types;  /* that are allowed */
    uint8_t leaf;   /* types for which values, number or string say something */
    uint8_t frames; /* types for which array, object or ops say something */
    bool never;     /* the schema false */
    bool unevaluated;
    bool draft4_integer; /* 1.0 is no integer */
    uint32_t resource;
    uint32_t ops_n;
    const struct rule_op *ops;
    const struct rule_values *values;   /* enum */
    const struct rule_values *constant; /* const */
    const struct rule_number *number;
    const struct rule_string *string;
    const struct rule_array *array;
    const struct rule_object *object;
};

/* A place that $dynamicRef and $recursiveRef look for among the resources being evaluated. */
struct dynamic_anchor {
    uint32_t resource;
    uint32_t anchor;
    uint32_t rule;
};

struct json_program {
    struct arena arena; /* owns everything but the patterns' code and constants */
    struct rule *rules;
    uint32_t rules_n;
    uint32_t root;
    bool dynamic; /* has $dynamicRef or $recursiveRef, so evaluation knows its resources */
    struct dynamic_anchor *anchors;
    uint32_t anchors_n;
    struct pattern **patterns;
    uint32_t patterns_n;
    struct json_doc constants; /* an array of all enum and const values; its text is in the arena */
    uint64_t *constant_hashes; /* of constants.node */
};

/* uri.c: RFC 3986. Results live in the arena, without a fragment unless it is said. */
struct slice uri_resolve(struct slice base, struct slice reference, struct arena *a);
void uri_split(struct slice uri, struct slice *without_fragment, struct slice *fragment);
bool uri_decode(struct slice in, struct arena *a, struct slice *out); /* %XX */

/* regex.c: ECMA-262 patterns as PCRE2 understands them. */
pcre2_code *regex_compile(struct slice source, struct err *err);
bool regex_is_ecma(struct slice source);
enum regex_result { REGEX_NO, REGEX_YES, REGEX_LIMIT };
/* One match of at most `limit` of PCRE2's steps. */
enum regex_result regex_match(const pcre2_code *code, struct slice subject, uint32_t limit,
                              pcre2_match_data *data, pcre2_match_context *context);

/* format.c: NULL for a format that is not known, which is an annotation then. */
format_check format_find(struct slice name, const char **known_name);

/* hash.c: hashes of values: equal values have equal hashes. */
uint64_t hash_string(struct slice text);
/* Of every node of doc, children before parents, into hashes[doc->n]. text is scratch. */
void hash_nodes(const struct json_doc *doc, uint64_t *hashes, struct bytes *text);
uint64_t hash_scalar(const struct json_doc *doc, uint32_t i, struct bytes *text);

/* optimise.c: removes rules that only point at another one. */
void program_optimise(struct json_program *p);

/* number.c */
bool number_in_bounds(const struct rule_number *r, const struct json_doc *doc, uint32_t i,
                      enum kind *broken);

/* The unescaped text of string node i, in text when it has escapes. */
static inline struct slice node_string(const struct json_doc *doc, uint32_t i, struct bytes *text)
{
    struct slice raw = json_raw(doc, i);
    if (!doc->node[i].escaped)
        return raw;
    bytes_clear(text);
    bytes_reserve(text, raw.n + 1);
    return slice_of(text->p, json_unescape(raw, text->p));
}

static inline uint8_t node_type_bit(const struct json_node *node)
{
    static const uint8_t bits[] = {TYPE_NULL,   TYPE_BOOLEAN, TYPE_BOOLEAN, TYPE_NUMBER,
                                   TYPE_STRING, TYPE_ARRAY,   TYPE_OBJECT};
    return bits[node->type];
}

#endif
