/* Frames that are none, or not those that they say. */
#include "hostile.h"

#include "base/check.h"
#include "base/codec.h"
#include "base/mem.h"
#include "wire/api.h"
#include "wire/error.h"
#include "wire/header.h"

#include <poll.h>

static void pause_ms(int ms)
{
    poll(NULL, 0, ms);
}

void case_lengths(struct hostile *h)
{
    static const uint32_t length[] = {0xffffffff, 0x80000000, 0, 1, 3, 9, 0x7fffffff, 1u << 30};
    for (size_t i = 0; i < sizeof(length) / sizeof(length[0]); i++) {
        struct kafka_client *c = hostile_connect(h);
        struct bytes out = {0};
        bytes_add_be32(&out, length[i]);
        for (uint32_t k = 0; k < 16 && k < length[i]; k++)
            bytes_add_u8(&out, 0);
        kafka_write(c, bytes_slice(&out), NULL);
        expect(h, kafka_is_closed_by_server(c), "a length of 0x%08x does not close", length[i]);
        kafka_close(c);
        bytes_free(&out);
    }
}

/* Frames that claim 30 MB and never come: they may not reserve what they claim, nor hold others. */
void case_half_frames(struct hostile *h)
{
    enum { N = 100 };
    struct kafka_client *c[N];
    struct bytes out = {0};
    struct err e = {0};
    bytes_add_be32(&out, 30 << 20);
    bytes_add(&out, "\0\3\0\1\0\0\0\7\0\4half", 14);
    for (int i = 0; i < N; i++) {
        c[i] = hostile_connect(h);
        kafka_write(c[i], slice_of(out.p, (size_t)i % (out.n + 1)), NULL);
    }
    struct wire_api_versions_request r = wire_api_versions_request_default;
    void *response;
    struct kafka_client *other = hostile_connect(h);
    expect(h, kafka_call(other, WIRE_API_VERSIONS, 0, &r, &response, &e) == 0,
           "while %d frames are half sent nobody else is served: %s", N, e.msg);
    kafka_close(other);
    for (int i = 0; i < N; i++) {
        if (i % 3 == 0)
            kafka_finish_writing(c[i]);
        kafka_close(c[i]);
    }
    bytes_free(&out);
}

void case_other_protocols(struct hostile *h)
{
    static const char *const hello[] = {
        "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 and what a TLS client says next",
    };
    for (size_t i = 0; i < sizeof(hello) / sizeof(hello[0]); i++) {
        struct kafka_client *c = hostile_connect(h);
        kafka_write(c, slice_str(hello[i]), NULL);
        expect(h, kafka_is_closed_by_server(c), "protocol %zu is not closed", i);
        kafka_close(c);
    }
}

static void send_version(struct hostile *h, int16_t key, int16_t version)
{
    struct kafka_client *c = hostile_connect(h);
    struct bytes out = {0};
    struct wire_request_header header = {key, version, 5, SLICE_LIT("x")};
    size_t start = wire_begin_request(&out, &header);
    for (uint64_t n = test_random_below(&h->random, 40); n > 0; n--)
        bytes_add_u8(&out, (uint8_t)test_random_next(&h->random));
    wire_end_frame(&out, start, 0);
    kafka_write(c, bytes_slice(&out), NULL);
    enum outcome o = hostile_outcome(c);
    expect(h, o != OUTCOME_SILENT, "key %d version %d: %s", key, version, outcome_name(o));
    kafka_close(c);
    bytes_free(&out);
}

