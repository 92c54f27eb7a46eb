/* The view as the broker works with it: a row for each topic, a row for each partition that this
 * node holds. Switching to another view touches only what differs. */
#include "broker/state.h"

#include "base/log.h"

struct topic_row *topic_by_name(const struct broker *b, struct slice name)
{
    return map_get(&b->topics_by_name, name);
}

struct topic_row *topic_by_id(const struct broker *b, const uint8_t id[16])
{
    return map_get(&b->topics_by_id, slice_of(id, 16));
}

struct partition *partition_find(const struct broker *b, struct topic_row *t, int32_t index,
                                 int16_t *error)
{
    if (!t || index < 0 || index >= t->partitions_n) {
        *error = WIRE_E_UNKNOWN_TOPIC_OR_PARTITION;
        return NULL;
    }
    struct partition *p = t->partition[index];
    if (!p || p->view->leader != b->config.node_id) {
        *error = WIRE_E_NOT_LEADER_OR_FOLLOWER;
        return NULL;
    }
    *error = 0;
    return p;
}

int16_t partition_check_epoch(const struct partition *p, int32_t epoch)
{
    if (epoch < 0 || epoch == p->view->leader_epoch)
        return 0;
    return epoch < p->view->leader_epoch ? WIRE_E_FENCED_LEADER_EPOCH : WIRE_E_UNKNOWN_LEADER_EPOCH;
}

bool topic_admin_refused(const struct broker *b, struct slice name, const char *verb,
                         struct arena *a, const char **message)
{
    const struct view_topic *t = view_topic_by_name(b->view, name);
    if (t && !t->deleted && t->contract) {
        *message = arena_printf(a, "topic %.*s has a contract: %s", SLICE_FMT(name), verb);
        return true;
    }
    if (view_name_ungoverned(b->view, name))
        return false;
    *message = arena_printf(a, "topics named like %.*s need a contract: %s", SLICE_FMT(name), verb);
    return true;
}

bool topic_name_valid(struct slice name)
{
    if (name.n == 0 || name.n > BROKER_TOPIC_NAME_MAX || slice_eq_str(name, ".") ||
        slice_eq_str(name, ".."))
        return false;
    for (size_t i = 0; i < name.n; i++) {
        uint8_t c = name.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '.' || c == '_' || c == '-'))
            return false;
    }
    return true;
}

size_t nodes_alive(const struct broker *b, struct arena *a, struct node_address **out)
{
    const struct view *v = b->view;
    const struct broker_config *c = &b->config;
    size_t n = 0;
    *out = arena_alloc(a, (v->nodes_n + 1) * sizeof **out);
    bool self = false;
    for (size_t i = 0; i < v->nodes_n; i++) {
        const struct view_node *node = &v->node[i];
        bool me = node->id == c->node_id;
        self |= me;
        (*out)[n++] = (struct node_address){
            .id = node->id,
            .host = me ? c->advertised_host : node->kafka_host,
            .port = me ? c->advertised_port : node->kafka_port,
            .rack = node->rack.n ? node->rack : SLICE_NULL,
        };
    }
    if (!self) /* this node's registration is not in the view yet */
        (*out)[n++] = (struct node_address){
            .id = c->node_id, .host = c->advertised_host, .port = c->advertised_port};
    return n;
}

/* ---- partitions ---- */

static bool partition_is_here(const struct broker *b, const struct view_partition *vp)
{
    for (int32_t i = 0; i < vp->replicas_n; i++)
        if (vp->replicas[i] == b->config.node_id)
            return true;
    return false;
}

static void partition_apply(struct broker *b, struct partition *p)
{
    const struct view_topic *t = p->topic->view;
    p->view = &t->partition[p->index];
    plog_set_settings(p->log,
                      &(struct plog_settings){
                          .retention_ms = t->retention_ms,
                          .retention_bytes = t->retention_bytes,
                          .segment_bytes = t->segment_bytes > 0 ? (uint64_t)t->segment_bytes : 0,
                      });
    rebuild_replay(b, p);
}

static struct partition *partition_new(struct broker *b, struct topic_row *t, int32_t index)
{
    struct partition *p = MEM_NEW(struct partition);
    p->topic = t;
    p->index = index;
    struct plog_id id = {.partition = index};
    memcpy(id.topic, t->id.bytes, sizeof id.topic);
    p->log = store_find(b->store, &id);
    if (!p->log)
        p->log = store_create(b->store, &id, b->now_ms);
    plog_set_user(p->log, p);
    p->replay_id = ++b->next_replay_id;
    p->note_after_bytes = BROKER_NOTE_BYTES;
    rebuild_producers(b, p);
    partition_apply(b, p);
    return p;
}

static void partition_free(struct partition *p)
{
    txn_producers_free(p->producers);
    mem_free(p);
}

static void partition_remove(struct broker *b, struct partition *p)
{
    produce_fail_all(b, p, WIRE_E_UNKNOWN_TOPIC_OR_PARTITION);
    fetch_fail_all(b, p);
    delete_records_fail_all(b, p);
    rebuild_forget(b, p);
    store_delete(b->store, p->log, &b->ops);
    partition_free(p);
}

