/* Every limit of the JSON Schema room in one place (docs/schemas-json.md tells users). */
#ifndef JSON_LIMITS_H
#define JSON_LIMITS_H

enum {
    JSON_SCHEMA_SIZE_MAX = 4 * 1024 * 1024, /* one schema text, and all texts of one program */
    JSON_SCHEMA_DEPTH_MAX = 256,            /* nesting of a schema text */
    JSON_SCHEMA_RULES_MAX = 200 * 1000,     /* subschemas of one program */
    JSON_REFERENCES_MAX = 256,              /* registered references given to one compilation */
    JSON_PATTERN_SIZE_MAX = 4096,           /* bytes of one regular expression */
    JSON_PATTERNS_MAX = 4096,               /* regular expressions of one program */
    JSON_PATTERN_STEPS_FIRST = 1000,        /* PCRE2's steps of a first try, ... */
    JSON_PATTERN_STEPS_PER_BYTE = 16,       /* ... and these for each byte of the subject; */
    JSON_PATTERN_STEPS_GROWTH = 16,         /* each further try may take so many times more, ... */
    JSON_PATTERN_STEPS_MAX = 4 * 1000 * 1000, /* ... up to this */
    JSON_PATTERN_STEPS_PRICE = 4,      /* so many of them cost one step of the budget below */
    JSON_PATTERN_HEAP_KIB = 16 * 1024, /* PCRE2: memory of one match */
    JSON_DIVISOR_DIGITS_MAX = 18,      /* significant digits of multipleOf */

    JSON_PAYLOAD_DEPTH_MAX = 128,        /* nesting of a payload */
    JSON_SCRATCH_NODES_KEEP = 64 * 1024, /* memory for so many values stays in a scratch */
    JSON_FRAMES_MAX = 16 * 1024,         /* open evaluations at one moment */
    JSON_PROBLEMS_MAX = 256,             /* problems that are remembered while explaining */
    JSON_STEPS_BASE = 200 * 1000,        /* work for one payload: this much ... */
    JSON_STEPS_PER_NODE = 1000,          /* ... and this much for each value in it ... */
    JSON_STEPS_MAX = 20 * 1000 * 1000,   /* ... but never more (a fraction of a second) */
};

#endif
