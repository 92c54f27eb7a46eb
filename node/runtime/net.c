#include "runtime/conn.h"

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "runtime/limits.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    SLOT_BITS = 20,
    SWEEP_MS = 1000,
    DRAIN_MS = 1000, /* how long input is thrown away after our side was shut */
};

static struct conn *find(const struct net *n, uint64_t id)
{
    uint32_t slot = (uint32_t)(id & ((1u << SLOT_BITS) - 1));
    struct conn *c = slot < n->slots_n ? n->slot[slot] : NULL;
    return c && c->id == id && !c->dead ? c : NULL;
}

void conn_mark(struct conn *c)
{
    if (c->dirty)
        return;
    c->dirty = true;
    c->dirty_next = c->net->dirty;
    c->net->dirty = c;
}

static void on_poll(uv_poll_t *h, int status, int events)
{
    struct conn *c = h->data;
    if (c->dead)
        return;
    /* UV_DISCONNECT is asked for only while nothing is read: the peer has gone meanwhile. */
    if (status < 0 || ((events & UV_DISCONNECT) && c->armed == UV_DISCONNECT)) {
        conn_kill(c, NULL);
        return;
    }
    if (events & UV_WRITABLE)
        conn_write(c);
    if ((events & UV_READABLE) && !c->dead)
        conn_read(c);
}

void conn_arm(struct conn *c)
{
    if (c->dead)
        return;
    bool reading = !c->stalled && !c->held && !c->net->paused && (!c->closing || c->draining);
    uint8_t want = (uint8_t)((reading ? UV_READABLE : 0) | (c->blocked ? UV_WRITABLE : 0));
    /* A connection that is not read from still notices that its peer has gone. */
    if (!want)
        want = UV_DISCONNECT;
    if (want == c->armed)
        return;
    c->armed = want;
    uv_poll_start(&c->poll, want, on_poll);
}

static void on_closed(uv_handle_t *h)
{
    struct conn *c = h->data;
    struct net *n = c->net;
    uint32_t slot = (uint32_t)(c->id & ((1u << SLOT_BITS) - 1));
    n->slot[slot] = NULL;
    n->free_slot[n->free_n++] = slot;
    mem_free(c);
}

void conn_kill(struct conn *c, const char *why)
{
    struct net *n = c->net;
    if (c->dead)
        return;
    c->dead = true;
    if (why)
        log_event(LOG_DEBUG, "runtime", "connection closed", LOG_I("conn", c->id),
                  LOG_T("why", why));
    if (n->closed_n == n->closed_cap) {
        n->closed_cap = n->closed_cap ? 2 * n->closed_cap : 64;
        n->closed = mem_realloc(n->closed, n->closed_cap * sizeof *n->closed);
    }
    n->closed[n->closed_n++] = c->id;
    n->stats.open--;
    conn_release(c);
    conn_mark(c); /* the memory stays until the list has been walked */
    uv_poll_stop(&c->poll);
}

static uint32_t take_slot(struct net *n)
{
    if (n->free_n)
        return n->free_slot[--n->free_n];
    if (n->slots_n == n->slots_cap) {
        n->slots_cap = n->slots_cap ? 2 * n->slots_cap : 64;
        n->slot = mem_realloc(n->slot, n->slots_cap * sizeof(struct conn *));
        n->free_slot = mem_realloc(n->free_slot, n->slots_cap * sizeof *n->free_slot);
    }
    n->slot[n->slots_n] = NULL;
    return n->slots_n++;
}

uint64_t net_adopt(struct net *n, int fd, struct slice peer)
{
    struct conn *c = MEM_NEW(struct conn);
    int rc = uv_poll_init(n->loop, &c->poll, fd);
    if (rc) { /* the kernel has no room for one more: as if it had not been accepted */
        log_event(LOG_WARN, "runtime", "connection refused", LOG_T("why", uv_strerror(rc)));
        n->stats.refused++;
        close(fd);
        mem_free(c);
        return 0;
    }
    uint32_t slot = take_slot(n);
    c->net = n;
    c->id = (++n->next_serial << SLOT_BITS) | slot;
    c->fd = fd;
    c->chunk_bytes = NET_CHUNK_LEAST_BYTES;
    c->active_ms = uv_now(n->loop);
    c->poll.data = c;
    n->slot[slot] = c;
    n->stats.accepted++;
    n->stats.open++;
    n->handler.opened(n->handler.arg, c->id, peer);
    conn_arm(c);
    return c->id;
}

static void peer_text(const struct sockaddr_storage *sa, socklen_t n, char out[80])
{
    char host[64] = "?", port[8] = "0";
    getnameinfo((const struct sockaddr *)sa, n, host, sizeof host, port, sizeof port,
                NI_NUMERICHOST | NI_NUMERICSERV);
    snprintf(out, 80, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
}

static void take_connection(struct net *n, int fd, const struct sockaddr_storage *sa,
                            socklen_t sa_n)
{
    if (n->stats.open >= n->config.max_connections) {
        n->stats.refused++;
        close(fd);
        return;
    }
    int on = 1, send_bytes = NET_SEND_BUFFER_BYTES;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    /* A peer that never reads costs the kernel this much and no more. */
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_bytes, sizeof send_bytes);
    char text[80];
    peer_text(sa, sa_n, text);
    net_adopt(n, fd, slice_str(text));
}

