#include "runtime/writer.h"

#include "base/check.h"
#include "base/mem.h"
#include "runtime/direct.h"
#include "runtime/limits.h"
#include "runtime/thread.h"

#include <errno.h>
#include <time.h>

struct writer {
    struct writer_config config;
    struct files files;   /* used by the thread alone */
    struct direct direct; /* the same */
    struct writer_stats stats;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct disk_op *v, *spare;
    size_t n, cap, spare_cap;
    bool stopping;
};

static bool syncs(const struct disk_op *op)
{
    return op->kind == DISK_WRITE_SYNC || op->kind == DISK_SYNC;
}

static int execute(struct writer *w, const struct disk_op *op)
{
    uint64_t start_ns = thread_clock_ns();
    int rc = -ENOTSUP;
    if (w->config.direct && op->kind == DISK_WRITE_SYNC)
        rc = direct_write_sync(&w->direct, op);
    if (rc == -ENOTSUP)
        rc = files_execute(&w->files, op);
    if (syncs(op))
        histogram_add(&w->stats.sync, thread_clock_ns() - start_ns);
    uint64_t bytes = 0;
    for (size_t i = 0; i < op->parts_n; i++)
        bytes += op->part[i].bytes.n;
    atomic_fetch_add_explicit(&w->stats.written_bytes, bytes, memory_order_relaxed);
    atomic_fetch_add_explicit(&w->stats.ops, 1, memory_order_relaxed);
    if (rc) {
        atomic_fetch_add_explicit(&w->stats.failures, 1, memory_order_relaxed);
        if (w->config.failed)
            w->config.failed(w->config.failed_arg, op, rc);
    }
    return rc;
}

static void post(struct writer *w, const struct inbox_message *m, size_t n)
{
    if (!n)
        return;
    atomic_fetch_sub_explicit(&w->stats.queued, n, memory_order_relaxed);
    inbox_post(w->config.inbox, m, n);
}

/* Completions go out together, but none waits for a slow operation behind it. */
static void run(struct writer *w, struct disk_op *op, size_t n)
{
    enum { BATCH = 128 };
    struct inbox_message done[BATCH];
    size_t done_n = 0;
    for (size_t i = 0; i < n; i++) {
        if (done_n == BATCH || (op[i].kind != DISK_WRITE && done_n)) {
            post(w, done, done_n);
            done_n = 0;
        }
        int rc = execute(w, &op[i]);
        disk_op_release(&op[i]);
        done[done_n++] =
            (struct inbox_message){.kind = w->config.done_kind, .id = op[i].id, .status = rc};
    }
    post(w, done, done_n);
}

static void *writer_main(void *arg)
{
    struct writer *w = arg;
    thread_name(w->config.name);
    pthread_mutex_lock(&w->lock);
    for (;;) {
        while (!w->n && !w->stopping)
            pthread_cond_wait(&w->wake, &w->lock);
        if (!w->n)
            break;
        struct disk_op *op = w->v;
        size_t n = w->n, cap = w->cap;
        w->v = w->spare;
        w->cap = w->spare_cap;
        w->spare = NULL;
        w->spare_cap = 0;
        w->n = 0;
        pthread_mutex_unlock(&w->lock);
        run(w, op, n);
        pthread_mutex_lock(&w->lock);
        w->spare = op;
        w->spare_cap = cap;
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

int writer_start(struct writer **out, const struct writer_config *config, struct err *err)
{
    struct writer *w = MEM_NEW(struct writer);
    w->config = *config;
    files_init(&w->files, config->root, config->cache_max);
    direct_init(&w->direct, config->root);
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->wake, NULL);
    int rc = thread_start(&w->thread, writer_main, w, err);
    if (rc) {
        files_free(&w->files);
        direct_free(&w->direct);
        mem_free(w);
        return rc;
    }
    *out = w;
    return 0;
}

void writer_push(struct writer *w, const struct disk_op *op, size_t n)
{
    if (!n)
        return;
    atomic_fetch_add_explicit(&w->stats.queued, n, memory_order_relaxed);
    pthread_mutex_lock(&w->lock);
    ASSERT(!w->stopping);
    if (w->n + n > w->cap) {
        while (w->n + n > w->cap)
            w->cap = w->cap ? 2 * w->cap : 16;
        w->v = mem_realloc(w->v, w->cap * sizeof *w->v);
    }
    memcpy(w->v + w->n, op, n * sizeof *op);
    bool first = w->n == 0;
    w->n += n;
    pthread_mutex_unlock(&w->lock);
    if (first)
        pthread_cond_signal(&w->wake);
}

const struct writer_stats *writer_stats(const struct writer *w)
{
    return &w->stats;
}

void writer_stop(struct writer *w)
{
    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    pthread_mutex_unlock(&w->lock);
    pthread_cond_signal(&w->wake);
    pthread_join(w->thread, NULL);
    files_free(&w->files);
    direct_free(&w->direct);
    mem_free(w->v);
    mem_free(w->spare);
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->lock);
    mem_free(w);
}
