/* Snapshots of the store: written to a temporary name in pieces, named when whole. */
#include "base/check.h"
#include "base/mem.h"
#include "raft/store_impl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void raft_store_snapshot_abort(struct raft_store *s)
{
    if (s->put.source == NULL)
        return;
    s->files->close(s->files, s->put.handle);
    s->files->remove(s->files, RAFT_NAME_SNAP_NEW);
    s->put.source = NULL;
}

/* No room is no disaster: the snapshot is given up and the log grows on. */
static int put_failed(struct raft_store *s, struct err *e, int rc, const char *what)
{
    raft_store_snapshot_abort(s);
    if (rc == -ENOSPC || rc == -EDQUOT)
        return err_set(e, ERR_LIMIT, "the disk has no room for a snapshot");
    return raft_store_io_error(e, rc, what);
}

int raft_store_snapshot_begin(struct raft_store *s, const struct raft_snapshot *snapshot,
                              unsigned trailing, struct err *e)
{
    struct raft_files *f = s->files;
    uint64_t index = snapshot->index;

    ASSERT(s->put.source == NULL && snapshot->n_bufs == 1);
    s->put.head = (struct raft_snapshot_head){
        .incarnation = s->meta.incarnation,
        .raft_id = s->raft_id,
        .index = index,
        .term = snapshot->term,
        .conf_index = snapshot->configuration_index,
        .first_index = index > trailing ? index - trailing + 1 : 1,
        .data_bytes = snapshot->bufs[0].len,
        .lsn = s->synced_lsn,
    };
    s->put.replace_log = trailing == 0;
    s->put.chunk = 0;
    bytes_clear(&s->scratch);
    raft_snapshot_head_encode(&s->put.head, &snapshot->configuration, &s->scratch);

    int handle = f->open(f, RAFT_NAME_SNAP_NEW, true);

    if (handle < 0)
        return handle == -ENOSPC ? err_set(e, ERR_LIMIT, "the disk has no room for a snapshot")
                                 : raft_store_io_error(e, handle, "make a snapshot file");
    s->put.handle = handle;
    s->put.source = snapshot;

    int rc = f->write(f, handle, 0, s->scratch.p, s->scratch.n);

    s->put.file_bytes = s->scratch.n;
    return rc == 0 ? 0 : put_failed(s, e, rc, "write a snapshot");
}

int raft_store_snapshot_step(struct raft_store *s, bool *done, struct err *e)
{
    struct raft_files *f = s->files;
    const struct raft_snapshot_head *head = &s->put.head;

    ASSERT(s->put.source != NULL);
    *done = s->put.chunk >= raft_snapshot_chunks(head);
    if (*done)
        return 0;

    uint32_t number = s->put.chunk++;
    size_t n = raft_snapshot_chunk_bytes(head, number);
    uint64_t offset = raft_snapshot_chunk_offset(head, number);
    const uint8_t *p =
        (const uint8_t *)s->put.source->bufs[0].base + (uint64_t)number * RAFT_SNAPSHOT_CHUNK;
    uint8_t before[RAFT_SNAPSHOT_CHUNK_HEAD];

    raft_snapshot_chunk_head(head, number, p, n, before);

    int rc = f->write(f, s->put.handle, offset, before, sizeof before);

    if (rc == 0)
        rc = f->write(f, s->put.handle, offset + sizeof before, p, n);
    if (rc == 0) /* piece by piece, so that the last sync does not hold the log's for long */
        rc = f->sync(f, s->put.handle);
    if (rc != 0)
        return put_failed(s, e, rc, "write a snapshot");
    s->put.file_bytes = offset + sizeof before + n;
    *done = s->put.chunk >= raft_snapshot_chunks(head);
    return 0;
}

