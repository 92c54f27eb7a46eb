/* Each fault of libraft 0.15 that one server can show: what the library does with the rule off, and
 * that it does not with the rule on. Numbers are those of docs/internals/raft.md. */
#include "lens.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define OFF(rule) (1u << (rule))

/* Runs fn in a child: the signal that ended it, 0 when it came to its end. */
static int fate(void (*fn)(uint32_t off), uint32_t off)
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        struct rlimit none = {0, 0};

        setrlimit(RLIMIT_CORE, &none);
        signal(SIGSEGV, SIG_DFL);
        signal(SIGABRT, SIG_DFL);
        if (freopen("/dev/null", "w", stderr) == NULL)
            _exit(3);
        fn(off);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status))
        return WTERMSIG(status);
    /* A sanitizer turns a signal into an exit of its own. */
    return WEXITSTATUS(status) == 0 ? 0 : SIGSEGV;
}

static struct raft_configuration three_voters(struct lens *l)
{
    struct raft_configuration conf = lens_voters(3);

    lens_add_conf(l, 1, &conf);
    return conf;
}

/* 1. Raft, figure 8: an entry of an old term is on a majority; that does not commit it. */
static raft_index commits_old_term(uint32_t off)
{
    struct lens l;
    raft_index commit;

    lens_init(&l);
    struct raft_configuration conf = three_voters(&l);

    l.term = 2;
    lens_add(&l, 2); /* written in term 2, never committed */
    lens_start(&l, off);
    lens_elect(&l);
    lens_append_result(&l, 2, l.raft.current_term, 2); /* server 2 has it now too */
    commit = l.raft.commit_index;
    if (off == 0) { /* and it is not lost: the barrier carries it */
        lens_finish_appends(&l);
        lens_append_result(&l, 2, l.raft.current_term, 3);
        assert_int_equal(l.raft.commit_index, 3);
        assert_true(raft_guard_ready(&l.guard));
    }
    raft_configuration_close(&conf);
    lens_end(&l);
    return commit;
}

static void test_1_old_terms_do_not_commit_by_counting(void **state)
{
    (void)state;
    assert_int_equal(commits_old_term(OFF(RAFT_GUARD_BARRIER)), 2);
    assert_int_equal(commits_old_term(0), 1);
}

static void test_1_not_ready_before_the_barrier(void **state)
{
    struct lens l;

    (void)state;
    lens_init(&l);
    struct raft_configuration conf = three_voters(&l);

    lens_start(&l, 0);
    lens_elect(&l);
    assert_false(raft_guard_ready(&l.guard));
    assert_false(raft_guard_may_change(&l.guard));
    lens_append_result(&l, 2, l.raft.current_term, 2); /* before our own disk: held back */
    assert_int_equal(l.raft.commit_index, 1);
    lens_finish_appends(&l);
    assert_int_equal(l.raft.commit_index, 2); /* and delivered afterwards */
    assert_true(raft_guard_ready(&l.guard));
    raft_configuration_close(&conf);
    lens_end(&l);
}

/* 2. A follower has a tail that this leader has never compared, and acknowledges it. */
static raft_index acknowledges(uint32_t off)
{
    struct lens l;
    raft_index last;

    lens_init(&l);
    struct raft_configuration conf = three_voters(&l);

    lens_add(&l, 1);
    lens_add(&l, 1); /* 2 and 3 are of an earlier leader */
    lens_start(&l, off);
    lens_append_entries(&l, 2, 1, 1, 0, 1); /* the new one compares entry 1 only */
    last = lens_last(&l, RAFT_IO_APPEND_ENTRIES_RESULT)->append_entries_result.last_log_index;
    raft_configuration_close(&conf);
    lens_end(&l);
    return last;
}

static void test_2_only_what_was_compared_is_acknowledged(void **state)
{
    (void)state;
    assert_int_equal(acknowledges(OFF(RAFT_GUARD_ACK)), 3);
    assert_int_equal(acknowledges(0), 1);
}

