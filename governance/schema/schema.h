/* One compiled schema of any format, and the verdict over a payload. The room that composes
 * schema/ with the formats is this one; callers never include json/ directly.
 *
 * Compiling is the expensive step and happens once per schema text (digest); a compiled schema is
 * immutable, reference-counted (atomic) and may be used by many threads at once, each with its own
 * scratch. Validation does not recurse and does not allocate in the steady state. */
#ifndef SCHEMA_SCHEMA_H
#define SCHEMA_SCHEMA_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/slice.h"

enum schema_format { SCHEMA_BYTES, SCHEMA_JSON, SCHEMA_AVRO, SCHEMA_PROTOBUF, SCHEMA_MSGPACK };

/* "bytes", "json", ...; false for an unknown name. Formats that are not built yet parse to their
 * value; schema_format_built says whether schema_compile can take them. */
bool schema_format_parse(struct slice name, enum schema_format *out);
const char *schema_format_name(enum schema_format f);
bool schema_format_built(enum schema_format f);

/* A schema that others may refer to: `name` is the URI or reference name used in $ref. */
struct schema_reference {
    struct slice name;
    struct slice text;
};

struct schema; /* opaque, ref-counted */

struct schema_options {
    bool check_formats; /* JSON Schema "format" asserts; default: annotation only */
};

/* Where a schema or a payload is wrong. path is a JSON Pointer into what was judged ("" is the
 * whole); rule names the keyword or the kind ("required", "type", "malformed", ...); message is one
 * short sentence fragment such as "must be >= 0". */
struct schema_problem {
    char path[256];
    char rule[48];
    char message[256];
};

/* Refuses what cannot be used safely (unresolved or remote $ref, a pattern that PCRE2 refuses,
 * sizes over the limits of schema/limits.h) with the reason in *problem and *err. One reference to
 * *out for the caller. SCHEMA_BYTES takes an empty text. */
int schema_compile(enum schema_format format, struct slice text,
                   const struct schema_reference *refs, size_t refs_n,
                   const struct schema_options *options, struct schema **out,
                   struct schema_problem *problem, struct err *err);
struct schema *schema_ref(struct schema *s);
void schema_unref(struct schema *s);
enum schema_format schema_format_of(const struct schema *s);
size_t schema_memory_bytes(const struct schema *s);

/* Reusable working memory of one thread. */
struct schema_scratch;
struct schema_scratch *schema_scratch_new(void);
void schema_scratch_free(struct schema_scratch *scratch);

enum schema_verdict {
    SCHEMA_VALID,
    SCHEMA_MALFORMED, /* not a text of the format at all: payload.malformed */
    SCHEMA_INVALID,   /* breaks the schema: payload.invalid */
};

/* The first problem in document order, when not valid. */
enum schema_verdict schema_validate(const struct schema *s, struct slice payload,
                                    struct schema_scratch *scratch, struct schema_problem *problem);
/* All problems up to max (for explain and /v1/schemas/validate); *found is how many were stored. */
enum schema_verdict schema_validate_all(const struct schema *s, struct slice payload,
                                        struct schema_scratch *scratch,
                                        struct schema_problem *problems, size_t max, size_t *found);

#endif
