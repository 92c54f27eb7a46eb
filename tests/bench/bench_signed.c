/* Modes signed and contract: JSON records of 200 B, each with its own signature. */
#include "bench_modes.h"

#include "base/codec.h"
#include "base/mem.h"
#include "bench_load.h"
#include "sign/sign.h"
#include "wire/batch.h"

#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* A key for benchmarks only: everyone knows its seed. */
static const uint8_t seed[crypto_sign_SEEDBYTES] = "a seed that is no secret at all";
static const char topic[] = "bench.signed";
static const char key_id[] = "bench/k1";

enum { VALUE_BYTES = 200, PARTITIONS = 4, SIGNERS = 2, VERIFY_SECS = 2, RECORDS_MAX = 2000000 };

int bench_contract(struct bench *b, struct err *err)
{
    (void)b;
    uint8_t public[crypto_sign_PUBLICKEYBYTES], secret[crypto_sign_SECRETKEYBYTES];
    struct bytes text = {0};
    if (sodium_init() < 0)
        return err_set(err, ERR_IO, "libsodium does not start");
    crypto_sign_seed_keypair(public, secret, seed);
    base64url_add(&text, slice_of(public, sizeof(public)));
    printf("kind: Team\nname: bench\ncontact: bench@example.com\n---\n"
           "kind: Producer\nname: bench\nteam: bench\ntopics: [bench.*]\n"
           "keys:\n  - { id: k1, public_key: \"%.*s\" }\n---\n"
           "kind: Topic\nname: %s\nteam: bench\ntype: com.example.bench.Measured\nvalue:\n"
           "  format: json\n  schema:\n    type: object\n    required: [id, at, amount, note]\n"
           "    additionalProperties: false\n    properties:\n"
           "      id: { type: string, pattern: \"^m-[0-9]{8}$\" }\n"
           "      at: { type: integer, minimum: 0 }\n"
           "      amount: { type: number, minimum: 0, maximum: 1000000 }\n"
           "      note: { type: string, maxLength: 200 }\n"
           "signing: { required: true, window: 5m }\npartitions: %d\n",
           SLICE_FMT(bytes_slice(&text)), topic, PARTITIONS);
    bytes_free(&text);
    return 0;
}

struct pool {
    int batch;
    int frames_n;
    struct bytes *frames; /* each is sent once */
    int next;
};

/* One thread's share of the frames: every SIGNERS-th. */
struct signer {
    pthread_t thread;
    struct pool *pool;
    int first;
    uint8_t public[crypto_sign_PUBLICKEYBYTES], secret[crypto_sign_SECRETKEYBYTES];
    uint64_t verified;
    double verify_secs, verify_cpu_secs;
    int64_t now_ms;
    bool failed;
};

static void make_value(char value[VALUE_BYTES + 1], int number, int64_t now_ms)
{
    int n = snprintf(value, VALUE_BYTES + 1,
                     "{\"id\":\"m-%08d\",\"at\":%lld,\"amount\":%d.25,\"note\":\"", number,
                     (long long)now_ms, number % 100000);
    memset(value + n, 'n', (size_t)(VALUE_BYTES - 2 - n));
    memcpy(value + VALUE_BYTES - 2, "\"}", 3);
}

static bool add_signed(struct signer *s, struct wire_batch_builder *bb, int number,
                       struct bytes *signature)
{
    char value[VALUE_BYTES + 1];
    uint8_t jti[SIGN_JTI_BYTES];
    make_value(value, number, s->now_ms);
    randombytes_buf(jti, sizeof(jti));
    struct sign_record r = {.topic = slice_str(topic), .value = slice_of(value, VALUE_BYTES)};
    bytes_clear(signature);
    if (sign_make(&r, slice_str(key_id), s->secret, s->now_ms, jti, NULL, 0, signature, NULL) != 0)
        return false;
    struct wire_record_header h = {slice_str(SIGN_HEADER_NAME), bytes_slice(signature)};
    wire_batch_builder_add(bb, s->now_ms, slice_of(NULL, 0), r.value, &h, 1);
    return true;
}

static void *sign_share(void *p)
{
    struct signer *s = p;
    struct wire_batch_builder bb;
    struct bytes signature = {0}, batch = {0};
    wire_batch_builder_init(&bb, WIRE_CODEC_NONE);
    for (int f = s->first; f < s->pool->frames_n && !s->failed; f += SIGNERS) {
        for (int i = 0; i < s->pool->batch && !s->failed; i++)
            s->failed = !add_signed(s, &bb, f * s->pool->batch + i, &signature);
        bytes_clear(&batch);
        s->failed = s->failed || wire_batch_builder_finish(&bb, &batch, NULL) != 0;
        if (!s->failed)
            bench_produce_frame(&s->pool->frames[f], topic, f % PARTITIONS, -1,
                                bytes_slice(&batch));
    }
    bytes_free(&signature);
    bytes_free(&batch);
    wire_batch_builder_free(&bb);
    return NULL;
}

