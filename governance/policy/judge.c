/* The rules over one record, in their order. Each is a function that says pass, fail or skip; the
 * judge stops at the first that fails, explain runs them all. A rule that needs what an earlier one
 * found (the decoded signature, its key) skips when that is not there. */
#include "policy/judge.h"

#include "base/check.h"
#include "base/codec.h"
#include "base/mem.h"
#include "policy/policy.h"

#include <stdio.h>

struct judge_scratch {
    struct schema_scratch *schema;
    struct bytes message; /* protected.value of large values */
    struct sign_envelope envelope;
};

struct judge {
    const struct judge_context *ctx;
    const struct judge_record *rec;
    struct judge_scratch *scratch;
    struct verdict *verdict; /* filled by a rule that fails */
    char *note;              /* NULL unless explaining; NOTE_SIZE bytes */
    struct slice header;     /* the signature header's value */
    bool decoded;            /* scratch->envelope holds */
    bool has_key;
    struct judge_key key;
};

enum { NOTE_SIZE = sizeof((struct judge_step *)0)->note };
enum outcome { PASS, FAIL, SKIP };

struct judge_scratch *judge_scratch_new(void)
{
    struct judge_scratch *s = MEM_NEW(struct judge_scratch);
    s->schema = schema_scratch_new();
    return s;
}

void judge_scratch_free(struct judge_scratch *s)
{
    if (s == NULL)
        return;
    schema_scratch_free(s->schema);
    bytes_free(&s->message);
    mem_free(s);
}

static enum outcome skip(struct judge *j, const char *why)
{
    if (j->note != NULL)
        (void)snprintf(j->note, NOTE_SIZE, "%s", why);
    return SKIP;
}

