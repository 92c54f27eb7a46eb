#include "runtime/inside.h"

#include "base/check.h"
#include "base/mem.h"
#include "runtime/limits.h"
#include "runtime/thread.h"

/* ---- Events ---- */

void runtime_step(struct runtime *rt, const struct event *ev)
{
    uint64_t start_ns = thread_clock_ns();
    broker_step(rt->broker, ev, thread_wall_ms(), &rt->fx);
    uint64_t took_ns = thread_clock_ns() - start_ns;
    if (took_ns > rt->stats.longest_step_ns)
        rt->stats.longest_step_ns = took_ns;
    rt->stats.steps++;
}

static void give_report(struct runtime *rt, const struct inbox_message *m)
{
    void (*call)(void *arg, const struct report *r) =
        (void (*)(void *, const struct report *))(uintptr_t)m->id;
    struct report report = {0};
    arena_reset(&rt->arena);
    broker_report(rt->broker, thread_wall_ms(), &rt->arena, &report);
    call(m->p, &report);
}

static void give_metrics(struct runtime *rt, const struct inbox_message *m)
{
    void (*call)(void *arg, struct slice text) = (void (*)(void *, struct slice))(uintptr_t)m->id;
    bytes_clear(&rt->text);
    runtime_write_metrics(rt, &rt->text);
    call(m->p, bytes_slice(&rt->text));
}

static void on_grace_end(uv_timer_t *t)
{
    uv_stop(t->loop);
}

static void begin_stop(struct runtime *rt, uint64_t grace_ms)
{
    rt->stopping = true;
    net_stop_listening(rt->net);
    net_pause(rt->net, true);
    uv_timer_start(&rt->grace, on_grace_end, grace_ms, 0);
}

/* What came after the thread had ended. */
static void discard(const struct inbox_message *m)
{
    switch ((enum message_kind)m->kind) {
    case MESSAGE_JUDGED:
        admit_job_free(m->p);
        break;
    case MESSAGE_VIEW:
        view_unref(m->p);
        break;
    case MESSAGE_ANSWER:
        result_free(m->p);
        mem_free(m->p);
        break;
    default:
        break;
    }
}

void runtime_receive(void *arg, const struct inbox_message *m)
{
    struct runtime *rt = arg;
    if (rt->ended) {
        discard(m);
        return;
    }
    struct event ev = {.id = m->id, .status = m->status};
    switch ((enum message_kind)m->kind) {
    case MESSAGE_DISK_DONE:
        rt->disk_under_way--;
        ev.kind = EVENT_DISK_DONE;
        break;
    case MESSAGE_JUDGED:
        rt->judges_under_way--;
        ev.kind = EVENT_JUDGED;
        ev.job = m->p;
        break;
    case MESSAGE_READ_DONE:
        ev.kind = EVENT_READ_DONE;
        break;
    case MESSAGE_VIEW:
        ev.kind = EVENT_VIEW;
        ev.view = m->p;
        break;
    case MESSAGE_ANSWER:
        rt->asks_under_way--;
        ev.kind = EVENT_CATALOGUE;
        ev.result = m->p;
        break;
    case MESSAGE_WARMED:
        net_warmed(rt->net, m->id);
        return;
    case MESSAGE_REPORT:
        give_report(rt, m);
        return;
    case MESSAGE_METRICS:
        give_metrics(rt, m);
        return;
    case MESSAGE_BUDGET:
        net_budget_returned(rt->net);
        return;
    case MESSAGE_STOP:
        begin_stop(rt, m->id);
        return;
    }
    runtime_step(rt, &ev);
}

/* ---- Effects ---- */

static void do_send(struct runtime *rt, struct effect *fx)
{
    net_send(rt->net, fx->conn, fx->part, fx->parts_n);
    for (size_t i = 0; i < fx->parts_n; i++)
        fx->part[i].buf = NULL; /* taken */
}

/* Operations for one writer go over together: one lock, one wake-up. */
static void do_disk(struct runtime *rt, enum disk_queue queue)
{
    rt->batch_n = 0;
    for (size_t i = 0; i < rt->fx.n; i++) {
        struct effect *fx = &rt->fx.effect[i];
        if (fx->kind != EFFECT_DISK || fx->op.queue != queue)
            continue;
        if (rt->batch_n == rt->batch_cap) {
            rt->batch_cap = rt->batch_cap ? 2 * rt->batch_cap : 32;
            rt->batch = mem_realloc(rt->batch, rt->batch_cap * sizeof *rt->batch);
        }
        rt->batch[rt->batch_n++] = fx->op;
        fx->op.part = NULL; /* taken */
        fx->op.parts_n = 0;
    }
    rt->disk_under_way += rt->batch_n;
    writer_push(rt->writer[queue], rt->batch, rt->batch_n);
}

