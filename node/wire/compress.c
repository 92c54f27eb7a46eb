#include "wire/compress.h"

#include "base/check.h"
#include "base/codec.h"
#include "base/mem.h"

#include <lz4frame.h>
#include <snappy-c.h>
#include <zlib.h>
#include <zstd.h>

/* 64 bytes of output from a 3-byte copy element is the best that snappy's format can do. */
#define SNAPPY_RATIO_MAX    22
#define XERIAL_HEADER_BYTES 16
#define XERIAL_BLOCK_BYTES  (32 * 1024)
/* Frames that do not tell their size need a window in memory: 8 MiB serves levels up to 19. */
#define ZSTD_WINDOW_LOG_MAX 23
#define GZIP_WINDOW_BITS    (15 + 16) /* zlib's way to say gzip */
#define STEP_MIN_BYTES      4096

struct wire_codec_scratch {
    ZSTD_DCtx *zstd; /* owned; made at first use, as the others */
    LZ4F_dctx *lz4;  /* owned */
    z_stream zlib;
    bool zlib_ready;
};

static const uint8_t xerial_magic[8] = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0};

const char *wire_codec_name(int codec)
{
    static const char *const name[WIRE_CODECS_N] = {"none", "gzip", "snappy", "lz4", "zstd"};
    return codec >= 0 && codec < WIRE_CODECS_N ? name[codec] : "unknown";
}

struct wire_codec_scratch *wire_codec_scratch_new(void)
{
    return MEM_NEW(struct wire_codec_scratch);
}

static void scratch_close(struct wire_codec_scratch *s)
{
    ZSTD_freeDCtx(s->zstd);
    LZ4F_freeDecompressionContext(s->lz4);
    if (s->zlib_ready)
        inflateEnd(&s->zlib);
}

void wire_codec_scratch_free(struct wire_codec_scratch *s)
{
    if (!s)
        return;
    scratch_close(s);
    mem_free(s);
}

/* Bounded output: room doubles with what has been written, and one byte more than the limit is
 * offered aside, so that a decoder which has more to say is found out. */
struct sink {
    struct bytes *out;
    size_t start;
    size_t limit_bytes;
    uint8_t spill[8];
};

static size_t sink_used(const struct sink *s)
{
    return s->out->n - s->start;
}

static uint8_t *sink_room(struct sink *s, size_t *n)
{
    size_t left = s->limit_bytes - sink_used(s);
    if (left == 0) {
        *n = sizeof(s->spill);
        return s->spill;
    }
    size_t step = sink_used(s) > STEP_MIN_BYTES ? sink_used(s) : STEP_MIN_BYTES;
    *n = step < left ? step : left;
    bytes_reserve(s->out, *n);
    return s->out->p + s->out->n;
}

static int over_limit(const struct sink *s, struct err *err)
{
    return err_set(err, ERR_LIMIT, "decompresses to more than %zu bytes", s->limit_bytes);
}

/* n bytes were written into what sink_room gave. */
static int sink_wrote(struct sink *s, size_t n, struct err *err)
{
    if (n > s->limit_bytes - sink_used(s))
        return over_limit(s, err);
    s->out->n += n;
    return 0;
}

static int invalid(struct err *err, int codec, const char *why)
{
    return err_set(err, ERR_INVALID, "%s: %s", wire_codec_name(codec), why ? why : "damaged");
}

static int gunzip(struct wire_codec_scratch *c, struct slice in, struct sink *s, struct err *err)
{
    z_stream *z = &c->zlib;
    int rv = c->zlib_ready ? inflateReset(z) : inflateInit2(z, GZIP_WINDOW_BITS);
    ASSERT(rv == Z_OK);
    c->zlib_ready = true;
    z->next_in = (Bytef *)(uintptr_t)in.p; /* zlib does not write there */
    z->avail_in = (uInt)in.n;
    for (;;) {
        size_t room;
        z->next_out = sink_room(s, &room);
        z->avail_out = (uInt)room;
        rv = inflate(z, Z_NO_FLUSH);
        int limit = sink_wrote(s, room - z->avail_out, err);
        if (limit != 0)
            return limit;
        if (rv == Z_STREAM_END) {
            if (z->avail_in == 0)
                return 0;
            rv = inflateReset(z); /* RFC 1952: members may follow each other */
        }
        if (rv == Z_BUF_ERROR || (rv == Z_OK && z->avail_in == 0 && z->avail_out > 0))
            return invalid(err, WIRE_CODEC_GZIP, "cut off");
        if (rv != Z_OK)
            return invalid(err, WIRE_CODEC_GZIP, z->msg);
    }
}

