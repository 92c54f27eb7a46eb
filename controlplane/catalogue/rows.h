/* The tables of schema.sql.h as descriptors, and logical rows: what facts carry, what is written
 * and what the digest covers. Internal to the room. */
#ifndef CATALOGUE_ROWS_H
#define CATALOGUE_ROWS_H

#include "base/arena.h"
#include "base/bytes.h"
#include "catalogue/limits.h"

#include <sqlite3.h>

/* Part of the facts' format: never renumber. */
enum table_id {
    TABLE_META = 1,
    TABLE_TEAM = 2,
    TABLE_POLICY = 3,
    TABLE_PRODUCER = 4,
    TABLE_KEY = 5,
    TABLE_TOPIC = 6,
    TABLE_HISTORY = 7,
    TABLE_DELETED = 8,
    TABLE_CLAIM = 9,
    TABLE_PARTITION = 10,
    TABLE_CONFIG = 11,
    TABLE_TEXT = 12,
    TABLE_SCHEMA_ID = 13,
    TABLE_NODE = 14,
    TABLE_IDEMPOTENCY = 15,
    TABLE_ID_END
};

/* Cells of each table's row in order, without rev. */
enum { META_NAME, META_NUMBER, META_CONTENT };
enum { TEAM_NAME, TEAM_UPDATED, TEAM_DOCUMENT };
enum { POLICY_NAME, POLICY_UPDATED, POLICY_DOCUMENT };
enum { PRODUCER_NAME, PRODUCER_UPDATED, PRODUCER_TEAM, PRODUCER_DOCUMENT };
enum {
    KEY_KID,
    KEY_PRODUCER,
    KEY_ID,
    KEY_POSITION,
    KEY_PUBLIC,
    KEY_STATE,
    KEY_NOT_BEFORE,
    KEY_NOT_AFTER,
    KEY_REVOKED_AT,
    KEY_REASON
};
enum {
    TOPIC_NAME,
    TOPIC_ID,
    TOPIC_VERSION,
    TOPIC_TEAM,
    TOPIC_DOCUMENT,
    TOPIC_CONTENT,
    TOPIC_SCHEMA,
    TOPIC_EXAMPLES,
    TOPIC_SCHEMA_ID,
    TOPIC_CREATED,
    TOPIC_UPDATED
};
enum {
    HISTORY_TOPIC,
    HISTORY_VERSION,
    HISTORY_DOCUMENT,
    HISTORY_SCHEMA,
    HISTORY_EXAMPLES,
    HISTORY_SCHEMA_ID,
    HISTORY_PRINCIPAL,
    HISTORY_TIME
};
enum { DELETED_ID, DELETED_NAME, DELETED_VERSION, DELETED_PRINCIPAL, DELETED_TIME };
enum { CLAIM_CLAIM, CLAIM_NAME };
enum {
    PARTITION_TOPIC,
    PARTITION_NUMBER,
    PARTITION_LEADER,
    PARTITION_LEADER_EPOCH,
    PARTITION_EPOCH,
    PARTITION_REPLICAS,
    PARTITION_ISR
};
enum { CONFIG_TOPIC, CONFIG_NAME, CONFIG_VALUE };
enum { TEXT_DIGEST, TEXT_CODEC, TEXT_SIZE, TEXT_CONTENT };
enum { SCHEMA_ID_KEY, SCHEMA_ID_ID };
enum {
    NODE_ID,
    NODE_KAFKA_HOST,
    NODE_KAFKA_PORT,
    NODE_ADMIN_URL,
    NODE_RACK,
    NODE_ROLE,
    NODE_STATE,
    NODE_BROKER_EPOCH,
    NODE_RAFT_ID
};
enum { IDEMPOTENCY_PRINCIPAL, IDEMPOTENCY_KEY, IDEMPOTENCY_REQUEST, IDEMPOTENCY_RESULT };

struct table {
    enum table_id id;
    const char *name;
    const char *keys[2];
    unsigned keys_n;
    const char *types; /* one letter a cell: i integer, t text, b blob; keys first */
    unsigned cells_n;
};
const struct table *table_of(unsigned id); /* NULL: unknown */

struct cell {
    int64_t i;
    struct slice b; /* text and blob */
};

struct row {
    const struct table *table;
    uint64_t rev;
    struct cell cell[CATALOGUE_ROW_CELLS_MAX];
};

/* A row to fill: table set, the rest zero. */
struct row row_new(enum table_id id);

/* Appends the cells [from, to) as zigzag varints and length-prefixed bytes. */
void row_write_cells(const struct row *r, unsigned from, unsigned to, struct bytes *out);
/* Reads them back, slices borrowed from *p; false when truncated or out of form. */
bool row_read_cells(struct row *r, unsigned from, unsigned to, const uint8_t **p,
                    const uint8_t *end);

/* SQLite's hold on the rows: one connection, statements prepared once. */
struct rows {
    sqlite3 *db;
    sqlite3_stmt *get[TABLE_ID_END], *put[TABLE_ID_END], *del[TABLE_ID_END];
    uint64_t digest[4]; /* sum over rows of BLAKE2b-256(row), four lanes modulo 2^64 */
};

/* All of these end the process when SQLite fails for a reason of its own (memory): the state would
 * be wrong. */
void rows_open(struct rows *s);
void rows_close(struct rows *s);
void rows_exec(struct rows *s, const char *sql);
/* A statement for a query of the caller's; finalise it. */
sqlite3_stmt *rows_query(struct rows *s, const char *sql);
bool rows_step(sqlite3_stmt *st); /* true: a row */

/* Reads the row whose key cells stand in *r; the rest is copied into the arena. false: absent. */
bool rows_get(struct rows *s, struct row *r, struct arena *a);
/* Only rev of that row; 0: absent. */
uint64_t rows_rev(struct rows *s, struct row *r);
/* Writes with r->rev; keeps the digest. */
void rows_put(struct rows *s, const struct row *r);
void rows_delete(struct rows *s, const struct row *r); /* absent is allowed */
/* Row of a "SELECT * FROM table" statement, slices borrowed until the next step. */
void rows_column_row(sqlite3_stmt *st, enum table_id id, struct row *out);
/* The digest over all rows, from scratch. */
void rows_digest(struct rows *s, uint64_t out[4]);

struct slice rows_column_slice(sqlite3_stmt *st, int column);
void rows_bind_slice(sqlite3_stmt *st, int index, struct slice s, bool text);

#endif
