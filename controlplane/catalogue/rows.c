#include "catalogue/rows.h"

#include "base/check.h"
#include "base/codec.h"
#include "base/log.h"
#include "catalogue/schema.sql.h"

#include <sodium.h>
#include <stdio.h>

static const struct table tables[TABLE_ID_END] = {
    [TABLE_META] = {TABLE_META, "meta", {"name", NULL}, 1, "tit", 3},
    [TABLE_TEAM] = {TABLE_TEAM, "team", {"name", NULL}, 1, "tit", 3},
    [TABLE_POLICY] = {TABLE_POLICY, "policy", {"name", NULL}, 1, "tit", 3},
    [TABLE_PRODUCER] = {TABLE_PRODUCER, "producer", {"name", NULL}, 1, "titt", 4},
    [TABLE_KEY] = {TABLE_KEY, "producer_key", {"kid", NULL}, 1, "tttibiiiit", 10},
    [TABLE_TOPIC] = {TABLE_TOPIC, "topic", {"name", NULL}, 1, "tbittbbbiii", 11},
    [TABLE_HISTORY] = {TABLE_HISTORY, "topic_history", {"topic", "version"}, 2, "bitbbiti", 8},
    [TABLE_DELETED] = {TABLE_DELETED, "topic_deleted", {"id", NULL}, 1, "btiti", 5},
    [TABLE_CLAIM] = {TABLE_CLAIM, "topic_claim", {"claim", NULL}, 1, "tt", 2},
    [TABLE_PARTITION] = {TABLE_PARTITION, "partition", {"topic", "number"}, 2, "biiiibb", 7},
    [TABLE_CONFIG] = {TABLE_CONFIG, "config", {"topic", "name"}, 2, "btt", 3},
    [TABLE_TEXT] = {TABLE_TEXT, "text", {"digest", NULL}, 1, "biib", 4},
    [TABLE_SCHEMA_ID] = {TABLE_SCHEMA_ID, "schema_id", {"key", NULL}, 1, "bi", 2},
    [TABLE_NODE] = {TABLE_NODE, "node", {"id", NULL}, 1, "itittttii", 9},
    [TABLE_IDEMPOTENCY] = {TABLE_IDEMPOTENCY, "idempotency", {"principal", "key"}, 2, "ttbb", 4},
};

const struct table *table_of(unsigned id)
{
    return id >= 1 && id < TABLE_ID_END ? &tables[id] : NULL;
}

struct row row_new(enum table_id id)
{
    return (struct row){.table = table_of(id)};
}

void row_write_cells(const struct row *r, unsigned from, unsigned to, struct bytes *out)
{
    for (unsigned i = from; i < to; i++) {
        bool integer = r->table->types[i] == 'i';
        bytes_reserve(out, 10);
        out->n +=
            varint_put(out->p + out->n, integer ? zigzag_encode(r->cell[i].i) : r->cell[i].b.n);
        if (!integer)
            bytes_add_slice(out, r->cell[i].b);
    }
}

bool row_read_cells(struct row *r, unsigned from, unsigned to, const uint8_t **p,
                    const uint8_t *end)
{
    for (unsigned i = from; i < to; i++) {
        uint64_t v;
        size_t n = varint_get(*p, end, 10, &v);
        if (n == 0)
            return false;
        *p += n;
        if (r->table->types[i] == 'i') {
            r->cell[i].i = zigzag_decode(v);
            continue;
        }
        if (v > (uint64_t)(end - *p))
            return false;
        r->cell[i].b = slice_of(*p, (size_t)v);
        *p += v;
    }
    return true;
}

/* --- the digest ---------------------------------------------------------------------------------
 */

static void digest_row(const struct row *r, uint64_t out[4])
{
    struct bytes b = {0};
    bytes_add_u8(&b, (uint8_t)r->table->id);
    bytes_add_be64(&b, r->rev);
    row_write_cells(r, 0, r->table->cells_n, &b);
    uint8_t h[32];
    crypto_generichash(h, sizeof h, b.p, b.n, NULL, 0);
    bytes_free(&b);
    for (int i = 0; i < 4; i++)
        out[i] = be64_get(h + 8 * i);
}

