/* JSON Schema (drafts 4, 6, 7, 2019-09, 2020-12): a schema text compiled once into an immutable
 * program, which any number of threads may run at the same time, each with its own scratch.
 *
 * Compiling resolves every $ref; what is not in the text or among the given references is refused,
 * nothing is ever fetched. Running does not recurse, allocates only until the scratch has grown to
 * the payloads at hand, and is bounded in steps, in memory and in regular expression work. */
#ifndef JSON_PROGRAM_H
#define JSON_PROGRAM_H

#include "base/err.h"
#include "base/json.h"
#include "base/slice.h"

enum json_dialect {
    JSON_DIALECT_DEFAULT, /* what $schema says; without it 2020-12 */
    JSON_DRAFT_4 = 4,
    JSON_DRAFT_6 = 6,
    JSON_DRAFT_7 = 7,
    JSON_DRAFT_2019 = 8,
    JSON_DRAFT_2020 = 9,
};

/* A document that $ref may name, by its $id or by this name (a URI, absolute or relative). */
struct json_reference {
    struct slice name;
    struct slice text;
};

struct json_compile_options {
    bool check_formats;        /* "format" asserts */
    enum json_dialect dialect; /* of texts without $schema */
};

/* Where a schema or a payload is wrong: path is a JSON Pointer, rule the keyword or "malformed",
 * "limit", message a short sentence fragment. Texts that do not fit are cut. */
struct json_problem {
    char path[256];
    char rule[48];
    char message[256];
};

struct json_program;
struct json_scratch_run;

/* All slices are borrowed during the call only. On failure *problem and *err (each may be NULL)
 * say why: ERR_INVALID, or ERR_LIMIT for a limit of limits.h. */
int json_program_compile(struct slice text, const struct json_reference *refs, size_t refs_n,
                         const struct json_compile_options *options, struct json_program **out,
                         struct json_problem *problem, struct err *err);
void json_program_free(struct json_program *program);
size_t json_program_size(const struct json_program *program); /* bytes of memory */

struct json_scratch_run *json_scratch_new(void);
void json_scratch_free(struct json_scratch_run *scratch);

enum json_verdict { JSON_VALID, JSON_MALFORMED, JSON_INVALID };

/* Problems are stored in document order, up to max (0 is allowed: the verdict alone); *found says
 * how many. */
enum json_verdict json_program_run(const struct json_program *program, struct slice payload,
                                   struct json_scratch_run *scratch, struct json_problem *problems,
                                   size_t max, size_t *found);

#endif