static int unsnap_block(struct slice in, struct sink *s, struct err *err)
{
    size_t n;
    if (snappy_uncompressed_length((const char *)in.p, in.n, &n) != SNAPPY_OK)
        return invalid(err, WIRE_CODEC_SNAPPY, "no length");
    if (n / SNAPPY_RATIO_MAX > in.n)
        return invalid(err, WIRE_CODEC_SNAPPY, "its length is impossible");
    if (n > s->limit_bytes - sink_used(s))
        return over_limit(s, err);
    bytes_reserve(s->out, n + 1);
    if (snappy_uncompress((const char *)in.p, in.n, (char *)s->out->p + s->out->n, &n) != SNAPPY_OK)
        return invalid(err, WIRE_CODEC_SNAPPY, NULL);
    s->out->n += n;
    return 0;
}

static int unsnap(struct slice in, struct sink *s, struct err *err)
{
    if (in.n < XERIAL_HEADER_BYTES || memcmp(in.p, xerial_magic, sizeof(xerial_magic)) != 0)
        return unsnap_block(in, s, err);
    const uint8_t *p = in.p + XERIAL_HEADER_BYTES, *end = in.p + in.n;
    while (p < end) {
        if (end - p < 4 || be32_get(p) > (size_t)(end - p - 4))
            return invalid(err, WIRE_CODEC_SNAPPY, "a block is cut off");
        uint32_t n = be32_get(p);
        int rv = unsnap_block(slice_of(p + 4, n), s, err);
        if (rv != 0)
            return rv;
        p += 4 + n;
    }
    return 0;
}

static int unlz4(struct wire_codec_scratch *c, struct slice in, struct sink *s, struct err *err)
{
    if (!c->lz4) {
        LZ4F_errorCode_t e = LZ4F_createDecompressionContext(&c->lz4, LZ4F_VERSION);
        ASSERT(!LZ4F_isError(e));
    }
    LZ4F_resetDecompressionContext(c->lz4);
    size_t used = 0;
    for (;;) {
        size_t room, n = in.n - used;
        uint8_t *to = sink_room(s, &room);
        size_t offered = room;
        size_t hint = LZ4F_decompress(c->lz4, to, &room, in.p + used, &n, NULL);
        if (LZ4F_isError(hint))
            return invalid(err, WIRE_CODEC_LZ4, LZ4F_getErrorName(hint));
        used += n;
        int limit = sink_wrote(s, room, err);
        if (limit != 0)
            return limit;
        if (hint == 0)
            break;
        if (used == in.n && room < offered)
            return invalid(err, WIRE_CODEC_LZ4, "cut off");
    }
    if (used != in.n)
        return invalid(err, WIRE_CODEC_LZ4, "bytes behind the frame");
    return 0;
}

/* A frame that tells its size is decompressed in place, without a window. */
static int unzstd_whole(struct wire_codec_scratch *c, struct slice frame, size_t size,
                        struct sink *s, struct err *err)
{
    if (size > s->limit_bytes - sink_used(s))
        return over_limit(s, err);
    bytes_reserve(s->out, size + 1);
    size_t n = ZSTD_decompressDCtx(c->zstd, s->out->p + s->out->n, size, frame.p, frame.n);
    if (ZSTD_isError(n))
        return invalid(err, WIRE_CODEC_ZSTD, ZSTD_getErrorName(n));
    s->out->n += n;
    return 0;
}

