#include "log/format.h"

#include "base/check.h"
#include "base/codec.h"
#include "wire/crc32c.h"

static const uint32_t file_magic = 0x57524a46;       /* WRJF */
static const uint32_t group_magic = 0x57524a47;      /* WRJG */
static const uint32_t index_magic = 0x57524958;      /* WRIX */
static const uint32_t checkpoint_magic = 0x57524350; /* WRCP */

/* All four headers begin alike: magic, CRC over what follows the CRC, version. */
static void seal(uint8_t *p, size_t n, uint32_t magic)
{
    be32_put(p, magic);
    be32_put(p + 8, LOG_FORMAT_VERSION);
    be32_put(p + 4, wire_crc32c(0, p + 8, n - 8));
}

static bool sealed(const uint8_t *p, size_t n, uint32_t magic)
{
    return be32_get(p) == magic && be32_get(p + 8) == LOG_FORMAT_VERSION &&
           be32_get(p + 4) == wire_crc32c(0, p + 8, n - 8);
}

void log_file_header_put(uint8_t p[LOG_FILE_HEADER_BYTES], const struct log_file_header *h)
{
    memset(p, 0, LOG_FILE_HEADER_BYTES);
    be64_put(p + 16, h->store_id);
    be64_put(p + 24, h->seq);
    be64_put(p + 32, h->start_lsn);
    be64_put(p + 40, h->salt);
    be64_put(p + 48, h->capacity);
    seal(p, LOG_FILE_HEADER_BYTES, file_magic);
}

bool log_file_header_get(const uint8_t p[LOG_FILE_HEADER_BYTES], struct log_file_header *h)
{
    if (!sealed(p, LOG_FILE_HEADER_BYTES, file_magic)) {
        return false;
    }
    h->store_id = be64_get(p + 16);
    h->seq = be64_get(p + 24);
    h->start_lsn = be64_get(p + 32);
    h->salt = be64_get(p + 40);
    h->capacity = be64_get(p + 48);
    return true;
}

void log_group_header_put(uint8_t *p, const struct log_group_header *h)
{
    be32_put(p + 12, h->records_n);
    be64_put(p + 16, h->salt);
    be64_put(p + 24, h->lsn);
    be64_put(p + 32, h->synced_lsn);
    be32_put(p + 40, h->header_bytes);
    be32_put(p + 44, h->group_bytes);
    memset(p + 48, 0, LOG_GROUP_HEADER_BYTES - 48);
    seal(p, h->header_bytes, group_magic);
}

bool log_group_header_get(const uint8_t p[LOG_GROUP_HEADER_BYTES], struct log_group_header *h)
{
    if (be32_get(p) != group_magic || be32_get(p + 8) != LOG_FORMAT_VERSION) {
        return false;
    }
    h->records_n = be32_get(p + 12);
    h->salt = be64_get(p + 16);
    h->lsn = be64_get(p + 24);
    h->synced_lsn = be64_get(p + 32);
    h->header_bytes = be32_get(p + 40);
    h->group_bytes = be32_get(p + 44);
    return h->header_bytes >= LOG_GROUP_HEADER_BYTES && h->group_bytes >= h->header_bytes;
}

bool log_group_header_intact(const uint8_t *p, const struct log_group_header *h)
{
    return sealed(p, h->header_bytes, group_magic);
}

size_t log_record_size(const struct log_record *r)
{
    return r->kind == LOG_BATCH ? LOG_RECORD_BATCH_BYTES
                                : LOG_RECORD_SMALL_BYTES + r->inline_bytes.n;
}

size_t log_record_put(uint8_t *p, const struct log_record *r)
{
    p[0] = (uint8_t)r->kind;
    memset(p + 1, 0, 3);
    be32_put(p + 4, r->plog_no);
    if (r->kind == LOG_BATCH) {
        be64_put(p + 8, (uint64_t)r->base_offset);
        be64_put(p + 16, (uint64_t)r->segment);
        be32_put(p + 24, r->position);
        be32_put(p + 28, r->size_bytes);
        be32_put(p + 32, r->crc);
        be32_put(p + 36, (uint32_t)r->records_n);
        be32_put(p + 40, (uint32_t)r->epoch);
        be64_put(p + 44, (uint64_t)r->max_timestamp);
        be32_put(p + 52, 0);
        return LOG_RECORD_BATCH_BYTES;
    }
    be64_put(p + 8, (uint64_t)r->value);
    be32_put(p + 16, (uint32_t)r->inline_bytes.n);
    memset(p + 20, 0, LOG_RECORD_SMALL_BYTES - 20);
    if (r->inline_bytes.n) {
        memcpy(p + LOG_RECORD_SMALL_BYTES, r->inline_bytes.p, r->inline_bytes.n);
    }
    return LOG_RECORD_SMALL_BYTES + r->inline_bytes.n;
}

