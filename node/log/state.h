/* The insides of the log room, shared by its files and by nobody else. */
#ifndef LOG_STATE_H
#define LOG_STATE_H

#include "base/check.h"
#include "base/map.h"
#include "log/batch.h"
#include "log/format.h"
#include "log/limits.h"
#include "log/store.h"

/* A place in a plog: between two batches. */
struct log_mark {
    int64_t offset;
    int64_t segment; /* base offset of the segment */
    uint32_t position;
};

/* ---- one segment ---- */

/* The batch at `position` begins at base + offset; what lies before it has timestamps <=
 * max_before. */
struct log_index_entry {
    uint32_t offset;
    uint32_t position;
    int64_t max_before;
};

struct log_index {
    struct log_index_entry *entry; /* owned */
    uint32_t n, cap;
    uint32_t interval; /* bytes between entries at least; doubles when the table is full */
    uint32_t from;     /* it speaks of the bytes [from, covered) */
    uint32_t covered;
    uint32_t saved_n; /* entries that the file has */
};

struct log_interval {
    uint32_t lo, hi;
};

struct log_segment {
    int64_t base;
    uint32_t size;
    uint32_t allocated;            /* bytes reserved, 0: none */
    int64_t created_ms;            /* of its first batch's append */
    int64_t max_timestamp;         /* -1: empty */
    int64_t max_offset;            /* base offset of the batch that has it */
    struct log_index *index;       /* owned; NULL: in its file, or to be rebuilt */
    struct log_interval *verified; /* owned; sorted, apart from each other */
    uint8_t verified_n;
    bool dirty;    /* written to since the last checkpoint's snapshot */
    bool new_file; /* its folder must be synced before the journal is recycled */
};

/* ---- one partition ---- */

struct log_epoch {
    int32_t epoch;
    int64_t start_offset;
};

struct log_cursor {
    int64_t offset;
    int64_t segment;
    uint32_t position;
};

struct plog {
    struct store *store;
    struct plog *prev, *next; /* in the store's list */
    void *user;
    struct plog_id id;
    uint32_t no; /* names it in the journal; never used twice */
    struct plog_settings settings;
    int64_t hold;
    int64_t start;        /* durable */
    int64_t start_wanted; /* what has been asked for */
    int64_t start_packed; /* what the group under way holds */
    struct log_mark end, synced, written, stable;
    struct log_segment *segment; /* owned; the last one is the active one */
    uint32_t segments_n, segments_cap;
    struct log_epoch *epoch; /* owned */
    uint32_t epochs_n, epochs_cap;
    struct buf *note;
    int64_t note_offset;
    struct log_cursor *cursor; /* owned; LOG_CURSORS of them once read from */
    uint8_t cursor_next;
    bool dir_made; /* its folder exists or its making is under way */
    bool dirty;    /* a segment is */
    bool deleted;  /* gone for the caller */
    bool delete_packed;
    bool files_removed;
    bool touched;   /* by the group under way */
    uint32_t holds; /* rows, entries and the group under way that point here */
    uint32_t touched_at;
    struct log_row *row_first, *row_last; /* segment writes under way, in order */
    struct log_row *row_pack;             /* of the group being packed */
};

/* ---- work under way ---- */

enum log_row_kind {
    ROW_FREE,
    ROW_JOURNAL,  /* the group */
    ROW_WRITE,    /* segment bytes */
    ROW_MAKE_DIR, /* before a plog's first write */
    ROW_ALLOCATE,
    ROW_CHECKPOINT_SYNC,
    ROW_CHECKPOINT_WRITE,
    ROW_PREPARE,
};

/* One disk operation that is waited for. */
struct log_row {
    uint64_t id;
    enum log_row_kind kind;
    bool done, failed;
    struct plog *plog; /* WRITE, MAKE_DIR, ALLOCATE */
    int64_t segment;
    uint32_t position;
    uint32_t bytes;
    uint64_t serial;        /* order of issue */
    struct log_mark mark;   /* WRITE: the end of what it writes */
    struct buf_slice *part; /* owned, with references, until it is written */
    uint32_t parts_n, parts_cap;
    struct log_row *next, *prev; /* the store's list of file rows; next: free list */
    struct log_row *plog_next;
    uint32_t slot;
};

