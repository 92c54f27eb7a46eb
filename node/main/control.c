#include "main/control.h"

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "main/auditlog.h"
#include "runtime/inbox.h"
#include "runtime/thread.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>

enum {
    DECIDE_TRIES = 8, /* a state that moves under a decision each time */
    OPEN_WAIT_MS = 30000,
};

enum message {
    MESSAGE_ASK,
    MESSAGE_ENFORCED,
    MESSAGE_REPORT,
    MESSAGE_CALL,
    MESSAGE_DAMAGED,
    MESSAGE_STOP
};

struct ask {
    struct ask *next;
    struct request *request; /* owned */
    control_answer answer;
    void *arg;
    struct result result;
    bool have_result;
    int tries;
};

struct report_copy {
    struct report report;
    struct arena arena;
};

struct call {
    void (*call)(void *arg, struct catalogue *catalogue);
    void *arg;
};

struct control {
    struct control_config config;
    char raft_folder[4200];
    uv_loop_t loop;
    struct inbox inbox;
    pthread_t thread;
    bool running, stopping;

    struct raft_node *raft;
    struct catalogue *catalogue;
    struct auditlog audit;
    uint64_t published; /* version of the last view given out */
    uint64_t enforced;

    struct ask *first, *last; /* waiting to be decided; the first is being worked on when busy */
    size_t waiting;
    bool busy, awaiting_report;
    struct bytes facts;
    struct result applied;  /* of the last apply, until `done` takes it */
    struct ask *unenforced; /* answered when the data threads have switched */
    struct report_copy *report;

    pthread_mutex_t lock; /* of `shown` */
    struct control_facts shown;
};

static void work(struct control *c);

/* ---- Facts for others ---- */

static void show(struct control *c)
{
    struct audit_head head = catalogue_audit_head(c->catalogue);
    pthread_mutex_lock(&c->lock);
    c->shown.ready = c->raft && raft_node_ready(c->raft);
    c->shown.version = catalogue_version(c->catalogue);
    c->shown.enforced_version = c->enforced;
    c->shown.audit_seq = head.seq;
    c->shown.audit_damaged = c->audit.damaged;
    c->shown.waiting = c->waiting;
    c->shown.state_bytes = catalogue_size_bytes(c->catalogue);
    if (c->raft)
        raft_node_metrics(c->raft, &c->shown.raft);
    pthread_mutex_unlock(&c->lock);
}

void control_facts(struct control *c, struct control_facts *out)
{
    pthread_mutex_lock(&c->lock);
    *out = c->shown;
    pthread_mutex_unlock(&c->lock);
}

static void measure(struct control *c, uint64_t start_ns)
{
    uint64_t took_ns = thread_clock_ns() - start_ns;
    pthread_mutex_lock(&c->lock);
    if (took_ns > c->shown.longest_step_ns)
        c->shown.longest_step_ns = took_ns;
    pthread_mutex_unlock(&c->lock);
}

/* ---- The state machine under Raft ---- */

static void publish(struct control *c)
{
    uint64_t version = catalogue_version(c->catalogue);
    if (!c->running || version == c->published)
        return;
    c->published = version;
    c->config.hooks.view(c->config.hooks.arg, catalogue_view(c->catalogue));
}

static void on_apply(void *arg, uint64_t index, uint64_t term, struct slice entry)
{
    struct control *c = arg;
    uint64_t start_ns = thread_clock_ns();
    struct bytes line = {0};
    (void)term;
    result_free(&c->applied);
    catalogue_apply(c->catalogue, index, entry, c->busy ? c->first->request : NULL, &c->applied,
                    &line);
    if (line.n)
        auditlog_append(&c->audit, catalogue_audit_head(c->catalogue).seq, bytes_slice(&line));
    bytes_free(&line);
    publish(c);
    measure(c, start_ns);
}

static void on_snapshot(void *arg, struct bytes *out)
{
    struct control *c = arg;
    uint64_t start_ns = thread_clock_ns();
    /* The snapshot takes the place of entries that could write these records again. */
    int rc = auditlog_sync(&c->audit);
    if (rc) {
        char why[128];
        snprintf(why, sizeof why, "sync of the audit log failed: %s", strerror(-rc));
        c->config.hooks.fatal(c->config.hooks.arg, why);
    }
    catalogue_snapshot(c->catalogue, out);
    measure(c, start_ns);
}

static int on_restore(void *arg, struct slice image, struct err *err)
{
    struct control *c = arg;
    return catalogue_restore(c->catalogue, image, err);
}

static void on_state(void *arg, enum raft_node_state state, uint64_t term)
{
    struct control *c = arg;
    static const char *const name[] = {"follower", "leader", "ready"};
    log_event(LOG_INFO, "main", "raft state", LOG_T("state", name[state]), LOG_I("term", term));
    catalogue_set_controller(c->catalogue, state == RAFT_NODE_READY ? c->config.node_id : -1);
    if (state == RAFT_NODE_READY)
        work(c);
}

