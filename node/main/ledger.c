#include "main/ledger.h"

#include "base/check.h"
#include "base/codec.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "runtime/thread.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>

enum {
    TEXTS = 8,
    TEXT_MAX = 1000, /* bytes of one field; longer ones are cut */
    AGE_EVERY_MS = 60000,
    BATCH_WAIT_MS = 10, /* refusals come in bursts: let some gather */
};

/* The text columns, in the order of the table. */
enum text { TOPIC, PATH, RULE, DETAIL, KEY_ID, PRINCIPAL, CLIENT_ID, CORRELATION_ID };

struct item {
    struct item *next;
    void (*task)(void *arg, struct ledger *l); /* NULL: a rejection */
    void *arg;
    struct rejection rejection;
    char text[]; /* the slices' bytes */
};

struct ledger {
    struct ledger_config config;
    char path[4200];
    sqlite3 *db; /* opened with the first need */
    sqlite3_stmt *insert;
    int64_t rows_from, aged_ms;
    bool broken;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct item *first, *last;
    unsigned rows_n, tasks_n;
    bool stopping;
    _Atomic uint64_t written, dropped, failed;
};

static const char schema[] =
    "PRAGMA journal_mode=WAL;"
    "PRAGMA synchronous=OFF;" /* survives the process, not the machine: it may be lost */
    "PRAGMA cache_size=-512;"
    "PRAGMA wal_autocheckpoint=500;"
    "PRAGMA journal_size_limit=4194304;"
    "CREATE TABLE IF NOT EXISTS rejection(id INTEGER PRIMARY KEY AUTOINCREMENT, time_ms INTEGER,"
    " partition INTEGER, batch_index INTEGER, code TEXT, contract_version INTEGER, digest BLOB,"
    " count INTEGER, topic TEXT, path TEXT, rule TEXT, detail TEXT, key_id TEXT, principal TEXT,"
    " client_id TEXT, correlation_id TEXT);"
    "CREATE INDEX IF NOT EXISTS by_topic ON rejection(topic, id);"
    "CREATE INDEX IF NOT EXISTS by_correlation ON rejection(correlation_id, id)"
    " WHERE correlation_id <> '';";

static int fail(struct ledger *l, const char *what, struct err *err)
{
    return err_set(err, ERR_IO, "ledger: cannot %s: %s", what,
                   l->db ? sqlite3_errmsg(l->db) : "out of memory");
}

static void close_db(struct ledger *l)
{
    sqlite3_finalize(l->insert);
    sqlite3_close(l->db);
    l->insert = NULL;
    l->db = NULL;
}

