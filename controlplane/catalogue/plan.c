#include "catalogue/plan.h"

#include "base/check.h"
#include "base/codec.h"
#include "base/mem.h"

#include <stdio.h>

enum { DETAIL_SIZE = 320 };

void plan_open(struct plan *p, struct catalogue *c, const struct request *r, struct result *out)
{
    *p = (struct plan){.c = c, .r = r, .out = out, .v = cat_view(c)};
    arena_init(&p->arena, 0);
    uint64_t seed = be64_get(r->random);
    struct map *maps[] = {&p->documents, &p->gone, &p->claims, &p->texts, &p->schemas, &p->publics};
    for (size_t i = 0; i < sizeof maps / sizeof maps[0]; i++)
        map_init(maps[i], seed);
    p->policy = (const struct policy **)(uintptr_t)p->v->policy;
    p->policies_n = p->v->policies_n;
}

void plan_close(struct plan *p)
{
    struct map *maps[] = {&p->documents, &p->gone, &p->claims, &p->texts, &p->schemas, &p->publics};
    for (size_t i = 0; i < sizeof maps / sizeof maps[0]; i++)
        map_free(maps[i]);
    bytes_free(&p->facts.ops);
    bytes_free(&p->changes);
    bytes_free(&p->same);
    bytes_free(&p->impact);
    arena_free(&p->arena);
}

static struct slice resource_key(struct plan *p, enum document_kind kind, struct slice name)
{
    uint8_t *k = arena_alloc(&p->arena, name.n + 1);
    k[0] = (uint8_t)kind;
    memcpy(k + 1, name.p, name.n);
    return slice_of(k, name.n + 1);
}

struct request_document *plan_document(struct plan *p, enum document_kind kind, struct slice name)
{
    return map_get(&p->documents, resource_key(p, kind, name));
}

bool plan_goes(struct plan *p, enum document_kind kind, struct slice name)
{
    return map_get(&p->gone, resource_key(p, kind, name)) != NULL;
}

void plan_mark_gone(struct plan *p, enum document_kind kind, struct slice name)
{
    map_put(&p->gone, resource_key(p, kind, name), p);
}

bool plan_has(struct plan *p, enum document_kind kind, struct slice name)
{
    if (plan_document(p, kind, name))
        return true;
    if (plan_goes(p, kind, name))
        return false;
    return kind == DOCUMENT_TOPIC ? view_topic_live(p->v, name) != NULL
                                  : view_document_by_name(p->v, kind, name) != NULL;
}

size_t plan_count(struct plan *p, enum document_kind kind)
{
    size_t n = p->created_of[kind];
    if (kind == DOCUMENT_TOPIC)
        return n + p->v->topics_n;
    for (size_t i = 0; i < p->v->documents_n; i++)
        n += p->v->document[i]->kind == kind;
    return n;
}

/* --- what is in the way --------------------------------------------------------------------------
 */

static void add_violation(struct plan *p, int index, const char *code, const char *pointer,
                          const char *detail)
{
    if (p->out->violations.n >= CATALOGUE_VIOLATIONS_MAX)
        return;
    char full[160];
    if (index >= 0)
        snprintf(full, sizeof full, "/documents/%d%.120s", index, pointer);
    else
        snprintf(full, sizeof full, "%.150s", pointer);
    document_errors_add(&p->out->violations, code, full, "%s", detail);
}

void plan_violation(struct plan *p, int index, const char *code, const char *pointer,
                    const char *fmt, ...)
{
    char detail[DETAIL_SIZE];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(detail, sizeof detail, fmt, ap);
    va_end(ap);
    add_violation(p, index, code, pointer, detail);
}

void plan_violations(struct plan *p, int index, struct document_errors *errors)
{
    for (size_t i = 0; i < errors->n; i++)
        add_violation(p, index, errors->item[i].code, errors->item[i].pointer,
                      errors->item[i].detail);
    document_errors_free(errors);
}

bool plan_guard(struct plan *p, int index, const char *guard, const char *pointer, const char *fmt,
                ...)
{
    char detail[DETAIL_SIZE], facts[DETAIL_SIZE - 80];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(facts, sizeof facts, fmt, ap);
    va_end(ap);
    for (size_t i = 0; i < p->r->accept.n; i++)
        if (slice_eq_str(p->r->accept.item[i], guard)) {
            p->accepted = slice_str(guard);
            return true;
        }
    snprintf(detail, sizeof detail, "%s; if that is meant, accept \"%s\"", facts, guard);
    add_violation(p, index, guard, pointer, detail);
    return false;
}

