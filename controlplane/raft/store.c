#include "raft/store_impl.h"

#include "base/check.h"
#include "base/mem.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void raft_log_name(char out[RAFT_NAME_MAX], uint64_t number)
{
    snprintf(out, RAFT_NAME_MAX, "log-%016" PRIx64, number);
}

void raft_snap_name(char out[RAFT_NAME_MAX], uint64_t index)
{
    snprintf(out, RAFT_NAME_MAX, "snap-%016" PRIx64, index);
}

int raft_store_io_error(struct err *e, int rc, const char *what)
{
    return err_set(e, ERR_IO, "cannot %s: %s", what, strerror(-rc));
}

void raft_store_close(struct raft_store *s)
{
    if (s == NULL)
        return;
    raft_store_snapshot_abort(s);
    raft_store_drop_entries(s, 0, s->entries_n);
    raft_free(s->entries);
    for (int i = 0; i < 2; i++)
        if (s->meta_handle[i] >= 0)
            s->files->close(s->files, s->meta_handle[i]);
    for (unsigned i = 0; i < s->file_n; i++)
        s->files->close(s->files, s->file[i].handle);
    mem_free(s->file);
    bytes_free(&s->scratch);
    mem_free(s);
}

bool raft_store_is_fresh(const struct raft_store *s)
{
    return s->fresh;
}

/* ---- term and vote ---- */

int raft_store_make_meta(struct raft_store *s, int which, struct err *e)
{
    struct raft_files *f = s->files;

    if (s->meta_handle[which] >= 0)
        return 0;
    int handle = f->open(f, which == 0 ? RAFT_NAME_META_A : RAFT_NAME_META_B, true);

    if (handle < 0)
        return raft_store_io_error(e, handle, "make a file for Raft's term and vote");
    s->meta_handle[which] = handle;
    return 0;
}

int raft_store_write_meta(struct raft_store *s, int which, struct err *e)
{
    struct raft_files *f = s->files;
    uint8_t block[RAFT_META_SIZE];
    int rc = raft_store_make_meta(s, which, e);

    if (rc != 0)
        return rc;
    raft_meta_encode(&s->meta, block);
    rc = f->write(f, s->meta_handle[which], 0, block, sizeof block);
    if (rc == 0)
        rc = f->sync(f, s->meta_handle[which]);
    return rc == 0 ? 0 : raft_store_io_error(e, rc, "write and sync Raft's term and vote");
}

/* Always the older copy: should the write be torn, the newer one is whole. */
int raft_store_set_meta(struct raft_store *s, uint64_t term, uint64_t voted_for, struct err *e)
{
    int rc;

    s->meta.sequence++;
    s->meta.term = term;
    s->meta.voted_for = voted_for;
    s->mirror_due = true;
    rc = raft_store_write_meta(s, 1 - s->meta_newest, e);
    if (rc == 0)
        s->meta_newest = 1 - s->meta_newest;
    return rc;
}

bool raft_store_mirror_due(const struct raft_store *s)
{
    return s->mirror_due;
}

int raft_store_mirror_meta(struct raft_store *s, struct err *e)
{
    s->mirror_due = false;
    return raft_store_write_meta(s, 1 - s->meta_newest, e);
}

uint64_t raft_store_term(const struct raft_store *s)
{
    return s->meta.term;
}

uint64_t raft_store_voted_for(const struct raft_store *s)
{
    return s->meta.voted_for;
}

/* ---- log files ---- */

struct log_file *raft_store_add_file(struct raft_store *s, uint64_t number, int handle,
                                     uint64_t size_bytes)
{
    if (s->file_n == s->file_cap) {
        s->file_cap = s->file_cap == 0 ? 8 : s->file_cap * 2;
        s->file = mem_realloc(s->file, s->file_cap * sizeof *s->file);
    }
    struct log_file *file = &s->file[s->file_n++];

    *file = (struct log_file){.number = number, .handle = handle, .size_bytes = size_bytes};
    return file;
}

