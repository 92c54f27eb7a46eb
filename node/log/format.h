/* Journal, checkpoint and index formats: structs to bytes and back, nothing else
 * (docs/internals/log.md has them byte by byte). All integers are big-endian. */
#ifndef LOG_FORMAT_H
#define LOG_FORMAT_H

#include "base/bytes.h"
#include "base/slice.h"

enum {
    LOG_FORMAT_VERSION = 1,
    LOG_FILE_HEADER_BYTES = 64, /* written as one page of LOG_ALIGN */
    LOG_GROUP_HEADER_BYTES = 64,
    LOG_RECORD_BATCH_BYTES = 56,
    LOG_RECORD_SMALL_BYTES = 32, /* every other kind, before its inline bytes */
    LOG_INDEX_HEADER_BYTES = 48,
    LOG_INDEX_ENTRY_BYTES = 16,
    LOG_CHECKPOINT_HEADER_BYTES = 80,
};

/* The first page of a journal file. */
struct log_file_header {
    uint64_t store_id;  /* of the folder: files of another one are refused */
    uint64_t seq;       /* 0, 1, 2, ...: the order of the files */
    uint64_t start_lsn; /* of the first group */
    uint64_t salt;      /* of this lap */
    uint64_t capacity;  /* bytes of the file that groups may use, header included */
};
void log_file_header_put(uint8_t p[LOG_FILE_HEADER_BYTES], const struct log_file_header *h);
bool log_file_header_get(const uint8_t p[LOG_FILE_HEADER_BYTES], struct log_file_header *h);

/* A group: this header, the headers of its records, then the records' bodies in the same order,
 * padded with zeros to LOG_ALIGN. */
struct log_group_header {
    uint64_t salt;
    uint64_t lsn;          /* of this group */
    uint64_t synced_lsn;   /* everything below was synced when this was written */
    uint32_t header_bytes; /* this header and those of the records */
    uint32_t group_bytes;  /* all, without the padding */
    uint32_t records_n;
};
/* p: the whole header region, the records' headers already in it; adds the CRC over it. */
void log_group_header_put(uint8_t *p, const struct log_group_header *h);
/* Fields only; false: not a group. */
bool log_group_header_get(const uint8_t p[LOG_GROUP_HEADER_BYTES], struct log_group_header *h);
/* The CRC over the header region. */
bool log_group_header_intact(const uint8_t *p, const struct log_group_header *h);

enum log_record_kind {
    LOG_CREATE = 1, /* inline: topic id and partition */
    LOG_DELETE = 2,
    LOG_BATCH = 3, /* body: the batch */
    LOG_START = 4, /* value: log start offset */
    LOG_NOTE = 5,  /* value: the offset it is for; inline: its bytes */
};

struct log_record {
    enum log_record_kind kind;
    uint32_t plog_no;
    int64_t value;             /* START, NOTE; CREATE: time */
    struct slice inline_bytes; /* CREATE, NOTE */
    /* BATCH */
    int64_t base_offset;
    int64_t segment;   /* base offset of its segment */
    uint32_t position; /* in the segment */
    uint32_t size_bytes;
    uint32_t crc; /* the batch's own: it guards the body */
    int32_t records_n;
    int32_t epoch;
    int64_t max_timestamp;
};
size_t log_record_size(const struct log_record *r); /* of its header with inline bytes */
size_t log_record_put(uint8_t *p, const struct log_record *r);
/* Bytes read, 0: malformed or of an unknown kind. */
size_t log_record_get(struct slice s, struct log_record *r);

struct log_index_header {
    uint32_t plog_no; /* a file that a deleted replica of this name left is not taken for ours */
    int64_t base;     /* of the segment */
    uint32_t covered; /* bytes of the segment that the entries speak of */
    uint32_t interval;
    uint32_t entries_n;
};
void log_index_header_put(uint8_t *p /* whole file */, const struct log_index_header *h);
bool log_index_header_get(struct slice file, struct log_index_header *h); /* checks the CRC */

struct log_checkpoint_header {
    uint64_t store_id;
    uint64_t seq;        /* of checkpoints: the higher one counts */
    uint64_t replay_lsn; /* the journal below is in the segments, synced */
    uint64_t synced_lsn; /* of the journal when this was written */
    uint32_t next_no;
    uint32_t plogs_n;
    uint64_t total_bytes; /* of the file, this header included */
};
void log_checkpoint_header_put(uint8_t *p /* whole file */, const struct log_checkpoint_header *h);
/* Changes synced_lsn in an encoded checkpoint, its CRC with it. */
void log_checkpoint_set_synced(uint8_t *p, size_t n, uint64_t synced_lsn);
bool log_checkpoint_header_get(struct slice file, struct log_checkpoint_header *h);

#endif
