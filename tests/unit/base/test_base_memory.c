#include "base/arena.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"

#include <setjmp.h>
#include <signal.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/check.h"

static void arena_hands_out(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 0);
    uint8_t *last = NULL;
    for (size_t size = 0; size < 70000; size = size * 2 + 1) {
        uint8_t *p = arena_alloc(&a, size);
        assert_true((uintptr_t)p % 16 == 0);
        assert_true(p != last);
        memset(p, 0xaa, size);
        last = p;
    }
    assert_string_equal(arena_printf(&a, "%s-%d", "a", 7), "a-7");
    assert_string_equal(arena_strdup(&a, SLICE_LIT("text")), "text");
    struct slice copy = arena_copy(&a, SLICE_LIT("xyz"));
    assert_true(slice_eq_str(copy, "xyz"));
    assert_null(arena_copy(&a, SLICE_NULL).p);
    uint8_t *zero = arena_zalloc(&a, 10, 10);
    for (int i = 0; i < 100; i++)
        assert_int_equal(zero[i], 0);
    arena_free(&a);
    assert_null(a.first);
}

static void arena_reuses(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 0);
    void *first = arena_alloc(&a, 100);
    for (int i = 0; i < 1000; i++)
        arena_alloc(&a, 100);
    struct arena_chunk *chunk = a.first;
    arena_reset(&a);
    assert_ptr_equal(a.first, chunk);
    assert_ptr_equal(arena_alloc(&a, 100), first);
    assert_int_equal(a.used_bytes, 112);
    arena_free(&a);
}

static void arena_has_a_limit(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 1000);
    assert_non_null(arena_try_alloc(&a, 512));
    assert_null(arena_try_alloc(&a, 512));
    assert_null(arena_try_alloc(&a, SIZE_MAX));
    assert_non_null(arena_try_alloc(&a, 480));
    arena_reset(&a);
    assert_non_null(arena_try_alloc(&a, 1000 - 8));
    arena_free(&a);
}

static unsigned released;

static void count_release(struct buf *b, void *arg)
{
    released += *(unsigned *)arg;
    mem_free(b);
}

static void buf_counts_references(void **state)
{
    (void)state;
    unsigned one = 1;
    struct buf *b = buf_from("abc", 3);
    assert_true(slice_eq_str(buf_bytes(b), "abc"));
    b->release = count_release;
    b->release_arg = &one;
    assert_ptr_equal(buf_ref(b), b);
    buf_unref(b);
    assert_int_equal(released, 0);
    buf_unref(b);
    assert_int_equal(released, 1);
    buf_unref(NULL);
}

static void bytes_grow(void **state)
{
    (void)state;
    struct bytes b = {0};
    bytes_add_u8(&b, 1);
    bytes_add_be16(&b, 0x0203);
    bytes_add_be32(&b, 0x04050607);
    bytes_add_be64(&b, 0x08090a0b0c0d0e0f);
    for (size_t i = 0; i < b.n; i++)
        assert_int_equal(b.p[i], i + 1);
    assert_int_equal(b.n, 15);
    bytes_clear(&b);
    bytes_printf(&b, "%0300d", 5); /* longer than the room that is there */
    assert_int_equal(b.n, 300);
    bytes_add_str(&b, "x");
    bytes_add_slice(&b, SLICE_LIT("yz"));
    assert_string_equal(bytes_cstr(&b) + 299, "5xyz");
    bytes_free(&b);
    assert_null(b.p);
}

static void map_holds(void **state)
{
    (void)state;
    struct map m;
    enum { N = 5000 };
    static int values[N];
    char key[32];
    map_init(&m, 7);
    assert_null(map_get(&m, SLICE_LIT("a")));
    assert_null(map_remove(&m, SLICE_LIT("a")));
    for (int i = 0; i < N; i++) {
        snprintf(key, sizeof key, "key %d", i);
        assert_null(map_put(&m, slice_str(key), &values[i]));
    }
    assert_int_equal(m.n, N);
    assert_ptr_equal(map_put(&m, SLICE_LIT("key 7"), &values[8]), &values[7]);
    assert_ptr_equal(map_put(&m, SLICE_LIT("key 7"), &values[7]), &values[8]);
    for (int i = 0; i < N; i += 2) {
        snprintf(key, sizeof key, "key %d", i);
        assert_ptr_equal(map_remove(&m, slice_str(key)), &values[i]);
    }
    struct map_iter it = {0};
    int seen = 0;
    while (map_next(&m, &it)) {
        ptrdiff_t i = (int *)it.value - values;
        snprintf(key, sizeof key, "key %td", i);
        assert_true(slice_eq_str(it.key, key));
        assert_int_equal(i % 2, 1);
        seen++;
    }
    assert_int_equal(seen, N / 2);
    assert_null(map_get(&m, SLICE_LIT("key 2")));
    assert_ptr_equal(map_get(&m, SLICE_LIT("key 3")), &values[3]);
    map_free(&m);
}

