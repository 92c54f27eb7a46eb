#include "lens.h"

#include "base/check.h"
#include "raft_sim_heap.h"

#include <stdio.h>
#include <string.h>

static struct lens *lens_of(struct raft_io *io)
{
    return io->impl;
}

static int lens_io_init(struct raft_io *io, raft_id id, const char *address)
{
    (void)io;
    (void)id;
    (void)address;
    return 0;
}

static void lens_io_close(struct raft_io *io, raft_io_close_cb cb)
{
    cb(io);
}

static void make_entry(const struct lens_entry *from, struct raft_entry *e)
{
    e->term = from->term;
    e->type = from->type != 0 ? from->type : RAFT_COMMAND;
    if (e->type == RAFT_CHANGE) {
        ASSERT(raft_configuration_encode(&from->conf, &e->buf) == 0);
    } else {
        e->buf.len = 8;
        e->buf.base = raft_calloc(1, 8);
        memcpy(e->buf.base, &from->term, 8);
    }
    e->batch = e->buf.base;
}

static int lens_io_load(struct raft_io *io, raft_term *term, raft_id *voted_for,
                        struct raft_snapshot **snapshot, raft_index *start_index,
                        struct raft_entry *entries[], size_t *n_entries)
{
    struct lens *l = lens_of(io);

    *term = l->term;
    *voted_for = l->vote;
    *snapshot = NULL;
    *start_index = l->start_index;
    *n_entries = l->entries_n;
    *entries = l->entries_n > 0 ? raft_calloc(l->entries_n, sizeof **entries) : NULL;
    for (unsigned i = 0; i < l->entries_n; i++)
        make_entry(&l->entry[i], &(*entries)[i]);
    if (l->start_index > 1) {
        struct raft_snapshot *s = raft_calloc(1, sizeof *s);

        s->index = l->start_index - 1;
        s->term = 1;
        s->configuration_index = 1;
        s->configuration = l->snapshot_conf;
        s->bufs = raft_calloc(1, sizeof *s->bufs);
        s->n_bufs = 1;
        s->bufs[0].len = 8;
        s->bufs[0].base = raft_calloc(1, 8);
        *snapshot = s;
    }
    return 0;
}

static int lens_io_start(struct raft_io *io, unsigned msecs, raft_io_tick_cb tick,
                         raft_io_recv_cb recv)
{
    struct lens *l = lens_of(io);

    (void)msecs;
    l->tick = tick;
    l->recv = recv;
    return 0;
}

static int lens_io_bootstrap(struct raft_io *io, const struct raft_configuration *conf)
{
    (void)io;
    (void)conf;
    return RAFT_CANTBOOTSTRAP;
}

static int meta(struct lens *l)
{
    if (!l->meta_fails)
        return 0;
    snprintf(l->io.errmsg, sizeof l->io.errmsg, "no");
    return RAFT_IOERR;
}

static int lens_io_set_term(struct raft_io *io, raft_term term)
{
    (void)term;
    lens_of(io)->set_terms++;
    return meta(lens_of(io));
}

static int lens_io_set_vote(struct raft_io *io, raft_id id)
{
    (void)id;
    lens_of(io)->votes_stored++;
    return meta(lens_of(io));
}

static int lens_io_send(struct raft_io *io, struct raft_io_send *request,
                        const struct raft_message *message, raft_io_send_cb cb)
{
    struct lens *l = lens_of(io);

    ASSERT(l->sent_n < LENS_SENT_MAX);
    l->sent[l->sent_n++] = *message; /* pointers in it are void from here on */
    if (l->send_fails)
        return RAFT_NOCONNECTION;
    if (cb != NULL)
        cb(request, 0);
    return 0;
}

static int lens_io_append(struct raft_io *io, struct raft_io_append *request,
                          const struct raft_entry entries[], unsigned n, raft_io_append_cb cb)
{
    struct lens *l = lens_of(io);

    (void)entries;
    ASSERT(l->appends_n < LENS_APPENDS_MAX);
    l->append[l->appends_n].request = request;
    l->append[l->appends_n].cb = cb;
    l->append[l->appends_n++].n = n;
    l->appended_entries += n;
    return 0;
}

