/* One libraft server under a lens: a disk that finishes when the test says so, a network that only
 * takes notes, a clock that the test moves. For showing single faults of 0.15, with a rule of the
 * guard on or off. The heap is the simulator's, which aborts at a double free and frees what is
 * left. */
#ifndef TEST_RAFT_LENS_H
#define TEST_RAFT_LENS_H

#include "raft/guard.h"

enum { LENS_ENTRIES_MAX = 32, LENS_SENT_MAX = 64, LENS_APPENDS_MAX = 16 };

struct lens_entry {
    raft_term term;
    unsigned short type;            /* 0: RAFT_COMMAND */
    struct raft_configuration conf; /* of a RAFT_CHANGE; its servers are borrowed */
};

struct lens {
    struct raft raft;
    struct raft_io io;
    struct raft_fsm fsm;
    struct raft_guard guard;

    /* What load() gives. */
    raft_term term;
    raft_id vote;
    struct lens_entry entry[LENS_ENTRIES_MAX];
    unsigned entries_n;
    raft_index start_index; /* of entry[0]; above 1 there is a snapshot just before it */
    struct raft_configuration snapshot_conf;

    raft_time now;
    raft_io_tick_cb tick;
    raft_io_recv_cb recv;
    struct raft_message sent[LENS_SENT_MAX];
    unsigned sent_n;
    struct {
        struct raft_io_append *request;
        raft_io_append_cb cb;
        unsigned n;
    } append[LENS_APPENDS_MAX]; /* on their way */
    unsigned appends_n, appended_entries;
    raft_index truncated; /* 0: never */
    bool send_fails, meta_fails;
    unsigned applied, fatals, restarts, set_terms, votes_stored;
    char why[300];
};

/* Three voters 1, 2, 3 and this server as 1, unless the test changes it before lens_start. */
void lens_init(struct lens *l);
struct raft_configuration lens_voters(unsigned n); /* ids 1 .. n */
void lens_add(struct lens *l, raft_term term);     /* a command for load() */
void lens_add_conf(struct lens *l, raft_term term, const struct raft_configuration *conf);
/* off: bits of rules. The server is a follower (or leader, as sole voter) afterwards. */
void lens_start(struct lens *l, uint32_t off);
void lens_end(struct lens *l);

void lens_tick(struct lens *l, unsigned later_ms);
void lens_finish_append(struct lens *l, int status); /* the oldest */
void lens_finish_appends(struct lens *l);
/* AppendEntries of server 2 at `term`, with n commands of that term behind prev. */
void lens_append_entries(struct lens *l, raft_term term, raft_index prev, raft_term prev_term,
                         unsigned n, raft_index commit);
void lens_request_vote(struct lens *l, raft_id from, raft_term term, raft_index last_index,
                       raft_term last_term, bool disrupt, bool pre_vote);
void lens_vote_result(struct lens *l, raft_id from, raft_term term, bool pre_vote);
void lens_append_result(struct lens *l, raft_id from, raft_term term, raft_index last_index);
/* Becomes leader of the next term with the vote of server 2. */
void lens_elect(struct lens *l);
/* The last message sent of a type, or NULL. */
const struct raft_message *lens_last(const struct lens *l, unsigned short type);

#endif
