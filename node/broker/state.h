/* The broker's inside: connections, requests, topics, partitions. Only files of this room include
 * it.
 *
 * Who owns what: struct broker owns every row below. A connection owns the order of its requests; a
 * request row owns its frame and an arena with everything decoded from it and prepared for its
 * answer. Work in other rooms (disk, pool, catalogue) is remembered by id in an idmap; rows wait in
 * lists of the partition they wait for, and leave them before they are freed. */
#ifndef BROKER_STATE_H
#define BROKER_STATE_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/check.h"
#include "base/map.h"
#include "base/mem.h"
#include "broker/broker.h"
#include "broker/deadline.h"
#include "broker/idmap.h"
#include "broker/limits.h"
#include "broker/metrics.h"
#include "txn/ids.h"
#include "txn/producer.h"
#include "txn/replay.h"
#include "wire/api.h"
#include "wire/batch.h"
#include "wire/error.h"
#include "wire/header.h"
#include "wire/message.h"

struct broker;
struct request_row;

/* ---- Connections and their requests ---- */

struct conn {
    uint64_t id;
    struct slice peer;   /* owned text */
    char principal[128]; /* "anonymous" on listeners without authentication */
    char client_id[64];  /* of the last request, cut */
    char software[BROKER_SOFTWARE_NAME_MAX * 2 + 2]; /* "name/version" from ApiVersions v3+ */
    struct request_row *first, *last; /* requests whose answers are not sent, in order */
    uint32_t pending;
    bool closing; /* EFFECT_CLOSE was given: nothing more is sent */
    bool pumping;
};

enum row_state {
    ROW_QUEUED, /* not begun: its handler waits until it is the head (Fetch) */
    ROW_ACTIVE, /* begun, answer not ready */
    ROW_DONE,   /* answer ready, waits for those before it */
};

struct request_row {
    uint64_t id; /* never reused */
    uint64_t conn_id;
    struct conn *conn; /* in its list; NULL: the connection is gone, or no answer is wanted */
    struct request_row *next; /* in the connection's list, or in the free list */
    const struct handler *handler;
    enum row_state state;
    struct wire_request_header header; /* slices in frame */
    struct buf *frame;                 /* owned reference; NULL once nobody needs it */
    struct slice body;                 /* of the frame, after the header */
    struct arena arena;                /* kept from use to use */
    struct deadline deadline;
    int64_t received_ms;
    void *request;                 /* decoded, in the arena */
    void *work;                    /* the handler's own, in the arena */
    uint32_t left;                 /* parts that are not answered yet */
    uint32_t catalogue_waits;      /* requests to the catalogue under way for it */
    bool no_answer;                /* Produce with acks=0 */
    struct request_row *wait_next; /* in the line for producer ids */
    bool dirty;                    /* on the broker's list of fetches to look at again */
    struct request_row *dirty_next;
    struct send_part *send; /* the answer, in the arena */
    size_t send_n;
    uint64_t send_bytes;
};

/* One Kafka API: the versions that are served and what to do. */
struct handler {
    int16_t api_key;
    bool when_head; /* begin only when every earlier request of the connection is answered */
    /* Decoded request in row->request. Answers at once or leaves the row ROW_ACTIVE. */
    void (*begin)(struct broker *b, struct request_row *row);
    /* The deadline has passed; must answer. NULL: the handler sets none. */
    void (*expire)(struct broker *b, struct request_row *row);
    /* The connection is gone: leave every list. Returns false when the row must live on until its
     * parts have come back (it frees itself then). NULL: nothing to do. */
    bool (*abandon)(struct broker *b, struct request_row *row);
};

/* ---- Topics and partitions ---- */

struct topic_row {
    const struct view_topic *view; /* of the current view */
    struct topic_id id;
    struct slice name;            /* owned copy */
    bool closed;                  /* no contract, in a governed name space: no writes */
    struct partition **partition; /* owned array of owned rows, by partition number */
    int32_t partitions_n;
    struct topic_counters counters;
    uint64_t seen;         /* view generation, to find what a view no longer holds */
    uint64_t described_in; /* row that describes it already: named twice, answered once */
};

