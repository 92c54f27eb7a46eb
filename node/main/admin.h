/* The API thread: the HTTP server and the admin API over the current view. What a call asks of
 * other threads (the catalogue, the broker, the ledger) goes there as a message and comes back as
 * one; this thread never waits. It also serves the status socket. */
#ifndef MAIN_ADMIN_H
#define MAIN_ADMIN_H

#include "main/node.h"

#include "runtime/histogram.h"

/* Binds the listener and the socket; on the caller's thread. */
int admin_open(struct admin **out, struct node *node, struct err *err);
int admin_port(const struct admin *a);
int admin_run(struct admin *a, struct err *err);
/* A new view, from any thread; takes the reference. Calls that begin after it see it. */
void admin_set_view(struct admin *a, const struct view *v);
void admin_stop(struct admin *a, unsigned grace_ms);
void admin_free(struct admin *a);

enum { ADMIN_STATUS_CLASSES = 5 };
struct admin_facts {
    unsigned connections;
    uint64_t answers[ADMIN_STATUS_CLASSES]; /* 1xx .. 5xx */
    const struct histogram *latency;
};
void admin_facts(const struct admin *a, struct admin_facts *out);

#endif
