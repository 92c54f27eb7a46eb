#include "bench_load.h"

#include "base/bytes.h"
#include "base/codec.h"
#include "base/mem.h"
#include "kafka_client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct conn {
    struct kafka_client *client;
    int fd;
    bool wants_out;
    uint64_t sent_ns[LOAD_INFLIGHT_MAX]; /* ring over the requests in flight */
    uint32_t sent, answered;
    uint8_t *out; /* the request being written; borrowed from the plan */
    size_t out_n;
    struct bytes in;
};

struct load {
    const struct load_plan *plan;
    struct conn *conns;
    int epoll_fd;
    uint64_t until_ns;
    uint64_t last_ns; /* of the last answer */
    uint32_t in_flight;
    bool exhausted;
    struct load_result *result;
    size_t latency_cap;
};

uint64_t load_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int watch(struct load *l, int index, int op, bool out, struct err *err)
{
    struct epoll_event e = {.events = EPOLLIN | (out ? (unsigned)EPOLLOUT : 0),
                            .data.u32 = (uint32_t)index};
    l->conns[index].wants_out = out;
    if (epoll_ctl(l->epoll_fd, op, l->conns[index].fd, &e) != 0)
        return err_set(err, ERR_IO, "epoll: %s", strerror(errno));
    return 0;
}

/* Takes the plan's next request unless the pipe is full or the time is over. */
static bool take_next(struct load *l, int index)
{
    struct conn *c = &l->conns[index];
    if (c->sent - c->answered >= (uint32_t)l->plan->inflight || l->exhausted)
        return false;
    uint64_t now = load_now_ns();
    if (now >= l->until_ns || !l->plan->next(l->plan->ctx, index, &c->out, &c->out_n)) {
        l->exhausted = true;
        return false;
    }
    be32_put(c->out + 8, c->sent);
    c->sent_ns[c->sent % LOAD_INFLIGHT_MAX] = now;
    c->sent++;
    l->in_flight++;
    return true;
}

static int send_some(struct load *l, int index, struct err *err)
{
    struct conn *c = &l->conns[index];
    while (c->out_n > 0 || take_next(l, index)) {
        ssize_t n = send(c->fd, c->out, c->out_n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN)
            return c->wants_out ? 0 : watch(l, index, EPOLL_CTL_MOD, true, err);
        if (n < 0 && errno != EINTR)
            return err_set(err, ERR_IO, "send: %s", strerror(errno));
        if (n > 0) {
            c->out += n;
            c->out_n -= (size_t)n;
        }
    }
    return c->wants_out ? watch(l, index, EPOLL_CTL_MOD, false, err) : 0;
}

static int take_answer(struct load *l, int index, struct slice frame, struct err *err)
{
    struct conn *c = &l->conns[index];
    struct load_result *r = l->result;
    if (c->answered == c->sent || be32_get(frame.p) != c->answered)
        return err_set(err, ERR_INVALID, "an answer that is not due");
    l->last_ns = load_now_ns();
    if (r->answers == l->latency_cap) {
        l->latency_cap = l->latency_cap ? l->latency_cap * 2 : 65536;
        r->latency_us = mem_realloc(r->latency_us, l->latency_cap * sizeof(uint32_t));
    }
    uint64_t took_ns = l->last_ns - c->sent_ns[c->answered % LOAD_INFLIGHT_MAX];
    r->latency_us[r->answers++] = (uint32_t)(took_ns / 1000);
    c->answered++;
    l->in_flight--;
    return l->plan->answer(l->plan->ctx, index, frame, err);
}

/* One read, then every whole answer in the buffer. */
static int receive_some(struct load *l, int index, struct err *err)
{
    struct conn *c = &l->conns[index];
    size_t want = 64 << 10;
    if (c->in.n >= 4 && be32_get(c->in.p) + 4u > c->in.n)
        want = be32_get(c->in.p) + 4u - c->in.n;
    bytes_reserve(&c->in, want);
    ssize_t n = recv(c->fd, c->in.p + c->in.n, want, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n <= 0)
        return err_set(err, ERR_IO, "the server has closed the connection");
    c->in.n += (size_t)n;
    size_t at = 0;
    while (c->in.n - at >= 4) {
        uint32_t length = be32_get(c->in.p + at);
        if (length < 4 || length > LOAD_ANSWER_MAX)
            return err_set(err, ERR_INVALID, "an answer of %u bytes", length);
        if (c->in.n - at - 4 < length)
            break;
        int rv = take_answer(l, index, slice_of(c->in.p + at + 4, length), err);
        if (rv != 0)
            return rv;
        at += 4 + (size_t)length;
    }
    if (at > 0) {
        memmove(c->in.p, c->in.p + at, c->in.n - at);
        c->in.n -= at;
    }
    return 0;
}