static double thread_cpu_secs(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void *verify_for_a_while(void *p)
{
    struct signer *s = p;
    char value[VALUE_BYTES + 1];
    uint8_t jti[SIGN_JTI_BYTES] = {0};
    struct bytes signature = {0};
    struct sign_envelope e;
    make_value(value, s->first, s->now_ms);
    struct sign_record r = {.topic = slice_str(topic), .value = slice_of(value, VALUE_BYTES)};
    s->failed =
        sign_make(&r, slice_str(key_id), s->secret, s->now_ms, jti, NULL, 0, &signature, NULL) != 0;
    uint64_t start = load_now_ns(), now = start;
    double cpu = thread_cpu_secs();
    while (!s->failed && now - start < VERIFY_SECS * 1000000000u) {
        for (int i = 0; i < 50 && !s->failed; i++) {
            s->failed = sign_decode(bytes_slice(&signature), &e, NULL) != SIGN_OK ||
                        sign_verify(&e, r.value, s->public) != SIGN_OK;
            s->verified++;
        }
        now = load_now_ns();
    }
    s->verify_secs = (double)(now - start) / 1e9;
    s->verify_cpu_secs = thread_cpu_secs() - cpu;
    bytes_free(&signature);
    return NULL;
}

static int run_threads(struct signer *s, void *(*work)(void *), struct err *err)
{
    int started = 0;
    bool failed = false;
    for (; started < SIGNERS; started++) {
        if (pthread_create(&s[started].thread, NULL, work, &s[started]) != 0)
            break;
    }
    failed = started < SIGNERS;
    for (int i = 0; i < started; i++) {
        pthread_join(s[i].thread, NULL);
        failed = failed || s[i].failed;
    }
    return failed ? err_set(err, ERR_INVALID, "signing or verifying failed") : 0;
}

static bool next_signed(void *ctx, int conn, uint8_t **frame, size_t *n)
{
    struct pool *p = ctx;
    (void)conn;
    if (p->next == p->frames_n)
        return false;
    *frame = p->frames[p->next].p;
    *n = p->frames[p->next].n;
    p->next++;
    return true;
}

static int answer_signed(void *ctx, int conn, struct slice frame, struct err *err)
{
    (void)ctx, (void)conn;
    return bench_produce_answer(frame, err);
}

/* What two threads verify: by the clock, and by the processor time, which tells of a busy machine.
 */
struct verify_rate {
    double per_s, cpu_us;
};

static int measure_verify(struct signer *s, struct verify_rate *out, struct err *err)
{
    double cpu = 0, verified = 0;
    for (int i = 0; i < SIGNERS; i++)
        s[i].verified = 0;
    int rv = run_threads(s, verify_for_a_while, err);
    *out = (struct verify_rate){0};
    for (int i = 0; i < SIGNERS && rv == 0; i++) {
        out->per_s += (double)s[i].verified / s[i].verify_secs;
        verified += (double)s[i].verified;
        cpu += s[i].verify_cpu_secs;
    }
    if (rv == 0)
        out->cpu_us = cpu / verified * 1e6;
    return rv;
}

static int send_pool(struct bench *b, struct pool *p, struct load_result *r, double *cpu,
                     struct err *err)
{
    struct load_plan plan = {.bootstrap = b->bootstrap,
                             .conns = b->conns,
                             .inflight = b->inflight,
                             .secs = 60,
                             .timeout_ms = 20000,
                             .ctx = p,
                             .next = next_signed,
                             .answer = answer_signed};
    *cpu = load_process_cpu_secs(b->pid);
    int rv = load_run(&plan, r, err);
    *cpu = load_process_cpu_secs(b->pid) - *cpu;
    return rv;
}

/* Verification is measured before and after, as a machine's neighbours come and go. */
static int measure_signed(struct bench *b, struct pool *p, struct signer *s, struct err *err)
{
    struct load_result r = {0};
    struct verify_rate before, after;
    double cpu = 0;
    int rv = measure_verify(s, &before, err);
    if (rv == 0)
        rv = send_pool(b, p, &r, &cpu, err);
    if (rv == 0)
        rv = measure_verify(s, &after, err);
    if (rv == 0) {
        double records = (double)r.answers * p->batch, per_s = records / r.secs;
        double verify_per_s = (before.per_s + after.per_s) / 2;
        printf("{\"mode\":\"signed\",\"batch\":%d,\"records\":%.0f,\"secs\":%.3f,"
               "\"records_per_s\":%.0f,\"verify_per_s\":%.0f,\"share\":%.3f,"
               "\"ack_p50_ms\":%.2f,\"ack_p99_ms\":%.2f,\"server_cpu_us\":%.2f,"
               "\"verify_cpu_us\":%.2f}\n",
               p->batch, records, r.secs, per_s, verify_per_s, per_s / verify_per_s,
               load_percentile_ms(&r, 0.5), load_percentile_ms(&r, 0.99), cpu / records * 1e6,
               (before.cpu_us + after.cpu_us) / 2);
    }
    load_result_free(&r);
    return rv;
}

int bench_signed(struct bench *b, struct err *err)
{
    struct timespec t;
    struct pool p = {.batch = b->batch, .frames_n = (b->records + b->batch - 1) / b->batch};
    static struct signer s[SIGNERS];
    if (sodium_init() < 0 || b->records > RECORDS_MAX)
        return err_set(err, ERR_INVALID, "at most %d records", RECORDS_MAX);
    clock_gettime(CLOCK_REALTIME, &t);
    p.frames = mem_zalloc((size_t)p.frames_n, sizeof(struct bytes));
    for (int i = 0; i < SIGNERS; i++) {
        s[i] = (struct signer){
            .pool = &p, .first = i, .now_ms = (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000};
        crypto_sign_seed_keypair(s[i].public, s[i].secret, seed);
    }
    int rv = run_threads(s, sign_share, err);
    if (rv == 0)
        rv = measure_signed(b, &p, s, err);
    for (int i = 0; i < p.frames_n; i++)
        bytes_free(&p.frames[i]);
    mem_free(p.frames);
    return rv;
}
