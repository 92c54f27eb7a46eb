/* From rows to the view that is published. What an entry did not touch is shared with the view
 * before: a changed topic costs one new leaf and two arrays of pointers. */
#include "base/check.h"
#include "base/mem.h"
#include "catalogue/leaf.h"

#include <stdatomic.h>
#include <stdlib.h>

/* --- what was touched ----------------------------------------------------------------------------
 */

static void touched_name(struct touched *t, enum document_kind kind, struct slice name)
{
    if (t->names_n == t->names_cap) {
        t->names_cap = t->names_cap ? 2 * t->names_cap : 16;
        t->name = mem_realloc(t->name, t->names_cap * sizeof *t->name);
    }
    t->name[t->names_n++] = (struct touched_name){kind, arena_copy(&t->arena, name)};
}

void touched_add(struct touched *t, const struct row *r)
{
    struct slice name = r->cell[0].b;
    switch (r->table->id) {
    case TABLE_TOPIC:
        touched_name(t, DOCUMENT_TOPIC, name);
        break;
    case TABLE_TEAM:
        touched_name(t, DOCUMENT_TEAM, name);
        break;
    case TABLE_PRODUCER:
        touched_name(t, DOCUMENT_PRODUCER, name);
        break;
    case TABLE_POLICY:
        touched_name(t, DOCUMENT_POLICY, name);
        t->policies = true;
        break;
    case TABLE_DELETED:
        t->deleted = true;
        break;
    case TABLE_NODE:
        t->nodes = true;
        break;
    case TABLE_META:
        t->meta |= slice_eq_str(name, "governance_off");
        break;
    default:
        break; /* partitions, settings and keys move together with their topic or producer */
    }
}

void touched_free(struct touched *t)
{
    mem_free(t->name);
    arena_free(&t->arena);
    *t = (struct touched){0};
}

static int compare_touched(const void *a, const void *b)
{
    const struct touched_name *x = a, *y = b;
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    return slice_cmp(x->name, y->name);
}

/* Sorts and drops repetitions. */
static void touched_settle(struct touched *t)
{
    if (t->names_n == 0)
        return;
    qsort(t->name, t->names_n, sizeof *t->name, compare_touched);
    size_t n = 1;
    for (size_t i = 1; i < t->names_n; i++)
        if (compare_touched(&t->name[i], &t->name[n - 1]) != 0)
            t->name[n++] = t->name[i];
    t->names_n = n;
}

static void touch_all(struct catalogue *c, struct touched *t)
{
    static const enum table_id ids[] = {TABLE_TOPIC, TABLE_TEAM, TABLE_POLICY, TABLE_PRODUCER};
    static const char *const queries[] = {"SELECT * FROM topic", "SELECT * FROM team",
                                          "SELECT * FROM policy", "SELECT * FROM producer"};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        sqlite3_stmt *st = rows_query(&c->rows, queries[i]);
        while (rows_step(st)) {
            struct row r;
            rows_column_row(st, ids[i], &r);
            touched_add(t, &r);
        }
        sqlite3_finalize(st);
    }
    t->nodes = t->meta = t->deleted = t->policies = true;
}

/* --- topics --------------------------------------------------------------------------------------
 */

static int compare_id(const void *a, const void *b)
{
    const struct view_topic *x = *(const struct view_topic *const *)a;
    const struct view_topic *y = *(const struct view_topic *const *)b;
    return memcmp(x->id.bytes, y->id.bytes, sizeof x->id.bytes);
}

static struct part_topics *topics_new(size_t cap)
{
    struct part_topics *p = MEM_NEW(struct part_topics);
    atomic_init(&p->refs, 1);
    p->by_name = mem_zalloc(cap ? cap : 1, sizeof(void *));
    p->by_id = mem_zalloc(cap ? cap : 1, sizeof(void *));
    return p;
}

static void add_shared(struct part_topics *p, const struct view_topic *t)
{
    struct leaf_topic *leaf = (struct leaf_topic *)(uintptr_t)leaf_of(t);
    atomic_fetch_add_explicit(&leaf->refs, 1, memory_order_relaxed);
    p->by_name[p->n++] = t;
}

static struct leaf_topic *make_topic(struct catalogue *c, struct slice name,
                                     const struct request *prepared)
{
    struct row row = row_new(TABLE_TOPIC);
    row.cell[TOPIC_NAME].b = name;
    if (!rows_get(&c->rows, &row, &c->scratch))
        return NULL;
    struct leaf_topic *leaf = leaf_topic_make(c, &row, prepared);
    arena_reset(&c->scratch);
    return leaf;
}

