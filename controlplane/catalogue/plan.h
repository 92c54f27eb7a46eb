/* One decision in the making: what is written, what is told, what is in the way. Internal. */
#ifndef CATALOGUE_PLAN_H
#define CATALOGUE_PLAN_H

#include "base/map.h"
#include "catalogue/internal.h"
#include "catalogue/outcome.h"

struct plan {
    struct catalogue *c;
    const struct request *r;
    struct result *out;
    const struct view *v; /* the state decided on; borrowed */
    struct arena arena;
    struct facts facts;
    struct bytes changes, same, impact; /* JSON objects, separated by commas; same: unchanged */
    size_t impacts;                     /* also those that are not told one by one */
    size_t created, updated, deleted, unchanged;
    size_t created_of[4];  /* by kind */
    const char *action;    /* for the audit record */
    struct slice target;   /* "Topic/name" of the only change, "" when there are several */
    struct slice accepted; /* guards that were overridden, comma-separated */
    bool strict;           /* must be applied to exactly this version */
    int64_t first_producer_id;
    struct topic_id topic_id;

    /* The state as it will be. Keys: u8 kind, name. */
    struct map documents; /* -> struct request_document *: in the request */
    struct map gone;      /* -> anything: deleted by it */
    struct map claims;    /* topic name with '_' for '.' -> char *name: claimed by it */
    struct map texts;     /* digest -> anything: written by it */
    struct map schemas;   /* schema_key -> struct row *: given an id by it */
    struct map publics;   /* public key -> char *kid: added by it */
    const struct policy **policy;
    size_t policies_n;
    bool policies_moved, policies_checked;
    int64_t next_schema_id; /* 0: not asked for yet */
    uint64_t schema_ids_rev;
    size_t topics_added, partitions_added;
};

void plan_open(struct plan *p, struct catalogue *c, const struct request *r, struct result *out);
void plan_close(struct plan *p);

/* Is a resource of this kind there once the plan is done? */
bool plan_has(struct plan *p, enum document_kind kind, struct slice name);
bool plan_goes(struct plan *p, enum document_kind kind, struct slice name);
void plan_mark_gone(struct plan *p, enum document_kind kind, struct slice name);
struct request_document *plan_document(struct plan *p, enum document_kind kind, struct slice name);

/* index: of the document in the request, or -1. */
void plan_violation(struct plan *p, int index, const char *code, const char *pointer,
                    const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* Takes errors over, pointers prefixed, and frees them. */
void plan_violations(struct plan *p, int index, struct document_errors *errors);
/* A guard: true when it was overridden by name, which the audit record then says; else a violation
 * of that code. */
bool plan_guard(struct plan *p, int index, const char *guard, const char *pointer, const char *fmt,
                ...) __attribute__((format(printf, 5, 6)));
/* How many of this kind there will be, deletions not counted. */
size_t plan_count(struct plan *p, enum document_kind kind);
/* The resource's team lets the principal change it (request.owner_checked)? Else a violation. */
bool plan_owner(struct plan *p, int index, struct slice team);
/* If-Match and If-None-Match of a request about one resource; version 0: it does not exist. */
bool plan_condition(struct plan *p, uint64_t version);

/* old or now NULL: created, deleted; same: unchanged. `now` may be NULL with old NULL for topics
 * without contract. */
void plan_change(struct plan *p, const char *action, enum document_kind kind, struct slice name,
                 const struct document *old, const struct document *now);
/* A change with given fields: JSON objects {"pointer","old","new"}, comma-separated. */
void plan_change_fields(struct plan *p, const char *action, enum document_kind kind,
                        struct slice name, struct slice fields);
void plan_impact(struct plan *p, const char *code, enum document_kind kind, struct slice name,
                 int64_t records, const char *fmt, ...) __attribute__((format(printf, 6, 7)));

/* Judges, answers, and encodes the entry if one is needed. */
void plan_finish(struct plan *p, struct bytes *entry);

/* --- the parts of a decision (decide_*.c) --------------------------------------------------------
 */

void decide_documents(struct plan *p);
void decide_delete(struct plan *p);
void decide_key_add(struct plan *p);
void decide_key_revoke(struct plan *p);
void decide_topic_create(struct plan *p);
void decide_topic_delete(struct plan *p);
void decide_partitions_add(struct plan *p);
void decide_config_set(struct plan *p);
void decide_producer_ids(struct plan *p);
void decide_node_register(struct plan *p);
void decide_bootstrap(struct plan *p);

void plan_team(struct plan *p, int index, const struct document *d);
void plan_policy(struct plan *p, int index, const struct document *d);
void plan_producer(struct plan *p, int index, const struct document *d);
void plan_topic(struct plan *p, int index, const struct request_document *d);
/* Deletions, with their guards. */
void plan_topic_delete(struct plan *p, int index, const struct view_topic *t, bool guarded);
/* The producer's part of its deletion: keys and grants. */
void plan_producer_delete(struct plan *p, const struct view_document *d);
void plan_document_delete(struct plan *p, int index, const struct view_document *d);

/* Shared by the contract's and Kafka's ways to a topic. */
bool catalogue_name_ok(struct slice name, char why[128]);
/* Name of a living topic that differs from `name` only in '.' and '_', or NULL slice. */
struct slice topic_collision(struct plan *p, struct slice name);
void topic_put_claim(struct plan *p, struct slice name);
/* Rows for partitions [from, to). */
void topic_put_partitions(struct plan *p, struct slice id, int32_t from, int32_t to,
                          int32_t replicas);
/* Version of the first contract or state of a topic of this name. */
int64_t topic_first_version(struct plan *p, struct slice name);
struct topic_id topic_new_id(struct plan *p, struct slice name);
/* Puts a row of topic that differs from `t` only in rev, version and time. */
struct row topic_row_of(struct plan *p, const struct view_topic *t);

struct record_facts {
    bool known;
    int64_t records, bytes;
};
/* How old the report is: it may have been made after the request. */
int64_t plan_report_age_ms(struct plan *p);
struct record_facts plan_records(struct plan *p, const struct view_topic *t);

#endif