static int lens_io_truncate(struct raft_io *io, raft_index index)
{
    lens_of(io)->truncated = index;
    return 0;
}

static int lens_io_put(struct raft_io *io, unsigned trailing, struct raft_io_snapshot_put *request,
                       const struct raft_snapshot *snapshot, raft_io_snapshot_put_cb cb)
{
    (void)io;
    (void)trailing;
    (void)request;
    (void)snapshot;
    (void)cb;
    return RAFT_BUSY;
}

static int lens_io_get(struct raft_io *io, struct raft_io_snapshot_get *request,
                       raft_io_snapshot_get_cb cb)
{
    (void)io;
    (void)request;
    (void)cb;
    return RAFT_BUSY;
}

static raft_time lens_io_time(struct raft_io *io)
{
    return lens_of(io)->now;
}

static int lens_io_random(struct raft_io *io, int min, int max)
{
    (void)io;
    (void)max;
    return min;
}

static int lens_apply(struct raft_fsm *fsm, const struct raft_buffer *buf, void **result)
{
    (void)buf;
    *result = NULL;
    ((struct lens *)fsm->data)->applied++;
    return 0;
}

static int lens_snapshot(struct raft_fsm *fsm, struct raft_buffer *bufs[], unsigned *n_bufs)
{
    (void)fsm;
    (void)bufs;
    (void)n_bufs;
    return RAFT_BUSY;
}

static int lens_restore(struct raft_fsm *fsm, struct raft_buffer *buf)
{
    (void)fsm;
    raft_free(buf->base);
    return 0;
}

static void on_fatal(void *arg, const char *why)
{
    struct lens *l = arg;

    l->fatals++;
    snprintf(l->why, sizeof l->why, "%s", why);
}

static void on_restart(void *arg)
{
    ((struct lens *)arg)->restarts++;
}

struct raft_configuration lens_voters(unsigned n)
{
    struct raft_configuration conf;

    raft_configuration_init(&conf);
    for (unsigned i = 1; i <= n; i++) {
        char address[8];

        snprintf(address, sizeof address, "%u", i);
        ASSERT(raft_configuration_add(&conf, i, address, RAFT_VOTER) == 0);
    }
    return conf;
}

void lens_init(struct lens *l)
{
    memset(l, 0, sizeof *l);
    sim_heap_begin();
    l->term = 1;
    l->start_index = 1;
    l->now = 1000;
}

void lens_add(struct lens *l, raft_term term)
{
    l->entry[l->entries_n++] = (struct lens_entry){.term = term};
}

void lens_add_conf(struct lens *l, raft_term term, const struct raft_configuration *conf)
{
    l->entry[l->entries_n++] = (struct lens_entry){term, RAFT_CHANGE, *conf};
}

void lens_start(struct lens *l, uint32_t off)
{
    struct raft_guard_options rules = {.off = off};
    struct raft_guard_hooks hooks = {.arg = l, .fatal = on_fatal, .restart = on_restart};

    l->io = (struct raft_io){.version = 1,
                             .impl = l,
                             .init = lens_io_init,
                             .close = lens_io_close,
                             .load = lens_io_load,
                             .start = lens_io_start,
                             .bootstrap = lens_io_bootstrap,
                             .recover = lens_io_bootstrap,
                             .set_term = lens_io_set_term,
                             .set_vote = lens_io_set_vote,
                             .send = lens_io_send,
                             .append = lens_io_append,
                             .truncate = lens_io_truncate,
                             .snapshot_put = lens_io_put,
                             .snapshot_get = lens_io_get,
                             .time = lens_io_time,
                             .random = lens_io_random};
    l->fsm = (struct raft_fsm){.version = 1,
                               .data = l,
                               .apply = lens_apply,
                               .snapshot = lens_snapshot,
                               .restore = lens_restore};
    raft_guard_init(&l->guard, &l->raft, &l->io, &l->fsm, &hooks, 5000, &rules);
    ASSERT(raft_init(&l->raft, &l->guard.io, &l->guard.fsm, 1, "1") == 0);
    raft_set_election_timeout(&l->raft, 1000);
    raft_set_heartbeat_timeout(&l->raft, 100);
    raft_guard_enter(&l->guard);
    ASSERT(raft_start(&l->raft) == 0);
    raft_guard_leave(&l->guard);
}

