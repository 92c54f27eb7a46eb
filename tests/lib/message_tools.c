#include "message_tools.h"

#include "base/codec.h"

#include <inttypes.h>

uint64_t test_random_next(struct test_random *r) /* splitmix64 */
{
    uint64_t z = (r->state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint64_t test_random_below(struct test_random *r, uint64_t n)
{
    return test_random_next(r) % n;
}

static struct slice random_bytes(struct test_random *r, bool nullable, struct arena *a)
{
    static const uint8_t nothing[1];
    static const uint8_t length[] = {0, 1, 3, 12, 40, 127, 128, 200};
    if (nullable && test_random_below(r, 3) == 0)
        return SLICE_NULL;
    size_t n = length[test_random_below(r, sizeof(length))];
    if (n == 0)
        return slice_of(nothing, 0);
    uint8_t *p = arena_alloc(a, n);
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)('a' + test_random_below(r, 26));
    return slice_of(p, n);
}

static void fill_value(struct test_random *r, const struct wire_field *f, bool nullable,
                       struct arena *a, uint8_t *out)
{
    /* small numbers and numbers of all widths, of both signs */
    uint64_t v = test_random_next(r);
    v >>= test_random_below(r, 64);
    if (test_random_below(r, 4) == 0)
        v = ~v;
    if (f->type == WIRE_TYPE_BOOL) {
        bool yes = v & 1;
        memcpy(out, &yes, sizeof(yes));
    } else if (f->type <= WIRE_TYPE_INT64) {
        memcpy(out, &v, wire_type_size(f->type)); /* little end first */
    } else if (f->type == WIRE_TYPE_UUID) {
        uint64_t w = test_random_next(r);
        memcpy(out, &v, 8);
        memcpy(out + 8, &w, 8);
    } else {
        struct slice s = random_bytes(r, nullable, a);
        memcpy(out, &s, sizeof(s));
    }
}

static void fill_struct(struct test_random *r, const struct wire_struct *s, int16_t version,
                        unsigned many, struct arena *a, uint8_t *out);

static void fill_many(struct test_random *r, const struct wire_field *f, int16_t version,
                      unsigned many, struct arena *a, uint8_t *out)
{
    const struct wire_struct *s = f->type == WIRE_TYPE_STRUCT ? f->object() : NULL;
    size_t size = s ? s->size_bytes : wire_type_size(f->type);
    int32_t n = (int32_t)test_random_below(r, many + 1);
    if (wire_field_nullable(f, version) && test_random_below(r, 3) == 0)
        n = -1;
    memcpy(out + f->count_offset, &n, sizeof(n));
    if (n <= 0)
        return;
    uint8_t *element = arena_alloc(a, (size_t)n * size);
    memcpy(out + f->offset, &element, sizeof(element));
    for (int32_t i = 0; i < n; i++, element += size) {
        if (s)
            fill_struct(r, s, version, many, a, element);
        else
            fill_value(r, f, false, a, element);
    }
}

static void fill_struct(struct test_random *r, const struct wire_struct *s, int16_t version,
                        unsigned many, struct arena *a, uint8_t *out)
{
    memcpy(out, s->dflt, s->size_bytes);
    for (size_t i = 0; i < s->fields_n; i++) {
        const struct wire_field *f = &s->field[i];
        if (!wire_field_has(f, version) || (f->tag >= 0 && test_random_below(r, 2) == 0))
            continue;
        if (f->shape == WIRE_SHAPE_MANY) {
            fill_many(r, f, version, many, a, out);
        } else if (f->shape == WIRE_SHAPE_POINTER) {
            if (test_random_below(r, 2) == 0)
                continue;
            uint8_t *object = message_fill(r, f->object(), version, many, a);
            memcpy(out + f->offset, &object, sizeof(object));
        } else if (f->type == WIRE_TYPE_STRUCT) {
            fill_struct(r, f->object(), version, many, a, out + f->offset);
        } else {
            fill_value(r, f, wire_field_nullable(f, version), a, out + f->offset);
        }
    }
}

void *message_fill(struct test_random *r, const struct wire_struct *s, int16_t version,
                   unsigned many, struct arena *a)
{
    uint8_t *out = arena_alloc(a, s->size_bytes);
    fill_struct(r, s, version, many, a, out);
    return out;
}

static void dump_value(const struct wire_field *f, const uint8_t *in, struct bytes *out)
{
    int8_t i8;
    int16_t i16;
    int32_t i32;
    int64_t i64;
    struct slice s;
    bytes_printf(out, " %s=", f->name);
    switch (f->type) {
    case WIRE_TYPE_BOOL:
    case WIRE_TYPE_INT8:
        memcpy(&i8, in, sizeof(i8));
        bytes_printf(out, "%d", i8);
        break;
    case WIRE_TYPE_INT16:
        memcpy(&i16, in, sizeof(i16));
        bytes_printf(out, "%d", i16);
        break;
    case WIRE_TYPE_INT32:
        memcpy(&i32, in, sizeof(i32));
        bytes_printf(out, "%" PRId32, i32);
        break;
    case WIRE_TYPE_INT64:
        memcpy(&i64, in, sizeof(i64));
        bytes_printf(out, "%" PRId64, i64);
        break;
    case WIRE_TYPE_UUID:
        bytes_add_str(out, "u:");
        hex_add(out, slice_of(in, 16));
        break;
    default:
        memcpy(&s, in, sizeof(s));
        bytes_add_str(out, s.p ? "s:" : "null");
        hex_add(out, s);
    }
}

static void dump_many(const struct wire_field *f, int16_t version, const uint8_t *in,
                      struct bytes *out)
{
    const uint8_t *element;
    int32_t n;
    memcpy(&element, in + f->offset, sizeof(element));
    memcpy(&n, in + f->count_offset, sizeof(n));
    if (n < 0)
        bytes_printf(out, " %s=null", f->name);
    else
        bytes_printf(out, " %s=[%" PRId32, f->name, n);
    const struct wire_struct *s = f->type == WIRE_TYPE_STRUCT ? f->object() : NULL;
    for (int32_t i = 0; i < n; i++) {
        if (s)
            message_dump(s, version, element, out);
        else
            dump_value(f, element, out);
        element += s ? s->size_bytes : wire_type_size(f->type);
    }
}

void message_dump(const struct wire_struct *s, int16_t version, const void *message,
                  struct bytes *out)
{
    const uint8_t *in = message;
    for (size_t i = 0; i < s->fields_n; i++) {
        const struct wire_field *f = &s->field[i];
        if (!wire_field_has(f, version))
            continue;
        if (f->shape == WIRE_SHAPE_MANY) {
            dump_many(f, version, in, out);
        } else if (f->shape == WIRE_SHAPE_POINTER) {
            const void *object;
            memcpy(&object, in + f->offset, sizeof(object));
            bytes_printf(out, " %s=%s", f->name, object ? "+" : "null");
            if (object)
                message_dump(f->object(), version, object, out);
        } else if (f->type == WIRE_TYPE_STRUCT) {
            message_dump(f->object(), version, in + f->offset, out);
        } else {
            dump_value(f, in + f->offset, out);
        }
    }
}