/* What waits for the next group. */
struct log_entry {
    enum log_record_kind kind;
    struct plog *plog;
    struct buf *buf; /* BATCH, NOTE: owned reference */
    struct slice bytes;
    int64_t value;
    int64_t base_offset;
    int64_t segment;
    uint32_t position;
    int32_t records_n;
    int32_t epoch;
    int64_t max_timestamp;
};

struct log_touched {
    struct plog *plog;
    struct log_mark mark; /* its end in the group */
};

struct log_group {
    bool active;
    uint64_t end_lsn;
    struct log_touched *touched; /* owned */
    size_t touched_n, touched_cap;
};

enum log_slot_state {
    SLOT_ABSENT,
    SLOT_PREPARING,
    SLOT_FREE, /* exists and may be taken */
    SLOT_USED, /* holds groups that a recovery may need */
};

struct log_slot {
    enum log_slot_state state;
    uint64_t seq, start_lsn, end_lsn; /* of a used one; end_lsn moves while it is the current one */
    uint64_t capacity;
};

struct log_journal {
    uint64_t store_id;
    struct log_slot slot[LOG_SLOTS_MAX];
    uint32_t slots_max; /* allowed by the configuration */
    int current;        /* slot, -1: the next group begins a file */
    uint64_t next_seq;
    uint64_t salt;
    uint64_t position; /* in the current file */
    uint64_t lsn;      /* of the next group */
    uint64_t synced_lsn;
    uint64_t replay_lsn; /* of the newest durable checkpoint */
    bool file_wanted;    /* a group waits for a file */
    uint64_t random;     /* state of the generator of salts */
    /* preparation of a slot */
    int prepare_slot; /* -1: none */
    uint64_t prepare_at;
    enum { PREPARE_ALLOCATE, PREPARE_ZERO, PREPARE_SYNC, PREPARE_DIR } prepare_step;
    int64_t prepare_again_ms;
    bool prepare_existed;
    uint64_t synced_seq; /* of the file that holds the last synced group */
};

struct log_sync_item {
    enum { ITEM_SEGMENT, ITEM_ROLLED, ITEM_DIR, ITEM_TOPICS } kind;
    uint32_t plog_no;
    int64_t segment;
    uint32_t size; /* of the segment at the snapshot */
};

struct log_checkpoint {
    enum {
        CHECKPOINT_NONE,
        CHECKPOINT_WAIT,
        CHECKPOINT_SYNC,
        CHECKPOINT_WRITE,
        CHECKPOINT_DIR
    } step;
    uint64_t seq;               /* of the last one written */
    uint64_t lsn;               /* replay may begin here once it is durable */
    uint64_t rows_below;        /* file rows of a lower serial must be done first */
    struct buf *image;          /* encoded */
    struct log_sync_item *item; /* owned */
    size_t items_n, items_cap, items_issued, items_done;
    int64_t again_ms; /* not to be written before */
};

struct log_loaded {
    struct plog *plog;
    int64_t segment;
};

struct store {
    struct disk *disk;
    struct store_config config;
    bool failed;
    bool space_low;
    struct map by_id;
    struct plog *first, *last;
    size_t plogs_n;
    uint32_t next_no;
    struct map by_no;

    struct log_entry *entry; /* owned ring */
    size_t entries_head, entries_n, entries_cap;
    uint64_t pending_bytes; /* appended, not yet in its segment */
    uint64_t pending_max_bytes;

    struct log_row **row; /* owned table of owned rows */
    size_t rows_n, rows_cap;
    struct log_row *row_free;
    struct log_row *file_first, *file_last; /* WRITE, MAKE_DIR, ALLOCATE in order of issue */
    uint64_t row_serial;
    size_t rows_failed;
    int64_t retry_ms;

    struct log_group group;
    struct log_journal journal;
    struct log_checkpoint checkpoint;
    struct log_loaded loaded[LOG_INDEXES_LOADED_MAX];
    uint32_t loaded_next;
    bool topics_dirty; /* a plog's folder was made since the last checkpoint */
    bool recovering;
    int64_t last_append_ms, last_tick_ms;
    struct store_stats stats;
};

