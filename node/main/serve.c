/* Wiring: the order of start and stop, and what flows between the rooms.
 *
 *   data thread --request--> control --result--> data thread
 *   data thread --rejection--> ledger
 *   control --view--> API thread, data thread --enforced--> control
 *   API thread --request, question--> control, data thread, ledger --> API thread
 *
 * Every arrow is a message; nobody waits for anybody. */
#include "main/serve.h"

#include "base/log.h"
#include "base/mem.h"
#include "main/admin.h"
#include "main/auditlog.h"
#include "runtime/logger.h"
#include "runtime/thread.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    ARENAS_MAX = 2,       /* of malloc: many threads allocate little */
    TRIM_BYTES = 8 << 20, /* free memory at the heap's top that is kept */
    MAP_BYTES = 4 << 20,  /* larger blocks are mapped each for itself */
    API_GRACE_MS = 2000,
};

void node_fatal(const char *why)
{
    log_event(LOG_ERROR, "main", "the node ends at once", LOG_T("why", why),
              LOG_T("do", "mend the cause and start it again: it recovers what it acknowledged"));
    _exit(EXIT_FATAL);
}

/* ---- The arrows ---- */

static void on_answer(void *arg, struct result *result)
{
    struct node *n = arg;
    runtime_answer(n->runtime, result);
}

static void on_catalogue(void *arg, struct request *r)
{
    struct node *n = arg;
    control_ask(n->control, r, on_answer, n);
}

static void on_rejection(void *arg, const struct rejection *r)
{
    struct node *n = arg;
    ledger_add(n->ledger, r);
}

static void on_enforced(void *arg, uint64_t version)
{
    struct node *n = arg;
    control_enforced(n->control, version);
}

static void on_fatal(void *arg, const char *why)
{
    (void)arg;
    node_fatal(why);
}

static void on_view(void *arg, const struct view *v)
{
    struct node *n = arg;
    admin_set_view(n->admin, view_ref(v)); /* first: who is told of the change sees it */
    runtime_set_view(n->runtime, v);
}

static void on_report(void *arg, const struct report *r)
{
    struct node *n = arg;
    control_report(n->control, r);
}

static void on_want_report(void *arg)
{
    struct node *n = arg;
    runtime_ask_report(n->runtime, on_report, n);
}

/* ---- Start ---- */

static struct store_config store_config_of(const struct config *c, uint64_t seed)
{
    struct store_config s = store_config_default();
    s.journal_file_bytes = (uint64_t)c->journal_file_bytes;
    s.journal_total_bytes = (uint64_t)c->journal_bytes;
    s.group_max_bytes = (uint64_t)c->journal_group_bytes;
    s.segment_bytes = (uint64_t)c->segment_bytes;
    s.segment_ms = c->segment_ms;
    s.seed = seed;
    return s;
}

static unsigned judge_threads(const struct config *c)
{
    long n = c->judge_threads ? (long)c->judge_threads : sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > 64 ? 64 : (unsigned)n;
}

static int start_runtime(struct node *n, struct err *err)
{
    const struct config *c = &n->config;
    char listen[256];
    int listen_port;
    uint64_t seed[2];
    if (getrandom(seed, sizeof seed, 0) != sizeof seed)
        return err_set(err, ERR_IO, "cannot get random bytes");
    conf_address(c->kafka_listen, listen, &listen_port);
    bool own = *c->kafka_advertise; /* else host and port are the listener's */
    conf_address(own ? c->kafka_advertise : c->kafka_listen, n->kafka_host, &n->kafka_port);
    struct runtime_config config = {
        .broker = {.node_id = (int32_t)c->node,
                   .advertised_host = slice_str(n->kafka_host),
                   .advertised_port = own ? n->kafka_port : 0,
                   .auto_create_topics = c->auto_create_topics,
                   .default_partitions = (int32_t)c->default_partitions,
                   .max_request_bytes = c->request_max_bytes,
                   .fetch_max_bytes = c->fetch_max_bytes,
                   .replay_memory_bytes = (uint64_t)c->replay_memory_bytes,
                   .seed = seed[0]},
        .store = store_config_of(c, seed[1]),
        .root = &n->root,
        .kafka_address = listen,
        .kafka_port = listen_port,
        .max_connections = (uint32_t)c->max_connections,
        .max_pending = (uint32_t)c->max_pending_requests,
        .frame_timeout_ms = (uint32_t)c->request_timeout_ms,
        .idle_timeout_ms = (uint32_t)c->idle_timeout_ms,
        .write_timeout_ms = (uint32_t)c->write_timeout_ms,
        .memory_bytes = (uint64_t)c->memory_bytes,
        .judge_threads = judge_threads(c),
        .journal_direct = c->journal_direct,
        .watermark_bytes = (uint64_t)c->free_space_min_bytes,
        .hooks = {.arg = n,
                  .catalogue = on_catalogue,
                  .rejection = on_rejection,
                  .enforced = on_enforced,
                  .fatal = on_fatal},
    };
    int rc = runtime_new(&n->runtime, &config, err);
    if (rc)
        return rc;
    if (!own)
        n->kafka_port = runtime_kafka_port(n->runtime);
    snprintf(n->kafka_address, sizeof n->kafka_address,
             strchr(n->kafka_host, ':') ? "[%s]:%d" : "%s:%d", n->kafka_host, n->kafka_port);
    return 0;
}

