#include "wire/batch.h"

#include "base/check.h"
#include "base/codec.h"

/* The readers take (&p, end) and move p; false: cut off or out of range. Most numbers of a record
 * take one or two bytes, so these are read without a loop. */
static inline bool read_number(const uint8_t **p, const uint8_t *end, size_t max_bytes, uint64_t *v)
{
    const uint8_t *q = *p;
    size_t n;
    if (end - q >= 2 && q[0] < 0x80) {
        n = 1;
        *v = q[0];
    } else if (end - q >= 2 && q[1] < 0x80) {
        n = 2;
        *v = (uint64_t)(q[0] & 0x7f) | (uint64_t)q[1] << 7;
    } else {
        n = varint_get(q, end, max_bytes, v);
        if (n == 0)
            return false;
    }
    *p = q + n;
    return true;
}

static inline bool read_varint(const uint8_t **p, const uint8_t *end, int32_t *out)
{
    uint64_t v;
    if (!read_number(p, end, 5, &v))
        return false;
    *out = (int32_t)zigzag_decode(v);
    return true;
}

static inline bool read_varlong(const uint8_t **p, const uint8_t *end, int64_t *out)
{
    uint64_t v;
    if (!read_number(p, end, 10, &v))
        return false;
    *out = zigzag_decode(v);
    return true;
}

/* A length and that many bytes; -1 is null. */
static bool read_bytes(const uint8_t **p, const uint8_t *end, struct slice *out)
{
    int32_t n;
    if (!read_varint(p, end, &n) || n < -1 || n > end - *p)
        return false;
    *out = n < 0 ? SLICE_NULL : slice_of(*p, (size_t)n);
    if (n > 0)
        *p += n;
    return true;
}

static bool read_header(const uint8_t **p, const uint8_t *end, struct wire_record_header *out)
{
    return read_bytes(p, end, &out->key) && out->key.p && read_bytes(p, end, &out->value);
}

void wire_record_iter_init(struct wire_record_iter *it, struct slice records,
                           const struct wire_batch *b, bool consecutive)
{
    *it = (struct wire_record_iter){
        .p = records.p,
        .end = records.n ? records.p + records.n : records.p,
        .count = b->records_count,
        .last_offset_delta = -1,
        .max_offset_delta = b->last_offset_delta,
        .consecutive = consecutive,
    };
}

static int bad(struct err *err, const struct wire_record_iter *it, const char *what)
{
    return err_set(err, ERR_INVALID, "record %d of %d: %s", (int)it->index, (int)it->count, what);
}

static int check_offset(struct wire_record_iter *it, int32_t delta, struct err *err)
{
    bool good = it->consecutive ? delta == it->index : delta > it->last_offset_delta;
    if (!good || delta > it->max_offset_delta)
        return bad(err, it, "offset delta out of order");
    it->last_offset_delta = delta;
    return 0;
}

/* Everything between the record's length and its end. */
static int read_body(struct wire_record_iter *it, const uint8_t *p, const uint8_t *end,
                     struct wire_record *out, struct err *err)
{
    if (p == end)
        return bad(err, it, "empty");
    p++; /* attributes: none is defined, and Kafka ignores the byte */
    if (!read_varlong(&p, end, &out->timestamp_delta))
        return bad(err, it, "timestamp delta");
    if (!read_varint(&p, end, &out->offset_delta))
        return bad(err, it, "offset delta");
    int rv = check_offset(it, out->offset_delta, err);
    if (rv != 0)
        return rv;
    if (!read_bytes(&p, end, &out->key))
        return bad(err, it, "key length");
    if (!read_bytes(&p, end, &out->value))
        return bad(err, it, "value length");
    if (!read_varint(&p, end, &out->headers_count) || out->headers_count < 0 ||
        out->headers_count > WIRE_RECORD_HEADERS_MAX)
        return bad(err, it, "number of headers");
    const uint8_t *headers = p;
    for (int32_t i = 0; i < out->headers_count; i++) {
        struct wire_record_header h;
        if (!read_header(&p, end, &h))
            return bad(err, it, "header");
    }
    if (p != end)
        return bad(err, it, "length does not match its fields");
    out->headers = slice_of(headers, (size_t)(end - headers));
    return 0;
}

int wire_record_next(struct wire_record_iter *it, struct wire_record *out, struct err *err)
{
    if (it->index == it->count) {
        if (it->p != it->end)
            return bad(err, it, "bytes behind the last record");
        if (it->consecutive && it->last_offset_delta != it->max_offset_delta)
            return bad(err, it, "the last offset delta is not the header's");
        return 0;
    }
    const uint8_t *start = it->p, *p = it->p;
    int32_t n;
    if (!read_varint(&p, it->end, &n) || n < 0 || n > it->end - p)
        return bad(err, it, "record length");
    out->index = it->index;
    int rv = read_body(it, p, p + n, out, err);
    if (rv != 0)
        return rv;
    it->p = p + n;
    out->bytes = slice_of(start, (size_t)(it->p - start));
    it->index++;
    return 1;
}

void wire_header_iter_init(struct wire_header_iter *it, const struct wire_record *r)
{
    *it = (struct wire_header_iter){
        .p = r->headers.p, .end = r->headers.p + r->headers.n, .left = r->headers_count};
}

bool wire_header_next(struct wire_header_iter *it, struct wire_record_header *out)
{
    if (it->left == 0)
        return false;
    bool good = read_header(&it->p, it->end, out);
    ASSERT(good); /* wire_record_next has read them all */
    it->left--;
    return true;
}

bool wire_record_header_find(const struct wire_record *r, const char *name, struct slice *value)
{
    struct wire_header_iter it;
    struct wire_record_header h;
    bool found = false;
    wire_header_iter_init(&it, r);
    while (wire_header_next(&it, &h)) {
        if (slice_eq_str(h.key, name)) {
            *value = h.value;
            found = true;
        }
    }
    return found;
}
