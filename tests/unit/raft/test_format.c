/* The bytes on disk: known values, every flipped bit, every cut. */
#include "raft/crc32c.h"
#include "raft/format.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* RFC 3720, appendix B.4, and the check value of the CRC catalogue. */
static void test_crc32c_known_values(void **state)
{
    uint8_t b[32];

    (void)state;
    assert_int_equal(raft_crc32c(0, "123456789", 9), 0xe3069283);
    memset(b, 0, sizeof b);
    assert_int_equal(raft_crc32c(0, b, sizeof b), 0x8a9136aa);
    memset(b, 0xff, sizeof b);
    assert_int_equal(raft_crc32c(0, b, sizeof b), 0x62a8ab43);
    for (int i = 0; i < 32; i++)
        b[i] = (uint8_t)i;
    assert_int_equal(raft_crc32c(0, b, sizeof b), 0x46dd794e);
    for (size_t cut = 0; cut <= sizeof b; cut++)
        assert_int_equal(raft_crc32c(raft_crc32c(0, b, cut), b + cut, sizeof b - cut), 0x46dd794e);
}

static void test_meta_every_bit_counts(void **state)
{
    struct raft_meta m = {.incarnation = 1, .raft_id = 2, .sequence = 3, .term = 4, .voted_for = 5};
    struct raft_meta back;
    uint8_t block[RAFT_META_SIZE];

    (void)state;
    raft_meta_encode(&m, block);
    assert_true(raft_meta_decode(block, &back));
    assert_memory_equal(&m, &back, sizeof m);
    for (size_t bit = 0; bit < sizeof block * 8; bit++) {
        block[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        assert_false(raft_meta_decode(block, &back));
        block[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
}

static void make_entries(struct raft_entry *e, uint64_t *data, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        data[i * 2] = i * 77;
        data[i * 2 + 1] = i;
        e[i] = (struct raft_entry){.term = 10 + i,
                                   .type = RAFT_COMMAND,
                                   .buf = {&data[i * 2], i % 3 == 2 ? 0 : 8 + i % 2 * 8}};
    }
}

static void test_group_round_trip(void **state)
{
    struct raft_entry in[5], out[5];
    uint64_t data[10];
    struct bytes b = {0};
    struct raft_group g = {.kind = RAFT_GROUP_APPEND,
                           .incarnation = 99,
                           .lsn = 7,
                           .synced_lsn = 5,
                           .first_index = 100,
                           .prev_crc = 0xabcd};
    struct raft_group back;

    (void)state;
    make_entries(in, data, 5);
    raft_group_encode(&g, in, 5, &b);
    assert_int_equal(b.n, raft_group_size(in, 5));
    assert_true(raft_group_check(b.p, b.n, &back));
    assert_int_equal(back.kind, RAFT_GROUP_APPEND);
    assert_int_equal(back.first_index, 100);
    assert_int_equal(back.crc, g.crc);
    assert_true(raft_group_follows(&back, 99, 6, 0xabcd));
    assert_false(raft_group_follows(&back, 98, 6, 0xabcd)); /* another folder's */
    assert_false(raft_group_follows(&back, 99, 5, 0xabcd)); /* another lap's */
    assert_false(raft_group_follows(&back, 99, 6, 0xabce)); /* of another past */
    raft_group_entries(b.p, &back, out);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(out[i].term, in[i].term);
        assert_int_equal(out[i].buf.len, in[i].buf.len);
        if (in[i].buf.len > 0)
            assert_memory_equal(out[i].buf.base, in[i].buf.base, in[i].buf.len);
        assert_ptr_equal(out[i].batch, out[0].batch);
    }
    raft_free(out[0].batch);
    bytes_free(&b);
}

static void test_group_every_bit_and_cut_counts(void **state)
{
    struct raft_entry in[3];
    uint64_t data[6];
    struct bytes b = {0};
    struct raft_group g = {.kind = RAFT_GROUP_APPEND, .incarnation = 99, .lsn = 7};
    struct raft_group back;

    (void)state;
    make_entries(in, data, 3);
    raft_group_encode(&g, in, 3, &b);
    for (size_t bit = 0; bit < b.n * 8; bit++) {
        b.p[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        assert_false(raft_group_check(b.p, b.n, &back));
        b.p[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    for (size_t n = 0; n < b.n; n++) {
        uint8_t *copy = malloc(n > 0 ? n : 1); /* exactly so long, for the sanitizer */

        memcpy(copy, b.p, n);
        assert_false(raft_group_check(copy, n, &back));
        free(copy);
    }
    bytes_free(&b);
}

static void test_scan_tells_torn_from_damaged(void **state)
{
    struct bytes b = {0};
    struct raft_group g = {.kind = RAFT_GROUP_MARK, .incarnation = 99, .lsn = 8, .synced_lsn = 7};

    (void)state;
    bytes_reserve(&b, 4096);
    memset(b.p, 0, 128);
    b.n = 128;
    raft_group_encode(&g, NULL, 0, &b);
    assert_true(raft_group_scan(b.p, b.n, 99, 7));   /* group 7 had been synced */
    assert_false(raft_group_scan(b.p, b.n, 99, 8));  /* group 8 had not */
    assert_false(raft_group_scan(b.p, b.n, 100, 7)); /* another folder */
    b.p[128 + 20] ^= 1;
    assert_false(raft_group_scan(b.p, b.n, 99, 7)); /* what is damaged vouches for nothing */
    bytes_free(&b);
}

static void test_snapshot_head_every_bit_counts(void **state)
{
    struct raft_snapshot_head h, back;
    struct raft_configuration conf, conf_back;
    struct bytes b = {0};
    struct err e = {0};

    (void)state;
    memset(&h, 0, sizeof h); /* the padding too: they are compared whole */
    memset(&back, 0, sizeof back);
    h.incarnation = 1;
    h.raft_id = 2;
    h.index = 50;
    h.term = 3;
    h.conf_index = 4;
    h.first_index = 41;
    h.data_bytes = 5 * 1024 * 1024 / 2;
    h.lsn = 6;
    raft_configuration_init(&conf);
    raft_configuration_add(&conf, 1, "127.0.0.1:9292", RAFT_VOTER);
    raft_configuration_add(&conf, 900, "a.example:1", RAFT_STANDBY);
    raft_snapshot_head_encode(&h, &conf, &b);
    raft_configuration_init(&conf_back);
    assert_int_equal(raft_snapshot_head_decode(b.p, b.n, &back, &conf_back, &e), 0);
    assert_memory_equal(&h, &back, sizeof h);
    assert_int_equal(conf_back.n, 2);
    assert_int_equal(conf_back.servers[1].id, 900);
    assert_string_equal(conf_back.servers[1].address, "a.example:1");
    assert_int_equal(conf_back.servers[1].role, RAFT_STANDBY);
    raft_configuration_close(&conf_back);
    for (size_t bit = 0; bit < b.n * 8; bit++) {
        b.p[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        raft_configuration_init(&conf_back);
        assert_int_equal(raft_snapshot_head_decode(b.p, b.n, &back, &conf_back, &e), ERR_CORRUPT);
        raft_configuration_close(&conf_back);
        b.p[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    assert_int_equal(raft_snapshot_chunks(&h), 3);
    assert_int_equal(raft_snapshot_chunk_bytes(&h, 0), RAFT_SNAPSHOT_CHUNK);
    assert_int_equal(raft_snapshot_chunk_bytes(&h, 2), 1024 * 1024 / 2);

    uint8_t one[8], two[8];

    raft_snapshot_chunk_head(&h, 0, "same", 4, one);
    raft_snapshot_chunk_head(&h, 1, "same", 4, two);
    assert_memory_not_equal(one, two, 8); /* a chunk belongs to its place */
    raft_configuration_close(&conf);
    bytes_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crc32c_known_values),
        cmocka_unit_test(test_meta_every_bit_counts),
        cmocka_unit_test(test_group_round_trip),
        cmocka_unit_test(test_group_every_bit_and_cut_counts),
        cmocka_unit_test(test_scan_tells_torn_from_damaged),
        cmocka_unit_test(test_snapshot_head_every_bit_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
