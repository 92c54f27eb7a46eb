#include "wire/batch.h"

#include "base/check.h"
#include "base/codec.h"
#include "wire/crc32c.h"

/* Offsets of the fields, see the header. */
enum {
    AT_LENGTH = 8,
    AT_LEADER_EPOCH = 12,
    AT_MAGIC = 16,
    AT_CRC = 17,
    AT_ATTRIBUTES = 21,
    AT_LAST_OFFSET_DELTA = 23,
    AT_BASE_TIMESTAMP = 27,
    AT_MAX_TIMESTAMP = 35,
    AT_PRODUCER_ID = 43,
    AT_PRODUCER_EPOCH = 51,
    AT_BASE_SEQUENCE = 53,
    AT_RECORDS_COUNT = 57,
};

#define ATTRIBUTES_KNOWN                                                                           \
    (WIRE_BATCH_CODEC_MASK | WIRE_BATCH_LOG_APPEND_TIME | WIRE_BATCH_TRANSACTIONAL |               \
     WIRE_BATCH_CONTROL | WIRE_BATCH_DELETE_HORIZON)

int wire_batch_parse(struct slice in, struct wire_batch *out, struct err *err)
{
    const uint8_t *p = in.p;
    if (in.n < AT_CRC)
        return err_set(err, ERR_INVALID, "a batch of %zu bytes has no whole header", in.n);
    int8_t magic = (int8_t)p[AT_MAGIC];
    if (magic != 2)
        return err_set(err, ERR_UNSUPPORTED, "message format %d; only format 2 is spoken", magic);
    if (in.n < WIRE_BATCH_HEADER_BYTES)
        return err_set(err, ERR_INVALID, "a batch of %zu bytes has no whole header", in.n);
    int32_t length = (int32_t)be32_get(p + AT_LENGTH);
    if (length < WIRE_BATCH_HEADER_BYTES - WIRE_BATCH_PREFIX_BYTES ||
        (size_t)length > in.n - WIRE_BATCH_PREFIX_BYTES)
        return err_set(err, ERR_INVALID, "batch length %d in %zu bytes", (int)length, in.n);

    size_t size = (size_t)length + WIRE_BATCH_PREFIX_BYTES;
    *out = (struct wire_batch){
        .base_offset = (int64_t)be64_get(p),
        .batch_length = length,
        .partition_leader_epoch = (int32_t)be32_get(p + AT_LEADER_EPOCH),
        .magic = magic,
        .crc = be32_get(p + AT_CRC),
        .attributes = (int16_t)be16_get(p + AT_ATTRIBUTES),
        .last_offset_delta = (int32_t)be32_get(p + AT_LAST_OFFSET_DELTA),
        .base_timestamp = (int64_t)be64_get(p + AT_BASE_TIMESTAMP),
        .max_timestamp = (int64_t)be64_get(p + AT_MAX_TIMESTAMP),
        .producer_id = (int64_t)be64_get(p + AT_PRODUCER_ID),
        .producer_epoch = (int16_t)be16_get(p + AT_PRODUCER_EPOCH),
        .base_sequence = (int32_t)be32_get(p + AT_BASE_SEQUENCE),
        .records_count = (int32_t)be32_get(p + AT_RECORDS_COUNT),
        .records = slice_of(p + WIRE_BATCH_HEADER_BYTES, size - WIRE_BATCH_HEADER_BYTES),
        .bytes = slice_of(p, size),
    };
    return 0;
}

bool wire_batch_crc_ok(const struct wire_batch *b)
{
    return wire_crc32c(0, b->bytes.p + AT_ATTRIBUTES, b->bytes.n - AT_ATTRIBUTES) == b->crc;
}

