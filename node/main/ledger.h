/* The rejection ledger: DIR/ledger.db, an SQLite file of what was refused, bounded by rows and age.
 * It is a convenience, not a record of law: it may be deleted at any time, and a flood of refusals
 * that its thread cannot follow is counted instead of stored. The thread also runs other reading
 * work that would hold a loop (audit searches). */
#ifndef MAIN_LEDGER_H
#define MAIN_LEDGER_H

#include "broker/broker.h"

enum { LEDGER_QUEUE_MAX = 20000, LEDGER_TASKS_MAX = 1000 };

struct ledger;

struct ledger_config {
    const char *path; /* of ledger.db; copied */
    int32_t node_id;
    int64_t rows_max, age_max_ms;
};

int ledger_start(struct ledger **out, const struct ledger_config *config, struct err *err);
/* From any thread; copies. */
void ledger_add(struct ledger *l, const struct rejection *r);

struct ledger_query {
    struct slice topic, code, principal, key_id, correlation_id; /* NULL p: any */
    int64_t since_ms, until_ms;                                  /* 0: open */
    int64_t after;                                               /* -1: none */
    bool ascending;
    int32_t limit;
};
/* On the ledger's thread only (from a task): what was added before the task was given is in. Adds
 * JSON objects, comma-separated; *next: the cursor that goes on, or -1. */
int ledger_find(struct ledger *l, const struct ledger_query *q, struct bytes *out, int64_t *next,
                struct err *err);
/* Runs a task on the ledger's thread, after what was added before. False: too many wait. */
bool ledger_run(struct ledger *l, void (*task)(void *arg, struct ledger *l), void *arg);

struct ledger_facts {
    uint64_t written, dropped, failed;
};
void ledger_facts(struct ledger *l, struct ledger_facts *out);
void ledger_stop(struct ledger *l); /* writes what waits, joins, frees */

#endif
