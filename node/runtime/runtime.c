#include "runtime/inside.h"

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "runtime/limits.h"
#include "runtime/thread.h"

#include <stdio.h>
#include <sys/statvfs.h>

/* ---- The world's callbacks ---- */

static void on_opened(void *arg, uint64_t conn, struct slice peer)
{
    struct event ev = {.kind = EVENT_CONN_OPEN, .conn = conn, .peer = peer};
    runtime_step(arg, &ev);
}

static void on_request(void *arg, uint64_t conn, struct buf *frame)
{
    struct event ev = {.kind = EVENT_REQUEST, .conn = conn, .frame = frame};
    runtime_step(arg, &ev);
}

static void on_closed(void *arg, uint64_t conn)
{
    struct event ev = {.kind = EVENT_CONN_CLOSED, .conn = conn};
    runtime_step(arg, &ev);
}

static uint32_t on_pending(void *arg, uint64_t conn)
{
    struct runtime *rt = arg;
    return broker_conn_pending(rt->broker, conn);
}

static void on_warm(void *arg, uint64_t conn, const char *path, uint64_t position, size_t n)
{
    struct runtime *rt = arg;
    struct plog_range range = {.position = position, .size_bytes = n};
    snprintf(range.path, sizeof range.path, "%s", path);
    reader_push(rt->reader, MESSAGE_WARMED, conn, &range);
}

static void on_budget(void *arg)
{
    struct runtime *rt = arg;
    struct inbox_message m = {.kind = MESSAGE_BUDGET};
    inbox_post(&rt->inbox, &m, 1);
}

/* On the journal writer's thread: nothing that this write was to make durable may be answered, and
 * a second sync could lie (design 6.7). */
static void on_journal_failed(void *arg, const struct disk_op *op, int status)
{
    struct runtime *rt = arg;
    if (op->kind != DISK_WRITE_SYNC && op->kind != DISK_WRITE && op->kind != DISK_SYNC)
        return;
    char text[256];
    snprintf(text, sizeof text, "journal %s failed: %s", op->path, strerror(-status));
    rt->config.hooks.fatal(rt->config.hooks.arg, text);
}

static void on_prepare(uv_prepare_t *h)
{
    runtime_turn(h->data);
}

static void on_check(uv_check_t *h)
{
    runtime_turn(h->data);
}

static void tell_space(struct runtime *rt)
{
    struct statvfs v;
    if (fstatvfs(rt->config.root->dir_fd, &v) < 0)
        return;
    struct event ev = {.kind = EVENT_SPACE,
                       .free_bytes = (uint64_t)v.f_bavail * v.f_frsize,
                       .watermark_bytes = rt->config.watermark_bytes};
    runtime_step(rt, &ev);
}

static void on_second(uv_timer_t *t)
{
    tell_space(t->data);
}

/* ---- Life ---- */

static void init_loop(struct runtime *rt)
{
    uv_loop_init(&rt->loop);
    inbox_init(&rt->inbox, &rt->loop, runtime_receive, rt);
    uv_prepare_init(&rt->loop, &rt->prepare);
    uv_check_init(&rt->loop, &rt->check);
    uv_idle_init(&rt->loop, &rt->more);
    uv_timer_init(&rt->loop, &rt->tick);
    uv_timer_init(&rt->loop, &rt->second);
    uv_timer_init(&rt->loop, &rt->grace);
    rt->prepare.data = rt->check.data = rt;
    rt->tick.data = rt->second.data = rt->grace.data = rt;
    budget_init(&rt->budget, rt->config.memory_bytes, on_budget, rt);
}

static void init_net(struct runtime *rt)
{
    const struct runtime_config *k = &rt->config;
    struct net_config config = {
        .max_connections = k->max_connections,
        .max_frame_bytes = (uint32_t)k->broker.max_request_bytes,
        .max_pending = k->max_pending,
        .max_out_bytes = k->memory_bytes / 2,
        .frame_timeout_ms = k->frame_timeout_ms,
        .idle_timeout_ms = k->idle_timeout_ms,
        .write_timeout_ms = k->write_timeout_ms,
        .budget = &rt->budget,
        .dir_fd = k->root->dir_fd,
    };
    struct net_handler handler = {.arg = rt,
                                  .opened = on_opened,
                                  .request = on_request,
                                  .closed = on_closed,
                                  .pending = on_pending,
                                  .warm = on_warm};
    net_new(&rt->net, &rt->loop, &config, &handler);
}

int runtime_open(struct runtime *rt, struct err *err)
{
    struct broker_config config = rt->config.broker;
    if (!config.advertised_port)
        config.advertised_port = net_port(rt->net);
    return broker_new(&rt->broker, &config, &rt->files.disk, &rt->config.store, thread_wall_ms(),
                      err);
}