static enum outcome fail(struct judge *j, enum verdict_code code, const char *rule,
                         struct slice path, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

static enum outcome fail(struct judge *j, enum verdict_code code, const char *rule,
                         struct slice path, const char *fmt, ...)
{
    struct verdict *v = j->verdict;
    va_list ap;
    v->code = code;
    (void)snprintf(v->rule, sizeof v->rule, "%s", rule);
    (void)snprintf(v->path, sizeof v->path, "%.*s", SLICE_FMT(path));
    va_start(ap, fmt);
    (void)vsnprintf(v->detail, sizeof v->detail, fmt, ap);
    va_end(ap);
    return FAIL;
}

static enum outcome rule_size(struct judge *j)
{
    int64_t limit = j->ctx->contract->record_limit_bytes;
    if ((uint64_t)j->rec->size_bytes <= (uint64_t)limit)
        return PASS;
    char most[TIME_TEXT_SIZE];
    size_text(limit, most);
    return fail(j, VERDICT_RECORD_TOO_LARGE, "limits.record", SLICE_NULL,
                "is %zu bytes; at most %s", j->rec->size_bytes, most);
}

static enum outcome rule_tombstone(struct judge *j)
{
    if (j->rec->value.p != NULL)
        return PASS;
    if (j->ctx->contract->retention.cleanup != CLEANUP_DELETE)
        return PASS;
    return fail(j, VERDICT_TOMBSTONE_FORBIDDEN, "retention.cleanup", SLICE_NULL,
                "null values delete by key only where cleanup is compact");
}

static enum outcome rule_key(struct judge *j)
{
    const struct contract *c = j->ctx->contract;
    if (j->rec->key.p == NULL) {
        if (c->key.required)
            return fail(j, VERDICT_KEY_REQUIRED, "key.required", SLICE_NULL,
                        "the contract requires a key");
        return PASS;
    }
    if (c->key.format == KEY_STRING && !utf8_valid(j->rec->key))
        return fail(j, VERDICT_KEY_INVALID, "key.format", SLICE_NULL, "the key is not UTF-8 text");
    return PASS;
}

static enum outcome rule_headers(struct judge *j)
{
    const struct name_list *names = &j->ctx->contract->headers_required;
    for (size_t i = 0; i < names->n; i++) {
        bool found = false;
        for (size_t k = 0; k < j->rec->headers_n && !found; k++)
            found = j->rec->headers[k].value.p != NULL &&
                    slice_eq(j->rec->headers[k].name, names->item[i]);
        if (!found)
            return fail(j, VERDICT_HEADER_MISSING, "headers.required", names->item[i],
                        "the contract requires this header, with a value");
    }
    return PASS;
}

static struct slice signature_name(void)
{
    return slice_str(SIGN_HEADER_NAME);
}

/* Present when it must be, once. Without one, the connection's principal must be granted. */
static enum outcome rule_present(struct judge *j)
{
    size_t found = 0;
    for (size_t i = 0; i < j->rec->headers_n; i++) {
        if (slice_eq_str(j->rec->headers[i].name, SIGN_HEADER_NAME)) {
            j->header = j->rec->headers[i].value;
            found++;
        }
    }
    if (found > 1) {
        j->header = SLICE_NULL;
        return fail(j, VERDICT_SIGNATURE_DUPLICATE, "signing", signature_name(),
                    "stands there %zu times", found);
    }
    if (found == 1 && j->header.p == NULL)
        return fail(j, VERDICT_SIGNATURE_MALFORMED, "signing", signature_name(),
                    "the signature header is null");
    if (found == 0 && j->ctx->contract->signing.required)
        return fail(j, VERDICT_SIGNATURE_MISSING, "signing.required", SLICE_NULL,
                    "the contract requires a signature in the header " SIGN_HEADER_NAME);
    return found == 0 ? skip(j, "the record is not signed and need not be") : PASS;
}

static enum outcome rule_principal(struct judge *j)
{
    if (j->header.p != NULL)
        return skip(j, "the record is signed: its key's producer counts");
    if (j->ctx->contract->signing.required)
        return skip(j, "the contract requires a signature: its key's producer counts");
    if (j->ctx->principal_granted)
        return PASS;
    return fail(j, VERDICT_WRITE_NOT_GRANTED, "producer.principals", SLICE_NULL,
                "no producer with the principal %.*s is granted this topic",
                (int)(j->ctx->principal.n < 100 ? j->ctx->principal.n : 100),
                (const char *)j->ctx->principal.p);
}

static enum outcome rule_decode(struct judge *j)
{
    char detail[128];
    if (j->header.p == NULL)
        return skip(j, "no signature");
    switch (sign_decode(j->header, &j->scratch->envelope, detail)) {
    case SIGN_OK:
        j->decoded = true;
        return PASS;
    case SIGN_ALGORITHM:
        return fail(j, VERDICT_SIGNATURE_ALGORITHM, "signing", signature_name(), "%s", detail);
    default:
        return fail(j, VERDICT_SIGNATURE_MALFORMED, "signing", signature_name(), "%s", detail);
    }
}

/* The kid in messages, cut to what a key id may be. */
#define KID(e) (int)((e)->kid.n < 96 ? (e)->kid.n : 96), (const char *)(e)->kid.p

static enum outcome rule_signing_key(struct judge *j)
{
    const struct sign_envelope *e = &j->scratch->envelope;
    if (!j->decoded)
        return skip(j, "no readable signature");
    if (!j->ctx->find_key(j->ctx->find_key_arg, e->kid, &j->key))
        return fail(j, VERDICT_SIGNATURE_KEY_UNKNOWN, "producer.keys", signature_name(),
                    "no producer has the key %.*s", KID(e));
    const struct producer_key *key = j->key.key;
    j->has_key = true;
    if (key->state == KEY_REVOKED)
        return fail(j, VERDICT_SIGNATURE_KEY_REVOKED, "producer.keys", signature_name(),
                    "the key %.*s was revoked", KID(e));
    char when[TIME_TEXT_SIZE];
    if (key->not_before_ms != 0 && j->ctx->now_ms < key->not_before_ms) {
        time_text(key->not_before_ms, when);
        return fail(j, VERDICT_SIGNATURE_KEY_INACTIVE, "producer.keys", signature_name(),
                    "the key %.*s is not valid before %s", KID(e), when);
    }
    if (key->not_after_ms != 0 && j->ctx->now_ms > key->not_after_ms) {
        time_text(key->not_after_ms, when);
        return fail(j, VERDICT_SIGNATURE_KEY_INACTIVE, "producer.keys", signature_name(),
                    "the key %.*s is not valid after %s", KID(e), when);
    }
    return PASS;
}

static bool covered(const struct name_list *grants, struct slice topic)
{
    for (size_t i = 0; i < grants->n; i++) {
        if (policy_grant_covers(grants->item[i], topic))
            return true;
    }
    return false;
}

static enum outcome rule_grant(struct judge *j)
{
    if (!j->has_key)
        return skip(j, "no known key");
    if (covered(&j->key.producer->topics, j->ctx->topic))
        return PASS;
    return fail(j, VERDICT_SIGNATURE_NOT_GRANTED, "producer.topics", signature_name(),
                "the producer %.*s is not granted this topic", SLICE_FMT(j->key.producer->name));
}

/* Is iat within the window around `other`? */
static enum outcome compare_times(struct judge *j, int64_t other_ms, const char *whose)
{
    int64_t iat = j->scratch->envelope.iat_ms;
    int64_t window = j->ctx->contract->signing.window_ms;
    char apart[TIME_TEXT_SIZE], most[TIME_TEXT_SIZE];
    /* iat is 0 to 2^53, other whatever a batch says: bounded below, no subtraction overflows. */
    int64_t other = other_ms < -1 ? -1 : other_ms;
    bool late = other > iat;
    int64_t distance = late ? other - iat : iat - other;
    if (distance <= window)
        return PASS;
    duration_text(distance, apart);
    duration_text(window, most);
    return fail(j, late ? VERDICT_SIGNATURE_EXPIRED : VERDICT_SIGNATURE_FUTURE, "signing.window",
                signature_name(), "the signature's time is %s %s %s; at most %s", apart,
                late ? "before" : "after", whose, most);
}

static enum outcome rule_window(struct judge *j)
{
    if (!j->decoded)
        return skip(j, "no readable signature");
    enum outcome o = compare_times(j, j->ctx->now_ms, "the broker's");
    return o != PASS ? o : compare_times(j, j->rec->timestamp_ms, "the record's");
}

static struct sign_record signed_record(const struct judge *j)
{
    return (struct sign_record){j->ctx->topic, j->rec->key, j->rec->value, j->rec->headers,
                                j->rec->headers_n};
}

static enum outcome rule_context(struct judge *j)
{
    if (!j->decoded)
        return skip(j, "no readable signature");
    const struct name_list *must = &j->ctx->contract->signing.headers;
    const struct sign_envelope *e = &j->scratch->envelope;
    for (size_t i = 0; i < must->n; i++) {
        bool found = false;
        for (size_t k = 0; k < e->sh_n && !found; k++)
            found = slice_eq(e->sh[k], must->item[i]);
        if (!found)
            return fail(j, VERDICT_SIGNATURE_CONTEXT, "signing.headers", must->item[i],
                        "the signature does not cover this header");
    }
    struct sign_record r = signed_record(j);
    if (sign_check_context(e, &r) == SIGN_OK)
        return PASS;
    return fail(j, VERDICT_SIGNATURE_CONTEXT, "signing", signature_name(),
                "the signature was made for another topic, key or header value");
}

static enum outcome rule_schema(struct judge *j)
{
    if (j->ctx->schema == NULL)
        return skip(j, "the format is bytes");
    if (j->rec->value.p == NULL)
        return skip(j, "the value is null");
    struct schema_problem problem = {0};
    char rule[sizeof j->verdict->rule];
    enum schema_verdict v =
        schema_validate(j->ctx->schema, j->rec->value, j->scratch->schema, &problem);
    if (v == SCHEMA_VALID)
        return PASS;
    (void)snprintf(rule, sizeof rule, "value.schema#%s", problem.rule);
    return fail(j, v == SCHEMA_MALFORMED ? VERDICT_PAYLOAD_MALFORMED : VERDICT_PAYLOAD_INVALID,
                v == SCHEMA_MALFORMED ? "value.format" : rule, slice_str(problem.path), "%s",
                problem.message);
}

static enum outcome rule_verify(struct judge *j)
{
    if (!j->decoded)
        return skip(j, "no readable signature");
    if (!j->has_key)
        return skip(j, "no known key");
    if (sign_verify_with(&j->scratch->envelope, j->rec->value, j->key.key->public_key,
                         &j->scratch->message) == SIGN_OK)
        return PASS;
    return fail(j, VERDICT_SIGNATURE_INVALID, "signing", signature_name(),
                "the value was altered after signing, or signed with another key than %.*s",
                KID(&j->scratch->envelope));
}

static const struct {
    const char *name;
    enum outcome (*run)(struct judge *j);
} rules[] = {
    {"record.size", rule_size},
    {"tombstone", rule_tombstone},
    {"key", rule_key},
    {"headers", rule_headers},
    {"signature.present", rule_present},
    {"write.grant", rule_principal},
    {"signature.format", rule_decode},
    {"signature.key", rule_signing_key},
    {"signature.grant", rule_grant},
    {"signature.window", rule_window},
    {"signature.context", rule_context},
    {"value.schema", rule_schema},
    {"signature.verify", rule_verify},
};

enum { RULES = sizeof rules / sizeof rules[0] };
_Static_assert((int)RULES <= (int)JUDGE_STEPS_MAX, "explain has a step for every rule");

enum verdict_code judge_record(const struct judge_context *ctx, const struct judge_record *rec,
                               struct judge_scratch *scratch, struct verdict *verdict,
                               struct judge_signature *signature)
{
    struct judge j = {.ctx = ctx, .rec = rec, .scratch = scratch, .verdict = verdict};
    signature->present = false;
    verdict->code = VERDICT_ACCEPTED;
    verdict->rule[0] = verdict->path[0] = verdict->detail[0] = '\0';
    if (ctx->contract->mode == MODE_OFF)
        return VERDICT_ACCEPTED;
    for (size_t i = 0; i < RULES; i++) {
        if (rules[i].run(&j) == FAIL) {
            ASSERT(verdict->code != VERDICT_ACCEPTED);
            return verdict->code;
        }
    }
    if (j.decoded) {
        const struct sign_envelope *e = &scratch->envelope;
        signature->present = true;
        signature->kid_hash = judge_kid_hash(e->kid);
        memcpy(signature->jti, e->jti, sizeof signature->jti);
        signature->iat_ms = e->iat_ms;
    }
    return VERDICT_ACCEPTED;
}

size_t judge_explain(const struct judge_context *ctx, const struct judge_record *rec,
                     struct judge_scratch *scratch, struct judge_step steps[JUDGE_STEPS_MAX])
{
    struct judge j = {.ctx = ctx, .rec = rec, .scratch = scratch};
    for (size_t i = 0; i < RULES; i++) {
        struct judge_step *step = &steps[i];
        memset(step, 0, sizeof *step);
        (void)snprintf(step->rule, sizeof step->rule, "%s", rules[i].name);
        j.verdict = &step->verdict;
        j.note = step->note;
        enum outcome o = ctx->contract->mode == MODE_OFF ? skip(&j, "the contract's mode is off")
                                                         : rules[i].run(&j);
        if (o == PASS)
            step->outcome = JUDGE_PASS;
        else
            step->outcome = o == FAIL ? JUDGE_FAIL : JUDGE_SKIP;
    }
    return RULES;
}
