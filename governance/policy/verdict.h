/* The stable reason codes of a verdict (contract.md section 3). One table, from which the
 * documentation page is generated; codes are never renumbered or reused. */
#ifndef POLICY_VERDICT_H
#define POLICY_VERDICT_H

#include "base/slice.h"

/* X(symbol, "code", "cause", "remedy") */
#define VERDICT_CODES(X)                                                                           \
    X(ACCEPTED, "accepted", "The record meets its contract.", "Nothing to do.")                    \
    X(TOPIC_UNKNOWN, "topic.unknown", "No such topic.", "Register it: writ apply -f FILE.")        \
    X(TOPIC_UNGOVERNED, "topic.ungoverned",                                                        \
      "The topic has no contract, in a name space where every topic needs one.",                   \
      "Register a contract: writ apply -f FILE.")                                                  \
    X(TOPIC_DELETED, "topic.deleted", "The topic was deleted.", "Use its successor.")              \
    X(WRITE_NOT_GRANTED, "write.not-granted",                                                      \
      "The connection's principal belongs to no producer that is granted this topic.",             \
      "Grant the topic to a producer, or sign the record.")                                        \
    X(ACKS_REQUIRED, "acks.required", "acks=0 cannot be told of a refusal.", "Use acks=all.")      \
    X(RECORD_TOO_LARGE, "record.too-large", "The record is larger than the contract allows.",      \
      "Send less, or raise limits.record in the contract.")                                        \
    X(KEY_REQUIRED, "key.required", "The contract requires a key.", "Send a key.")                 \
    X(KEY_INVALID, "key.invalid", "The key is not of the contract's key format.", "Fix the key.")  \
    X(HEADER_MISSING, "header.missing", "A header that the contract requires is absent.",          \
      "Send the header.")                                                                          \
    X(TYPE_MISMATCH, "type.mismatch", "The record names another message type.",                    \
      "Send it to the topic of its type.")                                                         \
    X(SCHEMA_MISSING, "schema.missing", "The record carries no schema id.",                        \
      "Use the serializer that the contract's framing asks for.")                                  \
    X(SCHEMA_UNKNOWN, "schema.unknown", "No schema has this id.", "Register the schema.")          \
    X(SCHEMA_WRONG_SUBJECT, "schema.wrong-subject", "The schema belongs to another subject.",      \
      "Use a schema of the contract's subject.")                                                   \
    X(SCHEMA_RETIRED, "schema.retired", "The schema version is no longer allowed.",                \
      "Use a newer version.")                                                                      \
    X(PAYLOAD_INVALID, "payload.invalid", "The value breaks the contract's schema.",               \
      "Fix the value at the place that the message names.")                                        \
    X(PAYLOAD_MALFORMED, "payload.malformed", "The value is not a text of the contract's format.", \
      "Check the serializer.")                                                                     \
    X(SIGNATURE_MISSING, "signature.missing", "The contract requires a signature.",                \
      "Sign the record: writ sign, or a helper library.")                                          \
    X(SIGNATURE_MALFORMED, "signature.malformed", "The signature header cannot be read.",          \
      "Use a helper library; see docs/signatures.md.")                                             \
    X(SIGNATURE_DUPLICATE, "signature.duplicate", "More than one signature header.",               \
      "Send exactly one.")                                                                         \
    X(SIGNATURE_ALGORITHM, "signature.algorithm", "The algorithm is not EdDSA (Ed25519).",         \
      "Sign with an Ed25519 key.")                                                                 \
    X(SIGNATURE_KEY_UNKNOWN, "signature.key-unknown", "No producer has this key.",                 \
      "Add the public key: writ key add.")                                                         \
    X(SIGNATURE_KEY_INACTIVE, "signature.key-inactive", "The key is not valid at this time.",      \
      "Use an active key.")                                                                        \
    X(SIGNATURE_KEY_REVOKED, "signature.key-revoked", "The key was revoked.", "Use a new key.")    \
    X(SIGNATURE_NOT_GRANTED, "signature.not-granted",                                              \
      "The key's producer is not granted this topic.", "Grant the topic to the producer.")         \
    X(SIGNATURE_EXPIRED, "signature.expired", "The signature is older than the window.",           \
      "Sign when sending; check the clock.")                                                       \
    X(SIGNATURE_FUTURE, "signature.future", "The signature's time is ahead of the window.",        \
      "Check the clock.")                                                                          \
    X(SIGNATURE_REPLAYED, "signature.replayed", "This signature was stored before.",               \
      "Sign each record anew; use an idempotent producer for retries.")                            \
    X(SIGNATURE_CONTEXT, "signature.context",                                                      \
      "The signature was made for another topic, key or header set.", "Sign for this topic.")      \
    X(SIGNATURE_INVALID, "signature.invalid", "The signature does not fit the value and the key.", \
      "The record was altered after signing, or signed with another key.")                         \
    X(TOMBSTONE_FORBIDDEN, "tombstone.forbidden",                                                  \
      "A null value on a topic that keeps no deletes.",                                            \
      "Send a value, or choose cleanup: compact.")                                                 \
    X(RATE_EXCEEDED, "rate.exceeded", "The producer's rate limit is used up.", "Slow down.")       \
    X(CATALOGUE_STALE, "catalogue.stale", "This node's view of the rules is too old to judge.",    \
      "Retry; the client does.")

enum verdict_code {
#define X(sym, code, cause, remedy) VERDICT_##sym,
    VERDICT_CODES(X)
#undef X
        VERDICT_CODE_COUNT
};

const char *verdict_code_name(enum verdict_code c); /* "payload.invalid" */
const char *verdict_cause(enum verdict_code c);
const char *verdict_remedy(enum verdict_code c);
bool verdict_code_parse(struct slice name, enum verdict_code *out);

/* One record's verdict. rule is the place in the contract
 * ("value.schema#/properties/total/minimum", "signing.window"); path the place in the record (JSON
 * Pointer for values, a header name, ""). detail is the sentence fragment ("must be >= 0"). */
struct verdict {
    enum verdict_code code;
    char rule[96];
    char path[256];
    char detail[256];
};

/* "payload.invalid at /total: must be >= 0 (contract shop.orders.placed v3)"; returns out. */
const char *verdict_text(const struct verdict *v, struct slice topic, uint64_t contract_version,
                         char *out, size_t out_size);

#endif