/* Leaves that are new and that are no longer, as far as they are few. */
enum { MOVED_FEW = 16 };
struct moved {
    const struct view_topic *came[MOVED_FEW], *went[MOVED_FEW];
    size_t came_n, went_n; /* may be more than are stored */
};

static void move(const struct view_topic *t, const struct view_topic **list, size_t *n)
{
    if (*n < MOVED_FEW)
        list[*n] = t;
    ++*n;
}

/* Merges the old array with the touched names, both sorted. */
static struct part_topics *build_topics(struct catalogue *c, const struct part_topics *old,
                                        const struct touched *t, const struct request *prepared,
                                        struct moved *m)
{
    size_t touched_n = 0;
    while (touched_n < t->names_n && t->name[touched_n].kind == DOCUMENT_TOPIC)
        touched_n++;
    size_t old_n = old ? old->n : 0;
    struct part_topics *p = topics_new(old_n + touched_n);
    size_t i = 0;
    for (size_t k = 0; k < touched_n; k++) {
        struct slice name = t->name[k].name;
        while (i < old_n && slice_cmp(old->by_name[i]->name, name) < 0)
            add_shared(p, old->by_name[i++]);
        if (i < old_n && slice_eq(old->by_name[i]->name, name))
            move(old->by_name[i++], m->went, &m->went_n);
        struct leaf_topic *leaf = make_topic(c, name, prepared);
        if (!leaf)
            continue;
        move(&leaf->v, m->came, &m->came_n);
        p->by_name[p->n++] = &leaf->v;
    }
    while (i < old_n)
        add_shared(p, old->by_name[i++]);
    return p;
}

static bool is_governed(const struct view_topic *t, const struct view *v)
{
    return t->contract && t->contract->mode != MODE_OFF && !view_name_ungoverned(v, t->name);
}

/* `governed` follows from the contract and the policies. New leaves get it; where the rules have
 * moved, a leaf in which it differs is made anew. */
static void settle_governed(struct catalogue *c, struct part_topics *p, const struct view *v,
                            bool rules_moved, const struct request *prepared)
{
    for (size_t i = 0; i < p->n; i++) {
        const struct view_topic *t = p->by_name[i];
        struct leaf_topic *leaf = (struct leaf_topic *)(uintptr_t)leaf_of(t);
        bool shared = atomic_load_explicit(&leaf->refs, memory_order_relaxed) > 1;
        if (shared && !rules_moved)
            continue;
        bool governed = is_governed(t, v);
        if (t->governed == governed)
            continue;
        if (shared) {
            leaf = make_topic(c, t->name, prepared);
            leaf_topic_unref(t);
            p->by_name[i] = &leaf->v;
        }
        leaf->v.governed = governed;
    }
}

static bool among(const struct view_topic *t, const struct view_topic *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (list[i] == t)
            return true;
    return false;
}

/* Sorts anew, or, where few topics have come and gone, takes the old order over. */
static void index_ids(struct part_topics *p, const struct part_topics *old, struct moved *m)
{
    p->ids_n = p->n;
    if (!old || m->came_n > MOVED_FEW || m->went_n > MOVED_FEW) {
        memcpy(p->by_id, p->by_name, p->n * sizeof(void *));
        qsort(p->by_id, p->n, sizeof(void *), compare_id);
        return;
    }
    qsort(m->came, m->came_n, sizeof(void *), compare_id);
    size_t n = 0, k = 0;
    for (size_t i = 0; i < old->n; i++) {
        const struct view_topic *t = old->by_id[i];
        if (among(t, m->went, m->went_n))
            continue;
        while (k < m->came_n && compare_id(&m->came[k], &t) < 0)
            p->by_id[n++] = m->came[k++];
        p->by_id[n++] = t;
    }
    while (k < m->came_n)
        p->by_id[n++] = m->came[k++];
    ASSERT(n == p->n);
}

static const struct view_topic *deleted_leaf(const struct row *r, const struct part_topics *old)
{
    const struct view_topic *t = old ? part_topics_by_id(old, r->cell[DELETED_ID].b) : NULL;
    if (!t)
        return &leaf_deleted_make(r)->v;
    struct leaf_topic *leaf = (struct leaf_topic *)(uintptr_t)leaf_of(t);
    atomic_fetch_add_explicit(&leaf->refs, 1, memory_order_relaxed);
    return t;
}

