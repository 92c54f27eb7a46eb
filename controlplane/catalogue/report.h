/* Facts reported by brokers upward, with their age: guards that decide on them say so. */
#ifndef CATALOGUE_REPORT_H
#define CATALOGUE_REPORT_H

#include "base/slice.h"

struct report_partition {
    struct slice topic;
    int32_t partition;
    int64_t log_start_offset;
    int64_t high_watermark;
    int64_t log_end_offset;
    int64_t size_bytes;
    int64_t max_timestamp_ms;
};

struct report {
    int64_t made_at_ms;
    struct report_partition *partition;
    size_t partitions_n;
};

#endif
