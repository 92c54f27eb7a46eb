/* Record batches that lie, and bombs. */
#include "hostile.h"

#include "base/check.h"
#include "base/codec.h"
#include "base/mem.h"
#include "wire/crc32c.h"
#include "wire/error.h"

static void put_crc(struct bytes *b)
{
    be32_put(b->p + 17, wire_crc32c(0, b->p + 21, b->n - 21));
}

/* Sends one batch; what the server says of it, or WIRE_E_NETWORK_EXCEPTION when it closes. */
static int16_t send_batch(struct hostile *h, struct slice batch)
{
    struct kafka_client *c = hostile_connect(h);
    struct kafka_produced p;
    int rv = kafka_produce(c, h->topic, 0, -1, batch, &p, NULL);
    kafka_close(c);
    return rv == 0 ? p.error_code : WIRE_E_NETWORK_EXCEPTION;
}

static int64_t end_offset(struct hostile *h)
{
    int16_t code;
    int64_t offset = -1, timestamp;
    kafka_list_offset(h->honest, h->topic, 0, -1, &code, &offset, &timestamp, NULL);
    return offset;
}

static const struct {
    const char *what;
    int at, bytes;
    int64_t value;
    bool keep_crc; /* leave the CRC as it was */
} header_lie[] = {
    {"a wrong CRC", 17, 4, 0x12345678, true},
    {"a changed value", 70, 1, 0xff, true},
    {"a length too small", 8, 4, 10, false},
    {"a negative length", 8, 4, -1, false},
    {"a length beyond the request", 8, 4, 1 << 30, false},
    {"magic 0", 16, 1, 0, false},
    {"magic 1", 16, 1, 1, false},
    {"magic 3", 16, 1, 3, false},
    {"codec 5", 21, 2, 5, false},
    {"codec 7", 21, 2, 7, false},
    {"gzip over plain bytes", 21, 2, 1, false},
    {"a control batch", 21, 2, 0x20, false},
    {"log append time", 21, 2, 0x08, false},
    {"a transaction without a producer", 21, 2, 0x10, false},
    {"a last offset delta too large", 23, 4, 1000, false},
    {"a negative last offset delta", 23, 4, -1, false},
    {"no records", 57, 4, 0, false},
    {"a negative count", 57, 4, -3, false},
    {"two thousand million records", 57, 4, INT32_MAX, false},
    {"producer 7 without epoch and sequence", 43, 8, 7, false},
};

void case_bad_batches(struct hostile *h)
{
    int64_t before = end_offset(h);
    int64_t stored = 0;
    for (size_t i = 0; i < sizeof(header_lie) / sizeof(header_lie[0]); i++) {
        struct bytes b = {0};
        hostile_make_batch(WIRE_CODEC_NONE, 3, &b);
        for (int k = 0; k < header_lie[i].bytes; k++)
            b.p[header_lie[i].at + k] =
                (uint8_t)(header_lie[i].value >> (8 * (header_lie[i].bytes - 1 - k)));
        if (!header_lie[i].keep_crc)
            put_crc(&b);
        int16_t code = send_batch(h, bytes_slice(&b));
        /* where governance is off the broker does not look into compressed records */
        if (i == 10 && code == 0)
            stored += 3;
        else
            expect(h, code != 0, "a batch with %s is accepted", header_lie[i].what);
        if (i < 2)
            expect(h, code == WIRE_E_CORRUPT_MESSAGE, "%s gets %s", header_lie[i].what,
                   wire_error_name(code));
        bytes_free(&b);
    }
    struct bytes two = {0};
    hostile_make_batch(WIRE_CODEC_NONE, 1, &two);
    hostile_make_batch(WIRE_CODEC_NONE, 1, &two);
    expect(h, send_batch(h, bytes_slice(&two)) != 0, "two batches for one partition are accepted");
    expect(h, send_batch(h, slice_of(two.p, 60)) != 0, "half a header is accepted");
    expect(h, send_batch(h, slice_of(two.p, 0)) != 0, "an empty batch is accepted");
    expect(h, send_batch(h, SLICE_NULL) != 0, "a null batch is accepted");
    bytes_free(&two);
    expect(h, end_offset(h) == before + stored, "refused batches moved the end from %lld to %lld",
           (long long)before, (long long)end_offset(h));
}

/* 200 MB of zeros as one record's value, in each codec's smallest form: a few KB to a few hundred.
 */
void case_bombs(struct hostile *h)
{
    enum { HUGE = 200 << 20 };
    struct bytes plain = {0}, batch = {0}, small = {0};
    struct err e = {0};
    hostile_make_batch(WIRE_CODEC_NONE, 1, &batch);
    batch.n = WIRE_BATCH_HEADER_BYTES;
    bytes_reserve(&plain, HUGE);
    memset(plain.p, 0, HUGE);
    plain.n = HUGE;
    for (int codec = WIRE_CODEC_GZIP; codec < WIRE_CODECS_N; codec++) {
        bytes_clear(&small);
        int rv = wire_compress(codec, bytes_slice(&plain), &small, &e);
        ASSERT(rv == 0);
        batch.n = WIRE_BATCH_HEADER_BYTES;
        bytes_add_slice(&batch, bytes_slice(&small));
        be32_put(batch.p + 8, (uint32_t)(batch.n - WIRE_BATCH_PREFIX_BYTES));
        be16_put(batch.p + 21, (uint16_t)codec);
        put_crc(&batch);
        send_batch(h, bytes_slice(&batch)); /* accepted or not: nobody may unpack it whole */
    }
    bytes_free(&plain);
    bytes_free(&batch);
    bytes_free(&small);
}
