#include "wire/message.h"

#include "base/check.h"
#include "base/codec.h"
#include "wire/api.h"
#include "wire/describe.h"

#define STRING_MAX_BYTES 32767

struct writer {
    struct bytes *out;
    int16_t version;
    bool flexible;
    struct wire_cut *cut; /* NULL: records are copied */
    size_t cuts_cap;
    size_t cuts_n;
};

static int encode_struct(struct writer *w, const struct wire_struct *s, const uint8_t *in);

static void put_uvarint(struct bytes *out, uint64_t v)
{
    uint8_t text[10];
    bytes_add(out, text, varint_put(text, v));
}

/* n is -1 for null. */
static void put_length(struct writer *w, size_t width, int64_t n)
{
    if (w->flexible)
        put_uvarint(w->out, (uint64_t)(n + 1));
    else if (width == 2)
        bytes_add_be16(w->out, (uint16_t)n);
    else
        bytes_add_be32(w->out, (uint32_t)n);
}

static int encode_slice(struct writer *w, const struct wire_field *f, bool nullable,
                        const uint8_t *in)
{
    struct slice s;
    memcpy(&s, in, sizeof(s));
    size_t width = f->type == WIRE_TYPE_STRING ? 2 : 4;
    if (!s.p && nullable) {
        put_length(w, width, -1);
        return 0;
    }
    if (s.n > (width == 2 ? STRING_MAX_BYTES : INT32_MAX))
        return ERR_LIMIT;
    put_length(w, width, (int64_t)s.n);
    if (s.n > 0 && w->cut && f->type == WIRE_TYPE_RECORDS) {
        if (w->cuts_n == w->cuts_cap)
            return ERR_LIMIT;
        w->cut[w->cuts_n++] = (struct wire_cut){.at = w->out->n, .records = s};
    } else {
        bytes_add_slice(w->out, s);
    }
    return 0;
}

static int encode_value(struct writer *w, const struct wire_field *f, bool nullable,
                        const uint8_t *in)
{
    switch (f->type) {
    case WIRE_TYPE_BOOL:
    case WIRE_TYPE_INT8:
        bytes_add_u8(w->out, *in);
        return 0;
    case WIRE_TYPE_INT16: {
        uint16_t v;
        memcpy(&v, in, sizeof(v));
        bytes_add_be16(w->out, v);
        return 0;
    }
    case WIRE_TYPE_INT32: {
        uint32_t v;
        memcpy(&v, in, sizeof(v));
        bytes_add_be32(w->out, v);
        return 0;
    }
    case WIRE_TYPE_INT64: {
        uint64_t v;
        memcpy(&v, in, sizeof(v));
        bytes_add_be64(w->out, v);
        return 0;
    }
    case WIRE_TYPE_UUID:
        bytes_add(w->out, in, 16);
        return 0;
    default:
        return encode_slice(w, f, nullable, in);
    }
}

static int encode_many(struct writer *w, const struct wire_field *f, const uint8_t *in)
{
    const uint8_t *element;
    int32_t n;
    memcpy(&element, in + f->offset, sizeof(element));
    memcpy(&n, in + f->count_offset, sizeof(n));
    if (n < 0) {
        put_length(w, 4, wire_field_nullable(f, w->version) ? -1 : 0);
        return 0;
    }
    put_length(w, 4, n);
    const struct wire_struct *s = f->type == WIRE_TYPE_STRUCT ? f->object() : NULL;
    size_t size = s ? s->size_bytes : wire_type_size(f->type);
    for (int32_t i = 0; i < n; i++, element += size) {
        int rv = s ? encode_struct(w, s, element) : encode_value(w, f, false, element);
        if (rv != 0)
            return rv;
    }
    return 0;
}

static int encode_field(struct writer *w, const struct wire_field *f, const uint8_t *in)
{
    if (f->shape == WIRE_SHAPE_MANY)
        return encode_many(w, f, in);
    if (f->shape == WIRE_SHAPE_POINTER) {
        const uint8_t *object;
        memcpy(&object, in + f->offset, sizeof(object));
        bytes_add_u8(w->out, object ? 1 : 0xff);
        return object ? encode_struct(w, f->object(), object) : 0;
    }
    if (f->type == WIRE_TYPE_STRUCT)
        return encode_struct(w, f->object(), in + f->offset);
    return encode_value(w, f, wire_field_nullable(f, w->version), in + f->offset);
}

