/* The running node: all rooms together. serve.c makes and stops it; admin.c, status.c and sock.c
 * look into it. Only main includes this. */
#ifndef MAIN_NODE_H
#define MAIN_NODE_H

#include "main/conf.h"
#include "main/control.h"
#include "main/ledger.h"
#include "runtime/folder.h"
#include "runtime/runtime.h"

struct admin;

enum {
    EXIT_FATAL = 70, /* EX_SOFTWARE: a failed sync, a broken log; systemd may restart it */
};

struct node {
    struct config config;
    struct folder folder;
    struct files_root root;
    struct runtime *runtime;
    struct control *control;
    struct ledger *ledger;
    struct admin *admin;
    char kafka_host[256], kafka_address[300], admin_url[300], peer_address[300];
    int kafka_port;
    int64_t started_ms;  /* wall clock */
    uint64_t started_ns; /* monotonic */
    _Atomic bool stopping;
};

/* Logs, then ends the process at once (design 6.7). */
_Noreturn void node_fatal(const char *why);

/* The status object: of GET /v1/status, of the socket, of `writ status --data`. */
void status_write(struct node *n, struct bytes *out);
/* Reasons why not ready as JSON strings, comma-separated; nothing: ready. */
void status_reasons(struct node *n, struct bytes *out);
/* Prometheus text of what main knows; the data thread's text stands before it. */
void status_metrics(struct node *n, struct bytes *out);

#endif
