/* Contracts: a Topic document against the topic that stands under its name. */
#include "base/check.h"
#include "base/codec.h"
#include "catalogue/plan.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>

/* --- names, ids, rows ----------------------------------------------------------------------------
 */

bool catalogue_name_ok(struct slice name, char why[128])
{
    if (name.n == 0 || name.n > 249) {
        snprintf(why, 128, "a topic name has 1 to 249 characters, this one %zu", name.n);
        return false;
    }
    if (slice_eq_str(name, ".") || slice_eq_str(name, "..")) {
        snprintf(why, 128, "a topic cannot be called \".\" or \"..\"");
        return false;
    }
    for (size_t i = 0; i < name.n; i++) {
        uint8_t ch = name.p[i];
        bool ok = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
                  (ch >= '0' && ch <= '9') || ch == '.' || ch == '_' || ch == '-';
        if (!ok) {
            snprintf(why, 128, "a topic name has only A-Z a-z 0-9 . _ - (byte %zu is 0x%02x)",
                     i + 1, ch);
            return false;
        }
    }
    return true;
}

static struct slice claim_of(struct plan *p, struct slice name)
{
    uint8_t *s = arena_alloc(&p->arena, name.n + 1);
    for (size_t i = 0; i < name.n; i++)
        s[i] = name.p[i] == '.' ? '_' : name.p[i];
    return slice_of(s, name.n);
}

struct slice topic_collision(struct plan *p, struct slice name)
{
    struct slice claim = claim_of(p, name);
    const char *other = map_get(&p->claims, claim);
    if (other)
        return slice_str(other);
    struct row r = row_new(TABLE_CLAIM);
    r.cell[CLAIM_CLAIM].b = claim;
    if (!rows_get(&p->c->rows, &r, &p->arena) || slice_eq(r.cell[CLAIM_NAME].b, name) ||
        plan_goes(p, DOCUMENT_TOPIC, r.cell[CLAIM_NAME].b))
        return SLICE_NULL;
    return r.cell[CLAIM_NAME].b;
}

void topic_put_claim(struct plan *p, struct slice name)
{
    struct row r = row_new(TABLE_CLAIM);
    r.cell[CLAIM_CLAIM].b = claim_of(p, name);
    uint64_t rev = rows_rev(&p->c->rows, &r); /* not 0 when the claimant goes in this request */
    r.cell[CLAIM_NAME].b = name;
    facts_put(&p->facts, &r, rev);
    map_put(&p->claims, r.cell[CLAIM_CLAIM].b, arena_strdup(&p->arena, name));
}

struct topic_id topic_new_id(struct plan *p, struct slice name)
{
    struct topic_id id;
    crypto_generichash(id.bytes, sizeof id.bytes, name.p, name.n, p->r->random,
                       sizeof p->r->random);
    id.bytes[6] = (uint8_t)((id.bytes[6] & 0x0f) | 0x40); /* RFC 9562: version 4, as Kafka's are */
    id.bytes[8] = (uint8_t)((id.bytes[8] & 0x3f) | 0x80);
    return id;
}

int64_t topic_first_version(struct plan *p, struct slice name)
{
    const struct view_topic *gone = view_topic_by_name(p->v, name);
    return gone && gone->deleted ? (int64_t)gone->version + 1 : 1;
}

static struct slice pack_nodes(struct plan *p, const int32_t *node, int32_t n)
{
    uint8_t *b = arena_alloc(&p->arena, (size_t)n * 4);
    for (int32_t i = 0; i < n; i++)
        be32_put(b + 4 * i, (uint32_t)node[i]);
    return slice_of(b, (size_t)n * 4);
}

