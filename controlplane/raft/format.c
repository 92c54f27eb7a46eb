#include "raft/format.h"

#include "base/check.h"
#include "base/codec.h"
#include "raft/crc32c.h"

enum {
    MAGIC_META = 0x57524d31,  /* "WRM1" */
    MAGIC_GROUP = 0x57524731, /* "WRG1" */
    MAGIC_SNAP = 0x57525331,  /* "WRS1" */
    SNAP_FIXED = 80,
};

void raft_meta_encode(const struct raft_meta *m, uint8_t out[RAFT_META_SIZE])
{
    memset(out, 0, RAFT_META_SIZE);
    be32_put(out, MAGIC_META);
    be64_put(out + 8, m->incarnation);
    be64_put(out + 16, m->raft_id);
    be64_put(out + 24, m->sequence);
    be64_put(out + 32, m->term);
    be64_put(out + 40, m->voted_for);
    be32_put(out + 4, raft_crc32c(0, out + 8, RAFT_META_SIZE - 8));
}

bool raft_meta_decode(const uint8_t in[RAFT_META_SIZE], struct raft_meta *m)
{
    if (be32_get(in) != MAGIC_META ||
        be32_get(in + 4) != raft_crc32c(0, in + 8, RAFT_META_SIZE - 8))
        return false;
    m->incarnation = be64_get(in + 8);
    m->raft_id = be64_get(in + 16);
    m->sequence = be64_get(in + 24);
    m->term = be64_get(in + 32);
    m->voted_for = be64_get(in + 40);
    return m->sequence > 0;
}

size_t raft_group_size(const struct raft_entry *entries, size_t n)
{
    size_t size = RAFT_GROUP_HEAD + n * RAFT_GROUP_ENTRY_HEAD;

    for (size_t i = 0; i < n; i++) {
        ASSERT(entries[i].buf.len % 8 == 0);
        size += entries[i].buf.len;
    }
    return size;
}

void raft_group_encode(struct raft_group *g, const struct raft_entry *entries, size_t n,
                       struct bytes *out)
{
    size_t size = raft_group_size(entries, n);

    ASSERT(size <= RAFT_LOG_FILE_SIZE);
    g->size_bytes = (uint32_t)size;
    g->entries_n = (uint32_t)n;
    bytes_reserve(out, size);

    uint8_t *p = out->p + out->n;

    memset(p, 0, RAFT_GROUP_HEAD);
    be32_put(p, MAGIC_GROUP);
    be64_put(p + 8, g->incarnation);
    be64_put(p + 16, g->lsn);
    be64_put(p + 24, g->synced_lsn);
    be64_put(p + 32, g->first_index);
    be32_put(p + 40, g->size_bytes);
    be32_put(p + 44, g->prev_crc);
    be32_put(p + 48, (uint32_t)g->kind);
    be32_put(p + 52, g->entries_n);

    uint8_t *head = p + RAFT_GROUP_HEAD;
    uint8_t *data = head + n * RAFT_GROUP_ENTRY_HEAD;

    for (size_t i = 0; i < n; i++, head += RAFT_GROUP_ENTRY_HEAD) {
        be64_put(head, entries[i].term);
        be32_put(head + 8, (uint32_t)entries[i].buf.len);
        be32_put(head + 12, entries[i].type);
        if (entries[i].buf.len > 0)
            memcpy(data, entries[i].buf.base, entries[i].buf.len);
        data += entries[i].buf.len;
    }
    g->crc = raft_crc32c(0, p + 8, size - 8);
    be32_put(p + 4, g->crc);
    out->n += size;
}

bool raft_group_peek(const uint8_t *p, size_t n, struct raft_group *g)
{
    if (n < RAFT_GROUP_HEAD || be32_get(p) != MAGIC_GROUP)
        return false;
    g->crc = be32_get(p + 4);
    g->incarnation = be64_get(p + 8);
    g->lsn = be64_get(p + 16);
    g->synced_lsn = be64_get(p + 24);
    g->first_index = be64_get(p + 32);
    g->size_bytes = be32_get(p + 40);
    g->prev_crc = be32_get(p + 44);
    g->entries_n = be32_get(p + 52);

    uint32_t kind = be32_get(p + 48);

    if (kind < RAFT_GROUP_APPEND || kind > RAFT_GROUP_END)
        return false;
    g->kind = (enum raft_group_kind)kind;
    if (g->size_bytes < RAFT_GROUP_HEAD || g->size_bytes > RAFT_LOG_FILE_SIZE ||
        g->size_bytes % 8 != 0 ||
        g->entries_n > (g->size_bytes - RAFT_GROUP_HEAD) / RAFT_GROUP_ENTRY_HEAD)
        return false;
    return (g->kind == RAFT_GROUP_APPEND) == (g->entries_n > 0);
}

