/* The clients of the world: frames out, frames in, each answer matched to its request by its place
 * in the connection's order, which Kafka promises. */
#include "harness/inside.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

enum { ANSWER_WAIT_MS = 60000 };

struct world_conn *world_conn_find(const struct world *w, uint64_t id)
{
    for (size_t i = w->conns_n; i > 0; i--)
        if (w->conn[i - 1]->id == id)
            return w->conn[i - 1];
    return NULL;
}

uint64_t world_connect(struct world *w)
{
    struct world_conn *c = MEM_NEW(struct world_conn);
    char peer[64];
    if (w->conns_n == w->conns_cap) {
        w->conns_cap = w->conns_cap ? w->conns_cap * 2 : 8;
        w->conn = mem_realloc(w->conn, w->conns_cap * sizeof *w->conn);
    }
    w->conn[w->conns_n++] = c;
    c->id = ++w->next_conn;
    c->open = true;
    snprintf(peer, sizeof peer, "127.0.0.1:%u", (unsigned)(40000 + c->id));
    world_event(w,
                &(struct event){.kind = EVENT_CONN_OPEN, .conn = c->id, .peer = slice_str(peer)});
    return c->id;
}

void world_disconnect(struct world *w, uint64_t conn)
{
    struct world_conn *c = world_conn_find(w, conn);
    c->open = false;
    item_push(w, (struct item){.kind = ITEM_CLOSED, .id = conn}, world_delay(w, 1, 500));
}

bool world_closed(const struct world *w, uint64_t conn)
{
    return !world_conn_find(w, conn)->open;
}

const char *world_close_reason(const struct world *w, uint64_t conn)
{
    return world_conn_find(w, conn)->reason;
}

void world_send_bytes(struct world *w, uint64_t conn, struct slice frame)
{
    struct world_conn *c = world_conn_find(w, conn);
    int64_t at = w->now_us + world_delay(w, 10, 300);
    if (at <= c->arrives_us)
        at = c->arrives_us + 1;
    c->arrives_us = at;
    item_push(w,
              (struct item){.kind = ITEM_REQUEST, .id = conn, .frame = buf_from(frame.p, frame.n)},
              at - w->now_us);
}

static void play_expect(struct world_conn *c, int16_t api, int16_t version, int32_t correlation_id)
{
    if (c->expected_n == c->expected_cap) {
        c->expected_cap = c->expected_cap ? c->expected_cap * 2 : 16;
        c->expected = mem_realloc(c->expected, c->expected_cap * sizeof *c->expected);
    }
    c->expected[c->expected_n++] =
        (struct answer){.api = api, .version = version, .correlation_id = correlation_id};
}

void *world_call_bytes(struct world *w, uint64_t conn, int16_t api, int16_t version,
                       int32_t correlation_id, struct slice frame)
{
    play_expect(world_conn_find(w, conn), api, version, correlation_id);
    world_send_bytes(w, conn, frame);
    return world_receive(w, conn);
}

void world_expect_any(struct world *w, uint64_t conn)
{
    world_conn_find(w, conn)->any = true;
}

int32_t world_send(struct world *w, uint64_t conn, int16_t api, int16_t version,
                   const void *request)
{
    struct world_conn *c = world_conn_find(w, conn);
    struct bytes out = {0};
    struct wire_request_header h = {
        .api_key = api,
        .api_version = version,
        .correlation_id = ++w->next_correlation,
        .client_id = SLICE_LIT("harness"),
    };
    size_t start = wire_begin_request(&out, &h);
    assert_int_equal(wire_encode_request(api, version, request, &out), 0);
    wire_end_frame(&out, start, 0);
    if (api != WIRE_PRODUCE || ((const struct wire_produce_request *)request)->acks != 0)
        play_expect(c, api, version, h.correlation_id);
    world_send_bytes(w, conn, slice_of(out.p + 4, out.n - 4));
    bytes_free(&out);
    return h.correlation_id;
}

/* ---- answers ---- */