/* One partition's part of a Produce request, from arrival to answer. */
enum part_state {
    PART_ARRIVED,
    PART_WAIT_POOL, /* wants judging, the pool is full */
    PART_JUDGING,
    PART_JUDGED,   /* waits for those before it in its partition */
    PART_APPENDED, /* waits for the disk */
    PART_ANSWERED,
};

struct produce_part {
    struct request_row *row;
    struct partition *partition; /* NULL once answered */
    struct produce_part *next;   /* in the partition's queue */
    struct produce_part *pool_next;
    enum part_state state;
    struct wire_batch batch; /* slices in the row's frame */
    int16_t acks;
    struct admit_job *job;   /* while it is ours */
    uint64_t job_id;         /* while it is the pool's; 0: not there */
    uint64_t judged_version; /* of the view it was judged under; 0: not judged */
    bool judged_governed;
    /* The answer. */
    int16_t error;
    int64_t base_offset;
    int64_t start_offset;
    int64_t needed_offset;     /* answered when the stable offset has reached it */
    const char *error_message; /* in the row's arena, or NULL */
    struct wire_produce_response_record_error *record_error; /* in the row's arena */
    int32_t record_errors_n;
};

struct produce_queue {
    struct produce_part *first, *last;
};

struct fetch_part {
    struct request_row *row;
    struct partition *partition;    /* NULL: answered with error */
    struct fetch_part *prev, *next; /* in the partition's list of waiters */
    bool waiting;
    int32_t topic_at, partition_at; /* place in the request */
    int64_t offset;
    int64_t max_bytes;
    uint64_t seen_bytes; /* plog_size_bytes when last looked at */
    int16_t error;
    struct plog_range range;
    uint64_t read_id; /* EFFECT_READ under way; 0: none */
};

struct partition {
    struct topic_row *topic;
    int32_t index;
    const struct view_partition *view;
    struct plog *log;
    struct txn_producers *producers;
    uint64_t replay_id;            /* its name in the replay memory */
    int64_t replay_window_ms;      /* 0: not governed */
    int64_t replay_blind_until_ms; /* the memory could not be rebuilt in full: refuse until then */
    int64_t noted_offset;          /* producer state is noted up to here */
    uint64_t since_note_bytes, note_after_bytes;
    int64_t appended_ms; /* last append */
    bool unnoted;        /* on the broker's list of partitions with bytes since the note */
    struct partition *unnoted_next;
    struct produce_queue admission; /* first in, first out */
    struct produce_queue ack;       /* appended, or duplicates of what is */
    struct fetch_part *waiters;
    struct delete_part *deletes; /* DeleteRecords that wait for the journal */
    bool moved;                  /* on the broker's list of partitions whose offsets moved */
    struct partition *moved_next;
    bool waits_room; /* on the broker's list of partitions that wait for the store */
    struct partition *room_next;
};

/* ---- Waiting for the catalogue ---- */

/* One request to the catalogue on behalf of part `part` of a request row (or of the broker itself).
 */
struct catalogue_wait {
    uint64_t id;
    uint64_t row_id; /* 0: the broker's own */
    uint32_t part;
    struct request_row *row; /* NULL: the row is gone */
    void (*done)(struct broker *b, struct request_row *row, uint32_t part, const struct result *r);
    uint64_t version; /* the result waits for the view to reach it */
    struct result *result;
    struct catalogue_wait *next; /* list of those that wait for a view */
};

struct broker {
    struct broker_config config;
    char host[256];
    struct disk *disk; /* borrowed */
    struct store *store;
    const struct view *view; /* owned reference; NULL before the first EVENT_VIEW */
    uint64_t view_generation;
    int64_t now_ms;
    struct effects *fx; /* of the running step */

