/* The small tables of the broker against the obvious way to do the same; and the text of metrics.
 */
#include "broker/deadline.h"
#include "broker/idmap.h"
#include "broker/metrics.h"

#include "governed.h"

#include <stdlib.h>

enum { N = 2000 };

static void test_idmap(void **state)
{
    (void)state;
    struct idmap m = {0};
    static bool in[N + 1];
    static int value[N + 1];
    srand(1);
    size_t n = 0;
    for (int i = 0; i < 100000; i++) {
        uint64_t id = 1 + (uint64_t)rand() % N;
        if (in[id]) {
            assert_ptr_equal(idmap_get(&m, id), &value[id]);
            assert_ptr_equal(idmap_remove(&m, id), &value[id]);
            n--;
        } else {
            assert_null(idmap_get(&m, id));
            assert_null(idmap_remove(&m, id));
            idmap_put(&m, id, &value[id]);
            n++;
        }
        in[id] = !in[id];
        assert_int_equal(m.n, n);
    }
    size_t at = 0, found = 0;
    while (idmap_next(&m, &at))
        found++;
    assert_int_equal(found, n);
    for (uint64_t id = 1; id <= N; id++)
        assert_true((idmap_get(&m, id) != NULL) == in[id]);
    idmap_free(&m);
}

static void test_deadlines(void **state)
{
    (void)state;
    struct deadlines d = {0};
    static struct deadline node[N];
    srand(2);
    for (int i = 0; i < 50000; i++) {
        struct deadline *x = &node[rand() % N];
        if (x->place)
            deadlines_remove(&d, x);
        else
            deadlines_add(&d, x, rand() % 1000);
        int64_t least = INT64_MAX;
        if (i % 100 == 0) {
            for (int k = 0; k < N; k++)
                if (node[k].place && node[k].at_ms < least)
                    least = node[k].at_ms;
            assert_int_equal(deadlines_next_ms(&d), least);
        }
    }
    assert_null(deadlines_pop(&d, -1));
    int64_t last = 0;
    uint64_t order = 0;
    size_t n = d.n;
    struct deadline *x;
    while ((x = deadlines_pop(&d, 1000))) {
        assert_true(x->at_ms > last || (x->at_ms == last && x->order >= order));
        last = x->at_ms;
        order = x->order;
        n--;
    }
    assert_int_equal(n, 0);
    deadlines_free(&d);
}

static void test_histogram(void **state)
{
    (void)state;
    for (size_t i = 1; i < METRIC_BUCKETS; i++)
        assert_true(metric_bound_ms(i) > metric_bound_ms(i - 1));
    struct metric_histogram h = {0};
    metric_observe(&h, 0);
    metric_observe(&h, 5);
    metric_observe(&h, 6);
    metric_observe(&h, 7);
    metric_observe(&h, INT64_C(1) << 40);
    metric_observe(&h, -3);
    assert_int_equal(h.bucket[0], 2);
    assert_int_equal(h.bucket[5], 2); /* (4, 6] */
    assert_int_equal(h.bucket[6], 1);
    assert_int_equal(h.bucket[METRIC_BUCKETS], 1);
    assert_int_equal(h.count, 6);
}

/* Every line is a comment or "name{labels} value"; each name has its HELP and TYPE before. */
static void test_metrics_text(void **state)
{
    (void)state;
    struct shop s = shop_open_seed(1);
    shop_send(&s, 0, "{\"id\":\"a\",\"total\":1}");
    shop_send(&s, 0, "{\"id\":\"a\",\"total\":-1}");
    struct bytes out = {0};
    broker_metrics(world_broker(s.w), &out);
    const char *text = bytes_cstr(&out);
    assert_non_null(
        strstr(text, "writ_verdicts_total{topic=\"" ORDERS "\",code=\"accepted\"} 1\n"));
    assert_non_null(
        strstr(text, "writ_verdicts_total{topic=\"" ORDERS "\",code=\"payload.invalid\"} 1\n"));
    assert_non_null(strstr(text, "writ_kafka_requests_total{api=\"Produce\"} 2\n"));
    assert_non_null(strstr(text, "writ_produce_answers_total{error=\"INVALID_RECORD\"} 1\n"));
    assert_non_null(strstr(text, "writ_kafka_connections 1\n"));
    char type[128] = "";
    for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
        char name[128];
        if (sscanf(line, "# TYPE %127s", name) == 1)
            strcpy(type, name);
        else if (line[0] != '#')
            assert_memory_equal(line, type, strlen(type)); /* also _bucket, _sum, _count */
        assert_non_null(strchr(line, '\n'));
    }
    bytes_free(&out);
    /* The report for the catalogue's guards. */
    struct arena a;
    struct report report;
    arena_init(&a, 0);
    broker_report(world_broker(s.w), world_now_ms(s.w), &a, &report);
    assert_int_equal(report.partitions_n, 3);
    int64_t records = 0;
    for (size_t i = 0; i < report.partitions_n; i++)
        records += report.partition[i].high_watermark - report.partition[i].log_start_offset;
    assert_int_equal(records, 1);
    arena_free(&a);
    world_free(s.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_idmap),
        cmocka_unit_test(test_deadlines),
        cmocka_unit_test(test_histogram),
        cmocka_unit_test(test_metrics_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
