/* The world's inside, shared by its files. */
#ifndef HARNESS_INSIDE_H
#define HARNESS_INSIDE_H

#include "harness/sim_disk.h"
#include "harness/world.h"

#include "base/check.h"
#include "base/codec.h"
#include "base/mem.h"

enum item_kind {
    ITEM_DISK, /* the disk does the next operation of one of its queues */
    ITEM_JUDGE,
    ITEM_READ,
    ITEM_DECIDE,  /* the catalogue takes a request */
    ITEM_VIEW,    /* a view reaches the broker */
    ITEM_RESULT,  /* a result reaches the broker */
    ITEM_REQUEST, /* a frame reaches the broker */
    ITEM_CLOSED,
};

struct item {
    int64_t at_us;
    uint64_t order;
    enum item_kind kind;
    uint64_t id; /* connection or read id */
    int status;
    struct admit_job *job;
    struct request *request;
    const struct view *view;
    struct result *result;
    struct buf *frame;
};

struct item_heap {
    struct item *item;
    size_t n, cap;
};

struct answer {
    struct slice frame; /* in the world's arena */
    int16_t api, version;
    int32_t correlation_id;
};

struct world_conn {
    uint64_t id;
    bool open; /* seen from the client */
    char reason[256];
    struct answer *expected; /* requests in order; answers are matched by position */
    size_t expected_n, expected_cap;
    size_t received;    /* of expected: answers that arrived */
    size_t taken;       /* of those: handed to the test */
    bool any;           /* answers are not matched */
    int64_t arrives_us; /* frames of one connection keep their order */
    struct slice last;
};

struct world {
    struct world_options options;
    uint64_t rng;
    int64_t now_us;
    uint64_t order;
    uint64_t hash;
    uint64_t steps;
    struct item_heap heap;

    struct sim_disk *sim;
    struct broker *broker;
    struct effects fx;
    char fatal[256];
    uint64_t free_bytes, watermark_bytes;

    struct admit_scratch *scratch;
    struct catalogue *catalogue;
    uint64_t applied;
    bool hold;
    struct request **held; /* requests that wait while the catalogue is held */
    size_t held_n, held_cap;
    uint64_t own_request; /* ids of requests that the test itself sent */
    struct result *own_result;
    uint64_t enforced; /* view version that the broker has switched to */

    struct world_conn **conn;
    size_t conns_n, conns_cap;
    uint64_t next_conn;
    int32_t next_correlation;
    struct plog_range last_range;
    struct arena arena; /* what tests hold on to */

    struct world_rejection *rejection;
    size_t rejections_n, rejections_cap;
};

void item_push(struct world *w, struct item item, int64_t delay_us);
void world_event(struct world *w, struct event *ev);       /* one broker step, and its effects */
void world_note(struct world *w, const void *p, size_t n); /* into the hash */
struct world_conn *world_conn_find(const struct world *w, uint64_t id);
int64_t world_delay(struct world *w, int64_t least_us, int64_t most_us);

/* catalogue_play.c */
void play_catalogue_open(struct world *w);
void play_request(struct world *w, struct request *r);
void play_decide(struct world *w, struct request *r);
void play_result(struct world *w, struct result *r);

/* client_play.c */
void play_send(struct world *w, const struct effect *e);
void play_close(struct world *w, const struct effect *e);
void play_drop_clients(struct world *w);

#endif
