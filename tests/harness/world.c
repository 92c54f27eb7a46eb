#include "harness/inside.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

/* ---- randomness, time, order ---- */

uint64_t world_random(struct world *w, uint64_t below)
{
    uint64_t x = w->rng += 0x9E3779B97F4A7C15u; /* splitmix64 */
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    x ^= x >> 31;
    return below ? x % below : x;
}

int64_t world_delay(struct world *w, int64_t least_us, int64_t most_us)
{
    return least_us + (int64_t)world_random(w, (uint64_t)(most_us - least_us + 1));
}

int64_t world_now_ms(const struct world *w)
{
    return w->now_us / 1000;
}

void world_note(struct world *w, const void *p, size_t n)
{
    const uint8_t *b = p;
    for (size_t i = 0; i < n; i++)
        w->hash = (w->hash ^ b[i]) * 0x100000001B3u;
}

uint64_t world_hash(const struct world *w)
{
    return w->hash;
}

static bool item_before(const struct item *a, const struct item *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

void item_push(struct world *w, struct item item, int64_t delay_us)
{
    struct item_heap *h = &w->heap;
    if (h->n == h->cap) {
        h->cap = h->cap ? h->cap * 2 : 64;
        h->item = mem_realloc(h->item, h->cap * sizeof *h->item);
    }
    item.at_us = w->now_us + delay_us;
    item.order = w->order++;
    size_t i = h->n++;
    while (i > 0 && item_before(&item, &h->item[(i - 1) / 2])) {
        h->item[i] = h->item[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    h->item[i] = item;
}

static struct item item_pop(struct world *w)
{
    struct item_heap *h = &w->heap;
    struct item top = h->item[0], last = h->item[--h->n];
    size_t i = 0;
    for (;;) {
        size_t c = 2 * i + 1;
        if (c >= h->n)
            break;
        if (c + 1 < h->n && item_before(&h->item[c + 1], &h->item[c]))
            c++;
        if (!item_before(&h->item[c], &last))
            break;
        h->item[i] = h->item[c];
        i = c;
    }
    if (h->n)
        h->item[i] = last;
    return top;
}

static void item_release(struct item *item)
{
    admit_job_free(item->job);
    if (item->request)
        request_free(item->request);
    if (item->view)
        view_unref(item->view);
    if (item->result) {
        result_free(item->result);
        mem_free(item->result);
    }
    buf_unref(item->frame);
}

/* ---- the disk ---- */

static void disk_add(struct world *w, struct disk_op *op)
{
    bool syncs = op->kind != DISK_WRITE;
    int64_t base = w->options.sync_us ? w->options.sync_us : world_delay(w, 200, 2000);
    sim_disk_submit_one(w->sim, op);
    op->part = NULL; /* taken */
    op->parts_n = 0;
    item_push(w, (struct item){.kind = ITEM_DISK},
              syncs ? base + world_delay(w, 0, base / 4) : world_delay(w, 5, 200));
}

/* Which queue goes next is the disk's choice: queues promise nothing to one another. */
static void disk_do(struct world *w)
{
    uint64_t id;
    int status;
    if (sim_disk_step(w->sim, &id, &status) && id)
        world_event(w, &(struct event){.kind = EVENT_DISK_DONE, .id = id, .status = status});
}

/* ---- effects ---- */

static void world_copy_text(char *out, size_t size, struct slice s)
{
    snprintf(out, size, "%.*s", SLICE_FMT(s));
}

static void world_record_rejection(struct world *w, const struct rejection *r)
{
    if (w->rejections_n == w->rejections_cap) {
        w->rejections_cap = w->rejections_cap ? w->rejections_cap * 2 : 16;
        w->rejection = mem_realloc(w->rejection, w->rejections_cap * sizeof *w->rejection);
    }
    struct world_rejection *o = &w->rejection[w->rejections_n++];
    memset(o, 0, sizeof *o);
    o->time_ms = r->time_ms;
    o->partition = r->partition;
    o->batch_index = r->batch_index;
    o->code = r->code;
    o->contract_version = r->contract_version;
    o->count = r->count;
    memcpy(o->digest, r->digest, sizeof o->digest);
    world_copy_text(o->topic, sizeof o->topic, r->topic);
    world_copy_text(o->path, sizeof o->path, r->path);
    world_copy_text(o->rule, sizeof o->rule, r->rule);
    world_copy_text(o->detail, sizeof o->detail, r->detail);
    world_copy_text(o->key_id, sizeof o->key_id, r->key_id);
    world_copy_text(o->principal, sizeof o->principal, r->principal);
    world_copy_text(o->client_id, sizeof o->client_id, r->client_id);
    world_copy_text(o->correlation_id, sizeof o->correlation_id, r->correlation_id);
    world_note(w, o, sizeof *o);
}

static void world_effect(struct world *w, struct effect *e)
{
    world_note(w, &e->kind, sizeof e->kind);
    switch (e->kind) {
    case EFFECT_SEND:
        play_send(w, e);
        break;
    case EFFECT_CLOSE:
        play_close(w, e);
        break;
    case EFFECT_DISK:
        world_note(w, &e->op.kind, sizeof e->op.kind);
        world_note(w, e->op.path, strlen(e->op.path));
        world_note(w, &e->op.offset, sizeof e->op.offset);
        disk_add(w, &e->op);
        break;
    case EFFECT_JUDGE:
        item_push(w, (struct item){.kind = ITEM_JUDGE, .job = e->job},
                  w->options.quiet_pool ? 1 : world_delay(w, 50, 5000));
        e->job = NULL;
        break;
    case EFFECT_CATALOGUE:
        play_request(w, e->request);
        e->request = NULL;
        break;
    case EFFECT_READ:
        item_push(w, (struct item){.kind = ITEM_READ, .id = e->read_id}, world_delay(w, 100, 3000));
        break;
    case EFFECT_REJECTION:
        world_record_rejection(w, &e->rejection);
        break;
    case EFFECT_VIEW_ENFORCED:
        w->enforced = e->version;
        break;
    case EFFECT_FATAL:
        snprintf(w->fatal, sizeof w->fatal, "%s", e->message);
        break;
    }
}

void world_event(struct world *w, struct event *ev)
{
    struct effects fx = w->fx; /* the list in use; steps do not nest */
    memset(&w->fx, 0, sizeof w->fx);
    world_note(w, &w->now_us, sizeof w->now_us);
    world_note(w, &ev->kind, sizeof ev->kind);
    broker_step(w->broker, ev, w->now_us / 1000, &fx);
    if (!w->options.unchecked)
        broker_check_invariants(w->broker);
    w->steps++;
    for (size_t i = 0; i < fx.n; i++)
        world_effect(w, &fx.effect[i]);
    effects_clear(&fx);
    w->fx = fx;
}

/* ---- playing ---- */

static void world_play(struct world *w, struct item *item)
{
    switch (item->kind) {
    case ITEM_DISK:
        disk_do(w);
        break;
    case ITEM_JUDGE:
        admit_judge(item->job, w->scratch);
        world_event(w,
                    &(struct event){.kind = EVENT_JUDGED, .id = item->job->id, .job = item->job});
        break;
    case ITEM_READ:
        world_event(w, &(struct event){.kind = EVENT_READ_DONE, .id = item->id});
        break;
    case ITEM_DECIDE:
        play_decide(w, item->request);
        break;
    case ITEM_VIEW:
        if (w->broker)
            world_event(w, &(struct event){.kind = EVENT_VIEW, .view = item->view});
        else
            view_unref(item->view);
        break;
    case ITEM_RESULT:
        play_result(w, item->result);
        break;
    case ITEM_REQUEST:
        world_event(w,
                    &(struct event){.kind = EVENT_REQUEST, .conn = item->id, .frame = item->frame});
        break;
    case ITEM_CLOSED:
        world_event(w, &(struct event){.kind = EVENT_CONN_CLOSED, .conn = item->id});
        break;
    }
}

bool world_step(struct world *w)
{
    int64_t tick = w->broker ? broker_deadline_ms(w->broker) : INT64_MAX;
    bool have = w->heap.n > 0;
    if (w->broker && tick != INT64_MAX && (!have || tick * 1000 <= w->heap.item[0].at_us)) {
        if (w->now_us < tick * 1000)
            w->now_us = tick * 1000;
        world_event(w, &(struct event){.kind = EVENT_TICK});
        return true;
    }
    if (!have)
        return false;
    struct item item = item_pop(w);
    if (w->now_us < item.at_us)
        w->now_us = item.at_us;
    world_play(w, &item);
    return true;
}

void world_run_ms(struct world *w, int64_t ms)
{
    int64_t until = w->now_us + ms * 1000;
    for (;;) {
        int64_t next = w->heap.n ? w->heap.item[0].at_us : INT64_MAX;
        int64_t tick = w->broker ? broker_deadline_ms(w->broker) : INT64_MAX;
        if (tick != INT64_MAX && tick * 1000 < next)
            next = tick * 1000;
        if (next > until)
            break;
        if (!world_step(w))
            break;
    }
    if (w->now_us < until)
        w->now_us = until;
}

void world_sleep_ms(struct world *w, int64_t ms)
{
    world_run_ms(w, ms);
}

/* ---- life ---- */

static void world_drop_pending(struct world *w)
{
    /* What belongs to the process is gone; the catalogue's own work goes on. */
    struct item_heap old = w->heap;
    w->heap = (struct item_heap){0};
    for (size_t i = 0; i < old.n; i++) {
        struct item *item = &old.item[i];
        if (item->kind == ITEM_DECIDE) {
            int64_t delay = item->at_us - w->now_us;
            item_push(w, *item, delay > 0 ? delay : 0);
        } else {
            item_release(item);
        }
    }
    mem_free(old.item);
    play_drop_clients(w);
    broker_free(w->broker);
    w->broker = NULL;
    w->enforced = 0;
}

void world_crash(struct world *w)
{
    assert_non_null(w->broker);
    world_drop_pending(w);
    sim_disk_power_cut(w->sim);
}

void world_kill(struct world *w)
{
    assert_non_null(w->broker);
    world_drop_pending(w);
    sim_disk_kill(w->sim);
}

void world_set_replay_memory(struct world *w, uint64_t bytes)
{
    w->options.replay_memory_bytes = bytes;
}

int world_start(struct world *w, struct err *err)
{
    struct err own = {0};
    struct broker_config config = {
        .node_id = 1,
        .advertised_host = SLICE_LIT("node1.example"),
        .advertised_port = 9092,
        .auto_create_topics = w->options.auto_create,
        .default_partitions = 1,
        .max_request_bytes = 64 << 20,
        .fetch_max_bytes = 50 << 20,
        .replay_memory_bytes =
            w->options.replay_memory_bytes ? w->options.replay_memory_bytes : 1 << 20,
        .seed = world_random(w, 0),
    };
    struct store_config store = store_config_default();
    store.journal_file_bytes = 256 << 10;
    store.journal_total_bytes = 2 << 20;
    store.group_max_bytes = 64 << 10;
    store.segment_bytes = w->options.segment_bytes ? w->options.segment_bytes : 256 << 10;
    store.seed = world_random(w, 0);
    assert_null(w->broker);
    w->fatal[0] = 0;
    int code = broker_new(&w->broker, &config, sim_disk_disk(w->sim), &store, world_now_ms(w),
                          err ? err : &own);
    if (code) {
        if (!err)
            fail_msg("the broker does not start: %s", own.msg);
        return code;
    }
    world_set_space(w, w->free_bytes, w->watermark_bytes);
    world_event(w, &(struct event){.kind = EVENT_VIEW, .view = catalogue_view(w->catalogue)});
    return 0;
}

struct world *world_new(const struct world_options *options)
{
    struct world *w = MEM_NEW(struct world);
    w->options = *options;
    w->rng = options->seed;
    w->hash = 0xCBF29CE484222325u;
    w->now_us = 1700000000000000; /* a day in November 2023 */
    w->free_bytes = (uint64_t)1 << 40;
    w->watermark_bytes = 1 << 20;
    arena_init(&w->arena, 0);
    w->sim = sim_disk_new(world_random(w, 0));
    w->scratch = admit_scratch_new();
    play_catalogue_open(w);
    world_start(w, NULL);
    return w;
}

void world_free(struct world *w)
{
    if (w->broker)
        world_drop_pending(w);
    for (size_t i = 0; i < w->heap.n; i++)
        item_release(&w->heap.item[i]);
    for (size_t i = 0; i < w->held_n; i++)
        request_free(w->held[i]);
    for (size_t i = 0; i < w->conns_n; i++) {
        mem_free(w->conn[i]->expected);
        mem_free(w->conn[i]);
    }
    mem_free(w->conn);
    mem_free(w->held);
    mem_free(w->heap.item);
    mem_free(w->rejection);
    effects_free(&w->fx);
    admit_scratch_free(w->scratch);
    catalogue_close(w->catalogue);
    sim_disk_free(w->sim);
    arena_free(&w->arena);
    mem_free(w);
}

bool world_is_up(const struct world *w)
{
    return w->broker != NULL;
}

const char *world_fatal(const struct world *w)
{
    return w->fatal[0] ? w->fatal : NULL;
}

struct broker *world_broker(struct world *w)
{
    return w->broker;
}

struct sim_disk *world_disk(struct world *w)
{
    return w->sim;
}

void world_set_space(struct world *w, uint64_t free_bytes, uint64_t watermark_bytes)
{
    w->free_bytes = free_bytes;
    w->watermark_bytes = watermark_bytes;
    world_event(w, &(struct event){.kind = EVENT_SPACE,
                                   .free_bytes = free_bytes,
                                   .watermark_bytes = watermark_bytes});
}

size_t world_rejections(const struct world *w, const struct world_rejection **out)
{
    *out = w->rejection;
    return w->rejections_n;
}

void world_clear_rejections(struct world *w)
{
    w->rejections_n = 0;
}

struct arena *world_arena(struct world *w)
{
    return &w->arena;
}
