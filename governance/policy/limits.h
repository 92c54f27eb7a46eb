/* Limits of documents. Lengths in bytes unless said otherwise. */
#ifndef POLICY_LIMITS_H
#define POLICY_LIMITS_H

enum {
    POLICY_TOPIC_NAME_MAX = 249, /* Kafka's own */
    POLICY_NAME_MAX = 100,       /* teams, policies */
    /* "<producer>/<key id>" fits into 96 bytes with its NUL (admit's key_id). */
    POLICY_PRODUCER_NAME_MAX = 60,
    POLICY_KEY_ID_MAX = 32,
    POLICY_PRINCIPAL_MAX = 120,
    POLICY_TEXT_MAX = 4000,
    POLICY_TYPE_MAX = 200,
    POLICY_HEADER_NAME_MAX = 120,
    POLICY_HEADERS_MAX = 32, /* names in headers.required */
    POLICY_LIST_MAX = 200,
    POLICY_KEYS_MAX = 64,
    POLICY_TAGS_MAX = 64,
    POLICY_TAG_MAX = 200,
    POLICY_SCHEMA_MAX_BYTES = 1024 * 1024,
    POLICY_EXAMPLES_MAX = 16,
    POLICY_EXAMPLE_MAX_BYTES = 256 * 1024,
    POLICY_PARTITIONS_MAX = 1000,
    POLICY_REPLICAS_MAX = 32,
    POLICY_RECORD_MAX_BYTES = 16 * 1024 * 1024,
    POLICY_PATTERN_MAX = 512,
    /* PCRE2: steps and heap (KiB) of one match of a naming pattern. */
    POLICY_PATTERN_MATCH_LIMIT = 100000,
    POLICY_PATTERN_DEPTH_LIMIT = 1000,
    POLICY_PATTERN_HEAP_KIB = 256,
};

#endif
