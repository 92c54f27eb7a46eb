#include "runtime/conn.h"

#include "base/check.h"
#include "base/codec.h"
#include "base/mem.h"
#include "runtime/limits.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* A request header has 8 bytes at least: api key, version, correlation id. */
enum { FRAME_LEAST_BYTES = 8 };

static void deliver(struct conn *c, struct buf *frame)
{
    struct net *n = c->net;
    n->stats.requests++;
    c->turn_frames++;
    conn_mark(c);
    n->handler.request(n->handler.arg, c->id, frame);
}

/* come: bytes of the frame that are here already. */
static void begin_frame(struct conn *c, uint32_t size, size_t come)
{
    size_t cap = 2 * come < NET_FRAME_FIRST_BYTES ? NET_FRAME_FIRST_BYTES : 2 * come;
    cap = cap < size ? cap : size;
    c->frame = budget_buf_forced(c->net->config.budget, cap);
    c->frame_bytes = size;
    c->frame_began_ms = uv_now(c->net->loop);
}

/* The buffer is full and the frame is not: a larger one, or a stall until the budget has room. */
static bool grow_frame(struct conn *c)
{
    struct buf *old = c->frame;
    size_t cap = 2 * old->cap < c->frame_bytes ? 2 * old->cap : c->frame_bytes;
    struct buf *bigger = budget_buf(c->net->config.budget, cap);
    if (!bigger) {
        c->stalled = true;
        c->net->stats.stalled++;
        return false;
    }
    memcpy(bigger->data, old->data, old->n);
    bigger->n = old->n;
    c->frame = bigger;
    buf_unref(old);
    return true;
}

static void finish_frame(struct conn *c)
{
    struct buf *frame = c->frame;
    c->frame = NULL;
    c->head_n = 0;
    deliver(c, frame);
}

/* Cuts frames out of n bytes, as many as one turn takes; how many bytes it took. The connection may
 * be dead then. */
static size_t consume(struct conn *c, const uint8_t *p, size_t n)
{
    const uint8_t *start = p;
    while (n && !c->dead && c->turn_frames < NET_FRAMES_PER_TURN) {
        if (c->frame) {
            size_t take = c->frame->cap - c->frame->n;
            take = take < n ? take : n;
            memcpy(c->frame->data + c->frame->n, p, take);
            c->frame->n += take;
            p += take;
            n -= take;
            if (c->frame->n == c->frame_bytes)
                finish_frame(c);
            continue;
        }
        while (c->head_n < 4 && n) {
            if (!c->head_n)
                c->frame_began_ms = uv_now(c->net->loop);
            c->head[c->head_n++] = *p++;
            n--;
        }
        if (c->head_n < 4)
            break;
        uint32_t size = be32_get(c->head);
        if (size < FRAME_LEAST_BYTES || size > c->net->config.max_frame_bytes) {
            c->net->stats.closed_by_limit++;
            conn_kill(c, "frame size out of bounds");
            break;
        }
        if (n >= size) {
            struct buf *frame = budget_buf_forced(c->net->config.budget, size);
            memcpy(frame->data, p, size);
            frame->n = size;
            c->head_n = 0;
            p += size;
            n -= size;
            deliver(c, frame);
        } else {
            begin_frame(c, size, n);
        }
    }
    return (size_t)(p - start);
}

/* Takes frames from bytes of the loop's buffer; what one turn does not take is kept. */
static void consume_or_keep(struct conn *c, const uint8_t *p, size_t n)
{
    size_t took = consume(c, p, n);
    if (took == n || c->dead)
        return;
    c->rest = budget_buf_forced(c->net->config.budget, n - took);
    memcpy(c->rest->data, p + took, n - took);
    c->rest->n = n - took;
    c->rest_at = 0;
    c->held = true; /* the next turn goes on with it */
    c->chunk_bytes = NET_CHUNK_LEAST_BYTES;
}

/* Takes frames from what an earlier turn has kept. False: some is left still. */
static bool consume_rest(struct conn *c)
{
    if (!c->rest)
        return true;
    struct buf *rest = c->rest;
    c->rest = NULL; /* a kill must not free it under us */
    c->rest_at += consume(c, rest->data + c->rest_at, rest->n - c->rest_at);
    if (c->rest_at == rest->n || c->dead) {
        buf_unref(rest);
        return true;
    }
    c->rest = rest;
    return false;
}

