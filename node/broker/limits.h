/* Every limit of the broker in one place. */
#ifndef BROKER_LIMITS_H
#define BROKER_LIMITS_H

enum {
    /* Requests of one connection that are not answered yet; beyond it the connection is closed.
     * librdkafka sends as many as it likes (max.in.flight defaults to a million); their frames
     * count against the runtime's byte budget, so this bounds only the rows. */
    BROKER_PIPELINE_MAX = 65536,
    /* Batches in the verify pool at one time; further ones wait in the broker, in order. */
    BROKER_JUDGING_MAX = 1024,
    /* Requests to the catalogue under way (topic creation, producer ids, ...). */
    BROKER_CATALOGUE_MAX = 1024,
    /* Refused records of one batch that are described one by one; the rest is counted. */
    BROKER_REFUSALS_MAX = 100,
    /* Topics named by one CreateTopics, DeleteTopics, Metadata with auto-creation, ... */
    BROKER_ADMIN_TOPICS_MAX = 1000,
    /* Partitions that one topic may have. */
    BROKER_TOPIC_PARTITIONS_MAX = 10000,
    /* Partitions in one DescribeTopicPartitions answer (as Kafka's default). */
    BROKER_DESCRIBE_PARTITIONS_MAX = 2000,
    /* Look-ups by time in one ListOffsets: each may read from the disk. */
    BROKER_TIME_LOOKUPS_MAX = 10000,
    /* Longest wait of a Fetch, whatever the client asks. */
    BROKER_FETCH_WAIT_MAX_MS = 300000,
    /* Longest wait for the catalogue's answer. */
    BROKER_CATALOGUE_WAIT_MAX_MS = 30000,
    /* Metadata with auto-creation waits this long before it says LEADER_NOT_AVAILABLE. */
    BROKER_AUTO_CREATE_WAIT_MS = 2000,
    /* Producer state is noted in the journal after so many appended bytes of a partition, so that a
     * restart scans no more than this. */
    BROKER_NOTE_BYTES = 1 << 20,
    /* And when nothing was appended for so long. */
    BROKER_NOTE_QUIET_MS = 2000,
    /* Producer ids asked from the catalogue at a time (as Kafka's block size). */
    BROKER_PRODUCER_IDS_BLOCK = 1000,
    BROKER_PRODUCER_IDS_WAIT_MS = 5000,
    /* Silent producers are looked for so often. */
    BROKER_PRODUCER_EXPIRY_EVERY_MS = 60000,
    /* Longest client software name and version kept of a connection. */
    BROKER_SOFTWARE_NAME_MAX = 64,
    /* Bytes of a topic name (Kafka's limit: file names). */
    BROKER_TOPIC_NAME_MAX = 249,
};

#endif
