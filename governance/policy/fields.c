#include "policy/fields.h"

#include "base/check.h"
#include "policy/limits.h"
#include "sign/sign.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define END_OF_CHOICES                                                                             \
    {                                                                                              \
        NULL, 0, false, NULL                                                                       \
    }

static const struct field_choice events[] = {
    {"event", CONTRACT_EVENT, true, "something has happened"},
    {"command", CONTRACT_COMMAND, true, "something should happen"},
    {"change", CONTRACT_CHANGE, true, "something was changed"},
    END_OF_CHOICES,
};

static const struct field_choice formats[] = {
    {"json", SCHEMA_JSON, true, "JSON text (RFC 8259) under a JSON Schema, draft 7 or 2020-12"},
    {"bytes", SCHEMA_BYTES, true, "any bytes, without a schema"},
    {"avro", SCHEMA_AVRO, false, NULL},
    {"protobuf", SCHEMA_PROTOBUF, false, NULL},
    {"msgpack", SCHEMA_MSGPACK, false, NULL},
    END_OF_CHOICES,
};

static const struct field_choice format_asserts[] = {
    {"annotate", false, true, "the keyword `format` says something and checks nothing"},
    {"assert", true, true, "a string that does not fit its `format` is refused"},
    END_OF_CHOICES,
};

static const struct field_choice framings[] = {
    {"none", FRAMING_NONE, true, "the value is the payload; the contract's own schema applies"},
    {"confluent", FRAMING_CONFLUENT, false, NULL},
    {"header", FRAMING_HEADER, false, NULL},
    END_OF_CHOICES,
};

static const struct field_choice compatibilities[] = {
    {"NONE", 0, true, "a new schema version may differ in any way"},
    {"BACKWARD", 0, false, NULL},
    {"BACKWARD_TRANSITIVE", 0, false, NULL},
    {"FORWARD", 0, false, NULL},
    {"FORWARD_TRANSITIVE", 0, false, NULL},
    {"FULL", 0, false, NULL},
    {"FULL_TRANSITIVE", 0, false, NULL},
    END_OF_CHOICES,
};

static const struct field_choice key_formats[] = {
    {"any", KEY_ANY, true, "nothing is asked"},
    {"string", KEY_STRING, true, "UTF-8 text"},
    {"bytes", KEY_BYTES, true, "any bytes"},
    END_OF_CHOICES,
};

static const struct field_choice cleanups[] = {
    {"delete", CLEANUP_DELETE, true, "what is past retention goes away"},
    {"compact", CLEANUP_COMPACT, false, NULL},
    {"compact,delete", CLEANUP_COMPACT_DELETE, false, NULL},
    END_OF_CHOICES,
};

static const struct field_choice flushes[] = {
    {"sync", FLUSH_SYNC, true, "acknowledged when it is synced to the disk"},
    {"replicated", FLUSH_REPLICATED, false, NULL},
    END_OF_CHOICES,
};

static const struct field_choice modes[] = {
    {"enforce", MODE_ENFORCE, true, "a record that breaks the contract is refused"},
    {"off", MODE_OFF, true, "records are not looked at"},
    {"quarantine", MODE_QUARANTINE, false, NULL},
    {"shadow", MODE_SHADOW, false, NULL},
    END_OF_CHOICES,
};

static const struct field_choice key_states[] = {
    {"active", KEY_ACTIVE, true, "signatures are accepted within not_before and not_after"},
    {"revoked", KEY_REVOKED, true, "signatures are refused"},
    END_OF_CHOICES,
};

#define AT(type, member)  .offset = (uint16_t)offsetof(struct type, member)
#define AT2(type, member) .offset2 = (uint16_t)offsetof(struct type, member)

