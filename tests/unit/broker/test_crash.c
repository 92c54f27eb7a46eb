/* Crashes and disk faults: what was acknowledged is there, once, in its place; whatever the seed.
 */
#include "governed.h"

#include "harness/sim_disk.h"

#include <stdlib.h>

enum { PARTITIONS = 3, WRITERS = 4, VALUES_MAX = 4000 };

/* What one writer has sent and heard. Values are its numbers 0, 1, 2, ...; each is one record. */
struct writer {
    struct client_producer producer;
    uint64_t conn;
    int32_t partition;
    int next;                   /* number of the next new value */
    int acked;                  /* values below are acknowledged */
    int sent;                   /* values below are under way on this connection */
    int64_t offset[VALUES_MAX]; /* of acknowledged values */
};

struct history {
    struct world *w;
    struct writer writer[WRITERS];
};

static void writer_connect(struct history *h, struct writer *wr)
{
    wr->conn = world_connect(h->w);
    wr->sent = wr->acked; /* what is not acknowledged is sent again, with the same sequence */
}

static struct history history_open(uint64_t seed)
{
    struct history h = {.w = world_new(&(struct world_options){
                            .seed = seed, .governance_off = true, .segment_bytes = 16 << 10})};
    uint64_t c = world_connect(h.w);
    client_create_topic(h.w, c, "t", PARTITIONS);
    for (int i = 0; i < WRITERS; i++) {
        h.writer[i] =
            (struct writer){.producer = client_init_producer(h.w, c), .partition = i % PARTITIONS};
        h.writer[i].producer.codec = (int)world_random(h.w, WIRE_CODECS_N);
        writer_connect(&h, &h.writer[i]);
    }
    return h;
}

static void writer_send(struct history *h, struct writer *wr)
{
    char text[64];
    struct client_producer p = wr->producer;
    struct bytes batch = {0};
    if (wr->sent == VALUES_MAX || wr->sent - wr->acked >= 5)
        return;
    snprintf(text, sizeof text, "%lld:%d", (long long)p.id, wr->sent);
    struct client_record r = {.value = slice_str(text)};
    p.sequence = wr->sent++;
    if (wr->next < wr->sent)
        wr->next = wr->sent;
    client_batch(h->w, &p, &r, 1, &batch);
    client_send_batch(h->w, wr->conn, "t", wr->partition, bytes_slice(&batch), -1, 9);
    bytes_free(&batch);
}

static void writer_hear(struct history *h, struct writer *wr)
{
    struct wire_produce_response *r;
    while ((r = world_poll(h->w, wr->conn))) {
        struct client_outcome o = client_outcome(r);
        if (o.error) { /* the disk is full: everything behind it is sent again */
            assert_true(o.error == WIRE_E_NOT_ENOUGH_REPLICAS ||
                        o.error == WIRE_E_OUT_OF_ORDER_SEQUENCE_NUMBER);
            world_disconnect(h->w, wr->conn);
            writer_connect(h, wr);
            return;
        }
        wr->offset[wr->acked++] = o.base_offset;
    }
}

static void history_play(struct history *h, int steps)
{
    for (int i = 0; i < steps && !world_fatal(h->w); i++) {
        writer_send(h, &h->writer[world_random(h->w, WRITERS)]);
        for (uint64_t k = world_random(h->w, 6); k > 0; k--)
            world_step(h->w);
        for (int k = 0; k < WRITERS; k++)
            writer_hear(h, &h->writer[k]);
    }
}

static void history_restart(struct history *h)
{
    for (int i = 0; i < WRITERS; i++)
        writer_hear(h, &h->writer[i]);
    world_start(h->w, NULL);
    for (int i = 0; i < WRITERS; i++)
        writer_connect(h, &h->writer[i]);
}

/* Every partition is read whole: acknowledged values stand at their offsets, no value stands twice,
 * and the values of a writer are in order without a gap. */
static void history_check(struct history *h)
{
    static struct client_fetched got[WRITERS * VALUES_MAX];
    uint64_t c = world_connect(h->w);
    for (int32_t p = 0; p < PARTITIONS; p++) {
        int64_t start = client_list_offset(h->w, c, "t", p, -2);
        assert_int_equal(start, 0);
        size_t n = client_read_all(h->w, c, "t", p, 0, got, sizeof got / sizeof got[0]);
        int expected[WRITERS] = {0};
        for (size_t i = 0; i < n; i++) {
            long long id;
            int value;
            char text[64];
            snprintf(text, sizeof text, "%.*s", SLICE_FMT(got[i].value));
            assert_int_equal(sscanf(text, "%lld:%d", &id, &value), 2);
            int k = 0;
            while (k < WRITERS && h->writer[k].producer.id != id)
                k++;
            assert_true(k < WRITERS && h->writer[k].partition == p);
            assert_int_equal(value, expected[k]);
            expected[k]++;
            if (value < h->writer[k].acked)
                assert_int_equal(h->writer[k].offset[value], got[i].offset);
        }
        for (int k = 0; k < WRITERS; k++)
            if (h->writer[k].partition == p)
                assert_true(expected[k] >= h->writer[k].acked);
    }
    world_forget(h->w);
}