void runtime_free(struct runtime *rt)
{
    rt->ended = true;
    inbox_drain(&rt->inbox);
    net_shutdown(rt->net);
    uv_handle_t *handle[] = {(uv_handle_t *)&rt->prepare, (uv_handle_t *)&rt->check,
                             (uv_handle_t *)&rt->more,    (uv_handle_t *)&rt->tick,
                             (uv_handle_t *)&rt->second,  (uv_handle_t *)&rt->grace};
    for (size_t i = 0; i < sizeof handle / sizeof *handle; i++)
        uv_close(handle[i], NULL);
    inbox_close(&rt->inbox);
    while (uv_run(&rt->loop, UV_RUN_DEFAULT))
        ;
    int rc = uv_loop_close(&rt->loop);
    ASSERT(rc == 0);
    inbox_free(&rt->inbox);
    net_free(rt->net);
    effects_free(&rt->fx);
    if (rt->broker)
        broker_free(rt->broker);
    files_free(&rt->files);
    arena_free(&rt->arena);
    mem_free(rt->batch);
    bytes_free(&rt->text);
    mem_free(rt);
}

int runtime_new(struct runtime **out, const struct runtime_config *config, struct err *err)
{
    struct runtime *rt = MEM_NEW(struct runtime);
    rt->config = *config;
    arena_init(&rt->arena, 0);
    init_loop(rt);
    files_init(&rt->files, config->root, FDCACHE_DISK_MAX);
    init_net(rt);
    int rc = net_listen(rt->net, config->kafka_address, config->kafka_port, err);
    if (rc) {
        runtime_free(rt);
        return rc;
    }
    *out = rt;
    return 0;
}

int runtime_kafka_port(const struct runtime *rt)
{
    return net_port(rt->net);
}

static int start_threads(struct runtime *rt, struct err *err)
{
    static const char *const name[DISK_QUEUES_N] = {"writ-journal", "writ-segments",
                                                    "writ-background"};
    int rc = 0;
    for (int q = 0; q < DISK_QUEUES_N && !rc; q++) {
        struct writer_config config = {.name = name[q],
                                       .root = rt->config.root,
                                       .cache_max = FDCACHE_WRITE_MAX,
                                       .inbox = &rt->inbox,
                                       .done_kind = MESSAGE_DISK_DONE,
                                       .direct = q == DISK_JOURNAL && rt->config.journal_direct,
                                       .failed = q == DISK_JOURNAL ? on_journal_failed : NULL,
                                       .failed_arg = rt};
        rc = writer_start(&rt->writer[q], &config, err);
    }
    struct pool_config pool = {
        .threads = rt->config.judge_threads, .inbox = &rt->inbox, .done_kind = MESSAGE_JUDGED};
    if (!rc)
        rc = pool_start(&rt->pool, &pool, err);
    if (!rc)
        rc = reader_start(&rt->reader, rt->config.root, &rt->inbox, err);
    return rc;
}

static void stop_threads(struct runtime *rt)
{
    if (rt->reader)
        reader_stop(rt->reader);
    if (rt->pool)
        pool_stop(rt->pool);
    for (int q = DISK_QUEUES_N - 1; q >= 0; q--)
        if (rt->writer[q])
            writer_stop(rt->writer[q]);
}

static void *data_main(void *arg)
{
    struct runtime *rt = arg;
    thread_name("writ-data");
    uv_run(&rt->loop, UV_RUN_DEFAULT);
    return NULL;
}

int runtime_run(struct runtime *rt, const struct view *view, struct err *err)
{
    int rc = start_threads(rt, err);
    if (rc)
        return rc;
    struct event ev = {.kind = EVENT_VIEW, .view = view_ref(view)};
    runtime_step(rt, &ev);
    tell_space(rt);
    uv_prepare_start(&rt->prepare, on_prepare);
    uv_check_start(&rt->check, on_check);
    uv_timer_start(&rt->second, on_second, 1000, 1000);
    rc = thread_start(&rt->thread, data_main, rt, err);
    rt->running = rc == 0;
    return rc;
}

static void post(struct runtime *rt, enum message_kind kind, uint64_t id, void *p)
{
    struct inbox_message m = {.kind = (int)kind, .id = id, .p = p};
    inbox_post(&rt->inbox, &m, 1);
}

void runtime_set_view(struct runtime *rt, const struct view *view)
{
    post(rt, MESSAGE_VIEW, 0, (void *)(uintptr_t)view);
}

void runtime_answer(struct runtime *rt, struct result *result)
{
    post(rt, MESSAGE_ANSWER, 0, result);
}

void runtime_ask_report(struct runtime *rt, void (*call)(void *arg, const struct report *r),
                        void *arg)
{
    post(rt, MESSAGE_REPORT, (uint64_t)(uintptr_t)call, arg);
}

void runtime_ask_metrics(struct runtime *rt, void (*call)(void *arg, struct slice text), void *arg)
{
    post(rt, MESSAGE_METRICS, (uint64_t)(uintptr_t)call, arg);
}

void runtime_stop(struct runtime *rt, unsigned grace_ms)
{
    if (rt->running) {
        post(rt, MESSAGE_STOP, grace_ms, NULL);
        pthread_join(rt->thread, NULL);
    }
    stop_threads(rt);
}