static bool member(const struct team *t, struct slice principal)
{
    for (size_t i = 0; i < t->members.n; i++)
        if (slice_eq(t->members.item[i], principal))
            return true;
    return false;
}

bool plan_owner(struct plan *p, int index, struct slice team)
{
    if (!p->r->owner_checked)
        return true;
    /* Judged by the teams as they are, not as this very request would have them. */
    const struct view_document *d =
        team.n ? view_document_by_name(p->v, DOCUMENT_TEAM, team) : NULL;
    if (d && member(&d->document->team, p->r->principal))
        return true;
    if (team.n)
        plan_violation(p, index, "owner.required", "",
                       "%.*s is not a member of the team %.*s, which "
                       "answers for this",
                       SLICE_FMT(p->r->principal), SLICE_FMT(team));
    else
        plan_violation(p, index, "owner.required", "", "only an operator may do this");
    return false;
}

bool plan_condition(struct plan *p, uint64_t version)
{
    uint64_t want = p->r->if_resource_version;
    if (want == 0 || want == version)
        return true;
    if (want == UINT64_MAX) {
        if (version == 0)
            return true;
        outcome_set(p->out, ERR_CONFLICT, "if-none-match", "it exists already");
    } else if (version == 0) {
        outcome_set(p->out, ERR_CONFLICT, "if-match", "it does not exist");
    } else {
        outcome_set(p->out, ERR_CONFLICT, "if-match",
                    "it has changed: its version is %llu, not %llu", (unsigned long long)version,
                    (unsigned long long)want);
    }
    return false;
}

/* --- what is told --------------------------------------------------------------------------------
 */

static void put_value(struct json_writer *w, struct slice json)
{
    if (json.n <= CATALOGUE_DIFF_VALUE_MAX_BYTES) {
        json_put_raw(w, json);
        return;
    }
    uint8_t digest[DIGEST_BYTES];
    struct bytes hex = {0};
    digest_of(json, digest);
    hex_add(&hex, slice_of(digest, sizeof digest));
    json_begin_object(w);
    json_name(w, "blake2b");
    json_put_string(w, bytes_slice(&hex));
    json_name(w, "bytes");
    json_put_int(w, (int64_t)json.n);
    json_end_object(w);
    bytes_free(&hex);
}

static struct slice raw_json(const struct json_doc *doc, uint32_t i)
{
    struct slice s = json_raw(doc, i);
    return json_type(doc, i) == JSON_STRING ? slice_of(s.p - 1, s.n + 2) : s;
}

/* The differences, large values as digest and size. */
static void put_fields(struct json_writer *w, struct slice list)
{
    struct json_doc doc = {0};
    int rc = json_parse(&doc, list, NULL, NULL);
    ASSERT(rc == 0);
    for (uint32_t i = json_first(&doc, 0); i != JSON_NONE; i = json_sibling(&doc, 0, i)) {
        json_begin_object(w);
        json_name(w, "pointer");
        json_put_raw(w, raw_json(&doc, json_get(&doc, i, "pointer")));
        json_name(w, "old");
        put_value(w, raw_json(&doc, json_get(&doc, i, "old")));
        json_name(w, "new");
        put_value(w, raw_json(&doc, json_get(&doc, i, "new")));
        json_end_object(w);
    }
    json_free(&doc);
}

static void begin_item(struct bytes *list, struct json_writer *w)
{
    if (list->n)
        bytes_add_u8(list, ',');
    json_writer_init(w, list);
    json_begin_object(w);
}

/* false: nothing changes. */
static bool count(struct plan *p, const char *action, enum document_kind kind, struct slice name)
{
    size_t *to = strcmp(action, "create") == 0   ? &p->created
                 : strcmp(action, "update") == 0 ? &p->updated
                 : strcmp(action, "delete") == 0 ? &p->deleted
                                                 : &p->unchanged;
    ++*to;
    if (to == &p->unchanged)
        return false;
    p->created_of[kind] += to == &p->created;
    bool only = p->created + p->updated + p->deleted == 1;
    p->target = only ? slice_str(arena_printf(&p->arena, "%s/%.*s", document_kind_name(kind),
                                              SLICE_FMT(name)))
                     : SLICE_NULL;
    return true;
}

