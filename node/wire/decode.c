#include "wire/message.h"

#include "base/check.h"
#include "base/codec.h"
#include "wire/api.h"
#include "wire/describe.h"

#define STRING_MAX_BYTES 32767

/* Where we are in the input. `end` is narrowed while a tagged field is read. */
struct reader {
    const uint8_t *p;
    const uint8_t *end;
    struct arena *arena;
    size_t budget_bytes; /* left of WIRE_DECODE_MAX_BYTES */
    struct err *err;
    int16_t version;
    bool flexible;
};

static int decode_struct(struct reader *r, const struct wire_struct *s, uint8_t *out);

static size_t left_bytes(const struct reader *r)
{
    return (size_t)(r->end - r->p);
}

static int short_input(struct reader *r, const struct wire_field *f)
{
    return err_set(r->err, ERR_INVALID, "%s: the request ends too early", f->name);
}

static uint8_t *take_memory(struct reader *r, size_t size_bytes)
{
    if (size_bytes > r->budget_bytes)
        return NULL;
    r->budget_bytes -= size_bytes;
    return arena_try_alloc(r->arena, size_bytes);
}

static int read_uvarint(struct reader *r, uint32_t *out)
{
    uint64_t v;
    if (r->p < r->end && *r->p < 0x80) {
        *out = *r->p++;
        return 0;
    }
    size_t n = varint_get(r->p, r->end, 5, &v);
    if (n == 0 || v > INT32_MAX)
        return err_set(r->err, ERR_INVALID, "a length is cut off or too large");
    r->p += n;
    *out = (uint32_t)v;
    return 0;
}

/* A length or count as the field's type and the version write it; -1 is null. */
static int read_length(struct reader *r, const struct wire_field *f, size_t width, int32_t *out)
{
    if (r->flexible) {
        uint32_t v;
        int rv = read_uvarint(r, &v);
        if (rv != 0)
            return err_wrap(r->err, "%s", f->name);
        *out = (int32_t)v - 1;
    } else {
        if (left_bytes(r) < width)
            return short_input(r, f);
        *out = width == 2 ? (int16_t)be16_get(r->p) : (int32_t)be32_get(r->p);
        r->p += width;
    }
    if (*out < -1)
        return err_set(r->err, ERR_INVALID, "%s: negative length %d", f->name, (int)*out);
    return 0;
}

static int decode_slice(struct reader *r, const struct wire_field *f, bool nullable, uint8_t *out)
{
    struct slice s = SLICE_NULL;
    int32_t n;
    int rv = read_length(r, f, f->type == WIRE_TYPE_STRING ? 2 : 4, &n);
    if (rv != 0)
        return rv;
    if (n < 0 && !nullable)
        return err_set(r->err, ERR_INVALID, "%s: null is not allowed", f->name);
    if (n >= 0) {
        if ((size_t)n > left_bytes(r))
            return short_input(r, f);
        if (f->type == WIRE_TYPE_STRING && n > STRING_MAX_BYTES)
            return err_set(r->err, ERR_INVALID, "%s: %d bytes are too many for a string", f->name,
                           (int)n);
        s = slice_of(r->p, (size_t)n);
        r->p += n;
    }
    memcpy(out, &s, sizeof(s));
    return 0;
}

static int decode_value(struct reader *r, const struct wire_field *f, bool nullable, uint8_t *out)
{
    static const uint8_t width[] = {1, 1, 2, 4, 8, 16};

    if (f->type > WIRE_TYPE_UUID)
        return decode_slice(r, f, nullable, out);
    if (left_bytes(r) < width[f->type])
        return short_input(r, f);
    switch (f->type) {
    case WIRE_TYPE_BOOL: {
        bool v = *r->p != 0;
        memcpy(out, &v, sizeof(v));
        break;
    }
    case WIRE_TYPE_INT16: {
        uint16_t v = be16_get(r->p);
        memcpy(out, &v, sizeof(v));
        break;
    }
    case WIRE_TYPE_INT32: {
        uint32_t v = be32_get(r->p);
        memcpy(out, &v, sizeof(v));
        break;
    }
    case WIRE_TYPE_INT64: {
        uint64_t v = be64_get(r->p);
        memcpy(out, &v, sizeof(v));
        break;
    }
    default: /* int8 and uuid are bytes */
        memcpy(out, r->p, width[f->type]);
    }
    r->p += width[f->type];
    return 0;
}

/* The fewest bytes that one element of an array takes. */
static size_t element_min_bytes(const struct reader *r, const struct wire_field *f)
{
    static const uint8_t fixed[] = {1, 1, 2, 4, 8, 16};

    if (f->type == WIRE_TYPE_STRUCT)
        return wire_struct_min_bytes(f->object(), r->version, r->flexible);
    if (f->type <= WIRE_TYPE_UUID)
        return fixed[f->type];
    return r->flexible ? 1 : 2;
}

static int decode_many(struct reader *r, const struct wire_field *f, uint8_t *out)
{
    int32_t n;
    int rv = read_length(r, f, 4, &n);
    if (rv != 0)
        return rv;
    if (n < 0 && !wire_field_nullable(f, r->version))
        return err_set(r->err, ERR_INVALID, "%s: null is not allowed", f->name);
    memcpy(out + f->count_offset, &n, sizeof(n));
    if (n <= 0)
        return 0;

    size_t min_bytes = element_min_bytes(r, f);
    if (min_bytes == 0 || (size_t)n > left_bytes(r) / min_bytes)
        return err_set(r->err, ERR_INVALID, "%s: %d elements in %zu bytes", f->name, (int)n,
                       left_bytes(r));
    const struct wire_struct *s = f->type == WIRE_TYPE_STRUCT ? f->object() : NULL;
    size_t size = s ? s->size_bytes : wire_type_size(f->type);
    uint8_t *element = take_memory(r, (size_t)n * size);
    if (!element)
        return err_set(r->err, ERR_LIMIT, "%s: %d elements need more memory than one request may",
                       f->name, (int)n);
    memcpy(out + f->offset, &element, sizeof(element));
    for (int32_t i = 0; i < n; i++, element += size) {
        rv = s ? decode_struct(r, s, element) : decode_value(r, f, false, element);
        if (rv != 0)
            return err_wrap(r->err, "%s[%d]", f->name, (int)i);
    }
    return 0;
}

