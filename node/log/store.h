/* The partitions of one data folder: one journal with group commit, segments behind it
 * (docs/internals/log.md). Pure core with the one shape: calls change the state and add disk
 * operations; store_done brings completions back. Owned by one thread.
 *
 * Life of a batch: store_append gives it its offset and queues it; store_flush packs everything
 * that waits into one journal group (at most one write-and-sync under way) and writes the segments
 * beside it; when the group's sync and the segment write have completed, the partition's stable
 * offset moves and the batch may be acknowledged and read. Reads are byte ranges of segment files.
 */
#ifndef LOG_STORE_H
#define LOG_STORE_H

#include "log/disk.h"

struct store;
struct plog; /* one partition's log; owned by the store */

struct store_config {
    uint64_t journal_file_bytes;   /* size of one journal file (recycled), default 32 MiB */
    uint64_t journal_total_bytes;  /* bound on bytes to replay; default 256 MiB */
    uint64_t segment_bytes;        /* default 1 GiB; a topic may say otherwise per plog */
    int64_t segment_ms;            /* roll after this age; default 7 days */
    uint64_t index_interval_bytes; /* default 4096 */
    uint64_t group_max_bytes;      /* largest journal group; default 4 MiB */
    uint64_t seed;                 /* of salts */
};
struct store_config store_config_default(void);

struct plog_id {
    uint8_t topic[16];
    int32_t partition;
};

/* Opens or creates: replays the journal over the segments, writes and syncs again what it replays,
 * truncates torn tails, refuses a damaged middle with a sentence that says what to do. */
int store_open(struct store **out, struct disk *disk, const struct store_config *config,
               int64_t now_ms, struct err *err);
void store_close(struct store *s); /* frees memory; does no I/O (a stop is a crash with manners) */

/* Opaque bytes that others keep with the journal (the replay filter's, the producers' snapshot):
 * see plog_set_note. */

struct plog *store_find(struct store *s, const struct plog_id *id);
/* Iterates: it = NULL starts; NULL at the end. */
struct plog *store_next(struct store *s, struct plog *it);
/* Creates a replica (journalled, durable with the next group). */
struct plog *store_create(struct store *s, const struct plog_id *id, int64_t now_ms);
/* Removes a replica and its files (journalled). The plog is gone for the caller at once; its files
 * go when the journal's record of it is synced. */
void store_delete(struct store *s, struct plog *p, struct disk_ops *ops);

struct plog_settings {
    int64_t retention_ms, retention_bytes; /* -1: unlimited */
    uint64_t segment_bytes;                /* 0: the store's */
    int64_t segment_ms;                    /* 0: the store's */
};
void plog_set_settings(struct plog *p, const struct plog_settings *settings);
const struct plog_id *plog_id(const struct plog *p);
void plog_set_user(struct plog *p, void *user); /* the broker's row for it */
void *plog_user(const struct plog *p);

/* Keeps records from this offset on, whatever retention says (INT64_MAX, the default: no hold). */
void plog_set_hold(struct plog *p, int64_t offset);

/* One record batch v2 (magic 2) that admission accepted; its CRC-32C has been checked, because the
 * journal relies on it instead of adding its own over the same bytes. The bytes are taken as they
 * are but for baseOffset and partitionLeaderEpoch, which are patched in place: the buffer must not
 * be shared with a reader yet. */
struct store_batch {
    struct buf *buf;    /* a new reference is taken */
    struct slice bytes; /* within buf; one whole batch */
    int32_t records_n;  /* offsets it takes */
    int64_t max_timestamp_ms;
    /* For producer state after a restart; producer_id -1: none. */
    int64_t producer_id;
    int16_t producer_epoch;
    int32_t base_sequence;
};
/* Returns the base offset. Asserts that the journal has room: ask store_room first. */
int64_t store_append(struct store *s, struct plog *p, const struct store_batch *b,
                     int32_t leader_epoch, int64_t now_ms);
/* Bytes that may be appended now; more when the disk has done what is under way. */
uint64_t store_room(const struct store *s);
uint64_t store_room_max(const struct store *s); /* a batch larger than this never fits */
/* No room, and waiting for the disk does not help: failed, or full. Answer a retriable error. */
bool store_is_full(const struct store *s);

/* Packs what waits into operations. Call after each step; does nothing while a group is under way.
 */
void store_flush(struct store *s, int64_t now_ms, struct disk_ops *ops);
/* A completion. status 0 or -errno. After a failed journal write or sync the store is dead:
 * store_failed; the process must end (design 6.7). ENOSPC on segments stops appends (store_room 0)
 * until space returns. Calls back once per plog whose stable offset or start offset moved; the
 * callback may read, but not change the store. */
