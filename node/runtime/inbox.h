/* Messages from other threads into a libuv loop: a mutex-guarded array and one wake-up. Every
 * sender is bounded by something of its own (the memory budget, the pool's queue, one view, one
 * request per connection), so the array is bounded by them. */
#ifndef RUNTIME_INBOX_H
#define RUNTIME_INBOX_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct inbox_message {
    int kind; /* the receiver's enum */
    int status;
    uint64_t id;
    void *p;
};

struct inbox {
    pthread_mutex_t lock;
    struct inbox_message *v, *taken;
    size_t n, cap, taken_cap;
    uv_async_t wake;
    void (*receive)(void *arg, const struct inbox_message *m);
    void *arg;
};

int inbox_init(struct inbox *b, uv_loop_t *loop,
               void (*receive)(void *arg, const struct inbox_message *m), void *arg);
void inbox_post(struct inbox *b, const struct inbox_message *m, size_t n); /* any thread */
void inbox_drain(struct inbox *b); /* the loop's thread: delivers what is there now */
void inbox_close(struct inbox *b); /* closes the handle; free after the loop has run it down */
void inbox_free(struct inbox *b);

#endif