void lens_end(struct lens *l)
{
    raft_guard_release(&l->guard);
    sim_heap_end();
}

void lens_tick(struct lens *l, unsigned later_ms)
{
    l->now += later_ms;
    l->tick(&l->io);
}

void lens_finish_append(struct lens *l, int status)
{
    struct raft_io_append *request = l->append[0].request;
    raft_io_append_cb cb = l->append[0].cb;

    ASSERT(l->appends_n > 0);
    memmove(l->append, l->append + 1, --l->appends_n * sizeof l->append[0]);
    cb(request, status);
}

void lens_finish_appends(struct lens *l)
{
    while (l->appends_n > 0)
        lens_finish_append(l, 0);
}

void lens_append_entries(struct lens *l, raft_term term, raft_index prev, raft_term prev_term,
                         unsigned n, raft_index commit)
{
    struct raft_message m = {.type = RAFT_IO_APPEND_ENTRIES, .server_id = 2, .server_address = "2"};
    struct raft_append_entries *a = &m.append_entries;

    *a = (struct raft_append_entries){.term = term,
                                      .prev_log_index = prev,
                                      .prev_log_term = prev_term,
                                      .leader_commit = commit,
                                      .n_entries = n};
    if (n > 0) {
        uint8_t *batch = raft_calloc(n, 8);

        a->entries = raft_calloc(n, sizeof *a->entries);
        for (unsigned i = 0; i < n; i++)
            a->entries[i] = (struct raft_entry){.term = term,
                                                .type = RAFT_COMMAND,
                                                .buf = {batch + (size_t)i * 8, 8},
                                                .batch = batch};
    }
    l->recv(&l->io, &m);
}

void lens_request_vote(struct lens *l, raft_id from, raft_term term, raft_index last_index,
                       raft_term last_term, bool disrupt, bool pre_vote)
{
    struct raft_message m = {.type = RAFT_IO_REQUEST_VOTE,
                             .server_id = from,
                             .server_address = from == 2 ? "2" : "3",
                             .request_vote = {.term = term,
                                              .candidate_id = from,
                                              .last_log_index = last_index,
                                              .last_log_term = last_term,
                                              .disrupt_leader = disrupt,
                                              .pre_vote = pre_vote}};

    l->recv(&l->io, &m);
}

void lens_vote_result(struct lens *l, raft_id from, raft_term term, bool pre_vote)
{
    struct raft_message m = {
        .type = RAFT_IO_REQUEST_VOTE_RESULT,
        .server_id = from,
        .server_address = from == 2 ? "2" : "3",
        .request_vote_result = {.term = term,
                                .vote_granted = true,
                                .pre_vote = pre_vote ? raft_tribool_true : raft_tribool_false}};

    l->recv(&l->io, &m);
}

void lens_append_result(struct lens *l, raft_id from, raft_term term, raft_index last_index)
{
    struct raft_message m = {
        .type = RAFT_IO_APPEND_ENTRIES_RESULT,
        .server_id = from,
        .server_address = from == 2 ? "2" : "3",
        .append_entries_result = {.term = term, .rejected = 0, .last_log_index = last_index}};

    l->recv(&l->io, &m);
}

void lens_elect(struct lens *l)
{
    lens_tick(l, 2001);
    ASSERT(raft_state(&l->raft) == RAFT_CANDIDATE);
    lens_vote_result(l, 2, l->raft.current_term, false);
    ASSERT(raft_state(&l->raft) == RAFT_LEADER);
}

const struct raft_message *lens_last(const struct lens *l, unsigned short type)
{
    for (unsigned i = l->sent_n; i > 0; i--)
        if (l->sent[i - 1].type == type)
            return &l->sent[i - 1];
    return NULL;
}
