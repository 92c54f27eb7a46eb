/* The control thread: Raft and the catalogue on one libuv loop. A request goes
 *
 *   decide -> propose -> (durable) -> apply -> publish the view -> every data thread has switched
 *
 * and only then is it answered: what an answer says is in force (design 4). Requests are decided
 * one after the other, each over everything that was applied before; waiting for the switch holds
 * nobody else up. Audit records are written to their file at apply. */
#ifndef MAIN_CONTROL_H
#define MAIN_CONTROL_H

#include "catalogue/catalogue.h"
#include "raft/node.h"

enum { CONTROL_REQUESTS_MAX = 10000 }; /* waiting; further ones are answered ERR_UNAVAILABLE */

struct control;

struct control_hooks {
    void *arg;
    /* A new view is in force on this thread; the reference is the hook's. Leads to
     * control_enforced. */
    void (*view)(void *arg, const struct view *v);
    /* Asks for the broker's facts, to be given to control_report. */
    void (*want_report)(void *arg);
    /* The process must end. */
    void (*fatal)(void *arg, const char *why);
};

struct control_config {
    const char *data; /* path of the data folder */
    int dir_fd;       /* of it; borrowed */
    uint64_t raft_id;
    int32_t node_id;
    const char *raft_address; /* "" with one voter */
    bool governance_off;      /* for the first start of the cluster */
    const char *kafka_host;   /* what the node registers as */
    int kafka_port;
    const char *admin_url;
    struct control_hooks hooks;
};

/* Opens Raft and the catalogue, restores, and at the first start makes the cluster; registers the
 * node. Returns with the catalogue ready to decide. Everything on the caller's thread. */
int control_open(struct control **out, const struct control_config *config, struct err *err);
const struct view *control_view(struct control *c); /* before control_run; a reference */
int control_run(struct control *c, struct err *err);

typedef void (*control_answer)(void *arg,
                               struct result *result); /* takes it; on the control thread */

/* From any thread. control_ask takes the request. */
void control_ask(struct control *c, struct request *request, control_answer answer, void *arg);
void control_enforced(struct control *c, uint64_t version);
void control_report(struct control *c, const struct report *r); /* copied */
/* Runs `call` on the control thread with the catalogue. */
void control_call(struct control *c, void (*call)(void *arg, struct catalogue *catalogue),
                  void *arg);

/* The audit file does not fit the chain: shown in status until the next start. From any thread. */
void control_audit_damaged(struct control *c);

/* Numbers for status and metrics; a consistent enough copy, from any thread. */
struct control_facts {
    bool ready; /* may decide */
    uint64_t version, enforced_version;
    uint64_t audit_seq;
    bool audit_damaged; /* the file does not continue the catalogue's chain */
    uint64_t requests, waiting;
    uint64_t longest_step_ns; /* of this thread: decide, apply, snapshot */
    uint64_t state_bytes;
    struct raft_node_metrics raft;
};
void control_facts(struct control *c, struct control_facts *out);

/* Answers what waits with ERR_UNAVAILABLE and joins; what is asked later is refused at
 * control_free. */
void control_stop(struct control *c);
void control_free(struct control *c);

#endif