/* libsodium's crypto_shorthash is SipHash-2-4 with the key as 16 bytes, little-endian. */
static void hash_is_siphash(void **state)
{
    (void)state;
    static const uint64_t seeds[] = {0, 1, 0x0123456789abcdef, UINT64_MAX};
    uint8_t text[70];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (uint8_t)(i * 7 + 1);
    for (size_t k = 0; k < sizeof seeds / sizeof *seeds; k++) {
        uint8_t key[16];
        for (unsigned i = 0; i < 8; i++) {
            key[i] = (uint8_t)(seeds[k] >> 8 * i);
            key[8 + i] = (uint8_t)~key[i];
        }
        for (size_t n = 0; n <= sizeof text; n++) {
            uint8_t want[crypto_shorthash_BYTES];
            uint64_t h = hash_bytes(slice_of(text, n), seeds[k]);
            crypto_shorthash(want, text, n, key);
            for (unsigned i = 0; i < 8; i++)
                assert_int_equal((uint8_t)(h >> 8 * i), want[i]);
        }
    }
}

static void errors_wrap(void **state)
{
    (void)state;
    struct err e;
    assert_int_equal(err_set(&e, ERR_LIMIT, "%d is too many", 9), ERR_LIMIT);
    assert_int_equal(err_wrap(&e, "topic %s", "a"), ERR_LIMIT);
    assert_string_equal(e.msg, "topic a: 9 is too many");
    assert_int_equal(err_set(&e, ERR_IO, "again: %s", e.msg), ERR_IO);
    assert_string_equal(e.msg, "again: topic a: 9 is too many");
    assert_int_equal(err_set(NULL, ERR_DENIED, "x"), ERR_DENIED);
    assert_string_equal(err_code_name(ERR_NOT_FOUND), "not-found");
    char big[1000];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    err_set(&e, ERR_INVALID, "%s", big);
    err_wrap(&e, "%s", big);
    assert_int_equal(strlen(e.msg), sizeof e.msg - 1);
}

static struct {
    unsigned n;
    size_t fields;
    const char *event;
    int64_t number;
} logged;

static void sink(void *arg, enum log_level level, const char *room, const char *event,
                 const struct log_field *fields, size_t n)
{
    (void)level;
    (void)room;
    assert_ptr_equal(arg, &logged);
    logged.n++;
    logged.fields = n;
    logged.event = event;
    logged.number = n > 0 ? fields[0].number : 0;
}

static void log_goes_to_the_sink(void **state)
{
    (void)state;
    log_event(LOG_ERROR, "base", "nobody hears", LOG_I("n", 1));
    log_set_sink(sink, &logged, LOG_INFO);
    log_event(LOG_DEBUG, "base", "too quiet");
    assert_int_equal(logged.n, 0);
    log_event(LOG_INFO, "base", "heard", LOG_I("n", 42), LOG_T("t", "x"));
    assert_int_equal(logged.n, 1);
    assert_int_equal(logged.fields, 2);
    assert_int_equal(logged.number, 42);
    log_event(LOG_WARN, "base", "bare");
    assert_int_equal(logged.fields, 0);
    log_set_sink(NULL, NULL, LOG_INFO);
}

static void failed_assertion_ends_the_process(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        dup2(ends[1], 2);
        ASSERT(1 + 1 == 3);
        _exit(0);
    }
    close(ends[1]);
    char text[512] = {0};
    assert_true(read(ends[0], text, sizeof text - 1) > 0);
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_non_null(strstr(text, "assertion failed: 1 + 1 == 3"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena_hands_out),      cmocka_unit_test(arena_reuses),
        cmocka_unit_test(arena_has_a_limit),    cmocka_unit_test(buf_counts_references),
        cmocka_unit_test(bytes_grow),           cmocka_unit_test(map_holds),
        cmocka_unit_test(hash_is_siphash),      cmocka_unit_test(errors_wrap),
        cmocka_unit_test(log_goes_to_the_sink), cmocka_unit_test(failed_assertion_ends_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