static void set_admin_url(struct node *n)
{
    char host[256];
    int port = 0;
    const char *address = n->config.admin_advertise;
    conf_address(*address ? address : n->config.admin_listen, host, &port);
    if (!*address)
        port = admin_port(n->admin);
    snprintf(n->admin_url, sizeof n->admin_url,
             strchr(host, ':') ? "http://[%s]:%d" : "http://%s:%d", host, port);
}

static int start_control(struct node *n, struct err *err)
{
    const char *at = strchr(n->config.voters, '@');
    snprintf(n->peer_address, sizeof n->peer_address, "%.*s", (int)sizeof n->peer_address - 1,
             at ? at + 1 : "");
    struct control_config config = {
        .data = n->folder.path,
        .dir_fd = n->folder.dir_fd,
        .raft_id = folder_raft_id(&n->folder),
        .node_id = n->folder.node_id,
        .raft_address = n->peer_address,
        .governance_off = !n->config.governance,
        .kafka_host = n->kafka_host,
        .kafka_port = n->kafka_port,
        .admin_url = n->admin_url,
        .hooks = {.arg = n, .view = on_view, .want_report = on_want_report, .fatal = on_fatal},
    };
    return control_open(&n->control, &config, err);
}

static int start_ledger(struct node *n, struct err *err)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/ledger.db", n->folder.path);
    struct ledger_config config = {.path = path,
                                   .node_id = n->folder.node_id,
                                   .rows_max = n->config.ledger_rows,
                                   .age_max_ms = n->config.ledger_ms};
    return ledger_start(&n->ledger, &config, err);
}

/* ---- The audit file is verified once after each start, beside the service ---- */

struct audit_check {
    struct node *node;
    struct audit_head head;
};

static void task_check_audit(void *arg, struct ledger *l)
{
    struct audit_check *check = arg;
    struct bytes verdict = {0};
    struct err err;
    bool ok = true;
    (void)l;
    if (!atomic_load(&check->node->stopping) &&
        !auditlog_verify(check->node->folder.dir_fd, &check->head, &ok, &verdict, &err) && !ok)
        control_audit_damaged(check->node->control);
    bytes_free(&verdict);
    mem_free(check);
}

static void call_check_audit(void *arg, struct catalogue *c)
{
    struct audit_check *check = MEM_NEW(struct audit_check);
    check->node = arg;
    check->head = catalogue_audit_head(c);
    if (!ledger_run(check->node->ledger, task_check_audit, check))
        mem_free(check);
}

/* The first view goes to all, then the threads begin. */
static int run_all(struct node *n, struct err *err)
{
    const struct view *v = control_view(n->control);
    char cluster_id[FOLDER_CLUSTER_ID_MAX + 1];
    snprintf(cluster_id, sizeof cluster_id, "%.*s", SLICE_FMT(v->cluster_id));
    int rc = folder_check_cluster(&n->folder, cluster_id, err);
    if (!rc && *n->config.cluster_id && strcmp(n->config.cluster_id, cluster_id) != 0)
        rc = err_set(err, ERR_CONFLICT, "cluster-id is %s but the data folder's cluster is %s",
                     n->config.cluster_id, cluster_id);
    admin_set_view(n->admin, view_ref(v));
    if (!rc)
        rc = runtime_run(n->runtime, v, err);
    if (!rc)
        rc = control_run(n->control, err);
    if (!rc)
        rc = admin_run(n->admin, err);
    if (!rc) /* last: a guard for later starts, which nobody has to wait for */
        rc = folder_set_cluster(&n->folder, cluster_id, err);
    if (!rc)
        control_call(n->control, call_check_audit, n);
    view_unref(v);
    return rc;
}

struct control_start {
    struct node *node;
    struct err err;
    int rc;
};

static void *control_start_main(void *arg)
{
    struct control_start *s = arg;
    s->rc = start_control(s->node, &s->err);
    return NULL;
}

/* The control plane and the broker's log recover side by side: both wait for the disk most of the
 * time. */