static unsigned applies_uncompared(uint32_t off)
{
    struct lens l;
    unsigned applied;

    lens_init(&l);
    struct raft_configuration conf = three_voters(&l);

    lens_add(&l, 1);
    lens_start(&l, off);
    lens_append_entries(&l, 2, 1, 1, 0, 2); /* its entry 2 is another one: not compared yet */
    applied = l.applied;
    raft_configuration_close(&conf);
    lens_end(&l);
    return applied;
}

static void test_2_commit_index_is_cut_likewise(void **state)
{
    (void)state;
    assert_int_equal(applies_uncompared(OFF(RAFT_GUARD_ACK)), 1);
    assert_int_equal(applies_uncompared(0), 0);
}

/* 3. The disk answers when the node has moved to a term whose leader it does not know. */
static bool answers_nobody(uint32_t off)
{
    struct lens l;
    bool nobody = false;

    lens_init(&l);
    struct raft_configuration conf = three_voters(&l);

    lens_start(&l, off);
    lens_append_entries(&l, 1, 1, 1, 1, 1);
    lens_tick(&l, 2001);                            /* the leader is gone: a candidate */
    lens_request_vote(&l, 3, 3, 9, 2, true, false); /* a follower again, of nobody yet */
    lens_finish_appends(&l);
    for (unsigned i = 0; i < l.sent_n; i++)
        nobody |= l.sent[i].server_id == 0;
    raft_configuration_close(&conf);
    lens_end(&l);
    return nobody;
}

static void test_3_no_answers_to_nobody(void **state)
{
    (void)state;
    /* Rules 2 and 4 keep the node from getting there; without them this one must do it alone. */
    uint32_t alone = OFF(RAFT_GUARD_ACK) | OFF(RAFT_GUARD_ELECTION);

    assert_true(answers_nobody(alone | OFF(RAFT_GUARD_ADDRESS)));
    assert_false(answers_nobody(alone));
    assert_false(answers_nobody(0));
}

/* 4. An election with a log that is still being written. */
static bool campaigns_while_writing(uint32_t off)
{
    struct lens l;
    bool campaigns;

    lens_init(&l);
    struct raft_configuration conf = three_voters(&l);

    lens_start(&l, off);
    lens_append_entries(&l, 1, 1, 1, 1, 1);
    lens_tick(&l, 2001);
    campaigns = lens_last(&l, RAFT_IO_REQUEST_VOTE) != NULL;
    lens_finish_appends(&l);
    lens_tick(&l, 2001);
    assert_non_null(lens_last(&l, RAFT_IO_REQUEST_VOTE)); /* later it may */
    raft_configuration_close(&conf);
    lens_end(&l);
    return campaigns;
}

static void test_4_no_election_while_writing(void **state)
{
    (void)state;
    assert_true(campaigns_while_writing(OFF(RAFT_GUARD_ELECTION)));
    assert_false(campaigns_while_writing(0));
}

static bool takes_over_while_writing(uint32_t off)
{
    struct lens l;
    bool campaigns;
    struct raft_message m = {.type = RAFT_IO_TIMEOUT_NOW, .server_id = 2, .server_address = "2"};

    lens_init(&l);
    struct raft_configuration conf = three_voters(&l);

    lens_start(&l, off);
    lens_append_entries(&l, 1, 1, 1, 1, 1);
    m.timeout_now = (struct raft_timeout_now){.term = 1, .last_log_index = 2, .last_log_term = 1};
    l.recv(&l.io, &m);
    campaigns = lens_last(&l, RAFT_IO_REQUEST_VOTE) != NULL;
    raft_configuration_close(&conf);
    lens_end(&l);
    return campaigns;
}

static void test_4_no_take_over_while_writing(void **state)
{
    (void)state;
    assert_true(takes_over_while_writing(OFF(RAFT_GUARD_ELECTION)));
    assert_false(takes_over_while_writing(0));
}

