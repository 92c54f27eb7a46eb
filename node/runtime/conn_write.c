#include "runtime/conn.h"

#include "base/check.h"
#include "base/mem.h"
#include "runtime/limits.h"

#include <errno.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

static struct out_part *at(struct conn *c, uint32_t i)
{
    return &c->out[(c->out_first + i) & (c->out_cap - 1)];
}

void conn_push(struct conn *c, struct out_part part)
{
    if (c->out_n == c->out_cap) {
        uint32_t cap = c->out_cap ? 2 * c->out_cap : 8;
        struct out_part *out = mem_alloc(cap * sizeof *out);
        for (uint32_t i = 0; i < c->out_n; i++)
            out[i] = *at(c, i);
        mem_free(c->out);
        c->out = out;
        c->out_cap = cap;
        c->out_first = 0;
    }
    if (!c->out_n)
        c->progress_ms = uv_now(c->net->loop);
    *at(c, c->out_n++) = part;
    c->net->queued_parts++;
    if (!part.file) {
        c->out_bytes += part.n;
        c->net->stats.queued_bytes += part.n;
    }
}

static void pop(struct conn *c)
{
    struct out_part *o = at(c, 0);
    buf_unref(o->buf);
    if (o->file)
        fdcache_put(o->file);
    c->out_first = (c->out_first + 1) & (c->out_cap - 1);
    c->out_n--;
    c->net->queued_parts--;
}

void conn_release(struct conn *c)
{
    while (c->out_n)
        pop(c);
    mem_free(c->out);
    c->out = NULL;
    c->out_cap = 0;
    c->net->stats.queued_bytes -= c->out_bytes;
    c->out_bytes = 0;
    buf_unref(c->frame);
    buf_unref(c->rest);
    c->frame = c->rest = NULL;
}

/* Takes n sent bytes off the head of the queue (memory parts only). */
static void sent(struct conn *c, size_t n)
{
    c->out_bytes -= n;
    c->net->stats.queued_bytes -= n;
    c->net->stats.out_bytes += n;
    while (n) {
        struct out_part *o = at(c, 0);
        size_t take = n < o->n ? n : o->n;
        o->p += take;
        o->n -= take;
        n -= take;
        if (!o->n)
            pop(c);
    }
}

static ssize_t send_bytes(struct conn *c, size_t *asked)
{
    struct iovec iov[NET_OUT_IOV];
    uint32_t k = 0;
    *asked = 0;
    while (k < NET_OUT_IOV && k < c->out_n && !at(c, k)->file) {
        struct out_part *o = at(c, k);
        iov[k++] = (struct iovec){(void *)(uintptr_t)o->p, o->n};
        *asked += o->n;
    }
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = k};
    /* A range of a file follows its response's head: let them share a packet. */
    int more = k < c->out_n ? MSG_MORE : 0;
    return sendmsg(c->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL | more);
}

/* Whether a part of a file can be sent without waiting for the disk: looks at single bytes with
 * RWF_NOWAIT. What cannot be known (a file system without it) counts as there. */
static bool resident(int fd, uint64_t position, size_t n)
{
    for (size_t i = 0; i < n; i += NET_WARM_STRIDE_BYTES) {
        uint8_t byte;
        struct iovec iov = {&byte, 1};
        if (preadv2(fd, &iov, 1, (off_t)(position + i), RWF_NOWAIT) < 0 && errno == EAGAIN)
            return false;
    }
    return true;
}

/* True: the next part of the head of the queue may be sent. False: the reader thread has been asked
 * to bring it into the page cache, so that a cold disk does not hold the loop. */
static bool warm(struct conn *c, struct out_part *o)
{
    if (o->position < o->warm_to)
        return true;
    size_t n = o->n < NET_WARM_BYTES ? o->n : NET_WARM_BYTES;
    o->warm_to = o->position + n;
    if (resident(o->file->fd, o->position, n))
        return true;
    struct net *net = c->net;
    c->warming = true;
    net->stats.warmed_bytes += n;
    net->handler.warm(net->handler.arg, c->id, o->file->path, o->position, n);
    return false;
}

static ssize_t send_file(struct conn *c, size_t *asked)
{
    struct out_part *o = at(c, 0);
    *asked = o->warm_to - o->position;
    off_t position = (off_t)o->position;
    ssize_t got = sendfile(c->fd, o->file->fd, &position, *asked);
    if (got > 0) {
        o->position += (uint64_t)got;
        o->n -= (size_t)got;
        c->net->stats.file_bytes += (uint64_t)got;
        if (!o->n)
            pop(c);
    }
    return got;
}

static void finish(struct conn *c)
{
    if (c->closing && !c->draining) {
        /* Our side ends; what the peer still sends is thrown away until it closes, or its unread
         * bytes would make the kernel reset the connection and eat the last answer. */
        shutdown(c->fd, SHUT_WR);
        c->draining = true;
        c->active_ms = uv_now(c->net->loop);
    }
}

void conn_write(struct conn *c)
{
    size_t total = 0;
    c->blocked = false;
    while (c->out_n && !c->dead && !c->warming) {
        if (!at(c, 0)->n) { /* an empty part: nothing to send */
            pop(c);
            continue;
        }
        if (total >= NET_OUT_PER_TURN_BYTES) {
            c->blocked = true; /* others first; the socket is writable, so poll comes back */
            break;
        }
        size_t asked;
        bool file = at(c, 0)->file != NULL;
        if (file && !warm(c, at(c, 0)))
            break;
        ssize_t got = file ? send_file(c, &asked) : send_bytes(c, &asked);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            c->blocked = true;
            break;
        }
        if (got <= 0) {
            /* sendfile gives 0 at the end of the file: a range that is not there any more. */
            conn_kill(c, got == 0 ? "file range is gone" : NULL);
            return;
        }
        if (!file)
            sent(c, (size_t)got);
        total += (size_t)got;
        c->active_ms = c->progress_ms = uv_now(c->net->loop);
    }
    if (c->dead)
        return;
    if (!c->out_n)
        finish(c);
    conn_arm(c);
}
