/* The inside of the runtime: the data thread's state. runtime.c builds and stops it, turn.c runs
 * it, metrics.c describes it. */
#ifndef RUNTIME_INSIDE_H
#define RUNTIME_INSIDE_H

#include "runtime/net.h"
#include "runtime/pool.h"
#include "runtime/reader.h"
#include "runtime/runtime.h"
#include "runtime/writer.h"

enum message_kind {
    MESSAGE_DISK_DONE,
    MESSAGE_JUDGED,
    MESSAGE_READ_DONE,
    MESSAGE_WARMED, /* id: the connection */
    MESSAGE_VIEW,
    MESSAGE_ANSWER,
    MESSAGE_REPORT,
    MESSAGE_METRICS,
    MESSAGE_BUDGET,
    MESSAGE_STOP,
};

struct runtime_stats {
    struct histogram turn; /* of the data thread's turns that did something */
    uint64_t turns, steps, longest_step_ns;
};

struct runtime {
    struct runtime_config config;
    uv_loop_t loop;
    pthread_t thread;
    bool running; /* the thread has been started */

    struct inbox inbox;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t more; /* active while a turn has left something: the loop does not sleep */
    bool more_active;
    uv_timer_t tick, second, grace;
    bool tick_armed;
    int64_t tick_at_ms;

    struct budget budget;
    struct net *net;
    struct files files; /* the data thread's own door to the disk */
    struct writer *writer[DISK_QUEUES_N];
    struct pool *pool;
    struct reader *reader;
    struct disk_op *batch; /* operations of one turn for one writer */
    size_t batch_n, batch_cap;

    struct broker *broker;
    struct effects fx;
    struct arena arena; /* for reports */
    struct bytes text;  /* for metrics */
    struct runtime_stats stats;

    uint64_t disk_under_way, judges_under_way, asks_under_way;
    bool stopping, ended;
};

void runtime_step(struct runtime *rt, const struct event *ev);
void runtime_turn(struct runtime *rt); /* executes effects until there are none */
void runtime_receive(void *arg, const struct inbox_message *m);
void runtime_write_metrics(struct runtime *rt, struct bytes *out);
/* Nothing is under way that a client waits for. */
bool runtime_quiet(const struct runtime *rt);

#endif
