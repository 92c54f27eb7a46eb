#include "runtime/inbox.h"

#include "base/check.h"
#include "base/mem.h"
#include "runtime/limits.h"

#include <string.h>

static void on_wake(uv_async_t *h)
{
    inbox_drain(h->data);
}

int inbox_init(struct inbox *b, uv_loop_t *loop,
               void (*receive)(void *arg, const struct inbox_message *m), void *arg)
{
    memset(b, 0, sizeof *b);
    pthread_mutex_init(&b->lock, NULL);
    b->receive = receive;
    b->arg = arg;
    b->wake.data = b;
    return uv_async_init(loop, &b->wake, on_wake);
}

void inbox_post(struct inbox *b, const struct inbox_message *m, size_t n)
{
    pthread_mutex_lock(&b->lock);
    if (b->n + n > b->cap) {
        while (b->n + n > b->cap)
            b->cap = b->cap ? 2 * b->cap : 64;
        b->v = mem_realloc(b->v, b->cap * sizeof *b->v);
    }
    memcpy(b->v + b->n, m, n * sizeof *m);
    bool first = b->n == 0;
    b->n += n;
    pthread_mutex_unlock(&b->lock);
    if (first)
        uv_async_send(&b->wake);
}

void inbox_drain(struct inbox *b)
{
    pthread_mutex_lock(&b->lock);
    struct inbox_message *v = b->v;
    size_t n = b->n, cap = b->cap;
    b->v = b->taken;
    b->cap = b->taken_cap;
    b->n = 0;
    b->taken = NULL;
    b->taken_cap = 0;
    pthread_mutex_unlock(&b->lock);
    for (size_t i = 0; i < n; i++)
        b->receive(b->arg, &v[i]);
    if (cap > INBOX_MESSAGES_KEPT) {
        mem_free(v);
        return;
    }
    /* Only this thread touches `taken` outside the lock's swap, and a nested drain may have put
     * its own array there. */
    mem_free(b->taken);
    b->taken = v;
    b->taken_cap = cap;
}

void inbox_close(struct inbox *b)
{
    uv_close((uv_handle_t *)&b->wake, NULL);
}

void inbox_free(struct inbox *b)
{
    mem_free(b->v);
    mem_free(b->taken);
    pthread_mutex_destroy(&b->lock);
}
