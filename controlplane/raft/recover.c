/* Opening the store: which files are there, whose they are, and what they say together. */
#include "base/check.h"
#include "base/mem.h"
#include "raft/store_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct listing {
    uint64_t *log; /* numbers */
    unsigned log_n, log_cap;
    uint64_t snap;      /* the newest index, 0: none */
    uint64_t *snap_old; /* older ones, to be removed */
    unsigned snap_n, snap_cap;
    bool log_new, snap_new; /* half-written files */
};

static void push(uint64_t **list, unsigned *n, unsigned *cap, uint64_t v)
{
    if (*n == *cap) {
        *cap = *cap == 0 ? 8 : *cap * 2;
        *list = mem_realloc(*list, *cap * sizeof **list);
    }
    (*list)[(*n)++] = v;
}

static bool name_number(const char *name, const char *prefix, uint64_t *out)
{
    size_t n = strlen(prefix);
    char *end;

    if (strncmp(name, prefix, n) != 0 || strlen(name) != n + 16)
        return false;
    *out = strtoull(name + n, &end, 16);
    return *end == '\0';
}

static void on_name(void *arg, const char *name)
{
    struct listing *l = arg;
    uint64_t number;

    if (strcmp(name, RAFT_NAME_LOG_NEW) == 0)
        l->log_new = true;
    else if (strcmp(name, RAFT_NAME_SNAP_NEW) == 0)
        l->snap_new = true;
    else if (name_number(name, "log-", &number))
        push(&l->log, &l->log_n, &l->log_cap, number);
    else if (name_number(name, "snap-", &number))
        push(&l->snap_old, &l->snap_n, &l->snap_cap, number);
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static int list_folder(struct raft_store *s, struct listing *l, struct err *e)
{
    int rc = s->files->list(s->files, on_name, l);

    if (rc != 0)
        return raft_store_io_error(e, rc, "list the Raft folder");
    if (l->log_n > RAFT_LOG_FILES_MAX)
        return err_set(e, ERR_LIMIT, "the Raft folder has %u log files", l->log_n);
    if (l->log_n > 0)
        qsort(l->log, l->log_n, sizeof *l->log, by_number);
    if (l->snap_n > 0) {
        qsort(l->snap_old, l->snap_n, sizeof *l->snap_old, by_number);
        l->snap = l->snap_old[--l->snap_n];
    }
    return 0;
}

/* Returns 1 when the copy is whole, 0 when it is not or is missing. */
static int read_meta(struct raft_store *s, int which, struct raft_meta *m, struct err *e)
{
    struct raft_files *f = s->files;
    uint8_t block[RAFT_META_SIZE];
    int handle = f->open(f, which == 0 ? RAFT_NAME_META_A : RAFT_NAME_META_B, false);

    if (handle == -ENOENT)
        return 0;
    if (handle < 0)
        return raft_store_io_error(e, handle, "open Raft's term and vote");
    s->meta_handle[which] = handle;

    int64_t got = f->read(f, handle, 0, block, sizeof block);

    if (got < 0)
        return raft_store_io_error(e, (int)got, "read Raft's term and vote");
    return got == (int64_t)sizeof block && raft_meta_decode(block, m);
}

/* The newer copy may be in the page cache alone, so it is written again; the older stays whole
 * meanwhile. Where the other copy is not whole the newer was synced before that one was touched
 * (and perhaps only its name was lost): then the other is made good. */
static int settle_meta(struct raft_store *s, bool both_whole, struct err *e)
{
    int rc = raft_store_write_meta(s, both_whole ? s->meta_newest : 1 - s->meta_newest, e);

    s->mirror_due = both_whole;
    if (rc != 0 || both_whole)
        return rc;
    rc = s->files->sync_folder(s->files);
    return rc == 0 ? 0 : raft_store_io_error(e, rc, "sync the Raft folder");
}

static int open_meta(struct raft_store *s, const struct listing *l, struct err *e)
{
    struct raft_meta copy[2];
    int whole[2];

    for (int i = 0; i < 2; i++) {
        whole[i] = read_meta(s, i, &copy[i], e);
        if (whole[i] < 0)
            return whole[i];
    }
    bool started = l->log_n > 0 || l->snap != 0;

    if (!whole[0] && !whole[1]) {
        s->fresh = !started;
        return !started ? 0
                        : err_set(e, ERR_CORRUPT,
                                  "both copies of Raft's term and vote (" RAFT_NAME_META_A
                                  ", " RAFT_NAME_META_B ") are missing or damaged" RAFT_WHAT_TO_DO);
    }
    bool second = !whole[0] || (whole[1] && copy[1].sequence > copy[0].sequence);

    s->meta = copy[second];
    s->meta_newest = second;
    if (s->meta.raft_id != s->raft_id)
        return err_set(e, ERR_CONFLICT,
                       "this Raft folder belongs to Raft id %" PRIu64 ", not to %" PRIu64
                       ": the node was given another node's data folder. Start it with its own",
                       s->meta.raft_id, s->raft_id);
    if (!started && s->meta.sequence > 1)
        return err_set(
            e, ERR_CORRUPT,
            "the Raft log and snapshot are missing, but this node has voted" RAFT_WHAT_TO_DO);
    s->fresh = !started;
    if (!started || (whole[0] && whole[1] && copy[0].sequence == copy[1].sequence))
        return 0;
    return settle_meta(s, whole[0] && whole[1], e);
}

static int open_snapshot(struct raft_store *s, uint64_t index, struct err *e)
{
    struct raft_files *f = s->files;
    struct raft_configuration conf;
    char name[RAFT_NAME_MAX];

    raft_snap_name(name, index);
    int handle = f->open(f, name, false);

    if (handle < 0)
        return raft_store_io_error(e, handle, "open the snapshot");

    uint8_t *head = mem_alloc(RAFT_SNAPSHOT_HEAD_MAX);
    int64_t got = f->read(f, handle, 0, head, RAFT_SNAPSHOT_HEAD_MAX);
    int64_t size = f->size(f, handle);
    int rc;

    raft_configuration_init(&conf);
    if (got < 0 || size < 0)
        rc = raft_store_io_error(e, (int)(got < 0 ? got : size), "read the snapshot");
    else
        rc = raft_snapshot_head_decode(head, (size_t)got, &s->snap, &conf, e);
    raft_configuration_close(&conf);
    mem_free(head);
    f->close(f, handle);
    if (rc == ERR_CORRUPT)
        return err_set(e, ERR_CORRUPT, "the snapshot %s is damaged" RAFT_WHAT_TO_DO, name);
    if (rc != 0)
        return rc;
    if (s->snap.incarnation != s->meta.incarnation || s->snap.index != index)
        return err_set(e, ERR_CONFLICT,
                       "the snapshot %s was written in another folder: files of two nodes are "
                       "mixed" RAFT_WHAT_TO_DO,
                       name);
    s->snap_file_bytes = (uint64_t)size;
    return 0;
}

static int open_log_files(struct raft_store *s, const struct listing *l, struct err *e)
{
    struct raft_files *f = s->files;
    char name[RAFT_NAME_MAX];

    for (unsigned i = 0; i < l->log_n; i++) {
        if (i > 0 && l->log[i] != l->log[i - 1] + 1) {
            raft_log_name(name, l->log[i - 1] + 1);
            return err_set(e, ERR_CORRUPT, "the Raft log file %s is missing" RAFT_WHAT_TO_DO, name);
        }
        raft_log_name(name, l->log[i]);
        int handle = f->open(f, name, false);

        if (handle < 0)
            return raft_store_io_error(e, handle, "open a Raft log file");

        struct log_file *file = raft_store_add_file(s, l->log[i], handle, 0);
        int64_t size = f->size(f, handle);

        if (size < 0)
            return raft_store_io_error(e, (int)size, "look at a Raft log file");
        file->size_bytes = (uint64_t)size;
    }
    return 0;
}

static int clean_up(struct raft_store *s, const struct listing *l, struct err *e)
{
    struct raft_files *f = s->files;
    char name[RAFT_NAME_MAX];
    int rc = 0;

    if (l->log_new)
        rc = f->remove(f, RAFT_NAME_LOG_NEW);
    if (rc == 0 && l->snap_new)
        rc = f->remove(f, RAFT_NAME_SNAP_NEW);
    for (unsigned i = 0; i < l->snap_n && rc == 0; i++) {
        raft_snap_name(name, l->snap_old[i]);
        rc = f->remove(f, name);
    }
    return rc == 0 ? 0 : raft_store_io_error(e, rc, "remove a left-over file");
}

/* The log as the snapshot wants it: nothing before its start, nothing that contradicts it. */
static int fit_to_snapshot(struct raft_store *s, struct err *e)
{
    uint64_t index = s->snap.index;
    uint64_t end = s->start_index + s->entries_n; /* one behind the last */
    bool covered = index == 0 ? end > s->start_index : end > index;

    if (s->start_index > index + 1)
        return err_set(
            e, ERR_CORRUPT,
            "the Raft log starts at entry %" PRIu64 ", but entries from %" PRIu64
            " on are needed: a log file or a snapshot is missing or damaged" RAFT_WHAT_TO_DO,
            s->start_index, index + 1);
    if (index == 0)
        return covered
                   ? 0
                   : err_set(e, ERR_CORRUPT,
                             "the Raft log has no entry and there is no snapshot" RAFT_WHAT_TO_DO);
    if (s->lsn < s->snap.lsn)
        return err_set(e, ERR_CORRUPT,
                       "the Raft log ends before the snapshot was made: newer log files are "
                       "missing" RAFT_WHAT_TO_DO);
    /* The snapshot came from another node and the crash came before the log was told. */
    bool stale = !covered || (index >= s->start_index &&
                              s->entries[index - s->start_index].term != s->snap.term);
    uint64_t keep_from = stale ? end : s->snap.first_index;

    if (keep_from > s->start_index) {
        size_t cut = (size_t)(keep_from - s->start_index);

        raft_store_drop_entries(s, 0, cut);
        s->entries_n -= cut;
        memmove(s->entries, s->entries + cut, s->entries_n * sizeof *s->entries);
        s->start_index = keep_from;
    }
    if (!stale)
        return 0;
    s->start_index = index + 1;
    s->last_index = index;
    int rc = raft_store_put_group(s, RAFT_GROUP_RESET, index + 1, NULL, 0, e);

    return rc == 0 ? raft_store_sync(s, e) : rc;
}

static int check_term(struct raft_store *s, struct err *e)
{
    uint64_t term = s->snap.term;

    if (s->entries_n > 0 && s->entries[s->entries_n - 1].term > term)
        term = s->entries[s->entries_n - 1].term;
    if (term <= s->meta.term)
        return 0;
    return err_set(e, ERR_CORRUPT,
                   "Raft's term on disk is %" PRIu64 ", but its log has an entry of term %" PRIu64
                   ": " RAFT_NAME_META_A " or " RAFT_NAME_META_B " is an old copy" RAFT_WHAT_TO_DO,
                   s->meta.term, term);
}

static int open_started(struct raft_store *s, const struct listing *l, struct err *e)
{
    /* A name that is seen may be in the cache alone, a new snapshot's for one; the log must not
     * follow it before it is durable. */
    int rc = s->files->sync_folder(s->files);

    if (rc != 0)
        return raft_store_io_error(e, rc, "sync the Raft folder");
    rc = l->snap != 0 ? open_snapshot(s, l->snap, e) : 0;
    if (rc == 0 && l->log_n == 0)
        rc = err_set(e, ERR_CORRUPT, "the Raft log files are missing" RAFT_WHAT_TO_DO);
    if (rc == 0)
        rc = open_log_files(s, l, e);
    if (rc == 0)
        rc = raft_store_replay(s, e);
    if (rc == 0)
        rc = fit_to_snapshot(s, e);
    if (rc == 0)
        rc = check_term(s, e);
    if (rc == 0)
        rc = raft_store_recycle(s, s->snap.first_index, e);
    return rc;
}

int raft_store_open(struct raft_store **out, struct raft_files *f, uint64_t raft_id,
                    uint64_t incarnation, const struct raft_store_sizes *sizes, struct err *e)
{
    struct listing l = {0};
    struct raft_store *s = MEM_NEW(struct raft_store);

    *out = NULL;
    s->sizes = (struct raft_store_sizes){RAFT_LOG_FILE_FIRST, RAFT_LOG_FILE_SIZE};
    if (sizes != NULL)
        s->sizes = *sizes;
    s->files = f;
    s->raft_id = raft_id;
    s->meta_handle[0] = s->meta_handle[1] = -1;

    int rc = list_folder(s, &l, e);

    if (rc == 0)
        rc = open_meta(s, &l, e);
    if (rc == 0)
        rc = clean_up(s, &l, e);
    if (rc == 0 && !s->fresh)
        rc = open_started(s, &l, e);
    if (rc == 0 && s->fresh) {
        s->meta = (struct raft_meta){.incarnation = incarnation, .raft_id = raft_id};
    }
    mem_free(l.log);
    mem_free(l.snap_old);
    if (rc != 0) {
        raft_store_close(s);
        return rc;
    }
    *out = s;
    return 0;
}
