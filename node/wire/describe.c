#include "wire/describe.h"

#include "base/check.h"
#include "wire/api.h"
#include "wire/message.h"

/* clang-format off */
/* Default values, one object per struct. Arrays default to none. */
#define STRUCT(sname, about) const struct wire_##sname wire_##sname##_default = {
#define VALUE(type, name, versions, nullable, tag, dflt, about) .name = dflt,
#define ARRAY(type, name, versions, nullable, tag, about)       .name##_n = 0,
#define OBJECT(sname, name, versions, tag, about)    .name = DEFAULT_OF_##sname,
#define OBJECT_OR_NULL(sname, name, versions, about) .name = NULL,
#define OBJECTS(sname, name, versions, nullable, tag, about) .name##_n = 0,
#define END(sname)                                                                                 \
    }                                                                                              \
    ;
/* C has no constant that copies another, so structs that stand in place repeat their defaults. */
#define DEFAULT_OF_produce_response_leader      {.leader_id = -1, .leader_epoch = -1}
#define DEFAULT_OF_fetch_response_leader        {.leader_id = -1, .leader_epoch = -1}
#define DEFAULT_OF_fetch_response_epoch_end     {.epoch = -1, .end_offset = -1}
#define DEFAULT_OF_fetch_response_snapshot_id   {.end_offset = -1, .epoch = -1}
#define DEFAULT_OF_fetch_request_replica_state  {.replica_id = -1, .replica_epoch = -1}
#include "wire/def/all.def"

/* One function per struct holds its constant descriptor: inside it `self` can name the struct. */
#define STRUCT(sname, about)                                                                       \
    static const struct wire_struct *describe_##sname(void)                                        \
    {                                                                                              \
        typedef struct wire_##sname self;                                                          \
        static const char struct_about[] = about;                                                  \
        static const struct wire_field field[] = {
#define VALUE(type, name, versions, nullable, tag, dflt, about)                                    \
    {#name, about, WIRE_TYPE_##type, WIRE_SHAPE_ONE, versions, nullable, tag,                      \
     (uint32_t)offsetof(self, name), 0, NULL},
#define ARRAY(type, name, versions, nullable, tag, about)                                          \
    {#name, about, WIRE_TYPE_##type, WIRE_SHAPE_MANY, versions, nullable, tag,                     \
     (uint32_t)offsetof(self, name), (uint32_t)offsetof(self, name##_n), NULL},
#define OBJECT(sname, name, versions, tag, about)                                                  \
    {#name, about, WIRE_TYPE_STRUCT, WIRE_SHAPE_ONE, versions, NOT_NULL, tag,                      \
     (uint32_t)offsetof(self, name), 0, describe_##sname},
#define OBJECT_OR_NULL(sname, name, versions, about)                                               \
    {#name, about, WIRE_TYPE_STRUCT, WIRE_SHAPE_POINTER, versions, 0, NO_TAG,                      \
     (uint32_t)offsetof(self, name), 0, describe_##sname},
#define OBJECTS(sname, name, versions, nullable, tag, about)                                       \
    {#name, about, WIRE_TYPE_STRUCT, WIRE_SHAPE_MANY, versions, nullable, tag,                     \
     (uint32_t)offsetof(self, name), (uint32_t)offsetof(self, name##_n), describe_##sname},
#define END(sname)                                                                                 \
        };                                                                                         \
        static const struct wire_struct object = {                                                 \
            #sname, struct_about, sizeof(self), &wire_##sname##_default, field,                    \
            sizeof(field) / sizeof(field[0])};                                                     \
        return &object;                                                                            \
    }
#include "wire/def/all.def"
/* clang-format on */

const struct wire_struct *wire_describe(int16_t api_key, bool response)
{
    switch (api_key) {
#define API(key, sname, name, first, last, served, codec_first, codec_last, flexible)              \
    case key:                                                                                      \
        return response ? describe_##sname##_response() : describe_##sname##_request();
#include "wire/api.def"
    default:
        return NULL;
    }
}

const char *wire_type_name(int type)
{
    static const char *const name[] = {"bool", "int8",   "int16", "int32",   "int64",
                                       "uuid", "string", "bytes", "records", "struct"};
    ASSERT(type >= 0 && type <= WIRE_TYPE_STRUCT);
    return name[type];
}

size_t wire_type_size(int type)
{
    static const uint8_t size[] = {sizeof(bool),         sizeof(int8_t),
                                   sizeof(int16_t),      sizeof(int32_t),
                                   sizeof(int64_t),      16,
                                   sizeof(struct slice), sizeof(struct slice),
                                   sizeof(struct slice), 0};
    ASSERT(type >= 0 && type <= WIRE_TYPE_STRUCT);
    return size[type];
}

static size_t field_min_bytes(const struct wire_field *f, int16_t version, bool flexible)
{
    static const uint8_t fixed[] = {1, 1, 2, 4, 8, 16};

    if (f->shape == WIRE_SHAPE_MANY)
        return flexible ? 1 : 4;
    if (f->shape == WIRE_SHAPE_POINTER)
        return 1;
    if (f->type <= WIRE_TYPE_UUID)
        return fixed[f->type];
    if (f->type == WIRE_TYPE_STRUCT)
        return wire_struct_min_bytes(f->object(), version, flexible);
    if (flexible)
        return 1;
    return f->type == WIRE_TYPE_STRING ? 2 : 4;
}

size_t wire_struct_min_bytes(const struct wire_struct *s, int16_t version, bool flexible)
{
    size_t n = flexible ? 1 : 0; /* the number of tagged fields */
    for (size_t i = 0; i < s->fields_n; i++) {
        const struct wire_field *f = &s->field[i];
        if (wire_field_has(f, version) && f->tag < 0)
            n += field_min_bytes(f, version, flexible);
    }
    return n;
}
