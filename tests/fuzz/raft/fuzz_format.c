/* Raft's files with any bytes in them. The checksums are made right first, so that what lies behind
 * them is reached too. The first byte says which of the formats the rest is. */
#include "base/codec.h"
#include "raft/crc32c.h"
#include "raft/format.h"

#include <stdlib.h>
#include <string.h>

static void group(uint8_t *p, size_t n)
{
    struct raft_group g;

    (void)raft_group_scan(p, n, 1, 1);
    if (!raft_group_peek(p, n, &g) || g.size_bytes > n)
        return;
    be32_put(p + 4, raft_crc32c(0, p + 8, g.size_bytes - 8));
    if (!raft_group_check(p, n, &g) || g.entries_n == 0)
        return;
    struct raft_entry *e = calloc(g.entries_n, sizeof *e);
    size_t sum = 0;

    raft_group_entries(p, &g, e);
    for (uint32_t i = 0; i < g.entries_n; i++)
        for (size_t k = 0; k < e[i].buf.len; k++)
            sum += ((uint8_t *)e[i].buf.base)[k];
    if (sum == (size_t)-1)
        abort();
    raft_free(e[0].batch);
    free(e);
}

static void snapshot(uint8_t *p, size_t n)
{
    struct raft_snapshot_head h;
    struct raft_configuration conf;
    struct err e;

    if (n >= 16 && be32_get(p + 8) >= 16 && be32_get(p + 8) <= n)
        be32_put(p + 4, raft_crc32c(0, p + 8, be32_get(p + 8) - 8));
    raft_configuration_init(&conf);
    if (raft_snapshot_head_decode(p, n, &h, &conf, &e) == 0) {
        uint32_t last = raft_snapshot_chunks(&h);

        if (last > 0 && raft_snapshot_chunk_bytes(&h, last - 1) > RAFT_SNAPSHOT_CHUNK)
            abort();
    }
    raft_configuration_close(&conf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    uint8_t *copy = malloc(size > 1 ? size - 1 : 1);
    struct raft_meta m;

    memcpy(copy, data + 1, size - 1);
    if (data[0] % 3 == 0)
        group(copy, size - 1);
    else if (data[0] % 3 == 1)
        snapshot(copy, size - 1);
    else if (size - 1 >= RAFT_META_SIZE)
        (void)raft_meta_decode(copy, &m);
    free(copy);
    return 0;
}
