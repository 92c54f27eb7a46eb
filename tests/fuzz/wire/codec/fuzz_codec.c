/* Decompression of any bytes: byte 0 chooses the codec. The bound holds, and what came out can be
 * compressed and comes back. */
#include "base/check.h"
#include "wire/compress.h"

#define BOUND (256 << 10)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    int codec = data[0] % WIRE_CODECS_N;
    struct bytes out = {0}, again = {0}, back = {0};
    struct err e = {0};
    static struct wire_codec_scratch *scratch; /* its reuse after an error is tested too */
    if (!scratch)
        scratch = wire_codec_scratch_new();
    int rv = wire_decompress(codec, slice_of(data + 1, size - 1), BOUND, scratch, &out, &e);
    ASSERT(out.n <= BOUND);
    ASSERT(out.cap <= 4 * BOUND);
    if (rv == 0) {
        ASSERT(wire_compress(codec, bytes_slice(&out), &again, &e) == 0);
        ASSERT(wire_decompress(codec, bytes_slice(&again), BOUND, scratch, &back, &e) == 0);
        ASSERT(slice_eq(bytes_slice(&out), bytes_slice(&back)));
    } else {
        ASSERT(out.n == 0 && e.msg[0] != '\0');
    }
    bytes_free(&out);
    bytes_free(&again);
    bytes_free(&back);
    return 0;
}