static int run(struct load *l, struct err *err)
{
    for (int i = 0; i < l->plan->conns; i++) {
        int rv = send_some(l, i, err);
        if (rv != 0)
            return rv;
    }
    while (l->in_flight > 0) {
        struct epoll_event events[64];
        int n = epoll_wait(l->epoll_fd, events, 64, l->plan->timeout_ms);
        if (n == 0)
            return err_set(err, ERR_UNAVAILABLE, "no answer within %d ms", l->plan->timeout_ms);
        for (int i = 0; i < n; i++) {
            int index = (int)events[i].data.u32;
            int rv = 0;
            if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
                rv = receive_some(l, index, err);
            if (rv == 0)
                rv = send_some(l, index, err);
            if (rv != 0)
                return rv;
        }
    }
    return 0;
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

int load_run(const struct load_plan *plan, struct load_result *out, struct err *err)
{
    if (plan->conns < 1 || plan->conns > LOAD_CONNS_MAX || plan->inflight < 1 ||
        plan->inflight > LOAD_INFLIGHT_MAX)
        return err_set(err, ERR_INVALID, "1 to %d connections, 1 to %d requests in flight",
                       LOAD_CONNS_MAX, LOAD_INFLIGHT_MAX);
    *out = (struct load_result){0};
    struct load l = {.plan = plan, .result = out, .epoll_fd = epoll_create1(EPOLL_CLOEXEC)};
    l.conns = mem_zalloc((size_t)plan->conns, sizeof(struct conn));
    int rv = 0;
    for (int i = 0; i < plan->conns && rv == 0; i++) {
        struct conn *c = &l.conns[i];
        rv = kafka_connect(&c->client, plan->bootstrap, plan->timeout_ms, err);
        if (rv == 0) {
            c->fd = kafka_fd(c->client);
            rv = watch(&l, i, EPOLL_CTL_ADD, false, err);
        }
    }
    uint64_t start = load_now_ns();
    l.until_ns = start + (uint64_t)(plan->secs * 1e9);
    if (rv == 0)
        rv = run(&l, err);
    out->secs = (double)(l.last_ns - start) / 1e9;
    for (int i = 0; i < plan->conns; i++) {
        kafka_close(l.conns[i].client);
        bytes_free(&l.conns[i].in);
    }
    mem_free(l.conns);
    close(l.epoll_fd);
    if (out->answers > 0)
        qsort(out->latency_us, out->answers, sizeof(uint32_t), by_number);
    return rv;
}

void load_result_free(struct load_result *r)
{
    mem_free(r->latency_us);
    *r = (struct load_result){0};
}

double load_percentile_ms(const struct load_result *r, double share)
{
    if (r->answers == 0)
        return 0;
    return r->latency_us[(size_t)(share * (double)(r->answers - 1))] / 1000.0;
}

double load_process_cpu_secs(int pid)
{
    char path[64], text[1024];
    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    FILE *f = pid > 0 ? fopen(path, "r") : NULL;
    if (!f)
        return 0;
    size_t n = fread(text, 1, sizeof(text) - 1, f);
    fclose(f);
    text[n] = '\0';
    const char *p = strrchr(text, ')');
    unsigned long user = 0, system = 0;
    if (!p ||
        sscanf(p + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
        return 0;
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

uint64_t load_process_kib(int pid, const char *field)
{
    char path[64], line[256];
    unsigned long kib = 0;
    snprintf(path, sizeof(path), "/proc/%d/status", pid);
    FILE *f = pid > 0 ? fopen(path, "r") : NULL;
    if (!f)
        return 0;
    while (fgets(line, sizeof(line), f)) {
        if (strncmp(line, field, strlen(field)) == 0)
            sscanf(line + strlen(field), "%lu", &kib);
    }
    fclose(f);
    return kib;
}