static int recover(struct node *n, struct err *err)
{
    struct control_start s = {.node = n};
    pthread_t thread;
    int rc = thread_start(&thread, control_start_main, &s, err);
    if (rc)
        return rc;
    rc = runtime_open(n->runtime, err);
    pthread_join(thread, NULL);
    if (!rc && s.rc)
        *err = s.err;
    return rc ? rc : s.rc;
}

static int start(struct node *n, struct err *err)
{
    n->started_ms = thread_wall_ms();
    n->started_ns = thread_clock_ns();
    int rc =
        folder_open(&n->folder, n->config.data, (int32_t)n->config.node, n->config.cluster_id, err);
    if (rc)
        return rc;
    n->root.dir_fd = n->folder.dir_fd;
    rc = start_ledger(n, err);
    if (!rc)
        rc = start_runtime(n, err);
    if (!rc)
        rc = admin_open(&n->admin, n, err);
    if (rc)
        return rc;
    set_admin_url(n);
    rc = recover(n, err);
    return rc ? rc : run_all(n, err);
}

/* ---- Stop ---- */

/* Nobody new, then what is under way, then the threads that answered it; memory last, because late
 * messages may still point to it. */
static void stop(struct node *n)
{
    if (n->admin)
        admin_stop(n->admin, API_GRACE_MS);
    if (n->runtime)
        runtime_stop(n->runtime, (unsigned)n->config.stop_grace_ms);
    if (n->control)
        control_stop(n->control);
    if (n->ledger)
        ledger_stop(n->ledger);
    if (n->control)
        control_free(n->control);
    if (n->admin)
        admin_free(n->admin);
    if (n->runtime)
        runtime_free(n->runtime);
    folder_close(&n->folder);
}

/* systemd's readiness protocol (sd_notify(3)): one datagram to the socket it names. */
static void tell_supervisor(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    if (!path || (*path != '/' && *path != '@') || strlen(path) >= sizeof sa.sun_path)
        return;
    memcpy(sa.sun_path, path, strlen(path));
    if (*path == '@')
        sa.sun_path[0] = 0;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    if (fd < 0)
        return;
    if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&sa, n) < 0)
        log_event(LOG_WARN, "main", "supervisor was not told", LOG_T("why", strerror(errno)));
    close(fd);
}

static void wait_for_signal(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    for (;;) {
        siginfo_t info;
        int signal = sigwaitinfo(&set, &info);
        if (signal == SIGHUP) {
            logger_reopen();
        } else if (signal > 0) {
            log_event(LOG_INFO, "main", "stopping", LOG_T("signal", strsignal(signal)),
                      LOG_I("from_pid", info.si_pid));
            return;
        }
    }
}

static void set_process(const struct config *c)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    mallopt(M_ARENA_MAX, ARENAS_MAX);
    mallopt(M_TRIM_THRESHOLD, TRIM_BYTES);
    mallopt(M_MMAP_THRESHOLD, MAP_BYTES);
    /* As many descriptors as the connections need, and some for files; what the system allows. */
    struct rlimit r;
    rlim_t want = (rlim_t)c->max_connections + 4096;
    if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < want) {
        r.rlim_cur = r.rlim_max < want ? r.rlim_max : want;
        setrlimit(RLIMIT_NOFILE, &r);
    }
}

int serve(const struct config *config)
{
    struct node *n = MEM_NEW(struct node);
    struct err err = {0};
    enum log_level level = LOG_INFO;
    n->config = *config;
    n->folder.dir_fd = n->folder.lock_fd = -1;
    set_process(config);
    logger_level(config->log_level, &level);
    int rc = logger_open(config->log_file, level, (int32_t)config->node, &err);
    if (!rc)
        rc = start(n, &err);
    if (rc) {
        log_event(LOG_ERROR, "main", "the node cannot start", LOG_T("why", err.msg));
        if (isatty(2) || *config->log_file)
            fprintf(stderr, "writ serve: %s\n", err.msg);
    } else {
        log_event(LOG_INFO, "main", "ready", LOG_T("version", WRIT_VERSION),
                  LOG_T("cluster_id", n->folder.cluster_id), LOG_T("kafka", n->kafka_address),
                  LOG_T("admin", n->admin_url), LOG_T("data", n->folder.path),
                  LOG_I("took_us", (thread_clock_ns() - n->started_ns) / 1000));
        tell_supervisor("READY=1");
        wait_for_signal();
        n->stopping = true;
        tell_supervisor("STOPPING=1");
    }
    stop(n);
    if (!rc)
        log_event(LOG_INFO, "main", "stopped");
    mem_free(n);
    return rc ? 1 : 0;
}
