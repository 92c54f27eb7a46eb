/* Descriptors made from the message declarations (wire/def/): what the codecs interpret, and what
 * the documentation page and the fuzz seeds are made from. Constant data, nested as the messages
 * are; the nesting is finite, so walking it by recursion is bounded by the declarations. */
#ifndef WIRE_DESCRIBE_H
#define WIRE_DESCRIBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum wire_type {
    WIRE_TYPE_BOOL,
    WIRE_TYPE_INT8,
    WIRE_TYPE_INT16,
    WIRE_TYPE_INT32,
    WIRE_TYPE_INT64,
    WIRE_TYPE_UUID,
    WIRE_TYPE_STRING,
    WIRE_TYPE_BYTES,
    WIRE_TYPE_RECORDS,
    WIRE_TYPE_STRUCT,
};

enum wire_shape {
    WIRE_SHAPE_ONE,     /* the value or struct itself */
    WIRE_SHAPE_MANY,    /* pointer to an array, int32_t count at count_offset */
    WIRE_SHAPE_POINTER, /* pointer to one struct, NULL: null */
};

struct wire_struct;

struct wire_field {
    const char *name;
    const char *about;
    uint8_t type;        /* enum wire_type */
    uint8_t shape;       /* enum wire_shape */
    int16_t first, last; /* versions that have it */
    int16_t null_first;  /* may be null from here on */
    int16_t tag;         /* -1: not tagged */
    uint32_t offset;     /* in the struct */
    uint32_t count_offset;
    const struct wire_struct *(*object)(void); /* of WIRE_TYPE_STRUCT */
};

struct wire_struct {
    const char *name; /* "produce_request_topic" */
    const char *about;
    size_t size_bytes;
    const void *dflt; /* one struct with its default values */
    const struct wire_field *field;
    size_t fields_n;
};

/* The request or response of an API; NULL for an unknown key. */
const struct wire_struct *wire_describe(int16_t api_key, bool response);

const char *wire_type_name(int type); /* "int32", ... */
size_t wire_type_size(int type);      /* bytes in memory, not on the wire; 0 for structs */

static inline bool wire_field_has(const struct wire_field *f, int16_t version)
{
    return version >= f->first && version <= f->last;
}
static inline bool wire_field_nullable(const struct wire_field *f, int16_t version)
{
    return version >= f->null_first;
}

/* The fewest bytes that one such struct takes on the wire. */
size_t wire_struct_min_bytes(const struct wire_struct *s, int16_t version, bool flexible);

#endif
