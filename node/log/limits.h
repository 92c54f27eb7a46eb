/* Every bound of the log room in one place. */
#ifndef LOG_LIMITS_H
#define LOG_LIMITS_H

enum {
    LOG_ALIGN = 4096,   /* groups start and end here: a write never touches a synced page */
    LOG_SLOTS_MAX = 64, /* journal files of one ring */
    LOG_SLOTS_MIN = 3,  /* the last is kept for a group that takes a snapshot */
    LOG_FIRST_FILE_BYTES = 4 << 20, /* first lap: enough to start, cheap to make */
    LOG_GROUP_RECORDS_MAX = 960,    /* parts of one write stay below IOV_MAX */
    LOG_COPY_MAX_BYTES = 2048,      /* smaller batches are copied into the group's own buffer */
    LOG_PENDING_GROUPS = 4,         /* bytes that may wait: this many times group_max_bytes */
    LOG_PLOGS_MAX = 100000,
    LOG_SEGMENTS_MAX = 65536, /* of one plog */
    LOG_EPOCHS_MAX = 65536,   /* of one plog */
    LOG_NOTE_MAX_BYTES = 1 << 20,
    LOG_INDEX_MAX = 16384,             /* entries of one segment; beyond it every second one goes */
    LOG_INDEX_SAVE_ENTRIES = 1024,     /* an active segment's index is saved when it grew by this */
    LOG_INDEXES_LOADED_MAX = 8,        /* of rolled segments, in memory at one time */
    LOG_INTERVALS_MAX = 16,            /* verified ranges remembered per segment */
    LOG_CURSORS = 4,                   /* ends of recent reads remembered per plog */
    LOG_SYNCS_WINDOW = 16,             /* syncs of a checkpoint under way */
    LOG_SCAN_BYTES = 64 << 10,         /* read at once when scanning headers */
    LOG_ALLOCATE_FROM_BYTES = 1 << 20, /* segments reserve space ahead from this size on */
    LOG_ALLOCATE_CHUNK_BYTES = 8 << 20,
    LOG_DECOMPRESS_MAX_BYTES = 128 << 20, /* of one batch, when looking for a time in it */
    LOG_IDLE_CHECKPOINT_MS = 5000, /* quiet this long: checkpoint, so that a restart is quick */
    LOG_RETRY_MS = 1000,           /* failed segment writes are tried again */
    LOG_TICK_MS = 1000,
    LOG_PREPARE_CHUNK_BYTES = 1 << 20,   /* zeros written at once into a new journal file */
    LOG_REPLAY_BUFFER_BYTES = 256 << 10, /* replayed bytes gathered per plog */
    LOG_REPLAY_TOTAL_BYTES = 8 << 20,
};

#define LOG_SEGMENT_MAX_BYTES 2147483647u /* positions are 32 bits wide */

#endif