static void on_fatal(void *arg, const char *why)
{
    struct control *c = arg;
    c->config.hooks.fatal(c->config.hooks.arg, why);
}

/* ---- Requests ---- */

static void give(struct ask *a)
{
    struct result *r = mem_alloc(sizeof *r);
    *r = a->result;
    r->request_id = a->request->id;
    a->answer(a->arg, r);
    request_free(a->request);
    mem_free(a);
}

static void refuse(struct ask *a, const char *reason, const char *message)
{
    result_free(&a->result);
    a->result.code = ERR_UNAVAILABLE;
    snprintf(a->result.reason, sizeof a->result.reason, "%s", reason);
    snprintf(a->result.message, sizeof a->result.message, "%s", message);
    give(a);
}

static struct ask *take_first(struct control *c)
{
    struct ask *a = c->first;
    c->first = a->next;
    if (!c->first)
        c->last = NULL;
    c->waiting--;
    c->busy = false;
    a->next = NULL;
    return a;
}

/* The first request has its result: it leaves when what it changed is enforced. */
static void settle(struct control *c)
{
    struct ask *a = take_first(c);
    if (!c->running || !a->result.changed || a->result.version <= c->enforced) {
        give(a);
        return;
    }
    a->next = c->unenforced;
    c->unenforced = a;
}

static void on_done(void *arg, enum raft_node_outcome outcome, uint64_t index)
{
    struct control *c = arg;
    struct ask *a = c->first;
    (void)index;
    if (c->stopping)
        return; /* drop_asks answers it */
    ASSERT(c->busy && a);
    if (outcome != RAFT_NODE_APPLIED) {
        refuse(take_first(c), outcome == RAFT_NODE_UNKNOWN ? "outcome.unknown" : "controller.moved",
               outcome == RAFT_NODE_UNKNOWN
                   ? "leadership was lost: the change may or may not be made; ask again with the "
                     "same Idempotency-Key"
                   : "there is no controller now: try again");
    } else if (!strcmp(c->applied.reason, "state.moved") && ++a->tries < DECIDE_TRIES) {
        c->busy = false; /* decide again, over what is applied now */
    } else {
        a->result = c->applied;
        c->applied = (struct result){0};
        settle(c);
    }
    work(c);
}

static bool wants_report(const struct request *r)
{
    return r->kind == REQUEST_APPLY || r->kind == REQUEST_DELETE || r->kind == REQUEST_TOPIC_DELETE;
}

static void free_report(struct control *c)
{
    catalogue_set_report(c->catalogue, NULL);
    if (!c->report)
        return;
    arena_free(&c->report->arena);
    mem_free(c->report);
    c->report = NULL;
}

static void decide(struct control *c)
{
    struct ask *a = c->first;
    uint64_t start_ns = thread_clock_ns();
    struct err err;
    bytes_clear(&c->facts);
    result_free(&a->result);
    catalogue_set_report(c->catalogue, c->report ? &c->report->report : NULL);
    catalogue_decide(c->catalogue, a->request, &c->facts, &a->result);
    free_report(c);
    measure(c, start_ns);
    if (!c->facts.n) {
        settle(c);
        return;
    }
    int rc = raft_node_propose(c->raft, bytes_slice(&c->facts), on_done, c, &err);
    if (rc)
        refuse(take_first(c), "controller.unavailable", err.msg);
}

/* Works off the queue until something has to be waited for. */
static void work(struct control *c)
{
    if (!c->raft || !raft_node_ready(c->raft))
        return; /* on_state comes back */
    while (c->first && !c->busy && !c->stopping) {
        c->busy = true;
        if (c->running && wants_report(c->first->request) && !c->report) {
            c->awaiting_report = true;
            c->config.hooks.want_report(c->config.hooks.arg);
            break;
        }
        decide(c);
    }
    show(c);
}

static void enqueue(struct control *c, struct ask *a)
{
    /* Entropy and time are the shell's: decide is pure. */
    ssize_t n = getrandom(a->request->random, sizeof a->request->random, 0);
    ASSERT(n == sizeof a->request->random);
    if (!a->request->now_ms)
        a->request->now_ms = thread_wall_ms();
    pthread_mutex_lock(&c->lock);
    c->shown.requests++;
    pthread_mutex_unlock(&c->lock);
    if (c->waiting >= CONTROL_REQUESTS_MAX) {
        refuse(a, "controller.busy", "too many requests wait for the controller: try again");
        return;
    }
    if (c->last)
        c->last->next = a;
    else
        c->first = a;
    c->last = a;
    c->waiting++;
    work(c);
}

