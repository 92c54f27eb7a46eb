#include "base/check.h"
#include "base/codec.h"
#include "catalogue/internal.h"
#include "catalogue/schema.sql.h"

struct row meta_row(const char *name, int64_t number, struct slice content)
{
    struct row r = row_new(TABLE_META);
    r.cell[META_NAME].b = slice_str(name);
    r.cell[META_NUMBER].i = number;
    r.cell[META_CONTENT].b = content;
    return r;
}

bool meta_get(struct catalogue *c, const char *name, struct row *out)
{
    *out = meta_row(name, 0, SLICE_NULL);
    return rows_get(&c->rows, out, &c->scratch);
}

int64_t meta_number(struct catalogue *c, const char *name, int64_t otherwise)
{
    struct row r;
    return meta_get(c, name, &r) ? r.cell[META_NUMBER].i : otherwise;
}

void head_load(struct catalogue *c, uint64_t digest[4])
{
    sqlite3_stmt *st = rows_query(&c->rows, "SELECT * FROM head");
    memset(digest, 0, 4 * sizeof digest[0]);
    bool found = rows_step(st);
    ASSERT(found);
    c->version = (uint64_t)sqlite3_column_int64(st, 2);
    c->applied = (uint64_t)sqlite3_column_int64(st, 3);
    c->audit.seq = (uint64_t)sqlite3_column_int64(st, 4);
    struct slice hash = rows_column_slice(st, 5), sum = rows_column_slice(st, 6);
    if (hash.n == sizeof c->audit.hash)
        memcpy(c->audit.hash, hash.p, hash.n);
    for (size_t i = 0; i < 4 && sum.n == DIGEST_BYTES; i++)
        digest[i] = be64_get(sum.p + 8 * i);
    sqlite3_finalize(st);
}

void head_store(struct catalogue *c, const uint64_t digest[4])
{
    uint8_t sum[DIGEST_BYTES];
    for (int i = 0; i < 4; i++)
        be64_put(sum + 8 * i, digest[i]);
    if (!c->head)
        c->head = rows_query(&c->rows, "INSERT OR REPLACE INTO head VALUES(1,?,?,?,?,?,?)");
    sqlite3_bind_int64(c->head, 1, CATALOGUE_SCHEMA_VERSION);
    sqlite3_bind_int64(c->head, 2, (sqlite3_int64)c->version);
    sqlite3_bind_int64(c->head, 3, (sqlite3_int64)c->applied);
    sqlite3_bind_int64(c->head, 4, (sqlite3_int64)c->audit.seq);
    rows_bind_slice(c->head, 5, slice_of(c->audit.hash, sizeof c->audit.hash), false);
    rows_bind_slice(c->head, 6, slice_of(sum, sizeof sum), false);
    rows_step(c->head);
    sqlite3_reset(c->head);
}
