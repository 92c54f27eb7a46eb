#include "runtime/histogram.h"

#include <inttypes.h>

static const struct {
    uint64_t ns;
    const char *le;
} bucket[HISTOGRAM_BUCKETS] = {
    {10000, "0.00001"},  {25000, "0.000025"}, {50000, "0.00005"},  {100000, "0.0001"},
    {250000, "0.00025"}, {500000, "0.0005"},  {1000000, "0.001"},  {2500000, "0.0025"},
    {5000000, "0.005"},  {10000000, "0.01"},  {25000000, "0.025"}, {50000000, "0.05"},
    {100000000, "0.1"},  {250000000, "0.25"}, {500000000, "0.5"},  {1000000000, "1"},
    {2500000000, "2.5"}, {5000000000, "5"},   {10000000000, "10"},
};

void histogram_add(struct histogram *h, uint64_t ns)
{
    int i = 0;
    while (i < HISTOGRAM_BUCKETS && ns > bucket[i].ns)
        i++;
    atomic_fetch_add_explicit(&h->count[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&h->sum_ns, ns, memory_order_relaxed);
}

void histogram_write(const struct histogram *h, const char *name, const char *help,
                     const char *labels, struct bytes *out)
{
    const char *comma = *labels ? "," : "";
    uint64_t total = 0;
    bytes_printf(out, "# HELP %s %s\n# TYPE %s histogram\n", name, help, name);
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++) {
        total += atomic_load_explicit(&h->count[i], memory_order_relaxed);
        bytes_printf(out, "%s_bucket{%s%sle=\"%s\"} %" PRIu64 "\n", name, labels, comma,
                     bucket[i].le, total);
    }
    total += atomic_load_explicit(&h->count[HISTOGRAM_BUCKETS], memory_order_relaxed);
    bytes_printf(out, "%s_bucket{%s%sle=\"+Inf\"} %" PRIu64 "\n", name, labels, comma, total);
    const char *open = *labels ? "{" : "", *close = *labels ? "}" : "";
    bytes_printf(out, "%s_sum%s%s%s %.9f\n", name, open, labels, close,
                 (double)atomic_load_explicit(&h->sum_ns, memory_order_relaxed) / 1e9);
    bytes_printf(out, "%s_count%s%s%s %" PRIu64 "\n", name, open, labels, close, total);
}