static void on_enforced(struct control *c, uint64_t version)
{
    c->enforced = version > c->enforced ? version : c->enforced;
    struct ask *ready = NULL;
    for (struct ask **at = &c->unenforced; *at;) {
        struct ask *a = *at;
        if (a->result.version > c->enforced) {
            at = &a->next;
            continue;
        }
        *at = a->next; /* the list has the newest first: turn it round */
        a->next = ready;
        ready = a;
    }
    while (ready) {
        struct ask *a = ready;
        ready = a->next;
        give(a);
    }
    show(c);
}

static void on_report(struct control *c, struct report_copy *r)
{
    free_report(c);
    c->report = r;
    if (!c->awaiting_report || c->stopping)
        return;
    c->awaiting_report = false;
    decide(c);
    work(c);
}

static void drop_asks(struct control *c)
{
    while (c->first)
        refuse(take_first(c), "node.stopping", "the node is stopping: try again");
    while (c->unenforced) {
        struct ask *a = c->unenforced;
        c->unenforced = a->next;
        refuse(a, "outcome.unknown",
               "the change is made, but the node stops before it is enforced");
    }
}

static void on_raft_closed(void *arg)
{
    struct control *c = arg;
    uv_stop(&c->loop);
}

static void begin_stop(struct control *c)
{
    c->stopping = true;
    struct raft_node *raft = c->raft;
    c->raft = NULL;
    raft_node_stop(raft, on_raft_closed, c);
    drop_asks(c);
}

static void receive(void *arg, const struct inbox_message *m)
{
    struct control *c = arg;
    struct call *call = m->p;
    switch ((enum message)m->kind) {
    case MESSAGE_ASK:
        if (c->stopping)
            refuse(m->p, "node.stopping", "the node is stopping: try again");
        else
            enqueue(c, m->p);
        break;
    case MESSAGE_ENFORCED:
        on_enforced(c, m->id);
        break;
    case MESSAGE_REPORT:
        on_report(c, m->p);
        break;
    case MESSAGE_CALL:
        call->call(call->arg, c->catalogue);
        mem_free(call);
        break;
    case MESSAGE_DAMAGED:
        auditlog_mark_damaged(&c->audit, c->audit.last_seq,
                              "its chain does not fit the catalogue's");
        show(c);
        break;
    case MESSAGE_STOP:
        begin_stop(c);
        break;
    }
}

static void post(struct control *c, enum message kind, uint64_t id, void *p)
{
    struct inbox_message m = {.kind = (int)kind, .id = id, .p = p};
    inbox_post(&c->inbox, &m, 1);
}

static struct ask *ask_new(struct request *request, control_answer answer, void *arg)
{
    struct ask *a = MEM_NEW(struct ask);
    a->request = request;
    a->answer = answer;
    a->arg = arg;
    return a;
}

void control_ask(struct control *c, struct request *request, control_answer answer, void *arg)
{
    post(c, MESSAGE_ASK, 0, ask_new(request, answer, arg));
}

void control_enforced(struct control *c, uint64_t version)
{
    post(c, MESSAGE_ENFORCED, version, NULL);
}

void control_report(struct control *c, const struct report *r)
{
    struct report_copy *copy = MEM_NEW(struct report_copy);
    arena_init(&copy->arena, 0);
    copy->report = *r;
    copy->report.partition =
        arena_zalloc(&copy->arena, r->partitions_n ? r->partitions_n : 1, sizeof *r->partition);
    for (size_t i = 0; i < r->partitions_n; i++) {
        copy->report.partition[i] = r->partition[i];
        copy->report.partition[i].topic = arena_copy(&copy->arena, r->partition[i].topic);
    }
    post(c, MESSAGE_REPORT, 0, copy);
}

void control_audit_damaged(struct control *c)
{
    post(c, MESSAGE_DAMAGED, 0, NULL);
}

void control_call(struct control *c, void (*call)(void *arg, struct catalogue *catalogue),
                  void *arg)
{
    struct call *m = MEM_NEW(struct call);
    *m = (struct call){call, arg};
    post(c, MESSAGE_CALL, 0, m);
}

/* ---- Opening ---- */

static int open_raft(struct control *c, struct err *err)
{
    struct raft_node_config config = {
        .folder = c->raft_folder,
        .raft_id = c->config.raft_id,
        .address = c->config.raft_address,
        .fsm = {.arg = c, .apply = on_apply, .snapshot = on_snapshot, .restore = on_restore},
        .arg = c,
        .state = on_state,
        .fatal = on_fatal,
    };
    return raft_node_start(&c->raft, &c->loop, &config, err);
}

struct first_answer {
    struct result *result;
};

static void on_first_answer(void *arg, struct result *result)
{
    ((struct first_answer *)arg)->result = result;
}

