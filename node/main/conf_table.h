/* The table itself: KEY(key, field, type, default, least, most, sample, help). Types: TEXT ADDRESS
 * BOOL NUMBER SIZE DURATION. Bounds are in the type's base unit (bytes, milliseconds); for TEXT and
 * ADDRESS they are lengths. */
#ifndef MAIN_CONF_TABLE_H
#define MAIN_CONF_TABLE_H

#define KIB(n)     ((int64_t)(n) << 10)
#define MIB(n)     ((int64_t)(n) << 20)
#define GIB(n)     ((int64_t)(n) << 30)
#define SECONDS(n) ((int64_t)(n)*1000)
#define DAYS(n)    ((int64_t)(n)*86400000)

/* clang-format off */
#define CONFIG_KEYS(SECTION, KEY)                                                                   \
SECTION("The node")                                                                                \
KEY("data", data, TEXT, "", 0, 1000, "/var/lib/writ",                                              \
    "Data folder: identity, catalogue, journal, segments. All that the node keeps lies below it; "\
    "it is made at the first start if its parent exists.")                                        \
KEY("node", node, NUMBER, "1", 1, INT32_MAX, NULL,                                                \
    "Number of this node. Stays the same for the life of its data folder.")                       \
KEY("voters", voters, TEXT, "", 0, 1000, "1@127.0.0.1:9292",                                       \
    "The first voters of the cluster as id@host:port,..., the same on each. Empty: this node "    \
    "alone. This version runs one node; more than one voter is refused.")                         \
KEY("cluster-id", cluster_id, TEXT, "", 0, 63, NULL,                                              \
    "If set, the data folder must belong to this cluster. A guard against starting on the wrong "  \
    "folder.")                                                                                     \
KEY("governance", governance, BOOL, "on", 0, 0, NULL,                                             \
    "Read at the first start of a cluster only: off lets ungoverned topics exist everywhere.")    \
SECTION("Listeners")                                                                               \
KEY("kafka-listen", kafka_listen, ADDRESS, "127.0.0.1:9092", 1, 255, NULL,                        \
    "Address for Kafka clients. Port 0 picks a free one.")                                         \
KEY("kafka-advertise", kafka_advertise, ADDRESS, "", 0, 255, "broker-1.example.com:9092",          \
    "What clients are told to connect to. Empty: kafka-listen.")                                   \
KEY("admin-listen", admin_listen, ADDRESS, "127.0.0.1:9192", 1, 255, NULL,                        \
    "Address of the admin API, metrics and health checks (HTTP). Port 0 picks a free one.")       \
KEY("admin-advertise", admin_advertise, ADDRESS, "", 0, 255, "broker-1.example.com:9192",          \
    "What other nodes and tools are told to connect to. Empty: admin-listen.")                     \
SECTION("Logs")                                                                                    \
KEY("log-file", log_file, TEXT, "", 0, 1000, "/var/log/writ/writ.log",                             \
    "File for log lines; SIGHUP opens it anew. Empty: standard error.")                            \
KEY("log-level", log_level, TEXT, "info", 1, 8, NULL,                                             \
    "debug, info, warn or error.")                                                                 \
SECTION("Topics")                                                                                  \
KEY("auto-create-topics", auto_create_topics, BOOL, "on", 0, 0, NULL,                             \
    "Let clients create topics by using them, where governance is off. Never in a governed name "\
    "space.")                                                                                      \
KEY("default-partitions", default_partitions, NUMBER, "1", 1, 10000, NULL,                         \
    "Partitions of a topic whose creator does not say.")                                           \
SECTION("Limits")                                                                                  \
KEY("memory", memory_bytes, SIZE, "128MiB", MIB(8), INT64_MAX, NULL,                               \
    "Budget of request bytes in memory. When it is used up, connections are not read from.")      \
