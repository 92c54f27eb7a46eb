/* A request frame as it comes from a socket: header, then the body its header names. Every slice
 * must lie inside the frame. */
#include "base/check.h"
#include "wire/api.h"
#include "wire/header.h"
#include "wire/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wire_request_header h;
    struct slice body;
    struct err e = {0};
    if (wire_decode_request_header(slice_of(data, size), &h, &body, &e) != 0) {
        ASSERT(e.msg[0] != '\0');
        return 0;
    }
    ASSERT(body.p >= data && body.p + body.n == data + size);
    ASSERT(!h.client_id.p || (h.client_id.p >= data && h.client_id.p + h.client_id.n <= body.p));
    struct arena a;
    void *m;
    arena_init(&a, 4 << 20);
    int rv = wire_decode_request(h.api_key, h.api_version, body, &a, &m, &e);
    ASSERT(rv == 0 || e.msg[0] != '\0');
    ASSERT(rv != ERR_UNSUPPORTED || !wire_api_serves(h.api_key, h.api_version));
    ASSERT(a.used_bytes <= 4 << 20);
    if (rv == 0 && h.api_key == WIRE_PRODUCE) {
        const struct wire_produce_request *p = m;
        for (int32_t i = 0; i < p->topic_data_n; i++) {
            for (int32_t k = 0; k < p->topic_data[i].partition_data_n; k++) {
                struct slice r = p->topic_data[i].partition_data[k].records;
                ASSERT(!r.p || (r.p >= data && r.p + r.n <= data + size));
            }
        }
    }
    arena_free(&a);
    return 0;
}