bool raft_group_check(const uint8_t *p, size_t n, struct raft_group *g)
{
    if (!raft_group_peek(p, n, g) || g->size_bytes > n)
        return false;
    if (g->crc != raft_crc32c(0, p + 8, g->size_bytes - 8))
        return false;

    size_t size = RAFT_GROUP_HEAD + (size_t)g->entries_n * RAFT_GROUP_ENTRY_HEAD;
    const uint8_t *head = p + RAFT_GROUP_HEAD;

    for (uint32_t i = 0; i < g->entries_n; i++, head += RAFT_GROUP_ENTRY_HEAD) {
        uint32_t length = be32_get(head + 8);
        uint32_t type = be32_get(head + 12);

        if (length % 8 != 0 || type < RAFT_COMMAND || type > RAFT_CHANGE)
            return false;
        size += length;
    }
    return size == g->size_bytes;
}

bool raft_group_follows(const struct raft_group *g, uint64_t incarnation, uint64_t lsn,
                        uint32_t crc)
{
    return g->incarnation == incarnation && g->lsn == lsn + 1 && g->prev_crc == crc;
}

void raft_group_entries(const uint8_t *p, const struct raft_group *g, struct raft_entry *entries)
{
    const uint8_t *head = p + RAFT_GROUP_HEAD;
    const uint8_t *data = head + (size_t)g->entries_n * RAFT_GROUP_ENTRY_HEAD;
    size_t size = g->size_bytes - (size_t)(data - p);
    uint8_t *batch = raft_malloc(size > 0 ? size : 1);

    ASSERT(batch != NULL);
    memcpy(batch, data, size);
    for (uint32_t i = 0; i < g->entries_n; i++, head += RAFT_GROUP_ENTRY_HEAD) {
        struct raft_entry *e = &entries[i];

        e->term = be64_get(head);
        e->buf.len = be32_get(head + 8);
        e->type = (unsigned short)be32_get(head + 12);
        e->buf.base = batch;
        e->batch = entries[0].buf.base;
        batch += e->buf.len;
    }
}

bool raft_group_scan(const uint8_t *p, size_t n, uint64_t incarnation, uint64_t lsn)
{
    for (size_t at = 0; at + RAFT_GROUP_HEAD <= n; at += 8) {
        struct raft_group g;

        if (be32_get(p + at) != MAGIC_GROUP || be64_get(p + at + 8) != incarnation ||
            be64_get(p + at + 24) < lsn)
            continue;
        if (raft_group_check(p + at, n - at, &g))
            return true;
    }
    return false;
}

void raft_snapshot_head_encode(struct raft_snapshot_head *h, const struct raft_configuration *conf,
                               struct bytes *out)
{
    size_t start = out->n;

    ASSERT(conf->n <= RAFT_SNAPSHOT_SERVERS_MAX);
    bytes_add_be32(out, MAGIC_SNAP);
    bytes_add_be32(out, 0); /* the checksum comes last */
    bytes_add_be32(out, 0); /* and the length of the header */
    bytes_add_be32(out, conf->n);
    bytes_add_be64(out, h->incarnation);
    bytes_add_be64(out, h->raft_id);
    bytes_add_be64(out, h->index);
    bytes_add_be64(out, h->term);
    bytes_add_be64(out, h->conf_index);
    bytes_add_be64(out, h->first_index);
    bytes_add_be64(out, h->data_bytes);
    bytes_add_be64(out, h->lsn);
    for (unsigned i = 0; i < conf->n; i++) {
        const struct raft_server *s = &conf->servers[i];
        size_t length = strlen(s->address);

        ASSERT(length <= RAFT_ADDRESS_MAX);
        bytes_add_be64(out, s->id);
        bytes_add_u8(out, (uint8_t)s->role);
        bytes_add_u8(out, (uint8_t)length);
        bytes_add(out, s->address, length);
    }
    while ((out->n - start) % 8 != 0)
        bytes_add_u8(out, 0);
    h->head_bytes = (uint32_t)(out->n - start);
    be32_put(out->p + start + 8, h->head_bytes);
    be32_put(out->p + start + 4, raft_crc32c(0, out->p + start + 8, h->head_bytes - 8));
}

