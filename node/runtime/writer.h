/* A writer thread: executes disk operations strictly in the order of its queue and posts each
 * completion to an inbox (id, status). */
#ifndef RUNTIME_WRITER_H
#define RUNTIME_WRITER_H

#include "runtime/files.h"
#include "runtime/histogram.h"
#include "runtime/inbox.h"

struct writer_config {
    const char *name; /* of the thread, at most 15 characters */
    struct files_root *root;
    unsigned cache_max;
    struct inbox *inbox;
    int done_kind; /* message kind of a completion */
    bool direct;   /* DISK_WRITE_SYNC past the page cache where that is possible */
    /* Called on the writer's thread when a write or a sync of DISK_WRITE_SYNC failed, before the
     * completion is posted; the journal's ends the process here (design 6.7). May be NULL. */
    void (*failed)(void *arg, const struct disk_op *op, int status);
    void *failed_arg;
};

struct writer_stats {
    struct histogram sync; /* DISK_WRITE_SYNC and DISK_SYNC, write included */
    _Atomic uint64_t written_bytes, ops, failures;
    _Atomic uint64_t queued; /* operations that wait or run */
};

struct writer;
int writer_start(struct writer **out, const struct writer_config *config, struct err *err);
void writer_push(struct writer *w, const struct disk_op *op, size_t n); /* takes the parts */
const struct writer_stats *writer_stats(const struct writer *w);
void writer_stop(struct writer *w); /* does what is queued, joins, frees */

#endif