static void execute(struct runtime *rt, struct effect *fx)
{
    const struct runtime_hooks *hooks = &rt->config.hooks;
    switch (fx->kind) {
    case EFFECT_SEND:
        do_send(rt, fx);
        break;
    case EFFECT_CLOSE:
        net_close(rt->net, fx->conn, fx->message);
        break;
    case EFFECT_DISK: /* by do_disk */
        break;
    case EFFECT_JUDGE:
        rt->judges_under_way++;
        pool_push(rt->pool, fx->job);
        fx->job = NULL;
        break;
    case EFFECT_CATALOGUE:
        rt->asks_under_way++;
        hooks->catalogue(hooks->arg, fx->request);
        fx->request = NULL;
        break;
    case EFFECT_READ:
        reader_push(rt->reader, MESSAGE_READ_DONE, fx->read_id, &fx->range);
        break;
    case EFFECT_REJECTION:
        hooks->rejection(hooks->arg, &fx->rejection);
        break;
    case EFFECT_VIEW_ENFORCED:
        hooks->enforced(hooks->arg, fx->version);
        break;
    case EFFECT_FATAL:
        hooks->fatal(hooks->arg, fx->message);
        break;
    }
}

static void on_tick(uv_timer_t *t)
{
    struct runtime *rt = t->data;
    rt->tick_armed = false;
    struct event ev = {.kind = EVENT_TICK};
    runtime_step(rt, &ev);
}

static void arm_tick(struct runtime *rt)
{
    int64_t at_ms = broker_deadline_ms(rt->broker);
    if (rt->tick_armed && at_ms == rt->tick_at_ms)
        return;
    int64_t now_ms = thread_wall_ms();
    /* At most a second ahead, so that a clock that is set back delays nothing for long; and never
     * at once, so that a deadline that cannot be met yet does not spin. */
    int64_t wait_ms = at_ms - now_ms > TICK_MOST_MS ? TICK_MOST_MS : at_ms - now_ms;
    wait_ms = wait_ms < TICK_LEAST_MS ? TICK_LEAST_MS : wait_ms;
    rt->tick_armed = true;
    rt->tick_at_ms = at_ms;
    uv_update_time(&rt->loop);
    uv_timer_start(&rt->tick, on_tick, (uint64_t)wait_ms, 0);
}

static void apply_back_pressure(struct runtime *rt)
{
    if (rt->stopping)
        return;
    if (rt->judges_under_way > POOL_QUEUE_JOBS)
        net_pause(rt->net, true);
    else if (rt->judges_under_way < POOL_QUEUE_JOBS / 2)
        net_pause(rt->net, false);
}

bool runtime_quiet(const struct runtime *rt)
{
    return !rt->disk_under_way && !rt->judges_under_way && !rt->asks_under_way &&
           net_drained(rt->net);
}

static void on_more(uv_idle_t *h)
{
    (void)h; /* prepare and check do the work */
}

static void set_more(struct runtime *rt, bool more)
{
    if (more == rt->more_active)
        return;
    rt->more_active = more;
    if (more)
        uv_idle_start(&rt->more, on_more);
    else
        uv_idle_stop(&rt->more);
}

static void execute_all(struct runtime *rt)
{
    for (int q = 0; q < DISK_QUEUES_N; q++) /* the journal first: the rest runs beside it */
        do_disk(rt, (enum disk_queue)q);
    for (size_t i = 0; i < rt->fx.n; i++)
        execute(rt, &rt->fx.effect[i]);
    effects_clear(&rt->fx);
}

/* A few rounds, then the world has its turn again. */
void runtime_turn(struct runtime *rt)
{
    uint64_t start_ns = thread_clock_ns();
    bool worked = false, more = true;
    for (int round = 0; more && round < TURN_ROUNDS_MAX; round++) {
        worked |= rt->fx.n > 0;
        if (rt->fx.n)
            execute_all(rt);
        more = net_turn(rt->net) || rt->fx.n;
    }
    if (worked) {
        rt->stats.turns++;
        histogram_add(&rt->stats.turn, thread_clock_ns() - start_ns);
    }
    set_more(rt, more);
    apply_back_pressure(rt);
    arm_tick(rt);
    if (rt->stopping && !more && runtime_quiet(rt))
        uv_stop(&rt->loop);
}
