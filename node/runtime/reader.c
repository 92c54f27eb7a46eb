#include "runtime/reader.h"

#include "base/mem.h"
#include "runtime/limits.h"
#include "runtime/thread.h"

struct job {
    struct job *next;
    int done_kind;
    uint64_t id;
    struct plog_range range;
};

struct reader {
    struct files files; /* used by the thread alone */
    struct inbox *inbox;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct job *first, *last;
    bool stopping;
    uint8_t chunk[READER_CHUNK_BYTES];
};

static int read_through(struct reader *r, const struct plog_range *range)
{
    for (uint64_t done = 0; done < range->size_bytes;) {
        uint64_t left = range->size_bytes - done;
        size_t n = left < sizeof r->chunk ? (size_t)left : sizeof r->chunk;
        struct disk *d = &r->files.disk;
        int64_t got = d->read(d, range->path, range->position + done, r->chunk, n);
        if (got <= 0)
            return (int)got; /* the end of the file is the broker's to find */
        done += (uint64_t)got;
    }
    return 0;
}

static void *reader_main(void *arg)
{
    struct reader *r = arg;
    thread_name("writ-reader");
    pthread_mutex_lock(&r->lock);
    while (!r->stopping) {
        struct job *job = r->first;
        if (!job) {
            pthread_cond_wait(&r->wake, &r->lock);
            continue;
        }
        r->first = job->next;
        if (!r->first)
            r->last = NULL;
        pthread_mutex_unlock(&r->lock);
        struct inbox_message done = {
            .kind = job->done_kind, .id = job->id, .status = read_through(r, &job->range)};
        mem_free(job);
        inbox_post(r->inbox, &done, 1);
        pthread_mutex_lock(&r->lock);
    }
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

int reader_start(struct reader **out, struct files_root *root, struct inbox *inbox, struct err *err)
{
    struct reader *r = MEM_NEW(struct reader);
    files_init(&r->files, root, FDCACHE_DISK_MAX);
    r->inbox = inbox;
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->wake, NULL);
    int rc = thread_start(&r->thread, reader_main, r, err);
    if (rc) {
        files_free(&r->files);
        mem_free(r);
        return rc;
    }
    *out = r;
    return 0;
}

void reader_push(struct reader *r, int done_kind, uint64_t id, const struct plog_range *range)
{
    struct job *job = MEM_NEW(struct job);
    job->done_kind = done_kind;
    job->id = id;
    job->range = *range;
    pthread_mutex_lock(&r->lock);
    if (r->last)
        r->last->next = job;
    else
        r->first = job;
    r->last = job;
    pthread_mutex_unlock(&r->lock);
    pthread_cond_signal(&r->wake);
}

void reader_stop(struct reader *r)
{
    pthread_mutex_lock(&r->lock);
    r->stopping = true;
    pthread_mutex_unlock(&r->lock);
    pthread_cond_signal(&r->wake);
    pthread_join(r->thread, NULL);
    for (struct job *job; (job = r->first);) {
        r->first = job->next;
        mem_free(job);
    }
    files_free(&r->files);
    pthread_cond_destroy(&r->wake);
    pthread_mutex_destroy(&r->lock);
    mem_free(r);
}