void plan_change_fields(struct plan *p, const char *action, enum document_kind kind,
                        struct slice name, struct slice fields)
{
    struct json_writer w;
    bool same = !count(p, action, kind, name);
    begin_item(same ? &p->same : &p->changes, &w);
    json_name(&w, "action");
    json_put_cstr(&w, action);
    json_name(&w, "kind");
    json_put_cstr(&w, document_kind_name(kind));
    json_name(&w, "name");
    json_put_string(&w, name);
    json_name(&w, "fields");
    json_begin_array(&w);
    struct bytes list = {0};
    bytes_printf(&list, "[%.*s]", SLICE_FMT(fields));
    put_fields(&w, bytes_slice(&list));
    bytes_free(&list);
    json_end_array(&w);
    json_end_object(&w);
}

void plan_change(struct plan *p, const char *action, enum document_kind kind, struct slice name,
                 const struct document *old, const struct document *now)
{
    struct bytes diff = {0};
    if (old && now && old != now) {
        struct json_writer w;
        json_writer_init(&w, &diff);
        json_begin_array(&w);
        document_diff(old, now, &w);
        json_end_array(&w);
    }
    struct slice fields = diff.n >= 2 ? slice_of(diff.p + 1, diff.n - 2) : SLICE_NULL;
    plan_change_fields(p, action, kind, name, fields);
    bytes_free(&diff);
}

void plan_impact(struct plan *p, const char *code, enum document_kind kind, struct slice name,
                 int64_t records, const char *fmt, ...)
{
    char detail[DETAIL_SIZE];
    if (p->impacts++ >= CATALOGUE_IMPACTS_MAX)
        return;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(detail, sizeof detail, fmt, ap);
    va_end(ap);
    struct json_writer w;
    begin_item(&p->impact, &w);
    json_name(&w, "code");
    json_put_cstr(&w, code);
    json_name(&w, "kind");
    json_put_cstr(&w, document_kind_name(kind));
    json_name(&w, "name");
    json_put_string(&w, name);
    json_name(&w, "detail");
    json_put_cstr(&w, detail);
    if (records >= 0) {
        json_name(&w, "records");
        json_put_int(&w, records);
    }
    json_end_object(&w);
}

static void put_violations(struct json_writer *w, const struct document_errors *errors)
{
    json_begin_array(w);
    for (size_t i = 0; i < errors->n; i++) {
        json_begin_object(w);
        json_name(w, "code");
        json_put_cstr(w, errors->item[i].code);
        json_name(w, "pointer");
        json_put_cstr(w, errors->item[i].pointer);
        json_name(w, "detail");
        json_put_cstr(w, errors->item[i].detail);
        json_end_object(w);
    }
    json_end_array(w);
}

/* Everything of the body after `{"version":N,`. */
static void write_body(struct plan *p, bool changed, struct bytes *out)
{
    bytes_printf(out,
                 "\"changed\":%s,\"dry_run\":%s,\"summary\":{\"created\":%zu,\"updated\":%zu,"
                 "\"deleted\":%zu,\"unchanged\":%zu},\"changes\":[%.*s%s%.*s],\"violations\":",
                 changed ? "true" : "false", p->r->dry_run ? "true" : "false", p->created,
                 p->updated, p->deleted, p->unchanged, SLICE_FMT(bytes_slice(&p->changes)),
                 p->changes.n && p->same.n ? "," : "", SLICE_FMT(bytes_slice(&p->same)));
    struct json_writer w;
    json_writer_init(&w, out);
    put_violations(&w, &p->out->violations);
    bytes_printf(out, ",\"impact\":[%.*s]", SLICE_FMT(bytes_slice(&p->impact)));
    if (p->impacts > CATALOGUE_IMPACTS_MAX)
        bytes_printf(out, ",\"impact_omitted\":%zu", p->impacts - CATALOGUE_IMPACTS_MAX);
    bytes_add_str(out, "}");
}

static void write_detail(struct plan *p, struct bytes *out)
{
    bytes_printf(out, "{\"changes\":[%.*s]", SLICE_FMT(bytes_slice(&p->changes)));
    if (p->impact.n)
        bytes_printf(out, ",\"impact\":[%.*s]", SLICE_FMT(bytes_slice(&p->impact)));
    if (p->accepted.n)
        bytes_printf(out, ",\"accepted\":[\"%.*s\"]", SLICE_FMT(p->accepted));
    bytes_add_str(out, "}");
}

/* --- the end -------------------------------------------------------------------------------------
 */

static void final_body(struct plan *p, bool changed)
{
    bytes_clear(&p->out->body);
    bytes_printf(&p->out->body, "{\"version\":%llu,", (unsigned long long)p->c->version);
    write_body(p, changed, &p->out->body);
}

