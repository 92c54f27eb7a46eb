/* Modes produce, latency, fetch and start. */
#include "bench_modes.h"

#include "base/arena.h"
#include "base/codec.h"
#include "base/mem.h"
#include "bench_load.h"
#include "kafka_client.h"
#include "wire/api.h"
#include "wire/header.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PRODUCE_VERSION = 9, FETCH_VERSION = 11, FETCH_BYTES = 1 << 20, TIMEOUT_MS = 20000 };

static int64_t wall_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void add_frame(struct bytes *out, int16_t api, int16_t version, const void *request)
{
    struct wire_request_header h = {
        .api_key = api, .api_version = version, .client_id = slice_str("bench_node")};
    size_t start = wire_begin_request(out, &h);
    wire_encode_request(api, version, request, out);
    wire_end_frame(out, start, 0);
}

void bench_produce_frame(struct bytes *out, const char *topic, int partition, int acks,
                         struct slice batch)
{
    struct wire_produce_request_partition p = wire_produce_request_partition_default;
    struct wire_produce_request_topic t = wire_produce_request_topic_default;
    struct wire_produce_request r = wire_produce_request_default;
    p.index = partition;
    p.records = batch;
    t.name = slice_str(topic);
    t.partition_data = &p;
    t.partition_data_n = 1;
    r.acks = (int16_t)acks;
    r.timeout_ms = TIMEOUT_MS;
    r.topic_data = &t;
    r.topic_data_n = 1;
    add_frame(out, WIRE_PRODUCE, PRODUCE_VERSION, &r);
}

int bench_produce_answer(struct slice frame, struct err *err)
{
    struct arena a;
    struct slice body;
    int32_t id;
    void *response;
    arena_init(&a, 0);
    int rv = wire_decode_response_header(frame, WIRE_PRODUCE, PRODUCE_VERSION, &id, &body, err);
    if (rv == 0)
        rv = wire_decode_response(WIRE_PRODUCE, PRODUCE_VERSION, body, &a, &response, err);
    if (rv == 0) {
        const struct wire_produce_response *r = response;
        const struct wire_produce_response_partition *p = r->responses[0].partition_responses;
        if (p->error_code != 0)
            rv = err_set(err, ERR_INVALID, "Produce is refused: error %d, %.*s", p->error_code,
                         SLICE_FMT(p->error_message));
    }
    arena_free(&a);
    return rv;
}

/* Some servers answer with NOT_LEADER for a moment after they have named a leader: one record to
 * each partition, until it is taken. */
static int warm_up(const struct bench *b, struct kafka_client *c, struct err *err)
{
    struct wire_batch_builder bb;
    struct bytes batch = {0};
    struct kafka_produced out;
    wire_batch_builder_init(&bb, WIRE_CODEC_NONE);
    wire_batch_builder_add(&bb, wall_ms(), slice_of(NULL, 0), slice_str("warm"), NULL, 0);
    int rv = wire_batch_builder_finish(&bb, &batch, err);
    uint64_t until = load_now_ns() + 10000000000u;
    for (int i = 0; i < b->partitions && rv == 0;) {
        rv = kafka_produce(c, b->topic, i, -1, bytes_slice(&batch), &out, err);
        if (rv == 0 && out.error_code == 0)
            i++;
        else if (rv == 0 && load_now_ns() > until)
            rv = err_set(err, ERR_UNAVAILABLE, "partition %d answers %d", i, out.error_code);
        else if (rv == 0)
            usleep(20000);
    }
    wire_batch_builder_free(&bb);
    bytes_free(&batch);
    return rv;
}

static int make_topic(const struct bench *b, struct err *err)
{
    struct kafka_client *c;
    int16_t code;
    int rv = kafka_connect(&c, b->bootstrap, TIMEOUT_MS, err);
    if (rv != 0)
        return rv;
    rv = kafka_create_topic(c, b->topic, b->partitions, &code, err);
    if (rv == 0 && code != 0 && code != 36 /* TOPIC_ALREADY_EXISTS */)
        rv = err_set(err, ERR_INVALID, "CreateTopics answers %d", code);
    if (rv == 0)
        rv = kafka_await_topic(c, b->topic, b->partitions, err);
    if (rv == 0)
        rv = warm_up(b, c, err);
    kafka_close(c);
    return rv;
}