static void digest_add(uint64_t digest[4], const struct row *r, bool minus)
{
    uint64_t h[4];
    digest_row(r, h);
    for (int i = 0; i < 4; i++)
        digest[i] += minus ? 0 - h[i] : h[i];
}

void rows_digest(struct rows *s, uint64_t out[4])
{
    memset(out, 0, 4 * sizeof out[0]);
    for (unsigned id = 1; id < TABLE_ID_END; id++) {
        char sql[64];
        snprintf(sql, sizeof sql, "SELECT * FROM %s", tables[id].name);
        sqlite3_stmt *st = rows_query(s, sql);
        while (rows_step(st)) {
            struct row r;
            rows_column_row(st, (enum table_id)id, &r);
            digest_add(out, &r, false);
        }
        sqlite3_finalize(st);
    }
}

/* --- SQLite -------------------------------------------------------------------------------------
 */

static _Noreturn void fail(struct rows *s, const char *what)
{
    log_event(LOG_ERROR, "catalogue", "sqlite failed", LOG_T("what", what),
              LOG_T("why", s->db ? sqlite3_errmsg(s->db) : "out of memory"));
    check_failed(__FILE__, __LINE__, what);
}

void rows_exec(struct rows *s, const char *sql)
{
    if (sqlite3_exec(s->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail(s, sql);
}

sqlite3_stmt *rows_query(struct rows *s, const char *sql)
{
    sqlite3_stmt *st = NULL;
    if (sqlite3_prepare_v3(s->db, sql, -1, 0, &st, NULL) != SQLITE_OK)
        fail(s, sql);
    return st;
}

bool rows_step(sqlite3_stmt *st)
{
    int rc = sqlite3_step(st);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
        log_event(LOG_ERROR, "catalogue", "sqlite failed", LOG_T("what", sqlite3_sql(st)),
                  LOG_T("why", sqlite3_errmsg(sqlite3_db_handle(st))));
        check_failed(__FILE__, __LINE__, "sqlite3_step");
    }
    return rc == SQLITE_ROW;
}

struct slice rows_column_slice(sqlite3_stmt *st, int column)
{
    const void *p = sqlite3_column_blob(st, column);
    return slice_of(p ? p : "", (size_t)sqlite3_column_bytes(st, column));
}

void rows_bind_slice(sqlite3_stmt *st, int index, struct slice v, bool text)
{
    const void *p = v.n ? (const void *)v.p : "";
    int rc = text ? sqlite3_bind_text64(st, index, p, v.n, SQLITE_STATIC, SQLITE_UTF8)
                  : sqlite3_bind_blob64(st, index, p, v.n, SQLITE_STATIC);
    ASSERT(rc == SQLITE_OK);
}

void rows_open(struct rows *s)
{
    *s = (struct rows){0};
    int flags =
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_MEMORY | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(":memory:", &s->db, flags, NULL) != SQLITE_OK)
        fail(s, "open");
    /* Lookaside would hold 48 KB for nothing; sorters stay in memory: there is no file. */
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_LOOKASIDE, NULL, 0, 0);
    rows_exec(s, "PRAGMA temp_store=MEMORY; PRAGMA journal_mode=MEMORY;");
    rows_exec(s, CATALOGUE_SCHEMA_SQL);
}

void rows_close(struct rows *s)
{
    for (unsigned i = 0; i < TABLE_ID_END; i++) {
        sqlite3_finalize(s->get[i]);
        sqlite3_finalize(s->put[i]);
        sqlite3_finalize(s->del[i]);
    }
    int rc = sqlite3_close(s->db);
    ASSERT(rc == SQLITE_OK);
    *s = (struct rows){0};
}

static sqlite3_stmt *prepare(struct rows *s, sqlite3_stmt **slot, const char *sql)
{
    if (!*slot && sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, slot, NULL))
        fail(s, sql);
    return *slot;
}

