#include "policy/contract.h"

#include <stdio.h>

int document_compile(const struct document *d, struct schema **out, struct document_errors *errors)
{
    *out = NULL;
    if (d->kind != DOCUMENT_TOPIC || d->topic.value.format == SCHEMA_BYTES)
        return 0;
    const struct contract *c = &d->topic;
    struct schema_options options = {.check_formats = c->value.check_formats};
    struct schema_problem problem = {0};
    struct err err = {0};
    struct schema *schema = NULL;
    if (schema_compile(c->value.format, c->value.schema_text, NULL, 0, &options, &schema, &problem,
                       &err) != 0) {
        if (problem.message[0] != '\0')
            document_errors_add(errors, "schema.invalid", "/value/schema", "%s: %s (at %s)",
                                problem.rule, problem.message,
                                problem.path[0] != '\0' ? problem.path : "the root");
        else
            document_errors_add(errors, "schema.invalid", "/value/schema", "%s", err.msg);
        return ERR_INVALID;
    }
    struct schema_scratch *scratch = schema_scratch_new();
    bool valid = true;
    for (size_t i = 0; i < c->value.examples.n; i++) {
        if (schema_validate(schema, c->value.examples.item[i], scratch, &problem) == SCHEMA_VALID)
            continue;
        char pointer[48];
        (void)snprintf(pointer, sizeof pointer, "/value/examples/%zu", i);
        document_errors_add(errors, "example.invalid", pointer, "breaks the schema at %s: %s",
                            problem.path[0] != '\0' ? problem.path : "its root", problem.message);
        valid = false;
    }
    schema_scratch_free(scratch);
    if (!valid) {
        schema_unref(schema);
        return ERR_INVALID;
    }
    *out = schema;
    return 0;
}
