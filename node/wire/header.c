#include "wire/header.h"

#include "base/check.h"
#include "base/codec.h"
#include "wire/api.h"

/* Tagged fields of headers: none is known, all are skipped. */
static int skip_tagged(const uint8_t **p, const uint8_t *end, struct err *err)
{
    uint64_t n, tag, size;
    size_t used = varint_get(*p, end, 5, &n);
    *p += used;
    while (used > 0 && n > 0) {
        if ((used = varint_get(*p, end, 5, &tag)) == 0)
            break;
        *p += used;
        if ((used = varint_get(*p, end, 5, &size)) == 0)
            break;
        *p += used;
        if (size > (size_t)(end - *p)) {
            used = 0;
            break;
        }
        *p += size;
        n--;
    }
    if (used == 0)
        return err_set(err, ERR_INVALID, "the header's tagged fields are cut off");
    return 0;
}

int wire_decode_request_header(struct slice frame, struct wire_request_header *out,
                               struct slice *body, struct err *err)
{
    if (frame.n < WIRE_REQUEST_MIN_BYTES)
        return err_set(err, ERR_INVALID, "a request of %zu bytes has no whole header", frame.n);
    const uint8_t *p = frame.p, *end = frame.p + frame.n;
    out->api_key = (int16_t)be16_get(p);
    out->api_version = (int16_t)be16_get(p + 2);
    out->correlation_id = (int32_t)be32_get(p + 4);
    out->client_id = SLICE_NULL;
    int16_t n = (int16_t)be16_get(p + 8);
    p += WIRE_REQUEST_MIN_BYTES;
    if (n < -1 || n > end - p)
        return err_set(err, ERR_INVALID, "client id of %d bytes in a request of %zu", n, frame.n);
    if (n >= 0) {
        out->client_id = slice_of(p, (size_t)n);
        p += n;
    }
    bool known = wire_api_codec_has(out->api_key, out->api_version);
    if (known && wire_api_is_flexible(out->api_key, out->api_version)) {
        int rv = skip_tagged(&p, end, err);
        if (rv != 0)
            return rv;
    }
    /* A newer ApiVersions must be answered, but nothing of it can be understood. */
    if (!known && out->api_key == WIRE_API_VERSIONS)
        p = end;
    *body = slice_of(p, (size_t)(end - p));
    return 0;
}

static bool response_header_is_flexible(int16_t api_key, int16_t version)
{
    return api_key != WIRE_API_VERSIONS && wire_api_is_flexible(api_key, version);
}

size_t wire_begin_response(struct bytes *out, int16_t api_key, int16_t version,
                           int32_t correlation_id)
{
    size_t start = out->n;
    bytes_add_be32(out, 0);
    bytes_add_be32(out, (uint32_t)correlation_id);
    if (response_header_is_flexible(api_key, version))
        bytes_add_u8(out, 0);
    return start;
}

size_t wire_begin_request(struct bytes *out, const struct wire_request_header *header)
{
    size_t start = out->n;
    ASSERT(header->client_id.n <= INT16_MAX);
    bytes_add_be32(out, 0);
    bytes_add_be16(out, (uint16_t)header->api_key);
    bytes_add_be16(out, (uint16_t)header->api_version);
    bytes_add_be32(out, (uint32_t)header->correlation_id);
    if (header->client_id.p) {
        bytes_add_be16(out, (uint16_t)header->client_id.n);
        bytes_add_slice(out, header->client_id);
    } else {
        bytes_add_be16(out, UINT16_MAX);
    }
    if (wire_api_is_flexible(header->api_key, header->api_version))
        bytes_add_u8(out, 0);
    return start;
}

void wire_end_frame(struct bytes *out, size_t start, size_t cut_bytes)
{
    ASSERT(out->n >= start + 4);
    size_t n = out->n - start - 4 + cut_bytes;
    ASSERT(n <= INT32_MAX);
    be32_put(out->p + start, (uint32_t)n);
}

int wire_decode_response_header(struct slice frame, int16_t api_key, int16_t version,
                                int32_t *correlation_id, struct slice *body, struct err *err)
{
    if (frame.n < 4)
        return err_set(err, ERR_INVALID, "a response of %zu bytes has no whole header", frame.n);
    const uint8_t *p = frame.p, *end = frame.p + frame.n;
    *correlation_id = (int32_t)be32_get(p);
    p += 4;
    if (response_header_is_flexible(api_key, version)) {
        int rv = skip_tagged(&p, end, err);
        if (rv != 0)
            return rv;
    }
    *body = slice_of(p, (size_t)(end - p));
    return 0;
}
