#include "policy/verdict.h"

#include "base/check.h"

#include <stdio.h>

static const struct {
    const char *name, *cause, *remedy;
} codes[VERDICT_CODE_COUNT] = {
#define X(sym, code, cause, remedy) [VERDICT_##sym] = {code, cause, remedy},
    VERDICT_CODES(X)
#undef X
};

const char *verdict_code_name(enum verdict_code c)
{
    ASSERT((unsigned)c < VERDICT_CODE_COUNT);
    return codes[c].name;
}

const char *verdict_cause(enum verdict_code c)
{
    ASSERT((unsigned)c < VERDICT_CODE_COUNT);
    return codes[c].cause;
}

const char *verdict_remedy(enum verdict_code c)
{
    ASSERT((unsigned)c < VERDICT_CODE_COUNT);
    return codes[c].remedy;
}

bool verdict_code_parse(struct slice name, enum verdict_code *out)
{
    for (unsigned i = 0; i < VERDICT_CODE_COUNT; i++) {
        if (slice_eq_str(name, codes[i].name)) {
            *out = (enum verdict_code)i;
            return true;
        }
    }
    return false;
}

const char *verdict_text(const struct verdict *v, struct slice topic, uint64_t contract_version,
                         char *out, size_t out_size)
{
    const char *at = v->path[0] != '\0' ? " at " : "";
    const char *detail = v->detail[0] != '\0' ? v->detail : verdict_cause(v->code);
    if (contract_version == 0)
        (void)snprintf(out, out_size, "%s%s%s: %s (topic %.*s)", verdict_code_name(v->code), at,
                       v->path, detail, SLICE_FMT(topic));
    else
        (void)snprintf(out, out_size, "%s%s%s: %s (contract %.*s v%llu)",
                       verdict_code_name(v->code), at, v->path, detail, SLICE_FMT(topic),
                       (unsigned long long)contract_version);
    return out;
}
