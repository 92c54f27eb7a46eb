/* The stages of admission by themselves: what a batch as a whole must be, what the pool says about
 * its records, and the walk over stored batches. The broker's own tests see them in their place. */
#include "../broker/governed.h"

static struct bytes make_batch(struct world *w, int codec, const struct client_record *r, size_t n)
{
    struct bytes out = {0};
    struct client_producer p = CLIENT_PRODUCER_NONE;
    p.codec = codec;
    client_batch(w, &p, r, n, &out);
    return out;
}

static struct admit_job *judge(struct shop *s, const char *topic, struct slice batch)
{
    struct admit_job *job = admit_job_new();
    struct admit_scratch *scratch = admit_scratch_new();
    job->view = world_view(s->w);
    job->topic = view_topic_by_name(job->view, slice_str(topic));
    job->principal = SLICE_LIT("anonymous");
    job->buf = buf_from(batch.p, batch.n);
    job->batch = buf_bytes(job->buf);
    job->now_ms = world_now_ms(s->w);
    admit_judge(job, scratch);
    admit_scratch_free(scratch);
    return job;
}

static void test_begin(void **state)
{
    (void)state;
    struct shop s = shop_open_seed(1);
    struct client_record r = {.value = SLICE_LIT("value")};
    struct bytes b = make_batch(s.w, WIRE_CODEC_ZSTD, &r, 1);
    struct wire_batch out;
    struct err why = {0};
    assert_int_equal(admit_begin(bytes_slice(&b), 7, 1000, &out, &why), 0);
    assert_int_equal(out.records_count, 1);
    assert_ptr_equal(out.bytes.p, b.p);
    assert_int_equal(admit_begin(bytes_slice(&b), 6, 1000, &out, &why),
                     WIRE_E_UNSUPPORTED_COMPRESSION_TYPE);
    assert_int_equal(admit_begin(bytes_slice(&b), 7, (int64_t)b.n, &out, &why), 0);
    assert_int_equal(admit_begin(bytes_slice(&b), 7, (int64_t)b.n - 1, &out, &why),
                     WIRE_E_MESSAGE_TOO_LARGE);
    /* Every cut and every flipped bit is noticed. */
    for (size_t n = 0; n < b.n; n++)
        assert_int_not_equal(admit_begin(slice_of(b.p, n), 7, 1000, &out, &why), 0);
    for (size_t i = 8 * 16; i < 8 * b.n; i++) { /* from the magic on */
        b.p[i / 8] ^= (uint8_t)(1 << i % 8);
        assert_int_not_equal(admit_begin(bytes_slice(&b), 7, 1000, &out, &why), 0);
        b.p[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    bytes_free(&b);
    world_free(s.w);
}

static void test_errors_of_a_whole_batch(void **state)
{
    (void)state;
    struct shop s = shop_open_seed(2);
    struct wire_record_header trace = {SLICE_LIT("traceparent"), SLICE_LIT("x")};
    char big[300];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = 0;
    struct client_record r[2] = {
        {.key = "k", .value = slice_str(big), .header = &trace, .headers_n = 1},
        {.key = "k", .value = SLICE_LIT("fine"), .header = &trace, .headers_n = 1}};
    /* Too large, alone among good ones: 10, so that clients split; with another fault: 87. */
    struct bytes b = make_batch(s.w, WIRE_CODEC_GZIP, r, 2);
    struct admit_job *job = judge(&s, NOTES, bytes_slice(&b));
    assert_int_equal(job->error, WIRE_E_MESSAGE_TOO_LARGE);
    assert_int_equal(job->refusals_n, 1);
    assert_int_equal(job->refusal[0].batch_index, 0);
    admit_job_free(job);
    bytes_free(&b);
    r[1].key = NULL;
    b = make_batch(s.w, 0, r, 2);
    job = judge(&s, NOTES, bytes_slice(&b));
    assert_int_equal(job->error, WIRE_E_INVALID_RECORD);
    assert_int_equal(job->refusals_n, 2);
    admit_job_free(job);
    bytes_free(&b);
    /* Headers without end. */
    static struct wire_record_header many[ADMIT_HEADERS_MAX + 1];
    for (size_t i = 0; i <= ADMIT_HEADERS_MAX; i++)
        many[i] = (struct wire_record_header){SLICE_LIT("h"), SLICE_NULL};
    r[0] = (struct client_record){
        .key = "k", .value = SLICE_LIT("v"), .header = many, .headers_n = ADMIT_HEADERS_MAX + 1};
    b = make_batch(s.w, 0, r, 1);
    job = judge(&s, NOTES, bytes_slice(&b));
    assert_int_equal(job->error, WIRE_E_INVALID_RECORD);
    assert_non_null(strstr(job->message, "headers"));
    admit_job_free(job);
    bytes_free(&b);
    world_free(s.w);
}

static void test_signatures_of_accepted_records(void **state)
{
    (void)state;
    struct shop s = shop_open_seed(3);
    struct wire_record_header header[3][1];
    struct client_record r[3];
    for (int i = 0; i < 3; i++)
        r[i] = shop_record(&s, "{\"id\":\"a\",\"total\":1}", header[i]);
    struct bytes b = make_batch(s.w, WIRE_CODEC_SNAPPY, r, 3);
    struct admit_job *job = judge(&s, ORDERS, bytes_slice(&b));
    assert_int_equal(job->error, 0);
    assert_int_equal(job->signatures_n, 3);
    for (int i = 0; i < 3; i++) {
        assert_true(job->signature[i].present);
        assert_int_equal(job->signature[i].kid_hash, judge_kid_hash(SLICE_LIT("shop/main")));
    }
    admit_job_again(job);
    assert_null(job->signature);
    admit_job_free(job);
    bytes_free(&b);
    world_free(s.w);
}

struct seen {
    struct judge_signature signature[4];
    int n;
};

static void seen_one(void *arg, int32_t batch_index, const struct judge_signature *s)
{
    struct seen *seen = arg;
    assert_in_range(batch_index, 0, 2);
    seen->signature[seen->n++] = *s;
}

/* The memory that is rebuilt from the log is the one that the judge filled. */
static void test_stored_signatures_are_the_judged_ones(void **state)
{
    (void)state;
    struct shop s = shop_open_seed(4);
    struct wire_record_header header[3][1];
    struct client_record r[3];
    for (int i = 0; i < 3; i++)
        r[i] = shop_record(&s, "{\"id\":\"a\",\"total\":1}", header[i]);
    for (int codec = 0; codec < WIRE_CODECS_N; codec++) {
        struct bytes b = make_batch(s.w, codec, r, 3);
        struct admit_scratch *scratch = admit_scratch_new();
        struct seen seen = {0};
        struct admit_job *job = judge(&s, ORDERS, bytes_slice(&b));
        assert_int_equal(admit_signatures(bytes_slice(&b), scratch, seen_one, &seen, NULL), 0);
        assert_int_equal(seen.n, 3);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(seen.signature[i].kid_hash, job->signature[i].kid_hash);
            assert_int_equal(seen.signature[i].iat_ms, job->signature[i].iat_ms);
            assert_memory_equal(seen.signature[i].jti, job->signature[i].jti, SIGN_JTI_BYTES);
        }
        admit_job_free(job);
        admit_scratch_free(scratch);
        bytes_free(&b);
    }
    world_free(s.w);
}

static void test_cursors(void **state)
{
    (void)state;
    struct shop s = shop_open_seed(5);
    struct client_record r[5] = {{.key = "a", .value = SLICE_LIT("1")},
                                 {.value = SLICE_LIT("1")},
                                 {.key = "a", .value = SLICE_LIT("1")},
                                 {.key = "a", .value = SLICE_NULL},
                                 {.key = "a", .value = SLICE_LIT("")}};
    struct bytes plain = make_batch(s.w, 0, r, 5), packed = make_batch(s.w, WIRE_CODEC_LZ4, r, 5);
    struct admit_scratch *scratch = admit_scratch_new();
    struct admit_cursor a, b;
    assert_true(admit_cursor_open(&a, scratch, 0, bytes_slice(&plain)));
    assert_true(admit_cursor_open(&b, scratch, 1, bytes_slice(&packed)));
    for (int i = 0; i < 5; i++) {
        for (int k = 4; k >= 0; k--) { /* backwards starts again */
            assert_true(admit_cursor_at(&a, i));
            assert_true(admit_cursor_at(&b, k));
            bool same = i == k || (i == 0 && k == 2) || (i == 2 && k == 0);
            assert_true(admit_records_equal(&a.record, &b.record) == same);
        }
    }
    assert_false(admit_cursor_at(&a, 5));
    assert_false(admit_cursor_open(&a, scratch, 0, slice_of(plain.p, 20)));
    admit_scratch_free(scratch);
    bytes_free(&plain);
    bytes_free(&packed);
    world_free(s.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_begin),
        cmocka_unit_test(test_errors_of_a_whole_batch),
        cmocka_unit_test(test_signatures_of_accepted_records),
        cmocka_unit_test(test_stored_signatures_are_the_judged_ones),
        cmocka_unit_test(test_cursors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
