/* The runtime turns the world into the broker's events and its effects into the world: one data
 * thread with a libuv loop, the Kafka listener and its connections; a writer thread for the journal
 * and one for segments; the judge pool; a reader for cold ranges. It decides nothing.
 *
 *   runtime_new    binds the listener
 *   runtime_open   opens the broker: recovery, on the caller's thread
 *   runtime_run    starts the threads with the first view
 *   runtime_stop   stops accepting, finishes what is under way, flushes, joins the threads
 *   runtime_free   when nobody calls it any more
 *
 * Upward it knows only the hooks below; main connects them to the control plane. */
#ifndef RUNTIME_RUNTIME_H
#define RUNTIME_RUNTIME_H

#include "broker/broker.h"
#include "runtime/files.h"

struct runtime;

/* Called on the data thread; they must not wait. */
struct runtime_hooks {
    void *arg;
    /* Takes the request; answer it once with runtime_answer. */
    void (*catalogue)(void *arg, struct request *r);
    void (*rejection)(void *arg, const struct rejection *r); /* borrowed during the call */
    void (*enforced)(void *arg, uint64_t version);
    /* The process must end, from whatever thread. Does not return in production. */
    void (*fatal)(void *arg, const char *message);
};

struct runtime_config {
    struct broker_config broker; /* advertised_port 0: the listener's own */
    struct store_config store;
    struct files_root *root;   /* the data folder; borrowed */
    const char *kafka_address; /* borrowed during runtime_new */
    int kafka_port;            /* 0: a free one */
    uint32_t max_connections, max_pending;
    uint32_t frame_timeout_ms, idle_timeout_ms, write_timeout_ms;
    uint64_t memory_bytes; /* the budget of requests in memory */
    unsigned judge_threads;
    bool journal_direct;      /* journal groups past the page cache (runtime/direct.h) */
    uint64_t watermark_bytes; /* free space below which appends are refused */
    struct runtime_hooks hooks;
};

int runtime_new(struct runtime **out, const struct runtime_config *config, struct err *err);
int runtime_kafka_port(const struct runtime *rt);
int runtime_open(struct runtime *rt, struct err *err);
int runtime_run(struct runtime *rt, const struct view *view /* a reference is taken */,
                struct err *err);

/* From any thread. */
void runtime_set_view(struct runtime *rt, const struct view *view); /* takes the reference */
void runtime_answer(struct runtime *rt, struct result *result);     /* takes it */
/* Runs `call` on the data thread with the broker's facts, which are valid during the call. */
void runtime_ask_report(struct runtime *rt, void (*call)(void *arg, const struct report *r),
                        void *arg);
/* The same with the node's metrics (broker and runtime) as Prometheus text. */
void runtime_ask_metrics(struct runtime *rt, void (*call)(void *arg, struct slice text), void *arg);

/* Stops in order within grace_ms. Nothing acknowledged is lost either way. Answers and views that
 * still come are thrown away. */
void runtime_stop(struct runtime *rt, unsigned grace_ms);
void runtime_free(struct runtime *rt);

#endif
