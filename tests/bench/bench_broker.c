/* What one Produce costs the broker alone: no sockets, no disk (operations complete at once), one
 * thread. Prints nanoseconds for each request and for each record.
 *   bench_broker RECORDS_PER_BATCH REQUESTS */
#include "harness/sim_disk.h"
#include "harness/world.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { CONNS = 8, PARTITIONS = 4 };

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

struct bench {
    struct broker *b;
    struct effects fx;
    uint64_t pending[4096];
    size_t pending_n;
    size_t answers;
};

static void step(struct bench *s, const struct event *ev)
{
    broker_step(s->b, ev, 1700000000000, &s->fx);
    for (size_t i = 0; i < s->fx.n; i++) {
        struct effect *e = &s->fx.effect[i];
        if (e->kind == EFFECT_DISK && e->op.id)
            s->pending[s->pending_n++] = e->op.id;
        s->answers += e->kind == EFFECT_SEND;
    }
    effects_clear(&s->fx);
}

static void drain(struct bench *s)
{
    while (s->pending_n) {
        uint64_t id = s->pending[0];
        memmove(s->pending, s->pending + 1, --s->pending_n * sizeof s->pending[0]);
        step(s, &(struct event){.kind = EVENT_DISK_DONE, .id = id});
    }
}

static struct bytes make_frame(int32_t partition, int records_n)
{
    struct wire_batch_builder bb;
    struct bytes batch = {0}, out = {0};
    uint8_t value[100] = {0};
    wire_batch_builder_init(&bb, 0);
    for (int i = 0; i < records_n; i++)
        wire_batch_builder_add(&bb, 1700000000000, SLICE_NULL, slice_of(value, sizeof value), NULL,
                               0);
    wire_batch_builder_finish(&bb, &batch, NULL);
    wire_batch_builder_free(&bb);
    struct wire_produce_request req = wire_produce_request_default;
    struct wire_produce_request_topic t = wire_produce_request_topic_default;
    struct wire_produce_request_partition p = wire_produce_request_partition_default;
    p.index = partition;
    p.records = bytes_slice(&batch);
    t.name = SLICE_LIT("bench");
    t.partition_data = &p;
    t.partition_data_n = 1;
    req.acks = -1;
    req.topic_data = &t;
    req.topic_data_n = 1;
    struct wire_request_header h = {WIRE_PRODUCE, 7, 1, SLICE_LIT("bench")};
    size_t start = wire_begin_request(&out, &h);
    wire_encode_request(WIRE_PRODUCE, 7, &req, &out);
    wire_end_frame(&out, start, 0);
    bytes_free(&batch);
    return out;
}

static const struct view *make_view(struct catalogue **c)
{
    struct err err;
    struct result r = {0};
    struct bytes facts = {0}, audit = {0};
    if (catalogue_open(c, &err))
        exit(1);
    static const enum request_kind kinds[] = {REQUEST_BOOTSTRAP, REQUEST_NODE_REGISTER,
                                              REQUEST_TOPIC_CREATE};
    for (size_t i = 0; i < 3; i++) {
        struct request *q = request_new(kinds[i]);
        q->principal = SLICE_LIT("bench");
        q->now_ms = 1700000000000;
        q->governance_off = true;
        q->random[0] = (uint8_t)(i + 1);
        q->name = SLICE_LIT("bench");
        q->partitions = PARTITIONS;
        q->replicas = 1;
        q->node = (struct view_node){.id = 1,
                                     .kafka_host = SLICE_LIT("h"),
                                     .kafka_port = 1,
                                     .admin_url = SLICE_LIT("http://h:2"),
                                     .rack = SLICE_LIT(""),
                                     .role = SLICE_LIT("voter"),
                                     .state = SLICE_LIT("active"),
                                     .broker_epoch = 1,
                                     .raft_id = 1};
        facts.n = 0;
        catalogue_decide(*c, q, &facts, &r);
        if (facts.n)
            catalogue_apply(*c, i + 1, bytes_slice(&facts), q, &r, &audit);
        if (r.code != ERR_OK) {
            fprintf(stderr, "%s: %s\n", r.reason, r.message);
            exit(1);
        }
        result_free(&r);
        request_free(q);
    }
    bytes_free(&facts);
    bytes_free(&audit);
    return catalogue_view(*c);
}

int main(int argc, char **argv)
{
    int records_n = argc > 1 ? atoi(argv[1]) : 1;
    int requests_n = argc > 2 ? atoi(argv[2]) : 300000;
    struct sim_disk *sd = sim_disk_new(1);
    struct bench s = {0};
    struct catalogue *c;
    struct err err = {0};
    struct store_config store = store_config_default();
    struct broker_config config = {.node_id = 1,
                                   .advertised_host = SLICE_LIT("h"),
                                   .advertised_port = 1,
                                   .default_partitions = 1,
                                   .max_request_bytes = 64 << 20,
                                   .fetch_max_bytes = 64 << 20,
                                   .replay_memory_bytes = 1 << 20,
                                   .seed = 1};
    store.segment_bytes = (uint64_t)1 << 30;
    if (broker_new(&s.b, &config, sim_disk_disk(sd), &store, 1700000000000, &err)) {
        fprintf(stderr, "%s\n", err.msg);
        return 1;
    }
    step(&s, &(struct event){.kind = EVENT_VIEW, .view = make_view(&c)});
    step(&s, &(struct event){
                 .kind = EVENT_SPACE, .free_bytes = (uint64_t)1 << 40, .watermark_bytes = 1 << 20});
    for (uint64_t i = 1; i <= CONNS; i++)
        step(&s,
             &(struct event){.kind = EVENT_CONN_OPEN, .conn = i, .peer = SLICE_LIT("127.0.0.1:1")});
    drain(&s);
    struct bytes frame[PARTITIONS];
    for (int i = 0; i < PARTITIONS; i++)
        frame[i] = make_frame(i, records_n);
    double begin = now_s();
    for (int i = 0; i < requests_n; i++) {
        struct bytes *f = &frame[i % PARTITIONS];
        step(&s, &(struct event){.kind = EVENT_REQUEST,
                                 .conn = 1 + (uint64_t)(i % CONNS),
                                 .frame = buf_from(f->p + 4, f->n - 4)});
        if (i % CONNS == CONNS - 1)
            drain(&s);
    }
    drain(&s);
    double ns = (now_s() - begin) * 1e9;
    printf("%d records a batch: %.0f ns a request, %.1f ns a record, %zu answers\n", records_n,
           ns / requests_n, ns / requests_n / records_n, s.answers);
    return s.answers == (size_t)requests_n ? 0 : 1;
}