static void play_read_range(struct world *w, const struct plog_range *r, struct bytes *out)
{
    struct disk *d = sim_disk_disk(w->sim);
    bytes_reserve(out, (size_t)r->size_bytes);
    int64_t n = d->read(d, r->path, r->position, out->p + out->n, (size_t)r->size_bytes);
    assert_int_equal(n, (int64_t)r->size_bytes);
    out->n += (size_t)n;
    w->last_range = *r;
}

void play_send(struct world *w, const struct effect *e)
{
    struct world_conn *c = world_conn_find(w, e->conn);
    struct bytes all = {0};
    for (size_t i = 0; i < e->parts_n; i++) {
        if (e->part[i].buf)
            bytes_add_slice(&all, e->part[i].bytes);
        else
            play_read_range(w, &e->part[i].range, &all);
    }
    world_note(w, all.p, all.n);
    if (c && c->open) {
        /* One whole answer, with a true length, to the oldest request. */
        assert_true(all.n >= 8);
        assert_int_equal(be32_get(all.p), all.n - 4);
        if (c->any) {
            bytes_free(&all);
            return;
        }
        assert_true(c->received < c->expected_n);
        struct answer *a = &c->expected[c->received++];
        assert_int_equal((int32_t)be32_get(all.p + 4), a->correlation_id);
        a->frame = arena_copy(&w->arena, slice_of(all.p + 4, all.n - 4));
    }
    bytes_free(&all);
}

void play_close(struct world *w, const struct effect *e)
{
    struct world_conn *c = world_conn_find(w, e->conn);
    snprintf(c->reason, sizeof c->reason, "%s", e->message);
    c->open = false;
    item_push(w, (struct item){.kind = ITEM_CLOSED, .id = c->id}, world_delay(w, 1, 500));
}

void play_drop_clients(struct world *w)
{
    for (size_t i = 0; i < w->conns_n; i++) {
        struct world_conn *c = w->conn[i];
        if (c->open)
            snprintf(c->reason, sizeof c->reason, "the broker died");
        c->open = false;
    }
}

size_t world_answers_waiting(const struct world *w, uint64_t conn)
{
    const struct world_conn *c = world_conn_find(w, conn);
    return c->received - c->taken;
}

void *world_poll(struct world *w, uint64_t conn)
{
    struct world_conn *c = world_conn_find(w, conn);
    if (c->taken == c->received)
        return NULL;
    const struct answer *a = &c->expected[c->taken++];
    struct slice body;
    struct err err = {0};
    int32_t correlation;
    void *out = NULL;
    c->last = a->frame;
    int16_t version = a->version;
    /* KIP-511: an unknown version of ApiVersions is answered in version 0. */
    if (a->api == WIRE_API_VERSIONS && !wire_api_serves(a->api, version))
        version = 0;
    if (wire_decode_response_header(a->frame, a->api, version, &correlation, &body, &err) ||
        wire_decode_response(a->api, version, body, &w->arena, &out, &err))
        fail_msg("an answer to API %d version %d cannot be read: %s", a->api, version, err.msg);
    return out;
}

void *world_receive(struct world *w, uint64_t conn)
{
    struct world_conn *c = world_conn_find(w, conn);
    int64_t until = w->now_us + (int64_t)ANSWER_WAIT_MS * 1000;
    assert_true(c->taken < c->expected_n);
    while (c->taken == c->received) {
        if (!c->open)
            return NULL;
        if (w->now_us > until || !world_step(w))
            fail_msg("no answer to API %d", c->expected[c->taken].api);
    }
    return world_poll(w, conn);
}

void *world_call(struct world *w, uint64_t conn, int16_t api, int16_t version, const void *request)
{
    world_send(w, conn, api, version, request);
    return world_receive(w, conn);
}

const struct plog_range *world_last_range(const struct world *w)
{
    return &w->last_range;
}

struct slice world_last_frame(const struct world *w, uint64_t conn)
{
    return world_conn_find(w, conn)->last;
}

void world_forget(struct world *w)
{
    arena_reset(&w->arena);
}