/* One recv. Returns what it returned; *asked is how much it could have returned. */
static ssize_t receive(struct conn *c, size_t *asked)
{
    struct iovec iov[2];
    int k = 0;
    *asked = 0;
    size_t rest = 0;
    if (c->frame) {
        rest = c->frame->cap - c->frame->n;
        iov[k++] = (struct iovec){c->frame->data + c->frame->n, rest};
        *asked += rest;
    }
    bool whole = !c->frame || c->frame->cap == c->frame_bytes;
    if (whole && rest < NET_FRAME_DIRECT_BYTES) {
        iov[k++] = (struct iovec){c->net->buffer, c->chunk_bytes};
        *asked += c->chunk_bytes;
    }
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = (size_t)k};
    ssize_t got;
    do
        got = recvmsg(c->fd, &msg, MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    return got;
}

/* Distributes what one recv brought. False: killed or stalled. */
static bool accept_bytes(struct conn *c, size_t got)
{
    if (c->frame) {
        size_t rest = c->frame->cap - c->frame->n;
        size_t take = got < rest ? got : rest;
        c->frame->n += take;
        got -= take;
        if (c->frame->n == c->frame_bytes)
            finish_frame(c);
        else if (c->frame->n == c->frame->cap && !grow_frame(c))
            return false;
    }
    if (got && !c->dead)
        consume_or_keep(c, c->net->buffer, got);
    return !c->dead && !c->rest;
}

static void throw_away(struct conn *c)
{
    for (int i = 0; i < NET_READS_PER_TURN; i++) {
        ssize_t got = recv(c->fd, c->net->buffer, NET_LOOP_BUFFER_BYTES, MSG_DONTWAIT);
        if (got > 0)
            continue;
        if (got == 0 || (errno != EAGAIN && errno != EINTR))
            conn_kill(c, NULL);
        return;
    }
}

bool conn_overfull(const struct conn *c, unsigned share)
{
    const struct net *n = c->net;
    const struct net_config *k = &n->config;
    return n->handler.pending(n->handler.arg, c->id) >= k->max_pending / share ||
           c->out_bytes > NET_OUT_QUEUE_BYTES / share ||
           (c->out_bytes && n->stats.queued_bytes > k->max_out_bytes / share);
}

static bool may_read(struct conn *c)
{
    struct net *n = c->net;
    if (c->turn_frames >= NET_FRAMES_PER_TURN || conn_overfull(c, 1)) {
        c->held = true;
        conn_mark(c);
        return false;
    }
    if (!consume_rest(c) || c->dead) {
        c->held = true; /* until the turn has answered */
        return false;
    }
    if (c->frame && c->frame->n == c->frame->cap && c->frame->cap < c->frame_bytes)
        return grow_frame(c);
    if (!budget_has(n->config.budget, NET_LOOP_BUFFER_BYTES)) {
        atomic_store(&n->config.budget->waiting, true);
        if (budget_has(n->config.budget, NET_LOOP_BUFFER_BYTES))
            return true;
        c->stalled = true;
        n->stats.stalled++;
        return false;
    }
    return true;
}

void conn_read(struct conn *c)
{
    if (c->draining) {
        throw_away(c);
        return;
    }
    for (int i = 0; i < NET_READS_PER_TURN && !c->dead && !c->closing; i++) {
        if (!may_read(c))
            break;
        size_t asked;
        ssize_t got = receive(c, &asked);
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            break;
        if (got <= 0) {
            conn_kill(c, NULL);
            return;
        }
        c->net->stats.in_bytes += (uint64_t)got;
        c->active_ms = uv_now(c->net->loop);
        if (!accept_bytes(c, (size_t)got) || (size_t)got < asked)
            break;
        if (c->chunk_bytes < NET_LOOP_BUFFER_BYTES) /* it has much to say, and it is taken */
            c->chunk_bytes *= 4;
    }
    conn_arm(c);
}