/* 5. A leader that transfers its leadership votes twice in one term. */
static unsigned votes_in_one_term(uint32_t off)
{
    struct lens l;
    unsigned granted = 0;
    struct raft_transfer *request;

    lens_init(&l);
    struct raft_configuration conf = three_voters(&l);

    request = raft_calloc(1, sizeof *request);
    lens_start(&l, off);
    lens_elect(&l);
    lens_finish_appends(&l);
    lens_append_result(&l, 2, 2, 2);
    lens_append_result(&l, 3, 2, 2);
    raft_guard_enter(&l.guard);
    assert_int_equal(raft_transfer(&l.raft, request, 2, NULL), 0);
    raft_guard_leave(&l.guard);
    lens_request_vote(&l, 3, 3, 9, 2, true, false);
    lens_request_vote(&l, 2, 3, 9, 2, true, false);
    for (unsigned i = 0; i < l.sent_n; i++)
        granted += l.sent[i].type == RAFT_IO_REQUEST_VOTE_RESULT &&
                   l.sent[i].request_vote_result.vote_granted;
    raft_configuration_close(&conf);
    lens_end(&l);
    return granted;
}

static void test_5_one_vote_per_term(void **state)
{
    (void)state;
    assert_int_equal(votes_in_one_term(OFF(RAFT_GUARD_VOTE)), 2);
    assert_int_equal(votes_in_one_term(0), 1);
}

/* 6. Entries that come again below the compacted part are appended a second time: the log is
 * corrupt, or libraft runs into a hole of it and crashes. */
static void receive_again(uint32_t off)
{
    struct lens l;

    lens_init(&l);
    l.snapshot_conf = lens_voters(3);
    l.start_index = 11; /* a snapshot up to 10, no entry behind it */
    lens_start(&l, off);
    lens_append_entries(&l, 1, 10, 1, 1, 10);
    lens_finish_appends(&l);
    lens_append_entries(&l, 1, 0, 0, 4, 10); /* entries 1 to 4, sent long ago */
    lens_finish_appends(&l);
    if (raft_last_index(&l.raft) != 11 || l.appended_entries != 1)
        _exit(8);
    lens_append_entries(&l, 1, 8, 1, 4, 10); /* 9 to 12: the last one is new */
    lens_finish_appends(&l);
    if (raft_last_index(&l.raft) != 12 || l.appended_entries != 2)
        _exit(9);
    lens_end(&l);
}

static void test_6_old_entries_are_not_appended_again(void **state)
{
    (void)state;
    assert_int_not_equal(fate(receive_again, OFF(RAFT_GUARD_PREFIX)), 0);
    assert_int_equal(fate(receive_again, 0), 0);
}

/* 7. A configuration entry must go, and the committed one is in the snapshot only. */
static void roll_back_configuration(uint32_t off)
{
    struct lens l;
    struct raft_configuration conf;

    lens_init(&l);
    conf = lens_voters(4);
    l.snapshot_conf = lens_voters(3);
    l.start_index = 11;
    l.term = 1;
    lens_start(&l, off);

    struct raft_message m = {.type = RAFT_IO_APPEND_ENTRIES, .server_id = 2, .server_address = "2"};
    struct raft_entry *e = raft_calloc(1, sizeof *e);

    e->term = 1;
    e->type = RAFT_CHANGE;
    if (raft_configuration_encode(&conf, &e->buf) != 0)
        _exit(4);
    e->batch = e->buf.base;
    m.append_entries = (struct raft_append_entries){.term = 1,
                                                    .prev_log_index = 10,
                                                    .prev_log_term = 1,
                                                    .leader_commit = 10,
                                                    .entries = e,
                                                    .n_entries = 1};
    l.recv(&l.io, &m);
    lens_finish_appends(&l);
    lens_append_entries(&l, 2, 10, 1, 1, 10); /* the next leader has another entry there */
    if (off == 0 && (l.restarts != 1 || l.truncated != 11))
        _exit(5);
    lens_append_entries(&l, 2, 10, 1, 1, 10); /* nothing passes any more */
    raft_configuration_close(&conf);
    lens_end(&l);
}

