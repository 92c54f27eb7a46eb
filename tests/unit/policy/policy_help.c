#include "policy_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

struct document *help_parse(const char *json, struct document_errors *errors)
{
    struct json_doc doc = {0};
    struct err err = {0};
    if (json_parse(&doc, slice_str(json), NULL, &err) != 0)
        fail_msg("the test's own JSON: %s in %s", err.msg, json);
    struct document *d = document_parse(&doc, 0, errors);
    json_free(&doc);
    return d;
}

struct document *help_document(const char *json)
{
    struct document_errors errors = {0};
    struct document *d = help_parse(json, &errors);
    if (d == NULL)
        fail_msg("refused: %s at %s: %s", errors.item[0].code, errors.item[0].pointer,
                 errors.item[0].detail);
    assert_int_equal(errors.n, 0);
    document_errors_free(&errors);
    return d;
}

void help_refused(const char *json, const char *code, const char *pointer, const char *part)
{
    struct document_errors errors = {0};
    struct document *d = help_parse(json, &errors);
    if (d != NULL)
        fail_msg("accepted: %s", json);
    for (size_t i = 0; i < errors.n; i++) {
        if (errors.n != 1 || strcmp(errors.item[i].code, code) != 0 ||
            strcmp(errors.item[i].pointer, pointer) != 0 ||
            strstr(errors.item[i].detail, part) == NULL)
            fail_msg("error %zu of %zu: %s at %s: %s (wanted %s at %s: %s)", i, errors.n,
                     errors.item[i].code, errors.item[i].pointer, errors.item[i].detail, code,
                     pointer, part);
    }
    document_errors_free(&errors);
}