void case_unknown_versions(struct hostile *h)
{
    static const int16_t odd[] = {-1, 13, 17, 100, INT16_MAX, INT16_MIN};
    struct err e = {0};
    for (int16_t key = -1; key < 95; key++) {
        if (!wire_api_find(key))
            send_version(h, key, 0);
        for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
            if (key < 4 || key == WIRE_API_VERSIONS || key % 11 == 0)
                send_version(h, key, odd[i]);
        }
    }
    /* ApiVersions of the future is answered in version 0 with the list (KIP-511) */
    struct kafka_client *c = hostile_connect(h);
    struct bytes out = {0};
    struct wire_request_header header = {WIRE_API_VERSIONS, 99, 1, SLICE_LIT("x")};
    wire_end_frame(&out, wire_begin_request(&out, &header), 0);
    kafka_write(c, bytes_slice(&out), NULL);
    void *response;
    if (expect(h, kafka_receive(c, WIRE_API_VERSIONS, 0, &response, &e) == 0, "ApiVersions 99: %s",
               e.msg)) {
        const struct wire_api_versions_response *r = response;
        expect(h, r->error_code == WIRE_E_UNSUPPORTED_VERSION && r->api_keys_n > 0,
               "ApiVersions 99: error %d, %d keys", r->error_code, r->api_keys_n);
    }
    kafka_close(c);
    bytes_free(&out);
}

/* Some requests may rightly be answered late or never: a Fetch that waits, a Produce without acks.
 */
static bool may_be_silent(int16_t key)
{
    return key == WIRE_PRODUCE || key == WIRE_FETCH;
}

/* One request of random content, changed by `spoil`, on a connection of its own. */
static void send_spoilt(struct hostile *h, int16_t key, int16_t version,
                        void (*spoil)(struct hostile *h, struct bytes *frame))
{
    struct arena a;
    struct bytes out = {0};
    struct kafka_client *c = hostile_connect(h);
    arena_init(&a, 0);
    void *m = message_fill(&h->random, wire_describe(key, false), version, 3, &a);
    kafka_frame(c, key, version, m, &out);
    spoil(h, &out);
    kafka_write(c, bytes_slice(&out), NULL);
    kafka_set_timeout(c, may_be_silent(key) ? 5 : 5000);
    enum outcome o = hostile_outcome(c);
    expect(h, o != OUTCOME_SILENT || may_be_silent(key), "%s %d: %s", wire_api_find(key)->name,
           version, outcome_name(o));
    kafka_close(c);
    bytes_free(&out);
    arena_free(&a);
}

static void for_each_request(struct hostile *h, int times,
                             void (*spoil)(struct hostile *h, struct bytes *frame))
{
    for (size_t i = 0; i < wire_apis_n; i++) {
        for (int16_t v = wire_api[i].first; v <= wire_api[i].last; v++) {
            for (int k = 0; k < times; k++)
                send_spoilt(h, wire_api[i].key, v, spoil);
        }
    }
}

static void cut_frame(struct hostile *h, struct bytes *frame)
{
    frame->n = 4 + test_random_below(&h->random, frame->n - 4);
    be32_put(frame->p, (uint32_t)(frame->n - 4));
}

void case_cut_off(struct hostile *h)
{
    for_each_request(h, 5, cut_frame);
}

static void flip_bits(struct hostile *h, struct bytes *frame)
{
    for (uint64_t n = 1 + test_random_below(&h->random, 3); n > 0; n--) {
        size_t at = 8 + test_random_below(&h->random, frame->n - 8); /* key and version stay */
        frame->p[at] ^= (uint8_t)(1u << test_random_below(&h->random, 8));
    }
}

void case_flipped_bits(struct hostile *h)
{
    for_each_request(h, 8, flip_bits);
}

void case_garbage(struct hostile *h)
{
    for (int i = 0; i < 300; i++) {
        struct kafka_client *c = hostile_connect(h);
        struct bytes out = {0};
        uint64_t n = 10 + test_random_below(&h->random, 4096);
        bytes_add_be32(&out, (uint32_t)n);
        bytes_add_be16(&out, (uint16_t)test_random_below(&h->random, 80));
        bytes_add_be16(&out, (uint16_t)test_random_below(&h->random, 14));
        for (n -= 4; n > 0; n--)
            bytes_add_u8(&out, (uint8_t)test_random_next(&h->random));
        kafka_write(c, bytes_slice(&out), NULL);
        kafka_set_timeout(c, 20);
        hostile_outcome(c); /* anything, but soon; what matters is that others live on */
        kafka_close(c);
        bytes_free(&out);
    }
    pause_ms(50);
}