void topic_put_partitions(struct plan *p, struct slice id, int32_t from, int32_t to,
                          int32_t replicas)
{
    size_t nodes = p->v->nodes_n;
    ASSERT(replicas >= 1 && (size_t)replicas <= nodes);
    size_t first = (size_t)(be32_get(id.p) % nodes); /* the id is random: so is the first leader */
    int32_t *chosen = arena_alloc(&p->arena, (size_t)replicas * sizeof *chosen);
    for (int32_t n = from; n < to; n++) {
        for (int32_t k = 0; k < replicas; k++)
            chosen[k] = p->v->node[(first + (size_t)n + (size_t)k) % nodes].id;
        struct row r = row_new(TABLE_PARTITION);
        r.cell[PARTITION_TOPIC].b = id;
        r.cell[PARTITION_NUMBER].i = n;
        r.cell[PARTITION_LEADER].i = chosen[0];
        r.cell[PARTITION_REPLICAS].b = pack_nodes(p, chosen, replicas);
        r.cell[PARTITION_ISR].b = r.cell[PARTITION_REPLICAS].b;
        facts_put_any(&p->facts, &r);
    }
    p->partitions_added += (size_t)(to - from);
}

struct row topic_row_of(struct plan *p, const struct view_topic *t)
{
    struct row r = row_new(TABLE_TOPIC);
    r.cell[TOPIC_NAME].b = t->name;
    bool found = rows_get(&p->c->rows, &r, &p->arena);
    ASSERT(found);
    r.cell[TOPIC_VERSION].i++;
    r.cell[TOPIC_UPDATED].i = p->r->now_ms;
    return r;
}

int64_t plan_report_age_ms(struct plan *p)
{
    int64_t age_ms = p->r->now_ms - p->c->report.made_at_ms;
    return age_ms > 0 ? age_ms : 0;
}

struct record_facts plan_records(struct plan *p, const struct view_topic *t)
{
    struct record_facts f = {0};
    const struct report *r = &p->c->report;
    if (!p->c->report_known)
        return f;
    for (size_t i = 0; i < r->partitions_n; i++)
        if (slice_eq(r->partition[i].topic, t->name)) {
            f.known = true;
            f.records += r->partition[i].log_end_offset - r->partition[i].log_start_offset;
            f.bytes += r->partition[i].size_bytes;
        }
    if (f.known)
        return f;
    struct row row = row_new(TABLE_TOPIC);
    row.cell[TOPIC_NAME].b = t->name;
    bool found = rows_get(&p->c->rows, &row, &p->arena);
    /* No broker has said a word of a topic that was there when they reported: it is empty. */
    f.known = found && row.cell[TOPIC_CREATED].i < r->made_at_ms;
    return f;
}

/* --- rules ---------------------------------------------------------------------------------------
 */

static void check_references(struct plan *p, int index, const struct contract *k)
{
    if (!plan_has(p, DOCUMENT_TEAM, k->team)) {
        plan_violation(p, index, "reference.team-unknown", "/team",
                       "there is no team %.*s, neither in the catalogue nor in this set",
                       SLICE_FMT(k->team));
    } else if (!plan_document(p, DOCUMENT_TEAM, k->team)) {
        struct row r = row_new(TABLE_TEAM);
        r.cell[TEAM_NAME].b = k->team;
        facts_exists(&p->facts, &r);
    }
}

static void check_name(struct plan *p, int index, struct slice name)
{
    char why[128];
    if (!catalogue_name_ok(name, why)) {
        plan_violation(p, index, "name.invalid", "/name", "%s", why);
        return;
    }
    struct slice other = topic_collision(p, name);
    if (other.p)
        plan_violation(p, index, "name.collision", "/name",
                       "%.*s differs from the topic %.*s only in '.' and '_'", SLICE_FMT(name),
                       SLICE_FMT(other));
}