    struct idmap conns;
    struct idmap rows; /* active requests by id */
    struct request_row *free_rows;
    size_t free_rows_n;
    uint64_t next_row_id;
    struct deadlines deadlines;
    struct partition *moved;                  /* within a step only */
    struct partition *room_first, *room_last; /* whose next batch waits for room in the store */
    struct request_row *dirty;                /* fetches to look at again before the step ends */

    struct map topics_by_name; /* -> struct topic_row */
    struct map topics_by_id;

    struct idmap judging;                        /* job id -> struct produce_part, or JOB_ORPHAN */
    struct produce_part *pool_first, *pool_last; /* wait for room in the pool */
    uint64_t next_job_id;

    struct idmap reads; /* read id -> struct fetch_part */
    uint64_t next_read_id;

    struct idmap catalogue;            /* request id -> struct catalogue_wait */
    struct catalogue_wait *view_waits; /* answered, waiting for the view */
    uint64_t next_catalogue_id;
    uint64_t rng;

    struct partition *unnoted;
    struct txn_ids ids;
    struct request_row *ids_first, *ids_last; /* InitProducerId requests that wait for a block */
    struct txn_replay *replay;                /* owned; one for all partitions */
    uint64_t next_replay_id;
    int64_t second_at_ms; /* what is done once a second */
    bool second_wakes;
    int64_t expire_at_ms;          /* when silent producers are looked for again */
    struct admit_scratch *scratch; /* for looking into stored batches; made when first needed */
    struct disk_ops ops;           /* scratch of one step */
    struct bytes out;              /* scratch: the response being encoded */
    bool failed;                   /* EFFECT_FATAL was given */
    uint64_t orphan_replicas;
    struct metrics metrics;
};

/* ---- conn.c: connections, the order of answers ---- */

void conn_open(struct broker *b, uint64_t id, struct slice peer);
void conn_gone(struct broker *b, uint64_t id);
void conn_request(struct broker *b, uint64_t id, struct buf *frame);
void conn_close(struct broker *b, struct conn *c, const char *why); /* EFFECT_CLOSE, once */
void conn_free_all(struct broker *b);

/* Encodes `response` as the row's answer and sends it when its turn has come. The row may be freed
 * by this: do not touch it afterwards. */
void row_answer(struct broker *b, struct request_row *row, const void *response);
/* The same, already encoded: parts in the row's arena, with the length prefix. */
void row_answer_parts(struct broker *b, struct request_row *row, struct send_part *part, size_t n,
                      uint64_t size_bytes);
/* Frees a row without an answer (acks=0, or its connection is gone). */
void row_drop(struct broker *b, struct request_row *row);
void row_set_deadline(struct broker *b, struct request_row *row, int64_t wait_ms);
struct request_row *row_by_id(const struct broker *b, uint64_t id); /* NULL: gone */
/* b->out: room for the length, and the response header. wire_end_frame(&b->out, 0, cut) ends it. */
void row_begin_answer(struct broker *b, const struct request_row *row);

struct effect *broker_effect(struct broker *b, enum effect_kind kind); /* appended, zeroed */
uint64_t broker_random(struct broker *b);

/* ---- topics.c: the view, topics and partitions ---- */

void topics_switch_view(struct broker *b, const struct view *view);
void topics_forget_batches(struct broker *b); /* at the end: frees what queued batches own */
void topics_free_all(struct broker *b);
struct topic_row *topic_by_name(const struct broker *b, struct slice name);
struct topic_row *topic_by_id(const struct broker *b, const uint8_t id[16]);
/* The partition if this node leads it; NULL with the Kafka error in *error. */
struct partition *partition_find(const struct broker *b, struct topic_row *t, int32_t index,
                                 int16_t *error);
/* Kafka's fencing rules (KIP-320): 0, 74 or 75. -1: the client does not ask. */
int16_t partition_check_epoch(const struct partition *p, int32_t epoch);
/* Is the topic governed, or is its name in a governed name space? Then Kafka's admin writes are
 * answered 44 with the `writ` command that does it; *message is in the arena. */
