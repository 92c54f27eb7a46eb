/* A load generator for any server that speaks Kafka's protocol; each mode prints one JSON line.
 *
 *   bench_node produce --bootstrap HOST:PORT --topic T [--conns 8] [--inflight 5] [--batch 100]
 *                      [--size 100 | --value FILE] [--acks -1] [--partitions 4] [--secs 3] [--pid
 * P] bench_node latency --bootstrap HOST:PORT --topic T [--dir D] [--secs 3] ... one connection,
 * one record at a time; --dir: fdatasync there, before and after bench_node fetch   --bootstrap
 * HOST:PORT --topic T [--conns 4] [--partitions 4] [--secs 3] reads the topic again and again, MB =
 * 10^6 bytes of record batches bench_node contract              the documents that govern the topic
 * of `signed` bench_node signed  --bootstrap HOST:PORT [--records 60000] [--batch 100] ... distinct
 * records of 200 B, signed before, then sent; before that, what two threads verify in 2 s
 *   bench_node start   --bootstrap HOST:PORT --topic T -- COMMAND...
 *                      from exec of the server to its first acknowledgement, VmRSS 5 s later
 *
 * --pid names the server's process: its CPU time and memory are then reported too. */
#include "bench_modes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    int (*run)(struct bench *b, struct err *err);
} modes[] = {
    {"produce", bench_produce}, {"latency", bench_latency},   {"fetch", bench_fetch},
    {"signed", bench_signed},   {"contract", bench_contract}, {"start", bench_start},
};

static int usage(const char *why)
{
    fprintf(stderr, "bench_node: %s; see the head of tests/bench/bench_node.c\n", why);
    return 2;
}

static bool set_option(struct bench *b, const char *name, const char *value)
{
    const struct {
        const char *name;
        int *to;
    } numbers[] = {{"--conns", &b->conns}, {"--inflight", &b->inflight},
                   {"--batch", &b->batch}, {"--size", &b->size},
                   {"--acks", &b->acks},   {"--partitions", &b->partitions},
                   {"--pid", &b->pid},     {"--records", &b->records}};
    const struct {
        const char *name;
        const char **to;
    } texts[] = {{"--bootstrap", &b->bootstrap},
                 {"--topic", &b->topic},
                 {"--value", &b->value_file},
                 {"--dir", &b->dir}};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        if (strcmp(name, numbers[i].name) == 0) {
            *numbers[i].to = atoi(value);
            return true;
        }
    }
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (strcmp(name, texts[i].name) == 0) {
            *texts[i].to = value;
            return true;
        }
    }
    if (strcmp(name, "--secs") != 0)
        return false;
    b->secs = atof(value);
    return true;
}

int main(int argc, char **argv)
{
    struct bench b = {
        .bootstrap = "127.0.0.1:9092",
        .topic = "bench",
        .conns = 8,
        .inflight = 5,
        .batch = 100,
        .size = 100,
        .acks = -1,
        .partitions = 4,
        .secs = 3,
        .records = 60000,
    };
    struct err err = {0};
    if (argc < 2)
        return usage("a mode is missing");
    for (int i = 2; i < argc; i += 2) {
        if (strcmp(argv[i], "--") == 0) {
            b.command = argv + i + 1;
            break;
        }
        if (i + 1 == argc || !set_option(&b, argv[i], argv[i + 1]))
            return usage(argv[i]);
    }
    if (b.batch < 1 || b.partitions < 1 || b.size < 0 || b.records < 1)
        return usage("a number is out of range");
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (strcmp(argv[1], modes[i].name) != 0)
            continue;
        int rv = modes[i].run(&b, &err);
        if (rv != 0)
            fprintf(stderr, "bench_node: %s\n", err.msg);
        return rv != 0;
    }
    return usage("unknown mode");
}