/* Whether a field has its default value (arrays: is empty), so that its tag may be left out. */
static bool field_is_default(const struct wire_field *f, const uint8_t *in, const uint8_t *dflt)
{
    if (f->shape == WIRE_SHAPE_MANY) {
        int32_t n;
        memcpy(&n, in + f->count_offset, sizeof(n));
        return n <= 0;
    }
    ASSERT(f->shape == WIRE_SHAPE_ONE);
    if (f->type == WIRE_TYPE_STRUCT) {
        const struct wire_struct *s = f->object();
        for (size_t i = 0; i < s->fields_n; i++) {
            if (!field_is_default(&s->field[i], in + f->offset, s->dflt))
                return false;
        }
        return true;
    }
    if (f->type >= WIRE_TYPE_STRING) {
        struct slice a, b;
        memcpy(&a, in + f->offset, sizeof(a));
        memcpy(&b, dflt + f->offset, sizeof(b));
        return !a.p == !b.p && slice_eq(a, b);
    }
    return memcmp(in + f->offset, dflt + f->offset, wire_type_size(f->type)) == 0;
}

/* The size precedes the bytes and is a varint: write the bytes, then push them aside for it. */
static int encode_tagged_field(struct writer *w, const struct wire_field *f, const uint8_t *in)
{
    put_uvarint(w->out, (uint64_t)f->tag);
    size_t start = w->out->n;
    int rv = encode_field(w, f, in);
    if (rv != 0)
        return rv;
    size_t size = w->out->n - start;
    size_t width = varint_size(size);
    bytes_reserve(w->out, width);
    memmove(w->out->p + start + width, w->out->p + start, size);
    varint_put(w->out->p + start, size);
    w->out->n += width;
    return 0;
}

static bool writes_tag(const struct writer *w, const struct wire_struct *s,
                       const struct wire_field *f, const uint8_t *in)
{
    return f->tag >= 0 && wire_field_has(f, w->version) && !field_is_default(f, in, s->dflt);
}

/* The declarations list tagged fields by ascending tag, as the format wants them (tested). */
static int encode_tagged(struct writer *w, const struct wire_struct *s, const uint8_t *in)
{
    unsigned n = 0;
    for (size_t i = 0; i < s->fields_n; i++)
        n += writes_tag(w, s, &s->field[i], in);
    put_uvarint(w->out, n);
    for (size_t i = 0; n > 0 && i < s->fields_n; i++) {
        if (!writes_tag(w, s, &s->field[i], in))
            continue;
        int rv = encode_tagged_field(w, &s->field[i], in);
        if (rv != 0)
            return rv;
    }
    return 0;
}

static int encode_struct(struct writer *w, const struct wire_struct *s, const uint8_t *in)
{
    for (size_t i = 0; i < s->fields_n; i++) {
        const struct wire_field *f = &s->field[i];
        if (f->tag >= 0 || !wire_field_has(f, w->version))
            continue;
        int rv = encode_field(w, f, in);
        if (rv != 0)
            return rv;
    }
    return w->flexible ? encode_tagged(w, s, in) : 0;
}

static int encode_message(int16_t api_key, bool response, const void *message, struct writer *w)
{
    if (!wire_api_codec_has(api_key, w->version))
        return ERR_UNSUPPORTED;
    size_t start = w->out->n;
    w->flexible = wire_api_is_flexible(api_key, w->version);
    int rv = encode_struct(w, wire_describe(api_key, response), message);
    if (rv != 0)
        w->out->n = start;
    return rv;
}

int wire_encode_request(int16_t api_key, int16_t version, const void *request, struct bytes *out)
{
    struct writer w = {.out = out, .version = version};
    return encode_message(api_key, false, request, &w);
}

int wire_encode_response(int16_t api_key, int16_t version, const void *response, struct bytes *out)
{
    struct writer w = {.out = out, .version = version};
    return encode_message(api_key, true, response, &w);
}

int wire_encode_response_cut(int16_t api_key, int16_t version, const void *response,
                             struct bytes *out, struct wire_cut *cut, size_t cuts_cap,
                             size_t *cuts_n)
{
    struct wire_cut none;
    struct writer w = {
        .out = out, .version = version, .cut = cut ? cut : &none, .cuts_cap = cut ? cuts_cap : 0};
    int rv = encode_message(api_key, true, response, &w);
    *cuts_n = rv == 0 ? w.cuts_n : 0;
    return rv;
}
