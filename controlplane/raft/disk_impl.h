/* Shared by disk.c (the loop's side) and disk_writer.c (the thread); nobody else includes it. */
#ifndef RAFT_DISK_IMPL_H
#define RAFT_DISK_IMPL_H

#include "raft/disk.h"

#include <stdatomic.h>

enum {
    BATCH_MAX = 256,          /* appends that share one sync */
    NO_SPACE_PAUSE_MS = 2000, /* before the next try to reserve space */
    IDLE_MS = 10,             /* then the writer does what can wait */
};

enum disk_op_kind { OP_APPEND, OP_TRUNCATE, OP_PUT, OP_GET };

struct disk_op {
    enum disk_op_kind kind;
    uint64_t since_ns;
    int status;
    union {
        struct {
            struct raft_io_append *request;
            raft_io_append_cb cb;
            const struct raft_entry *entries; /* libraft's until cb */
            unsigned n;
        } append;
        uint64_t truncate;
        struct {
            struct raft_io_snapshot_put *request;
            raft_io_snapshot_put_cb cb;
            const struct raft_snapshot *snapshot; /* libraft's until cb */
            unsigned trailing;
            bool begun;
        } put;
        struct {
            struct raft_io_snapshot_get *request;
            raft_io_snapshot_get_cb cb;
            struct raft_snapshot *snapshot;
        } get;
    };
    struct disk_op *next;
};

struct disk_queue {
    struct disk_op *first, **end;
};

struct disk_sent {
    struct raft_io_send *request;
    raft_io_send_cb cb;
    struct disk_sent *next;
};

struct raft_disk {
    struct raft_io io;
    struct raft_disk_config config;
    bool loaded;
    uint64_t random;

    uv_async_t wake;
    uv_timer_t timer;
    unsigned open_handles;
    raft_io_tick_cb tick;
    raft_io_recv_cb recv;
    raft_io_close_cb close_cb;
    struct disk_sent *sent, **sent_end;
    struct raft_disk_metrics metrics; /* the loop's part of them */

    uv_thread_t thread;
    uv_mutex_t lock;
    uv_cond_t work;    /* for the writer */
    uv_cond_t settled; /* for the loop: a meta write, or the queue, is done */
    /* Under the lock. */
    struct disk_queue queue; /* kind 2 */
    unsigned busy;           /* operations of kind 2 that the writer has taken and not answered */
    struct disk_op *own;     /* the snapshot of our own */
    struct disk_queue done;  /* for the loop */
    bool meta_due;
    uint64_t meta_term, meta_vote;
    int meta_status;
    bool stopping;
    bool failed, failed_told;
    char why[RAFT_ERRMSG_BUF_SIZE];

    atomic_uint_least64_t room, log_bytes, snapshot_index, snapshot_bytes, no_space_until_ms;
};

static inline uint64_t disk_now_ms(void)
{
    return uv_hrtime() / 1000000;
}

static inline void disk_queue_init(struct disk_queue *q)
{
    q->first = NULL;
    q->end = &q->first;
}

static inline void disk_queue_push(struct disk_queue *q, struct disk_op *op)
{
    op->next = NULL;
    *q->end = op;
    q->end = &op->next;
}

static inline struct disk_op *disk_queue_pop(struct disk_queue *q)
{
    struct disk_op *op = q->first;

    q->first = op->next;
    if (q->first == NULL)
        q->end = &q->first;
    op->next = NULL;
    return op;
}

/* The thread's body; arg is the disk. */
void raft_disk_writer(void *arg);
/* What the loop may read of the store without the lock. */
void raft_disk_publish(struct raft_disk *d);

#endif
