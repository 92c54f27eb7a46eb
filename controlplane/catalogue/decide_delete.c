#include "catalogue/plan.h"

#include <inttypes.h>

static void delete_versions(struct plan *p, struct slice id)
{
    sqlite3_stmt *st = rows_query(&p->c->rows, "SELECT * FROM topic_history WHERE topic=?");
    rows_bind_slice(st, 1, id, false);
    while (rows_step(st)) {
        struct row r;
        rows_column_row(st, TABLE_HISTORY, &r);
        facts_delete_any(&p->facts, &r);
    }
    sqlite3_finalize(st);
}

/* The name and id are remembered, so that a client is told topic.deleted and not that it never was.
 */
static void put_tombstone(struct plan *p, const struct view_topic *t, struct slice id)
{
    struct row r = row_new(TABLE_DELETED);
    r.cell[DELETED_ID].b = id;
    r.cell[DELETED_NAME].b = t->name;
    r.cell[DELETED_VERSION].i = (int64_t)t->version;
    r.cell[DELETED_PRINCIPAL].b = p->r->principal;
    r.cell[DELETED_TIME].i = p->r->now_ms;
    facts_put_any(&p->facts, &r);
    sqlite3_stmt *st = rows_query(&p->c->rows, "SELECT * FROM topic_deleted ORDER BY rev DESC, id"
                                               " LIMIT -1 OFFSET ?");
    sqlite3_bind_int(st, 1, CATALOGUE_TOMBSTONES_MAX - 1);
    while (rows_step(st)) {
        struct row old;
        rows_column_row(st, TABLE_DELETED, &old);
        facts_delete_any(&p->facts, &old);
    }
    sqlite3_finalize(st);
}

static void delete_claim(struct plan *p, struct slice name)
{
    struct row r = row_new(TABLE_CLAIM);
    uint8_t *s = arena_alloc(&p->arena, name.n + 1);
    for (size_t i = 0; i < name.n; i++)
        s[i] = name.p[i] == '.' ? '_' : name.p[i];
    r.cell[CLAIM_CLAIM].b = slice_of(s, name.n);
    if (!map_get(&p->claims, r.cell[CLAIM_CLAIM].b)) /* else a new topic has taken it over */
        facts_delete_any(&p->facts, &r);
}

static void guard_records(struct plan *p, int index, const struct view_topic *t)
{
    struct record_facts f = plan_records(p, t);
    if (!f.known) {
        plan_guard(p, index, "loses-records", "",
                   "how many records %.*s holds has not been reported yet", SLICE_FMT(t->name));
    } else if (f.records > 0) {
        plan_impact(p, "records-lost", DOCUMENT_TOPIC, t->name, f.records,
                    "its records are deleted with it");
        plan_guard(p, index, "loses-records", "",
                   "%.*s holds %" PRId64 " records (as reported %" PRId64 " ms ago)",
                   SLICE_FMT(t->name), f.records, plan_report_age_ms(p));
    }
}

void plan_topic_delete(struct plan *p, int index, const struct view_topic *t, bool guarded)
{
    struct slice id = slice_of(t->id.bytes, sizeof t->id.bytes);
    if (guarded)
        guard_records(p, index, t);
    if (t->contract)
        plan_owner(p, index, t->contract->team);
    struct row r = row_new(TABLE_TOPIC);
    r.cell[TOPIC_NAME].b = t->name;
    facts_delete(&p->facts, &r, leaf_of(t)->rev);
    delete_claim(p, t->name);
    for (int32_t n = 0; n < t->partitions_n; n++) {
        struct row part = row_new(TABLE_PARTITION);
        part.cell[PARTITION_TOPIC].b = id;
        part.cell[PARTITION_NUMBER].i = n;
        facts_delete_any(&p->facts, &part);
    }
    for (size_t i = 0; i < t->config_n; i++) {
        struct row config = row_new(TABLE_CONFIG);
        config.cell[CONFIG_TOPIC].b = id;
        config.cell[CONFIG_NAME].b = t->config[i].name;
        facts_delete_any(&p->facts, &config);
    }
    delete_versions(p, id);
    put_tombstone(p, t, id);
    p->topic_id = t->id;
    plan_change(p, "delete", DOCUMENT_TOPIC, t->name, t->document, NULL);
}

/* Who would be left without the team. */
static void check_team_free(struct plan *p, int index, struct slice team)
{
    for (size_t i = 0; i < p->v->topics_n; i++) {
        const struct view_topic *t = p->v->topic[i];
        if (t->contract && slice_eq(t->contract->team, team) &&
            !plan_goes(p, DOCUMENT_TOPIC, t->name) && !plan_document(p, DOCUMENT_TOPIC, t->name))
            plan_violation(p, index, "team.in-use", "", "the topic %.*s belongs to the team %.*s",
                           SLICE_FMT(t->name), SLICE_FMT(team));
    }
    for (size_t i = 0; i < p->v->documents_n; i++) {
        const struct view_document *d = p->v->document[i];
        if (d->kind == DOCUMENT_PRODUCER && slice_eq(d->document->producer.team, team) &&
            !plan_goes(p, DOCUMENT_PRODUCER, d->name) &&
            !plan_document(p, DOCUMENT_PRODUCER, d->name))
            plan_violation(p, index, "team.in-use", "",
                           "the producer %.*s belongs to the team %.*s", SLICE_FMT(d->name),
                           SLICE_FMT(team));
    }
}

void plan_document_delete(struct plan *p, int index, const struct view_document *d)
{
    static const enum table_id tables[] = {[DOCUMENT_TEAM] = TABLE_TEAM,
                                           [DOCUMENT_PRODUCER] = TABLE_PRODUCER,
                                           [DOCUMENT_POLICY] = TABLE_POLICY};
    struct row r = row_new(tables[d->kind]);
    r.cell[0].b = d->name;
    facts_delete(&p->facts, &r, d->version);
    plan_change(p, "delete", d->kind, d->name, d->document, NULL);
    switch (d->kind) {
    case DOCUMENT_TEAM:
        plan_owner(p, index, d->name);
        check_team_free(p, index, d->name);
        p->strict = true; /* nobody may come to refer to it meanwhile */
        break;
    case DOCUMENT_PRODUCER:
        plan_owner(p, index, d->document->producer.team);
        plan_producer_delete(p, d);
        break;
    case DOCUMENT_POLICY:
        plan_owner(p, index, SLICE_NULL);
        p->policies_moved = true;
        break;
    case DOCUMENT_TOPIC:
        break;
    }
}

static void not_found(struct plan *p)
{
    outcome_set(p->out, ERR_NOT_FOUND, "not-found", "there is no %s %.*s",
                document_kind_name(p->r->target_kind), SLICE_FMT(p->r->name));
}

void decide_delete(struct plan *p)
{
    const struct request *r = p->r;
    p->action = "delete";
    if (r->target_kind == DOCUMENT_TOPIC) {
        const struct view_topic *t = view_topic_live(p->v, r->name);
        if (!t)
            not_found(p);
        else if (plan_condition(p, t->version))
            plan_topic_delete(p, -1, t, true);
        return;
    }
    const struct view_document *d = view_document_by_name(p->v, r->target_kind, r->name);
    if (!d)
        not_found(p);
    else if (plan_condition(p, d->version))
        plan_document_delete(p, -1, d);
}
