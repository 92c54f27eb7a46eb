/* Audit records and their hash chain: record n's hash is SHA-256(hash of n-1 | record text). A
 * chain proves that nothing between two known hashes was altered, left out or added. Pure: files
 * are the shell's. */
#ifndef AUDIT_AUDIT_H
#define AUDIT_AUDIT_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/slice.h"

enum { AUDIT_HASH_BYTES = 32 };

struct audit_head {
    uint64_t seq; /* of the last record; 0: none yet */
    uint8_t hash[AUDIT_HASH_BYTES];
};

struct audit_entry {
    int64_t time_ms;
    struct slice principal; /* who */
    struct slice action;    /* "apply", "key.revoke", "topic.delete", ... */
    struct slice target;    /* "Topic/shop.orders.placed" or "" for many */
    struct slice result;    /* "done" or "refused" */
    struct slice correlation_id;
    uint64_t catalogue_version; /* after the change */
    struct slice detail_json;   /* what changed, as JSON; may be NULL */
};

/* One line of JSON without the newline: seq, time, who, action, ..., prev (hex), hash (hex).
 * Advances *head. */
void audit_append(struct audit_head *head, const struct audit_entry *e, struct bytes *out);

/* Checks one line against *head and advances it; ERR_CORRUPT names the sequence number and why. */
int audit_check(struct audit_head *head, struct slice line, struct err *err);

#endif
