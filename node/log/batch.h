/* The few fields of a record batch v2 that the log needs (KIP-98, "Message format"), and what it
 * patches. Offsets are those of Kafka's specification of magic 2. */
#ifndef LOG_BATCH_H
#define LOG_BATCH_H

#include "base/slice.h"

enum {
    LOG_BATCH_HEADER_BYTES = 61,
    LOG_BATCH_PREFIX_BYTES = 12, /* base offset and length, which the length does not count */
    LOG_BATCH_CRC_FROM = 21,     /* the CRC covers from the attributes to the end */
};

struct log_batch {
    int64_t base_offset;
    uint32_t size_bytes; /* of the whole batch */
    int32_t epoch;
    uint32_t crc;
    int16_t attributes;
    int32_t last_delta;
    int64_t base_timestamp, max_timestamp;
    int32_t records_n;
};

/* p holds at least LOG_BATCH_HEADER_BYTES. False: not a batch of magic 2 with a possible length. */
bool log_batch_parse(const uint8_t *p, struct log_batch *out);
void log_batch_patch(uint8_t *p, int64_t base_offset, int32_t epoch);
/* Whole batch in bytes: does its CRC-32C agree? */
bool log_batch_intact(struct slice bytes);

/* The first record of a batch at or above `from` whose timestamp is >= ms. False: none, or the
 * records cannot be read. Compressed records are decompressed. */
bool log_batch_find_time(struct slice batch, int64_t from, int64_t ms, int64_t *offset,
                         int64_t *timestamp_ms);

#endif