static int read_value(const struct bench *b, struct bytes *out, struct err *err)
{
    if (!b->value_file) {
        for (int i = 0; i < b->size; i++)
            bytes_add_u8(out, (uint8_t)('a' + i % 26));
        return 0;
    }
    FILE *f = fopen(b->value_file, "r");
    if (!f)
        return err_set(err, ERR_IO, "%s: %s", b->value_file, strerror(errno));
    for (size_t n = 1; n > 0; out->n += n) {
        bytes_reserve(out, 65536);
        n = fread(out->p + out->n, 1, 65536, f);
    }
    fclose(f);
    return 0;
}

/* ---- produce ---- */

struct produce {
    struct bytes *frames; /* one per connection, sent again and again */
};

static bool next_produce(void *ctx, int conn, uint8_t **frame, size_t *n)
{
    struct produce *p = ctx;
    *frame = p->frames[conn].p;
    *n = p->frames[conn].n;
    return true;
}

static int answer_produce(void *ctx, int conn, struct slice frame, struct err *err)
{
    (void)ctx, (void)conn;
    return bench_produce_answer(frame, err);
}

static int run_produce(const struct bench *b, struct load_result *r, size_t *value_n,
                       struct err *err)
{
    struct bytes value = {0}, batch = {0};
    struct wire_batch_builder bb;
    if (b->acks == 0 || b->conns < 1)
        return err_set(err, ERR_INVALID, "acks 0 has no answers to count");
    int rv = make_topic(b, err);
    if (rv == 0)
        rv = read_value(b, &value, err);
    if (rv != 0)
        return rv;
    wire_batch_builder_init(&bb, WIRE_CODEC_NONE);
    for (int i = 0; i < b->batch; i++)
        wire_batch_builder_add(&bb, wall_ms(), slice_of(NULL, 0), bytes_slice(&value), NULL, 0);
    rv = wire_batch_builder_finish(&bb, &batch, err);
    struct produce p = {.frames = mem_zalloc((size_t)b->conns, sizeof(struct bytes))};
    for (int i = 0; i < b->conns; i++)
        bench_produce_frame(&p.frames[i], b->topic, i % b->partitions, b->acks,
                            bytes_slice(&batch));
    struct load_plan plan = {.bootstrap = b->bootstrap,
                             .conns = b->conns,
                             .inflight = b->inflight,
                             .secs = b->secs,
                             .timeout_ms = TIMEOUT_MS,
                             .ctx = &p,
                             .next = next_produce,
                             .answer = answer_produce};
    if (rv == 0)
        rv = load_run(&plan, r, err);
    *value_n = value.n;
    for (int i = 0; i < b->conns; i++)
        bytes_free(&p.frames[i]);
    mem_free(p.frames);
    bytes_free(&value);
    bytes_free(&batch);
    wire_batch_builder_free(&bb);
    return rv;
}

int bench_produce(struct bench *b, struct err *err)
{
    struct load_result r = {0};
    size_t value_n = 0;
    double cpu = load_process_cpu_secs(b->pid);
    int rv = run_produce(b, &r, &value_n, err);
    cpu = load_process_cpu_secs(b->pid) - cpu;
    double records = (double)r.answers * b->batch;
    if (rv == 0)
        printf("{\"mode\":\"produce\",\"batch\":%d,\"size\":%zu,\"conns\":%d,\"inflight\":%d,"
               "\"acks\":%d,\"records\":%.0f,\"secs\":%.3f,\"records_per_s\":%.0f,"
               "\"mb_per_s\":%.2f,\"ack_p50_ms\":%.3f,\"ack_p99_ms\":%.3f,"
               "\"server_cpu_s_per_m\":%.3f,\"server_rss_kib\":%lu,\"server_peak_kib\":%lu}\n",
               b->batch, value_n, b->conns, b->inflight, b->acks, records, r.secs, records / r.secs,
               records * (double)value_n / r.secs / 1e6, load_percentile_ms(&r, 0.5),
               load_percentile_ms(&r, 0.99), cpu / records * 1e6,
               load_process_kib(b->pid, "VmRSS:"), load_process_kib(b->pid, "VmHWM:"));
    load_result_free(&r);
    return rv;
}

/* ---- latency ---- */

