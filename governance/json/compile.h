/* The compiler's own state, shared by compile.c, discover.c, keywords.c and applicators.c. It lives
 * during one json_program_compile. */
#ifndef JSON_COMPILE_H
#define JSON_COMPILE_H

#include "base/map.h"
#include "json/internal.h"

struct document {
    struct slice name; /* how references call it; empty for the schema itself */
    struct json_doc doc;
    uint32_t *rule_of;     /* per node: its rule, or RULE_NONE */
    uint32_t *resource_of; /* per node that is a known subschema: its resource, or RULE_NONE */
};

/* A schema with a URI of its own: a document's root or a subschema with $id. */
struct resource {
    uint32_t index; /* in compiler.resources */
    uint32_t document;
    uint32_t node;
    struct slice uri; /* without fragment */
    enum json_dialect dialect;
    bool guessed;    /* no $schema said the dialect */
    bool validation; /* the vocabulary of assertions is in force */
    bool formats;    /* "format" asserts */
};

struct anchor {
    uint32_t resource;
    uint32_t node;
    uint32_t name; /* number of the name, for dynamic ones */
    bool dynamic;
};

/* A subschema that waits to be compiled. */
struct work {
    uint32_t document;
    uint32_t node;
    uint32_t rule;
};

struct compiler {
    struct json_program *program;
    const struct json_compile_options *options;
    struct arena arena; /* of the compilation */
    struct document *documents;
    uint32_t documents_n;
    struct resource **resources; /* in the arena, so that they do not move */
    uint32_t resources_n, resources_cap;
    struct map by_uri;        /* URI or name -> index of a resource + 1 */
    struct map by_anchor;     /* resource, name -> struct anchor */
    struct map dynamic_names; /* name -> number + 1 */
    struct anchor **dynamic;  /* all dynamic anchors */
    uint32_t dynamic_n, dynamic_cap;
    struct work *work;
    uint32_t work_n, work_cap;
    uint32_t rules_cap;
    struct rule_op *ops; /* of the rule at hand */
    uint32_t ops_n, ops_cap;
    struct bytes constants;
    uint32_t constants_n;
    struct rule_values **values; /* all, to be finished when the constants are parsed */
    uint32_t values_n, values_cap;
    struct map patterns; /* source -> struct pattern */
    uint32_t patterns_cap;
    struct bytes text; /* scratch */
    struct json_problem *problem;
    struct err *err;
    int rc;
};

/* The schema object at hand. */
struct place {
    uint32_t document;
    uint32_t node;
    const struct json_doc *doc;
    const struct resource *resource;
};

/* Grows a compiler array so that it holds one more. */
void *compile_grow(void *list, uint32_t n, uint32_t *cap, size_t size);

/* Remembers the fault and returns false. */
bool compile_fail(struct compiler *c, enum err_code code, uint32_t document, uint32_t node,
                  const char *rule, const char *fmt, ...) __attribute__((format(printf, 6, 7)));

/* discover.c: finds resources and anchors below a node; resource is that of its parent, RULE_NONE
 * for a document's root. */
bool discover(struct compiler *c, uint32_t document, uint32_t node, uint32_t resource);
/* The place that a reference from resource means. */
bool resolve_reference(struct compiler *c, const struct place *at, uint32_t value,
                       uint32_t *document, uint32_t *node, struct anchor **anchor);
enum json_dialect dialect_of(struct slice schema_uri);

/* compile.c */
bool rule_for(struct compiler *c, uint32_t document, uint32_t node, uint32_t *rule);
bool pattern_for(struct compiler *c, const struct place *at, uint32_t node, struct slice source,
                 const struct pattern **out);
/* The value of a keyword, JSON_NONE when it is missing or unknown to the dialect. */
uint32_t keyword(const struct place *at, const char *name, enum json_dialect from,
                 enum json_dialect to);

/* keywords.c and applicators.c: fill in the rule; false when the schema is wrong. */
bool compile_assertions(struct compiler *c, const struct place *at, struct rule *r);
bool compile_object(struct compiler *c, const struct place *at, struct rule *r);
bool compile_array(struct compiler *c, const struct place *at, struct rule *r);
bool compile_ops(struct compiler *c, const struct place *at, struct rule *r);
/* A whole number that is not negative, cut to what 64 bits hold. */
bool read_count(struct compiler *c, const struct place *at, uint32_t node, const char *name,
                uint64_t *out);

#endif