static void test_7_configuration_is_taken_back_by_a_restart(void **state)
{
    (void)state;
    assert_int_equal(fate(roll_back_configuration, OFF(RAFT_GUARD_CONFIG)), SIGSEGV);
    assert_int_equal(fate(roll_back_configuration, 0), 0);
}

/* 8. A sole voter leads again in its old term. */
static raft_term term_after_restart(uint32_t off)
{
    struct lens l;
    raft_term term;

    lens_init(&l);
    struct raft_configuration conf = lens_voters(1);

    lens_add_conf(&l, 1, &conf);
    l.term = 5;
    l.vote = 1;
    lens_start(&l, off);
    assert_int_equal(raft_state(&l.raft), RAFT_LEADER);
    term = l.raft.current_term;
    if (off == 0) {
        assert_int_equal(l.set_terms, 1);
        assert_int_equal(l.votes_stored, 1);
        assert_int_equal(raft_guard_entry(&l.raft, 2)->term, term);
    }
    raft_configuration_close(&conf);
    lens_end(&l);
    return term;
}

static void test_8_sole_voter_takes_a_new_term(void **state)
{
    (void)state;
    assert_int_equal(term_after_restart(OFF(RAFT_GUARD_TERM)), 5);
    assert_int_equal(term_after_restart(0), 6);
}

/* 9. An answer that cannot be sent frees the entries of its question twice. */
static void answer_fails(uint32_t off)
{
    struct lens l;

    lens_init(&l);
    struct raft_configuration conf = three_voters(&l);

    l.term = 3;
    lens_start(&l, off);
    l.send_fails = true;
    lens_append_entries(&l, 2, 1, 1, 1, 1); /* an old term: refused with an answer */
    lens_tick(&l, 10);
    raft_configuration_close(&conf);
    lens_end(&l);
}

static void test_9_send_never_fails_at_once(void **state)
{
    (void)state;
    assert_int_not_equal(fate(answer_fails, OFF(RAFT_GUARD_SEND)), 0);
    assert_int_equal(fate(answer_fails, 0), 0);
}

static void on_applied(struct raft_apply *request, int status, void *result)
{
    (void)result;
    *(int *)request->data = status + 100;
}

static void sole_leader(struct lens *l, uint32_t off)
{
    struct raft_configuration conf;

    lens_init(l);
    conf = lens_voters(1);
    lens_add_conf(l, 1, &conf);
    lens_start(l, off);
    lens_finish_appends(l);
    raft_configuration_close(&conf);
}

static void propose(struct lens *l, size_t size, int *status)
{
    struct raft_buffer buf = {raft_calloc(1, size), size};
    struct raft_apply *request = raft_calloc(1, sizeof *request);

    request->data = status;
    raft_guard_enter(&l->guard);
    if (raft_apply(&l->raft, request, &buf, 1, on_applied) != 0)
        abort();
    raft_guard_leave(&l->guard);
}

/* 10. */
static void odd_entry(uint32_t off)
{
    struct lens l;
    int status = 0;

    sole_leader(&l, off);
    propose(&l, 12, &status);
    lens_end(&l);
}

static void test_10_entries_are_multiples_of_eight(void **state)
{
    (void)state;
    assert_int_equal(fate(odd_entry, OFF(RAFT_GUARD_PADDING)), 0); /* nobody objects */
    assert_int_not_equal(fate(odd_entry, 0), 0);
}

