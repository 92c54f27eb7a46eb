/* The audit log's file: DIR/audit/audit.log, one record a line, hash-chained (audit/audit.h).
 * Written at apply by the control thread. The chain's head is in the catalogue, and Raft has every
 * record that is not yet in a snapshot, so the file needs no sync of its own: it is synced before a
 * snapshot takes the records' entries away. At start records that are applied again are compared,
 * not doubled. */
#ifndef MAIN_AUDITLOG_H
#define MAIN_AUDITLOG_H

#include "audit/audit.h"

#include <stdint.h>

#define AUDITLOG_PATH "audit/audit.log"

struct auditlog {
    int fd;
    uint64_t size_bytes;
    uint64_t last_seq; /* of the last whole line; 0: none */
    bool damaged;      /* told once in the log, then shown in status */
};

/* Opens or makes it; cuts a torn last line. */
int auditlog_open(struct auditlog *a, int dir_fd, struct err *err);
/* A record with its number. One that the file has already is skipped; a gap or a failed write marks
 * the log damaged and goes on. */
void auditlog_append(struct auditlog *a, uint64_t seq, struct slice line);
/* Told once in the log. */
void auditlog_mark_damaged(struct auditlog *a, uint64_t seq, const char *why);
int auditlog_sync(struct auditlog *a); /* 0 or -errno */
void auditlog_close(struct auditlog *a);

/* For readers, with a descriptor of their own. */
struct auditlog_query {
    struct slice principal, action, target, correlation_id; /* NULL p: any */
    int64_t since_ms, until_ms;                             /* 0: open */
    int64_t after;                                          /* -1: from the end (or the start) */
    bool ascending;
    int32_t limit;
};
/* Adds the matching records, comma-separated, to out. *next: the cursor that goes on, or -1. */
int auditlog_find(int dir_fd, const struct auditlog_query *q, struct bytes *out, int64_t *next,
                  struct err *err);
/* Checks the whole chain against the catalogue's head: *ok, and {"ok":...} with the reason in out.
 */
int auditlog_verify(int dir_fd, const struct audit_head *head, bool *ok, struct bytes *out,
                    struct err *err);

#endif
