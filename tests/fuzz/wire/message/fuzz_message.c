/* The decoders of every API and version, both directions: byte 0 chooses the API, byte 1 the
 * version and direction, the rest is the body. What decodes must encode, and decode to the same. */
#include "message_tools.h"

#include "base/check.h"
#include "wire/api.h"
#include "wire/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    const struct wire_api *api = &wire_api[data[0] % wire_apis_n];
    int16_t versions = (int16_t)(api->codec_last - api->codec_first + 1);
    int16_t version = (int16_t)(api->codec_first + (data[1] >> 1) % versions);
    bool response = data[1] & 1;
    const struct wire_struct *s = wire_describe(api->key, response);
    struct arena a;
    struct err e = {0};
    struct bytes out = {0}, one = {0}, two = {0};
    void *m, *back;

    arena_init(&a, 4 << 20);
    int rv = (response ? wire_decode_response : wire_decode_request)(
        api->key, version, slice_of(data + 2, size - 2), &a, &m, &e);
    if (rv == 0) {
        rv = (response ? wire_encode_response : wire_encode_request)(api->key, version, m, &out);
        ASSERT(rv == 0);
        ASSERT(out.n <= size - 2); /* lengths are written in the shortest way */
        rv = (response ? wire_decode_response
                       : wire_decode_request)(api->key, version, bytes_slice(&out), &a, &back, &e);
        if (rv == 0) {
            message_dump(s, version, m, &one);
            message_dump(s, version, back, &two);
            ASSERT(slice_eq(bytes_slice(&one), bytes_slice(&two)));
        } else {
            ASSERT(rv == ERR_LIMIT); /* the arena holds both */
        }
    } else {
        ASSERT(rv == ERR_INVALID || rv == ERR_LIMIT);
        ASSERT(e.msg[0] != '\0');
    }
    bytes_free(&out);
    bytes_free(&one);
    bytes_free(&two);
    arena_free(&a);
    return 0;
}