static int unzstd_stream(struct wire_codec_scratch *c, struct slice frame, struct sink *s,
                         struct err *err)
{
    ZSTD_inBuffer in = {frame.p, frame.n, 0};
    for (;;) {
        ZSTD_outBuffer out = {0};
        out.dst = sink_room(s, &out.size);
        size_t hint = ZSTD_decompressStream(c->zstd, &out, &in);
        if (ZSTD_isError(hint))
            return invalid(err, WIRE_CODEC_ZSTD, ZSTD_getErrorName(hint));
        int limit = sink_wrote(s, out.pos, err);
        if (limit != 0)
            return limit;
        if (hint == 0)
            return 0;
        if (in.pos == in.size && out.pos < out.size)
            return invalid(err, WIRE_CODEC_ZSTD, "cut off");
    }
}

static int unzstd(struct wire_codec_scratch *c, struct slice in, struct sink *s, struct err *err)
{
    if (!c->zstd)
        c->zstd = ZSTD_createDCtx();
    ASSERT(c->zstd);
    do {
        size_t n = ZSTD_findFrameCompressedSize(in.p, in.n);
        if (ZSTD_isError(n))
            return invalid(err, WIRE_CODEC_ZSTD, ZSTD_getErrorName(n));
        struct slice frame = slice_of(in.p, n);
        unsigned long long size = ZSTD_getFrameContentSize(frame.p, frame.n);
        if (size == ZSTD_CONTENTSIZE_ERROR)
            return invalid(err, WIRE_CODEC_ZSTD, "not a frame");
        ZSTD_DCtx_reset(c->zstd, ZSTD_reset_session_and_parameters);
        ZSTD_DCtx_setParameter(c->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX);
        int rv = size == ZSTD_CONTENTSIZE_UNKNOWN ? unzstd_stream(c, frame, s, err)
                                                  : unzstd_whole(c, frame, (size_t)size, s, err);
        if (rv != 0)
            return rv;
        in = slice_of(in.p + n, in.n - n);
    } while (in.n > 0);
    return 0;
}

static int decompress(int codec, struct slice in, struct wire_codec_scratch *c, struct sink *s,
                      struct err *err)
{
    switch (codec) {
    case WIRE_CODEC_NONE:
        if (in.n > s->limit_bytes)
            return over_limit(s, err);
        bytes_add_slice(s->out, in);
        return 0;
    case WIRE_CODEC_GZIP:
        return gunzip(c, in, s, err);
    case WIRE_CODEC_SNAPPY:
        return unsnap(in, s, err);
    case WIRE_CODEC_LZ4:
        return unlz4(c, in, s, err);
    case WIRE_CODEC_ZSTD:
        return unzstd(c, in, s, err);
    default:
        return err_set(err, ERR_UNSUPPORTED, "compression codec %d", codec);
    }
}

int wire_decompress(int codec, struct slice in, size_t max_bytes,
                    struct wire_codec_scratch *scratch, struct bytes *out, struct err *err)
{
    struct wire_codec_scratch own = {0};
    struct sink s = {.out = out, .start = out->n, .limit_bytes = max_bytes};
    if (in.n > INT32_MAX)
        return err_set(err, ERR_LIMIT, "%zu bytes to decompress", in.n);
    size_t ratio_limit = in.n * WIRE_RATIO_MAX + WIRE_RATIO_SLACK_BYTES;
    if (ratio_limit < s.limit_bytes)
        s.limit_bytes = ratio_limit;
    if (codec != WIRE_CODEC_NONE && in.n == 0)
        return invalid(err, codec, "no bytes at all");
    int rv = decompress(codec, in, scratch ? scratch : &own, &s, err);
    if (!scratch)
        scratch_close(&own);
    if (rv != 0)
        out->n = s.start;
    return rv;
}