/* 11. A leader whose disk fails goes on leading, and forgets one of two requests. */
static void test_11_a_failed_write_ends_the_process(void **state)
{
    struct lens l;
    int first = 0, second = 0;

    (void)state;
    sole_leader(&l, OFF(RAFT_GUARD_FAILSTOP));
    propose(&l, 8, &first);
    lens_finish_append(&l, RAFT_IOERR);
    assert_int_equal(raft_state(&l.raft), RAFT_LEADER);
    assert_int_equal(first, 100 + RAFT_IOERR);
    lens_end(&l);

    sole_leader(&l, 0);
    first = 0;
    propose(&l, 8, &first);
    propose(&l, 8, &second);
    lens_finish_append(&l, RAFT_IOERR);
    assert_int_equal(l.fatals, 1);
    assert_non_null(strstr(l.why, "cannot be written"));
    lens_finish_append(&l, 0); /* whatever comes, nothing is told to anybody */
    lens_tick(&l, 5000);
    assert_int_equal(first, 0);
    assert_int_equal(second, 0);
    assert_int_equal(l.fatals, 1);
    lens_end(&l);
}

/* The same for term and vote: libraft's own handling frees a stray pointer. */
static void term_fails(uint32_t off)
{
    struct lens l;
    struct raft_configuration conf;

    lens_init(&l);
    conf = three_voters(&l);
    lens_start(&l, off);
    lens_append_entries(&l, 1, 1, 1, 0, 1); /* server 2 leads, and hands over */
    l.meta_fails = true;
    l.sent_n = 0;

    struct raft_message m = {.type = RAFT_IO_TIMEOUT_NOW, .server_id = 2, .server_address = "2"};

    m.timeout_now = (struct raft_timeout_now){.term = 1, .last_log_index = 1, .last_log_term = 1};
    l.recv(&l.io, &m);
    if (off == 0 && l.fatals != 1)
        _exit(6);
    lens_tick(&l, 2001);
    if (l.sent_n > 0) /* no vote is asked for in a term that is not stored */
        _exit(7);
    raft_configuration_close(&conf);
    lens_end(&l);
}

static void test_11_a_failed_term_ends_the_process(void **state)
{
    (void)state;
    assert_int_not_equal(fate(term_fails, OFF(RAFT_GUARD_FAILSTOP)), 0);
    assert_int_equal(fate(term_fails, 0), 0);
}

/* 14. A write that never comes back. */
static unsigned fatals_after_stall(uint32_t off)
{
    struct lens l;
    int status = 0;
    unsigned fatals;

    sole_leader(&l, off);
    propose(&l, 8, &status);
    for (int i = 0; i < 62; i++) {
        assert_int_equal(i < 51 ? l.fatals : 0, 0);
        lens_tick(&l, 100);
    }
    fatals = l.fatals;
    lens_end(&l);
    return fatals;
}

/* 12. The commit index moves only when a majority has the leader's own newest entry, so a follower
 * that is always one behind commits nothing: the node has one proposal in flight. */
static raft_index commit_with_in_flight(unsigned n)
{
    struct lens l;
    int status = 0;
    raft_index commit;

    lens_init(&l);
    struct raft_configuration conf = three_voters(&l);

    lens_start(&l, 0);
    lens_elect(&l);
    lens_finish_appends(&l);
    lens_append_result(&l, 2, 2, 2); /* the barrier */
    for (unsigned i = 0; i < n; i++)
        propose(&l, 8, &status);
    lens_finish_appends(&l);
    lens_append_result(&l, 2, 2, 3); /* the first of them */
    commit = l.raft.commit_index;
    raft_configuration_close(&conf);
    lens_end(&l);
    return commit;
}

static void test_12_one_in_flight_commits(void **state)
{
    (void)state;
    assert_int_equal(commit_with_in_flight(2), 2);
    assert_int_equal(commit_with_in_flight(1), 3);
}

/* The whole process stood still (SIGSTOP), not the disk. */
static void test_14_a_stopped_process_is_no_stall(void **state)
{
    struct lens l;
    int status = 0;

    (void)state;
    sole_leader(&l, 0);
    propose(&l, 8, &status);
    lens_tick(&l, 100);
    lens_tick(&l, 120000);
    assert_int_equal(l.fatals, 0);
    lens_finish_append(&l, 0);
    assert_int_equal(status, 100);
    lens_end(&l);
}