static struct part_topics *build_deleted(struct catalogue *c, const struct part_topics *old)
{
    struct part_topics *p = MEM_NEW(struct part_topics);
    atomic_init(&p->refs, 1);
    size_t cap = 0;
    sqlite3_stmt *st = rows_query(&c->rows, "SELECT * FROM topic_deleted ORDER BY name, rev");
    while (rows_step(st)) {
        struct row r;
        rows_column_row(st, TABLE_DELETED, &r);
        if (p->ids_n == cap) {
            cap = cap ? 2 * cap : 16;
            p->by_id = mem_realloc(p->by_id, cap * sizeof(void *));
            p->by_name = mem_realloc(p->by_name, cap * sizeof(void *));
        }
        const struct view_topic *t = deleted_leaf(&r, old);
        p->by_id[p->ids_n++] = t;
        if (p->n && slice_eq(p->by_name[p->n - 1]->name, t->name))
            p->n--; /* an earlier topic of that name: known by its id only */
        p->by_name[p->n++] = t;
    }
    sqlite3_finalize(st);
    if (p->ids_n)
        qsort(p->by_id, p->ids_n, sizeof(void *), compare_id);
    return p;
}

/* --- teams, producers, policies ------------------------------------------------------------------
 */

static struct leaf_document *make_document(struct catalogue *c, const struct touched_name *name)
{
    static const enum table_id tables[] = {[DOCUMENT_TEAM] = TABLE_TEAM,
                                           [DOCUMENT_PRODUCER] = TABLE_PRODUCER,
                                           [DOCUMENT_POLICY] = TABLE_POLICY};
    struct row row = row_new(tables[name->kind]);
    row.cell[0].b = name->name;
    return rows_get(&c->rows, &row, &c->scratch) ? leaf_document_make(c, &row) : NULL;
}

static void share_document(struct part_documents *p, const struct view_document *d)
{
    struct leaf_document *leaf = (struct leaf_document *)(uintptr_t)d;
    atomic_fetch_add_explicit(&leaf->refs, 1, memory_order_relaxed);
    p->by_name[p->n++] = d;
}

static int compare_key(const void *a, const void *b)
{
    return slice_cmp(((const struct view_key *)a)->kid, ((const struct view_key *)b)->kid);
}

static int compare_principal(const void *a, const void *b)
{
    const struct part_principal *x = a, *y = b;
    return slice_cmp(x->principal, y->principal);
}

static void index_documents(struct part_documents *p)
{
    size_t keys = 0, principals = 0, policies = 0;
    for (size_t i = 0; i < p->n; i++) {
        const struct document *d = p->by_name[i]->document;
        policies += d->kind == DOCUMENT_POLICY;
        if (d->kind != DOCUMENT_PRODUCER)
            continue;
        keys += d->producer.keys_n;
        principals += d->producer.principals.n;
    }
    p->policy = mem_zalloc(policies ? policies : 1, sizeof(void *));
    p->key = mem_zalloc(keys ? keys : 1, sizeof *p->key);
    p->principal = mem_zalloc(principals ? principals : 1, sizeof *p->principal);
    for (size_t i = 0; i < p->n; i++) {
        const struct document *d = p->by_name[i]->document;
        if (d->kind == DOCUMENT_POLICY)
            p->policy[p->policies_n++] = &d->policy;
        if (d->kind != DOCUMENT_PRODUCER)
            continue;
        const struct producer *pr = &d->producer;
        for (size_t k = 0; k < pr->keys_n; k++) {
            const char *kid =
                arena_printf(&p->arena, "%.*s/%.*s", SLICE_FMT(pr->name), SLICE_FMT(pr->key[k].id));
            p->key[p->keys_n++] = (struct view_key){slice_str(kid), pr, &pr->key[k]};
        }
        for (size_t k = 0; k < pr->principals.n; k++)
            p->principal[p->principals_n++] = (struct part_principal){pr->principals.item[k], pr};
    }
    qsort(p->key, p->keys_n, sizeof *p->key, compare_key);
    qsort(p->principal, p->principals_n, sizeof *p->principal, compare_principal);
}

static int compare_leaf(const struct view_document *d, const struct touched_name *t)
{
    if (d->kind != t->kind)
        return d->kind < t->kind ? -1 : 1;
    return slice_cmp(d->name, t->name);
}

static struct part_documents *build_documents(struct catalogue *c, const struct part_documents *old,
                                              const struct touched *t)
{
    size_t k = 0;
    while (k < t->names_n && t->name[k].kind == DOCUMENT_TOPIC)
        k++;
    size_t old_n = old ? old->n : 0, i = 0;
    struct part_documents *p = MEM_NEW(struct part_documents);
    atomic_init(&p->refs, 1);
    arena_init(&p->arena, 0);
    p->by_name = mem_zalloc(old_n + (t->names_n - k) + 1, sizeof(void *));
    for (; k < t->names_n; k++) {
        while (i < old_n && compare_leaf(old->by_name[i], &t->name[k]) < 0)
            share_document(p, old->by_name[i++]);
        if (i < old_n && compare_leaf(old->by_name[i], &t->name[k]) == 0)
            i++;
        struct leaf_document *leaf = make_document(c, &t->name[k]);
        if (leaf)
            p->by_name[p->n++] = &leaf->v;
    }
    while (i < old_n)
        share_document(p, old->by_name[i++]);
    index_documents(p);
    return p;
}

