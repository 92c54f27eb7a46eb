/* Record batches, format version 2 (magic 2): KIP-98 and Kafka's "Message format" page.
 *
 *   offset  bytes
 *     0      8   base offset                    not covered by the CRC: the broker sets it
 *     8      4   length of what follows here
 *    12      4   partition leader epoch         not covered by the CRC: the broker sets it
 *    16      1   magic, 2
 *    17      4   CRC32C of everything from byte 21 on
 *    21      2   attributes: bits 0-2 codec, 3 log append time, 4 transactional, 5 control,
 *                6 has delete horizon
 *    23      4   offset of the last record minus base offset
 *    27      8   base timestamp in ms (with bit 6: the delete horizon)
 *    35      8   largest timestamp in ms
 *    43      8   producer id, -1: none
 *    51      2   producer epoch
 *    53      4   sequence of the first record
 *    57      4   number of records
 *    61          records, compressed as one block when there is a codec
 *
 * A record: length, attributes (1 byte, 0), timestamp delta, offset delta, key length, key, value
 * length, value, number of headers, headers (key length, key, value length, value); lengths and
 * deltas are zigzag varints, -1 is null. */
#ifndef WIRE_BATCH_H
#define WIRE_BATCH_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/slice.h"
#include "wire/compress.h"

#define WIRE_BATCH_HEADER_BYTES 61
/* Bytes before the length field's end: batch_length + this is the size of the batch. */
#define WIRE_BATCH_PREFIX_BYTES 12
#define WIRE_RECORD_MIN_BYTES   7
#define WIRE_RECORD_HEADERS_MAX 10000

enum wire_batch_attribute {
    WIRE_BATCH_CODEC_MASK = 0x07,
    WIRE_BATCH_LOG_APPEND_TIME = 0x08,
    WIRE_BATCH_TRANSACTIONAL = 0x10,
    WIRE_BATCH_CONTROL = 0x20,
    WIRE_BATCH_DELETE_HORIZON = 0x40,
};

struct wire_batch {
    int64_t base_offset;
    int32_t batch_length;
    int32_t partition_leader_epoch;
    int8_t magic;
    uint32_t crc;
    int16_t attributes;
    int32_t last_offset_delta;
    int64_t base_timestamp;
    int64_t max_timestamp;
    int64_t producer_id;
    int16_t producer_epoch;
    int32_t base_sequence;
    int32_t records_count;
    struct slice records; /* borrowed: everything behind the header, still compressed */
    struct slice bytes;   /* borrowed: the whole batch */
};

static inline int wire_batch_codec(const struct wire_batch *b)
{
    return b->attributes & WIRE_BATCH_CODEC_MASK;
}
static inline int64_t wire_batch_last_offset(const struct wire_batch *b)
{
    return b->base_offset + b->last_offset_delta;
}

/* Reads the header of the batch that begins at in.p; `in` may hold more behind it. Checks only that
 * header and length fit into `in` and that the magic is 2.
 *   ERR_INVALID      too short, a length below the header's or beyond `in`
 *   ERR_UNSUPPORTED  another magic (Kafka error 43 or 76 is the caller's choice) */
int wire_batch_parse(struct slice in, struct wire_batch *out, struct err *err);

/* The cheap checks of a batch that a client sent: known codec, no unknown attribute bits, counts
 * that agree with each other and with the bytes, timestamps and producer fields in range, and the
 * CRC. Records are not looked into.
 *   ERR_INVALID      a field breaks a rule
 *   ERR_UNSUPPORTED  unknown codec
 *   ERR_CORRUPT      the CRC differs (Kafka error 2) */
int wire_batch_check(const struct wire_batch *b, struct err *err);
bool wire_batch_crc_ok(const struct wire_batch *b);

/* Patch in place; p points to a whole batch of at least WIRE_BATCH_HEADER_BYTES. The first two do
 * not touch what the CRC covers; the third does and writes the CRC anew: it sets the attribute bit
 * and the largest timestamp, by which readers then replace each record's time. */
void wire_batch_set_base_offset(uint8_t *p, int64_t base_offset);
void wire_batch_set_leader_epoch(uint8_t *p, int32_t epoch);
void wire_batch_set_log_append_time(uint8_t *p, size_t n, int64_t time_ms);

/* The uncompressed records of a batch: `b->records` itself without a codec, otherwise decompressed
 * into *scratch (cleared first, kept by the caller while `out` is in use). Errors as in
 * wire_decompress. */
int wire_batch_records(const struct wire_batch *b, size_t max_bytes,
                       struct wire_codec_scratch *codec, struct bytes *scratch, struct slice *out,
                       struct err *err);

struct wire_record {
    int32_t index;           /* in the batch */
    int64_t timestamp_delta; /* to base_timestamp */
    int32_t offset_delta;    /* to base_offset */
    struct slice key;        /* p == NULL: null */
    struct slice value;      /* p == NULL: null (a tombstone) */
    int32_t headers_count;
    struct slice headers; /* encoded; read with wire_header_iter */
    struct slice bytes;   /* the record with its length */
};

/* Walks over uncompressed records; zero-copy. Strict: lengths exact, offset deltas 0, 1, 2, ...
 * when `consecutive` (what producers send; a compacted log has gaps), exactly `count` records and
 * no byte behind the last. */
struct wire_record_iter {
    const uint8_t *p;
    const uint8_t *end;
    int32_t index;
    int32_t count;
    int32_t last_offset_delta; /* of the record before; -1 at the start */
    int32_t max_offset_delta;
    bool consecutive;
};

void wire_record_iter_init(struct wire_record_iter *it, struct slice records,
                           const struct wire_batch *b, bool consecutive);
/* 1: *out is the next record (its headers already checked); 0: the end, all in order;
 * ERR_INVALID: the bytes break a rule, the message names record and place. */
int wire_record_next(struct wire_record_iter *it, struct wire_record *out, struct err *err);

struct wire_record_header {
    struct slice key;   /* never null */
    struct slice value; /* p == NULL: null */
};

struct wire_header_iter {
    const uint8_t *p;
    const uint8_t *end;
    int32_t left;
};

void wire_header_iter_init(struct wire_header_iter *it, const struct wire_record *r);
bool wire_header_next(struct wire_header_iter *it, struct wire_record_header *out);
/* The last header of that name, as Kafka's clients look it up. */
bool wire_record_header_find(const struct wire_record *r, const char *name, struct slice *value);

/* Builds one batch, for clients and tests. */
struct wire_batch_builder {
    int codec;           /* enum wire_codec */
    bool snappy_raw;     /* with snappy: one raw block instead of xerial's framing */
    int16_t attributes;  /* further bits; the codec's are added */
    int64_t producer_id; /* -1: none */
    int16_t producer_epoch;
    int32_t base_sequence;
    int64_t base_timestamp, max_timestamp;
    int32_t records_count;
    struct bytes records; /* owned */
};

void wire_batch_builder_init(struct wire_batch_builder *bb, int codec);
void wire_batch_builder_free(struct wire_batch_builder *bb);
/* p == NULL in key or value: null. The first record's time is the base. */
void wire_batch_builder_add(struct wire_batch_builder *bb, int64_t timestamp_ms, struct slice key,
                            struct slice value, const struct wire_record_header *header,
                            size_t headers_n);
/* Appends the finished batch (base offset 0, leader epoch -1) to *out; the builder is empty again
 * and keeps its settings, base_sequence moved on. */
int wire_batch_builder_finish(struct wire_batch_builder *bb, struct bytes *out, struct err *err);

#endif
