/* The bytes that Raft's state has on disk, as pure functions over byte ranges. Three kinds of file
 * in the folder; docs/internals/raft.md draws them.
 *
 *   meta-a, meta-b   term and vote: two copies of one block, written in turn, so that one of them
 * is always whole log-<number>     groups: what one append, truncation or reset wrote, chained by
 * checksums through all files in the order of their numbers snap-<index>     one snapshot: a header
 * and chunks, each with its checksum
 *
 * Files are recycled, so they hold whole groups of an earlier lap behind the valid ones. A group
 * counts only where the chain reaches it: its number is one more than its predecessor's and it
 * names its predecessor's checksum. Each also tells which group was last known to be synced when it
 * was written; that is how a torn tail (nothing behind it claims that it was synced) and damage
 * differ.
 *
 * Integers are big-endian. */
#ifndef RAFT_FORMAT_H
#define RAFT_FORMAT_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/slice.h"

#include <raft.h>

enum {
    RAFT_META_SIZE = 512, /* one sector */
    RAFT_GROUP_HEAD = 64,
    RAFT_GROUP_ENTRY_HEAD = 16,
    RAFT_LOG_FILE_FIRST = 256 * 1024,            /* a fresh node starts small */
    RAFT_LOG_FILE_SIZE = 8 * 1024 * 1024,        /* all later ones; the largest group fits in it */
    RAFT_GROUP_TARGET = 4 * 1024 * 1024,         /* a longer append is split into several groups */
    RAFT_ENTRY_BYTES_MAX = 4 * 1024 * 1024 + 64, /* a proposal and its frame (node.h) */
    RAFT_SNAPSHOT_CHUNK = 1024 * 1024,
    RAFT_SNAPSHOT_CHUNK_HEAD = 8,
    RAFT_SNAPSHOT_HEAD_MAX = 64 * 1024,
    RAFT_SNAPSHOT_SERVERS_MAX = 64,
    RAFT_ADDRESS_MAX = 255,
};

struct raft_meta {
    uint64_t incarnation; /* random, made with the folder: bytes of another folder never match */
    uint64_t raft_id;
    uint64_t sequence; /* counts the writes; 1 is the bootstrap's */
    uint64_t term;
    uint64_t voted_for; /* 0: nobody in this term */
};

void raft_meta_encode(const struct raft_meta *m, uint8_t out[RAFT_META_SIZE]);
bool raft_meta_decode(const uint8_t in[RAFT_META_SIZE], struct raft_meta *m);

enum raft_group_kind {
    RAFT_GROUP_APPEND = 1, /* entries from first_index on; they replace what was there before */
    RAFT_GROUP_TRUNCATE,   /* entries from first_index on are gone */
    RAFT_GROUP_RESET,      /* all entries are gone, the next is first_index (a snapshot came) */
    RAFT_GROUP_MARK,       /* not part of the chain: the tail is here, all before it is synced. The
                            * next group overwrites it */
    RAFT_GROUP_END,        /* the chain goes on at the start of the next file */
};

struct raft_group {
    enum raft_group_kind kind;
    uint64_t incarnation;
    uint64_t lsn;        /* number of this group; a MARK carries the next one's */
    uint64_t synced_lsn; /* the last group known to be synced when this one was written */
    uint64_t first_index;
    uint32_t entries_n;
    uint32_t prev_crc; /* of the group before, 0 for the very first */
    uint32_t crc;      /* of this one; filled by encode and decode */
    uint32_t size_bytes;
};

/* Bytes of a group with these entries. Each entry's length must be a multiple of 8. */
size_t raft_group_size(const struct raft_entry *entries, size_t n);

/* Appends one encoded group to *out. Fills size_bytes, entries_n and crc of *g. */
void raft_group_encode(struct raft_group *g, const struct raft_entry *entries, size_t n,
                       struct bytes *out);

/* Reads the header at p: false when it is no header of ours. `n` bytes are there (at least
 * RAFT_GROUP_HEAD); the group may be longer: see size_bytes. The checksum is not looked at. */
bool raft_group_peek(const uint8_t *p, size_t n, struct raft_group *g);

/* Checks the whole group at p (size_bytes <= n) against its checksum and its own shape. */
bool raft_group_check(const uint8_t *p, size_t n, struct raft_group *g);

/* True when g is the next of the chain after (lsn, crc) in this incarnation. */
bool raft_group_follows(const struct raft_group *g, uint64_t incarnation, uint64_t lsn,
                        uint32_t crc);

/* Fills entries[0 .. g->entries_n) from a checked group. Their data is one copy, allocated with
 * raft_malloc, that stands as batch in each (libraft frees it with the last of them). */
void raft_group_entries(const uint8_t *p, const struct raft_group *g, struct raft_entry *entries);

/* True when anywhere in the range, at a multiple of 8, stands a whole group of this incarnation
 * which says that group `lsn` was synced: the chain that ended before `lsn` is damaged, not torn.
 */
bool raft_group_scan(const uint8_t *p, size_t n, uint64_t incarnation, uint64_t lsn);

struct raft_snapshot_head {
    uint64_t incarnation;
    uint64_t raft_id;
    uint64_t index, term;
    uint64_t conf_index;
    uint64_t first_index; /* where the log starts that belongs to it; index + 1: no entry is kept */
    uint64_t data_bytes;
    uint64_t
        lsn; /* of the log's last synced group then: a log that ends before it is another one */
    uint32_t head_bytes; /* filled by encode and decode: the first chunk starts there */
};

/* The header. The configuration is encoded in it. */
void raft_snapshot_head_encode(struct raft_snapshot_head *h, const struct raft_configuration *conf,
                               struct bytes *out);
/* n bytes from the start of the file; *conf must be initialised and is the caller's to close, also
 * on error. ERR_CORRUPT. */
int raft_snapshot_head_decode(const uint8_t *p, size_t n, struct raft_snapshot_head *h,
                              struct raft_configuration *conf, struct err *e);

/* The checksum that stands with its length before each chunk; `number` counts from 0, so that a
 * chunk in a foreign place is seen. */
void raft_snapshot_chunk_head(const struct raft_snapshot_head *h, uint32_t number, const void *p,
                              size_t n, uint8_t out[RAFT_SNAPSHOT_CHUNK_HEAD]);

uint32_t raft_snapshot_chunks(const struct raft_snapshot_head *h);
size_t raft_snapshot_chunk_bytes(const struct raft_snapshot_head *h, uint32_t number);
uint64_t raft_snapshot_chunk_offset(const struct raft_snapshot_head *h, uint32_t number);

#endif