static void check_placement(struct plan *p, int index, const struct contract *k,
                            const struct view_topic *old)
{
    size_t nodes = p->v->nodes_n;
    if ((size_t)k->replicas > nodes)
        plan_violation(p, index, "replicas.too-many", "/replicas",
                       "%d replicas need as many nodes; this cluster has %zu", k->replicas, nodes);
    if (k->partitions > CATALOGUE_TOPIC_PARTITIONS_MAX)
        plan_violation(p, index, "limit.partitions", "/partitions", "more than %d",
                       CATALOGUE_TOPIC_PARTITIONS_MAX);
    if (!old)
        return;
    if (k->partitions < old->partitions_n)
        plan_violation(p, index, "partitions.shrink", "/partitions",
                       "the topic has %d partitions; they can grow, not shrink", old->partitions_n);
    if (old->partitions_n && k->replicas != old->partition[0].replicas_n)
        plan_violation(p, index, "not-built", "/replicas",
                       "changing the replicas of a topic (now %d) is not built yet",
                       old->partition[0].replicas_n);
    if (old->contract && k->value.format != old->contract->value.format)
        plan_violation(p, index, "value.format-changed", "/value/format",
                       "a topic carries one format (now %s); make a new topic",
                       schema_format_name(old->contract->value.format));
}

static void check_policy(struct plan *p, int index, const struct document *d,
                         const struct request_prepared *pre)
{
    struct policy resolved = policy_resolve(p->policy, p->policies_n, d->name);
    struct document_errors errors = {0};
    policy_check(&resolved, &d->topic, &pre->json, &errors);
    plan_violations(p, index, &errors);
    p->policies_checked = true;
}

/* The API's worker has compiled the schema and judged the examples; who brought none is served
 * here, and the result kept for apply. */
static void check_schema(struct plan *p, int index, const struct request_document *d)
{
    const struct contract *k = &d->document->topic;
    if (d->schema || k->value.format == SCHEMA_BYTES)
        return;
    struct catalogue *c = p->c;
    struct compiled made = {.check_formats = k->value.check_formats};
    schema_key(k->value.format, k->value.schema_text, made.key);
    struct document_errors errors = {0};
    if (document_compile(d->document, &made.schema, &errors) != 0) {
        plan_violations(p, index, &errors);
        return;
    }
    document_errors_free(&errors);
    if (c->compiled_n < COMPILED_MAX)
        c->compiled[c->compiled_n++] = made;
    else
        schema_unref(made.schema);
}

/* Is the new bound lower, -1 being none? */
static bool cuts(int64_t old, int64_t now)
{
    return now >= 0 && (old < 0 || now < old);
}

static void check_retention(struct plan *p, int index, const struct contract *k,
                            const struct view_topic *old)
{
    bool time = cuts(old->retention_ms, k->retention.time_ms);
    bool size = cuts(old->retention_bytes, k->retention.size_bytes);
    if (!time && !size)
        return;
    const char *pointer = time ? "/retention/time" : "/retention/bytes";
    struct record_facts f = plan_records(p, old);
    if (f.known && f.records == 0)
        return;
    if (!f.known) {
        plan_guard(p, index, "loses-records", pointer,
                   "a shorter retention may delete records, and how many the topic holds has not "
                   "been reported");
        return;
    }
    /* The oldest record's time is not reported: with a shorter time any may go. */
    bool fits = !time && f.bytes <= k->retention.size_bytes;
    if (fits)
        return;
    plan_impact(p, "records-lost", DOCUMENT_TOPIC, old->name, f.records,
                "a shorter retention may delete up to %" PRId64 " records", f.records);
    plan_guard(p, index, "loses-records", pointer,
               "a shorter retention may delete up to %" PRId64 " records (%" PRId64
               " bytes, as reported %" PRId64 " ms ago)",
               f.records, f.bytes, plan_report_age_ms(p));
}

/* --- writing -------------------------------------------------------------------------------------
 */

static void put_text(struct plan *p, const struct text_part *part)
{
    struct slice key = slice_of(part->digest, DIGEST_BYTES);
    if (!part->text.p || map_get(&p->texts, key))
        return;
    map_put(&p->texts, key, p);
    struct row r = row_new(TABLE_TEXT);
    r.cell[TEXT_DIGEST].b = key;
    if (rows_rev(&p->c->rows, &r))
        facts_exists(&p->facts, &r);
    else
        facts_put_any(&p->facts, &part->row);
}