static void test_acknowledged_is_never_lost(void **state)
{
    uint64_t seeds = *(uint64_t *)*state;
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        struct history h = history_open(seed);
        for (int round = 0; round < 5; round++) {
            history_play(&h, (int)world_random(h.w, 120));
            assert_null(world_fatal(h.w));
            if (world_random(h.w, 3) == 0)
                world_kill(h.w);
            else
                world_crash(h.w);
            history_restart(&h);
            history_check(&h);
        }
        history_play(&h, 60);
        world_run_ms(h.w, 2000);
        for (int i = 0; i < WRITERS; i++) {
            writer_hear(&h, &h.writer[i]);
            assert_int_equal(h.writer[i].acked, h.writer[i].sent);
        }
        history_check(&h);
        world_free(h.w);
    }
}

/* A write or a sync of the journal fails once: the process must end, and acknowledged nothing that
 * is not there afterwards. */
static void test_failed_journal_ends_the_process(void **state)
{
    (void)state;
    int ended = 0;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct history h = history_open(1000 + seed);
        history_play(&h, 40);
        sim_disk_fail(world_disk(h.w), SIM_DISK_SYNC | (seed % 2 ? SIM_DISK_WRITE : 0), "journal",
                      1 + world_random(h.w, 10), 5, 1);
        history_play(&h, 100);
        ended += world_fatal(h.w) != NULL;
        sim_disk_fail(world_disk(h.w), 0, NULL, 0, 0, 0);
        if (seed % 3)
            world_kill(h.w); /* the pages are still in the cache, and count as clean */
        else
            world_crash(h.w);
        history_restart(&h);
        history_check(&h);
        if (seed % 3) { /* the first crash after the restart must not take them either */
            world_crash(h.w);
            history_restart(&h);
            history_check(&h);
        }
        world_free(h.w);
    }
    assert_true(ended > 20);
}

static void test_disk_full_and_resume(void **state)
{
    (void)state;
    struct world *w = world_new(&(struct world_options){.seed = 5, .governance_off = true});
    uint64_t c = world_connect(w);
    client_create_topic(w, c, "t", 1);
    assert_int_equal(client_produce_text(w, c, "t", 0, "before").error, 0);
    world_set_space(w, 1000, 1 << 20);
    struct client_outcome o = client_produce_text(w, c, "t", 0, "full");
    assert_int_equal(o.error, WIRE_E_NOT_ENOUGH_REPLICAS);
    assert_true(wire_error_is_retriable(o.error));
    struct client_fetched got[4];
    assert_int_equal(client_read_all(w, c, "t", 0, 0, got, 4), 1); /* reading goes on */
    world_set_space(w, (uint64_t)1 << 30, 1 << 20);
    assert_int_equal(client_produce_text(w, c, "t", 0, "after").base_offset, 1);
    world_free(w);
}

/* More than the journal takes at once waits for the disk instead of being refused, and keeps its
 * order; what can never fit is refused for good. */
static void test_burst_waits_for_room(void **state)
{
    (void)state;
    struct world *w =
        world_new(&(struct world_options){.seed = 8, .governance_off = true, .sync_us = 20000});
    uint64_t c = world_connect(w);
    static char big[300000];
    client_create_topic(w, c, "t", 1);
    memset(big, 'x', sizeof big);
    struct client_producer none = CLIENT_PRODUCER_NONE;
    for (int i = 0; i < 40; i++) {
        struct client_record r = {.value = slice_of(big, 30000)};
        struct bytes batch = {0};
        client_batch(w, &none, &r, 1, &batch);
        client_send_batch(w, c, "t", 0, bytes_slice(&batch), i % 2 ? -1 : 1, 9);
        bytes_free(&batch);
    }
    for (int i = 0; i < 40; i++) {
        struct client_outcome o = client_outcome(world_receive(w, c));
        assert_int_equal(o.error, 0);
        assert_int_equal(o.base_offset, i);
    }
    struct client_record r = {.value = slice_of(big, sizeof big)};
    assert_int_equal(client_produce(w, c, "t", 0, &none, &r, 1).error, WIRE_E_MESSAGE_TOO_LARGE);
    world_free(w);
}

