/* Limits of the catalogue, all in one place. */
#ifndef CATALOGUE_LIMITS_H
#define CATALOGUE_LIMITS_H

enum {
    /* The SQLite image; beyond the alarm each entry logs a warning, beyond the limit whatever adds
     * is refused (ERR_LIMIT) while deleting and revoking go on, up to the reserve. */
    CATALOGUE_STATE_MAX_BYTES = 32 << 20,
    CATALOGUE_STATE_ALARM_BYTES = CATALOGUE_STATE_MAX_BYTES / 4 * 3,
    CATALOGUE_STATE_RESERVE_BYTES = 2 << 20,
    CATALOGUE_ENTRY_MAX_BYTES = 4 << 20,      /* one Raft entry, compressed */
    CATALOGUE_ENTRY_RAW_MAX_BYTES = 64 << 20, /* and decompressed */
    CATALOGUE_ENTRY_COMPRESS_BYTES = 1024,    /* smaller entries stay as they are */
    CATALOGUE_DOCUMENTS_MAX = 5000,           /* in one request */
    CATALOGUE_TOPICS_MAX = 20000,
    CATALOGUE_TOPIC_PARTITIONS_MAX = 1000,
    CATALOGUE_PARTITIONS_MAX = 100000,
    CATALOGUE_TEAMS_MAX = 2000,
    CATALOGUE_PRODUCERS_MAX = 5000,
    CATALOGUE_POLICIES_MAX = 1000,
    CATALOGUE_KEYS_PER_PRODUCER_MAX = 64,
    CATALOGUE_NODES_MAX = 100,
    CATALOGUE_HISTORY_MAX = 64,                      /* contracts kept of one topic */
    CATALOGUE_TOMBSTONES_MAX = 1000,                 /* deleted topics remembered by name and id */
    CATALOGUE_IDEMPOTENCY_MAX = 1024,                /* results remembered */
    CATALOGUE_IDEMPOTENCY_BODY_MAX_BYTES = 64 << 10, /* larger bodies are summed up */
    CATALOGUE_IDEMPOTENCY_KEY_MAX_BYTES = 128,
    CATALOGUE_PRODUCER_IDS_MAX = 1000000,  /* in one block */
    CATALOGUE_TEXT_COMPRESS_BYTES = 256,   /* smaller texts are stored as they are */
    CATALOGUE_DIFF_VALUE_MAX_BYTES = 1024, /* larger values stand as digest and size in a plan */
    CATALOGUE_VIOLATIONS_MAX = 200,
    CATALOGUE_IMPACTS_MAX = 500, /* told one by one; how many more there are is told as a number */
    CATALOGUE_ROW_CELLS_MAX = 16,
    CATALOGUE_REASON_MAX_BYTES = 1000, /* why a key was revoked */
};

#endif
