/* The engine of bench_node: many connections with several requests in flight on each, one thread,
 * non-blocking. What is sent and what an answer means is the plan's business. */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include "base/err.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

enum { LOAD_CONNS_MAX = 1024, LOAD_INFLIGHT_MAX = 64, LOAD_ANSWER_MAX = 64 << 20 };

struct load_plan {
    const char *bootstrap; /* HOST:PORT */
    int conns;
    int inflight;   /* requests per connection */
    double secs;    /* no further request after this time; what is in flight is awaited */
    int timeout_ms; /* longest silence of the server */
    void *ctx;
    /* The connection's next request, a whole frame whose correlation id the engine overwrites. It
     * must stay until the next call for this connection. False: there is none (any more). */
    bool (*next)(void *ctx, int conn, uint8_t **frame, size_t *n);
    /* An answer's frame, without its length; an error ends the run. */
    int (*answer)(void *ctx, int conn, struct slice frame, struct err *err);
};

struct load_result {
    double secs; /* first request to last answer */
    uint64_t answers;
    uint32_t *latency_us; /* owned: one per answer, sorted */
};

int load_run(const struct load_plan *plan, struct load_result *out, struct err *err);
void load_result_free(struct load_result *r);
double load_percentile_ms(const struct load_result *r, double share); /* 0.5: the median */
uint64_t load_now_ns(void);

/* Another process on this machine, for what it costs. 0 where it cannot be read. */
double load_process_cpu_secs(int pid);
uint64_t load_process_kib(int pid, const char *field); /* "VmRSS:", "VmHWM:" */

#endif
