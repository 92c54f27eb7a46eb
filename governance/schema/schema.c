#include "schema/schema.h"

#include "base/check.h"
#include "base/mem.h"
#include "schema/limits.h"
#include "json/program.h"

#include <stdatomic.h>
#include <stdio.h>

struct schema {
    _Atomic uint32_t refs;
    enum schema_format format;
    struct json_program *json; /* SCHEMA_JSON */
};

struct schema_scratch {
    struct json_scratch_run *json;
    struct json_problem *problems; /* room for problems_cap */
    size_t problems_cap;
};

/* Problems pass from the format's room to ours as they are. */
_Static_assert(sizeof(struct schema_problem) == sizeof(struct json_problem) &&
                   offsetof(struct schema_problem, rule) == offsetof(struct json_problem, rule) &&
                   offsetof(struct schema_problem, message) ==
                       offsetof(struct json_problem, message),
               "one shape of problem");

static const struct {
    const char *name;
    bool built;
} formats[] = {
    [SCHEMA_BYTES] = {"bytes", true},      [SCHEMA_JSON] = {"json", true},
    [SCHEMA_AVRO] = {"avro", false},       [SCHEMA_PROTOBUF] = {"protobuf", false},
    [SCHEMA_MSGPACK] = {"msgpack", false},
};

bool schema_format_parse(struct slice name, enum schema_format *out)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        if (slice_eq_str(name, formats[i].name)) {
            *out = (enum schema_format)i;
            return true;
        }
    }
    return false;
}

const char *schema_format_name(enum schema_format f)
{
    return formats[f].name;
}

bool schema_format_built(enum schema_format f)
{
    return formats[f].built;
}

static int refuse(struct schema_problem *problem, struct err *err, enum err_code code,
                  const char *rule, const char *message)
{
    if (problem) {
        problem->path[0] = '\0';
        snprintf(problem->rule, sizeof problem->rule, "%s", rule);
        snprintf(problem->message, sizeof problem->message, "%s", message);
    }
    return err_set(err, code, "%s", message);
}

static int compile_json(struct slice text, const struct schema_reference *refs, size_t refs_n,
                        const struct schema_options *options, struct json_program **out,
                        struct schema_problem *problem, struct err *err)
{
    if (refs_n > SCHEMA_REFERENCES_MAX)
        return refuse(problem, err, ERR_LIMIT, "limit", "too many references");
    struct json_reference *list = mem_zalloc(refs_n, sizeof *list);
    for (size_t i = 0; i < refs_n; i++)
        list[i] = (struct json_reference){refs[i].name, refs[i].text};
    struct json_compile_options json_options = {.check_formats = options && options->check_formats};
    struct json_problem json_problem = {0};
    int rc = json_program_compile(text, list, refs_n, &json_options, out, &json_problem, err);
    if (rc != 0 && problem)
        memcpy(problem, &json_problem, sizeof *problem);
    mem_free(list);
    return rc;
}

int schema_compile(enum schema_format format, struct slice text,
                   const struct schema_reference *refs, size_t refs_n,
                   const struct schema_options *options, struct schema **out,
                   struct schema_problem *problem, struct err *err)
{
    struct json_program *json = NULL;
    if (format == SCHEMA_BYTES && (text.n > 0 || refs_n > 0))
        return refuse(problem, err, ERR_INVALID, "format", "format bytes has no schema text");
    if (!schema_format_built(format)) {
        char message[64];
        snprintf(message, sizeof message, "format %s is not built yet", schema_format_name(format));
        return refuse(problem, err, ERR_UNSUPPORTED, "format", message);
    }
    if (format == SCHEMA_JSON) {
        int rc = compile_json(text, refs, refs_n, options, &json, problem, err);
        if (rc != 0)
            return rc;
    }
    struct schema *s = MEM_NEW(struct schema);
    atomic_init(&s->refs, 1);
    s->format = format;
    s->json = json;
    *out = s;
    return 0;
}

struct schema *schema_ref(struct schema *s)
{
    uint32_t before = atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    ASSERT(before > 0 && before < UINT32_MAX);
    return s;
}

void schema_unref(struct schema *s)
{
    if (s == NULL)
        return;
    uint32_t before = atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel);
    ASSERT(before > 0);
    if (before > 1)
        return;
    json_program_free(s->json);
    mem_free(s);
}

enum schema_format schema_format_of(const struct schema *s)
{
    return s->format;
}

size_t schema_memory_bytes(const struct schema *s)
{
    return sizeof *s + (s->json ? json_program_size(s->json) : 0);
}

struct schema_scratch *schema_scratch_new(void)
{
    struct schema_scratch *scratch = MEM_NEW(struct schema_scratch);
    scratch->json = json_scratch_new();
    return scratch;
}

void schema_scratch_free(struct schema_scratch *scratch)
{
    if (scratch == NULL)
        return;
    json_scratch_free(scratch->json);
    mem_free(scratch->problems);
    mem_free(scratch);
}

enum schema_verdict schema_validate_all(const struct schema *s, struct slice payload,
                                        struct schema_scratch *scratch,
                                        struct schema_problem *problems, size_t max, size_t *found)
{
    static const enum schema_verdict verdicts[] = {[JSON_VALID] = SCHEMA_VALID,
                                                   [JSON_MALFORMED] = SCHEMA_MALFORMED,
                                                   [JSON_INVALID] = SCHEMA_INVALID};
    size_t n = 0;
    enum schema_verdict verdict = SCHEMA_VALID;
    if (s->format == SCHEMA_JSON) {
        if (max > scratch->problems_cap) {
            mem_free(scratch->problems);
            scratch->problems = mem_zalloc(max, sizeof *scratch->problems);
            scratch->problems_cap = max;
        }
        verdict =
            verdicts[json_program_run(s->json, payload, scratch->json, scratch->problems, max, &n)];
        if (n > 0)
            memcpy(problems, scratch->problems, n * sizeof *problems);
    }
    if (found)
        *found = n;
    return verdict;
}

enum schema_verdict schema_validate(const struct schema *s, struct slice payload,
                                    struct schema_scratch *scratch, struct schema_problem *problem)
{
    return schema_validate_all(s, payload, scratch, problem, problem ? 1 : 0, NULL);
}