bool topic_admin_refused(const struct broker *b, struct slice name, const char *verb,
                         struct arena *a, const char **message);

/* ---- produce.c: from a batch to its acknowledgement ---- */

void produce_admit(struct broker *b, struct produce_part *part, struct slice records);
void produce_judged(struct broker *b, struct admit_job *job);
void produce_moved(struct broker *b, struct partition *p); /* the stable offset moved */
void produce_fail_all(struct broker *b, struct partition *p, int16_t error);
/* The outcome of a part that stands in no queue any more; error 0: base_offset is set. */
void produce_answer(struct broker *b, struct produce_part *part, int16_t error);
void produce_refuse(struct broker *b, struct produce_part *part, int16_t error,
                    const char *message);
void produce_forget(struct partition *p);
void produce_kick(struct broker *b, struct partition *p); /* the head of the queue may go on */
void produce_room(struct broker *b);                      /* the store may have room again */
/* Implemented by handle_produce.c: one part has its outcome. */
void produce_part_answered(struct broker *b, struct produce_part *part);

/* ---- refuse.c: refusals by verdict, in the answer and in the ledger ---- */

/* The batch as a whole, before any record was looked at. */
void produce_reject_batch(struct broker *b, struct produce_part *part, enum verdict_code code,
                          int16_t error);
/* The batch, naming each refused record. */
void produce_refuse_records(struct broker *b, struct produce_part *part, int16_t error,
                            const struct admit_refusal *refusal, size_t n);
/* Settles a part whose topic this node does not know: 3, or 44 for one that was deleted. */
void produce_explain_unknown(struct broker *b, struct produce_part *part, struct slice topic,
                             int32_t partition);

/* ---- sequence.c: idempotent producers (KIP-98, KIP-360) ---- */

struct txn_batch sequence_batch(const struct wire_batch *batch);
/* 0: next, or not idempotent. -1: a duplicate, *stored says of what. Else the Kafka error. */
int16_t sequence_check(struct broker *b, struct partition *p, const struct wire_batch *batch,
                       struct txn_stored *stored, const char **message);
void sequence_appended(struct broker *b, struct partition *p, const struct wire_batch *batch,
                       int64_t base_offset);
void sequence_tick(struct broker *b);

/* ---- replays.c ---- */

enum { REPLAY_INSERTED = -2, REPLAY_TOO_OLD_MARK = -3 };
enum replay_result {
    REPLAY_NONE,    /* nothing seen before; all signatures are remembered now */
    REPLAY_RETRY,   /* all stored before, byte for byte: base_offset and needed_offset are set */
    REPLAY_REFUSED, /* the job's refusals say which */
    REPLAY_WAIT,    /* the record it repeats is on its way to the disk */
    REPLAY_FULL,    /* retriable */
};
enum replay_result replays_check(struct broker *b, struct produce_part *part);

/* ---- rebuild.c: producer state and replay memory ---- */

void rebuild_producers(struct broker *b, struct partition *p);
void rebuild_replay(struct broker *b, struct partition *p);
void rebuild_note(struct broker *b, struct partition *p);
void rebuild_appended(struct broker *b, struct partition *p, size_t n);
/* Once a second: notes what is quiet now, so that a restart has nothing to scan. */
void rebuild_second(struct broker *b);
void rebuild_forget(struct broker *b, struct partition *p);
void rebuild_start_moved(struct broker *b, struct partition *p);

/* ---- handle_fetch.c ---- */

void fetch_moved(struct broker *b, struct partition *p);
void fetch_fail_all(struct broker *b, struct partition *p);
void fetch_read_done(struct broker *b, uint64_t id, int status);
void fetch_look_again(struct broker *b); /* before the end of each step */

/* ---- handle_delete_records.c ---- */

void delete_records_moved(struct broker *b, struct partition *p);
void delete_records_fail_all(struct broker *b, struct partition *p);

/* ---- catalogue_wait.c ---- */

