/* hostile HOST:PORT [CASE]: see hostile.h. Exit 0 when every expectation held. With WRIT_PID in the
 * environment the node's memory is watched too (WRIT_RSS_MAX_MB, default 512; 0: not). */
#include "hostile.h"

#include "base/check.h"
#include "wire/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Generous: the machine is shared, and sanitizers are slow. */
#define HONEST_MAX_MS 5000

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

bool expect(struct hostile *h, bool good, const char *fmt, ...)
{
    if (good)
        return true;
    va_list ap;
    va_start(ap, fmt);
    fputs("  FAIL ", stdout);
    vprintf(fmt, ap);
    putchar('\n');
    va_end(ap);
    h->failures++;
    return false;
}

struct kafka_client *hostile_connect(struct hostile *h)
{
    struct kafka_client *c;
    struct err e = {0};
    if (kafka_connect(&c, h->host_port, 5000, &e) != 0) {
        printf("the node accepts no connection any more: %s\n", e.msg);
        exit(1);
    }
    return c;
}

const char *outcome_name(enum outcome o)
{
    return o == OUTCOME_CLOSED ? "closed" : o == OUTCOME_ANSWERED ? "answered" : "silent";
}

enum outcome hostile_outcome(struct kafka_client *c)
{
    struct slice frame;
    int rv = kafka_read_frame(c, &frame, NULL);
    if (rv == 0)
        return OUTCOME_ANSWERED;
    return rv == ERR_UNAVAILABLE ? OUTCOME_SILENT : OUTCOME_CLOSED;
}

void hostile_make_batch(int codec, int n, struct bytes *out)
{
    struct err e = {0};
    struct wire_batch_builder bb;
    wire_batch_builder_init(&bb, codec);
    for (int i = 0; i < n; i++)
        wire_batch_builder_add(&bb, (int64_t)time(NULL) * 1000 + i, SLICE_LIT("key"),
                               SLICE_LIT("an honest value"), NULL, 0);
    int rv = wire_batch_builder_finish(&bb, out, &e);
    ASSERT(rv == 0);
    wire_batch_builder_free(&bb);
}

static long rss_mb(const char *field)
{
    const char *pid = getenv("WRIT_PID");
    char path[64], line[256];
    long kb = -1;
    snprintf(path, sizeof(path), "/proc/%s/status", pid ? pid : "none");
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof(line), f)) {
        if (!strncmp(line, field, strlen(field)))
            kb = atol(line + strlen(field));
    }
    if (f)
        fclose(f);
    return kb < 0 ? -1 : kb / 1024;
}

/* The honest connection writes a record and reads it back. */
void hostile_check_honest(struct hostile *h, const char *after)
{
    struct bytes batch = {0};
    struct kafka_produced p;
    struct kafka_fetched f;
    struct err e = {0};
    int64_t start = now_ms();
    hostile_make_batch(WIRE_CODEC_NONE, 1, &batch);
    int rv = kafka_produce(h->honest, h->topic, 0, -1, bytes_slice(&batch), &p, &e);
    bytes_free(&batch);
    if (!expect(h, rv == 0, "after %s the honest connection cannot write: %s", after, e.msg))
        exit(1);
    expect(h, p.error_code == 0, "after %s an honest batch gets error %s", after,
           wire_error_name(p.error_code));
    rv = kafka_fetch(h->honest, h->topic, 0, p.base_offset, 1000, 1, 1 << 20, &f, &e);
    if (!expect(h, rv == 0, "after %s the honest connection cannot read: %s", after, e.msg))
        exit(1);
    struct wire_batch b;
    expect(h,
           f.error_code == 0 && wire_batch_parse(f.records, &b, &e) == 0 && wire_batch_crc_ok(&b) &&
               b.base_offset == p.base_offset,
           "after %s the honest record does not come back (error %d, %zu bytes)", after,
           f.error_code, f.records.n);
    h->records++;
    int64_t took = now_ms() - start;
    if (took > h->slowest_ms)
        h->slowest_ms = took;
    if (getenv("HOSTILE_VERBOSE"))
        printf("  honest after %s: %lld ms, node %ld MB\n", after, (long long)took,
               rss_mb("VmRSS:"));
    expect(h, took < HONEST_MAX_MS, "after %s the honest connection waits %lld ms", after,
           (long long)took);
}

static void check_memory(struct hostile *h, const char *after)
{
    const char *limit = getenv("WRIT_RSS_MAX_MB");
    long max = limit ? atol(limit) : 512, peak = rss_mb("VmHWM:");
    if (max > 0 && peak >= 0)
        expect(h, peak <= max, "after %s the node has taken %ld MB (at most %ld)", after, peak,
               max);
}

static const struct {
    const char *name;
    void (*run)(struct hostile *h);
} cases[] = {
    {"lengths", case_lengths},
    {"half-frames", case_half_frames},
    {"other-protocols", case_other_protocols},
    {"unknown-versions", case_unknown_versions},
    {"cut-off", case_cut_off},
    {"flipped-bits", case_flipped_bits},
    {"garbage", case_garbage},
    {"bad-batches", case_bad_batches},
    {"bombs", case_bombs},
    {"pipelining", case_pipelining},
    {"burst", case_burst},
    {"many-connections", case_many_connections},
    {"never-reading", case_never_reading},
    {"giant-requests", case_giant_requests},
};

static void prepare(struct hostile *h)
{
    struct err e = {0};
    int16_t code;
    h->honest = hostile_connect(h);
    kafka_set_timeout(h->honest, 20000);
    int rv = kafka_create_topic(h->honest, h->topic, 1, &code, &e);
    if (rv == 0 && code != 0 && code != WIRE_E_TOPIC_ALREADY_EXISTS)
        rv = err_set(&e, ERR_INVALID, "%s", wire_error_name(code));
    if (rv == 0)
        rv = kafka_await_topic(h->honest, h->topic, 1, &e);
    if (rv != 0) {
        printf("no topic to work with: %s\n", e.msg);
        exit(1);
    }
    hostile_check_honest(h, "the start");
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fputs("usage: hostile HOST:PORT [CASE]\n", stderr);
        return 2;
    }
    struct hostile h = {.host_port = argv[1], .random = {7}, .topic = "hostile.honest"};
    setvbuf(stdout, NULL, _IOLBF, 0);
    prepare(&h);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (argc > 2 && strcmp(argv[2], cases[i].name) != 0)
            continue;
        int before = h.failures;
        int64_t start = now_ms();
        cases[i].run(&h);
        hostile_check_honest(&h, cases[i].name);
        check_memory(&h, cases[i].name);
        printf("%s %s (%lld ms, node %ld MB)\n", h.failures == before ? "ok  " : "FAIL",
               cases[i].name, (long long)(now_ms() - start), rss_mb("VmRSS:"));
    }
    printf("%d failures; the honest connection waited %lld ms at most; peak %ld MB\n", h.failures,
           (long long)h.slowest_ms, rss_mb("VmHWM:"));
    kafka_close(h.honest);
    return h.failures ? 1 : 0;
}
