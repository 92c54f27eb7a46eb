/* The relational schema of the catalogue: the documentation of its model. One SQLite database in
 * memory, the same rows on every node. In each table `rev` is the catalogue version that wrote the
 * row last: facts name the rev they expect, and because versions never repeat, a row that was
 * deleted and made again never passes for the old one. Documents are the canonical JSON of document_write.
 *
 * rows.c has the same tables as descriptors (checked against this text by a test). */
#ifndef CATALOGUE_SCHEMA_SQL_H
#define CATALOGUE_SCHEMA_SQL_H

#define CATALOGUE_SCHEMA_VERSION 1

#define CATALOGUE_SCHEMA_SQL                                                                       \
    /* Where this state stands in Raft's log, and the head of the audit chain. One row; the only   \
     * one outside the digest. digest is set when a snapshot is taken and compared at restore. */  \
    "CREATE TABLE head(one INTEGER PRIMARY KEY CHECK(one=1), schema INTEGER NOT NULL,"             \
    " version INTEGER NOT NULL, applied INTEGER NOT NULL, audit_seq INTEGER NOT NULL,"             \
    " audit_hash BLOB NOT NULL, digest BLOB NOT NULL) STRICT;"                                     \
    /* Single values: cluster_id (text in content), governance_off, next_producer_id,              \
     * next_schema_id, and policies, whose rev moves with every change of any policy. */           \
    "CREATE TABLE meta(name TEXT NOT NULL, rev INTEGER NOT NULL, number INTEGER NOT NULL,"         \
    " content TEXT NOT NULL, PRIMARY KEY(name)) STRICT, WITHOUT ROWID;"                            \
    /* Who answers for something. */                                                               \
    "CREATE TABLE team(name TEXT NOT NULL, rev INTEGER NOT NULL, updated_ms INTEGER NOT NULL,"     \
    " document TEXT NOT NULL, PRIMARY KEY(name)) STRICT, WITHOUT ROWID;"                           \
    /* Rules over contracts by topic-name prefix. */                                               \
    "CREATE TABLE policy(name TEXT NOT NULL, rev INTEGER NOT NULL, updated_ms INTEGER NOT NULL,"   \
    " document TEXT NOT NULL, PRIMARY KEY(name)) STRICT, WITHOUT ROWID;"                           \
    /* An application that writes. Its document here has no keys: */                               \
    "CREATE TABLE producer(name TEXT NOT NULL, rev INTEGER NOT NULL, updated_ms INTEGER NOT NULL," \
    " team TEXT NOT NULL, document TEXT NOT NULL, PRIMARY KEY(name)) STRICT, WITHOUT ROWID;"       \
    /* they are rows, one per key id ever given: a kid is never used twice, so a key outlives its  \
     * producer as `retired`. state: 0 active, 1 revoked, 2 retired (3: revoked, then retired). */ \
    "CREATE TABLE producer_key(kid TEXT NOT NULL, rev INTEGER NOT NULL, producer TEXT NOT NULL,"   \
    " id TEXT NOT NULL, position INTEGER NOT NULL, public_key BLOB NOT NULL,"                      \
    " state INTEGER NOT NULL, not_before_ms INTEGER NOT NULL, not_after_ms INTEGER NOT NULL,"      \
    " revoked_at_ms INTEGER NOT NULL, reason TEXT NOT NULL, PRIMARY KEY(kid)) STRICT,"             \
    " WITHOUT ROWID;"                                                                              \
    "CREATE INDEX producer_key_producer ON producer_key(producer, position);"                      \
    "CREATE INDEX producer_key_public ON producer_key(public_key);"                                \
    /* A topic. document: the contract with its schema and examples cut out (their places hold     \
     * null), empty for an ungoverned topic. content: BLAKE2b-256 of the whole document, so that   \
     * comparing documents is comparing digests. schema, examples: rows of text. version: 1, 2,    \
     * ... of this topic id. */                                                                    \
    "CREATE TABLE topic(name TEXT NOT NULL, rev INTEGER NOT NULL, id BLOB NOT NULL,"               \
    " version INTEGER NOT NULL, team TEXT NOT NULL, document TEXT NOT NULL,"                       \
    " content BLOB NOT NULL, schema BLOB NOT NULL, examples BLOB NOT NULL,"                        \
    " schema_id INTEGER NOT NULL, created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL,"       \
    " PRIMARY KEY(name)) STRICT, WITHOUT ROWID;"                                                   \
    /* The contracts a topic has had, the present one included, newest CATALOGUE_HISTORY_MAX of    \
     * them. A text that no row here names is deleted by the entry that took the last one. */      \
    "CREATE TABLE topic_history(topic BLOB NOT NULL, version INTEGER NOT NULL,"                    \
    " rev INTEGER NOT NULL, document TEXT NOT NULL, schema BLOB NOT NULL, examples BLOB NOT NULL," \
    " schema_id INTEGER NOT NULL, principal TEXT NOT NULL, time_ms INTEGER NOT NULL,"              \
    " PRIMARY KEY(topic, version)) STRICT, WITHOUT ROWID;"                                         \
    /* Deleted topics, so that a client is told topic.deleted: newest CATALOGUE_TOMBSTONES_MAX. */ \
    "CREATE TABLE topic_deleted(id BLOB NOT NULL, rev INTEGER NOT NULL, name TEXT NOT NULL,"       \
    " version INTEGER NOT NULL, principal TEXT NOT NULL, time_ms INTEGER NOT NULL,"                \
    " PRIMARY KEY(id)) STRICT, WITHOUT ROWID;"                                                     \
    /* Topic names with '.' written as '_': two names that differ only there would collide in      \
     * Kafka's metric names, so the second is refused. */                                          \
    "CREATE TABLE topic_claim(claim TEXT NOT NULL, rev INTEGER NOT NULL, name TEXT NOT NULL,"      \
    " PRIMARY KEY(claim)) STRICT, WITHOUT ROWID;"                                                  \
    /* Placement. replicas and isr: node ids, 4 bytes each, big-endian. Guarded by topic.rev. */   \
    "CREATE TABLE partition(topic BLOB NOT NULL, number INTEGER NOT NULL, rev INTEGER NOT NULL,"   \
    " leader INTEGER NOT NULL, leader_epoch INTEGER NOT NULL, partition_epoch INTEGER NOT NULL,"   \
    " replicas BLOB NOT NULL, isr BLOB NOT NULL, PRIMARY KEY(topic, number)) STRICT,"              \
    " WITHOUT ROWID;"                                                                              \
    /* Kafka settings of ungoverned topics, as they were given. Guarded by topic.rev. */           \
    "CREATE TABLE config(topic BLOB NOT NULL, name TEXT NOT NULL, rev INTEGER NOT NULL,"           \
    " value TEXT NOT NULL, PRIMARY KEY(topic, name)) STRICT, WITHOUT ROWID;"                       \
    /* Schemas and examples as they stand in documents (JSON values), once each, by BLAKE2b-256.   \
     * codec: 0 as is, 1 zstd; size: of the text. */                                               \
    "CREATE TABLE text(digest BLOB NOT NULL, rev INTEGER NOT NULL, codec INTEGER NOT NULL,"        \
    " size INTEGER NOT NULL, content BLOB NOT NULL, PRIMARY KEY(digest)) STRICT, WITHOUT ROWID;"   \
    /* Schema ids: global, never reused; the same text in the same format has one id for ever.     \
     * key: BLAKE2b-256 over format and text. */                                                   \
    "CREATE TABLE schema_id(key BLOB NOT NULL, rev INTEGER NOT NULL, id INTEGER NOT NULL,"         \
    " PRIMARY KEY(key)) STRICT, WITHOUT ROWID;"                                                    \
    /* Members of the cluster. broker_epoch rises by one with each registration. */                \
    "CREATE TABLE node(id INTEGER NOT NULL, rev INTEGER NOT NULL, kafka_host TEXT NOT NULL,"       \
    " kafka_port INTEGER NOT NULL, admin_url TEXT NOT NULL, rack TEXT NOT NULL,"                   \
    " role TEXT NOT NULL, state TEXT NOT NULL, broker_epoch INTEGER NOT NULL,"                     \
    " raft_id INTEGER NOT NULL, PRIMARY KEY(id)) STRICT;"                                          \
    /* Requests that were answered, so that a repeated one is answered the same: newest            \
     * CATALOGUE_IDEMPOTENCY_MAX. request: BLAKE2b-256 over what was asked. */                     \
    "CREATE TABLE idempotency(principal TEXT NOT NULL, key TEXT NOT NULL, rev INTEGER NOT NULL,"   \
    " request BLOB NOT NULL, result BLOB NOT NULL, PRIMARY KEY(principal, key)) STRICT,"           \
    " WITHOUT ROWID;"                                                                              \
    "CREATE INDEX topic_history_schema ON topic_history(schema) WHERE length(schema)>0;"           \
    "CREATE INDEX topic_history_examples ON topic_history(examples) WHERE length(examples)>0;"     \
    "CREATE INDEX idempotency_rev ON idempotency(rev);"                                            \
    "CREATE INDEX topic_deleted_rev ON topic_deleted(rev);"

#endif
