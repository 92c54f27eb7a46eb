#include "catalogue/facts.h"

#include "base/check.h"
#include "base/codec.h"

#include <zstd.h>

enum { HEADER_BYTES = 8, FLAG_ZSTD = 1, HEAD_STRICT = 1 };

static void put_varint(struct bytes *b, uint64_t v)
{
    bytes_reserve(b, 10);
    b->n += varint_put(b->p + b->n, v);
}

static void put_slice(struct bytes *b, struct slice s)
{
    put_varint(b, s.n);
    bytes_add_slice(b, s);
}

static void add_op(struct facts *f, enum fact_op op, const struct row *r, const uint64_t *expected,
                   bool all)
{
    bytes_add_u8(&f->ops, (uint8_t)op);
    bytes_add_u8(&f->ops, (uint8_t)r->table->id);
    if (expected)
        put_varint(&f->ops, *expected);
    row_write_cells(r, 0, all ? r->table->cells_n : r->table->keys_n, &f->ops);
    f->ops_n++;
}

void facts_put(struct facts *f, const struct row *r, uint64_t expected_rev)
{
    add_op(f, FACT_PUT, r, &expected_rev, true);
}

void facts_put_any(struct facts *f, const struct row *r)
{
    add_op(f, FACT_PUT_ANY, r, NULL, true);
}

void facts_delete(struct facts *f, const struct row *r, uint64_t expected_rev)
{
    add_op(f, FACT_DELETE, r, &expected_rev, false);
}

void facts_delete_any(struct facts *f, const struct row *r)
{
    add_op(f, FACT_DELETE_ANY, r, NULL, false);
}

void facts_check(struct facts *f, const struct row *r, uint64_t expected_rev)
{
    add_op(f, FACT_CHECK, r, &expected_rev, false);
}

void facts_exists(struct facts *f, const struct row *r)
{
    add_op(f, FACT_EXISTS, r, NULL, false);
}

static void write_payload(const struct facts_head *h, const struct facts *f, struct bytes *out)
{
    bytes_add_u8(out, (uint8_t)h->kind);
    bytes_add_u8(out, h->strict ? HEAD_STRICT : 0);
    put_varint(out, h->request_id);
    put_varint(out, h->base_version);
    put_varint(out, zigzag_encode(h->time_ms));
    const struct slice texts[] = {h->principal, h->correlation_id,  h->action,
                                  h->target,    h->detail,          h->message,
                                  h->body,      h->idempotency_key, h->request_digest};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        put_slice(out, texts[i]);
    put_varint(out, zigzag_encode(h->first_producer_id));
    bytes_add(out, h->topic_id.bytes, sizeof h->topic_id.bytes);
    put_varint(out, f->ops_n);
    bytes_add(out, f->ops.p, f->ops.n);
}

int facts_encode(const struct facts_head *head, const struct facts *f, struct bytes *out,
                 struct err *err)
{
    int rc = 0;
    struct bytes raw = {0};
    write_payload(head, f, &raw);
    bytes_clear(out);
    if (raw.n > CATALOGUE_ENTRY_RAW_MAX_BYTES) {
        rc = err_set(err, ERR_LIMIT, "the change is %zu bytes, more than %d; apply it in parts",
                     raw.n, (int)CATALOGUE_ENTRY_RAW_MAX_BYTES);
        goto done;
    }
    bool squeeze = raw.n > CATALOGUE_ENTRY_COMPRESS_BYTES;
    size_t bound = squeeze ? ZSTD_compressBound(raw.n) : raw.n;
    bytes_reserve(out, HEADER_BYTES + bound + 8);
    bytes_add_str(out, "WF");
    bytes_add_u8(out, FACTS_VERSION);
    bytes_add_u8(out, squeeze ? FLAG_ZSTD : 0);
    bytes_add_be32(out, (uint32_t)raw.n);
    if (squeeze) {
        size_t n = ZSTD_compress(out->p + out->n, bound, raw.p, raw.n, 3);
        ASSERT(!ZSTD_isError(n));
        out->n += n;
    } else {
        bytes_add(out, raw.p, raw.n);
    }
    while (out->n % 8)
        bytes_add_u8(out, 0);
    if (out->n > CATALOGUE_ENTRY_MAX_BYTES) {
        rc = err_set(err, ERR_LIMIT,
                     "the change is %zu bytes (%zu before compression), more than the %d that one "
                     "entry may have; apply it in parts",
                     out->n, raw.n, (int)CATALOGUE_ENTRY_MAX_BYTES);
        bytes_clear(out);
    }
done:
    bytes_free(&raw);
    return rc;
}

