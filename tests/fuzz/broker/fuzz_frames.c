/* Frames from the fuzzer against a whole broker in the deterministic world: any sequence of them,
 * on three connections, with disk, pool and catalogue at work. The invariants are checked after
 * each step; an honest client beside them must still be served at the end.
 *
 * Input: a sequence of  u8 what | u16 length (little endian) | frame without its length
 *   what: bits 0-1 the connection, bits 2-4 steps of the world afterwards, bit 5 repair: API key
 * and version are brought into the range that is served, so that random bytes reach the handlers.
 *   what == 0xff: kill and start again (no frame). */
#include "harness/client.h"

#include "base/codec.h"
#include "base/mem.h"

/* A name that the fuzzer does not find by chance: it could delete the topic. */
#define HONEST "honest-5f1c9b27d3e84a60"

enum { CONNS = 3, FRAMES_MAX = 64, FRAME_MAX = 4096 };

static void send_frame(struct world *w, uint64_t *conn, uint8_t what, const uint8_t *p, size_t n)
{
    uint64_t *c = &conn[what % 4 % CONNS];
    uint8_t frame[FRAME_MAX];
    memcpy(frame, p, n);
    if (what & 0x20 && n >= 4) {
        const struct wire_api *api = &wire_api[frame[1] % wire_apis_n];
        be16_put(frame, (uint16_t)api->key);
        be16_put(frame + 2, (uint16_t)(api->first + frame[3] % (api->last - api->first + 1)));
    }
    if (world_closed(w, *c)) {
        *c = world_connect(w);
        world_expect_any(w, *c);
    }
    world_send_bytes(w, *c, slice_of(frame, n));
    for (int i = 0; i < (what >> 2 & 7); i++)
        world_step(w);
}

static void connect_all(struct world *w, uint64_t *conn)
{
    for (int i = 0; i < CONNS; i++) {
        conn[i] = world_connect(w);
        world_expect_any(w, conn[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world *w =
        world_new(&(struct world_options){.seed = 1, .governance_off = true, .auto_create = true});
    uint64_t conn[CONNS], honest = world_connect(w);
    client_create_topic(w, honest, "t", 2);
    client_create_topic(w, honest, HONEST, 1);
    connect_all(w, conn);
    for (int frames = 0; size >= 1 && frames < FRAMES_MAX; frames++) {
        uint8_t what = *data;
        if (what == 0xff) {
            data++, size--;
            world_kill(w);
            world_start(w, NULL);
            connect_all(w, conn);
            continue;
        }
        if (size < 3)
            break;
        size_t n = (size_t)(data[1] | data[2] << 8);
        data += 3, size -= 3;
        n = n < size ? n : size;
        n = n < FRAME_MAX ? n : FRAME_MAX;
        send_frame(w, conn, what, data, n);
        data += n, size -= n;
    }
    world_run_ms(w, 100);
    honest = world_connect(w);
    struct client_outcome o = client_produce_text(w, honest, HONEST, 0, "x");
    if (o.closed || o.error)
        __builtin_trap();
    world_free(w);
    return 0;
}
