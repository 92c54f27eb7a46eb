#include "wire/batch.h"

#include "base/check.h"
#include "base/codec.h"
#include "wire/crc32c.h"

void wire_batch_builder_init(struct wire_batch_builder *bb, int codec)
{
    ASSERT(codec >= 0 && codec < WIRE_CODECS_N);
    *bb = (struct wire_batch_builder){
        .codec = codec, .producer_id = -1, .producer_epoch = -1, .base_sequence = -1};
}

void wire_batch_builder_free(struct wire_batch_builder *bb)
{
    bytes_free(&bb->records);
}

static void add_varint(struct bytes *out, int64_t v)
{
    uint8_t text[10];
    bytes_add(out, text, varint_put(text, zigzag_encode(v)));
}

static void add_bytes(struct bytes *out, struct slice s)
{
    add_varint(out, s.p ? (int64_t)s.n : -1);
    bytes_add_slice(out, s);
}

static size_t varint_bytes(int64_t v)
{
    return varint_size(zigzag_encode(v));
}

static size_t slice_bytes(struct slice s)
{
    return varint_bytes(s.p ? (int64_t)s.n : -1) + s.n;
}

void wire_batch_builder_add(struct wire_batch_builder *bb, int64_t timestamp_ms, struct slice key,
                            struct slice value, const struct wire_record_header *header,
                            size_t headers_n)
{
    ASSERT(headers_n <= WIRE_RECORD_HEADERS_MAX);
    if (bb->records_count == 0)
        bb->base_timestamp = bb->max_timestamp = timestamp_ms;
    if (timestamp_ms > bb->max_timestamp)
        bb->max_timestamp = timestamp_ms;
    int64_t time_delta = timestamp_ms - bb->base_timestamp;

    size_t n = 1 + varint_bytes(time_delta) + varint_bytes(bb->records_count) + slice_bytes(key) +
               slice_bytes(value) + varint_bytes((int64_t)headers_n);
    for (size_t i = 0; i < headers_n; i++)
        n += slice_bytes(header[i].key) + slice_bytes(header[i].value);
    ASSERT(n <= INT32_MAX);

    struct bytes *out = &bb->records;
    add_varint(out, (int64_t)n);
    bytes_add_u8(out, 0);
    add_varint(out, time_delta);
    add_varint(out, bb->records_count);
    add_bytes(out, key);
    add_bytes(out, value);
    add_varint(out, (int64_t)headers_n);
    for (size_t i = 0; i < headers_n; i++) {
        ASSERT(header[i].key.p);
        add_bytes(out, header[i].key);
        add_bytes(out, header[i].value);
    }
    bb->records_count++;
}

static int add_records(const struct wire_batch_builder *bb, struct bytes *out, struct err *err)
{
    if (bb->codec == WIRE_CODEC_SNAPPY && bb->snappy_raw)
        return wire_compress_snappy_raw(bytes_slice(&bb->records), out, err);
    return wire_compress(bb->codec, bytes_slice(&bb->records), out, err);
}

int wire_batch_builder_finish(struct wire_batch_builder *bb, struct bytes *out, struct err *err)
{
    ASSERT(bb->records_count > 0);
    size_t start = out->n;
    bytes_add_be64(out, 0);
    bytes_add_be32(out, 0);          /* length, below */
    bytes_add_be32(out, UINT32_MAX); /* leader epoch -1 */
    bytes_add_u8(out, 2);
    bytes_add_be32(out, 0); /* CRC, below */
    size_t covered = out->n;
    bytes_add_be16(out, (uint16_t)(bb->attributes | bb->codec));
    bytes_add_be32(out, (uint32_t)(bb->records_count - 1));
    bytes_add_be64(out, (uint64_t)bb->base_timestamp);
    bytes_add_be64(out, (uint64_t)bb->max_timestamp);
    bytes_add_be64(out, (uint64_t)bb->producer_id);
    bytes_add_be16(out, (uint16_t)bb->producer_epoch);
    bytes_add_be32(out, (uint32_t)bb->base_sequence);
    bytes_add_be32(out, (uint32_t)bb->records_count);
    ASSERT(out->n - start == WIRE_BATCH_HEADER_BYTES);
    int rv = add_records(bb, out, err);
    if (rv != 0) {
        out->n = start;
        return rv;
    }
    be32_put(out->p + start + 8, (uint32_t)(out->n - start - WIRE_BATCH_PREFIX_BYTES));
    be32_put(out->p + covered - 4, wire_crc32c(0, out->p + covered, out->n - covered));

    if (bb->base_sequence >= 0) /* sequences wrap from the largest number to 0 */
        bb->base_sequence =
            (int32_t)(((int64_t)bb->base_sequence + bb->records_count) % (1LL << 31));
    bb->records_count = 0;
    bytes_clear(&bb->records);
    return 0;
}
