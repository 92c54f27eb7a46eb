#include "catalogue/catalogue.h"

#include "base/check.h"
#include "base/codec.h"
#include "base/mem.h"
#include "catalogue/internal.h"
#include "catalogue/schema.sql.h"

/* The state without any change applied. */
static void reset(struct catalogue *c)
{
    static const uint64_t unset[4];
    c->version = c->applied = 0;
    c->audit = (struct audit_head){0};
    head_store(c, unset);
}

int catalogue_open(struct catalogue **out, struct err *err)
{
    (void)err;
    struct catalogue *c = MEM_NEW(struct catalogue);
    arena_init(&c->scratch, 0);
    arena_init(&c->report_arena, 0);
    c->controller = -1;
    rows_open(&c->rows);
    reset(c);
    struct touched all = {.everything = true};
    build_view(c, &all, NULL);
    *out = c;
    return 0;
}

void catalogue_close(struct catalogue *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->compiled_n; i++)
        schema_unref(c->compiled[i].schema);
    view_unref(&c->view->v);
    sqlite3_finalize(c->partitions);
    sqlite3_finalize(c->configs);
    sqlite3_finalize(c->keys);
    sqlite3_finalize(c->head);
    rows_close(&c->rows);
    arena_free(&c->scratch);
    arena_free(&c->report_arena);
    mem_free(c);
}

void catalogue_set_report(struct catalogue *c, const struct report *r)
{
    arena_reset(&c->report_arena);
    c->report_known = r != NULL;
    c->report = (struct report){0};
    if (!r)
        return;
    c->report.made_at_ms = r->made_at_ms;
    c->report.partitions_n = r->partitions_n;
    c->report.partition =
        arena_zalloc(&c->report_arena, r->partitions_n ? r->partitions_n : 1, sizeof *r->partition);
    struct slice last = SLICE_NULL;
    for (size_t i = 0; i < r->partitions_n; i++) {
        c->report.partition[i] = r->partition[i];
        if (!slice_eq(last,
                      r->partition[i].topic)) /* partitions of a topic mostly stand together */
            last = arena_copy(&c->report_arena, r->partition[i].topic);
        c->report.partition[i].topic = last;
    }
}

void catalogue_set_controller(struct catalogue *c, int32_t node_id)
{
    if (c->controller == node_id)
        return;
    c->controller = node_id;
    struct touched nothing = {0};
    build_view(c, &nothing, NULL);
}

uint64_t catalogue_version(const struct catalogue *c)
{
    return c->version;
}

uint64_t catalogue_applied_index(const struct catalogue *c)
{
    return c->applied;
}

struct audit_head catalogue_audit_head(const struct catalogue *c)
{
    return c->audit;
}

const struct view *catalogue_view(struct catalogue *c)
{
    return view_ref(&c->view->v);
}

static int64_t pragma(struct catalogue *c, const char *sql)
{
    sqlite3_stmt *st = rows_query(&c->rows, sql);
    int64_t v = rows_step(st) ? sqlite3_column_int64(st, 0) : 0;
    sqlite3_finalize(st);
    return v;
}

size_t catalogue_size_bytes(struct catalogue *c)
{
    int64_t pages = pragma(c, "PRAGMA page_count") - pragma(c, "PRAGMA freelist_count");
    return (size_t)(pages * pragma(c, "PRAGMA page_size"));
}

void catalogue_digest(struct catalogue *c, uint8_t out[32])
{
    for (int i = 0; i < 4; i++)
        be64_put(out + 8 * i, c->rows.digest[i]);
}

/* --- snapshots -----------------------------------------------------------------------------------
 */

void catalogue_snapshot(struct catalogue *c, struct bytes *out)
{
    head_store(c, c->rows.digest);
    sqlite3_int64 n = 0;
    unsigned char *image = sqlite3_serialize(c->rows.db, "main", &n, 0);
    ASSERT(image != NULL);
    bytes_clear(out);
    bytes_add(out, image, (size_t)n);
    sqlite3_free(image);
}

