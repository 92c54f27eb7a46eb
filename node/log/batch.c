#include "log/batch.h"

#include "base/codec.h"
#include "log/limits.h"

#include <nmmintrin.h>

uint32_t log_crc32c(uint32_t crc, const void *p, size_t n)
{
    const uint8_t *at = p;
    uint64_t c = crc ^ 0xffffffffu;
    for (; n >= 8; n -= 8, at += 8) {
        uint64_t v;
        memcpy(&v, at, 8);
        c = _mm_crc32_u64(c, v);
    }
    for (; n; n--, at++) {
        c = _mm_crc32_u8((uint32_t)c, *at);
    }
    return (uint32_t)c ^ 0xffffffffu;
}

bool log_batch_parse(const uint8_t *p, struct log_batch *out)
{
    uint32_t length = be32_get(p + 8);
    if (p[16] != 2 || length < LOG_BATCH_HEADER_BYTES - LOG_BATCH_PREFIX_BYTES ||
        length > LOG_SEGMENT_MAX_BYTES - LOG_BATCH_PREFIX_BYTES) {
        return false;
    }
    out->base_offset = (int64_t)be64_get(p);
    out->size_bytes = length + LOG_BATCH_PREFIX_BYTES;
    out->epoch = (int32_t)be32_get(p + 12);
    out->crc = be32_get(p + 17);
    out->attributes = (int16_t)be16_get(p + 21);
    out->last_delta = (int32_t)be32_get(p + 23);
    out->base_timestamp = (int64_t)be64_get(p + 27);
    out->max_timestamp = (int64_t)be64_get(p + 35);
    out->records_n = (int32_t)be32_get(p + 57);
    return out->base_offset >= 0 && out->last_delta >= 0;
}

void log_batch_patch(uint8_t *p, int64_t base_offset, int32_t epoch)
{
    be64_put(p, (uint64_t)base_offset);
    be32_put(p + 12, (uint32_t)epoch);
}

bool log_batch_intact(struct slice bytes)
{
    struct log_batch b;
    return bytes.n >= LOG_BATCH_HEADER_BYTES && log_batch_parse(bytes.p, &b) &&
           b.size_bytes == bytes.n &&
           log_crc32c(0, bytes.p + LOG_BATCH_CRC_FROM, bytes.n - LOG_BATCH_CRC_FROM) == b.crc;
}

/* length, attributes, timestamp delta, offset delta: all that a look-up by time needs. */
static bool record_head(struct slice *s, int64_t *timestamp_delta, int64_t *offset_delta)
{
    const uint8_t *end = s->p + s->n;
    uint64_t v;
    size_t n = varint_get(s->p, end, 5, &v);
    int64_t length = zigzag_decode(v);
    if (!n || length < 3 || (uint64_t)length > s->n - n) {
        return false;
    }
    const uint8_t *p = s->p + n;
    const uint8_t *next = p + length;
    p++;
    n = varint_get(p, next, 10, &v);
    if (!n) {
        return false;
    }
    *timestamp_delta = zigzag_decode(v);
    p += n;
    if (!varint_get(p, next, 5, &v)) {
        return false;
    }
    *offset_delta = zigzag_decode(v);
    *s = slice_of(next, (size_t)(end - next));
    return true;
}

bool log_batch_find_time(struct slice batch, int64_t from, int64_t ms, int64_t *offset,
                         int64_t *timestamp_ms)
{
    struct log_batch b;
    if (batch.n < LOG_BATCH_HEADER_BYTES || !log_batch_parse(batch.p, &b)) {
        return false;
    }
    if (b.attributes & 8) { /* log append time: one time for all */
        *offset = b.base_offset > from ? b.base_offset : from;
        *timestamp_ms = b.max_timestamp;
        return b.max_timestamp >= ms;
    }
    struct slice s = {batch.p + LOG_BATCH_HEADER_BYTES, batch.n - LOG_BATCH_HEADER_BYTES};
    for (int32_t i = 0; i < b.records_n; i++) {
        int64_t dt, doff;
        if (!record_head(&s, &dt, &doff)) {
            return false;
        }
        if (b.base_timestamp + dt >= ms && b.base_offset + doff >= from) {
            *offset = b.base_offset + doff;
            *timestamp_ms = b.base_timestamp + dt;
            return true;
        }
    }
    return false;
}
