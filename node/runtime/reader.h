/* The reader thread: brings ranges of segment files into the page cache by reading and discarding
 * them, so that a cold disk never holds the data thread. The queue is bounded by the Fetch requests
 * that are under way. */
#ifndef RUNTIME_READER_H
#define RUNTIME_READER_H

#include "log/store.h"
#include "runtime/files.h"
#include "runtime/inbox.h"

struct reader;
int reader_start(struct reader **out, struct files_root *root, struct inbox *inbox,
                 struct err *err);
/* Completion: done_kind, id, status 0 or -errno. */
void reader_push(struct reader *r, int done_kind, uint64_t id, const struct plog_range *range);
void reader_stop(struct reader *r); /* drops what is queued, joins, frees */

#endif
