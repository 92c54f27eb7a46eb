/* A schema, a zero byte, a payload; after a second zero byte a reference named "r". Whatever they
 * are: a verdict or a reason, the same twice, and every refusal says where. */
#include "base/check.h"
#include "json/program.h"

static struct slice next_part(struct slice *rest)
{
    const uint8_t *zero = rest->n ? memchr(rest->p, 0, rest->n) : NULL;
    struct slice part = *rest;
    if (zero) {
        part.n = (size_t)(zero - rest->p);
        *rest = slice_of(zero + 1, rest->n - part.n - 1);
    } else {
        *rest = SLICE_LIT("");
    }
    return part;
}

static void run(const struct json_program *program, struct slice payload)
{
    struct json_scratch_run *scratch = json_scratch_new();
    struct json_problem problems[8];
    size_t found;
    enum json_verdict first = json_program_run(program, payload, scratch, problems, 8, &found);
    ASSERT((first == JSON_VALID) == (found == 0));
    for (size_t i = 0; i < found; i++)
        ASSERT(problems[i].rule[0] != '\0' && problems[i].message[0] != '\0');
    ASSERT(json_program_run(program, payload, scratch, NULL, 0, NULL) == first);
    json_scratch_free(scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_of(data, size);
    struct slice schema = next_part(&rest);
    struct slice payload = next_part(&rest);
    struct json_reference ref = {SLICE_LIT("r"), next_part(&rest)};
    struct json_compile_options options = {.check_formats = size % 2};
    struct json_program *program = NULL;
    struct json_problem problem = {0};
    struct err err = {0};
    int rc = json_program_compile(schema, &ref, ref.text.n > 0, &options, &program, &problem, &err);
    if (rc == 0) {
        run(program, payload);
        json_program_free(program);
    } else {
        ASSERT(err.msg[0] != '\0' && problem.rule[0] != '\0');
    }
    return 0;
}