/* --- nodes and the whole -------------------------------------------------------------------------
 */

static struct part_nodes *build_nodes(struct catalogue *c)
{
    struct part_nodes *p = MEM_NEW(struct part_nodes);
    atomic_init(&p->refs, 1);
    arena_init(&p->arena, 0);
    size_t cap = 0;
    sqlite3_stmt *st = rows_query(&c->rows, "SELECT * FROM node ORDER BY id");
    while (rows_step(st)) {
        struct row r;
        rows_column_row(st, TABLE_NODE, &r);
        if (p->n == cap) {
            cap = cap ? 2 * cap : 4;
            p->node = mem_realloc(p->node, cap * sizeof *p->node);
        }
        p->node[p->n++] = (struct view_node){
            .id = (int32_t)r.cell[NODE_ID].i,
            .kafka_host = arena_copy(&p->arena, r.cell[NODE_KAFKA_HOST].b),
            .kafka_port = (int32_t)r.cell[NODE_KAFKA_PORT].i,
            .admin_url = arena_copy(&p->arena, r.cell[NODE_ADMIN_URL].b),
            .rack = arena_copy(&p->arena, r.cell[NODE_RACK].b),
            .role = arena_copy(&p->arena, r.cell[NODE_ROLE].b),
            .state = arena_copy(&p->arena, r.cell[NODE_STATE].b),
            .broker_epoch = (uint64_t)r.cell[NODE_BROKER_EPOCH].i,
            .raft_id = (uint64_t)r.cell[NODE_RAFT_ID].i,
        };
    }
    sqlite3_finalize(st);
    return p;
}

static void load_meta(struct catalogue *c, struct view_full *full)
{
    struct row r;
    full->v.governance_off = meta_number(c, "governance_off", 0) != 0;
    if (meta_get(c, "cluster_id", &r)) {
        size_t n = r.cell[META_CONTENT].b.n;
        ASSERT(n < sizeof full->cluster_id);
        memcpy(full->cluster_id, r.cell[META_CONTENT].b.p, n);
    }
    full->v.cluster_id = slice_str(full->cluster_id);
}

#define SHARE(part) (atomic_fetch_add_explicit(&(part)->refs, 1, memory_order_relaxed), (part))

void build_view(struct catalogue *c, const struct touched *touched, const struct request *prepared)
{
    struct touched t = *touched;
    struct touched all = {0};
    const struct view_full *old = c->view;
    if (!old || t.everything) {
        arena_init(&all.arena, 0);
        touch_all(c, &all);
        t = all;
        old = NULL;
    }
    touched_settle(&t);
    bool topics = t.names_n && t.name[0].kind == DOCUMENT_TOPIC;
    bool documents = t.names_n && t.name[t.names_n - 1].kind != DOCUMENT_TOPIC;
    struct view_full *full = MEM_NEW(struct view_full);
    atomic_init(&full->refs, 1);
    struct view_parts *p = &full->parts;
    struct view *v = &full->v;
    v->version = c->version;
    v->controller = c->controller;
    load_meta(c, full);

    p->documents = old && !documents ? SHARE(old->parts.documents)
                                     : build_documents(c, old ? old->parts.documents : NULL, &t);
    v->policy = p->documents->policy;
    v->policies_n = p->documents->policies_n;
    v->document = p->documents->by_name;
    v->documents_n = p->documents->n;

    if (old && !topics && !t.policies && !t.meta) {
        p->topics = SHARE(old->parts.topics);
    } else {
        struct moved moved = {0};
        bool rules_moved = !old || t.policies || t.meta;
        p->topics = build_topics(c, old ? old->parts.topics : NULL, &t, prepared, &moved);
        settle_governed(c, p->topics, v, rules_moved, prepared);
        index_ids(p->topics, rules_moved ? NULL : old->parts.topics, &moved);
    }
    v->topic = p->topics->by_name;
    v->topics_n = p->topics->n;
    p->deleted = old && !t.deleted ? SHARE(old->parts.deleted)
                                   : build_deleted(c, old ? old->parts.deleted : NULL);
    p->nodes = old && !t.nodes ? SHARE(old->parts.nodes) : build_nodes(c);
    v->node = p->nodes->node;
    v->nodes_n = p->nodes->n;

    arena_reset(&c->scratch);
    mem_free(all.name);
    arena_free(&all.arena);
    if (c->view)
        view_unref(&c->view->v);
    c->view = full;
}