static bool get_varint(struct facts_reader *r, uint64_t *v)
{
    size_t n = varint_get(r->p, r->end, 10, v);
    r->p += n;
    return n != 0;
}

static bool get_slice(struct facts_reader *r, struct slice *out)
{
    uint64_t n;
    if (!get_varint(r, &n) || n > (uint64_t)(r->end - r->p))
        return false;
    *out = slice_of(r->p, (size_t)n);
    r->p += n;
    return true;
}

static bool read_head(struct facts_reader *r, struct facts_head *h)
{
    uint64_t v;
    if (r->end - r->p < 2)
        return false;
    h->kind = (enum request_kind)r->p[0];
    h->strict = (r->p[1] & HEAD_STRICT) != 0;
    r->p += 2;
    if (!get_varint(r, &h->request_id) || !get_varint(r, &h->base_version) || !get_varint(r, &v))
        return false;
    h->time_ms = zigzag_decode(v);
    struct slice *texts[] = {&h->principal, &h->correlation_id,  &h->action,
                             &h->target,    &h->detail,          &h->message,
                             &h->body,      &h->idempotency_key, &h->request_digest};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (!get_slice(r, texts[i]))
            return false;
    if (!get_varint(r, &v))
        return false;
    h->first_producer_id = zigzag_decode(v);
    if ((size_t)(r->end - r->p) < sizeof h->topic_id.bytes)
        return false;
    memcpy(h->topic_id.bytes, r->p, sizeof h->topic_id.bytes);
    r->p += sizeof h->topic_id.bytes;
    return get_varint(r, &r->left);
}

int facts_open(struct facts_reader *r, struct slice entry, struct facts_head *head, struct err *err)
{
    *r = (struct facts_reader){0};
    *head = (struct facts_head){0};
    if (entry.n < HEADER_BYTES || memcmp(entry.p, "WF", 2) != 0)
        return err_set(err, ERR_CORRUPT, "not a catalogue entry (%zu bytes)", entry.n);
    if (entry.p[2] != FACTS_VERSION || (entry.p[3] & ~FLAG_ZSTD))
        return err_set(err, ERR_UNSUPPORTED,
                       "a catalogue entry of version %d, flags %d: written by a "
                       "newer writ; upgrade this node",
                       entry.p[2], entry.p[3]);
    size_t raw_n = be32_get(entry.p + 4);
    if (raw_n > CATALOGUE_ENTRY_RAW_MAX_BYTES)
        return err_set(err, ERR_CORRUPT, "a catalogue entry of %zu bytes", raw_n);
    struct slice payload = slice_of(entry.p + HEADER_BYTES, entry.n - HEADER_BYTES);
    if (entry.p[3] & FLAG_ZSTD) {
        size_t n = ZSTD_findFrameCompressedSize(payload.p, payload.n);
        bytes_reserve(&r->raw, raw_n);
        size_t got = ZSTD_isError(n) ? n : ZSTD_decompress(r->raw.p, raw_n, payload.p, n);
        if (ZSTD_isError(got) || got != raw_n) {
            facts_reader_free(r);
            return err_set(err, ERR_CORRUPT, "a catalogue entry that does not decompress");
        }
        r->raw.n = raw_n;
        payload = bytes_slice(&r->raw);
    } else if (raw_n > payload.n) {
        return err_set(err, ERR_CORRUPT, "a truncated catalogue entry");
    }
    r->p = payload.p;
    r->end = payload.p + raw_n;
    if (!read_head(r, head)) {
        facts_reader_free(r);
        return err_set(err, ERR_CORRUPT, "a catalogue entry with a damaged head");
    }
    return 0;
}

int facts_next(struct facts_reader *r, struct fact *out)
{
    if (r->left == 0)
        return r->p == r->end ? 0 : ERR_CORRUPT;
    r->left--;
    if (r->end - r->p < 2)
        return ERR_CORRUPT;
    *out = (struct fact){.op = (enum fact_op)r->p[0]};
    out->row.table = table_of(r->p[1]);
    r->p += 2;
    if (!out->row.table || out->op < FACT_PUT || out->op > FACT_EXISTS)
        return ERR_CORRUPT;
    bool expects = out->op == FACT_PUT || out->op == FACT_DELETE || out->op == FACT_CHECK;
    if (expects && !get_varint(r, &out->expected_rev))
        return ERR_CORRUPT;
    bool all = out->op == FACT_PUT || out->op == FACT_PUT_ANY;
    unsigned n = all ? out->row.table->cells_n : out->row.table->keys_n;
    return row_read_cells(&out->row, 0, n, &r->p, r->end) ? 1 : ERR_CORRUPT;
}

void facts_reader_free(struct facts_reader *r)
{
    bytes_free(&r->raw);
}