bool raft_store_prepare_due(const struct raft_store *s)
{
    return !s->fresh && s->current + 1 >= s->file_n;
}

bool raft_store_prepare_urgent(const struct raft_store *s)
{
    return raft_store_prepare_due(s) && s->position > s->file[s->current].size_bytes / 2;
}

int raft_store_prepare(struct raft_store *s, struct err *e)
{
    struct raft_files *f = s->files;
    char name[RAFT_NAME_MAX];

    if (s->file_n >= RAFT_LOG_FILES_MAX)
        return err_set(e, ERR_LIMIT, "the Raft log has %u files: a snapshot must come first",
                       s->file_n);

    uint64_t number = s->file[s->file_n - 1].number + 1;

    raft_log_name(name, number);
    int handle = f->open(f, RAFT_NAME_LOG_NEW, true);

    if (handle < 0)
        return handle == -ENOSPC ? err_set(e, ERR_LIMIT, "the disk is full")
                                 : raft_store_io_error(e, handle, "make a Raft log file");

    int rc = f->allocate(f, handle, s->sizes.file_bytes);

    if (rc == -ENOSPC) {
        f->close(f, handle);
        f->remove(f, RAFT_NAME_LOG_NEW);
        return err_set(e, ERR_LIMIT, "the disk has no room for another Raft log file of %u bytes",
                       s->sizes.file_bytes);
    }
    if (rc == 0)
        rc = f->sync(f, handle);
    if (rc == 0)
        rc = f->rename(f, RAFT_NAME_LOG_NEW, name);
    if (rc == 0)
        rc = f->sync_folder(f);
    if (rc != 0) {
        f->close(f, handle);
        return raft_store_io_error(e, rc, "reserve a Raft log file");
    }
    raft_store_add_file(s, number, handle, s->sizes.file_bytes);
    return 0;
}

/* What of the current file a group may use: behind it there must be room for an END or a MARK. */
static uint64_t room_here(const struct raft_store *s)
{
    uint64_t used = s->position + RAFT_GROUP_HEAD;
    uint64_t size = s->file[s->current].size_bytes;

    return size > used ? size - used : 0;
}

uint64_t raft_store_room(const struct raft_store *s)
{
    if (s->fresh)
        return 0;
    return raft_store_prepare_due(s) ? room_here(s)
                                     : s->file[s->current + 1].size_bytes - RAFT_GROUP_HEAD;
}

uint64_t raft_store_disk_bytes(const struct raft_store *s)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < s->file_n; i++)
        sum += s->file[i].size_bytes;
    return sum;
}

uint64_t raft_store_last_index(const struct raft_store *s)
{
    return s->last_index;
}

static int write_group(struct raft_store *s, struct raft_group *g, const struct raft_entry *entries,
                       size_t n, struct err *e)
{
    bytes_clear(&s->scratch);
    raft_group_encode(g, entries, n, &s->scratch);

    int rc = s->files->write(s->files, s->file[s->current].handle, s->position, s->scratch.p,
                             s->scratch.n);

    return rc == 0 ? 0 : raft_store_io_error(e, rc, "write to the Raft log");
}

static struct raft_group next_group(const struct raft_store *s, enum raft_group_kind kind,
                                    uint64_t first_index)
{
    return (struct raft_group){
        .kind = kind,
        .incarnation = s->meta.incarnation,
        .lsn = s->lsn + 1,
        .synced_lsn = s->synced_lsn,
        .first_index = first_index,
        .prev_crc = s->crc,
    };
}

