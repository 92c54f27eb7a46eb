/* What the node says of itself: status, readiness, metrics. On the API thread. */
#include "main/admin.h"

#include "base/codec.h"
#include "base/json.h"
#include "runtime/metrics.h"
#include "runtime/thread.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

static uint64_t free_bytes(const struct node *n)
{
    struct statvfs v;
    if (fstatvfs(n->folder.dir_fd, &v) < 0)
        return 0;
    return (uint64_t)v.f_bavail * v.f_frsize;
}

static void reason(struct bytes *out, const char *text)
{
    bytes_printf(out, "%s\"%s\"", out->n ? "," : "", text);
}

void status_reasons(struct node *n, struct bytes *out)
{
    struct control_facts f;
    control_facts(n->control, &f);
    if (n->stopping)
        reason(out, "the node is stopping");
    if (!f.ready)
        reason(out, "the catalogue has no controller");
    if (free_bytes(n) < (uint64_t)n->config.free_space_min_bytes)
        reason(out, "less disk space than free-space-min is free: writes are refused");
}

static void put_text(struct json_writer *w, const char *name, const char *text)
{
    json_name(w, name);
    json_put_cstr(w, text);
}

static void put_int(struct json_writer *w, const char *name, uint64_t v)
{
    json_name(w, name);
    json_put_int(w, (int64_t)v);
}

static void put_catalogue(struct json_writer *w, const struct control_facts *f)
{
    json_name(w, "catalogue");
    json_begin_object(w);
    put_int(w, "version", f->version);
    put_int(w, "enforced_version", f->enforced_version);
    put_int(w, "state_bytes", f->state_bytes);
    put_int(w, "audit_records", f->audit_seq);
    json_name(w, "audit_damaged");
    json_put_bool(w, f->audit_damaged);
    json_end_object(w);
    json_name(w, "raft");
    json_begin_object(w);
    put_int(w, "term", f->raft.term);
    put_int(w, "commit_index", f->raft.commit_index);
    put_int(w, "applied_index", f->raft.applied_index);
    put_int(w, "last_index", f->raft.last_index);
    put_int(w, "snapshot_index", f->raft.snapshot_index);
    json_end_object(w);
}

static void put_alarms(struct json_writer *w, const struct control_facts *f)
{
    json_name(w, "alarms");
    json_begin_array(w);
    if (f->audit_damaged)
        json_put_cstr(w, "the audit log's file does not continue the catalogue's chain: run writ "
                         "audit verify");
    json_end_array(w);
}

void status_write(struct node *n, struct bytes *out)
{
    struct control_facts f;
    struct ledger_facts ledger;
    struct bytes reasons = {0};
    struct json_writer w;
    char time[TIME_TEXT_SIZE];
    control_facts(n->control, &f);
    ledger_facts(n->ledger, &ledger);
    status_reasons(n, &reasons);
    json_writer_init(&w, out);
    json_begin_object(&w);
    put_int(&w, "node", (uint64_t)n->folder.node_id);
    put_text(&w, "version", WRIT_VERSION);
    put_text(&w, "cluster_id", n->folder.cluster_id);
    json_name(&w, "ready");
    json_put_bool(&w, !reasons.n);
    json_name(&w, "reasons");
    json_begin_array(&w);
    if (reasons.n)
        json_put_raw(&w, bytes_slice(&reasons));
    json_end_array(&w);
    put_alarms(&w, &f);
    put_text(&w, "role", "voter");
    json_name(&w, "controller");
    if (f.ready)
        json_put_int(&w, n->folder.node_id);
    else
        json_put_null(&w);
    put_text(&w, "kafka", n->kafka_address);
    put_text(&w, "admin", n->admin_url);
    json_name(&w, "peer");
    json_put_cstr(&w, *n->peer_address ? n->peer_address : NULL);
    put_text(&w, "data", n->folder.path);
    put_text(&w, "incarnation", n->folder.incarnation);
    put_int(&w, "pid", (uint64_t)getpid());
    time_text(n->started_ms, time);
    put_text(&w, "started", time);
    put_int(&w, "uptime_s", (thread_clock_ns() - n->started_ns) / 1000000000u);
    put_catalogue(&w, &f);
    put_int(&w, "free_bytes", free_bytes(n));
    json_name(&w, "ledger");
    json_begin_object(&w);
    put_int(&w, "written", ledger.written);
    put_int(&w, "dropped", ledger.dropped);
    json_end_object(&w);
    json_end_object(&w);
    bytes_free(&reasons);
}

/* ---- Metrics ---- */

static void gauge(struct bytes *out, const char *name, const char *help, double v)
{
    metrics_value(out, "gauge", name, help, v);
}

static void counter(struct bytes *out, const char *name, const char *help, double v)
{
    metrics_value(out, "counter", name, help, v);
}

static double resident_bytes(void)
{
    long total = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f)
        return 0;
    if (fscanf(f, "%ld %ld", &total, &resident) != 2)
        resident = 0;
    fclose(f);
    return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

