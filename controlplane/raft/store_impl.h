/* Shared by store.c (service), recover.c (open) and snapshot.c; nobody else includes it. */
#ifndef RAFT_STORE_IMPL_H
#define RAFT_STORE_IMPL_H

#include "raft/store.h"

#define RAFT_NAME_META_A   "meta-a"
#define RAFT_NAME_META_B   "meta-b"
#define RAFT_NAME_LOG_NEW  "log.tmp"
#define RAFT_NAME_SNAP_NEW "snap.tmp"
enum { RAFT_NAME_MAX = 32 };

/* Said behind each kind of damage: this node's votes and acknowledgements are in these files, so
 * deleting them would let it promise the opposite of what it has promised. */
#define RAFT_WHAT_TO_DO                                                                            \
    ". This node cannot vouch for what it has promised. Do not delete the file: restore the "      \
    "whole "                                                                                       \
    "data folder from a copy taken while the node was stopped, or, if other voters have the "      \
    "state, "                                                                                      \
    "remove this node from the cluster and let it join again with an empty folder and a new Raft " \
    "id"

struct log_file {
    uint64_t number;
    uint64_t size_bytes;
    uint64_t max_index; /* of the entries that ever stood in it in this lap */
    int handle;
};

struct raft_store {
    struct raft_files *files;
    uint64_t raft_id;
    struct raft_store_sizes sizes;
    bool fresh;

    struct raft_meta meta;
    bool mirror_due;
    int meta_newest;    /* which copy has it */
    int meta_handle[2]; /* a, b; -1 until made */

    struct log_file *file; /* in the order of their numbers */
    unsigned file_n, file_cap;
    unsigned current;  /* index of the file that is written; those behind it are spares */
    uint64_t position; /* where the next group goes; RAFT_GROUP_HEAD bytes are free there */
    uint64_t lsn;      /* of the last group, and its checksum */
    uint32_t crc;
    uint64_t synced_lsn;
    uint64_t last_index;
    struct bytes scratch;

    /* Between open and load. */
    struct raft_entry *entries; /* raft_malloc */
    size_t entries_n, entries_cap;
    uint64_t start_index; /* of entries[0]; when there is none, of the next */

    struct raft_snapshot_head snap; /* index 0: none */
    uint64_t snap_file_bytes;

    struct {
        const struct raft_snapshot *source; /* NULL: none in progress */
        struct raft_snapshot_head head;
        int handle;
        uint32_t chunk;
        bool replace_log;
        uint64_t file_bytes;
    } put;
};

void raft_log_name(char out[RAFT_NAME_MAX], uint64_t number);
void raft_snap_name(char out[RAFT_NAME_MAX], uint64_t index);

/* "cannot <what>: <errno's text>" as ERR_IO. */
int raft_store_io_error(struct err *e, int rc, const char *what);

/* Writes and syncs one copy of s->meta: 0 is meta-a, 1 meta-b. */
int raft_store_write_meta(struct raft_store *s, int which, struct err *e);
int raft_store_make_meta(struct raft_store *s, int which, struct err *e); /* the name only */

/* Writes one group at the tail: the chain's numbers are filled in here. */
int raft_store_put_group(struct raft_store *s, enum raft_group_kind kind, uint64_t first_index,
                         const struct raft_entry *entries, size_t n, struct err *e);
struct log_file *raft_store_add_file(struct raft_store *s, uint64_t number, int handle,
                                     uint64_t size_bytes);
/* Files whose entries are all below first_index become spares, or go. */
int raft_store_recycle(struct raft_store *s, uint64_t first_index, struct err *e);

/* Frees entries[from .. to) of the recovered list with the batches that only they use. */
void raft_store_drop_entries(struct raft_store *s, size_t from, size_t to);

/* Replays the log into s->entries and leaves the store ready to write. */
int raft_store_replay(struct raft_store *s, struct err *e);

#endif
