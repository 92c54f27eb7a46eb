/* The codecs of record batches as functions over bytes. Decompression is bounded: the output never
 * passes max_bytes nor WIRE_RATIO_MAX times the input (plus WIRE_RATIO_SLACK_BYTES), and no memory
 * beyond that bound is reserved on the word of a length field in the input, so a bomb ends with
 * ERR_LIMIT early.
 *
 * Formats: gzip (RFC 1952), snappy (raw block, or the framing of xerial's snappy-java when the
 * input begins with its magic), lz4 (frame format), zstd (frames). */
#ifndef WIRE_COMPRESS_H
#define WIRE_COMPRESS_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/slice.h"

enum wire_codec {
    WIRE_CODEC_NONE = 0,
    WIRE_CODEC_GZIP = 1,
    WIRE_CODEC_SNAPPY = 2,
    WIRE_CODEC_LZ4 = 3,
    WIRE_CODEC_ZSTD = 4,
};
#define WIRE_CODECS_N 5

/* gzip reaches 1,032 : 1 at most, lz4 255 : 1, snappy 22 : 1; zstd knows no bound. The slack is for
 * honest batches of one value over and over, which zstd takes to almost nothing. */
#define WIRE_RATIO_MAX         1100
#define WIRE_RATIO_SLACK_BYTES (4 * 1024 * 1024)

const char *wire_codec_name(int codec); /* "none", "gzip", ...; "unknown" */

/* Decoder contexts that are worth keeping between batches (zstd, lz4, zlib). One per thread that
 * decompresses. */
struct wire_codec_scratch;
struct wire_codec_scratch *wire_codec_scratch_new(void);
void wire_codec_scratch_free(struct wire_codec_scratch *s); /* NULL is allowed */

/* Appends the decompressed `in` to *out. `scratch` may be NULL.
 *   ERR_INVALID      not valid data of this codec, or bytes after its end
 *   ERR_LIMIT        would pass max_bytes or the ratio
 *   ERR_UNSUPPORTED  unknown codec
 * On an error *out has its former length. */
int wire_decompress(int codec, struct slice in, size_t max_bytes,
                    struct wire_codec_scratch *scratch, struct bytes *out, struct err *err);

/* Appends the compressed `in` to *out, for clients and tests; the broker stores bytes as they came.
 * Snappy is written in xerial's framing, as Java clients do. */
int wire_compress(int codec, struct slice in, struct bytes *out, struct err *err);
/* Snappy as one raw block, as librdkafka writes it. */
int wire_compress_snappy_raw(struct slice in, struct bytes *out, struct err *err);

#endif
