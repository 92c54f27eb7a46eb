#include "runtime/inside.h"

#include "runtime/metrics.h"

#include <inttypes.h>

void metrics_value(struct bytes *out, const char *type, const char *name, const char *help,
                   double value)
{
    bytes_printf(out, "# HELP %s %s\n# TYPE %s %s\n%s %.17g\n", name, help, name, type, name,
                 value);
}

static void counter(struct bytes *out, const char *name, const char *help, uint64_t value)
{
    bytes_printf(out, "# HELP %s %s\n# TYPE %s counter\n%s %" PRIu64 "\n", name, help, name, name,
                 value);
}

static void gauge(struct bytes *out, const char *name, const char *help, uint64_t value)
{
    bytes_printf(out, "# HELP %s %s\n# TYPE %s gauge\n%s %" PRIu64 "\n", name, help, name, name,
                 value);
}

static void write_net(const struct net_stats *s, struct bytes *out)
{
    gauge(out, "writ_connections", "Open Kafka connections.", s->open);
    gauge(out, "writ_connections_stalled", "Connections that wait for the memory budget.",
          s->stalled);
    gauge(out, "writ_answers_queued_bytes", "Answers in memory that wait for clients to read.",
          s->queued_bytes);
    counter(out, "writ_connections_accepted_total", "Kafka connections accepted.", s->accepted);
    counter(out, "writ_connections_refused_total", "Kafka connections refused at a limit.",
            s->refused);
    counter(out, "writ_connections_closed_by_limit_total",
            "Connections closed at a time or size limit.", s->closed_by_limit);
    counter(out, "writ_requests_received_total", "Frames received.", s->requests);
    counter(out, "writ_network_received_bytes_total", "Bytes received from Kafka clients.",
            s->in_bytes);
    counter(out, "writ_network_sent_bytes_total", "Bytes sent to Kafka clients from memory.",
            s->out_bytes);
    counter(out, "writ_network_sendfile_bytes_total", "Bytes sent to Kafka clients by sendfile.",
            s->file_bytes);
    counter(out, "writ_network_warmed_bytes_total",
            "Bytes of file ranges that had to be read from the disk before sending.",
            s->warmed_bytes);
}

static uint64_t load(const _Atomic uint64_t *p)
{
    return atomic_load_explicit(p, memory_order_relaxed);
}

static void write_disk(const struct runtime *rt, struct bytes *out)
{
    const struct writer_stats *s[DISK_QUEUES_N];
    uint64_t queued = 0, failures = 0;
    for (int q = 0; q < DISK_QUEUES_N; q++) {
        s[q] = writer_stats(rt->writer[q]);
        queued += load(&s[q]->queued);
        failures += load(&s[q]->failures);
    }
    histogram_write(&s[DISK_JOURNAL]->sync, "writ_journal_sync_seconds",
                    "Time to write and sync one journal group.", "", out);
    counter(out, "writ_journal_written_bytes_total", "Bytes written to the journal.",
            load(&s[DISK_JOURNAL]->written_bytes));
    counter(out, "writ_segment_written_bytes_total", "Bytes written to segments and indexes.",
            load(&s[DISK_FILES]->written_bytes));
    histogram_write(&s[DISK_BACKGROUND]->sync, "writ_checkpoint_sync_seconds",
                    "Time to sync a file for a checkpoint.", "", out);
    gauge(out, "writ_disk_queue", "Disk operations that wait or run.", queued);
    counter(out, "writ_disk_failures_total", "Disk operations that failed.", failures);
}

void runtime_write_metrics(struct runtime *rt, struct bytes *out)
{
    write_net(net_stats(rt->net), out);
    gauge(out, "writ_request_memory_bytes", "Request bytes in memory.", budget_used(&rt->budget));
    gauge(out, "writ_request_memory_limit_bytes", "Budget of request bytes in memory.",
          rt->budget.limit_bytes);
    counter(out, "writ_loop_turns_total", "Turns of the data thread that did something.",
            rt->stats.turns);
    counter(out, "writ_loop_steps_total", "Broker steps.", rt->stats.steps);
    metrics_value(out, "gauge", "writ_loop_longest_step_seconds",
                  "Longest broker step since start.", (double)rt->stats.longest_step_ns / 1e9);
    histogram_write(&rt->stats.turn, "writ_loop_turn_seconds",
                    "Time to execute the effects of one turn.", "", out);
    if (rt->pool)
        write_disk(rt, out);
    if (rt->pool) {
        const struct pool_stats *p = pool_stats(rt->pool);
        histogram_write(&p->judge, "writ_judge_seconds", "Time to judge one batch.", "", out);
        gauge(out, "writ_judge_queue", "Batches that wait for or are in the judge pool.",
              load(&p->queued));
    }
    broker_metrics(rt->broker, out);
}
