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
    n->handler.request(n->handler.arg, c->id, frame);
}

static void begin_frame(struct conn *c, uint32_t size)
{
    size_t cap = size < NET_FRAME_FIRST_BYTES ? size : NET_FRAME_FIRST_BYTES;
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

/* Cuts frames out of bytes in the loop's buffer. False: the connection has been killed. */
static bool consume(struct conn *c, const uint8_t *p, size_t n)
{
    while (n && !c->dead) {
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
            return false;
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
            begin_frame(c, size);
        }
    }
    return !c->dead;
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
        iov[k++] = (struct iovec){c->net->buffer, NET_LOOP_BUFFER_BYTES};
        *asked += NET_LOOP_BUFFER_BYTES;
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
    return !c->dead && (!got || consume(c, c->net->buffer, got));
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

static bool may_read(struct conn *c)
{
    struct net *n = c->net;
    if (n->config.max_pending <= n->handler.pending(n->handler.arg, c->id) ||
        c->out_bytes > NET_OUT_QUEUE_BYTES) {
        c->held = true;
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
    }
    conn_arm(c);
}
