#include "runtime/pool.h"

#include "base/check.h"
#include "base/mem.h"
#include "runtime/limits.h"
#include "runtime/thread.h"

struct pool {
    struct pool_config config;
    struct pool_stats stats;
    pthread_t thread[POOL_THREADS_MAX];
    unsigned threads_n;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct admit_job **ring;
    size_t first, n, cap; /* cap: a power of two */
    unsigned sleeping;
    bool stopping;
};

static struct admit_job *take(struct pool *p)
{
    while (!p->n && !p->stopping) {
        p->sleeping++;
        pthread_cond_wait(&p->wake, &p->lock);
        p->sleeping--;
    }
    if (!p->n)
        return NULL;
    struct admit_job *job = p->ring[p->first];
    p->first = (p->first + 1) & (p->cap - 1);
    p->n--;
    return job;
}

static void *pool_main(void *arg)
{
    struct pool *p = arg;
    struct admit_scratch *scratch = NULL; /* made with the first job: an idle node stays small */
    thread_name("writ-judge");
    thread_yield_to_others(); /* answers and reads of others go before signatures */
    pthread_mutex_lock(&p->lock);
    for (struct admit_job *job; (job = take(p));) {
        pthread_mutex_unlock(&p->lock);
        if (!scratch)
            scratch = admit_scratch_new();
        uint64_t start_ns = thread_clock_ns();
        admit_judge(job, scratch);
        histogram_add(&p->stats.judge, thread_clock_ns() - start_ns);
        atomic_fetch_add_explicit(&p->stats.jobs, 1, memory_order_relaxed);
        atomic_fetch_sub_explicit(&p->stats.queued, 1, memory_order_relaxed);
        struct inbox_message done = {.kind = p->config.done_kind, .id = job->id, .p = job};
        inbox_post(p->config.inbox, &done, 1);
        pthread_mutex_lock(&p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    if (scratch)
        admit_scratch_free(scratch);
    return NULL;
}

int pool_start(struct pool **out, const struct pool_config *config, struct err *err)
{
    ASSERT(config->threads >= 1 && config->threads <= POOL_THREADS_MAX);
    struct pool *p = MEM_NEW(struct pool);
    p->config = *config;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    for (; p->threads_n < config->threads; p->threads_n++) {
        int rc = thread_start(&p->thread[p->threads_n], pool_main, p, err);
        if (rc) {
            pool_stop(p);
            return rc;
        }
    }
    *out = p;
    return 0;
}

static void grow(struct pool *p)
{
    size_t cap = p->cap ? 2 * p->cap : 64;
    struct admit_job **ring = mem_alloc(cap * sizeof *ring);
    for (size_t i = 0; i < p->n; i++)
        ring[i] = p->ring[(p->first + i) & (p->cap - 1)];
    mem_free(p->ring);
    p->ring = ring;
    p->first = 0;
    p->cap = cap;
}

void pool_push(struct pool *p, struct admit_job *job)
{
    atomic_fetch_add_explicit(&p->stats.queued, 1, memory_order_relaxed);
    pthread_mutex_lock(&p->lock);
    ASSERT(!p->stopping);
    if (p->n == p->cap)
        grow(p);
    p->ring[(p->first + p->n++) & (p->cap - 1)] = job;
    bool wake = p->sleeping > 0;
    pthread_mutex_unlock(&p->lock);
    if (wake)
        pthread_cond_signal(&p->wake);
}

const struct pool_stats *pool_stats(const struct pool *p)
{
    return &p->stats;
}

void pool_stop(struct pool *p)
{
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    pthread_mutex_unlock(&p->lock);
    pthread_cond_broadcast(&p->wake);
    for (unsigned i = 0; i < p->threads_n; i++)
        pthread_join(p->thread[i], NULL);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
    mem_free(p->ring);
    mem_free(p);
}