/* The middle of `n` appends of 4 KiB with fdatasync, into a file that has its blocks already. */
static int sync_p50_ms(const char *dir, int n, double *p50, struct err *err)
{
    char path[4096];
    static char block[4096];
    struct load_result r = {.latency_us = mem_zalloc((size_t)n, sizeof(uint32_t))};
    snprintf(path, sizeof(path), "%s/bench_node.sync", dir);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        load_result_free(&r);
        return err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
    }
    int rv = 0;
    for (int pass = 0; pass < 2 && rv == 0; pass++) { /* the first one only writes the blocks */
        for (int i = 0; i < n && rv == 0; i++) {
            uint64_t t = load_now_ns();
            if (pwrite(fd, block, sizeof(block), (off_t)i * 4096) != (ssize_t)sizeof(block) ||
                ((pass == 1 || i + 1 == n) && fdatasync(fd) != 0))
                rv = err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
            r.latency_us[i] = (uint32_t)((load_now_ns() - t) / 1000);
        }
    }
    close(fd);
    unlink(path);
    r.answers = (uint64_t)n;
    for (int i = 1; i < n; i++) { /* few: insertion sort */
        uint32_t v = r.latency_us[i];
        int at = i;
        for (; at > 0 && r.latency_us[at - 1] > v; at--)
            r.latency_us[at] = r.latency_us[at - 1];
        r.latency_us[at] = v;
    }
    *p50 = load_percentile_ms(&r, 0.5);
    load_result_free(&r);
    return rv;
}

int bench_latency(struct bench *b, struct err *err)
{
    struct load_result r = {0};
    double before = 0, after = 0;
    size_t value_n;
    b->conns = b->inflight = b->batch = b->partitions = 1;
    int rv = b->dir ? sync_p50_ms(b->dir, 1000, &before, err) : 0;
    if (rv == 0)
        rv = run_produce(b, &r, &value_n, err);
    if (rv == 0 && b->dir)
        rv = sync_p50_ms(b->dir, 1000, &after, err);
    if (rv == 0)
        printf("{\"mode\":\"latency\",\"size\":%zu,\"acks\":%d,\"records\":%lu,"
               "\"ack_p50_ms\":%.3f,\"ack_p99_ms\":%.3f,\"sync_p50_before_ms\":%.3f,"
               "\"sync_p50_after_ms\":%.3f}\n",
               value_n, b->acks, r.answers, load_percentile_ms(&r, 0.5),
               load_percentile_ms(&r, 0.99), before, after);
    load_result_free(&r);
    return rv;
}

/* ---- fetch ---- */

struct fetch {
    const struct bench *b;
    struct bytes *frames;
    int64_t *offsets; /* where each connection reads next */
    double bytes, records;
    struct arena arena;
};

static bool next_fetch(void *ctx, int conn, uint8_t **frame, size_t *n)
{
    struct fetch *f = ctx;
    struct wire_fetch_request_partition p = wire_fetch_request_partition_default;
    struct wire_fetch_request_topic t = wire_fetch_request_topic_default;
    struct wire_fetch_request r = wire_fetch_request_default;
    p.partition = conn % f->b->partitions;
    p.fetch_offset = f->offsets[conn];
    p.partition_max_bytes = FETCH_BYTES;
    t.topic = slice_str(f->b->topic);
    t.partitions = &p;
    t.partitions_n = 1;
    r.max_wait_ms = 0;
    r.min_bytes = 0;
    r.max_bytes = FETCH_BYTES;
    r.topics = &t;
    r.topics_n = 1;
    bytes_clear(&f->frames[conn]);
    add_frame(&f->frames[conn], WIRE_FETCH, FETCH_VERSION, &r);
    *frame = f->frames[conn].p;
    *n = f->frames[conn].n;
    return true;
}

static int answer_fetch(void *ctx, int conn, struct slice frame, struct err *err)
{
    struct fetch *f = ctx;
    struct slice body;
    int32_t id;
    void *response;
    arena_reset(&f->arena);
    int rv = wire_decode_response_header(frame, WIRE_FETCH, FETCH_VERSION, &id, &body, err);
    if (rv == 0)
        rv = wire_decode_response(WIRE_FETCH, FETCH_VERSION, body, &f->arena, &response, err);
    if (rv != 0)
        return rv;
    const struct wire_fetch_response *r = response;
    if (r->error_code != 0 || r->responses_n != 1 || r->responses[0].partitions_n != 1 ||
        r->responses[0].partitions[0].error_code != 0)
        return err_set(err, ERR_INVALID, "Fetch is refused");
    struct slice in = r->responses[0].partitions[0].records;
    struct wire_batch b;
    int batches = 0;
    for (; wire_batch_parse(in, &b, NULL) == 0; in = slice_of(in.p + b.bytes.n, in.n - b.bytes.n)) {
        f->offsets[conn] = wire_batch_last_offset(&b) + 1;
        f->bytes += (double)b.bytes.n;
        f->records += b.records_count;
        batches++;
    }
    if (batches == 0 && f->offsets[conn] == 0)
        return err_set(err, ERR_NOT_FOUND, "partition %d is empty: produce to it before",
                       conn % f->b->partitions);
    if (batches == 0)
        f->offsets[conn] = 0; /* the end: again from the start */
    return 0;
}

