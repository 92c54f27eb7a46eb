/* The broker's door: routes events, carries the store's operations out as effects. */
#include "broker/state.h"

#include "base/log.h"

const struct handler *const broker_handlers[] = {
    /* In the order of their API keys, as ApiVersions lists them. */
    &handler_produce,
    &handler_fetch,
    &handler_list_offsets,
    &handler_metadata,
    &handler_api_versions,
    &handler_create_topics,
    &handler_delete_topics,
    &handler_delete_records,
    &handler_init_producer_id,
    &handler_describe_configs,
    &handler_alter_configs,
    &handler_create_partitions,
    &handler_incremental_alter_configs,
    &handler_describe_cluster,
    &handler_describe_topic_partitions,
};
const size_t broker_handlers_n = sizeof broker_handlers / sizeof broker_handlers[0];

const struct handler *broker_handler(int16_t api_key)
{
    for (size_t i = 0; i < broker_handlers_n; i++)
        if (broker_handlers[i]->api_key == api_key)
            return broker_handlers[i];
    return NULL;
}

uint64_t broker_random(struct broker *b)
{
    uint64_t x = b->rng += 0x9E3779B97F4A7C15u; /* splitmix64 */
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

/* ---- life ---- */

int broker_new(struct broker **out, const struct broker_config *config, struct disk *disk,
               const struct store_config *store_config, int64_t now_ms, struct err *err)
{
    struct broker *b = MEM_NEW(struct broker);
    int code = store_open(&b->store, disk, store_config, now_ms, err);
    if (code) {
        mem_free(b);
        return code;
    }
    b->config = *config;
    size_t n =
        config->advertised_host.n < sizeof b->host ? config->advertised_host.n : sizeof b->host;
    memcpy(b->host, config->advertised_host.p, n);
    b->config.advertised_host = slice_of(b->host, n);
    b->disk = disk;
    b->now_ms = now_ms;
    b->rng = config->seed;
    map_init(&b->topics_by_name, broker_random(b));
    map_init(&b->topics_by_id, broker_random(b));
    txn_ids_init(&b->ids);
    b->replay = txn_replay_new(config->replay_memory_bytes, broker_random(b));
    *out = b;
    return 0;
}

void broker_free(struct broker *b)
{
    if (!b)
        return;
    topics_forget_batches(b); /* which stand in the rows' arenas */
    conn_free_all(b);
    catalogue_free_all(b);
    topics_free_all(b);
    txn_replay_free(b->replay);
    admit_scratch_free(b->scratch);
    idmap_free(&b->conns);
    idmap_free(&b->rows);
    idmap_free(&b->judging);
    idmap_free(&b->reads);
    deadlines_free(&b->deadlines);
    disk_ops_free(&b->ops);
    bytes_free(&b->out);
    view_unref(b->view);
    store_close(b->store);
    mem_free(b);
}

/* ---- effects ---- */

static void effect_release(struct effect *e)
{
    for (size_t i = 0; i < e->parts_n; i++)
        buf_unref(e->part[i].buf);
    disk_op_release(&e->op);
    if (e->job)
        admit_job_free(e->job);
    if (e->request)
        request_free(e->request);
}

void effects_clear(struct effects *fx)
{
    for (size_t i = 0; i < fx->n; i++)
        effect_release(&fx->effect[i]);
    fx->n = 0;
    arena_reset(&fx->arena);
}

void effects_free(struct effects *fx)
{
    effects_clear(fx);
    arena_free(&fx->arena);
    mem_free(fx->effect);
    *fx = (struct effects){0};
}

/* ---- the store ---- */

/* The store may not be changed while it calls: the partitions are remembered. */
static void broker_moved(void *arg, struct plog *log)
{
    struct broker *b = arg;
    struct partition *p = plog_user(log);
    if (!p || p->moved)
        return; /* a replica whose topic the view does not know; or known already */
    p->moved = true;
    p->moved_next = b->moved;
    b->moved = p;
}

static void broker_after_moves(struct broker *b)
{
    while (b->moved) {
        struct partition *p = b->moved;
        b->moved = p->moved_next;
        p->moved = false;
        produce_moved(b, p);
        rebuild_start_moved(b, p);
        if (p->waiters)
            fetch_moved(b, p);
        if (p->deletes)
            delete_records_moved(b, p);
    }
}

/* Everything that waits goes into one journal group; the operations become effects. */
static void broker_flush(struct broker *b)
{
    store_flush(b->store, b->now_ms, &b->ops);
    for (size_t i = 0; i < b->ops.n; i++)
        broker_effect(b, EFFECT_DISK)->op = b->ops.op[i];
    b->ops.n = 0;
}

static void broker_check_store(struct broker *b)
{
    if (b->failed || !store_failed(b->store))
        return;
    b->failed = true;
    log_event(LOG_ERROR, "broker", "journal failed", LOG_T("why", "a write or sync was refused"));
    broker_effect(b, EFFECT_FATAL)->message =
        "the journal could not be written or synced: the node ends and recovers at the next start";
}

/* ---- the step ---- */

static void broker_tick(struct broker *b)
{
    struct deadline *d;
    while ((d = deadlines_pop(&b->deadlines, b->now_ms))) {
        struct request_row *row =
            (struct request_row *)((char *)d - offsetof(struct request_row, deadline));
        row->handler->expire(b, row);
    }
    if (b->now_ms >= store_deadline_ms(b->store)) {
        store_tick(b->store, b->now_ms, &b->ops, broker_moved, b);
        broker_after_moves(b);
    }
}

/* Memory that expires. Only while there is some is the broker woken for it. */
static void broker_second(struct broker *b)
{
    struct txn_replay_stats stats;
    if (b->now_ms < b->second_at_ms)
        return;
    sequence_tick(b);
    txn_replay_tick(b->replay, b->now_ms);
    rebuild_second(b);
    txn_replay_stats(b->replay, &stats);
    b->second_at_ms = b->now_ms + 1000;
    b->second_wakes = stats.entries > 0 || b->unnoted;
}

static void broker_route(struct broker *b, const struct event *ev)
{
    switch (ev->kind) {
    case EVENT_TICK:
        break; /* every step looks at the clock */
    case EVENT_CONN_OPEN:
        conn_open(b, ev->conn, ev->peer);
        break;
    case EVENT_REQUEST:
        conn_request(b, ev->conn, ev->frame);
        break;
    case EVENT_CONN_CLOSED:
        conn_gone(b, ev->conn);
        break;
    case EVENT_DISK_DONE:
        store_done(b->store, ev->id, ev->status, b->now_ms, &b->ops, broker_moved, b);
        broker_after_moves(b);
        produce_room(b);
        break;
    case EVENT_JUDGED:
        produce_judged(b, ev->job);
        break;
    case EVENT_VIEW:
        topics_switch_view(b, ev->view);
        break;
    case EVENT_CATALOGUE:
        catalogue_answered(b, ev->result);
        break;
    case EVENT_READ_DONE:
        fetch_read_done(b, ev->id, ev->status);
        break;
    case EVENT_SPACE:
        store_set_free_bytes(b->store, ev->free_bytes, ev->watermark_bytes);
        produce_room(b);
        break;
    }
}

void broker_step(struct broker *b, const struct event *ev, int64_t now_ms, struct effects *out)
{
    b->now_ms = now_ms;
    b->fx = out;
    broker_route(b, ev);
    broker_tick(b);
    broker_second(b);
    fetch_look_again(b);
    if (!b->failed)
        broker_flush(b);
    broker_check_store(b);
    b->fx = NULL;
}

int64_t broker_deadline_ms(const struct broker *b)
{
    int64_t rows = deadlines_next_ms(&b->deadlines);
    int64_t store = store_deadline_ms(b->store);
    int64_t least = rows < store ? rows : store;
    return b->second_wakes && b->second_at_ms < least ? b->second_at_ms : least;
}
