/* Integers, varints, base64url, hex, UTF-8: the small encodings that all wings share. */
#ifndef BASE_CODEC_H
#define BASE_CODEC_H

#include "base/bytes.h"
#include "base/slice.h"

static inline uint16_t be16_get(const uint8_t *p)
{
    return (uint16_t)((p[0] << 8) | p[1]);
}
static inline uint32_t be32_get(const uint8_t *p)
{
    return ((uint32_t)p[0] << 24) | ((uint32_t)p[1] << 16) | ((uint32_t)p[2] << 8) | p[3];
}
static inline uint64_t be64_get(const uint8_t *p)
{
    return ((uint64_t)be32_get(p) << 32) | be32_get(p + 4);
}
static inline void be16_put(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}
static inline void be32_put(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}
static inline void be64_put(uint8_t *p, uint64_t v)
{
    be32_put(p, (uint32_t)(v >> 32));
    be32_put(p + 4, (uint32_t)v);
}

/* Unsigned LEB128 as in Protocol Buffers. Get: bytes read, or 0 when truncated or longer than
 * max_bytes (5 for 32 bits, 10 for 64) or the value does not fit. */
size_t varint_get(const uint8_t *p, const uint8_t *end, size_t max_bytes, uint64_t *out);
size_t varint_put(uint8_t *p, uint64_t v); /* at most 10 bytes */
size_t varint_size(uint64_t v);
static inline int64_t zigzag_decode(uint64_t v)
{
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}
static inline uint64_t zigzag_encode(int64_t v)
{
    return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}

/* Base64url without padding (RFC 4648 section 5, RFC 7515). Decoding is strict: no padding, no
 * white space, unused bits zero. */
void base64url_add(struct bytes *out, struct slice in);
bool base64url_get(struct slice in, uint8_t *out, size_t out_cap, size_t *out_n);
/* Base64 with padding (RFC 4648 section 4), strict. */
void base64_add(struct bytes *out, struct slice in);
bool base64_get(struct slice in, struct bytes *out);

int hex_digit(uint8_t c);                         /* 0 to 15, either case; -1: not one */
void hex_add(struct bytes *out, struct slice in); /* lower case */
bool hex_get(struct slice in, uint8_t *out, size_t out_cap, size_t *out_n);

/* RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. */
bool utf8_valid(struct slice s);
/* Bytes of the well-formed sequence at p, or 0. */
size_t utf8_sequence(const uint8_t *p, const uint8_t *end);
size_t utf8_length(struct slice s);               /* code points; s must be valid */
size_t utf8_put(uint8_t *p, uint32_t code_point); /* at most 4 bytes */

/* RFC 3339 UTC with milliseconds, e.g. 2026-11-25T09:03:01.250Z, from ms since the epoch. */
#define TIME_TEXT_SIZE 32
void time_text(int64_t ms, char out[TIME_TEXT_SIZE]);
bool time_parse(struct slice s, int64_t *ms); /* RFC 3339 with Z or offset */

/* "7d", "5m", "250ms", "1.5h"; "10GiB", "64KiB", "1000". A bare number needs no unit only for
 * sizes (bytes). "forever" and "unlimited" give -1. */
bool duration_parse(struct slice s, int64_t *ms);
bool size_parse(struct slice s, int64_t *size_bytes);
void duration_text(int64_t ms, char out[TIME_TEXT_SIZE]);     /* shortest exact form */
void size_text(int64_t size_bytes, char out[TIME_TEXT_SIZE]); /* shortest exact form */

/* Levenshtein distance, for "unknown field X, did you mean Y". */
unsigned text_distance(struct slice a, struct slice b);

#endif