typedef void (*catalogue_done)(struct broker *b, struct request_row *row, uint32_t part,
                               const struct result *r);
/* Sends r (taken) and calls done when the answer is here and the view has reached its version. row
 * may be NULL (the broker's own wish). False: too many under way, r is freed. */
bool catalogue_ask(struct broker *b, struct request *r, struct request_row *row, uint32_t part,
                   catalogue_done done);
void catalogue_answered(struct broker *b, struct result *result); /* takes it */
void catalogue_view_moved(struct broker *b);
void catalogue_row_gone(struct broker *b, struct request_row *row);
void catalogue_free_all(struct broker *b);
/* The Kafka error and sentence for a result. */
int16_t catalogue_error(const struct result *r);

/* ---- admin.c: requests whose items are each settled at once or by the catalogue ---- */

struct admin_item {
    bool settled;
    int16_t error;
    const char *message; /* in the row's arena, or NULL */
    struct slice name;   /* the handler's: of the topic meant; in the row's arena or frame */
    struct topic_id id;
};
struct admin_work {
    struct admin_item *item;
    uint32_t n;
    void (*finish)(struct broker *b, struct request_row *row);
};
/* finish answers the row; called when every item is settled or the time is over. */
struct admin_work *admin_begin(struct request_row *row, uint32_t n,
                               void (*finish)(struct broker *b, struct request_row *row));
void admin_settle(struct request_row *row, uint32_t i, int16_t error, const char *message);
void admin_ask(struct broker *b, struct request_row *row, uint32_t i, struct request *r);
void admin_wait(struct broker *b, struct request_row *row, int32_t timeout_ms);
void admin_expire(struct broker *b, struct request_row *row);

/* ---- configs.c: Kafka's topic and broker settings, as they are described ---- */

/* Values of DescribeConfigs. */
enum config_type {
    CONFIG_BOOLEAN = 1,
    CONFIG_STRING = 2,
    CONFIG_INT = 3,
    CONFIG_LONG = 5,
    CONFIG_LIST = 7
};
enum config_source { CONFIG_OF_TOPIC = 1, CONFIG_STATIC_BROKER = 4, CONFIG_DEFAULT = 5 };

struct config_entry {
    const char *name;
    const char *value;    /* in force */
    const char *fallback; /* when it is not set */
    bool set;             /* set for this topic or node */
    bool read_only;
    enum config_type type;
    const char *broker_name; /* synonym, or NULL */
    const char *about;
};
size_t config_topic_count(void);
/* Entry i of a topic's settings; texts in the arena. */
struct config_entry config_topic_entry(const struct broker *b, const struct view_topic *t, size_t i,
                                       struct arena *a);
size_t config_broker_count(void);
struct config_entry config_broker_entry(const struct broker *b, size_t i, struct arena *a);

/* ---- the handlers ---- */

extern const struct handler handler_produce, handler_fetch, handler_list_offsets, handler_metadata,
    handler_api_versions, handler_create_topics, handler_delete_topics, handler_delete_records,
    handler_init_producer_id, handler_describe_configs, handler_alter_configs,
    handler_create_partitions, handler_incremental_alter_configs, handler_describe_cluster,
    handler_describe_topic_partitions;
extern const struct handler *const broker_handlers[];
extern const size_t broker_handlers_n;
const struct handler *broker_handler(int16_t api_key); /* NULL: not served */
void api_versions_answer_unknown(struct broker *b, struct request_row *row);

/* The nodes that clients are told of, this one included; in the arena. Returns their number. */
struct node_address {
    int32_t id, port;
    struct slice host, rack;
};
size_t nodes_alive(const struct broker *b, struct arena *a, struct node_address **out);

/* Kafka's rule: 1 to 249 of a-z A-Z 0-9 . _ -, and neither "." nor "..". */
bool topic_name_valid(struct slice name);

/* Small helpers of the handlers. */
static inline struct slice text_or_null(const char *s)
{
    return s ? slice_str(s) : SLICE_NULL;
}

#endif