static int try_open(struct ledger *l, struct err *err)
{
    if (sqlite3_open(l->path, &l->db) != SQLITE_OK)
        return fail(l, "open its file", err);
    chmod(l->path, 0640);
    sqlite3_busy_timeout(l->db, 1000);
    if (sqlite3_exec(l->db, schema, NULL, NULL, NULL) != SQLITE_OK)
        return fail(l, "make its table", err);
    if (sqlite3_prepare_v2(l->db,
                           "INSERT INTO rejection(time_ms,partition,batch_index,code,"
                           "contract_version,digest,count,topic,path,rule,detail,key_id,principal,"
                           "client_id,correlation_id) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                           -1, &l->insert, NULL) != SQLITE_OK)
        return fail(l, "prepare", err);
    return 0;
}

/* A damaged file is set aside: the ledger is rebuilt by what comes. */
static int open_db(struct ledger *l, struct err *err)
{
    if (l->db)
        return 0;
    int rc = try_open(l, err);
    if (!rc)
        return 0;
    int code = l->db ? sqlite3_errcode(l->db) & 0xff : 0;
    close_db(l);
    if (code != SQLITE_NOTADB && code != SQLITE_CORRUPT)
        return rc;
    char aside[4300];
    snprintf(aside, sizeof aside, "%s.damaged", l->path);
    log_event(LOG_ERROR, "main", "ledger is damaged, a new one is made", LOG_T("why", err->msg),
              LOG_T("kept", aside));
    rename(l->path, aside);
    rc = try_open(l, err);
    if (rc)
        close_db(l);
    return rc;
}

/* ---- Writing ---- */

static struct slice *text_of(struct rejection *r, enum text i)
{
    struct slice *const at[TEXTS] = {&r->topic,  &r->path,      &r->rule,      &r->detail,
                                     &r->key_id, &r->principal, &r->client_id, &r->correlation_id};
    return at[i];
}

static void insert_row(struct ledger *l, struct rejection *r)
{
    sqlite3_stmt *s = l->insert;
    sqlite3_reset(s);
    sqlite3_bind_int64(s, 1, r->time_ms);
    sqlite3_bind_int(s, 2, r->partition);
    sqlite3_bind_int(s, 3, r->batch_index);
    sqlite3_bind_text(s, 4, verdict_code_name(r->code), -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 5, (int64_t)r->contract_version);
    sqlite3_bind_blob(s, 6, r->digest, sizeof r->digest, SQLITE_STATIC);
    sqlite3_bind_int64(s, 7, r->count);
    for (int i = 0; i < TEXTS; i++) {
        struct slice *t = text_of(r, (enum text)i);
        sqlite3_bind_text(s, 8 + i, t->n ? (const char *)t->p : "", (int)t->n, SQLITE_STATIC);
    }
    if (sqlite3_step(s) == SQLITE_DONE)
        l->written++;
    else
        l->failed++;
}

static int64_t ask_number(struct ledger *l, const char *sql, int64_t arg)
{
    sqlite3_stmt *s = NULL;
    int64_t v = -1;
    if (sqlite3_prepare_v2(l->db, sql, -1, &s, NULL) == SQLITE_OK) {
        sqlite3_bind_int64(s, 1, arg);
        if (sqlite3_step(s) == SQLITE_ROW && sqlite3_column_type(s, 0) == SQLITE_INTEGER)
            v = sqlite3_column_int64(s, 0);
    }
    sqlite3_finalize(s);
    return v;
}

static void delete_up_to(struct ledger *l, int64_t id)
{
    if (id > 0)
        ask_number(l, "DELETE FROM rejection WHERE id <= ? RETURNING 1", id);
}

/* Ids are dense, so the number of rows is the distance of the ends. */
static void trim(struct ledger *l)
{
    int64_t last = sqlite3_last_insert_rowid(l->db);
    delete_up_to(l, last - l->config.rows_max);
    int64_t now_ms = thread_wall_ms();
    if (now_ms - l->aged_ms < AGE_EVERY_MS)
        return;
    l->aged_ms = now_ms;
    int64_t first_kept =
        ask_number(l, "SELECT id FROM rejection WHERE time_ms >= ? ORDER BY id LIMIT 1",
                   now_ms - l->config.age_max_ms);
    delete_up_to(l, first_kept >= 0 ? first_kept - 1 : last);
}

static void write_rows(struct ledger *l, struct item *first, unsigned n)
{
    struct err err;
    if (open_db(l, &err)) {
        if (!l->broken)
            log_event(LOG_ERROR, "main", "ledger cannot be written", LOG_T("why", err.msg));
        l->broken = true;
        l->failed += n;
        return;
    }
    l->broken = false;
    sqlite3_exec(l->db, "BEGIN", NULL, NULL, NULL);
    for (struct item *i = first; n--; i = i->next)
        insert_row(l, &i->rejection);
    trim(l);
    if (sqlite3_exec(l->db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK) {
        log_event(LOG_ERROR, "main", "ledger commit failed", LOG_T("why", sqlite3_errmsg(l->db)));
        sqlite3_exec(l->db, "ROLLBACK", NULL, NULL, NULL);
    }
}

/* Rows up to the next task are one transaction. */
static void work_off(struct ledger *l, struct item *first)
{
    while (first) {
        unsigned rows = 0;
        struct item *end = first;
        for (; end && !end->task; end = end->next)
            rows++;
        if (rows)
            write_rows(l, first, rows);
        while (first != end) {
            struct item *next = first->next;
            mem_free(first);
            first = next;
        }
        if (!end)
            break;
        end->task(end->arg, l);
        first = end->next;
        mem_free(end);
    }
}

static void *ledger_main(void *arg)
{
    struct ledger *l = arg;
    thread_name("writ-ledger");
    thread_yield_to_others();
    pthread_mutex_lock(&l->lock);
    while (l->first || !l->stopping) {
        if (!l->first) {
            pthread_cond_wait(&l->wake, &l->lock);
            continue;
        }
        if (!l->tasks_n && !l->stopping) {
            struct timespec until;
            clock_gettime(CLOCK_REALTIME, &until);
            until.tv_nsec += BATCH_WAIT_MS * 1000000;
            if (until.tv_nsec >= 1000000000) {
                until.tv_sec++;
                until.tv_nsec -= 1000000000;
            }
            while (!l->tasks_n && !l->stopping &&
                   pthread_cond_timedwait(&l->wake, &l->lock, &until) != ETIMEDOUT)
                ;
        }
        struct item *first = l->first;
        l->first = l->last = NULL;
        l->rows_n = l->tasks_n = 0;
        pthread_mutex_unlock(&l->lock);
        work_off(l, first);
        pthread_mutex_lock(&l->lock);
    }
    pthread_mutex_unlock(&l->lock);
    close_db(l);
    return NULL;
}

static bool push(struct ledger *l, struct item *i, unsigned *n, unsigned max)
{
    pthread_mutex_lock(&l->lock);
    bool ok = *n < max && !l->stopping;
    if (ok) {
        *(l->last ? &l->last->next : &l->first) = i;
        l->last = i;
        ++*n;
    }
    /* Rows wake it only from sleep; a task also from its waiting for more rows. */
    bool wake = ok && (i->task || l->first == i);
    pthread_mutex_unlock(&l->lock);
    if (wake)
        pthread_cond_signal(&l->wake);
    return ok;
}

void ledger_add(struct ledger *l, const struct rejection *r)
{
    struct rejection copy = *r;
    size_t n = 0;
    for (int i = 0; i < TEXTS; i++) {
        struct slice *t = text_of(&copy, (enum text)i);
        t->n = t->n > TEXT_MAX ? TEXT_MAX : t->n;
        n += t->n;
    }
    struct item *item = mem_zalloc(1, sizeof *item + n);
    char *at = item->text;
    item->rejection = copy;
    for (int i = 0; i < TEXTS; i++) {
        struct slice *t = text_of(&item->rejection, (enum text)i);
        if (t->n)
            memcpy(at, t->p, t->n);
        t->p = (const uint8_t *)at;
        at += t->n;
    }
    if (push(l, item, &l->rows_n, LEDGER_QUEUE_MAX))
        return;
    l->dropped++;
    mem_free(item);
}

bool ledger_run(struct ledger *l, void (*task)(void *arg, struct ledger *l), void *arg)
{
    struct item *item = MEM_NEW(struct item);
    item->task = task;
    item->arg = arg;
    if (push(l, item, &l->tasks_n, LEDGER_TASKS_MAX))
        return true;
    mem_free(item);
    return false;
}

/* ---- Reading ---- */

static void add_filter(struct bytes *sql, const char *column, struct slice v)
{
    if (v.p)
        bytes_printf(sql, " AND %s = ?", column);
}

static void bind_filter(sqlite3_stmt *s, int *at, struct slice v)
{
    if (v.p)
        sqlite3_bind_text(s, (*at)++, (const char *)v.p, (int)v.n, SQLITE_STATIC);
}

static sqlite3_stmt *prepare_find(struct ledger *l, const struct ledger_query *q)
{
    const struct slice value[] = {q->topic, q->code, q->principal, q->key_id, q->correlation_id};
    static const char *const column[] = {"topic", "code", "principal", "key_id", "correlation_id"};
    struct bytes sql = {0};
    bytes_add_str(&sql,
                  "SELECT id,time_ms,partition,batch_index,code,contract_version,digest,count,"
                  "topic,path,rule,detail,key_id,principal,client_id,correlation_id"
                  " FROM rejection WHERE time_ms >= ? AND time_ms < ?");
    bytes_printf(&sql, " AND id %s ?", q->ascending ? ">" : "<");
    for (size_t i = 0; i < sizeof column / sizeof *column; i++)
        add_filter(&sql, column[i], value[i]);
    bytes_printf(&sql, " ORDER BY id %s LIMIT ?", q->ascending ? "ASC" : "DESC");
    sqlite3_stmt *s = NULL;
    if (sqlite3_prepare_v2(l->db, bytes_cstr(&sql), -1, &s, NULL) == SQLITE_OK) {
        int at = 1;
        sqlite3_bind_int64(s, at++, q->since_ms);
        sqlite3_bind_int64(s, at++, q->until_ms ? q->until_ms : INT64_MAX);
        sqlite3_bind_int64(s, at++, q->after >= 0 ? q->after : q->ascending ? 0 : INT64_MAX);
        for (size_t i = 0; i < sizeof column / sizeof *column; i++)
            bind_filter(s, &at, value[i]);
        sqlite3_bind_int(s, at, q->limit + 1); /* one more, to know whether there is a next page */
    }
    bytes_free(&sql);
    return s;
}

static void put_row(struct ledger *l, sqlite3_stmt *s, struct bytes *out)
{
    static const struct {
        const char *name;
        int column;
    } number[] = {{"partition", 2}, {"batch_index", 3}, {"contract_version", 5}, {"count", 7}},
      text[] = {{"code", 4},       {"topic", 8},      {"path", 9},
                {"rule", 10},      {"detail", 11},    {"key_id", 12},
                {"principal", 13}, {"client_id", 14}, {"correlation_id", 15}};
    struct json_writer w;
    char time[TIME_TEXT_SIZE];
    json_writer_init(&w, out);
    json_begin_object(&w);
    json_name(&w, "id");
    json_put_int(&w, sqlite3_column_int64(s, 0));
    json_name(&w, "time");
    time_text(sqlite3_column_int64(s, 1), time);
    json_put_cstr(&w, time);
    json_name(&w, "node");
    json_put_int(&w, l->config.node_id);
    for (size_t i = 0; i < sizeof number / sizeof *number; i++) {
        json_name(&w, number[i].name);
        json_put_int(&w, sqlite3_column_int64(s, number[i].column));
    }
    for (size_t i = 0; i < sizeof text / sizeof *text; i++) {
        json_name(&w, text[i].name);
        json_put_string(&w, slice_of(sqlite3_column_text(s, text[i].column),
                                     (size_t)sqlite3_column_bytes(s, text[i].column)));
    }
    struct bytes hex = {0};
    hex_add(&hex, slice_of(sqlite3_column_blob(s, 6), (size_t)sqlite3_column_bytes(s, 6)));
    json_name(&w, "digest");
    json_put_string(&w, bytes_slice(&hex));
    bytes_free(&hex);
    json_end_object(&w);
}

int ledger_find(struct ledger *l, const struct ledger_query *q, struct bytes *out, int64_t *next,
                struct err *err)
{
    *next = -1;
    int rc = open_db(l, err);
    if (rc)
        return rc;
    sqlite3_stmt *s = prepare_find(l, q);
    if (!s)
        return fail(l, "search", err);
    int32_t n = 0;
    int64_t last = -1;
    int step;
    while ((step = sqlite3_step(s)) == SQLITE_ROW) {
        if (n == q->limit) {
            *next = last;
            break;
        }
        if (n++)
            bytes_add_u8(out, ',');
        put_row(l, s, out);
        last = sqlite3_column_int64(s, 0);
    }
    rc = step == SQLITE_ROW || step == SQLITE_DONE ? 0 : fail(l, "search", err);
    sqlite3_finalize(s);
    return rc;
}

/* ---- Life ---- */

int ledger_start(struct ledger **out, const struct ledger_config *config, struct err *err)
{
    struct ledger *l = MEM_NEW(struct ledger);
    l->config = *config;
    snprintf(l->path, sizeof l->path, "%s", config->path);
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->wake, NULL);
    int rc = thread_start(&l->thread, ledger_main, l, err);
    if (rc) {
        mem_free(l);
        return rc;
    }
    *out = l;
    return 0;
}

void ledger_facts(struct ledger *l, struct ledger_facts *out)
{
    *out = (struct ledger_facts){.written = l->written, .dropped = l->dropped, .failed = l->failed};
}

void ledger_stop(struct ledger *l)
{
    pthread_mutex_lock(&l->lock);
    l->stopping = true;
    pthread_mutex_unlock(&l->lock);
    pthread_cond_signal(&l->wake);
    pthread_join(l->thread, NULL);
    pthread_cond_destroy(&l->wake);
    pthread_mutex_destroy(&l->lock);
    mem_free(l);
}
