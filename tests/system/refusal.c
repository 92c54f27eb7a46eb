/* refusal HOST:PORT TOPIC KEY TRACE VALUES SIGNATURES (see refusal.sh): a batch with bad records is
 * refused as a whole, names each of them with its reason, leaves nothing behind, and does not
 * disturb the next; with every codec. Then bombs and damaged records on the governed topic. */
#include "kafka_client.h"
#include "message_tools.h"
#include "signed_lines.h"

#include "base/codec.h"
#include "base/mem.h"
#include "wire/api.h"
#include "wire/crc32c.h"
#include "wire/error.h"

#include <stdarg.h>
#include <time.h>

static struct {
    const char *host_port, *topic, *key, *trace;
    struct kafka_client *client;
    struct signed_lines lines;
} t;

static void __attribute__((format(printf, 1, 2), noreturn)) fail(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fputs("FAIL ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    exit(1);
}

static void make_batch(int codec, const int *line, int n, struct bytes *out)
{
    struct err e = {0};
    struct wire_batch_builder bb;
    wire_batch_builder_init(&bb, codec);
    for (int i = 0; i < n; i++) {
        struct wire_record_header header[] = {
            {SLICE_LIT("traceparent"), slice_str(t.trace)},
            {SLICE_LIT("x-jws-signature"), slice_str(t.lines.signature[line[i]])},
        };
        wire_batch_builder_add(&bb, (int64_t)time(NULL) * 1000, slice_str(t.key),
                               slice_str(t.lines.value[line[i]]), header, 2);
    }
    if (wire_batch_builder_finish(&bb, out, &e) != 0)
        fail("%s", e.msg);
    wire_batch_builder_free(&bb);
}

static void send_batch(struct slice batch, struct kafka_produced *p)
{
    struct err e = {0};
    if (kafka_produce(t.client, t.topic, 0, -1, batch, p, &e) != 0)
        fail("produce: %s", e.msg);
}

static int64_t end_offset(void)
{
    int16_t code;
    int64_t offset, stamp;
    struct err e = {0};
    if (kafka_list_offset(t.client, t.topic, 0, -1, &code, &offset, &stamp, &e) != 0 || code != 0)
        fail("ListOffsets: %s %d", e.msg, code);
    return offset;
}

static void expect_record_error(const struct kafka_produced *p, int at, int index, const char *code)
{
    if (at >= p->record_errors_n)
        fail("only %d record errors", p->record_errors_n);
    struct slice text = p->record_errors[at].batch_index_error_message;
    if (p->record_errors[at].batch_index != index || !slice_starts(text, slice_str(code)))
        fail("record error %d is %d \"%.*s\", not %d \"%s...\"", at,
             p->record_errors[at].batch_index, SLICE_FMT(text), index, code);
}

/* A whole round of five: refused; then its good three: accepted; then again: the same answer. */
static void one_round(int round, int codec)
{
    int line[ROUND];
    const int good[] = {round * ROUND, round * ROUND + 2, round * ROUND + 4};
    struct bytes all = {0}, some = {0};
    struct kafka_produced p;
    int64_t end = end_offset();
    for (int i = 0; i < ROUND; i++)
        line[i] = round * ROUND + i;
    make_batch(codec, line, ROUND, &all);
    send_batch(bytes_slice(&all), &p);
    for (int32_t i = 2; i < p.record_errors_n; i++)
        fprintf(stderr, "record %d: %.*s\n", p.record_errors[i].batch_index,
                SLICE_FMT(p.record_errors[i].batch_index_error_message));
    if (p.error_code != WIRE_E_INVALID_RECORD || p.record_errors_n != 2 || p.base_offset != -1)
        fail("%s: error %s, %d record errors, offset %lld", wire_codec_name(codec),
             wire_error_name(p.error_code), p.record_errors_n, (long long)p.base_offset);
    expect_record_error(&p, 0, BAD_RULE, "payload.invalid at /total");
    expect_record_error(&p, 1, BAD_JSON, "payload.malformed");
    if (!p.error_message.n)
        fail("no error message for the batch");
    if (end_offset() != end)
        fail("a refused batch left something behind");

    make_batch(codec, good, 3, &some);
    send_batch(bytes_slice(&some), &p);
    if (p.error_code != 0 || p.base_offset != end)
        fail("%s: the good records get %s \"%.*s\" at %lld, not %lld", wire_codec_name(codec),
             wire_error_name(p.error_code), SLICE_FMT(p.error_message), (long long)p.base_offset,
             (long long)end);
    send_batch(bytes_slice(&some), &p);
    if (p.error_code != 0 || p.base_offset != end || end_offset() != end + 3)
        fail("%s: sent again: %s at %lld, end %lld", wire_codec_name(codec),
             wire_error_name(p.error_code), (long long)p.base_offset, (long long)end_offset());
    bytes_free(&all);
    bytes_free(&some);
}

static void without_acks(int round)
{
    struct kafka_client *c;
    struct kafka_produced p;
    struct bytes b = {0};
    struct err e = {0};
    const int good = round * ROUND;
    int64_t end = end_offset();
    make_batch(WIRE_CODEC_NONE, &good, 1, &b);
    if (kafka_connect(&c, t.host_port, 5000, &e) != 0)
        fail("%s", e.msg);
    kafka_produce(c, t.topic, 0, 0, bytes_slice(&b), &p, &e);
    if (!kafka_is_closed_by_server(c))
        fail("acks=0 on a governed topic does not close the connection");
    if (end_offset() != end)
        fail("acks=0 on a governed topic left something behind");
    kafka_close(c);
    bytes_free(&b);
}

/* A good batch with flipped bits and a CRC made right: never more records than were signed. */
static void damaged(int round)
{
    struct test_random r = {11};
    const int good[] = {round * ROUND, round * ROUND + 2, round * ROUND + 4};
    struct bytes b = {0};
    struct kafka_produced p;
    int64_t end = end_offset();
    int accepted = 0;
    make_batch(WIRE_CODEC_NONE, good, 3, &b);
    for (int i = 0; i < 400; i++) {
        size_t at = 21 + test_random_below(&r, b.n - 21);
        uint8_t bit = (uint8_t)(1u << test_random_below(&r, 8));
        b.p[at] ^= bit;
        be32_put(b.p + 17, wire_crc32c(0, b.p + 21, b.n - 21));
        send_batch(bytes_slice(&b), &p);
        accepted += p.error_code == 0;
        b.p[at] ^= bit;
    }
    /* Bits that no signature covers (a record's time and attributes) may pass: once. */
    if (end_offset() > end + 3)
        fail("of 400 damaged batches %d were accepted; the end moved by %lld", accepted,
             (long long)(end_offset() - end));
    bytes_free(&b);
}

static void bombs(void)
{
    enum { HUGE = 200 << 20 };
    const int any = 0;
    struct bytes batch = {0}, small = {0};
    struct err e = {0};
    struct kafka_produced p;
    uint8_t *plain = mem_zalloc(1, HUGE);
    make_batch(WIRE_CODEC_NONE, &any, 1, &batch);
    for (int codec = WIRE_CODEC_GZIP; codec < WIRE_CODECS_N; codec++) {
        bytes_clear(&small);
        if (wire_compress(codec, slice_of(plain, HUGE), &small, &e) != 0)
            fail("%s", e.msg);
        if (small.n > 900000)
            continue; /* snappy at 21:1 is larger than a batch may be */
        batch.n = WIRE_BATCH_HEADER_BYTES;
        bytes_add_slice(&batch, bytes_slice(&small));
        be32_put(batch.p + 8, (uint32_t)(batch.n - WIRE_BATCH_PREFIX_BYTES));
        be16_put(batch.p + 21, (uint16_t)codec);
        be32_put(batch.p + 17, wire_crc32c(0, batch.p + 21, batch.n - 21));
        send_batch(bytes_slice(&batch), &p);
        if (p.error_code == 0)
            fail("a bomb is accepted");
        if (wire_error_is_retriable(p.error_code))
            fail("a bomb gets %s, so clients try it again and again",
                 wire_error_name(p.error_code));
    }
    mem_free(plain);
    bytes_free(&batch);
    bytes_free(&small);
}

int main(int argc, char **argv)
{
    struct err e = {0};
    if (argc != 7) {
        fputs("usage: refusal HOST:PORT TOPIC KEY TRACE VALUES SIGNATURES\n", stderr);
        return 2;
    }
    t.host_port = argv[1];
    t.topic = argv[2];
    t.key = argv[3];
    t.trace = argv[4];
    signed_lines_read(&t.lines, argv[5], argv[6]);
    if (kafka_connect(&t.client, t.host_port, 20000, &e) != 0 ||
        kafka_await_topic(t.client, t.topic, 1, &e) != 0)
        fail("%s", e.msg);
    for (int codec = 0; codec < WIRE_CODECS_N; codec++)
        one_round(codec, codec);
    without_acks(5);
    damaged(6);
    bombs();
    one_round(7, WIRE_CODEC_NONE);
    kafka_close(t.client);
    signed_lines_free(&t.lines);
    puts("refusals: all as they should be");
    return 0;
}