size_t log_record_get(struct slice s, struct log_record *r)
{
    *r = (struct log_record){0};
    if (s.n < LOG_RECORD_SMALL_BYTES || s.p[0] < LOG_CREATE || s.p[0] > LOG_NOTE) {
        return 0;
    }
    r->kind = (enum log_record_kind)s.p[0];
    r->plog_no = be32_get(s.p + 4);
    if (r->kind == LOG_BATCH) {
        if (s.n < LOG_RECORD_BATCH_BYTES) {
            return 0;
        }
        r->base_offset = (int64_t)be64_get(s.p + 8);
        r->segment = (int64_t)be64_get(s.p + 16);
        r->position = be32_get(s.p + 24);
        r->size_bytes = be32_get(s.p + 28);
        r->crc = be32_get(s.p + 32);
        r->records_n = (int32_t)be32_get(s.p + 36);
        r->epoch = (int32_t)be32_get(s.p + 40);
        r->max_timestamp = (int64_t)be64_get(s.p + 44);
        return LOG_RECORD_BATCH_BYTES;
    }
    r->value = (int64_t)be64_get(s.p + 8);
    size_t n = be32_get(s.p + 16);
    if (n > s.n - LOG_RECORD_SMALL_BYTES) {
        return 0;
    }
    r->inline_bytes = slice_of(s.p + LOG_RECORD_SMALL_BYTES, n);
    return LOG_RECORD_SMALL_BYTES + n;
}

void log_index_header_put(uint8_t *p, const struct log_index_header *h)
{
    memset(p, 0, LOG_INDEX_HEADER_BYTES);
    be32_put(p + 12, h->entries_n);
    be64_put(p + 16, (uint64_t)h->base);
    be32_put(p + 24, h->covered);
    be32_put(p + 28, h->interval);
    be32_put(p + 32, h->plog_no);
    seal(p, LOG_INDEX_HEADER_BYTES + (size_t)h->entries_n * LOG_INDEX_ENTRY_BYTES, index_magic);
}

bool log_index_header_get(struct slice file, struct log_index_header *h)
{
    if (file.n < LOG_INDEX_HEADER_BYTES) {
        return false;
    }
    h->entries_n = be32_get(file.p + 12);
    if ((file.n - LOG_INDEX_HEADER_BYTES) / LOG_INDEX_ENTRY_BYTES < h->entries_n) {
        return false;
    }
    size_t n = LOG_INDEX_HEADER_BYTES + (size_t)h->entries_n * LOG_INDEX_ENTRY_BYTES;
    if (!sealed(file.p, n, index_magic)) {
        return false;
    }
    h->base = (int64_t)be64_get(file.p + 16);
    h->covered = be32_get(file.p + 24);
    h->interval = be32_get(file.p + 28);
    h->plog_no = be32_get(file.p + 32);
    return true;
}

void log_checkpoint_header_put(uint8_t *p, const struct log_checkpoint_header *h)
{
    memset(p, 0, LOG_CHECKPOINT_HEADER_BYTES);
    be32_put(p + 12, h->plogs_n);
    be64_put(p + 16, h->store_id);
    be64_put(p + 24, h->seq);
    be64_put(p + 32, h->replay_lsn);
    be64_put(p + 40, h->synced_lsn);
    be64_put(p + 48, h->total_bytes);
    be32_put(p + 56, h->next_no);
    seal(p, h->total_bytes, checkpoint_magic);
}

void log_checkpoint_set_synced(uint8_t *p, size_t n, uint64_t synced_lsn)
{
    be64_put(p + 40, synced_lsn);
    seal(p, n, checkpoint_magic);
}

bool log_checkpoint_header_get(struct slice file, struct log_checkpoint_header *h)
{
    if (file.n < LOG_CHECKPOINT_HEADER_BYTES) {
        return false;
    }
    h->total_bytes = be64_get(file.p + 48);
    if (h->total_bytes < LOG_CHECKPOINT_HEADER_BYTES || h->total_bytes > file.n ||
        !sealed(file.p, h->total_bytes, checkpoint_magic)) {
        return false;
    }
    h->plogs_n = be32_get(file.p + 12);
    h->store_id = be64_get(file.p + 16);
    h->seq = be64_get(file.p + 24);
    h->replay_lsn = be64_get(file.p + 32);
    h->synced_lsn = be64_get(file.p + 40);
    h->next_no = be32_get(file.p + 56);
    return true;
}