typedef void (*store_moved)(void *arg, struct plog *p);
void store_done(struct store *s, uint64_t op_id, int status, int64_t now_ms, struct disk_ops *ops,
                store_moved moved, void *arg);
bool store_failed(const struct store *s);
void store_set_free_bytes(struct store *s, uint64_t free_bytes, uint64_t watermark_bytes);

/* Retention, rolling by age, checkpoints, retries: call every second or at store_deadline_ms. */
void store_tick(struct store *s, int64_t now_ms, struct disk_ops *ops, store_moved moved,
                void *arg);
int64_t store_deadline_ms(const struct store *s);
/* DeleteRecords: raises the log start offset (journalled). ERR_INVALID above the stable offset. An
 * offset once told never goes back, so plog_start_offset moves only when the journal has it: answer
 * when `moved` has been called and plog_start_offset(p) >= offset. */
int plog_delete_before(struct store *s, struct plog *p, int64_t offset, struct err *err);

int64_t plog_start_offset(const struct plog *p);  /* durable */
int64_t plog_end_offset(const struct plog *p);    /* next to be given */
int64_t plog_stable_offset(const struct plog *p); /* all below is durable and readable */
uint64_t plog_size_bytes(const struct plog *p);
/* The largest timestamp and, unless offset is NULL, the first record that has it (may read from the
 * disk). -1: empty. */
int64_t plog_max_timestamp_ms(const struct plog *p, int64_t *offset);

/* A contiguous range of whole batches in one segment file, starting with the batch that holds
 * `offset`. first_batch_bytes is the size of the first batch, so that the caller can return it even
 * when it is larger than max_bytes. verified: the CRCs in the range were checked since start. */
struct plog_range {
    char path[DISK_PATH_MAX];
    uint64_t segment; /* handle: changes when the file is another one */
    uint64_t position;
    uint64_t size_bytes; /* at least the first batch, unless at the end of the log */
    uint64_t first_batch_bytes;
    int64_t first_offset; /* base offset of the first batch */
    bool verified;
    /* For the check: leader epoch of the batches below epoch_until; beyond it is higher. */
    int32_t epoch;
    int64_t epoch_until;
};
/* The lookup may have to read an index or scan batch headers: it does so through the disk given at
 * open (page cache). ERR_INVALID: out of range [start, stable]. size 0 at the end of the log. */
int plog_read(struct store *s, struct plog *p, int64_t offset, uint64_t max_bytes,
              int64_t below_offset /* INT64_MAX: stable */, struct plog_range *out,
              struct err *err);
/* Checks the CRC of each batch of a range and marks it verified; ERR_CORRUPT: never serve it. */
int plog_verify(struct store *s, struct plog *p, const struct plog_range *r, struct err *err);
/* The same in two steps, for a thread of its own: the check uses nothing but the disk; the mark is
 * the owner's, after the check has succeeded. */
int plog_range_check(struct disk *disk, const struct plog_range *r, struct err *err);
void plog_range_verified(struct plog *p, const struct plog_range *r);
/* ListOffsets by time: first offset whose timestamp >= ms, exact; -1 none. */
int plog_find_time(struct store *s, struct plog *p, int64_t ms, int64_t *offset,
                   int64_t *timestamp_ms, struct err *err);

/* Visits the batches of [from, stable) in order with their bytes, for rebuilding producer state and
 * replay memory after a start. Stops when visit returns false. */
int plog_scan(struct store *s, struct plog *p, int64_t from,
              bool (*visit)(void *arg, int64_t base_offset, struct slice batch), void *arg,
              struct err *err);
/* A note: opaque bytes kept durably for the plog (producer snapshot), with the offset it is for. */
void plog_set_note(struct store *s, struct plog *p, int64_t offset, struct slice note);
struct slice plog_note(const struct plog *p, int64_t *offset); /* NULL: none */

/* Leader epochs, learnt from the batches (KIP-101). The epoch of the record at offset (or of the
 * last record, for the end offset); -1: none. */
int32_t plog_epoch_at(const struct plog *p, int64_t offset);

struct store_stats {
    uint64_t groups, group_bytes, syncs_failed, checkpoints, replayed_bytes;
    uint64_t journal_used_bytes, pending_bytes;
};
void store_stats(const struct store *s, struct store_stats *out);
void store_check_invariants(const struct store *s);

#endif