/* ---- topics ---- */

static void topic_apply(struct broker *b, struct topic_row *t, const struct view_topic *v)
{
    t->view = v;
    if (v->partitions_n > t->partitions_n) {
        t->partition = mem_realloc(t->partition, (size_t)v->partitions_n * sizeof *t->partition);
        memset(t->partition + t->partitions_n, 0,
               (size_t)(v->partitions_n - t->partitions_n) * sizeof *t->partition);
        t->partitions_n = v->partitions_n;
    }
    for (int32_t i = 0; i < t->partitions_n; i++) {
        if (t->partition[i])
            partition_apply(b, t->partition[i]);
        else if (partition_is_here(b, &v->partition[i]))
            t->partition[i] = partition_new(b, t, i);
    }
}

static struct topic_row *topic_new(struct broker *b, const struct view_topic *v)
{
    struct topic_row *t = MEM_NEW(struct topic_row);
    t->id = v->id;
    t->name = slice_of(mem_strndup((const char *)v->name.p, v->name.n), v->name.n);
    map_put(&b->topics_by_id, slice_of(t->id.bytes, sizeof t->id.bytes), t);
    map_put(&b->topics_by_name, t->name, t);
    return t;
}

static void topic_remove(struct broker *b, struct topic_row *t)
{
    log_event(LOG_INFO, "broker", "topic removed", LOG_S("topic", t->name));
    for (int32_t i = 0; i < t->partitions_n; i++)
        if (t->partition[i])
            partition_remove(b, t->partition[i]);
    map_remove(&b->topics_by_id, slice_of(t->id.bytes, sizeof t->id.bytes));
    if (map_get(&b->topics_by_name, t->name) == t)
        map_remove(&b->topics_by_name, t->name);
    mem_free(t->partition);
    mem_free((void *)t->name.p);
    mem_free(t);
}

/* Topics that the new view no longer holds, or holds as deleted. */
static void topics_remove_unseen(struct broker *b, size_t alive)
{
    while (b->topics_by_id.n > alive) {
        struct map_iter it = {0};
        struct topic_row *gone = NULL;
        while (map_next(&b->topics_by_id, &it)) {
            struct topic_row *t = it.value;
            if (t->seen != b->view_generation) {
                gone = t;
                break;
            }
        }
        ASSERT(gone);
        topic_remove(b, gone);
    }
}

/* Replicas found on the disk whose topic the view knows as deleted go away: the node died between
 * the view and the removal. Replicas of topics that the view does not know at all are left alone:
 * the view may be older than the disk, and data is never removed on a doubt. */
static void topics_remove_deleted(struct broker *b)
{
    b->orphan_replicas = 0;
    struct plog *next = store_next(b->store, NULL);
    while (next) {
        struct plog *log = next;
        next = store_next(b->store, log);
        if (plog_user(log))
            continue;
        struct topic_id id;
        memcpy(id.bytes, plog_id(log)->topic, sizeof id.bytes);
        const struct view_topic *t = view_topic_by_id(b->view, &id);
        if (t && t->deleted)
            store_delete(b->store, log, &b->ops);
        else
            b->orphan_replicas++;
    }
}

void topics_switch_view(struct broker *b, const struct view *view)
{
    const struct view *old = b->view;
    b->view = view;
    b->view_generation++;
    size_t alive = 0;
    for (size_t i = 0; i < view->topics_n; i++) {
        const struct view_topic *v = view->topic[i];
        if (v->deleted)
            continue;
        alive++;
        struct topic_row *t = topic_by_id(b, v->id.bytes);
        if (!t)
            t = topic_new(b, v);
        t->seen = b->view_generation;
        if (t->view != v)
            topic_apply(b, t, v);
        t->closed = !v->contract && !view_name_ungoverned(view, v->name);
    }
    topics_remove_unseen(b, alive);
    topics_remove_deleted(b);
    /* Only now: removed topics were still described by the old view. */
    view_unref(old);
    struct effect *e = broker_effect(b, EFFECT_VIEW_ENFORCED);
    e->version = view->version;
    catalogue_view_moved(b);
}

void topics_forget_batches(struct broker *b)
{
    struct map_iter it = {0};
    while (map_next(&b->topics_by_id, &it)) {
        const struct topic_row *t = it.value;
        for (int32_t i = 0; i < t->partitions_n; i++)
            if (t->partition[i])
                produce_forget(t->partition[i]);
    }
}

void topics_free_all(struct broker *b)
{
    struct map_iter it = {0};
    while (map_next(&b->topics_by_id, &it)) {
        struct topic_row *t = it.value;
        for (int32_t i = 0; i < t->partitions_n; i++)
            if (t->partition[i])
                partition_free(t->partition[i]);
        mem_free(t->partition);
        mem_free((void *)t->name.p);
        mem_free(t);
    }
    map_free(&b->topics_by_id);
    map_free(&b->topics_by_name);
}