int bench_fetch(struct bench *b, struct err *err)
{
    struct load_result r = {0};
    struct fetch f = {.b = b};
    if (b->conns < 1)
        return err_set(err, ERR_INVALID, "at least one connection");
    f.frames = mem_zalloc((size_t)b->conns, sizeof(struct bytes));
    f.offsets = mem_zalloc((size_t)b->conns, sizeof(int64_t));
    arena_init(&f.arena, 0);
    struct load_plan plan = {.bootstrap = b->bootstrap,
                             .conns = b->conns,
                             .inflight = 1,
                             .secs = b->secs,
                             .timeout_ms = TIMEOUT_MS,
                             .ctx = &f,
                             .next = next_fetch,
                             .answer = answer_fetch};
    double cpu = load_process_cpu_secs(b->pid);
    int rv = load_run(&plan, &r, err);
    cpu = load_process_cpu_secs(b->pid) - cpu;
    if (rv == 0)
        printf("{\"mode\":\"fetch\",\"conns\":%d,\"records\":%.0f,\"secs\":%.3f,"
               "\"mb_per_s\":%.1f,\"server_cpu_s_per_gb\":%.3f}\n",
               b->conns, f.records, r.secs, f.bytes / r.secs / 1e6, cpu / (f.bytes / 1e9));
    for (int i = 0; i < b->conns; i++)
        bytes_free(&f.frames[i]);
    mem_free(f.frames);
    mem_free(f.offsets);
    arena_free(&f.arena);
    load_result_free(&r);
    return rv;
}

/* ---- start ---- */

static bool try_first_record(const struct bench *b, struct slice batch)
{
    struct kafka_client *c;
    struct kafka_produced out;
    int16_t code;
    if (kafka_connect(&c, b->bootstrap, 1000, NULL) != 0)
        return false;
    bool ok = kafka_produce(c, b->topic, 0, -1, batch, &out, NULL) == 0 && out.error_code == 0;
    if (!ok && kafka_create_topic(c, b->topic, 1, &code, NULL) == 0)
        ok = kafka_produce(c, b->topic, 0, -1, batch, &out, NULL) == 0 && out.error_code == 0;
    kafka_close(c);
    return ok;
}

int bench_start(struct bench *b, struct err *err)
{
    struct wire_batch_builder bb;
    struct bytes batch = {0};
    if (!b->command || !b->command[0])
        return err_set(err, ERR_INVALID, "-- COMMAND is missing");
    wire_batch_builder_init(&bb, WIRE_CODEC_NONE);
    wire_batch_builder_add(&bb, wall_ms(), slice_of(NULL, 0), slice_str("first"), NULL, 0);
    int rv = wire_batch_builder_finish(&bb, &batch, err);
    wire_batch_builder_free(&bb);
    if (rv != 0)
        return rv;
    uint64_t start = load_now_ns();
    pid_t pid = fork();
    if (pid == 0) {
        dup2(STDERR_FILENO, STDOUT_FILENO);
        execvp(b->command[0], b->command);
        _exit(127);
    }
    bool acked = false;
    while (!acked && load_now_ns() - start < 30000000000u && waitpid(pid, NULL, WNOHANG) == 0) {
        acked = try_first_record(b, bytes_slice(&batch));
        if (!acked)
            usleep(500);
    }
    double ms = (double)(load_now_ns() - start) / 1e6;
    bytes_free(&batch);
    if (!acked) {
        kill(pid, SIGKILL);
        return err_set(err, ERR_UNAVAILABLE, "no acknowledgement from %s", b->command[0]);
    }
    sleep(5);
    printf("{\"mode\":\"start\",\"first_ack_ms\":%.1f,\"rss_kib\":%lu}\n", ms,
           load_process_kib(pid, "VmRSS:"));
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
    return 0;
}
