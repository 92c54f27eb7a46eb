/* The judge pool: threads that run admit_judge, each with its own scratch memory, and post the
 * judged job back. Jobs are taken in order; several finish in any order (the broker puts them in
 * order). */
#ifndef RUNTIME_POOL_H
#define RUNTIME_POOL_H

#include "admit/admit.h"
#include "runtime/histogram.h"
#include "runtime/inbox.h"

struct pool_config {
    unsigned threads;
    struct inbox *inbox;
    int done_kind; /* message: id = job->id, p = job */
};

struct pool_stats {
    struct histogram judge;
    _Atomic uint64_t jobs, queued; /* queued: wait or run */
};

struct pool;
int pool_start(struct pool **out, const struct pool_config *config, struct err *err);
void pool_push(struct pool *p, struct admit_job *job); /* takes it */
const struct pool_stats *pool_stats(const struct pool *p);
void pool_stop(struct pool *p); /* does what is queued, joins, frees */

#endif