/* Rows that hang on nothing else: ids given, results remembered. */
static void put_bookkeeping(struct plan *p)
{
    if (p->next_schema_id) {
        struct row r = meta_row("next_schema_id", p->next_schema_id, SLICE_LIT(""));
        facts_put(&p->facts, &r, p->schema_ids_rev);
    }
    if (p->policies_moved || p->policies_checked) {
        struct row r = meta_row("policies", 0, SLICE_LIT(""));
        uint64_t rev = rows_rev(&p->c->rows, &r);
        if (p->policies_moved)
            facts_put(&p->facts, &r, rev);
        else
            facts_check(&p->facts, &r, rev);
    }
    if (p->r->idempotency_key.n == 0)
        return;
    sqlite3_stmt *st = rows_query(&p->c->rows, "SELECT * FROM idempotency ORDER BY rev DESC"
                                               " LIMIT -1 OFFSET ?");
    sqlite3_bind_int(st, 1, CATALOGUE_IDEMPOTENCY_MAX - 1);
    while (rows_step(st)) {
        struct row r;
        rows_column_row(st, TABLE_IDEMPOTENCY, &r);
        facts_delete_any(&p->facts, &r);
    }
    sqlite3_finalize(st);
}

/* What takes nothing more, or makes room, goes on when the state is full. */
static size_t state_limit(const struct request *r)
{
    switch (r->kind) {
    case REQUEST_DELETE:
    case REQUEST_TOPIC_DELETE:
    case REQUEST_KEY_REVOKE:
    case REQUEST_NODE_REGISTER:
    case REQUEST_PRODUCER_IDS:
        return CATALOGUE_STATE_MAX_BYTES + CATALOGUE_STATE_RESERVE_BYTES;
    default:
        return CATALOGUE_STATE_MAX_BYTES;
    }
}

static void check_size(struct plan *p, size_t entry_bytes)
{
    size_t have = catalogue_size_bytes(p->c), limit = state_limit(p->r);
    if (have + entry_bytes > limit)
        outcome_set(
            p->out, ERR_LIMIT, "catalogue.full",
            "the catalogue's state is %zu bytes and this adds up to %zu: more than its limit "
            "of %zu; delete something first",
            have, entry_bytes, limit);
}

static void encode(struct plan *p, struct bytes *entry)
{
    struct bytes detail = {0}, body = {0};
    uint8_t digest[DIGEST_BYTES];
    write_detail(p, &detail);
    if (p->r->kind == REQUEST_APPLY || p->r->kind == REQUEST_DELETE)
        write_body(p, true, &body);
    put_bookkeeping(p);
    struct facts_head head = {
        .kind = p->r->kind,
        .strict = p->strict || p->r->if_version != 0,
        .request_id = p->r->id,
        .base_version = p->c->version,
        .time_ms = p->r->now_ms,
        .principal = p->r->principal,
        .correlation_id = p->r->correlation_id,
        .action = slice_str(p->action),
        .target = p->target,
        .detail = bytes_slice(&detail),
        .body = bytes_slice(&body),
        .idempotency_key = p->r->idempotency_key,
        .first_producer_id = p->first_producer_id,
        .topic_id = p->topic_id,
    };
    if (p->r->idempotency_key.n) {
        outcome_request_digest(p->r, digest);
        head.request_digest = slice_of(digest, sizeof digest);
    }
    struct err err = {0};
    if (facts_encode(&head, &p->facts, entry, &err) != 0)
        outcome_set(p->out, err.code, "entry.too-large", "%s", err.msg);
    else
        check_size(p, entry->n);
    if (p->out->code != ERR_OK)
        bytes_clear(entry);
    bytes_free(&detail);
    bytes_free(&body);
}

void plan_finish(struct plan *p, struct bytes *entry)
{
    struct result *out = p->out;
    if (out->code != ERR_OK)
        return;
    bool changed = p->facts.ops_n > 0;
    if (out->violations.n) {
        outcome_set(out, ERR_INVALID, "violations", "%zu violation%s: nothing is changed",
                    out->violations.n, out->violations.n == 1 ? "" : "s");
        final_body(p, false);
        return;
    }
    if (!changed) {
        snprintf(out->message, sizeof out->message,
                 "nothing to change: the catalogue (version %llu) is as asked",
                 (unsigned long long)p->c->version);
        final_body(p, false);
        return;
    }
    encode(p, entry); /* a plan too: what is too large is told now, not at the apply */
    if (out->code == ERR_OK && p->r->dry_run) {
        bytes_clear(entry);
        out->changed = true;
        snprintf(out->message, sizeof out->message, "%zu to create, %zu to update, %zu to delete",
                 p->created, p->updated, p->deleted);
        final_body(p, true);
    }
}