static const struct field topic_fields[] = {
    {"name", FIELD_NAME, AT(contract, name), .least = 1, .most = POLICY_TOPIC_NAME_MAX,
     .about = "The topic's name in Kafka."},
    {"team", FIELD_NAME, AT(contract, team), .least = 1, .most = POLICY_NAME_MAX,
     .about = "The team that answers for the topic. It must exist."},
    {"description", FIELD_TEXT, AT(contract, description), .most = POLICY_TEXT_MAX, .standard = "",
     .about = "What the records say, in words for a stranger."},
    {"event", FIELD_CHOICE, AT(contract, event), .choices = events, .standard = "event",
     .about = "What kind of message it is."},
    {"type", FIELD_TEXT, AT(contract, type), .most = POLICY_TYPE_MAX, .standard = "",
     .about = "The one message type of the topic, e.g. `com.example.shop.OrderPlaced`."},
    {"value.format", FIELD_CHOICE, AT(contract, value.format), .choices = formats,
     .about = "What a record's value is."},
    {"value.schema", FIELD_SOURCE, AT(contract, value.schema_text), .most = POLICY_SCHEMA_MAX_BYTES,
     .standard = "null",
     .about = "The schema: its text, or JSON in place. In a file read by the CLI, a text that "
              "begins with `./`, `../` or `/` is a path relative to the file. Required for json, "
              "refused for bytes."},
    {"value.formats", FIELD_CHOICE_BOOL, AT(contract, value.check_formats),
     .choices = format_asserts, .standard = "annotate",
     .about = "Whether JSON Schema's keyword `format` is checked."},
    {"value.framing", FIELD_CHOICE, AT(contract, value.framing), .choices = framings,
     .standard = "none", .about = "How a value names its schema."},
    {"value.compatibility", FIELD_CHOICE_TEXT, AT(contract, value.compatibility),
     .choices = compatibilities, .standard = "NONE",
     .about = "What a new schema version must keep."},
    {"value.examples", FIELD_SOURCES, AT(contract, value.examples), .most = POLICY_EXAMPLES_MAX,
     .item_most = POLICY_EXAMPLE_MAX_BYTES, .standard = "",
     .about = "Payloads that must be valid: texts, JSON in place, or paths as for the schema."},
    {"value.accept", FIELD_NOT_BUILT,
     .about = "Which schema versions a value may have. Without it: the newest."},
    {"value.references", FIELD_NOT_BUILT, .about = "Schemas of other subjects."},
    {"key.format", FIELD_CHOICE, AT(contract, key.format), .choices = key_formats,
     .standard = "any", .about = "What a record's key is."},
    {"key.required", FIELD_BOOL, AT(contract, key.required), .standard = "false",
     .about = "Whether a record without a key is refused."},
    {"key.schema", FIELD_NOT_BUILT, .about = "A schema for keys."},
    {"headers.required", FIELD_LIST, AT(contract, headers_required), .most = POLICY_HEADERS_MAX,
     .item_most = POLICY_HEADER_NAME_MAX, .standard = "",
     .about = "Header names that each record must carry, with a value."},
    {"signing.required", FIELD_BOOL, AT(contract, signing.required), .standard = "false",
     .about = "Whether a record without a signature is refused. A signature that is there is "
              "always judged."},
    {"signing.window", FIELD_DURATION, AT(contract, signing.window_ms), .least = 1000,
     .most = 3600000, .standard = "2m",
     .about = "How far a signature's time may be from the broker's and from the record's."},
    {"signing.headers", FIELD_LIST, AT(contract, signing.headers), .most = SIGN_SH_MAX,
     .item_most = POLICY_HEADER_NAME_MAX, .standard = "",
     .about = "Header names that a signature must cover."},
    {"signing.replay", FIELD_NOT_BUILT, .about = "How wide the replay memory reaches."},
    {"retention.time", FIELD_DURATION, AT(contract, retention.time_ms), .least = 1000,
     .most = INT64_MAX, .standard = "7d",
     .about = "How long records are kept; `forever` keeps them."},
    {"retention.bytes", FIELD_SIZE, AT(contract, retention.size_bytes), .least = 1,
     .most = INT64_MAX, .standard = "unlimited", .about = "How much of a partition is kept."},
    {"retention.cleanup", FIELD_CHOICE, AT(contract, retention.cleanup), .choices = cleanups,
     .standard = "delete", .about = "What happens past retention."},
    {"partitions", FIELD_INT, AT(contract, partitions), .least = 1, .most = POLICY_PARTITIONS_MAX,
     .standard = "1", .about = "Number of partitions. It may grow, not shrink."},
    {"replicas", FIELD_INT, AT(contract, replicas), .least = 1, .most = POLICY_REPLICAS_MAX,
     .standard = "1", .about = "Number of nodes that hold each partition."},
    {"limits.record", FIELD_SIZE, AT(contract, record_limit_bytes), .least = 1,
     .most = POLICY_RECORD_MAX_BYTES, .standard = "1MiB",
     .about = "Largest record: key, value, header names and header values together, uncompressed."},
    {"limits.rate", FIELD_NOT_BUILT, .about = "Records or bytes in a time."},
    {"min_insync_replicas", FIELD_INT, AT(contract, min_insync_replicas), .least = 1,
     .most = POLICY_REPLICAS_MAX, .standard = "1",
     .about = "How many replicas must have a record before it is acknowledged (`acks=all`)."},
    {"flush", FIELD_CHOICE, AT(contract, flush), .choices = flushes, .standard = "sync",
     .about = "When a record counts as stored."},
    {"mode", FIELD_CHOICE, AT(contract, mode), .choices = modes, .standard = "enforce",
     .about = "How the contract is applied. (YAML 1.1 reads `off` as false: both are off.)"},
    {"stale", FIELD_NOT_BUILT, .about = "What a node does whose view of the rules is too old."},
    {"tags", FIELD_TAGS, AT(contract, tag_names), AT2(contract, tag_values),
     .most = POLICY_TAGS_MAX, .item_most = POLICY_TAG_MAX, .standard = "",
     .about = "Names and texts of your own."},
};