static void on_accept_again(uv_timer_t *t);

static void on_accept(uv_poll_t *h, int status, int events)
{
    struct net *n = h->data;
    (void)events;
    if (status < 0)
        return;
    for (int i = 0; i < NET_ACCEPT_PER_TURN; i++) {
        struct sockaddr_storage sa;
        socklen_t sa_n = sizeof sa;
        int fd = accept4(n->listen_fd, (struct sockaddr *)&sa, &sa_n, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            take_connection(n, fd, &sa, sa_n);
            continue;
        }
        if (errno == ECONNABORTED || errno == EINTR)
            continue;
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            n->stats.refused++;
            uv_poll_stop(&n->listen_poll);
            uv_timer_start(&n->accept_again, on_accept_again, NET_ACCEPT_PAUSE_MS, 0);
        }
        return;
    }
}

static void on_accept_again(uv_timer_t *t)
{
    struct net *n = t->data;
    if (n->listening && !n->paused)
        uv_poll_start(&n->listen_poll, UV_READABLE, on_accept);
}

static const char *overdue(const struct conn *c, uint64_t now_ms)
{
    const struct net_config *k = &c->net->config;
    if (c->draining)
        return now_ms - c->active_ms > DRAIN_MS ? "peer does not close" : NULL;
    if (c->warming)
        return NULL;
    if (c->out_n)
        return now_ms - c->progress_ms > k->write_timeout_ms ? "peer does not read" : NULL;
    if (c->frame || c->head_n) {
        uint64_t took_ms = now_ms - c->frame_began_ms;
        if (took_ms <= k->frame_timeout_ms)
            return NULL;
        uint64_t due = (took_ms - k->frame_timeout_ms) * NET_LEAST_RATE_BYTES_PER_S / 1000;
        return (c->frame ? c->frame->n : 0) <= due ? "request arrives too slowly" : NULL;
    }
    if (c->net->handler.pending(c->net->handler.arg, c->id))
        return NULL;
    return now_ms - c->active_ms > k->idle_timeout_ms ? "idle" : NULL;
}

static void on_sweep(uv_timer_t *t)
{
    struct net *n = t->data;
    uint64_t now_ms = uv_now(n->loop);
    for (uint32_t i = 0; i < n->slots_n; i++) {
        struct conn *c = n->slot[i];
        if (!c || c->dead)
            continue;
        const char *why = overdue(c, now_ms);
        if (!why)
            continue;
        n->stats.closed_by_limit++;
        conn_kill(c, why);
    }
}

void net_new(struct net **out, uv_loop_t *loop, const struct net_config *config,
             const struct net_handler *handler)
{
    ASSERT(config->max_connections < NET_CONNECTIONS_MAX);
    struct net *n = MEM_NEW(struct net);
    n->loop = loop;
    n->config = *config;
    n->handler = *handler;
    n->listen_fd = -1;
    n->buffer = mem_alloc(NET_LOOP_BUFFER_BYTES);
    fdcache_init(&n->files, config->dir_fd, O_RDONLY, FDCACHE_READ_MAX);
    uv_timer_init(loop, &n->sweep);
    uv_timer_init(loop, &n->accept_again);
    n->sweep.data = n->accept_again.data = n;
    uv_timer_start(&n->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
    *out = n;
}

static int bind_one(const struct addrinfo *ai)
{
    int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, ai->ai_addr, ai->ai_addrlen) < 0 || listen(fd, NET_BACKLOG) < 0) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

static int bound_port(int fd)
{
    struct sockaddr_storage sa;
    socklen_t n = sizeof sa;
    if (getsockname(fd, (struct sockaddr *)&sa, &n) < 0)
        return 0;
    return sa.ss_family == AF_INET6 ? ntohs(((struct sockaddr_in6 *)&sa)->sin6_port)
                                    : ntohs(((struct sockaddr_in *)&sa)->sin_port);
}

int net_listen(struct net *n, const char *address, int port, struct err *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *list = NULL;
    char service[8];
    snprintf(service, sizeof service, "%d", port);
    int rc = getaddrinfo(address, service, &hints, &list);
    if (rc)
        return err_set(err, ERR_INVALID, "cannot resolve listener address %s: %s", address,
                       gai_strerror(rc));
    errno = EADDRNOTAVAIL;
    for (struct addrinfo *ai = list; ai && n->listen_fd < 0; ai = ai->ai_next)
        n->listen_fd = bind_one(ai);
    int saved = errno;
    freeaddrinfo(list);
    if (n->listen_fd < 0)
        return err_set(err, ERR_IO, "cannot listen for Kafka clients on %s:%d: %s", address, port,
                       strerror(saved));
    n->port = bound_port(n->listen_fd);
    uv_poll_init(n->loop, &n->listen_poll, n->listen_fd);
    n->listen_poll.data = n;
    n->listening = true;
    uv_poll_start(&n->listen_poll, UV_READABLE, on_accept);
    return 0;
}