int raft_store_snapshot_commit(struct raft_store *s, struct err *e)
{
    struct raft_files *f = s->files;
    uint64_t old = s->snap.index;
    char name[RAFT_NAME_MAX];

    ASSERT(s->put.source != NULL && s->put.chunk >= raft_snapshot_chunks(&s->put.head));
    raft_snap_name(name, s->put.head.index);

    int rc = f->sync(f, s->put.handle);

    if (rc == 0)
        rc = f->rename(f, RAFT_NAME_SNAP_NEW, name);
    if (rc == 0)
        rc = f->sync_folder(f);
    if (rc != 0)
        return put_failed(s, e, rc, "finish a snapshot") == ERR_LIMIT
                   ? err_set(e, ERR_IO, "cannot finish a snapshot: %s", strerror(-rc))
                   : e->code;
    f->close(f, s->put.handle);
    s->put.source = NULL;
    s->snap = s->put.head;
    s->snap_file_bytes = s->put.file_bytes;

    if (s->put.replace_log) {
        rc = raft_store_put_group(s, RAFT_GROUP_RESET, s->snap.index + 1, NULL, 0, e);
        if (rc == 0)
            rc = raft_store_sync(s, e);
        if (rc != 0)
            return rc;
        s->last_index = s->snap.index;
    }
    if (old != 0 && old != s->snap.index) {
        raft_snap_name(name, old);
        rc = f->remove(f, name);
        if (rc != 0)
            return raft_store_io_error(e, rc, "remove the snapshot before the last");
    }
    return raft_store_recycle(s, s->snap.first_index, e);
}

static int read_chunks(struct raft_store *s, int handle, const struct raft_snapshot_head *head,
                       uint8_t *data, const char *name, struct err *e)
{
    struct raft_files *f = s->files;

    for (uint32_t i = 0; i < raft_snapshot_chunks(head); i++) {
        uint64_t offset = raft_snapshot_chunk_offset(head, i);
        size_t n = raft_snapshot_chunk_bytes(head, i);
        uint8_t before[RAFT_SNAPSHOT_CHUNK_HEAD], want[RAFT_SNAPSHOT_CHUNK_HEAD];
        uint8_t *p = data + (uint64_t)i * RAFT_SNAPSHOT_CHUNK;
        int64_t got = f->read(f, handle, offset, before, sizeof before);

        if (got == (int64_t)sizeof before)
            got = f->read(f, handle, offset + sizeof before, p, n);
        if (got < 0)
            return raft_store_io_error(e, (int)got, "read the snapshot");
        raft_snapshot_chunk_head(head, i, p, n, want);
        if ((size_t)got != n || memcmp(before, want, sizeof want) != 0)
            return err_set(e, ERR_CORRUPT, "%s is damaged at byte %llu", name,
                           (unsigned long long)offset);
    }
    return 0;
}

int raft_store_snapshot_read(struct raft_store *s, struct raft_snapshot **out, struct err *e)
{
    struct raft_files *f = s->files;
    struct raft_snapshot_head head;
    char name[RAFT_NAME_MAX];

    *out = NULL;
    if (s->snap.index == 0)
        return err_set(e, ERR_NOT_FOUND, "there is no snapshot");
    raft_snap_name(name, s->snap.index);

    int handle = f->open(f, name, false);

    if (handle < 0)
        return raft_store_io_error(e, handle, "open the snapshot");

    uint8_t *first = mem_alloc(RAFT_SNAPSHOT_HEAD_MAX);
    int64_t got = f->read(f, handle, 0, first, RAFT_SNAPSHOT_HEAD_MAX);
    struct raft_snapshot *snapshot = raft_calloc(1, sizeof *snapshot);
    int rc;

    ASSERT(snapshot != NULL);
    raft_configuration_init(&snapshot->configuration);
    if (got < 0)
        rc = raft_store_io_error(e, (int)got, "read the snapshot");
    else
        rc = raft_snapshot_head_decode(first, (size_t)got, &head, &snapshot->configuration, e);
    mem_free(first);
    if (rc != 0)
        goto fail;
    snapshot->index = head.index;
    snapshot->term = head.term;
    snapshot->configuration_index = head.conf_index;
    snapshot->bufs = raft_malloc(sizeof *snapshot->bufs);
    ASSERT(snapshot->bufs != NULL);
    snapshot->n_bufs = 1;
    snapshot->bufs[0].len = head.data_bytes;
    snapshot->bufs[0].base = raft_malloc(head.data_bytes > 0 ? head.data_bytes : 1);
    ASSERT(snapshot->bufs[0].base != NULL);
    rc = read_chunks(s, handle, &head, snapshot->bufs[0].base, name, e);
    if (rc != 0) {
        raft_free(snapshot->bufs[0].base);
        raft_free(snapshot->bufs);
        goto fail;
    }
    f->close(f, handle);
    *out = snapshot;
    return 0;
fail:
    raft_configuration_close(&snapshot->configuration);
    raft_free(snapshot);
    f->close(f, handle);
    return rc;
}

uint64_t raft_store_snapshot_index(const struct raft_store *s)
{
    return s->snap.index;
}

uint64_t raft_store_snapshot_bytes(const struct raft_store *s)
{
    return s->snap_file_bytes;
}
