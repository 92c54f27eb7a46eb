/* A record batch from a client. The CRC is made right first, so that the fuzzer gets past it. */
#include "base/check.h"
#include "base/codec.h"
#include "base/mem.h"
#include "wire/batch.h"
#include "wire/crc32c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(const struct wire_batch *b, struct slice records, bool consecutive)
{
    struct wire_record_iter it;
    struct wire_record r;
    struct err e = {0};
    size_t seen = 0;
    int rv;
    int32_t n = 0;
    wire_record_iter_init(&it, records, b, consecutive);
    while ((rv = wire_record_next(&it, &r, &e)) == 1) {
        struct wire_header_iter hit;
        struct wire_record_header h;
        ASSERT(r.index == n++);
        ASSERT(r.bytes.p >= records.p && r.bytes.p + r.bytes.n <= records.p + records.n);
        seen += r.bytes.n;
        wire_header_iter_init(&hit, &r);
        while (wire_header_next(&hit, &h))
            ASSERT(h.key.p + h.key.n <= r.bytes.p + r.bytes.n);
    }
    ASSERT(rv == 0 || (rv == ERR_INVALID && e.msg[0] != '\0'));
    ASSERT(rv != 0 || (n == b->records_count && seen == records.n));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wire_batch b;
    struct err e = {0};
    struct slice records;
    struct bytes scratch = {0};
    uint8_t *copy = mem_alloc(size + 1);
    memcpy(copy, data, size);
    if (wire_batch_parse(slice_of(copy, size), &b, &e) == 0) {
        be32_put(copy + 17, wire_crc32c(0, copy + 21, b.bytes.n - 21));
        ASSERT(wire_batch_parse(slice_of(copy, size), &b, &e) == 0);
        int rv = wire_batch_check(&b, &e);
        ASSERT(rv != ERR_CORRUPT);
        if (rv == 0 && wire_batch_records(&b, 1 << 20, NULL, &scratch, &records, &e) == 0) {
            ASSERT(records.n <= 1 << 20);
            walk(&b, records, true);
            walk(&b, records, false);
        }
    }
    mem_free(copy);
    bytes_free(&scratch);
    return 0;
}
