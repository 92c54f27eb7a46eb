/* The store over real files against the bare floor of the same disk, in one thread: every operation
 * is done as soon as the store gives it, so nothing overlaps and times add up.
 *
 *   bench_store DIR [SECONDS]     DIR must be empty and on the disk to be measured
 *
 * Rows: the floor (pwrite of 4 KiB and fdatasync over an older content), then groups of 1, 40 and 8
 * batches; per row what an acknowledgement takes, and how much CPU the store itself used for a
 * batch (its calls only, not the system calls). Then: opening what was written, and memory per
 * replica. */
#include "base/codec.h"
#include "base/mem.h"
#include "log/store.h"
#include "runtime/files.h"
#include "wire/batch.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PARTITIONS = 4, SAMPLES_MAX = 1 << 20 };

static double seconds = 3;
static uint32_t *sample; /* microseconds */
static size_t samples_n;

static uint64_t now_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void sample_add(uint64_t ns)
{
    if (samples_n < SAMPLES_MAX) {
        sample[samples_n++] = (uint32_t)(ns / 1000);
    }
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static uint32_t percentile(double p)
{
    qsort(sample, samples_n, sizeof *sample, by_value);
    return samples_n ? sample[(size_t)((double)(samples_n - 1) * p)] : 0;
}

static void floor_row(int dir_fd)
{
    static uint8_t page[4096];
    int fd = openat(dir_fd, "floor", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) {
        perror("floor");
        exit(1);
    }
    enum { PAGES = 4096 };
    memset(page, 7, sizeof page);
    for (int i = 0; i < PAGES; i++) {
        if (pwrite(fd, page, sizeof page, (off_t)i * 4096) != sizeof page) {
            perror("floor");
        }
    }
    fsync(fd);
    samples_n = 0;
    uint64_t start = now_ns(CLOCK_MONOTONIC);
    for (int i = 0; (double)(now_ns(CLOCK_MONOTONIC) - start) < seconds * 1e9; i++) {
        uint64_t t = now_ns(CLOCK_MONOTONIC);
        if (pwrite(fd, page, sizeof page, (off_t)(i % PAGES) * 4096) != sizeof page ||
            fdatasync(fd)) {
            perror("floor");
        }
        sample_add(now_ns(CLOCK_MONOTONIC) - t);
    }
    uint32_t p50 = percentile(.5), p99 = percentile(.99);
    printf("%-34s %9.0f /s   p50 %5u us  p99 %6u us\n", "floor: write 4 KiB + fdatasync",
           (double)samples_n / seconds, p50, p99);
    close(fd);
    unlinkat(dir_fd, "floor", 0);
}

struct bench {
    struct files files;
    struct store *store;
    struct disk_ops ops;
    uint64_t cpu_ns; /* inside the store */
    struct plog *plog[PARTITIONS];
};

static int64_t wall_ms(void)
{
    return (int64_t)(now_ns(CLOCK_REALTIME) / 1000000);
}

/* Does what the store wants until it wants nothing more. */
static void settle(struct bench *b)
{
    uint64_t t = now_ns(CLOCK_THREAD_CPUTIME_ID);
    store_flush(b->store, wall_ms(), &b->ops);
    b->cpu_ns += now_ns(CLOCK_THREAD_CPUTIME_ID) - t;
    for (size_t i = 0; i < b->ops.n; i++) {
        struct disk_op op = b->ops.op[i]; /* the list may move */
        int status = files_execute(&b->files, &op);
        disk_op_release(&op);
        t = now_ns(CLOCK_THREAD_CPUTIME_ID);
        store_done(b->store, op.id, status, wall_ms(), &b->ops, NULL, NULL);
        store_flush(b->store, wall_ms(), &b->ops);
        b->cpu_ns += now_ns(CLOCK_THREAD_CPUTIME_ID) - t;
    }
    b->ops.n = 0;
}

static struct buf *make_batch(int records, size_t value_bytes)
{
    struct wire_batch_builder bb;
    struct bytes out = {0};
    uint8_t *value = mem_zalloc(1, value_bytes);
    wire_batch_builder_init(&bb, WIRE_CODEC_NONE);
    for (int i = 0; i < records; i++) {
        wire_batch_builder_add(&bb, wall_ms(), SLICE_NULL, slice_of(value, value_bytes), NULL, 0);
    }
    wire_batch_builder_finish(&bb, &out, NULL);
    wire_batch_builder_free(&bb);
    struct buf *b = buf_from(out.p, out.n);
    bytes_free(&out);
    mem_free(value);
    return b;
}

static void row(struct bench *b, const char *name, int per_group, int records, size_t value_bytes)
{
    struct buf *made = make_batch(records, value_bytes);
    struct buf *batch[64];
    samples_n = 0;
    b->cpu_ns = 0;
    uint64_t n = 0, start = now_ns(CLOCK_MONOTONIC), end;
    do {
        for (int i = 0; i < per_group; i++) { /* what a connection would have read */
            batch[i] = buf_from(made->data, made->n);
        }
        uint64_t t = now_ns(CLOCK_MONOTONIC), cpu = now_ns(CLOCK_THREAD_CPUTIME_ID);
        for (int i = 0; i < per_group; i++) {
            struct store_batch sb = {.buf = batch[i],
                                     .bytes = buf_bytes(batch[i]),
                                     .records_n = records,
                                     .max_timestamp_ms = 1,
                                     .producer_id = -1};
            store_append(b->store, b->plog[i % PARTITIONS], &sb, 0, wall_ms());
            buf_unref(batch[i]);
        }
        b->cpu_ns += now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu;
        settle(b);
        end = now_ns(CLOCK_MONOTONIC);
        sample_add(end - t);
        n += (uint64_t)per_group;
    } while ((double)(end - start) < seconds * 1e9);
    double s = (double)(end - start) / 1e9;
    uint32_t p50 = percentile(.5), p99 = percentile(.99);
    printf("%-34s %9.0f /s   p50 %5u us  p99 %6u us  %7.1f MB/s  store CPU %.2f us/batch\n", name,
           (double)n / s, p50, p99, (double)n * (double)made->n / s / 1e6,
           (double)b->cpu_ns / 1e3 / (double)n);
    buf_unref(made);
}

static void must_open(struct bench *b)
{
    struct store_config c = store_config_default();
    struct err err;
    c.seed = now_ns(CLOCK_REALTIME);
    if (store_open(&b->store, &b->files.disk, &c, wall_ms(), &err)) {
        fprintf(stderr, "%s\n", err.msg);
        exit(1);
    }
}

static void open_row(struct bench *b, const char *name)
{
    struct store_stats st;
    uint64_t t = now_ns(CLOCK_MONOTONIC);
    must_open(b);
    double ms = (double)(now_ns(CLOCK_MONOTONIC) - t) / 1e6;
    store_stats(b->store, &st);
    printf("%-34s %9.1f ms   %.1f MB replayed\n", name, ms, (double)st.replayed_bytes / 1e6);
}

static void memory_row(struct bench *b)
{
    enum { N = 5000 };
    size_t before = mallinfo2().uordblks;
    for (int i = 0; i < N; i++) {
        struct plog_id id = {.partition = i};
        memset(id.topic, 0xee, sizeof id.topic);
        store_create(b->store, &id, wall_ms());
    }
    settle(b);
    size_t after = mallinfo2().uordblks;
    printf("%-34s %9zu bytes each of %d\n", "memory of an idle replica", (after - before) / N, N);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: bench_store DIR [SECONDS]\n");
        return 2;
    }
    seconds = argc > 2 ? atof(argv[2]) : seconds;
    sample = mem_zalloc(SAMPLES_MAX, sizeof *sample);
    struct files_root root = {.dir_fd = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (root.dir_fd < 0) {
        perror(argv[1]);
        return 1;
    }
    floor_row(root.dir_fd);
    struct bench *b = MEM_NEW(struct bench);
    files_init(&b->files, &root, 64);
    open_row(b, "open a fresh folder");
    for (int i = 0; i < PARTITIONS; i++) {
        struct plog_id id = {.partition = i};
        b->plog[i] = store_create(b->store, &id, wall_ms());
    }
    settle(b);
    row(b, "groups of 1 batch of 1 x 100 B", 1, 1, 100);
    row(b, "groups of 40 batches of 1 x 100 B", 40, 1, 100);
    row(b, "groups of 8 batches of 1000 x 100 B", 8, 1000, 100);
    row(b, "groups of 1 batch, warm ring", 1, 1, 100);
    store_close(b->store);
    open_row(b, "open again");
    store_close(b->store);
    open_row(b, "open again, nothing to replay");
    memory_row(b);
    store_close(b->store);
    files_free(&b->files);
    close(root.dir_fd);
    mem_free(b);
    mem_free(sample);
    return 0;
}