static int decode_pointer(struct reader *r, const struct wire_field *f, uint8_t *out)
{
    const struct wire_struct *s = f->object();
    if (left_bytes(r) < 1)
        return short_input(r, f);
    int8_t mark = (int8_t)*r->p++;
    if (mark < 0)
        return 0;
    uint8_t *object = take_memory(r, s->size_bytes);
    if (!object)
        return err_set(r->err, ERR_LIMIT, "%s: no memory left for this request", f->name);
    memcpy(out + f->offset, &object, sizeof(object));
    return decode_struct(r, s, object);
}

static int decode_field(struct reader *r, const struct wire_field *f, uint8_t *out)
{
    switch (f->shape) {
    case WIRE_SHAPE_MANY:
        return decode_many(r, f, out);
    case WIRE_SHAPE_POINTER:
        return decode_pointer(r, f, out);
    default:
        if (f->type == WIRE_TYPE_STRUCT)
            return decode_struct(r, f->object(), out + f->offset);
        return decode_value(r, f, wire_field_nullable(f, r->version), out + f->offset);
    }
}

static const struct wire_field *tagged_field(const struct wire_struct *s, int16_t version,
                                             uint32_t tag)
{
    for (size_t i = 0; i < s->fields_n; i++) {
        const struct wire_field *f = &s->field[i];
        if (f->tag >= 0 && (uint32_t)f->tag == tag && wire_field_has(f, version))
            return f;
    }
    return NULL;
}

/* KIP-482: number of fields, then for each its tag (ascending), its size and its bytes. */
static int decode_tagged(struct reader *r, const struct wire_struct *s, uint8_t *out)
{
    uint32_t n, tag, size;
    int64_t previous = -1;
    int rv = read_uvarint(r, &n);
    if (rv != 0)
        return err_wrap(r->err, "tagged fields");
    for (; n > 0; n--) {
        if ((rv = read_uvarint(r, &tag)) != 0 || (rv = read_uvarint(r, &size)) != 0)
            return err_wrap(r->err, "tagged fields");
        if ((int64_t)tag <= previous)
            return err_set(r->err, ERR_INVALID, "tagged field %u is out of order", tag);
        if (size > left_bytes(r))
            return err_set(r->err, ERR_INVALID, "tagged field %u: the request ends too early", tag);
        previous = tag;

        const struct wire_field *f = tagged_field(s, r->version, tag);
        const uint8_t *outer = r->end;
        const uint8_t *next = r->p + size;
        if (f) {
            r->end = next;
            rv = decode_field(r, f, out);
            if (rv == 0 && r->p != next)
                rv = err_set(r->err, ERR_INVALID, "%s: wrong size of a tagged field", f->name);
            r->end = outer;
            if (rv != 0)
                return rv;
        }
        r->p = next;
    }
    return 0;
}

static int decode_struct(struct reader *r, const struct wire_struct *s, uint8_t *out)
{
    memcpy(out, s->dflt, s->size_bytes);
    for (size_t i = 0; i < s->fields_n; i++) {
        const struct wire_field *f = &s->field[i];
        if (f->tag >= 0 || !wire_field_has(f, r->version))
            continue;
        int rv = decode_field(r, f, out);
        if (rv != 0)
            return rv;
    }
    return r->flexible ? decode_tagged(r, s, out) : 0;
}

static int decode_message(int16_t api_key, int16_t version, bool response, struct slice body,
                          struct arena *a, void **out, struct err *err)
{
    if (!wire_api_codec_has(api_key, version))
        return err_set(err, ERR_UNSUPPORTED, "api %d version %d is not known", api_key, version);
    /* Wrapping works on a struct of our own when the caller wants none. */
    struct err ignored = {0};
    const struct wire_struct *s = wire_describe(api_key, response);
    struct reader r = {
        .p = body.p,
        .end = body.n ? body.p + body.n : body.p,
        .arena = a,
        .budget_bytes = WIRE_DECODE_MAX_BYTES,
        .err = err ? err : &ignored,
        .version = version,
        .flexible = wire_api_is_flexible(api_key, version),
    };
    uint8_t *message = arena_try_alloc(a, s->size_bytes);
    if (!message)
        return err_set(err, ERR_LIMIT, "no memory left for this request");
    int rv = decode_struct(&r, s, message);
    if (rv != 0)
        return rv;
    /* Kafka ignores what follows a request, and librdkafka 2 relies on it: its Metadata for all
     * topics has three bytes too many. */
    if (response && r.p != r.end)
        return err_set(err, ERR_INVALID, "%zu bytes behind the end of the response",
                       (size_t)(r.end - r.p));
    *out = message;
    return 0;
}

int wire_decode_request(int16_t api_key, int16_t version, struct slice body, struct arena *a,
                        void **out, struct err *err)
{
    return decode_message(api_key, version, false, body, a, out, err);
}

int wire_decode_response(int16_t api_key, int16_t version, struct slice body, struct arena *a,
                         void **out, struct err *err)
{
    return decode_message(api_key, version, true, body, a, out, err);
}
