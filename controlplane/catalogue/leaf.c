#include "catalogue/leaf.h"

#include "base/check.h"
#include "base/codec.h"
#include "base/log.h"
#include "base/mem.h"
#include "catalogue/config.h"

#include <stdatomic.h>

/* --- compiled schemas ----------------------------------------------------------------------------
 */

static bool same_schema(const struct contract *a, const struct contract *b)
{
    return a->value.format == b->value.format && a->value.check_formats == b->value.check_formats &&
           slice_eq(a->value.schema_text, b->value.schema_text);
}

static struct schema *schema_prepared(const struct contract *k, const struct request *prepared)
{
    for (size_t i = 0; prepared && i < prepared->documents_n; i++) {
        const struct request_document *d = &prepared->documents[i];
        if (d->schema && d->document && d->document->kind == DOCUMENT_TOPIC &&
            same_schema(&d->document->topic, k))
            return schema_ref(d->schema);
    }
    return NULL;
}

static struct schema *schema_in_view(struct catalogue *c, const struct contract *k)
{
    const struct view_topic *old = c->view ? view_topic_live(cat_view(c), k->name) : NULL;
    return old && old->schema && same_schema(old->contract, k) ? schema_ref(old->schema) : NULL;
}

static struct schema *schema_decided(struct catalogue *c, const struct contract *k)
{
    uint8_t key[DIGEST_BYTES];
    schema_key(k->value.format, k->value.schema_text, key);
    for (size_t i = 0; i < c->compiled_n; i++)
        if (memcmp(c->compiled[i].key, key, sizeof key) == 0 &&
            c->compiled[i].check_formats == k->value.check_formats)
            return schema_ref(c->compiled[i].schema);
    return NULL;
}

struct schema *leaf_schema(struct catalogue *c, const struct contract *k,
                           const struct request *prepared)
{
    if (k->value.format == SCHEMA_BYTES)
        return NULL;
    struct schema *s = schema_in_view(c, k);
    if (!s)
        s = schema_prepared(k, prepared);
    if (!s)
        s = schema_decided(c, k);
    if (s)
        return s;
    struct schema_options options = {.check_formats = k->value.check_formats};
    struct schema_problem problem;
    struct err err = {0};
    int rc = schema_compile(k->value.format, k->value.schema_text, NULL, 0, &options, &s, &problem,
                            &err);
    if (rc != 0) {
        /* The controller compiled it before it proposed it. Going on without it would let records
         * pass unchecked. */
        log_event(LOG_ERROR, "catalogue", "a committed schema does not compile",
                  LOG_S("topic", k->name), LOG_T("why", err.msg));
        ASSERT(rc == 0);
    }
    return s;
}

/* --- topics --------------------------------------------------------------------------------------
 */

static struct slice copy(struct slice s)
{
    uint8_t *p = mem_alloc(s.n ? s.n : 1);
    if (s.n)
        memcpy(p, s.p, s.n);
    return slice_of(p, s.n);
}

static void put_nodes(struct bytes *to, struct slice packed)
{
    for (size_t i = 0; i + 4 <= packed.n; i += 4) {
        int32_t id = (int32_t)be32_get(packed.p + i);
        bytes_add(to, &id, sizeof id);
    }
}

/* One block for the partitions and one for all their node lists: an arena for each leaf would cost
 * more than what is in it. */