static const struct field team_fields[] = {
    {"name", FIELD_NAME, AT(team, name), .least = 1, .most = POLICY_NAME_MAX,
     .about = "The team's name, as topics and producers give it."},
    {"description", FIELD_TEXT, AT(team, description), .most = POLICY_TEXT_MAX, .standard = "",
     .about = "What the team does."},
    {"contact", FIELD_TEXT, AT(team, contact), .most = POLICY_TYPE_MAX, .standard = "",
     .about = "How to reach it: an address, a channel, a page."},
    {"members", FIELD_LIST, AT(team, members), .most = POLICY_LIST_MAX,
     .item_most = POLICY_PRINCIPAL_MAX, .standard = "",
     .about = "The principals that belong to it."},
};

static const struct field producer_fields[] = {
    {"name", FIELD_NAME, AT(producer, name), .least = 1, .most = POLICY_PRODUCER_NAME_MAX,
     .about = "The application's name; the first half of its key ids."},
    {"team", FIELD_NAME, AT(producer, team), .least = 1, .most = POLICY_NAME_MAX,
     .about = "The team that answers for the application. It must exist."},
    {"description", FIELD_TEXT, AT(producer, description), .most = POLICY_TEXT_MAX, .standard = "",
     .about = "What the application does."},
    {"keys", FIELD_KEYS, AT(producer, key), AT2(producer, keys_n), .most = POLICY_KEYS_MAX,
     .standard = "", .about = "Its Ed25519 public keys; see below."},
    {"topics", FIELD_LIST, AT(producer, topics), .most = POLICY_LIST_MAX,
     .item_most = POLICY_TOPIC_NAME_MAX, .standard = "",
     .about = "The topics it may write: exact names, or prefixes that end in `*`."},
    {"principals", FIELD_LIST, AT(producer, principals), .most = POLICY_LIST_MAX,
     .item_most = POLICY_PRINCIPAL_MAX, .standard = "",
     .about = "The principals that may write unsigned records as this producer. `anonymous` is "
              "every connection of a listener without authentication."},
};

static const struct field key_fields[] = {
    {"id", FIELD_NAME, AT(producer_key, id), .least = 1, .most = POLICY_KEY_ID_MAX,
     .about = "The key's name; a signature's `kid` is `<producer>/<id>`."},
    {"public_key", FIELD_PUBLIC_KEY, AT(producer_key, public_key),
     .about = "The public key, 32 bytes as 43 characters of base64url."},
    {"not_before", FIELD_TIME, AT(producer_key, not_before_ms), .standard = "null",
     .about = "Not valid before this time (RFC 3339)."},
    {"not_after", FIELD_TIME, AT(producer_key, not_after_ms), .standard = "null",
     .about = "Not valid after this time (RFC 3339)."},
    {"state", FIELD_CHOICE, AT(producer_key, state), .choices = key_states, .standard = "active",
     .about = "`writ key revoke` sets it; a revoked key stays revoked."},
    {"revoked_at", FIELD_TIME, AT(producer_key, revoked_at_ms), .standard = "null",
     .about = "When it was revoked."},
    {"reason", FIELD_TEXT, AT(producer_key, reason), .most = POLICY_TYPE_MAX, .standard = "",
     .about = "Why it was revoked."},
};