/* An image as a connection of its own; NULL with the reason. The image is borrowed. */
static sqlite3 *open_image(struct slice image, struct err *err)
{
    sqlite3 *db = NULL;
    int flags =
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_MEMORY | SQLITE_OPEN_NOMUTEX;
    if (image.n < 512 || memcmp(image.p, "SQLite format 3", 16) != 0) {
        err_set(err, ERR_CORRUPT, "the snapshot is not a catalogue image (%zu bytes)", image.n);
        return NULL;
    }
    int rc = sqlite3_open_v2(":memory:", &db, flags, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_deserialize(db, "main", (unsigned char *)(uintptr_t)image.p,
                                 (sqlite3_int64)image.n, (sqlite3_int64)image.n,
                                 SQLITE_DESERIALIZE_READONLY);
    sqlite3_stmt *st = NULL;
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(db, "SELECT schema FROM head WHERE one=1", -1, &st, NULL);
    int step = rc == SQLITE_OK ? sqlite3_step(st) : SQLITE_ERROR;
    int found = step == SQLITE_ROW ? sqlite3_column_int(st, 0) : 0;
    sqlite3_finalize(st);
    if (found == CATALOGUE_SCHEMA_VERSION)
        return db;
    if (found)
        err_set(err, ERR_UNSUPPORTED, "the snapshot has catalogue schema %d, this writ knows %d",
                found, CATALOGUE_SCHEMA_VERSION);
    else
        err_set(err, ERR_CORRUPT, "the snapshot cannot be read: %s",
                db ? sqlite3_errmsg(db) : "memory");
    sqlite3_close(db);
    return NULL;
}

/* The image's pages into the connection that the statements belong to. */
static int copy_image(sqlite3 *to, sqlite3 *from)
{
    sqlite3_backup *b = sqlite3_backup_init(to, "main", from, "main");
    if (!b)
        return SQLITE_ERROR;
    int rc = sqlite3_backup_step(b, -1);
    sqlite3_backup_finish(b);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* Does the image have the very tables that this program makes? */
static bool same_tables(sqlite3 *image, sqlite3 *own)
{
    static const char sql[] = "SELECT type||name||tbl_name||coalesce(sql,'') FROM sqlite_schema"
                              " ORDER BY name";
    sqlite3_stmt *a = NULL, *b = NULL;
    bool same = sqlite3_prepare_v2(image, sql, -1, &a, NULL) == SQLITE_OK &&
                sqlite3_prepare_v2(own, sql, -1, &b, NULL) == SQLITE_OK;
    while (same) {
        int x = sqlite3_step(a), y = sqlite3_step(b);
        same = x == y &&
               (x == SQLITE_DONE || slice_eq(rows_column_slice(a, 0), rows_column_slice(b, 0)));
        if (x != SQLITE_ROW)
            break;
    }
    sqlite3_finalize(a);
    sqlite3_finalize(b);
    return same;
}

/* Sums the rows of an image and compares with what was stored when it was taken. */
static int check_image(sqlite3 *db, sqlite3 *own, struct err *err)
{
    struct rows rows = {.db = db};
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &st, NULL);
    bool sound = rc == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW &&
                 slice_eq_str(rows_column_slice(st, 0), "ok");
    sqlite3_finalize(st);
    if (!sound)
        return err_set(err, ERR_CORRUPT, "the snapshot is damaged: %s", sqlite3_errmsg(db));
    if (!same_tables(db, own))
        return err_set(err, ERR_CORRUPT, "the snapshot has other tables than this writ");
    uint64_t sum[4];
    rows_digest(&rows, sum);
    uint8_t text[DIGEST_BYTES];
    for (int i = 0; i < 4; i++)
        be64_put(text + 8 * i, sum[i]);
    st = rows_query(&rows, "SELECT digest FROM head");
    bool same = rows_step(st) && slice_eq(rows_column_slice(st, 0), slice_of(text, sizeof text));
    sqlite3_finalize(st);
    return same ? 0 : err_set(err, ERR_CORRUPT, "the snapshot's rows do not have its digest");
}

int catalogue_restore(struct catalogue *c, struct slice image, struct err *err)
{
    struct err local = {0};
    err = err ? err : &local;
    sqlite3 *from = open_image(image, err);
    if (!from)
        return (int)err->code;
    int rc = check_image(from, c->rows.db, err);
    if (rc == 0) {
        int copied = copy_image(c->rows.db, from);
        ASSERT(copied == SQLITE_OK);
        head_load(c, c->rows.digest);
        struct touched all = {.everything = true};
        build_view(c, &all, NULL);
    }
    sqlite3_close(from);
    return rc;
}

/* --- invariants ----------------------------------------------------------------------------------
 */

static void check_none(struct catalogue *c, const char *sql)
{
    sqlite3_stmt *st = rows_query(&c->rows, sql);
    bool found = rows_step(st);
    if (found)
        check_failed("catalogue invariant", 0, sql);
    sqlite3_finalize(st);
}

static void check_view(struct catalogue *c)
{
    const struct view *v = cat_view(c);
    ASSERT(v->version == c->version);
    ASSERT((int64_t)v->topics_n == pragma(c, "SELECT count(*) FROM topic"));
    ASSERT((int64_t)v->documents_n ==
           pragma(c, "SELECT (SELECT count(*) FROM team)+(SELECT count(*) FROM producer)"
                     "+(SELECT count(*) FROM policy)"));
    ASSERT((int64_t)v->nodes_n == pragma(c, "SELECT count(*) FROM node"));
    for (size_t i = 0; i < v->topics_n; i++) {
        const struct view_topic *t = v->topic[i];
        ASSERT(i == 0 || slice_cmp(v->topic[i - 1]->name, t->name) < 0);
        ASSERT(view_topic_by_id(v, &t->id) == t);
        ASSERT(view_topic_by_name(v, t->name) == t);
        ASSERT(t->partitions_n > 0 && !t->deleted);
        ASSERT(!t->contract || t->contract->value.format == SCHEMA_BYTES || t->schema);
        bool governed =
            t->contract && t->contract->mode != MODE_OFF && !view_name_ungoverned(v, t->name);
        ASSERT(t->governed == governed);
        for (int32_t p = 0; p < t->partitions_n; p++)
            ASSERT(t->partition[p].replicas_n > 0 && t->partition[p].isr_n > 0);
    }
    for (size_t i = 1; i < v->documents_n; i++)
        ASSERT(v->document[i - 1]->kind <= v->document[i]->kind);
}

void catalogue_check_invariants(struct catalogue *c)
{
    uint64_t sum[4];
    rows_digest(&c->rows, sum);
    ASSERT(memcmp(sum, c->rows.digest, sizeof sum) == 0);
    ASSERT(c->audit.seq == c->version); /* one audit record for each change */
    check_none(c, "SELECT 1 FROM topic t WHERE t.team<>'' AND NOT EXISTS"
                  "(SELECT 1 FROM team WHERE name=t.team)");
    check_none(c,
               "SELECT 1 FROM producer p WHERE NOT EXISTS(SELECT 1 FROM team WHERE name=p.team)");
    check_none(c,
               "SELECT 1 FROM partition p WHERE NOT EXISTS(SELECT 1 FROM topic WHERE id=p.topic)");
    check_none(c, "SELECT 1 FROM config k WHERE NOT EXISTS(SELECT 1 FROM topic WHERE id=k.topic)");
    check_none(c, "SELECT 1 FROM topic_history h WHERE NOT EXISTS"
                  "(SELECT 1 FROM topic WHERE id=h.topic)");
    check_none(c, "SELECT 1 FROM topic t WHERE t.document<>'' AND NOT EXISTS(SELECT 1 FROM"
                  " topic_history WHERE topic=t.id AND version=t.version)");
    check_none(c, "SELECT 1 FROM topic_deleted d WHERE EXISTS(SELECT 1 FROM topic WHERE id=d.id)");
    check_none(c, "SELECT 1 FROM topic t WHERE NOT EXISTS(SELECT 1 FROM topic_claim k WHERE"
                  " k.name=t.name AND k.claim=replace(t.name,'.','_'))");
    check_none(c, "SELECT 1 FROM topic_claim k WHERE NOT EXISTS"
                  "(SELECT 1 FROM topic WHERE name=k.name)");
    check_none(c, "SELECT 1 FROM producer_key k WHERE state<2 AND NOT EXISTS"
                  "(SELECT 1 FROM producer WHERE name=k.producer)");
    check_none(c, "SELECT 1 FROM text x WHERE NOT EXISTS(SELECT 1 FROM topic_history"
                  " WHERE schema=x.digest OR examples=x.digest)");
    check_none(c,
               "SELECT 1 FROM topic_history h WHERE (length(schema)>0 AND NOT EXISTS"
               "(SELECT 1 FROM text WHERE digest=h.schema)) OR (length(examples)>0 AND NOT EXISTS"
               "(SELECT 1 FROM text WHERE digest=h.examples))");
    check_none(c, "SELECT 1 FROM schema_id WHERE id>=(SELECT number FROM meta"
                  " WHERE name='next_schema_id')");
    check_none(c, "SELECT 1 FROM topic GROUP BY id HAVING count(*)>1");
    check_none(c, "SELECT 1 FROM schema_id GROUP BY id HAVING count(*)>1");
    check_view(c);
}
