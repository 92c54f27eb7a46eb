/* The replicated state of the cluster in SQLite (in memory), and the two halves of every change:
 *
 *   decide(request) -> facts + result     on the controller, over what it has applied
 *   apply(facts)    -> new state          on every node, in Raft's order
 *
 * Facts are rows with the version each expects; a fact that does not fit makes the whole entry a
 * no-op with its result (docs/decisions/0004). Pure: no file, no clock, no randomness of its own.
 * The relational schema, catalogue/schema.sql.h, is the documentation of the model. One owner
 * thread; the views that it publishes may be used by any. */
#ifndef CATALOGUE_CATALOGUE_H
#define CATALOGUE_CATALOGUE_H

#include "audit/audit.h"
#include "catalogue/report.h"
#include "catalogue/request.h"
#include "catalogue/view.h"

struct catalogue;

int catalogue_open(struct catalogue **out, struct err *err); /* empty state, version 0 */
void catalogue_close(struct catalogue *c);

/* Facts about the running cluster that guards need (records in a topic, ...); NULL: none known. */
void catalogue_set_report(struct catalogue *c, const struct report *r);

/* The controller's node id for the views to come (-1 unknown): not part of the state. */
void catalogue_set_controller(struct catalogue *c, int32_t node_id);

/* Computes what a request would do. *facts stays empty when nothing is to be written (refused, a
 * plan, or no change): then *out is the final answer. Otherwise propose *facts through Raft, and
 * the answer is what apply returns. Leaves the state as it was. */
void catalogue_decide(struct catalogue *c, const struct request *r, struct bytes *facts,
                      struct result *out);

/* Applies one committed entry at Raft index `index` (asserted to be the next applied or later).
 * Cannot fail: an entry that does not fit the state is a no-op. *out has the result for the one who
 * asked (request_id inside). audit_line, if the entry carries one, is appended for the caller's
 * audit file. `schemas` may hold compiled schemas that were prepared with the request (NULL on
 * other nodes). */
void catalogue_apply(struct catalogue *c, uint64_t index, struct slice facts,
                     const struct request *prepared, struct result *out, struct bytes *audit_line);

uint64_t catalogue_version(const struct catalogue *c);
/* Size of the state against CATALOGUE_STATE_MAX_BYTES (catalogue/limits.h), for metrics. */
size_t catalogue_size_bytes(struct catalogue *c);
uint64_t catalogue_applied_index(const struct catalogue *c);
struct audit_head catalogue_audit_head(const struct catalogue *c);

/* The current view; the caller gets a reference. */
const struct view *catalogue_view(struct catalogue *c);

/* The state as an SQLite image (owned by the caller in *out), and back. */
void catalogue_snapshot(struct catalogue *c, struct bytes *out);
int catalogue_restore(struct catalogue *c, struct slice image, struct err *err);

/* Incremental hash over logical rows: equal states have equal digests on all nodes. */
void catalogue_digest(struct catalogue *c, uint8_t out[32]);

/* Queries for the API that the view does not answer; JSON into out. */
int catalogue_export(struct catalogue *c, struct bytes *out, struct err *err); /* documents */
/* The contracts that a topic has had, newest first: JSON objects separated by commas. */
int catalogue_topic_history(struct catalogue *c, struct slice topic, struct bytes *out,
                            struct err *err);

/* Checks internal relations; for tests after each step. */
void catalogue_check_invariants(struct catalogue *c);

#endif