static void on_open_timeout(uv_timer_t *t)
{
    uv_stop(t->loop);
}

/* Asks and runs the loop until the answer is there: only while no thread has been started. */
static int ask_now(struct control *c, struct request *request, struct err *err)
{
    struct first_answer a = {0};
    uv_timer_t limit;
    uv_timer_init(&c->loop, &limit);
    uv_timer_start(&limit, on_open_timeout, OPEN_WAIT_MS, 0);
    enqueue(c, ask_new(request, on_first_answer, &a));
    while (!a.result && uv_is_active((uv_handle_t *)&limit))
        uv_run(&c->loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&limit, NULL);
    uv_run(&c->loop, UV_RUN_NOWAIT);
    if (!a.result)
        return err_set(err, ERR_UNAVAILABLE, "the catalogue did not become ready within %d s",
                       OPEN_WAIT_MS / 1000);
    int rc = a.result->code ? err_set(err, a.result->code, "%s", a.result->message) : 0;
    result_free(a.result);
    mem_free(a.result);
    return rc;
}

static int bootstrap(struct control *c, struct err *err)
{
    if (catalogue_version(c->catalogue) > 0)
        return 0;
    struct request *r = request_new(REQUEST_BOOTSTRAP);
    r->principal = SLICE_LIT("node");
    r->governance_off = c->config.governance_off;
    int rc = ask_now(c, r, err);
    return rc ? err_wrap(err, "cannot make the cluster") : 0;
}

static int register_node(struct control *c, struct err *err)
{
    struct request *r = request_new(REQUEST_NODE_REGISTER);
    r->principal = SLICE_LIT("node");
    r->node = (struct view_node){
        .id = c->config.node_id,
        .kafka_host = arena_copy(&r->arena, slice_str(c->config.kafka_host)),
        .kafka_port = c->config.kafka_port,
        .admin_url = arena_copy(&r->arena, slice_str(c->config.admin_url)),
        .rack = SLICE_LIT(""),
        .role = SLICE_LIT("voter"),
        .state = SLICE_LIT("active"),
        .raft_id = c->config.raft_id,
    };
    int rc = ask_now(c, r, err);
    return rc ? err_wrap(err, "cannot register this node") : 0;
}

void control_free(struct control *c)
{
    if (c->raft)
        begin_stop(c);
    c->stopping = true;
    inbox_drain(&c->inbox); /* refuses what came last */
    inbox_close(&c->inbox);
    while (uv_run(&c->loop, UV_RUN_DEFAULT))
        ;
    int rc = uv_loop_close(&c->loop);
    ASSERT(rc == 0);
    inbox_free(&c->inbox);
    free_report(c);
    result_free(&c->applied);
    bytes_free(&c->facts);
    auditlog_close(&c->audit);
    catalogue_close(c->catalogue);
    pthread_mutex_destroy(&c->lock);
    mem_free(c);
}

int control_open(struct control **out, const struct control_config *config, struct err *err)
{
    struct control *c = MEM_NEW(struct control);
    c->config = *config;
    c->audit.fd = -1;
    pthread_mutex_init(&c->lock, NULL);
    uv_loop_init(&c->loop);
    inbox_init(&c->inbox, &c->loop, receive, c);
    snprintf(c->raft_folder, sizeof c->raft_folder, "%s/raft", config->data);
    int rc = catalogue_open(&c->catalogue, err);
    ASSERT(rc == 0); /* an empty database in memory */
    rc = auditlog_open(&c->audit, config->dir_fd, err);
    if (!rc)
        rc = open_raft(c, err);
    if (!rc && !(rc = bootstrap(c, err)))
        rc = register_node(c, err);
    if (rc) {
        control_free(c);
        return rc;
    }
    /* What was applied again has filled the end; the rest must be there, and nothing else. */
    if (c->audit.last_seq != catalogue_audit_head(c->catalogue).seq)
        auditlog_mark_damaged(&c->audit, c->audit.last_seq,
                              "it does not end where the catalogue says");
    show(c);
    *out = c;
    return 0;
}

const struct view *control_view(struct control *c)
{
    c->published = catalogue_version(c->catalogue);
    return catalogue_view(c->catalogue);
}

static void *control_main(void *arg)
{
    struct control *c = arg;
    thread_name("writ-control");
    uv_run(&c->loop, UV_RUN_DEFAULT);
    return NULL;
}

int control_run(struct control *c, struct err *err)
{
    c->running = true;
    int rc = thread_start(&c->thread, control_main, c, err);
    if (rc)
        c->running = false;
    return rc;
}

void control_stop(struct control *c)
{
    if (!c->running)
        return;
    post(c, MESSAGE_STOP, 0, NULL);
    pthread_join(c->thread, NULL);
}