/* The disk itself says ENOSPC in the middle of the work. */
static void test_enospc(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct history h = history_open(2000 + seed);
        history_play(&h, 40);
        sim_disk_set_space(world_disk(h.w), sim_disk_used(world_disk(h.w)) + 4000);
        history_play(&h, 200);
        sim_disk_set_space(world_disk(h.w), UINT64_MAX);
        if (world_fatal(h.w)) {
            world_kill(h.w);
            history_restart(&h);
        }
        world_run_ms(h.w, 5000);
        for (int i = 0; i < WRITERS; i++)
            writer_hear(&h, &h.writer[i]);
        history_play(&h, 50);
        world_run_ms(h.w, 2000);
        for (int i = 0; i < WRITERS; i++) {
            writer_hear(&h, &h.writer[i]);
            assert_true(h.writer[i].acked > 0);
        }
        history_check(&h);
        world_crash(h.w);
        history_restart(&h);
        history_check(&h);
        world_free(h.w);
    }
}

/* A segment whose index was never saved is read after a restart: megabytes of headers are scanned.
 */
static void test_long_scan_after_a_restart(void **state)
{
    (void)state;
    struct world *w = world_new(
        &(struct world_options){.seed = 9, .governance_off = true, .segment_bytes = 64 << 20});
    uint64_t c = world_connect(w);
    static char big[50000];
    client_create_topic(w, c, "t", 1);
    memset(big, 'x', sizeof big);
    struct client_producer none = CLIENT_PRODUCER_NONE;
    struct client_record r = {.value = slice_of(big, sizeof big)};
    for (int i = 0; i < 100; i++)
        assert_int_equal(client_produce(w, c, "t", 0, &none, &r, 1).base_offset, i);
    world_run_ms(w, 20000); /* idle: a checkpoint, so that nothing is replayed */
    world_kill(w);
    world_start(w, NULL);
    static struct client_fetched got[100];
    assert_int_equal(client_read_all(w, world_connect(w), "t", 0, 0, got, 100), 100);
    world_free(w);
}

/* Damage in the middle of a segment is never served. */
static void test_damage_is_not_served(void **state)
{
    (void)state;
    struct world *w = world_new(
        &(struct world_options){.seed = 6, .governance_off = true, .segment_bytes = 16 << 10});
    uint64_t c = world_connect(w);
    char big[3000];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = 0;
    client_create_topic(w, c, "t", 1);
    for (int i = 0; i < 60; i++)
        assert_int_equal(client_produce_text(w, c, "t", 0, big).error, 0);
    client_create_topic(w, c, "filler", 1);
    for (int i = 0; i < 1000; i++) /* until the journal no longer holds the first segment */
        assert_int_equal(client_produce_text(w, c, "filler", 0, big).error, 0);
    struct client_fetch f = {.offset = 0, .leader_epoch = -1};
    client_fetch(w, c, "t", 0, &f);
    struct plog_range range = *world_last_range(w);
    world_kill(w);
    assert_true(sim_disk_poke(world_disk(w), range.path, range.position + 1000, 0x40));
    struct err err = {0};
    if (world_start(w, &err)) { /* a damaged middle may be refused at once, with a sentence */
        assert_true(strlen(err.msg) > 20);
        world_free(w);
        return;
    }
    c = world_connect(w);
    struct wire_fetch_response *r = client_fetch(w, c, "t", 0, &f);
    const struct wire_fetch_response_partition *p = &r->responses[0].partitions[0];
    assert_int_equal(p->error_code, WIRE_E_KAFKA_STORAGE_ERROR);
    assert_int_equal(p->records.n, 0);
    f.offset = 40; /* the rest is well */
    r = client_fetch(w, c, "t", 0, &f);
    assert_int_equal(r->responses[0].partitions[0].error_code, 0);
    assert_true(r->responses[0].partitions[0].records.n > 0);
    world_free(w);
}

/* A producer of signed records that is not idempotent: what is not acknowledged is sent again as it
 * is, over crashes. Each record is stored once, and each acknowledgement names its place. */
struct signer {
    uint64_t conn;
    int32_t partition;
    int acked;
    struct bytes batch; /* of value `acked` */
    int64_t offset[VALUES_MAX];
    bool sent;
};

static void signer_send(struct shop *s, struct signer *g, int number)
{
    if (g->sent || g->acked == VALUES_MAX || world_closed(s->w, g->conn))
        return;
    if (g->batch.n == 0) {
        char text[64];
        struct wire_record_header header[1];
        struct client_producer none = CLIENT_PRODUCER_NONE;
        snprintf(text, sizeof text, "{\"id\":\"%d\",\"total\":%d}", number, g->acked);
        struct client_record r = shop_record(s, text, header);
        none.codec = g->acked % WIRE_CODECS_N;
        client_batch(s->w, &none, &r, 1, &g->batch);
    }
    client_send_batch(s->w, g->conn, ORDERS, g->partition, bytes_slice(&g->batch), -1, 9);
    g->sent = true;
}

