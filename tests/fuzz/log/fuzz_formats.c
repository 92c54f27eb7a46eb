/* What the log room reads from disk, with checksums made right so that the input gets behind them:
 * a journal group checked and replayed, a checkpoint, an index, a batch searched by time. The first
 * byte says which. */
#include "base/codec.h"
#include "base/mem.h"
#include "log/state.h"
#include "wire/crc32c.h"

#include <errno.h>

/* A disk that has nothing and takes everything. */
static int64_t no_size(struct disk *d, const char *path)
{
    (void)d, (void)path;
    return -ENOENT;
}
static int64_t no_read(struct disk *d, const char *path, uint64_t offset, void *p, size_t n)
{
    (void)d, (void)path, (void)offset, (void)p, (void)n;
    return 0;
}
static int any_write(struct disk *d, const char *path, uint64_t offset, const void *p, size_t n)
{
    (void)d, (void)path, (void)offset, (void)p, (void)n;
    return 0;
}
static int any_path(struct disk *d, const char *path)
{
    (void)d, (void)path;
    return 0;
}

static struct disk disk = {.size = no_size,
                           .read = no_read,
                           .write = any_write,
                           .sync = any_path,
                           .sync_dir = any_path,
                           .make_dir = any_path,
                           .remove = any_path};

static struct store *store_new(void)
{
    struct store *s = MEM_NEW(struct store);
    s->disk = &disk;
    s->config = store_config_default();
    map_init(&s->by_id, 1);
    map_init(&s->by_no, 1);
    return s;
}

/* Gives the batches that the bytes happen to hold their CRC, in place and in the record's header.
 */
static void heal_bodies(uint8_t *p, const struct log_group_header *h)
{
    uint8_t *head = p + LOG_GROUP_HEADER_BYTES;
    uint8_t *body = p + h->header_bytes, *end = p + h->group_bytes;
    for (uint32_t i = 0; i < h->records_n; i++) {
        struct log_record rec;
        size_t n = log_record_get(slice_of(head, (size_t)(p + h->header_bytes - head)), &rec);
        if (!n) {
            return;
        }
        if (rec.kind == LOG_BATCH) {
            if (rec.size_bytes < LOG_BATCH_HEADER_BYTES || rec.size_bytes > (size_t)(end - body)) {
                return;
            }
            be64_put(body, (uint64_t)rec.base_offset);
            be32_put(body + 8, rec.size_bytes - LOG_BATCH_PREFIX_BYTES);
            be32_put(body + 12, (uint32_t)rec.epoch);
            body[16] = 2;
            uint32_t crc =
                wire_crc32c(0, body + LOG_BATCH_CRC_FROM, rec.size_bytes - LOG_BATCH_CRC_FROM);
            be32_put(body + 17, crc);
            be32_put(head + 32, crc);
            body += rec.size_bytes;
        }
        head += n;
    }
}

static void fuzz_group(uint8_t *p, size_t n)
{
    struct log_group_header h;
    if (n < LOG_GROUP_HEADER_BYTES) {
        return;
    }
    be32_put(p, 0x57524a47);
    be32_put(p + 8, LOG_FORMAT_VERSION);
    if (!log_group_header_get(p, &h) || h.group_bytes > n) {
        return;
    }
    heal_bodies(p, &h);
    log_group_header_put(p, &h);
    if (!log_replay_intact(p, &h)) {
        return;
    }
    struct store *s = store_new();
    struct log_replay *r = log_replay_new(s, 1);
    struct err err;
    if (log_replay_group(r, p, &h, &err) == 0) {
        log_replay_finish(r, &err);
    }
    log_replay_free(r);
    store_close(s);
}

static void fuzz_checkpoint(uint8_t *p, size_t n)
{
    struct log_checkpoint_header h;
    if (n < LOG_CHECKPOINT_HEADER_BYTES) {
        return;
    }
    h = (struct log_checkpoint_header){.plogs_n = be32_get(p + 12), .total_bytes = n};
    log_checkpoint_header_put(p, &h);
    if (!log_checkpoint_header_get(slice_of(p, n), &h)) {
        __builtin_trap();
    }
    struct store *s = store_new();
    struct err err;
    log_checkpoint_decode(s, slice_of(p, n), &h, &err);
    store_close(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) {
        return 0;
    }
    size_t n = size - 1;
    uint8_t *p = mem_alloc(n + 1);
    memcpy(p, data + 1, n);
    struct log_index_header x;
    int64_t offset, ms;
    switch (data[0] % 4) {
    case 0:
        fuzz_group(p, n);
        break;
    case 1:
        fuzz_checkpoint(p, n);
        break;
    case 2:
        log_index_header_get(slice_of(p, n), &x);
        break;
    default:
        log_batch_find_time(slice_of(p, n), 0, 1, &offset, &ms);
    }
    mem_free(p);
    return 0;
}