KEY("replay-memory", replay_memory_bytes, SIZE, "64MiB", MIB(1), INT64_MAX, NULL,                  \
    "Memory for the signatures seen, against replays. When it is full, signed topics answer with "\
    "a retriable error.")                                                                          \
KEY("request-max", request_max_bytes, SIZE, "32MiB", KIB(64), GIB(1), NULL,                        \
    "Largest request. A larger one closes the connection.")                                        \
KEY("fetch-max", fetch_max_bytes, SIZE, "55MiB", KIB(64), GIB(1), NULL,                            \
    "Largest Fetch answer, whatever the client asks for (but the first batch is always given).")  \
KEY("max-connections", max_connections, NUMBER, "10000", 1, 1000000, NULL,                         \
    "Kafka connections; further ones are closed at once. The process needs as many descriptors.") \
KEY("max-pending-requests", max_pending_requests, NUMBER, "1000", 1, 60000, NULL,                  \
    "Unanswered requests of one connection; it is not read from beyond them.")                     \
KEY("request-timeout", request_timeout_ms, DURATION, "10s", SECONDS(1), SECONDS(600), NULL,        \
    "A request that has begun to arrive must be whole by then, or go on at 16 KiB/s at least.")   \
KEY("idle-timeout", idle_timeout_ms, DURATION, "10m", SECONDS(1), DAYS(7), NULL,                   \
    "A connection without requests is closed after this time.")                                    \
KEY("write-timeout", write_timeout_ms, DURATION, "30s", SECONDS(1), SECONDS(3600), NULL,           \
    "A client that takes none of its answers for this time is disconnected.")                      \
KEY("judge-threads", judge_threads, NUMBER, "0", 0, 64, NULL,                                      \
    "Threads that check signatures and schemas. 0: one for each processor.")                       \
SECTION("Disk")                                                                                    \
KEY("free-space-min", free_space_min_bytes, SIZE, "256MiB", 0, INT64_MAX, NULL,                    \
    "With less free space than this in the data folder, writes are refused with a retriable "     \
    "error until there is room again. Reading goes on.")                                           \
KEY("journal-file", journal_file_bytes, SIZE, "32MiB", MIB(1), GIB(1), NULL,                       \
    "Size of one journal file. They are recycled.")                                                \
KEY("journal-total", journal_bytes, SIZE, "256MiB", MIB(4), GIB(64), NULL,                         \
    "Bound of the journal, and so of what a start has to replay. At least four files.")            \
KEY("journal-group", journal_group_bytes, SIZE, "4MiB", KIB(64), MIB(256), NULL,                   \
    "Most bytes that one sync makes durable.")                                                     \
KEY("journal-direct", journal_direct, BOOL, "on", 0, 0, NULL,                                      \
    "Write the journal past the page cache (O_DIRECT) where the file system can: less processor "  \
    "time, steadier latency. Durable either way.")                                                 \
KEY("segment-size", segment_bytes, SIZE, "1GiB", MIB(1), GIB(2), NULL,                             \
    "A partition's segment is closed at this size. A topic may say otherwise.")                    \
KEY("segment-time", segment_ms, DURATION, "7d", SECONDS(1), DAYS(36500), NULL,                     \
    "A partition's segment is closed at this age. A topic may say otherwise.")                     \
SECTION("Records of what happened")                                                                \
KEY("ledger-rows", ledger_rows, NUMBER, "1000000", 1000, 100000000, NULL,                          \
    "Refusals kept in the ledger; the oldest go first.")                                           \
KEY("ledger-time", ledger_ms, DURATION, "30d", SECONDS(60), DAYS(36500), NULL,                     \
    "Refusals older than this leave the ledger.")                                                  \
SECTION("Stopping")                                                                                \
KEY("stop-grace", stop_grace_ms, DURATION, "10s", 0, SECONDS(600), NULL,                           \
    "SIGTERM: how long requests under way may take to finish.")
/* clang-format on */

#endif
