#include "policy/policy.h"

#include "base/codec.h"
#include "policy/pattern.h"

#include <stdio.h>

/* Is a's prefix the better (longer) one for `topic`? Prefixes of one topic are prefixes of each
 * other, so length decides; equal ones by name, so that the order of storage does not matter. */
static bool better(const struct policy *a, const struct policy *b)
{
    if (b == NULL)
        return true;
    if (a->prefix.n != b->prefix.n)
        return a->prefix.n > b->prefix.n;
    return slice_cmp(a->name, b->name) < 0;
}

struct policy policy_resolve(const struct policy *const *policies, size_t n, struct slice topic)
{
    struct policy r = {.retention_min_ms = -1,
                       .retention_max_ms = -1,
                       .replicas_min = -1,
                       .signing_required = -1,
                       .record_limit_max_bytes = -1};
    /* Per field, the policy that set it. */
    const struct policy *of[10] = {NULL};
#define LAY(slot, is_set, assign)                                                                  \
    do {                                                                                           \
        if ((is_set) && better(p, of[slot])) {                                                     \
            of[slot] = p;                                                                          \
            assign;                                                                                \
        }                                                                                          \
    } while (0)
    for (size_t i = 0; i < n; i++) {
        const struct policy *p = policies[i];
        if (!slice_starts(topic, p->prefix))
            continue;
        LAY(0, p->governance_set, (r.governance_set = true, r.governance_off = p->governance_off));
        LAY(1, p->naming_pattern.n > 0, r.naming_pattern = p->naming_pattern);
        LAY(2, p->required_fields.n > 0, r.required_fields = p->required_fields);
        LAY(3, p->allowed_formats.n > 0, r.allowed_formats = p->allowed_formats);
        LAY(4, p->retention_min_ms >= 0, r.retention_min_ms = p->retention_min_ms);
        LAY(5, p->retention_max_ms >= 0, r.retention_max_ms = p->retention_max_ms);
        LAY(6, p->replicas_min >= 0, r.replicas_min = p->replicas_min);
        LAY(7, p->signing_required >= 0, r.signing_required = p->signing_required);
        LAY(8, p->modes_allowed.n > 0, r.modes_allowed = p->modes_allowed);
        LAY(9, p->record_limit_max_bytes >= 0,
            r.record_limit_max_bytes = p->record_limit_max_bytes);
    }
#undef LAY
    return r;
}

bool policy_governance_off(const struct policy *const *policies, size_t n, struct slice topic,
                           bool cluster_off)
{
    const struct policy *of = NULL;
    for (size_t i = 0; i < n; i++) {
        const struct policy *p = policies[i];
        if (p->governance_set && slice_starts(topic, p->prefix) && better(p, of))
            of = p;
    }
    return of != NULL ? of->governance_off : cluster_off;
}

static bool empty_value(const struct json_doc *doc, uint32_t i)
{
    switch (json_type(doc, i)) {
    case JSON_NULL:
        return true;
    case JSON_STRING:
        return doc->node[i].length == 0;
    case JSON_ARRAY:
    case JSON_OBJECT:
        return doc->node[i].count == 0;
    default:
        return false;
    }
}

static bool list_has(struct name_list list, const char *name)
{
    for (size_t i = 0; i < list.n; i++) {
        if (slice_eq_str(list.item[i], name))
            return true;
    }
    return false;
}

static void list_text(struct name_list list, char *out, size_t size)
{
    size_t n = 0;
    out[0] = '\0';
    for (size_t i = 0; i < list.n && n < size; i++)
        n += (size_t)snprintf(out + n, size - n, "%s%.*s", i > 0 ? ", " : "",
                              SLICE_FMT(list.item[i]));
}

