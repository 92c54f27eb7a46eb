/* The broker: composes wire, admit, log and txn. One shape: state, event, now -> effects. It owns
 * whole connections and partitions; a step runs to its end, cannot fail and cannot re-enter. One
 * handler file per Kafka API key; broker.c only routes. */
#ifndef BROKER_BROKER_H
#define BROKER_BROKER_H

#include "admit/admit.h"
#include "base/buf.h"
#include "catalogue/report.h"
#include "catalogue/request.h"
#include "catalogue/view.h"
#include "log/store.h"

struct broker;

struct broker_config {
    int32_t node_id;
    struct slice advertised_host; /* copied */
    int32_t advertised_port;
    bool auto_create_topics; /* only where governance is off */
    int32_t default_partitions;
    int64_t max_request_bytes; /* a frame; enforced by the runtime, told in errors */
    int64_t fetch_max_bytes;
    uint64_t replay_memory_bytes; /* bound of the replay memory of signed topics */
    uint64_t seed;
};

enum event_kind {
    EVENT_TICK,
    EVENT_CONN_OPEN,
    EVENT_REQUEST,
    EVENT_CONN_CLOSED,
    EVENT_DISK_DONE,
    EVENT_JUDGED,
    EVENT_VIEW,
    EVENT_CATALOGUE,
    EVENT_READ_DONE,
    EVENT_SPACE,
};

struct event {
    enum event_kind kind;
    uint64_t conn;           /* CONN_*, REQUEST: never reused */
    struct slice peer;       /* CONN_OPEN: "127.0.0.1:5000" */
    struct buf *frame;       /* REQUEST: one frame without its length; the reference is taken */
    uint64_t id;             /* DISK_DONE, JUDGED, READ_DONE: the effect's id */
    int status;              /* DISK_DONE, READ_DONE: 0 or -errno */
    struct admit_job *job;   /* JUDGED: comes back */
    const struct view *view; /* VIEW: the reference is taken */
    struct result *result;   /* CATALOGUE: taken */
    uint64_t free_bytes, watermark_bytes; /* SPACE */
};

enum effect_kind {
    EFFECT_SEND,      /* parts, in order, on conn; whole responses with their length prefix, in the
                       * order of the connection's requests */
    EFFECT_CLOSE,     /* after what was sent before has gone */
    EFFECT_DISK,      /* op */
    EFFECT_JUDGE,     /* job to the pool; comes back as EVENT_JUDGED */
    EFFECT_CATALOGUE, /* request to the catalogue; comes back as EVENT_CATALOGUE */
    EFFECT_READ,      /* bring `range` into the page cache (a reader thread reads and discards it);
                       * READ_DONE with read_id. The broker then checks its CRCs: a cold disk never
                       * holds the loop */
    EFFECT_REJECTION, /* an entry for the ledger */
    EFFECT_VIEW_ENFORCED, /* this broker has switched to the view version */
    EFFECT_FATAL,         /* message: the process must end (failed journal) */
};

/* A piece of a response: bytes, or a range of a segment file for sendfile. */
struct send_part {
    struct buf *buf; /* owned reference, or NULL: file range */
    struct slice bytes;
    struct plog_range range;
};

struct rejection {
    int64_t time_ms;
    struct slice topic;
    int32_t partition;
    int32_t batch_index;
    enum verdict_code code;
    struct slice path, rule, detail;
    struct slice key_id, principal, client_id, correlation_id;
    uint64_t contract_version;
    uint8_t digest[32]; /* SHA-256 of the value */
    uint32_t count;     /* 1; more when identical refusals of a batch are folded */
};

struct effect {
    enum effect_kind kind;
    uint64_t conn;
    struct send_part *part; /* SEND: array in the effects' arena */
    size_t parts_n;
    struct disk_op op;          /* DISK: taken */
    struct admit_job *job;      /* JUDGE: taken until it comes back */
    struct request *request;    /* CATALOGUE: taken */
    struct rejection rejection; /* REJECTION: slices in the effects' arena */
    uint64_t version;           /* VIEW_ENFORCED */
    uint64_t read_id;           /* READ */
    struct plog_range range;    /* READ */
    const char *message;        /* CLOSE, FATAL: why; in the effects' arena */
};

struct effects {
    struct effect *effect;
    size_t n, cap;
    struct arena arena; /* reset by effects_clear */
};
/* Zero-initialise. The shell takes a thing by clearing its place: part[i].buf = NULL, op.part =
 * NULL with parts_n = 0, job = NULL, request = NULL. effects_clear releases what was not taken and
 * empties the list; memory is kept for the next step. effects_free gives it back. */
void effects_clear(struct effects *fx);
void effects_free(struct effects *fx);

int broker_new(struct broker **out, const struct broker_config *config, struct disk *disk,
               const struct store_config *store_config, int64_t now_ms, struct err *err);
void broker_free(struct broker *b);

/* Pre: an EVENT_VIEW comes before any connection. now_ms is wall-clock time of this step. Effects
 * are appended to *out; carry them out in their order. */
void broker_step(struct broker *b, const struct event *ev, int64_t now_ms, struct effects *out);
int64_t broker_deadline_ms(const struct broker *b); /* when the next EVENT_TICK is needed */
void broker_check_invariants(const struct broker *b);

/* Requests of a connection that are not answered yet: the shell reads no further beyond a limit. */
uint32_t broker_conn_pending(const struct broker *b, uint64_t conn);

/* Facts for report, status and metrics; called on the broker's thread. */
void broker_report(const struct broker *b, int64_t now_ms, struct arena *a, struct report *out);
void broker_metrics(const struct broker *b, struct bytes *out); /* Prometheus text */

#endif
