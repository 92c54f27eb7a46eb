/* What bench_node can do; each function prints one JSON line. */
#ifndef BENCH_MODES_H
#define BENCH_MODES_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

struct bench {
    const char *bootstrap, *topic, *value_file, *dir;
    int conns, inflight, batch, size, acks, partitions, pid, records;
    double secs;
    char **command;
};

int bench_produce(struct bench *b, struct err *err);
int bench_latency(struct bench *b, struct err *err);
int bench_fetch(struct bench *b, struct err *err);
int bench_signed(struct bench *b, struct err *err);
int bench_contract(struct bench *b, struct err *err);
int bench_start(struct bench *b, struct err *err);

/* Shared by the modes. A Produce request's whole frame with this batch. */
void bench_produce_frame(struct bytes *out, const char *topic, int partition, int acks,
                         struct slice batch);
/* What a Produce answer says; an error of the partition becomes *err. */
int bench_produce_answer(struct slice frame, struct err *err);

#endif
