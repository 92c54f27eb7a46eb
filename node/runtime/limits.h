/* Every bound of this room in one place. What an operator may set is in the configuration table
 * (main/config.c); these are the values that nobody should need to touch, and the defaults. */
#ifndef RUNTIME_LIMITS_H
#define RUNTIME_LIMITS_H

enum {
    /* Connections */
    NET_CONNECTIONS_MAX = 1 << 20,      /* bits of a connection id that name its slot */
    NET_ACCEPT_PER_TURN = 64,           /* so that a connect storm does not hold a turn */
    NET_ACCEPT_PAUSE_MS = 100,          /* after EMFILE, ENFILE, ENOMEM */
    NET_LOOP_BUFFER_BYTES = 256 * 1024, /* shared by all connections of a loop */
    NET_CHUNK_LEAST_BYTES = 16 * 1024,  /* of one read: grows with what is taken, to the whole */
    NET_FRAME_FIRST_BYTES = 4096,       /* a frame's buffer grows by what came, from here */
    NET_FRAME_DIRECT_BYTES = 64 * 1024, /* rests larger than this are read without surplus */
    NET_READS_PER_TURN = 4,             /* of one connection, before others get their turn */
    NET_OUT_IOV = 64,                   /* memory parts of one sendmsg */
    NET_OUT_PER_TURN_BYTES = 4 << 20,   /* of one connection, before others get their turn */
    NET_OUT_QUEUE_BYTES = 1 << 20,      /* answers queued in memory: reading stops above */
    NET_FRAMES_PER_TURN = 64, /* of one connection: its answers are counted after each turn */
    NET_WARM_BYTES = 1 << 20, /* of a file range that are looked at, or read in, at once */
    NET_WARM_STRIDE_BYTES = 256 * 1024,     /* one byte looked at in each */
    NET_SEND_BUFFER_BYTES = 1 << 20,        /* SO_SNDBUF; the kernel caps it at wmem_max */
    NET_LEAST_RATE_BYTES_PER_S = 16 * 1024, /* of a frame that is being sent, after its grace */
    NET_BACKLOG = 1024,

    /* Threads */
    TICK_LEAST_MS = 1,
    TICK_MOST_MS = 1000,
    TURN_ROUNDS_MAX = 8,        /* of the data thread's turn before it looks at the world again */
    INBOX_MESSAGES_KEPT = 4096, /* memory kept between turns */
    POOL_THREADS_MAX = 64,
    POOL_QUEUE_JOBS = 4096, /* above: reading stops until the pool has caught up */
    THREAD_NICE = 5,        /* of threads that yield to others */
    THREAD_STACK_BYTES = 512 * 1024,

    /* Files */
    FDCACHE_READ_MAX = 512,  /* descriptors kept for sendfile */
    FDCACHE_WRITE_MAX = 256, /* by each writer thread */
    FDCACHE_DISK_MAX = 64,   /* by the synchronous disk */
    WRITER_IOV = 512,        /* parts of one pwritev */
    DIRECT_ALIGN_BYTES = 4096,
    DIRECT_STAGE_BYTES = 8 << 20,    /* journal groups up to this go past the page cache */
    READER_CHUNK_BYTES = 256 * 1024, /* of a cold range at a time */

    LOG_LINES_PER_S = 2000, /* further lines of the second are counted, not written */
    LOG_LINE_BYTES = 8192,
};

#endif
