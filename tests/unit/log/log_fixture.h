/* A store over a simulated disk, driven one operation at a time. */
#ifndef LOG_FIXTURE_H
#define LOG_FIXTURE_H

#include "harness/sim_disk.h"
#include "log/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct fixture {
    struct sim_disk *sd;
    struct store *s;
    struct store_config config;
    struct disk_ops ops;
    int64_t now_ms;
    uint64_t moved_n;
    void (*moved)(struct fixture *fx, struct plog *p); /* may be NULL */
    void *arg;
    struct err err;
};

void fx_init(struct fixture *fx, uint64_t seed); /* small files; not opened yet */
int fx_open(struct fixture *fx);
void fx_close(struct fixture *fx); /* the store only */
void fx_free(struct fixture *fx);
void fx_flush(struct fixture *fx);
bool fx_step(struct fixture *fx); /* one disk operation and its completion; false: none */
void fx_drain(struct fixture *fx);
void fx_tick(struct fixture *fx);

struct plog_id fx_id(int topic, int partition);

/* One uncompressed batch; the records' times are first_ms, first_ms + step_ms, ... */
struct buf *fx_batch(int records_n, size_t value_bytes, int64_t first_ms, int64_t step_ms,
                     uint8_t fill);
/* Appends and releases it; returns the base offset. */
int64_t fx_append(struct fixture *fx, struct plog *p, int records_n, size_t value_bytes,
                  int64_t first_ms, int64_t step_ms);
void fx_append_buf(struct fixture *fx, struct plog *p, struct buf *b, int records_n,
                   int64_t max_ms);

#endif