static int64_t schema_id(struct plan *p, const struct contract *k)
{
    if (k->value.format == SCHEMA_BYTES)
        return 0;
    uint8_t key[DIGEST_BYTES];
    schema_key(k->value.format, k->value.schema_text, key);
    struct slice key_slice = arena_copy(&p->arena, slice_of(key, sizeof key));
    const struct row *given = map_get(&p->schemas, key_slice);
    if (given)
        return given->cell[SCHEMA_ID_ID].i;
    struct row r = row_new(TABLE_SCHEMA_ID);
    r.cell[SCHEMA_ID_KEY].b = key_slice;
    if (rows_get(&p->c->rows, &r, &p->arena))
        return r.cell[SCHEMA_ID_ID].i;
    if (p->next_schema_id == 0) {
        struct row next;
        bool found = meta_get(p->c, "next_schema_id", &next);
        p->next_schema_id = found ? next.cell[META_NUMBER].i : 1;
        p->schema_ids_rev = found ? next.rev : 0;
    }
    r.cell[SCHEMA_ID_ID].i = p->next_schema_id++;
    facts_put(&p->facts, &r, 0);
    struct row *kept = arena_alloc(&p->arena, sizeof *kept);
    *kept = r;
    map_put(&p->schemas, key_slice, kept);
    return r.cell[SCHEMA_ID_ID].i;
}

static void put_history(struct plan *p, const struct row *topic)
{
    struct row r = row_new(TABLE_HISTORY);
    r.cell[HISTORY_TOPIC].b = topic->cell[TOPIC_ID].b;
    r.cell[HISTORY_VERSION].i = topic->cell[TOPIC_VERSION].i;
    r.cell[HISTORY_DOCUMENT].b = topic->cell[TOPIC_DOCUMENT].b;
    r.cell[HISTORY_SCHEMA].b = topic->cell[TOPIC_SCHEMA].b;
    r.cell[HISTORY_EXAMPLES].b = topic->cell[TOPIC_EXAMPLES].b;
    r.cell[HISTORY_SCHEMA_ID].i = topic->cell[TOPIC_SCHEMA_ID].i;
    r.cell[HISTORY_PRINCIPAL].b = p->r->principal;
    r.cell[HISTORY_TIME].i = p->r->now_ms;
    facts_put_any(&p->facts, &r);
    sqlite3_stmt *st = rows_query(&p->c->rows, "SELECT * FROM topic_history WHERE topic=?"
                                               " ORDER BY version DESC LIMIT -1 OFFSET ?");
    rows_bind_slice(st, 1, r.cell[HISTORY_TOPIC].b, false);
    sqlite3_bind_int(st, 2, CATALOGUE_HISTORY_MAX - 1);
    while (rows_step(st)) {
        struct row old;
        rows_column_row(st, TABLE_HISTORY, &old);
        facts_delete_any(&p->facts, &old);
    }
    sqlite3_finalize(st);
}

/* A contract takes over from the settings that were given through Kafka. */
static void drop_configs(struct plan *p, const struct view_topic *old)
{
    for (size_t i = 0; i < old->config_n; i++) {
        struct row r = row_new(TABLE_CONFIG);
        r.cell[CONFIG_TOPIC].b = slice_of(old->id.bytes, sizeof old->id.bytes);
        r.cell[CONFIG_NAME].b = old->config[i].name;
        facts_delete_any(&p->facts, &r);
    }
}

static struct slice digest_cell(const struct text_part *part)
{
    return part->text.p ? slice_of(part->digest, DIGEST_BYTES) : SLICE_LIT("");
}