static const struct field policy_fields[] = {
    {"name", FIELD_NAME, AT(policy, name), .least = 1, .most = POLICY_NAME_MAX,
     .about = "The policy's name."},
    {"prefix", FIELD_TEXT, AT(policy, prefix), .most = POLICY_TOPIC_NAME_MAX, .standard = "",
     .about = "The topic names it is about: all that begin with this. Empty: every topic."},
    {"governance", FIELD_SWITCH, AT(policy, governance_off), AT2(policy, governance_set),
     .standard = "null",
     .about = "`off`: topics may exist without a contract, and contracts are not looked at. Unset: "
              "the next shorter prefix decides, and last the cluster."},
    {"naming.pattern", FIELD_PATTERN, AT(policy, naming_pattern), .least = 1,
     .most = POLICY_PATTERN_MAX, .standard = "null",
     .about = "A regular expression (PCRE2) that the whole topic name must match."},
    {"required", FIELD_LIST, AT(policy, required_fields), .most = POLICY_LIST_MAX,
     .item_most = POLICY_TYPE_MAX, .standard = "",
     .about = "JSON Pointers into the contract, e.g. `/description` or `/tags/domain`, that must "
              "not be empty."},
    {"formats", FIELD_CHOICES, AT(policy, allowed_formats), .choices = formats,
     .most = POLICY_LIST_MAX, .standard = "", .about = "Allowed values of `value.format`."},
    {"compatibility", FIELD_NOT_BUILT, .about = "The least compatibility of schemas."},
    {"retention.min", FIELD_DURATION, AT(policy, retention_min_ms), .least = 0, .most = INT64_MAX,
     .standard = "null", .about = "Shortest `retention.time`."},
    {"retention.max", FIELD_DURATION, AT(policy, retention_max_ms), .least = 0, .most = INT64_MAX,
     .standard = "null", .about = "Longest `retention.time`."},
    {"replicas.min", FIELD_INT, AT(policy, replicas_min), .least = 1, .most = POLICY_REPLICAS_MAX,
     .standard = "null", .about = "Fewest `replicas`."},
    {"signing.required", FIELD_TRISTATE, AT(policy, signing_required), .standard = "null",
     .about = "true: `signing.required` must be true."},
    {"modes", FIELD_CHOICES, AT(policy, modes_allowed), .choices = modes, .most = POLICY_LIST_MAX,
     .standard = "", .about = "Allowed values of `mode`."},
    {"limits.record", FIELD_SIZE, AT(policy, record_limit_max_bytes), .least = 1,
     .most = POLICY_RECORD_MAX_BYTES, .standard = "null",
     .about = "Largest `limits.record` that a contract may ask for."},
};

static const struct field_table tables[DOCUMENT_KINDS] = {
    [DOCUMENT_TOPIC] = {"Topic", "The contract of one topic.", topic_fields, COUNT(topic_fields)},
    [DOCUMENT_TEAM] = {"Team", "Who answers for something.", team_fields, COUNT(team_fields)},
    [DOCUMENT_PRODUCER] = {"Producer", "An application that writes.", producer_fields,
                           COUNT(producer_fields)},
    [DOCUMENT_POLICY] = {"Policy",
                         "Rules over contracts, by topic-name prefix: for each field the longest "
                         "prefix that sets it wins.",
                         policy_fields, COUNT(policy_fields)},
};

static const struct field_table keys_table = {"Key of a Producer", "An Ed25519 public key.",
                                              key_fields, COUNT(key_fields)};

_Static_assert(COUNT(topic_fields) <= FIELDS_MAX, "a set of fields is one 64-bit word");

const struct field_table *field_table_of(enum document_kind kind)
{
    ASSERT((unsigned)kind < DOCUMENT_KINDS);
    return &tables[kind];
}

const struct field_table *field_table_keys(void)
{
    return &keys_table;
}

const char *document_kind_name(enum document_kind k)
{
    return field_table_of(k)->title;
}