static void load_partitions(struct catalogue *c, struct leaf_topic *leaf)
{
    struct slice id = slice_of(leaf->v.id.bytes, sizeof leaf->v.id.bytes);
    if (!c->partitions)
        c->partitions =
            rows_query(&c->rows, "SELECT * FROM partition WHERE topic=? ORDER BY number");
    struct bytes list = {0}, nodes = {0};
    rows_bind_slice(c->partitions, 1, id, false);
    while (rows_step(c->partitions)) {
        struct row r;
        rows_column_row(c->partitions, TABLE_PARTITION, &r);
        ASSERT((size_t)r.cell[PARTITION_NUMBER].i == list.n / sizeof(struct view_partition));
        struct view_partition p = {
            .leader = (int32_t)r.cell[PARTITION_LEADER].i,
            .leader_epoch = (int32_t)r.cell[PARTITION_LEADER_EPOCH].i,
            .partition_epoch = (int32_t)r.cell[PARTITION_EPOCH].i,
            .replicas_n = (int32_t)(r.cell[PARTITION_REPLICAS].b.n / 4),
            .isr_n = (int32_t)(r.cell[PARTITION_ISR].b.n / 4),
        };
        put_nodes(&nodes, r.cell[PARTITION_REPLICAS].b);
        put_nodes(&nodes, r.cell[PARTITION_ISR].b);
        bytes_add(&list, &p, sizeof p);
    }
    sqlite3_reset(c->partitions);
    int32_t *next = (int32_t *)(uintptr_t)copy(bytes_slice(&nodes)).p;
    struct view_partition *p = (struct view_partition *)(uintptr_t)copy(bytes_slice(&list)).p;
    size_t n = list.n / sizeof *p;
    leaf->nodes = next;
    for (size_t i = 0; i < n; i++) {
        p[i].replicas = next;
        next += p[i].replicas_n;
        p[i].isr = next;
        next += p[i].isr_n;
    }
    bytes_free(&nodes);
    bytes_free(&list);
    leaf->v.partition = p;
    leaf->v.partitions_n = (int32_t)n;
}

static void load_configs(struct catalogue *c, struct leaf_topic *leaf)
{
    struct slice id = slice_of(leaf->v.id.bytes, sizeof leaf->v.id.bytes);
    if (!c->configs)
        c->configs = rows_query(&c->rows, "SELECT * FROM config WHERE topic=? ORDER BY name");
    struct view_config list[CONFIG_NAMES_MAX];
    size_t n = 0;
    rows_bind_slice(c->configs, 1, id, false);
    while (rows_step(c->configs) && n < CONFIG_NAMES_MAX) {
        struct row r;
        rows_column_row(c->configs, TABLE_CONFIG, &r);
        list[n].name = copy(r.cell[CONFIG_NAME].b);
        list[n].value = copy(r.cell[CONFIG_VALUE].b);
        n++;
    }
    sqlite3_reset(c->configs);
    leaf->v.config =
        (const struct view_config *)(const void *)copy(slice_of(list, n * sizeof *list)).p;
    leaf->v.config_n = n;
}

void leaf_topic_free(struct leaf_topic *leaf)
{
    struct view_topic *t = &leaf->v;
    document_free(leaf->document);
    schema_unref(t->schema);
    for (size_t i = 0; i < t->config_n; i++) {
        mem_free((void *)(uintptr_t)t->config[i].name.p);
        mem_free((void *)(uintptr_t)t->config[i].value.p);
    }
    mem_free((void *)(uintptr_t)t->config);
    mem_free((void *)(uintptr_t)t->partition);
    mem_free(leaf->nodes);
    mem_free((void *)(uintptr_t)t->name.p);
    mem_free(leaf);
}

static void load_contract(struct catalogue *c, struct leaf_topic *leaf, const struct row *row,
                          const struct request *prepared)
{
    struct slice schema = row->cell[TOPIC_SCHEMA].b, examples = row->cell[TOPIC_EXAMPLES].b;
    struct slice text = text_join(c, row->cell[TOPIC_DOCUMENT].b, schema, examples, &c->scratch);
    leaf->document = document_of(text);
    leaf->v.document = leaf->document;
    leaf->v.contract = &leaf->document->topic;
    leaf->v.schema = leaf_schema(c, leaf->v.contract, prepared);
    memcpy(leaf->content, row->cell[TOPIC_CONTENT].b.p, sizeof leaf->content);
}

struct leaf_topic *leaf_topic_make(struct catalogue *c, const struct row *row,
                                   const struct request *prepared)
{
    struct leaf_topic *leaf = MEM_NEW(struct leaf_topic);
    atomic_init(&leaf->refs, 1);
    struct view_topic *t = &leaf->v;
    leaf->rev = row->rev;
    t->name = copy(row->cell[TOPIC_NAME].b);
    ASSERT(row->cell[TOPIC_ID].b.n == sizeof t->id.bytes);
    memcpy(t->id.bytes, row->cell[TOPIC_ID].b.p, sizeof t->id.bytes);
    t->version = (uint64_t)row->cell[TOPIC_VERSION].i;
    t->updated_ms = row->cell[TOPIC_UPDATED].i;
    t->schema_id = (int32_t)row->cell[TOPIC_SCHEMA_ID].i;
    load_partitions(c, leaf);
    load_configs(c, leaf);
    if (row->cell[TOPIC_DOCUMENT].b.n)
        load_contract(c, leaf, row, prepared);
    leaf_settings(t);
    return leaf;
}

