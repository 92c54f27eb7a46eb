/* Kafka connections on a libuv loop: raw non-blocking sockets, frames in, answers out. It knows
 * frames (4 bytes of length, then that many bytes) and nothing of what is in them.
 *
 * Memory is bounded from the first byte: small frames are copied out of one buffer that all
 * connections of the loop share; a frame's own buffer grows by what came, not by what was promised,
 * and stands on the budget; a connection that finds the budget empty, has too many requests
 * unanswered, or does not read its answers is not read from; the answers in memory of all
 * connections together are bounded too. Deadlines: a frame that was begun must arrive at a least
 * rate, a queue of answers must shrink, an idle connection is closed after a while.
 *
 * One thread. Callbacks only enqueue; net_turn sends what was queued. */
#ifndef RUNTIME_NET_H
#define RUNTIME_NET_H

#include "broker/broker.h"
#include "runtime/budget.h"
#include "runtime/fdcache.h"

#include <uv.h>

struct net;

struct net_handler {
    void *arg;
    void (*opened)(void *arg, uint64_t conn, struct slice peer);
    void (*request)(void *arg, uint64_t conn, struct buf *frame); /* takes the reference */
    void (*closed)(void *arg, uint64_t conn);
    uint32_t (*pending)(void *arg, uint64_t conn); /* requests without an answer */
    /* Bring this range into the page cache, then call net_warmed. */
    void (*warm)(void *arg, uint64_t conn, const char *path, uint64_t position, size_t n);
};

struct net_config {
    uint32_t max_connections;
    uint32_t max_frame_bytes;
    uint32_t max_pending;      /* requests of one connection that wait for answers */
    uint64_t max_out_bytes;    /* answers in memory of all: above, whoever has some waits */
    uint32_t frame_timeout_ms; /* grace before the least rate counts */
    uint32_t idle_timeout_ms;
    uint32_t write_timeout_ms; /* without any progress */
    struct budget *budget;     /* borrowed */
    int dir_fd;                /* of the data folder, for file ranges; borrowed */
};

struct net_stats {
    uint64_t accepted, refused, closed_by_limit, requests, in_bytes, out_bytes, file_bytes;
    uint64_t queued_bytes; /* answers in memory */
    uint64_t warmed_bytes; /* of file ranges that were not in the page cache */
    uint32_t open, stalled;
};

void net_new(struct net **out, uv_loop_t *loop, const struct net_config *config,
             const struct net_handler *handler);
/* address "0.0.0.0" or a name; port 0 picks a free one. */
int net_listen(struct net *n, const char *address, int port, struct err *err);
int net_port(const struct net *n);
void net_stop_listening(struct net *n);
/* Takes over a connected socket, as accept does; 0 when the kernel has no room for it. For tests
 * and for accept itself. */
uint64_t net_adopt(struct net *n, int fd, struct slice peer);

/* Queues parts for a connection; the references in them are taken. A connection that has gone eats
 * them. */
void net_send(struct net *n, uint64_t conn, const struct send_part *part, size_t parts_n);
/* Closes after what was queued before has gone. */
void net_close(struct net *n, uint64_t conn, const char *why);
/* A range that was asked for by `warm` is in the page cache, or cannot be. */
void net_warmed(struct net *n, uint64_t conn);
/* While paused nothing is read and nothing accepted; what is queued still goes out. */
void net_pause(struct net *n, bool paused);
/* Bytes came back to the budget: connections that waited go on. */
void net_budget_returned(struct net *n);
/* Sends what was queued since the last turn, goes on with connections that had to wait for it, and
 * tells the handler what has closed. True: there is more for a next turn, which must come without
 * waiting for the world. */
bool net_turn(struct net *n);
/* Nothing is queued for sending. */
bool net_drained(const struct net *n);

const struct net_stats *net_stats(const struct net *n);
/* Closes all; the loop must run once more before net_free. */
void net_shutdown(struct net *n);
void net_free(struct net *n);

#endif
