/* Views in the hands of other threads while the catalogue goes on: run under tsan, this shows that
 * publishing and giving back need nothing but the counts. */
#include "help.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#include <cmocka.h>

enum { READERS = 2, CHANGES = 200 };

struct desk {
    pthread_mutex_t lock;
    const struct view *view; /* one reference */
    _Atomic bool done;
    _Atomic unsigned looks;
};

static void *read_views(void *arg)
{
    struct desk *d = arg;
    uint64_t version = 0;
    while (!atomic_load(&d->done)) {
        pthread_mutex_lock(&d->lock);
        const struct view *v = view_ref(d->view);
        pthread_mutex_unlock(&d->lock);
        bool fine = v->version >= version;
        version = v->version;
        for (size_t i = 0; i < v->topics_n; i++) {
            const struct view_topic *t = view_topic_by_name(v, v->topic[i]->name);
            fine &= t == v->topic[i] && view_topic_by_id(v, &t->id) == t && t->partitions_n > 0;
        }
        view_unref(v);
        atomic_fetch_add(&d->looks, 1);
        if (!fine)
            return d;
    }
    return NULL;
}

static void publish(struct desk *d, const struct view *v)
{
    pthread_mutex_lock(&d->lock);
    const struct view *old = d->view;
    d->view = v;
    pthread_mutex_unlock(&d->lock);
    view_unref(old);
}

static void test_readers(void **state)
{
    (void)state;
    struct world w;
    struct desk desk = {.lock = PTHREAD_MUTEX_INITIALIZER};
    pthread_t thread[READERS];
    char doc[400];
    world_open(&w);
    w.check = false;
    world_must(&w, "[" TEAM("t") "]", true);
    desk.view = catalogue_view(w.a);
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, read_views, &desk), 0);
    for (unsigned i = 0; i < CHANGES; i++) {
        unsigned n = (unsigned)world_random(&w) % 8;
        snprintf(
            doc, sizeof doc,
            "[{\"kind\":\"Topic\",\"name\":\"n%u\",\"team\":\"t\",\"value\":{\"format\":\"json\","
            "\"schema\":{\"minProperties\":%u}},\"description\":\"%u\"}]",
            n, i % 3, i);
        world_must(&w, doc, true);
        if (i % 5 == 4) {
            snprintf(doc, sizeof doc, "n%u", n);
            struct result r = world_delete(&w, DOCUMENT_TOPIC, doc, "loses-records");
            assert_int_equal(r.code, ERR_OK);
            result_free(&r);
        }
        publish(&desk, catalogue_view(w.a));
    }
    atomic_store(&desk.done, true);
    for (int i = 0; i < READERS; i++) {
        void *bad;
        pthread_join(thread[i], &bad);
        assert_null(bad);
    }
    assert_true(atomic_load(&desk.looks) > 0);
    view_unref(desk.view);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_readers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