static void test_14_a_stalled_write_ends_the_process(void **state)
{
    (void)state;
    assert_int_equal(fatals_after_stall(OFF(RAFT_GUARD_STALL)), 0);
    assert_int_equal(fatals_after_stall(0), 1);
}

/* 16. A pre-vote is refused for a newer term, but the answer does not say so. */
static raft_term told_term(uint32_t off)
{
    struct lens l;
    raft_term term;

    lens_init(&l);
    struct raft_configuration conf = three_voters(&l);

    l.term = 9;
    lens_start(&l, off);
    lens_request_vote(&l, 2, 4, 99, 3, false, true);
    assert_false(lens_last(&l, RAFT_IO_REQUEST_VOTE_RESULT)->request_vote_result.vote_granted);
    term = lens_last(&l, RAFT_IO_REQUEST_VOTE_RESULT)->request_vote_result.term;
    raft_configuration_close(&conf);
    lens_end(&l);
    return term;
}

static void test_16_a_refused_pre_vote_tells_the_term(void **state)
{
    (void)state;
    assert_int_equal(told_term(OFF(RAFT_GUARD_PRE_VOTE)), 4);
    assert_int_equal(told_term(0), 9);
}

/* Rule 7's other half: no snapshot while a change is under way. */
static void test_7_no_snapshot_with_an_uncommitted_configuration(void **state)
{
    struct lens l;
    struct raft_change *change;
    struct raft_buffer *bufs;
    unsigned n;

    (void)state;
    lens_init(&l);
    struct raft_configuration conf = three_voters(&l);

    lens_start(&l, 0);
    lens_elect(&l);
    lens_finish_appends(&l);
    lens_append_result(&l, 2, 2, 2);
    assert_true(raft_guard_may_change(&l.guard));
    change = raft_calloc(1, sizeof *change);
    raft_guard_enter(&l.guard);
    assert_int_equal(raft_add(&l.raft, change, 4, "4", NULL), 0);
    raft_guard_leave(&l.guard);
    assert_false(raft_guard_may_change(&l.guard));
    assert_int_equal(l.guard.fsm.snapshot(&l.guard.fsm, &bufs, &n), RAFT_BUSY);
    assert_int_equal(l.guard.hits[RAFT_GUARD_CONFIG], 1);
    raft_configuration_close(&conf);
    lens_end(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_1_old_terms_do_not_commit_by_counting),
        cmocka_unit_test(test_1_not_ready_before_the_barrier),
        cmocka_unit_test(test_2_only_what_was_compared_is_acknowledged),
        cmocka_unit_test(test_2_commit_index_is_cut_likewise),
        cmocka_unit_test(test_3_no_answers_to_nobody),
        cmocka_unit_test(test_4_no_election_while_writing),
        cmocka_unit_test(test_4_no_take_over_while_writing),
        cmocka_unit_test(test_5_one_vote_per_term),
        cmocka_unit_test(test_6_old_entries_are_not_appended_again),
        cmocka_unit_test(test_7_configuration_is_taken_back_by_a_restart),
        cmocka_unit_test(test_7_no_snapshot_with_an_uncommitted_configuration),
        cmocka_unit_test(test_8_sole_voter_takes_a_new_term),
        cmocka_unit_test(test_9_send_never_fails_at_once),
        cmocka_unit_test(test_10_entries_are_multiples_of_eight),
        cmocka_unit_test(test_11_a_failed_write_ends_the_process),
        cmocka_unit_test(test_11_a_failed_term_ends_the_process),
        cmocka_unit_test(test_12_one_in_flight_commits),
        cmocka_unit_test(test_14_a_stopped_process_is_no_stall),
        cmocka_unit_test(test_14_a_stalled_write_ends_the_process),
        cmocka_unit_test(test_16_a_refused_pre_vote_tells_the_term),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