static sqlite3_stmt *keyed(struct rows *s, sqlite3_stmt **slot, const char *verb,
                           const struct row *r)
{
    const struct table *t = r->table;
    if (!*slot) {
        char sql[160];
        if (t->keys_n == 1)
            snprintf(sql, sizeof sql, "%s FROM %s WHERE %s=?1", verb, t->name, t->keys[0]);
        else
            snprintf(sql, sizeof sql, "%s FROM %s WHERE %s=?1 AND %s=?2", verb, t->name, t->keys[0],
                     t->keys[1]);
        prepare(s, slot, sql);
    }
    for (unsigned i = 0; i < t->keys_n; i++) {
        if (t->types[i] == 'i')
            sqlite3_bind_int64(*slot, (int)i + 1, r->cell[i].i);
        else
            rows_bind_slice(*slot, (int)i + 1, r->cell[i].b, t->types[i] == 't');
    }
    return *slot;
}

void rows_column_row(sqlite3_stmt *st, enum table_id id, struct row *out)
{
    const struct table *t = table_of(id);
    *out = (struct row){.table = t};
    out->rev = (uint64_t)sqlite3_column_int64(st, (int)t->keys_n);
    for (unsigned i = 0; i < t->cells_n; i++) {
        int column = (int)(i < t->keys_n ? i : i + 1);
        if (t->types[i] == 'i')
            out->cell[i].i = sqlite3_column_int64(st, column);
        else
            out->cell[i].b = rows_column_slice(st, column);
    }
}

bool rows_get(struct rows *s, struct row *r, struct arena *a)
{
    sqlite3_stmt *st = keyed(s, &s->get[r->table->id], "SELECT *", r);
    bool found = rows_step(st);
    if (found) {
        rows_column_row(st, r->table->id, r);
        for (unsigned i = 0; i < r->table->cells_n; i++)
            if (r->table->types[i] != 'i')
                r->cell[i].b = arena_copy(a, r->cell[i].b);
    }
    sqlite3_reset(st);
    return found;
}

uint64_t rows_rev(struct rows *s, struct row *r)
{
    sqlite3_stmt *st = keyed(s, &s->get[r->table->id], "SELECT *", r);
    uint64_t rev = 0;
    if (rows_step(st))
        rev = (uint64_t)sqlite3_column_int64(st, (int)r->table->keys_n);
    sqlite3_reset(st);
    return rev;
}

/* Takes the stored row, if any, out of the digest. */
static bool digest_forget(struct rows *s, const struct row *r)
{
    sqlite3_stmt *st = keyed(s, &s->get[r->table->id], "SELECT *", r);
    bool found = rows_step(st);
    if (found) {
        struct row old;
        rows_column_row(st, r->table->id, &old);
        digest_add(s->digest, &old, true);
    }
    sqlite3_reset(st);
    return found;
}

void rows_put(struct rows *s, const struct row *r)
{
    const struct table *t = r->table;
    digest_forget(s, r);
    sqlite3_stmt *st = s->put[t->id];
    if (!st) {
        char sql[160];
        int n = snprintf(sql, sizeof sql, "INSERT OR REPLACE INTO %s VALUES(?", t->name);
        for (unsigned i = 0; i < t->cells_n; i++)
            n += snprintf(sql + n, sizeof sql - (size_t)n, ",?");
        snprintf(sql + n, sizeof sql - (size_t)n, ")");
        st = prepare(s, &s->put[t->id], sql);
    }
    sqlite3_bind_int64(st, (int)t->keys_n + 1, (sqlite3_int64)r->rev);
    for (unsigned i = 0; i < t->cells_n; i++) {
        int index = (int)(i < t->keys_n ? i + 1 : i + 2);
        if (t->types[i] == 'i')
            sqlite3_bind_int64(st, index, r->cell[i].i);
        else
            rows_bind_slice(st, index, r->cell[i].b, t->types[i] == 't');
    }
    rows_step(st);
    sqlite3_reset(st);
    digest_add(s->digest, r, false);
}

void rows_delete(struct rows *s, const struct row *r)
{
    if (!digest_forget(s, r))
        return;
    sqlite3_stmt *st = keyed(s, &s->del[r->table->id], "DELETE", r);
    rows_step(st);
    sqlite3_reset(st);
}
