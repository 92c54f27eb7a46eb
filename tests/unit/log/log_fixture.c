#include "log_fixture.h"

#include "base/bytes.h"
#include "base/codec.h"
#include "log/batch.h"
#include "wire/crc32c.h"

void fx_init(struct fixture *fx, uint64_t seed)
{
    *fx = (struct fixture){.now_ms = 1000000};
    fx->sd = sim_disk_new(seed);
    fx->config = store_config_default();
    fx->config.journal_file_bytes = 64 << 10;
    fx->config.journal_total_bytes = 256 << 10;
    fx->config.group_max_bytes = 16 << 10;
    fx->config.segment_bytes = 16 << 10;
    fx->config.index_interval_bytes = 512;
    fx->config.seed = seed;
}

int fx_open(struct fixture *fx)
{
    return store_open(&fx->s, sim_disk_disk(fx->sd), &fx->config, fx->now_ms, &fx->err);
}

void fx_close(struct fixture *fx)
{
    store_close(fx->s);
    fx->s = NULL;
    disk_ops_free(&fx->ops);
}

void fx_free(struct fixture *fx)
{
    fx_close(fx);
    sim_disk_free(fx->sd);
}

static void moved(void *arg, struct plog *p)
{
    struct fixture *fx = arg;
    fx->moved_n++;
    if (fx->moved) {
        fx->moved(fx, p);
    }
}

void fx_flush(struct fixture *fx)
{
    store_flush(fx->s, fx->now_ms, &fx->ops);
    store_check_invariants(fx->s);
    sim_disk_submit(fx->sd, &fx->ops);
}

bool fx_step(struct fixture *fx)
{
    uint64_t id;
    int status;
    if (!sim_disk_step(fx->sd, &id, &status)) {
        return false;
    }
    store_done(fx->s, id, status, fx->now_ms, &fx->ops, moved, fx);
    fx_flush(fx);
    return true;
}

void fx_drain(struct fixture *fx)
{
    fx_flush(fx);
    while (fx_step(fx)) {
    }
}

void fx_tick(struct fixture *fx)
{
    store_tick(fx->s, fx->now_ms, &fx->ops, moved, fx);
    fx_flush(fx);
}

struct plog_id fx_id(int topic, int partition)
{
    struct plog_id id = {.partition = partition};
    for (size_t i = 0; i < sizeof id.topic; i++) {
        id.topic[i] = (uint8_t)(topic * 17 + (int)i);
    }
    return id;
}

static void add_varint(struct bytes *b, int64_t v)
{
    uint8_t p[10];
    bytes_add(b, p, varint_put(p, zigzag_encode(v)));
}

struct buf *fx_batch(int records_n, size_t value_bytes, int64_t first_ms, int64_t step_ms,
                     uint8_t fill)
{
    struct bytes records = {0}, one = {0};
    int64_t max = first_ms;
    for (int i = 0; i < records_n; i++) {
        bytes_clear(&one);
        bytes_add_u8(&one, 0);
        add_varint(&one, i * step_ms);
        add_varint(&one, i);
        add_varint(&one, -1);
        add_varint(&one, (int64_t)value_bytes);
        for (size_t k = 0; k < value_bytes; k++) {
            bytes_add_u8(&one, (uint8_t)(fill + k * 7));
        }
        add_varint(&one, 0);
        add_varint(&records, (int64_t)one.n);
        bytes_add(&records, one.p, one.n);
        max = first_ms + i * step_ms > max ? first_ms + i * step_ms : max;
    }
    struct buf *b = buf_new(LOG_BATCH_HEADER_BYTES + records.n);
    uint8_t *p = b->data;
    memset(p, 0, LOG_BATCH_HEADER_BYTES);
    be32_put(p + 8, (uint32_t)(LOG_BATCH_HEADER_BYTES - LOG_BATCH_PREFIX_BYTES + records.n));
    p[16] = 2;
    be32_put(p + 23, (uint32_t)(records_n - 1));
    be64_put(p + 27, (uint64_t)first_ms);
    be64_put(p + 35, (uint64_t)max);
    memset(p + 43, 0xff, 14);
    be32_put(p + 57, (uint32_t)records_n);
    memcpy(p + LOG_BATCH_HEADER_BYTES, records.p, records.n);
    b->n = LOG_BATCH_HEADER_BYTES + records.n;
    be32_put(p + 17, wire_crc32c(0, p + LOG_BATCH_CRC_FROM, b->n - LOG_BATCH_CRC_FROM));
    bytes_free(&records);
    bytes_free(&one);
    return b;
}

void fx_append_buf(struct fixture *fx, struct plog *p, struct buf *b, int records_n, int64_t max_ms)
{
    struct store_batch sb = {.buf = b,
                             .bytes = buf_bytes(b),
                             .records_n = records_n,
                             .max_timestamp_ms = max_ms,
                             .producer_id = -1};
    store_append(fx->s, p, &sb, 1, fx->now_ms);
}

int64_t fx_append(struct fixture *fx, struct plog *p, int records_n, size_t value_bytes,
                  int64_t first_ms, int64_t step_ms)
{
    struct buf *b = fx_batch(records_n, value_bytes, first_ms, step_ms, 1);
    int64_t max = step_ms > 0 ? first_ms + (records_n - 1) * step_ms : first_ms;
    int64_t base = plog_end_offset(p);
    fx_append_buf(fx, p, b, records_n, max);
    buf_unref(b);
    return base;
}