/* ---- segment.c: names, segments of a plog, verified ranges ---- */
void log_path_dir(const struct plog_id *id, char out[DISK_PATH_MAX]);
void log_path_segment(const struct plog_id *id, int64_t base, const char *suffix,
                      char out[DISK_PATH_MAX]);
void log_path_journal(int slot, char out[DISK_PATH_MAX]);
void log_path_checkpoint(uint64_t seq, char out[DISK_PATH_MAX]);
/* "<32 hex>-<partition>" */
bool log_path_parse_dir(const char *name, struct plog_id *out);

static inline struct log_segment *log_active(const struct plog *p)
{
    return &p->segment[p->segments_n - 1];
}
struct log_segment *log_segment_add(struct plog *p, int64_t base);
void log_segment_free(struct log_segment *g);
/* The segment with this base, or NULL. */
struct log_segment *log_segment_find(const struct plog *p, int64_t base);
/* Index of the segment that holds offset (the last with base <= offset). */
uint32_t log_segment_at(const struct plog *p, int64_t offset);
void log_verified_add(struct log_segment *g, uint32_t lo, uint32_t hi);
bool log_verified_has(const struct log_segment *g, uint32_t lo, uint32_t hi);

/* ---- index.c ---- */
void log_index_free(struct log_index *x);
/* A batch was appended at the segment's end; called before its size and times are updated. */
void log_index_note(const struct store *s, struct log_segment *g, int64_t base_offset,
                    uint32_t size_bytes);
/* What a file of the first `covered` bytes holds; the index must speak of them all. */
struct buf *log_index_encode(const struct plog *p, const struct log_segment *g, uint32_t covered);
/* The whole index of a segment: from memory, from its file, or rebuilt by a scan of headers. */
int log_index_get(struct store *s, struct plog *p, struct log_segment *g, struct log_index **out,
                  struct err *err);
/* Drops the loaded index of a segment that is not active. */
void log_index_forget(struct store *s, struct plog *p, int64_t segment);
/* The last entry with offset <= rel, or position <= pos, or max_before < ms. NULL: none. */
const struct log_index_entry *log_index_by_offset(const struct log_index *x, uint32_t rel);
const struct log_index_entry *log_index_by_position(const struct log_index *x, uint32_t position);
const struct log_index_entry *log_index_by_time(const struct log_index *x, int64_t ms);
/* Walks over the batch headers in [from, to) of a segment; stops when visit says false. `offset` is
 * the base offset that must stand at `from`, and offsets must be dense from there: base offsets are
 * not under a batch's CRC, so this is what guards them. */
typedef bool (*log_header_visit)(void *arg, uint32_t position, const struct log_batch *b);
int log_headers_scan(struct store *s, const struct plog *p, const struct log_segment *g,
                     uint32_t from, int64_t offset, uint32_t to, log_header_visit visit, void *arg,
                     struct err *err);

/* ---- plog.c ---- */
struct plog *log_plog_new(struct store *s, const struct plog_id *id, uint32_t no);
void log_plog_link(struct store *s, struct plog *p); /* into list and maps */
/* Out of the list and the map of names. Its number stays known until the deletion is durable,
 * because a checkpoint under way must sync its files as long as a crash may bring it back. */
void log_plog_unlink(struct store *s, struct plog *p);
void log_plog_forget(struct store *s, const struct plog *p); /* its number */
void log_plog_free(struct plog *p);
struct plog *log_plog_by_no(const struct store *s, uint32_t no);
void log_plog_release(struct store *s, struct plog *p); /* frees a deleted one that nothing holds */
void log_plog_epoch(struct plog *p, int32_t epoch, int64_t offset);
/* The epoch at an offset (-1: none) and where the next one begins (INT64_MAX: nowhere). */
int32_t log_epoch_find(const struct plog *p, int64_t offset, int64_t *until);
/* Takes a batch into the books: index, times, sizes, end. The segment exists. */
void log_plog_account(struct store *s, struct plog *p, struct log_segment *g, int64_t base_offset,
                      int32_t records_n, uint32_t size_bytes, int64_t max_timestamp, int32_t epoch,
                      int64_t now_ms);