/* END is synced before anything stands in the next file: what is not synced is in one file only. */
static int switch_file(struct raft_store *s, struct err *e)
{
    struct raft_group g = next_group(s, RAFT_GROUP_END, 0);
    int rc = raft_store_prepare_due(s) ? raft_store_prepare(s, e) : 0;

    if (rc == ERR_LIMIT) /* the caller was told by raft_store_room and came all the same */
        return err_set(e, ERR_IO, "the disk is full and the Raft log has no spare file left");
    if (rc != 0)
        return rc;
    rc = write_group(s, &g, NULL, 0, e);
    if (rc != 0)
        return rc;
    s->lsn = g.lsn;
    s->crc = g.crc;
    rc = raft_store_sync(s, e);
    if (rc != 0)
        return rc;
    s->current++;
    s->position = 0;
    s->file[s->current].max_index = 0;
    return 0;
}

int raft_store_put_group(struct raft_store *s, enum raft_group_kind kind, uint64_t first_index,
                         const struct raft_entry *entries, size_t n, struct err *e)
{
    if (raft_group_size(entries, n) > room_here(s)) {
        int rc = switch_file(s, e);

        if (rc != 0)
            return rc;
    }

    struct raft_group g = next_group(s, kind, first_index);
    int rc = write_group(s, &g, entries, n, e);

    if (rc != 0)
        return rc;
    s->lsn = g.lsn;
    s->crc = g.crc;
    s->position += g.size_bytes;
    if (n > 0 && first_index + n - 1 > s->file[s->current].max_index)
        s->file[s->current].max_index = first_index + n - 1;
    return 0;
}

int raft_store_append(struct raft_store *s, const struct raft_entry *entries, size_t n,
                      struct err *e)
{
    size_t target =
        s->sizes.file_bytes / 2 < RAFT_GROUP_TARGET ? s->sizes.file_bytes / 2 : RAFT_GROUP_TARGET;

    while (n > 0) {
        size_t take = 0;
        size_t size = 0;

        for (; take < n && (take == 0 || size + entries[take].buf.len <= target); take++) {
            if (entries[take].buf.len > RAFT_ENTRY_BYTES_MAX)
                return err_set(e, ERR_LIMIT, "a Raft entry of %zu bytes is above the limit of %d",
                               entries[take].buf.len, RAFT_ENTRY_BYTES_MAX);
            size += entries[take].buf.len + RAFT_GROUP_ENTRY_HEAD;
        }
        int rc = raft_store_put_group(s, RAFT_GROUP_APPEND, s->last_index + 1, entries, take, e);

        if (rc != 0)
            return rc;
        s->last_index += take;
        entries += take;
        n -= take;
    }
    return 0;
}

int raft_store_truncate(struct raft_store *s, uint64_t index, struct err *e)
{
    ASSERT(index > 0 && index <= s->last_index + 1);
    s->last_index = index - 1;
    return raft_store_put_group(s, RAFT_GROUP_TRUNCATE, index, NULL, 0, e);
}

int raft_store_sync(struct raft_store *s, struct err *e)
{
    if (s->synced_lsn == s->lsn)
        return 0;

    int rc = s->files->sync(s->files, s->file[s->current].handle);

    if (rc != 0)
        return raft_store_io_error(e, rc, "sync the Raft log");
    s->synced_lsn = s->lsn;
    return 0;
}

int raft_store_mark(struct raft_store *s, struct err *e)
{
    struct raft_group g = next_group(s, RAFT_GROUP_MARK, 0);

    ASSERT(s->synced_lsn == s->lsn);
    return write_group(s, &g, NULL, 0, e);
}

/* One file. Its new name is synced before the next change, so that a crash leaves no hole in the
 * numbers: at open, a hole means that somebody removed a file. */
