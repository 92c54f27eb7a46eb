/* The messages of the Kafka protocol that this broker speaks: their structs, and codecs between
 * structs and bytes for each version.
 *
 * One declaration per message (wire/def/<api>.def) gives the struct, its default value, the
 * descriptor that both codecs interpret, the page docs/kafka-protocol.md and the fuzz seeds. The
 * declarations follow Kafka's own message definitions: names in snake case, versions, nullable
 * versions, tags, defaults.
 *
 * For each API, e.g. produce:
 *   struct wire_produce_request, struct wire_produce_response   the messages
 *   struct wire_produce_request_topic, ..._partition, ...       the structs nested in them
 *   wire_produce_response_default, ...                          each struct with its defaults
 * Start every struct that is to be encoded from its default (`*p = wire_x_default;`): zero is not
 * always the default (log_append_time_ms is -1).
 *
 * C types: STRING, BYTES and RECORDS are struct slice (p == NULL is null); UUID is uint8_t[16];
 * an array `T *name; int32_t name_n;` is null when name_n is -1; OBJECT_OR_NULL is a pointer.
 *
 * Encoding: fields that the version does not have are left out; null in a field that cannot be
 * null in this version is written as empty; a tagged field that equals its default is left out.
 * Decoding: fields that the version does not have get their defaults; slices point into the input
 * (zero-copy, the input must outlive them); arrays live in the arena. */
#ifndef WIRE_MESSAGE_H
#define WIRE_MESSAGE_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/slice.h"

/* Structs. */
/* clang-format off */
#define WIRE_MEMBER_BOOL(name)    bool name
#define WIRE_MEMBER_INT8(name)    int8_t name
#define WIRE_MEMBER_INT16(name)   int16_t name
#define WIRE_MEMBER_INT32(name)   int32_t name
#define WIRE_MEMBER_INT64(name)   int64_t name
#define WIRE_MEMBER_UUID(name)    uint8_t name[16]
#define WIRE_MEMBER_STRING(name)  struct slice name
#define WIRE_MEMBER_BYTES(name)   struct slice name
#define WIRE_MEMBER_RECORDS(name) struct slice name

#define STRUCT(sname, about) struct wire_##sname {
#define VALUE(type, name, versions, nullable, tag, dflt, about) WIRE_MEMBER_##type(name);
#define ARRAY(type, name, versions, nullable, tag, about)                                          \
    WIRE_MEMBER_##type(*name);                                                                     \
    int32_t name##_n;
#define OBJECT(sname, name, versions, tag, about)    struct wire_##sname name;
#define OBJECT_OR_NULL(sname, name, versions, about) struct wire_##sname *name;
#define OBJECTS(sname, name, versions, nullable, tag, about)                                       \
    struct wire_##sname *name;                                                                     \
    int32_t name##_n;
#define END(sname)                                                                                 \
    }                                                                                              \
    ;                                                                                              \
    extern const struct wire_##sname wire_##sname##_default;
#include "wire/def/all.def"
/* clang-format on */

/* What the arrays and structs of one message may take in memory, whatever the arena would give: the
 * struct of a topic is up to twenty times as large as the shortest bytes that name one. */
#define WIRE_DECODE_MAX_BYTES (16u << 20)

/* Decode the body (what follows the header) of a request or response. `*out` is the message's
 * struct, allocated in `a`. Every count is checked against the bytes that are left before anything
 * is allocated; unknown tagged fields are skipped; bytes behind the last field are
 * refused in a response and ignored in a request, as Kafka does.
 *   ERR_UNSUPPORTED  api or version outside the codec's range (wire_api_codec_has)
 *   ERR_INVALID      the bytes break the format; the message names the field
 *   ERR_LIMIT        WIRE_DECODE_MAX_BYTES or the arena's limit would be passed */
int wire_decode_request(int16_t api_key, int16_t version, struct slice body, struct arena *a,
                        void **out, struct err *err);
int wire_decode_response(int16_t api_key, int16_t version, struct slice body, struct arena *a,
                         void **out, struct err *err);

/* Append the body to *out. 0, or ERR_UNSUPPORTED as above, or ERR_LIMIT for a string longer than
 * its length field can say (the output is cut back to where it began). */
int wire_encode_request(int16_t api_key, int16_t version, const void *request, struct bytes *out);
int wire_encode_response(int16_t api_key, int16_t version, const void *response, struct bytes *out);

/* A place in an encoded body where the bytes of a RECORDS field belong that were left out. */
struct wire_cut {
    size_t at;            /* in out->p: the bytes belong before this position */
    struct slice records; /* the field as given; only its length was used */
};

/* As wire_encode_response, but the bytes of non-empty RECORDS fields are neither read nor copied:
 * their length is written and a cut is noted, so that the caller can send them from a file. The
 * slice's p may therefore be any non-NULL pointer by which the caller knows the range. ERR_LIMIT
 * when there are more than cuts_cap. */
int wire_encode_response_cut(int16_t api_key, int16_t version, const void *response,
                             struct bytes *out, struct wire_cut *cut, size_t cuts_cap,
                             size_t *cuts_n);

#endif