static void signer_hear(struct shop *s, struct signer *g)
{
    struct wire_produce_response *r = world_poll(s->w, g->conn);
    if (!r)
        return;
    struct client_outcome o = client_outcome(r);
    g->sent = false;
    if (o.error == WIRE_E_NOT_ENOUGH_REPLICAS)
        return;
    if (o.error)
        fail_msg("signed retry: %d %s", o.error, o.message);
    g->offset[g->acked++] = o.base_offset;
    bytes_clear(&g->batch);
}

static void signers_check(struct shop *s, const struct signer *signer, int n)
{
    static struct client_fetched got[4 * VALUES_MAX];
    int expected[8] = {0};
    for (int32_t p = 0; p < 2; p++) {
        size_t records =
            client_read_all(s->w, world_connect(s->w), ORDERS, p, 0, got, 4 * VALUES_MAX);
        for (size_t i = 0; i < records; i++) {
            char text[64];
            int number, value;
            snprintf(text, sizeof text, "%.*s", SLICE_FMT(got[i].value));
            assert_int_equal(sscanf(text, "{\"id\":\"%d\",\"total\":%d}", &number, &value), 2);
            assert_in_range(number, 0, n - 1);
            assert_int_equal(signer[number].partition, p);
            assert_int_equal(value, expected[number]); /* once, in order */
            expected[number]++;
            if (value < signer[number].acked)
                assert_int_equal(signer[number].offset[value], got[i].offset);
        }
    }
    for (int i = 0; i < n; i++)
        assert_true(expected[i] >= signer[i].acked);
    world_forget(s->w);
}

static void test_signed_retries_over_crashes(void **state)
{
    enum { SIGNERS = 4 };
    static struct signer signer[SIGNERS];
    uint64_t seeds = *(uint64_t *)*state / 2;
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        struct shop s =
            shop_open(&(struct world_options){.seed = 5000 + seed, .segment_bytes = 16 << 10});
        memset(signer, 0, sizeof signer);
        for (int round = 0; round < 5; round++) {
            for (int i = 0; i < SIGNERS; i++) {
                signer[i].conn = world_connect(s.w);
                signer[i].partition = i % 2;
                signer[i].sent = false;
            }
            for (uint64_t k = world_random(s.w, 150); k > 0; k--) {
                int i = (int)world_random(s.w, SIGNERS);
                signer_send(&s, &signer[i], i);
                for (uint64_t n = world_random(s.w, 8); n > 0; n--)
                    world_step(s.w);
                if (world_random(s.w, 40) == 0) { /* the client gives up and sends it again */
                    world_disconnect(s.w, signer[i].conn);
                    signer[i].conn = world_connect(s.w);
                    signer[i].sent = false;
                }
                for (i = 0; i < SIGNERS; i++)
                    signer_hear(&s, &signer[i]);
            }
            assert_null(world_fatal(s.w));
            if (world_random(s.w, 3) == 0)
                world_kill(s.w);
            else
                world_crash(s.w);
            world_start(s.w, NULL);
            signers_check(&s, signer, SIGNERS);
        }
        for (int i = 0; i < SIGNERS; i++)
            bytes_free(&signer[i].batch);
        world_free(s.w);
    }
}

/* The same seed gives the same history, another seed another. */
static void test_same_seed_same_history(void **state)
{
    (void)state;
    uint64_t hash[3];
    for (int i = 0; i < 3; i++) {
        struct history h = history_open(i < 2 ? 77 : 78);
        history_play(&h, 100);
        world_crash(h.w);
        history_restart(&h);
        history_play(&h, 50);
        hash[i] = world_hash(h.w);
        world_free(h.w);
    }
    assert_true(hash[0] == hash[1]);
    assert_true(hash[0] != hash[2]);
}

/* test_broker_crash [SEEDS] */
int main(int argc, char **argv)
{
    static uint64_t seeds = 40;
    if (argc > 1)
        seeds = strtoull(argv[1], NULL, 10);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_acknowledged_is_never_lost, &seeds),
        cmocka_unit_test_prestate(test_signed_retries_over_crashes, &seeds),
        cmocka_unit_test(test_failed_journal_ends_the_process),
        cmocka_unit_test(test_disk_full_and_resume),
        cmocka_unit_test(test_burst_waits_for_room),
        cmocka_unit_test(test_enospc),
        cmocka_unit_test(test_long_scan_after_a_restart),
        cmocka_unit_test(test_damage_is_not_served),
        cmocka_unit_test(test_same_seed_same_history),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
