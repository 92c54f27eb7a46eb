#include "broker/metrics.h"

#include <inttypes.h>

/* 0, 1, 2, 3, 4, 6, 8, 12, 16, 24, ...: 2^k and 1.5 * 2^k. */
int64_t metric_bound_ms(size_t bucket)
{
    if (bucket < 4)
        return (int64_t)bucket;
    size_t k = (bucket - 4) / 2 + 2;
    return (bucket - 4) % 2 == 0 ? (int64_t)1 << k : (int64_t)3 << (k - 1);
}

void metric_observe(struct metric_histogram *h, int64_t ms)
{
    if (ms < 0)
        ms = 0; /* the clock was set back */
    size_t i = 0;
    while (i < METRIC_BUCKETS && metric_bound_ms(i) < ms)
        i++;
    h->bucket[i]++;
    h->count++;
    h->sum_ms += (uint64_t)ms;
}

void metric_head(struct bytes *out, const char *name, const char *type, const char *help)
{
    bytes_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void metric_line(struct bytes *out, const char *name, const char *labels, uint64_t value)
{
    if (labels && labels[0])
        bytes_printf(out, "%s{%s} %" PRIu64 "\n", name, labels, value);
    else
        bytes_printf(out, "%s %" PRIu64 "\n", name, value);
}

void metric_print_histogram(struct bytes *out, const char *name, const char *labels,
                            const struct metric_histogram *h)
{
    const char *comma = labels[0] ? "," : "";
    uint64_t below = 0;
    for (size_t i = 0; i < METRIC_BUCKETS; i++) {
        below += h->bucket[i];
        int64_t ms = metric_bound_ms(i);
        bytes_printf(out, "%s_bucket{%s%sle=\"%" PRId64 ".%03d\"} %" PRIu64 "\n", name, labels,
                     comma, ms / 1000, (int)(ms % 1000), below);
    }
    bytes_printf(out, "%s_bucket{%s%sle=\"+Inf\"} %" PRIu64 "\n", name, labels, comma, h->count);
    bytes_printf(out, "%s_sum{%s} %" PRIu64 ".%03d\n", name, labels, h->sum_ms / 1000,
                 (int)(h->sum_ms % 1000));
    bytes_printf(out, "%s_count{%s} %" PRIu64 "\n", name, labels, h->count);
}

void metric_label(struct bytes *out, const char *name, struct slice value)
{
    bytes_printf(out, "%s=\"", name);
    for (size_t i = 0; i < value.n; i++) {
        uint8_t c = value.p[i];
        if (c == '\\' || c == '"')
            bytes_add_u8(out, '\\');
        if (c == '\n')
            bytes_add_str(out, "\\n");
        else
            bytes_add_u8(out, c);
    }
    bytes_add_u8(out, '"');
}
