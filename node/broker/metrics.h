/* What the broker counts. Plain numbers of one thread; broker_metrics prints them. */
#ifndef BROKER_METRICS_H
#define BROKER_METRICS_H

#include "base/bytes.h"
#include "policy/verdict.h"

/* Log-linear: two buckets for each power of two, in milliseconds (the step's clock). */
enum { METRIC_BUCKETS = 36 };
struct metric_histogram {
    uint64_t bucket[METRIC_BUCKETS + 1]; /* the last one: above all bounds */
    uint64_t count;
    uint64_t sum_ms;
};
void metric_observe(struct metric_histogram *h, int64_t ms);
int64_t metric_bound_ms(size_t bucket); /* inclusive upper bound */

struct api_counters {
    uint64_t requests;
    uint64_t refused;                /* could not be decoded, or of a version that is not served */
    struct metric_histogram latency; /* arrival to answer */
};

struct topic_counters {
    uint64_t batches_in, records_in, bytes_in;
    uint64_t fetched_bytes;
    uint64_t duplicates;                  /* batches answered from memory */
    uint64_t verdict[VERDICT_CODE_COUNT]; /* records; accepted ones included */
};

enum { METRIC_APIS = 128, METRIC_ERRORS = 128 };
struct metrics {
    struct api_counters api[METRIC_APIS];
    uint64_t produce_error[METRIC_ERRORS]; /* answers by Kafka error code */
    uint64_t fetch_error[METRIC_ERRORS];
    uint64_t conns_opened, conns_closed, conns_refused;
    uint64_t bytes_in, bytes_out;
    uint64_t judged_batches, judged_again;
    uint64_t long_polls;
    uint64_t corrupt_ranges;
    uint64_t rebuilt_batches; /* read at start for producer state and replay memory */
};

/* One sample line; labels may be NULL: name{labels} value. */
void metric_line(struct bytes *out, const char *name, const char *labels, uint64_t value);
/* "# HELP" and "# TYPE". */
void metric_head(struct bytes *out, const char *name, const char *type, const char *help);
void metric_print_histogram(struct bytes *out, const char *name, const char *labels,
                            const struct metric_histogram *h);
/* A label value: backslash, quote and newline escaped. */
void metric_label(struct bytes *out, const char *name, struct slice value);

#endif