static double open_descriptors(void)
{
    double n = -3; /* ".", ".." and the folder itself */
    DIR *d = opendir("/proc/self/fd");
    if (!d)
        return 0;
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

static void process_metrics(const struct node *n, struct bytes *out)
{
    struct timespec cpu;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    bytes_printf(out,
                 "# HELP writ_build_info Version of the program.\n# TYPE writ_build_info gauge\n"
                 "writ_build_info{version=\"%s\",node=\"%d\"} 1\n",
                 WRIT_VERSION, n->folder.node_id);
    counter(out, "process_cpu_seconds_total", "CPU time of the process.",
            (double)cpu.tv_sec + (double)cpu.tv_nsec / 1e9);
    gauge(out, "process_resident_memory_bytes", "Resident memory.", resident_bytes());
    gauge(out, "process_open_fds", "Open descriptors.", open_descriptors());
    gauge(out, "process_start_time_seconds", "Start of the process, Unix time.",
          (double)n->started_ms / 1e3);
    gauge(out, "writ_disk_free_bytes", "Free space in the data folder.", (double)free_bytes(n));
}

static void raft_metrics(const struct raft_node_metrics *r, struct bytes *out)
{
    enum { BUCKETS = sizeof r->append_bucket / sizeof *r->append_bucket };
    gauge(out, "writ_raft_term", "Raft term.", (double)r->term);
    gauge(out, "writ_raft_commit_index", "Raft commit index.", (double)r->commit_index);
    gauge(out, "writ_raft_applied_index", "Raft applied index.", (double)r->applied_index);
    gauge(out, "writ_raft_log_bytes", "Raft log in memory.", (double)r->log_bytes);
    gauge(out, "writ_raft_disk_log_bytes", "Raft log on disk.", (double)r->disk_log_bytes);
    counter(out, "writ_raft_elections_total", "Leaderships won.", (double)r->elections);
    counter(out, "writ_raft_snapshots_total", "Snapshots taken.", (double)r->snapshots);
    gauge(out, "writ_raft_snapshot_longest_seconds", "Longest making of a snapshot image.",
          (double)r->snapshot_us_max / 1e6);
    const char *name = "writ_raft_append_seconds";
    bytes_printf(out, "# HELP %s Time from append to durable.\n# TYPE %s histogram\n", name, name);
    uint64_t total = 0;
    for (int i = 0; i < BUCKETS; i++) {
        total += r->append_bucket[i];
        if (i < BUCKETS - 1)
            bytes_printf(out, "%s_bucket{le=\"%g\"} %" PRIu64 "\n", name, 64e-6 * (double)(1u << i),
                         total);
    }
    bytes_printf(out, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n%s_sum %.6f\n%s_count %" PRIu64 "\n",
                 name, total, name, (double)r->append_us_sum / 1e6, name, total);
}

static void http_metrics(const struct node *n, struct bytes *out)
{
    struct admin_facts a;
    admin_facts(n->admin, &a);
    gauge(out, "writ_http_connections", "Open HTTP connections.", a.connections);
    bytes_add_str(out, "# HELP writ_http_responses_total Answers of the admin API by class.\n"
                       "# TYPE writ_http_responses_total counter\n");
    for (int i = 0; i < ADMIN_STATUS_CLASSES; i++)
        bytes_printf(out, "writ_http_responses_total{class=\"%dxx\"} %" PRIu64 "\n", i + 1,
                     a.answers[i]);
    histogram_write(a.latency, "writ_http_request_seconds", "Time to answer an API call.", "", out);
}

void status_metrics(struct node *n, struct bytes *out)
{
    struct control_facts f;
    struct ledger_facts ledger;
    control_facts(n->control, &f);
    ledger_facts(n->ledger, &ledger);
    process_metrics(n, out);
    gauge(out, "writ_catalogue_version", "Version of the catalogue.", (double)f.version);
    gauge(out, "writ_catalogue_enforced_version", "Version that every data thread enforces.",
          (double)f.enforced_version);
    gauge(out, "writ_catalogue_state_bytes", "Size of the catalogue.", (double)f.state_bytes);
    counter(out, "writ_catalogue_requests_total", "Requests to the catalogue.", (double)f.requests);
    gauge(out, "writ_catalogue_queue", "Requests that wait for the catalogue.", (double)f.waiting);
    gauge(out, "writ_control_longest_step_seconds", "Longest step of the control thread.",
          (double)f.longest_step_ns / 1e9);
    gauge(out, "writ_audit_records", "Records in the audit chain.", (double)f.audit_seq);
    gauge(out, "writ_audit_damaged", "1 when the audit file does not continue the chain.",
          f.audit_damaged);
    counter(out, "writ_ledger_written_total", "Refusals written to the ledger.",
            (double)ledger.written);
    counter(out, "writ_ledger_dropped_total", "Refusals that the ledger could not follow.",
            (double)ledger.dropped);
    counter(out, "writ_ledger_failed_total", "Refusals that the ledger failed to write.",
            (double)ledger.failed);
    raft_metrics(&f.raft, out);
    http_metrics(n, out);
}