static int check_counts(const struct wire_batch *b, struct err *err)
{
    if (b->records_count < 1)
        return err_set(err, ERR_INVALID, "a batch of %d records", (int)b->records_count);
    if (b->last_offset_delta != b->records_count - 1)
        return err_set(err, ERR_INVALID, "%d records with a last offset delta of %d",
                       (int)b->records_count, (int)b->last_offset_delta);
    if (wire_batch_codec(b) == WIRE_CODEC_NONE &&
        b->records.n / WIRE_RECORD_MIN_BYTES < (size_t)b->records_count)
        return err_set(err, ERR_INVALID, "%d records in %zu bytes", (int)b->records_count,
                       b->records.n);
    return 0;
}

static int check_producer(const struct wire_batch *b, struct err *err)
{
    if (b->producer_id < -1)
        return err_set(err, ERR_INVALID, "producer id %lld", (long long)b->producer_id);
    if (b->producer_id >= 0 && (b->producer_epoch < 0 || b->base_sequence < 0))
        return err_set(err, ERR_INVALID, "producer id %lld with epoch %d and sequence %d",
                       (long long)b->producer_id, b->producer_epoch, (int)b->base_sequence);
    if (b->producer_id < 0 && (b->attributes & WIRE_BATCH_TRANSACTIONAL))
        return err_set(err, ERR_INVALID, "a transactional batch without a producer id");
    return 0;
}

int wire_batch_check(const struct wire_batch *b, struct err *err)
{
    if (wire_batch_codec(b) >= WIRE_CODECS_N)
        return err_set(err, ERR_UNSUPPORTED, "compression codec %d", wire_batch_codec(b));
    if (b->attributes & ~ATTRIBUTES_KNOWN)
        return err_set(err, ERR_INVALID, "unknown batch attributes 0x%04x",
                       (unsigned)(uint16_t)b->attributes);
    if (b->attributes & WIRE_BATCH_CONTROL)
        return err_set(err, ERR_INVALID, "clients may not write control batches");
    if (b->attributes & (WIRE_BATCH_LOG_APPEND_TIME | WIRE_BATCH_DELETE_HORIZON))
        return err_set(err, ERR_INVALID, "attributes 0x%02x are the broker's to set",
                       (unsigned)b->attributes);
    int rv = check_counts(b, err);
    if (rv == 0)
        rv = check_producer(b, err);
    if (rv != 0)
        return rv;
    if (!wire_batch_crc_ok(b))
        return err_set(err, ERR_CORRUPT, "the batch's CRC does not match its bytes");
    return 0;
}

void wire_batch_set_base_offset(uint8_t *p, int64_t base_offset)
{
    be64_put(p, (uint64_t)base_offset);
}

void wire_batch_set_leader_epoch(uint8_t *p, int32_t epoch)
{
    be32_put(p + AT_LEADER_EPOCH, (uint32_t)epoch);
}

void wire_batch_set_log_append_time(uint8_t *p, size_t n, int64_t time_ms)
{
    ASSERT(n >= WIRE_BATCH_HEADER_BYTES);
    uint16_t attributes = be16_get(p + AT_ATTRIBUTES);
    be16_put(p + AT_ATTRIBUTES, (uint16_t)(attributes | WIRE_BATCH_LOG_APPEND_TIME));
    be64_put(p + AT_MAX_TIMESTAMP, (uint64_t)time_ms);
    be32_put(p + AT_CRC, wire_crc32c(0, p + AT_ATTRIBUTES, n - AT_ATTRIBUTES));
}

int wire_batch_records(const struct wire_batch *b, size_t max_bytes,
                       struct wire_codec_scratch *codec, struct bytes *scratch, struct slice *out,
                       struct err *err)
{
    if (wire_batch_codec(b) == WIRE_CODEC_NONE) {
        if (b->records.n > max_bytes)
            return err_set(err, ERR_LIMIT, "records of %zu bytes", b->records.n);
        *out = b->records;
        return 0;
    }
    bytes_clear(scratch);
    int rv = wire_decompress(wire_batch_codec(b), b->records, max_bytes, codec, scratch, err);
    if (rv == 0)
        *out = bytes_slice(scratch);
    return rv;
}
