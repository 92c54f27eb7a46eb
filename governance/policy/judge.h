/* One record against its contract, in the fixed order of docs/contracts.md: cheap rules first, the
 * schema, then the signature. Pure and free of allocation in the steady state; safe to run on any
 * thread with that thread's scratch. What needs state (sequence, replay memory, rates) is not here:
 * node/admit adds it. */
#ifndef POLICY_JUDGE_H
#define POLICY_JUDGE_H

#include "base/map.h"
#include "policy/contract.h"
#include "policy/verdict.h"
#include "sign/sign.h"

struct judge_record {
    struct slice key;   /* p == NULL: null */
    struct slice value; /* p == NULL: null (tombstone) */
    const struct sign_header *headers;
    size_t headers_n;
    int64_t timestamp_ms; /* CreateTime */
    size_t size_bytes;    /* as limits.record counts: key + value + headers' names and values */
};

struct judge_key {
    const struct producer *producer;
    const struct producer_key *key;
};

struct judge_context {
    struct slice topic;
    const struct contract *contract;
    uint64_t contract_version;
    struct schema *schema; /* NULL for bytes */
    int64_t now_ms;
    /* Does the connection's principal belong to a granted producer? For unsigned records. */
    bool principal_granted;
    struct slice principal;
    /* Looks up a key id; returns false when no producer has it. */
    bool (*find_key)(void *arg, struct slice kid, struct judge_key *out);
    void *find_key_arg;
};

/* What the replay memory needs of an accepted signed record. */
struct judge_signature {
    bool present;
    uint64_t kid_hash; /* SipHash of the kid under a fixed key: identity within the replay memory */
    uint8_t jti[SIGN_JTI_BYTES];
    int64_t iat_ms;
};

/* kid_hash of a key id; also what the replay memory is rebuilt with after a restart. */
static inline uint64_t judge_kid_hash(struct slice kid)
{
    return hash_bytes(kid, 0x77726974206b6964u);
}

struct judge_scratch;
struct judge_scratch *judge_scratch_new(void);
void judge_scratch_free(struct judge_scratch *s);

/* The first rule that refuses, or VERDICT_ACCEPTED. */
enum verdict_code judge_record(const struct judge_context *ctx, const struct judge_record *rec,
                               struct judge_scratch *scratch, struct verdict *verdict,
                               struct judge_signature *signature);

/* Every rule's result, for explain: name, outcome, detail. */
struct judge_step {
    char rule[48]; /* "record.size", "key", "headers", "value.schema", "signature.window", ... */
    enum { JUDGE_PASS, JUDGE_FAIL, JUDGE_SKIP } outcome;
    struct verdict verdict; /* with JUDGE_FAIL */
    char note[160];         /* why skipped, or what passed */
};
enum { JUDGE_STEPS_MAX = 32 };
size_t judge_explain(const struct judge_context *ctx, const struct judge_record *rec,
                     struct judge_scratch *scratch, struct judge_step steps[JUDGE_STEPS_MAX]);

#endif