/* Forgets the segments wholly below the start offset; calls back with each before. */
void log_plog_trim(struct store *s, struct plog *p, void (*gone)(void *arg, int64_t base),
                   void *arg);
bool log_plog_settle(struct plog *p); /* stable = min(synced, written); did it move? */

/* ---- store.c ---- */
struct log_entry *log_entry_push(struct store *s, enum log_record_kind kind, struct plog *p);
struct log_entry *log_entry_at(struct store *s, size_t i);
void log_entry_drop(struct store *s, struct log_entry *e);
struct log_row *log_row_new(struct store *s, enum log_row_kind kind);
void log_row_free(struct store *s, struct log_row *r);
void log_row_part(struct log_row *r, struct buf *b, struct slice bytes);
void log_file_row_link(struct store *s, struct log_row *r);

/* ---- flush.c ---- */
void log_row_issue(struct store *s, struct log_row *r, struct disk_ops *ops);

/* ---- journal.c: the ring ---- */
void log_journal_init(struct store *s, uint64_t seed);
uint64_t log_journal_salt(struct store *s);
/* Where a group of this many bytes may go: the current slot, or a free one that it would begin; -1:
 * it must wait. *last: it is the last free one, which only a group with a snapshot may take. */
int log_journal_place(struct store *s, uint64_t bytes, bool *last);
void log_journal_begin_file(struct store *s, int slot);
void log_journal_recycle(struct store *s); /* after a checkpoint */
void log_journal_prepare(struct store *s, int64_t now_ms, struct disk_ops *ops);
void log_journal_prepared(struct store *s, int status, int64_t now_ms, struct disk_ops *ops);
uint64_t log_journal_used(const struct store *s);
uint64_t log_journal_left(const struct store *s); /* in the current file */

/* ---- checkpoint.c ---- */
struct buf *log_checkpoint_encode(const struct store *s, uint64_t seq, uint64_t replay_lsn);
int log_checkpoint_decode(struct store *s, struct slice file, const struct log_checkpoint_header *h,
                          struct err *err);
bool log_checkpoint_due(const struct store *s, int64_t now_ms);
/* Takes the snapshot: everything appended so far is in groups below lsn. */
void log_checkpoint_begin(struct store *s, uint64_t lsn);
void log_checkpoint_step(struct store *s, int64_t now_ms, struct disk_ops *ops);
void log_checkpoint_synced(struct store *s, const struct log_row *r, int status);
void log_checkpoint_written(struct store *s, int status, int64_t now_ms, struct disk_ops *ops);

/* ---- done.c ---- */
void log_store_fail(struct store *s, const char *what, int status);
/* A segment write of a replica that is gone for good. */
void log_row_drop(struct store *s, struct log_row *r);

/* ---- retain.c ---- */
void log_roll(struct plog *p); /* the next batch begins a segment */
void log_raise_start(struct store *s, struct plog *p, int64_t offset);

/* ---- replay.c ---- */
struct log_replay;
struct log_replay *log_replay_new(struct store *s, int64_t now_ms);
void log_replay_free(struct log_replay *r);
/* Is the whole group as it was written, bodies included? */
bool log_replay_intact(const uint8_t *p, const struct log_group_header *h);
/* Applies an intact group. */
int log_replay_group(struct log_replay *r, const uint8_t *p, const struct log_group_header *h,
                     struct err *err);
/* Writes what is gathered, syncs every file and folder that was touched. */
int log_replay_finish(struct log_replay *r, struct err *err);

/* ---- recover.c ---- */
int log_disk_error(struct err *err, const char *what, const char *path, int64_t status);
/* Names in a folder, NUL-terminated one after the other. An absent folder has none. */
int log_list(struct disk *d, const char *path, struct bytes *out, struct err *err);

/* ---- sweep.c: the files against the books, after a replay ---- */
int log_sweep_sizes(struct store *s, struct err *err);
int log_sweep_strangers(struct store *s, struct err *err);

extern const uint8_t log_zeros[16384];

#endif