static void check_names(const struct policy *r, const struct contract *c,
                        const struct json_doc *document, struct document_errors *out)
{
    if (r->naming_pattern.n > 0) {
        enum pattern_result m = pattern_match(r->naming_pattern, c->name);
        if (m != PATTERN_MATCHES)
            document_errors_add(out, "policy.naming", "/name", "does not match %.*s%s",
                                (int)(r->naming_pattern.n < 200 ? r->naming_pattern.n : 200),
                                (const char *)r->naming_pattern.p,
                                m == PATTERN_LIMIT ? " within the limit of steps" : "");
    }
    for (size_t i = 0; i < r->required_fields.n; i++) {
        struct slice pointer = r->required_fields.item[i];
        uint32_t at = json_at(document, 0, pointer);
        if (at != JSON_NONE && !empty_value(document, at))
            continue;
        char where[sizeof out->item->pointer];
        (void)snprintf(where, sizeof where, "%.*s", SLICE_FMT(pointer));
        document_errors_add(out, "policy.required", where,
                            "must not be empty: a policy requires it");
    }
}

static void check_values(const struct policy *r, const struct contract *c,
                         struct document_errors *out)
{
    static const char *const mode_names[] = {[MODE_ENFORCE] = "enforce",
                                             [MODE_QUARANTINE] = "quarantine",
                                             [MODE_SHADOW] = "shadow",
                                             [MODE_OFF] = "off"};
    char allowed[160];
    const char *format = schema_format_name(c->value.format);
    if (r->allowed_formats.n > 0 && !list_has(r->allowed_formats, format)) {
        list_text(r->allowed_formats, allowed, sizeof allowed);
        document_errors_add(out, "policy.format", "/value/format", "is %s; allowed: %s", format,
                            allowed);
    }
    if (r->modes_allowed.n > 0 && !list_has(r->modes_allowed, mode_names[c->mode])) {
        list_text(r->modes_allowed, allowed, sizeof allowed);
        document_errors_add(out, "policy.mode", "/mode", "is %s; allowed: %s", mode_names[c->mode],
                            allowed);
    }
    if (r->signing_required == 1 && !c->signing.required)
        document_errors_add(out, "policy.signing", "/signing/required",
                            "must be true: a policy requires signatures");
    if (r->replicas_min >= 0 && c->replicas < r->replicas_min)
        document_errors_add(out, "policy.replicas", "/replicas", "is %d; at least %d", c->replicas,
                            r->replicas_min);
}

static void check_amounts(const struct policy *r, const struct contract *c,
                          struct document_errors *out)
{
    char have[TIME_TEXT_SIZE], limit[TIME_TEXT_SIZE];
    int64_t time = c->retention.time_ms;
    duration_text(time, have);
    if (r->retention_min_ms >= 0 && time >= 0 && time < r->retention_min_ms) {
        duration_text(r->retention_min_ms, limit);
        document_errors_add(out, "policy.retention-min", "/retention/time", "is %s; at least %s",
                            have, limit);
    }
    if (r->retention_max_ms >= 0 && (time < 0 || time > r->retention_max_ms)) {
        duration_text(r->retention_max_ms, limit);
        document_errors_add(out, "policy.retention-max", "/retention/time", "is %s; at most %s",
                            have, limit);
    }
    if (r->record_limit_max_bytes >= 0 && c->record_limit_bytes > r->record_limit_max_bytes) {
        size_text(c->record_limit_bytes, have);
        size_text(r->record_limit_max_bytes, limit);
        document_errors_add(out, "policy.record-limit", "/limits/record", "is %s; at most %s", have,
                            limit);
    }
}

void policy_check(const struct policy *resolved, const struct contract *c,
                  const struct json_doc *document, struct document_errors *out)
{
    check_names(resolved, c, document, out);
    check_values(resolved, c, out);
    check_amounts(resolved, c, out);
}

bool policy_grant_covers(struct slice grant, struct slice topic)
{
    if (grant.n > 0 && grant.p[grant.n - 1] == '*')
        return slice_starts(topic, slice_of(grant.p, grant.n - 1));
    return slice_eq(grant, topic);
}
