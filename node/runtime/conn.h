/* The inside of net: one connection. Only net.c, conn_read.c and conn_write.c include it. */
#ifndef RUNTIME_CONN_H
#define RUNTIME_CONN_H

#include "runtime/net.h"

struct out_part {
    struct buf *buf;           /* owned; NULL for a file range */
    struct fdcache_file *file; /* owned reference; NULL for bytes */
    union {
        const uint8_t *p;
        uint64_t position;
    };
    size_t n;
    uint64_t warm_to; /* of a file range: up to here it was in the page cache just now */
};

struct conn {
    struct net *net;
    uint64_t id;
    int fd;
    uv_poll_t poll;
    uint8_t armed;   /* events that poll waits for */
    uint8_t head[4]; /* of a frame, as far as it has come */
    uint8_t head_n;
    bool stalled;  /* waits for the budget */
    bool held;     /* not read from: unanswered requests, queued answers, its turn */
    bool blocked;  /* the socket took less than there is */
    bool closing;  /* close when the queue is empty */
    bool warming;  /* a cold range is being read in; nothing is sent until it is there */
    bool draining; /* our side is shut; input is thrown away until the peer closes */
    bool dead;     /* poll handle is closing; only memory is left */
    bool dirty;    /* on the net's list for the next turn */
    bool greeted;  /* the handler has been told */
    struct conn *dirty_next;

    struct buf *frame; /* being received; owned; n bytes of frame_bytes are there */
    uint32_t frame_bytes;
    uint64_t frame_began_ms; /* loop time */
    struct buf *rest;        /* read, but more frames than one turn takes; owned */
    size_t rest_at;          /* taken from it */
    uint32_t chunk_bytes;    /* most that one read brings besides the frame being received */
    uint32_t turn_frames;    /* delivered since the last turn */

    struct out_part *out; /* ring */
    uint32_t out_first, out_n, out_cap;
    size_t out_bytes;     /* in memory; ranges of files do not count */
    uint64_t active_ms;   /* last read, or last write progress */
    uint64_t progress_ms; /* last write progress while something is queued */
};

struct net {
    uv_loop_t *loop;
    struct net_config config;
    struct net_handler handler;
    struct fdcache files;
    struct net_stats stats;

    struct conn **slot; /* by the low bits of the id */
    uint32_t slots_n, slots_cap;
    uint32_t *free_slot;
    uint32_t free_n, free_cap;
    uint64_t next_serial;

    int listen_fd;
    int port;
    uv_poll_t listen_poll;
    bool listening;
    bool paused;
    uv_timer_t sweep, accept_again;

    struct conn *dirty;
    uint64_t *closed; /* ids to tell */
    size_t closed_n, closed_cap;
    uint64_t queued_parts;

    uint8_t *buffer; /* NET_LOOP_BUFFER_BYTES, shared */
};

void conn_read(struct conn *c);
/* Too much is unanswered or unsent to read on; share 2: half of the limits, to begin again. */
bool conn_overfull(const struct conn *c, unsigned share);
/* Sends what the socket takes. */
void conn_write(struct conn *c);
void conn_push(struct conn *c, struct out_part part);
void conn_release(struct conn *c);               /* frees frame and queue */
void conn_arm(struct conn *c);                   /* makes poll wait for what is wanted */
void conn_mark(struct conn *c);                  /* looked at in the next turn */
void conn_kill(struct conn *c, const char *why); /* NULL: ordinary */

#endif