static void put_topic(struct plan *p, const struct document *d, const struct view_topic *old,
                      struct request_prepared *pre)
{
    struct row r = old ? topic_row_of(p, old) : row_new(TABLE_TOPIC);
    if (!old) {
        struct topic_id id = topic_new_id(p, d->name);
        r.cell[TOPIC_NAME].b = d->name;
        r.cell[TOPIC_ID].b = arena_copy(&p->arena, slice_of(id.bytes, sizeof id.bytes));
        r.cell[TOPIC_VERSION].i = topic_first_version(p, d->name);
        r.cell[TOPIC_CREATED].i = r.cell[TOPIC_UPDATED].i = p->r->now_ms;
        p->topic_id = id;
        topic_put_claim(p, d->name);
    } else {
        p->topic_id = old->id;
        drop_configs(p, old);
    }
    r.cell[TOPIC_TEAM].b = d->topic.team;
    r.cell[TOPIC_DOCUMENT].b = pre->skeleton;
    r.cell[TOPIC_CONTENT].b = slice_of(pre->content, DIGEST_BYTES);
    r.cell[TOPIC_SCHEMA].b = digest_cell(&pre->schema);
    r.cell[TOPIC_EXAMPLES].b = digest_cell(&pre->examples);
    r.cell[TOPIC_SCHEMA_ID].i = schema_id(p, &d->topic);
    facts_put(&p->facts, &r, old ? leaf_of(old)->rev : 0);
    prepared_compress(pre);
    put_text(p, &pre->schema);
    put_text(p, &pre->examples);
    put_history(p, &r);
    int32_t have = old ? old->partitions_n : 0;
    if (d->topic.partitions > have && (size_t)d->topic.replicas <= p->v->nodes_n)
        topic_put_partitions(p, r.cell[TOPIC_ID].b, have, d->topic.partitions, d->topic.replicas);
}

static void adopted(struct plan *p, const struct view_topic *old)
{
    struct record_facts f = plan_records(p, old);
    plan_impact(p, "topic.adopted", DOCUMENT_TOPIC, old->name, f.known ? f.records : -1,
                "the topic gets a contract; records that are in it were never judged");
}

static void plan_changed(struct plan *p, int index, const struct request_document *rd,
                         const struct view_topic *old, struct request_prepared *pre)
{
    const struct document *d = rd->document;
    if (!old)
        check_name(p, index, d->name);
    check_references(p, index, &d->topic);
    check_placement(p, index, &d->topic, old);
    check_policy(p, index, d, pre);
    check_schema(p, index, rd);
    if (old)
        check_retention(p, index, &d->topic, old);
    if (old && old->contract)
        plan_owner(p, index, old->contract->team);
    if (!old || !old->contract || !slice_eq(old->contract->team, d->topic.team))
        plan_owner(p, index, d->topic.team);
    put_topic(p, d, old, pre);
    plan_change(p, old ? "update" : "create", DOCUMENT_TOPIC, d->name, old ? old->document : NULL,
                d);
    if (old && !old->contract)
        adopted(p, old);
    if (plan_count(p, DOCUMENT_TOPIC) > CATALOGUE_TOPICS_MAX)
        plan_violation(p, index, "limit.topics", "", "more than %d topics", CATALOGUE_TOPICS_MAX);
}

void plan_topic(struct plan *p, int index, const struct request_document *rd)
{
    const struct view_topic *old = view_topic_live(p->v, rd->document->name);
    struct request_prepared *made = rd->prepared ? NULL : prepared_new(rd->document);
    struct request_prepared *pre = rd->prepared ? rd->prepared : made;
    if (old && old->contract && memcmp(leaf_of(old)->content, pre->content, DIGEST_BYTES) == 0)
        plan_change(p, "unchanged", DOCUMENT_TOPIC, rd->document->name, NULL, NULL);
    else
        plan_changed(p, index, rd, old, pre);
    prepared_free(made); /* what was written has been copied into the entry */
}