static int gzip(struct slice in, struct bytes *out, struct err *err)
{
    z_stream z = {0};
    int rv = deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW_BITS, 8,
                          Z_DEFAULT_STRATEGY);
    ASSERT(rv == Z_OK);
    size_t bound = deflateBound(&z, (uLong)in.n);
    bytes_reserve(out, bound);
    z.next_in = (Bytef *)(uintptr_t)in.p;
    z.avail_in = (uInt)in.n;
    z.next_out = out->p + out->n;
    z.avail_out = (uInt)bound;
    rv = deflate(&z, Z_FINISH);
    deflateEnd(&z);
    if (rv != Z_STREAM_END)
        return err_set(err, ERR_LIMIT, "gzip: %zu bytes do not fit", in.n);
    out->n += bound - z.avail_out;
    return 0;
}

int wire_compress_snappy_raw(struct slice in, struct bytes *out, struct err *err)
{
    size_t n = snappy_max_compressed_length(in.n);
    bytes_reserve(out, n);
    if (snappy_compress((const char *)in.p, in.n, (char *)out->p + out->n, &n) != SNAPPY_OK)
        return err_set(err, ERR_LIMIT, "snappy: %zu bytes do not fit", in.n);
    out->n += n;
    return 0;
}

static int snap_xerial(struct slice in, struct bytes *out, struct err *err)
{
    bytes_add(out, xerial_magic, sizeof(xerial_magic));
    bytes_add_be32(out, 1); /* version, and the oldest that can read it */
    bytes_add_be32(out, 1);
    while (in.n > 0) {
        size_t n = in.n < XERIAL_BLOCK_BYTES ? in.n : XERIAL_BLOCK_BYTES;
        size_t at = out->n;
        bytes_add_be32(out, 0);
        int rv = wire_compress_snappy_raw(slice_of(in.p, n), out, err);
        if (rv != 0)
            return rv;
        be32_put(out->p + at, (uint32_t)(out->n - at - 4));
        in = slice_of(in.p + n, in.n - n);
    }
    return 0;
}

static int lz4(struct slice in, struct bytes *out, struct err *err)
{
    /* Java clients read independent blocks only. */
    LZ4F_preferences_t prefs = {
        .frameInfo = {.blockSizeID = LZ4F_max64KB, .blockMode = LZ4F_blockIndependent}};
    size_t bound = LZ4F_compressFrameBound(in.n, &prefs);
    bytes_reserve(out, bound);
    size_t n = LZ4F_compressFrame(out->p + out->n, bound, in.p, in.n, &prefs);
    if (LZ4F_isError(n))
        return err_set(err, ERR_LIMIT, "lz4: %s", LZ4F_getErrorName(n));
    out->n += n;
    return 0;
}

static int zstd(struct slice in, struct bytes *out, struct err *err)
{
    size_t bound = ZSTD_compressBound(in.n);
    bytes_reserve(out, bound);
    size_t n = ZSTD_compress(out->p + out->n, bound, in.p, in.n, ZSTD_CLEVEL_DEFAULT);
    if (ZSTD_isError(n))
        return err_set(err, ERR_LIMIT, "zstd: %s", ZSTD_getErrorName(n));
    out->n += n;
    return 0;
}

int wire_compress(int codec, struct slice in, struct bytes *out, struct err *err)
{
    size_t start = out->n;
    int rv;
    if (in.n > INT32_MAX)
        return err_set(err, ERR_LIMIT, "%zu bytes to compress", in.n);
    switch (codec) {
    case WIRE_CODEC_NONE:
        bytes_add_slice(out, in);
        return 0;
    case WIRE_CODEC_GZIP:
        rv = gzip(in, out, err);
        break;
    case WIRE_CODEC_SNAPPY:
        rv = snap_xerial(in, out, err);
        break;
    case WIRE_CODEC_LZ4:
        rv = lz4(in, out, err);
        break;
    case WIRE_CODEC_ZSTD:
        rv = zstd(in, out, err);
        break;
    default:
        return err_set(err, ERR_UNSUPPORTED, "compression codec %d", codec);
    }
    if (rv != 0)
        out->n = start;
    return rv;
}
