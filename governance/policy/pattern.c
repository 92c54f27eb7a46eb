#define PCRE2_CODE_UNIT_WIDTH 8
#include "policy/pattern.h"

#include "base/check.h"
#include "base/mem.h"
#include "policy/limits.h"

#include <pcre2.h>
#include <stdio.h>

static void *pattern_alloc(size_t n, void *arg)
{
    (void)arg;
    return mem_alloc(n);
}

static void pattern_release(void *p, void *arg)
{
    (void)arg;
    mem_free(p);
}

/* Anchored at both ends; \C could split a UTF-8 character and is refused. */
static pcre2_code *pattern_compile(pcre2_general_context *general, struct slice pattern, int *error,
                                   size_t *offset)
{
    pcre2_compile_context *context = pcre2_compile_context_create(general);
    ASSERT(context != NULL);
    pcre2_set_max_pattern_length(context, POLICY_PATTERN_MAX);
    pcre2_set_parens_nest_limit(context, 32);
    pcre2_code *code =
        pcre2_compile(pattern.p, pattern.n,
                      PCRE2_UTF | PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_NEVER_BACKSLASH_C,
                      error, offset, context);
    pcre2_compile_context_free(context);
    return code;
}

bool pattern_check(struct slice pattern, char *why, size_t why_size)
{
    pcre2_general_context *general =
        pcre2_general_context_create(pattern_alloc, pattern_release, NULL);
    ASSERT(general != NULL);
    int error;
    size_t offset;
    pcre2_code *code = pattern_compile(general, pattern, &error, &offset);
    bool ok = code != NULL;
    if (!ok) {
        unsigned char text[96];
        (void)pcre2_get_error_message(error, text, sizeof text);
        (void)snprintf(why, why_size, "is no regular expression: %s at offset %zu", (char *)text,
                       offset);
    }
    pcre2_code_free(code);
    pcre2_general_context_free(general);
    return ok;
}

enum pattern_result pattern_match(struct slice pattern, struct slice name)
{
    pcre2_general_context *general =
        pcre2_general_context_create(pattern_alloc, pattern_release, NULL);
    ASSERT(general != NULL);
    int error;
    size_t offset;
    pcre2_code *code = pattern_compile(general, pattern, &error, &offset);
    ASSERT(code != NULL); /* pattern_check let it in */
    pcre2_match_data *match = pcre2_match_data_create(1, general);
    pcre2_match_context *context = pcre2_match_context_create(general);
    ASSERT(match != NULL && context != NULL);
    pcre2_set_match_limit(context, POLICY_PATTERN_MATCH_LIMIT);
    pcre2_set_depth_limit(context, POLICY_PATTERN_DEPTH_LIMIT);
    pcre2_set_heap_limit(context, POLICY_PATTERN_HEAP_KIB);
    int rc = pcre2_match(code, name.p, name.n, 0, 0, match, context);
    pcre2_match_context_free(context);
    pcre2_match_data_free(match);
    pcre2_code_free(code);
    pcre2_general_context_free(general);
    if (rc >= 0)
        return PATTERN_MATCHES;
    return rc == PCRE2_ERROR_NOMATCH ? PATTERN_DIFFERS : PATTERN_LIMIT;
}