void leaf_settings(struct view_topic *t)
{
    config_defaults(t);
    const struct contract *k = t->contract;
    if (!k) {
        for (size_t i = 0; i < t->config_n; i++)
            config_apply(&t->config[i], t);
        return;
    }
    t->retention_ms = k->retention.time_ms;
    t->retention_bytes = k->retention.size_bytes;
    t->cleanup = k->retention.cleanup;
    t->min_insync_replicas = k->min_insync_replicas;
    /* The contract bounds a record; a batch of one such record has to fit. */
    if (k->record_limit_bytes + CONFIG_BATCH_OVERHEAD_BYTES > t->max_message_bytes)
        t->max_message_bytes = k->record_limit_bytes + CONFIG_BATCH_OVERHEAD_BYTES;
}

struct leaf_topic *leaf_deleted_make(const struct row *row)
{
    struct leaf_topic *leaf = MEM_NEW(struct leaf_topic);
    atomic_init(&leaf->refs, 1);
    leaf->v.name = copy(row->cell[DELETED_NAME].b);
    memcpy(leaf->v.id.bytes, row->cell[DELETED_ID].b.p, sizeof leaf->v.id.bytes);
    leaf->v.version = (uint64_t)row->cell[DELETED_VERSION].i;
    leaf->v.updated_ms = row->cell[DELETED_TIME].i;
    leaf->v.deleted = true;
    leaf->rev = row->rev;
    return leaf;
}

/* --- teams, producers, policies ------------------------------------------------------------------
 */

static void load_keys(struct catalogue *c, struct document *d)
{
    if (!c->keys)
        c->keys = rows_query(&c->rows, "SELECT * FROM producer_key WHERE producer=? AND state<2"
                                       " ORDER BY position");
    struct producer *p = &d->producer;
    struct producer_key *list =
        arena_zalloc(&d->arena, CATALOGUE_KEYS_PER_PRODUCER_MAX, sizeof *list);
    size_t n = 0;
    rows_bind_slice(c->keys, 1, p->name, true);
    while (rows_step(c->keys) && n < CATALOGUE_KEYS_PER_PRODUCER_MAX) {
        struct row r;
        rows_column_row(c->keys, TABLE_KEY, &r);
        struct producer_key *k = &list[n++];
        k->id = arena_copy(&d->arena, r.cell[KEY_ID].b);
        ASSERT(r.cell[KEY_PUBLIC].b.n == sizeof k->public_key);
        memcpy(k->public_key, r.cell[KEY_PUBLIC].b.p, sizeof k->public_key);
        k->state = r.cell[KEY_STATE].i == 1 ? KEY_REVOKED : KEY_ACTIVE;
        k->not_before_ms = r.cell[KEY_NOT_BEFORE].i;
        k->not_after_ms = r.cell[KEY_NOT_AFTER].i;
        k->revoked_at_ms = r.cell[KEY_REVOKED_AT].i;
        k->reason = arena_copy(&d->arena, r.cell[KEY_REASON].b);
    }
    sqlite3_reset(c->keys);
    p->key = list;
    p->keys_n = n;
}

struct leaf_document *leaf_document_make(struct catalogue *c, const struct row *row)
{
    enum table_id table = row->table->id;
    unsigned text = table == TABLE_PRODUCER ? PRODUCER_DOCUMENT : TEAM_DOCUMENT;
    struct leaf_document *leaf = MEM_NEW(struct leaf_document);
    atomic_init(&leaf->refs, 1);
    leaf->document = document_of(row->cell[text].b);
    if (table == TABLE_PRODUCER)
        load_keys(c, leaf->document);
    leaf->v.kind = leaf->document->kind;
    leaf->v.name = leaf->document->name;
    leaf->v.version = row->rev;
    leaf->v.updated_ms = row->cell[TEAM_UPDATED].i;
    leaf->v.document = leaf->document;
    return leaf;
}