int net_port(const struct net *n)
{
    return n->port;
}

void net_stop_listening(struct net *n)
{
    if (!n->listening)
        return;
    n->listening = false;
    uv_poll_stop(&n->listen_poll);
    uv_close((uv_handle_t *)&n->listen_poll, NULL);
    close(n->listen_fd);
    n->listen_fd = -1;
}

static struct out_part part_from(struct net *n, const struct send_part *p)
{
    if (p->buf)
        return (struct out_part){.buf = p->buf, .p = p->bytes.p, .n = p->bytes.n};
    struct fdcache_file *file = fdcache_get(&n->files, p->range.path, p->range.segment);
    return (struct out_part){.file = file, .position = p->range.position, .n = p->range.size_bytes};
}

void net_send(struct net *n, uint64_t conn, const struct send_part *part, size_t parts_n)
{
    struct conn *c = find(n, conn);
    for (size_t i = 0; i < parts_n; i++) {
        if (!c || c->dead || c->closing) {
            buf_unref(part[i].buf);
            continue;
        }
        struct out_part o = part_from(n, &part[i]);
        if (o.buf || o.file)
            conn_push(c, o);
        else
            conn_kill(c, "file of a range cannot be opened");
    }
    if (c && !c->dead)
        conn_mark(c);
}

void net_close(struct net *n, uint64_t conn, const char *why)
{
    struct conn *c = find(n, conn);
    if (!c)
        return;
    c->closing = true;
    log_event(LOG_DEBUG, "runtime", "closing connection", LOG_I("conn", conn), LOG_T("why", why));
    conn_mark(c);
}

void net_warmed(struct net *n, uint64_t conn)
{
    struct conn *c = find(n, conn);
    if (!c)
        return;
    c->warming = false;
    c->progress_ms = uv_now(n->loop);
    conn_mark(c);
}

void net_pause(struct net *n, bool paused)
{
    if (n->paused == paused)
        return;
    n->paused = paused;
    if (n->listening) {
        if (paused)
            uv_poll_stop(&n->listen_poll);
        else
            uv_poll_start(&n->listen_poll, UV_READABLE, on_accept);
    }
    for (uint32_t i = 0; i < n->slots_n; i++)
        if (n->slot[i])
            conn_arm(n->slot[i]);
}

void net_budget_returned(struct net *n)
{
    for (uint32_t i = 0; i < n->slots_n && n->stats.stalled; i++) {
        struct conn *c = n->slot[i];
        if (!c || !c->stalled)
            continue;
        c->stalled = false;
        n->stats.stalled--;
        if (!c->dead)
            conn_arm(c);
    }
}

static void bury(struct conn *c)
{
    if (c->stalled)
        c->net->stats.stalled--;
    uv_close((uv_handle_t *)&c->poll, on_closed);
    /* Only now: uv_close takes the number out of epoll, where a new connection may not stand yet.
     */
    close(c->fd);
}

bool net_turn(struct net *n)
{
    struct conn *list = n->dirty;
    n->dirty = NULL; /* what is marked meanwhile is for the next turn */
    while (list) {
        struct conn *c = list;
        list = c->dirty_next;
        c->dirty = false;
        if (!c->dead && !c->blocked)
            conn_write(c);
        if (c->dead) {
            if (!c->dirty) /* a kill just now has put it on the list for the next turn */
                bury(c);
            continue;
        }
        c->turn_frames = 0;
        if (c->held && !conn_overfull(c, 2)) {
            c->held = false;
            if (c->rest) /* poll does not know of bytes that were read already */
                conn_read(c);
            else
                conn_arm(c);
        }
    }
    size_t closed = n->closed_n;
    for (size_t i = 0; i < closed; i++)
        n->handler.closed(n->handler.arg, n->closed[i]);
    ASSERT(n->closed_n == closed);
    n->closed_n = 0;
    return n->dirty != NULL;
}

bool net_drained(const struct net *n)
{
    return n->queued_parts == 0;
}

const struct net_stats *net_stats(const struct net *n)
{
    return &n->stats;
}

void net_shutdown(struct net *n)
{
    net_stop_listening(n);
    for (uint32_t i = 0; i < n->slots_n; i++)
        if (n->slot[i] && !n->slot[i]->dead)
            conn_kill(n->slot[i], NULL);
    while (net_turn(n))
        ;
    uv_close((uv_handle_t *)&n->sweep, NULL);
    uv_close((uv_handle_t *)&n->accept_again, NULL);
}

void net_free(struct net *n)
{
    ASSERT(n->stats.open == 0);
    fdcache_free(&n->files);
    mem_free(n->slot);
    mem_free(n->free_slot);
    mem_free(n->closed);
    mem_free(n->buffer);
    mem_free(n);
}