static int recycle_first(struct raft_store *s, struct err *e)
{
    struct raft_files *f = s->files;
    struct log_file old = s->file[0];
    unsigned spares = s->file_n - 1 - s->current;
    char from[RAFT_NAME_MAX], to[RAFT_NAME_MAX];
    int rc;

    raft_log_name(from, old.number);
    memmove(s->file, s->file + 1, --s->file_n * sizeof *s->file);
    s->current--;
    if (old.size_bytes != s->sizes.file_bytes || spares >= RAFT_LOG_SPARES_MAX) {
        f->close(f, old.handle);
        rc = f->remove(f, from);
    } else {
        uint64_t number = s->file[s->file_n - 1].number + 1;

        raft_log_name(to, number);
        raft_store_add_file(s, number, old.handle, old.size_bytes);
        rc = f->rename(f, from, to);
    }
    if (rc == 0)
        rc = f->sync_folder(f);
    return rc == 0 ? 0 : raft_store_io_error(e, rc, "recycle a Raft log file");
}

int raft_store_recycle(struct raft_store *s, uint64_t first_index, struct err *e)
{
    /* The chain must start in what is left: a current file that is still empty holds none of it. */
    unsigned keep = s->position == 0 ? 1 : 0;

    ASSERT(s->synced_lsn == s->lsn);
    while (s->current > keep && s->file[0].max_index < first_index) {
        int rc = recycle_first(s, e);

        if (rc != 0)
            return rc;
    }
    return 0;
}

/* ---- first start ---- */

static int bootstrap_log(struct raft_store *s, struct raft_entry *entry, struct err *e)
{
    struct raft_files *f = s->files;
    char name[RAFT_NAME_MAX];
    int handle = f->open(f, RAFT_NAME_LOG_NEW, true);

    if (handle < 0)
        return raft_store_io_error(e, handle, "make the first Raft log file");
    raft_store_add_file(s, 1, handle, s->sizes.file_first_bytes);

    int rc = f->allocate(f, handle, s->sizes.file_first_bytes);

    if (rc != 0)
        return raft_store_io_error(e, rc, "reserve the first Raft log file");
    if (raft_store_append(s, entry, 1, e) != 0 || raft_store_sync(s, e) != 0)
        return e->code;
    raft_log_name(name, 1);
    rc = f->rename(f, RAFT_NAME_LOG_NEW, name);
    if (rc == 0)
        rc = f->sync_folder(f);
    return rc == 0 ? 0 : raft_store_io_error(e, rc, "name the first Raft log file");
}

/* The log's name comes last and makes the folder a started one; until then it counts as fresh. */
int raft_store_bootstrap(struct raft_store *s, const struct raft_configuration *conf, struct err *e)
{
    struct raft_entry entry = {.term = 1, .type = RAFT_CHANGE};

    ASSERT(s->fresh);
    if (raft_configuration_encode(conf, &entry.buf) != 0)
        return err_set(e, ERR_INVALID, "the first configuration cannot be encoded");
    s->meta.sequence = 1;
    s->meta.term = 1;

    int rc = raft_store_write_meta(s, 0, e);

    if (rc == 0) /* only its name is needed now; the first change of the term fills it */
        rc = raft_store_make_meta(s, 1, e);
    if (rc == 0)
        rc = bootstrap_log(s, &entry, e);
    if (rc != 0) {
        raft_free(entry.buf.base);
        return rc;
    }
    entry.batch = entry.buf.base;
    s->entries = raft_malloc(sizeof *s->entries);
    ASSERT(s->entries != NULL);
    s->entries[0] = entry;
    s->entries_n = 1;
    s->entries_cap = 1;
    s->start_index = 1;
    s->fresh = false;
    return 0;
}

int raft_store_load(struct raft_store *s, struct raft_store_state *out, struct err *e)
{
    *out = (struct raft_store_state){
        .term = s->meta.term, .voted_for = s->meta.voted_for, .start_index = s->start_index};
    if (s->snap.index > 0) {
        int rc = raft_store_snapshot_read(s, &out->snapshot, e);

        if (rc != 0)
            return rc;
    }
    if (s->entries_n > 0) {
        out->entries = s->entries;
        out->entries_n = s->entries_n;
    } else {
        raft_free(s->entries);
    }
    s->entries = NULL;
    s->entries_n = 0;
    s->entries_cap = 0;
    return 0;
}
