/* A node in a temporary folder, for tests of raft/node.h. */
#ifndef TEST_RAFT_WORLD_H
#define TEST_RAFT_WORLD_H

#include "raft/node.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct world {
    char folder[64];
    char path[80];
    uv_loop_t loop;
    struct raft_node *node;
    struct bytes state; /* all applied entries, one behind the other */
    unsigned applied, restored;
    uint64_t last_index;
    unsigned done, done_applied;
    char fatal[600];
    bool closed;
};

static inline void on_apply(void *arg, uint64_t index, uint64_t term, struct slice entry)
{
    struct world *w = arg;

    assert_true(index > w->last_index);
    assert_true(term > 0);
    w->last_index = index;
    w->applied++;
    bytes_add_be32(&w->state, (uint32_t)entry.n);
    bytes_add_slice(&w->state, entry);
}

static inline void on_snapshot(void *arg, struct bytes *out)
{
    struct world *w = arg;

    bytes_add_slice(out, bytes_slice(&w->state));
}

static inline int on_restore(void *arg, struct slice image, struct err *e)
{
    struct world *w = arg;

    (void)e;
    bytes_clear(&w->state);
    bytes_add_slice(&w->state, image);
    w->restored++;
    return 0;
}

static inline void on_fatal(void *arg, const char *why)
{
    struct world *w = arg;

    snprintf(w->fatal, sizeof w->fatal, "%s", why);
}

static inline void on_closed(void *arg)
{
    ((struct world *)arg)->closed = true;
}

static inline void on_done(void *arg, enum raft_node_outcome outcome, uint64_t index)
{
    struct world *w = arg;

    w->done++;
    if (outcome == RAFT_NODE_APPLIED) {
        assert_int_equal(index, w->last_index);
        w->done_applied++;
    }
}

static inline struct raft_node_config config_of(struct world *w)
{
    return (struct raft_node_config){
        .folder = w->path,
        .raft_id = 7,
        .address = "127.0.0.1:9292",
        .fsm = {.arg = w, .apply = on_apply, .snapshot = on_snapshot, .restore = on_restore},
        .arg = w,
        .fatal = on_fatal,
    };
}

static inline void start(struct world *w, const struct raft_node_config *c)
{
    struct err e = {0};

    w->last_index = 0;
    w->applied = w->restored = 0;
    bytes_clear(&w->state);
    if (raft_node_start(&w->node, &w->loop, c, &e) != 0)
        fail_msg("%s", e.msg);
}

static inline void until_ready(struct world *w)
{
    uint64_t limit = uv_hrtime() + UINT64_C(5000000000);

    while (!raft_node_ready(w->node)) {
        assert_true(uv_hrtime() < limit);
        uv_run(&w->loop, UV_RUN_ONCE);
    }
}

static inline void stop(struct world *w)
{
    w->closed = false;
    raft_node_stop(w->node, on_closed, w);
    while (!w->closed)
        uv_run(&w->loop, UV_RUN_ONCE);
    w->node = NULL;
}

static inline void propose(struct world *w, const char *text)
{
    struct err e = {0};
    unsigned before = w->done_applied;

    if (raft_node_propose(w->node, slice_str(text), on_done, w, &e) != 0)
        fail_msg("%s", e.msg);
    while (w->done_applied == before)
        uv_run(&w->loop, UV_RUN_ONCE);
}

static inline int setup(void **state)
{
    struct world *w = MEM_NEW(struct world);

    snprintf(w->folder, sizeof w->folder, "/tmp/writ-raft-XXXXXX");
    assert_non_null(mkdtemp(w->folder));
    snprintf(w->path, sizeof w->path, "%s/raft", w->folder);
    assert_int_equal(uv_loop_init(&w->loop), 0);
    *state = w;
    return 0;
}

static inline int teardown(void **state)
{
    struct world *w = *state;
    char command[128];

    if (w->node != NULL)
        stop(w);
    while (uv_run(&w->loop, UV_RUN_DEFAULT) != 0)
        ;
    assert_int_equal(uv_loop_close(&w->loop), 0);
    bytes_free(&w->state);
    snprintf(command, sizeof command, "rm -rf %s", w->folder);
    assert_int_equal(system(command), 0);
    mem_free(w);
    return 0;
}

#endif
