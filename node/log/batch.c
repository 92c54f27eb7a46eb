#include "log/batch.h"

#include "base/codec.h"
#include "log/limits.h"
#include "wire/batch.h"
#include "wire/crc32c.h"

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
           wire_crc32c(0, bytes.p + LOG_BATCH_CRC_FROM, bytes.n - LOG_BATCH_CRC_FROM) == b.crc;
}

/* The first record that fits, among the uncompressed records of b. */
static bool find_record(const struct wire_batch *b, struct slice records, int64_t from, int64_t ms,
                        int64_t *offset, int64_t *timestamp_ms)
{
    struct wire_record_iter it;
    struct wire_record r;
    wire_record_iter_init(&it, records, b, false);
    while (wire_record_next(&it, &r, NULL) == 1) {
        /* Wraps for hostile times, as readers' arithmetic does. */
        int64_t time = (int64_t)((uint64_t)b->base_timestamp + (uint64_t)r.timestamp_delta);
        if (time >= ms && b->base_offset + r.offset_delta >= from) {
            *offset = b->base_offset + r.offset_delta;
            *timestamp_ms = time;
            return true;
        }
    }
    return false;
}

bool log_batch_find_time(struct slice batch, int64_t from, int64_t ms, int64_t *offset,
                         int64_t *timestamp_ms)
{
    struct wire_batch b;
    if (wire_batch_parse(batch, &b, NULL) || b.max_timestamp < ms) {
        return false;
    }
    if (b.attributes & WIRE_BATCH_LOG_APPEND_TIME) { /* one time for all */
        *offset = b.base_offset > from ? b.base_offset : from;
        *timestamp_ms = b.max_timestamp;
        return true;
    }
    struct bytes scratch = {0};
    struct slice records;
    bool found =
        wire_batch_records(&b, LOG_DECOMPRESS_MAX_BYTES, NULL, &scratch, &records, NULL) == 0 &&
        find_record(&b, records, from, ms, offset, timestamp_ms);
    bytes_free(&scratch);
    return found;
}
