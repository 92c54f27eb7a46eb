/* A latency histogram that one or more threads add to and any thread reads: fixed buckets in the
 * manner of Prometheus, from 10 microseconds to 10 seconds. */
#ifndef RUNTIME_HISTOGRAM_H
#define RUNTIME_HISTOGRAM_H

#include "base/bytes.h"

#include <stdatomic.h>

enum { HISTOGRAM_BUCKETS = 19 };

struct histogram {
    _Atomic uint64_t count[HISTOGRAM_BUCKETS + 1]; /* not cumulative; the last is beyond all */
    _Atomic uint64_t sum_ns;
};

void histogram_add(struct histogram *h, uint64_t ns);
/* Prometheus text: HELP, TYPE, buckets, sum and count of `name` in seconds. labels: "" or
 * "api=\"x\"". */
void histogram_write(const struct histogram *h, const char *name, const char *help,
                     const char *labels, struct bytes *out);

#endif