static int snapshot_servers(const uint8_t *p, const uint8_t *end, uint32_t count,
                            struct raft_configuration *conf, struct err *e)
{
    for (uint32_t i = 0; i < count; i++) {
        char address[RAFT_ADDRESS_MAX + 1];

        if (end - p < 10 || end - p < 10 + p[9])
            return err_set(e, ERR_CORRUPT, "the configuration in it is cut off");
        memcpy(address, p + 10, p[9]);
        address[p[9]] = '\0';
        if (raft_configuration_add(conf, be64_get(p), address, p[8]) != 0)
            return err_set(e, ERR_CORRUPT, "the configuration in it is not valid");
        p += 10 + p[9];
    }
    return 0;
}

int raft_snapshot_head_decode(const uint8_t *p, size_t n, struct raft_snapshot_head *h,
                              struct raft_configuration *conf, struct err *e)
{
    if (n < SNAP_FIXED || be32_get(p) != MAGIC_SNAP)
        return err_set(e, ERR_CORRUPT, "it does not start as a snapshot does");
    h->head_bytes = be32_get(p + 8);
    if (h->head_bytes < SNAP_FIXED || h->head_bytes > n || h->head_bytes > RAFT_SNAPSHOT_HEAD_MAX ||
        be32_get(p + 4) != raft_crc32c(0, p + 8, h->head_bytes - 8))
        return err_set(e, ERR_CORRUPT, "the checksum of its header is wrong");
    h->incarnation = be64_get(p + 16);
    h->raft_id = be64_get(p + 24);
    h->index = be64_get(p + 32);
    h->term = be64_get(p + 40);
    h->conf_index = be64_get(p + 48);
    h->first_index = be64_get(p + 56);
    h->data_bytes = be64_get(p + 64);
    h->lsn = be64_get(p + 72);

    uint32_t servers = be32_get(p + 12);

    if (servers > RAFT_SNAPSHOT_SERVERS_MAX || h->index == 0 || h->term == 0 ||
        h->first_index == 0 || h->first_index > h->index + 1 || h->data_bytes > UINT32_MAX)
        return err_set(e, ERR_CORRUPT, "its header contradicts itself");
    return snapshot_servers(p + SNAP_FIXED, p + h->head_bytes, servers, conf, e);
}

void raft_snapshot_chunk_head(const struct raft_snapshot_head *h, uint32_t number, const void *p,
                              size_t n, uint8_t out[RAFT_SNAPSHOT_CHUNK_HEAD])
{
    uint8_t place[24];

    be64_put(place, h->incarnation);
    be64_put(place + 8, h->index);
    be32_put(place + 16, number);
    be32_put(place + 20, (uint32_t)n);
    be32_put(out, raft_crc32c(raft_crc32c(0, place, sizeof place), p, n));
    be32_put(out + 4, (uint32_t)n);
}

uint32_t raft_snapshot_chunks(const struct raft_snapshot_head *h)
{
    return (uint32_t)((h->data_bytes + RAFT_SNAPSHOT_CHUNK - 1) / RAFT_SNAPSHOT_CHUNK);
}

size_t raft_snapshot_chunk_bytes(const struct raft_snapshot_head *h, uint32_t number)
{
    uint64_t left = h->data_bytes - (uint64_t)number * RAFT_SNAPSHOT_CHUNK;

    return left < RAFT_SNAPSHOT_CHUNK ? (size_t)left : RAFT_SNAPSHOT_CHUNK;
}

uint64_t raft_snapshot_chunk_offset(const struct raft_snapshot_head *h, uint32_t number)
{
    return h->head_bytes + (uint64_t)number * (RAFT_SNAPSHOT_CHUNK + RAFT_SNAPSHOT_CHUNK_HEAD);
}
