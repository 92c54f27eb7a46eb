/* Threads and clocks, in the way that all of this room uses them. */
#ifndef RUNTIME_THREAD_H
#define RUNTIME_THREAD_H

#include "base/err.h"

#include <pthread.h>
#include <stdint.h>

/* A joinable thread with a small stack and all signals blocked (they go to the main thread). */
int thread_start(pthread_t *out, void *(*run)(void *arg), void *arg, struct err *err);
/* The calling thread yields to others of the process: for work that may use all processors. */
void thread_yield_to_others(void);
void thread_name(const char *name); /* of the calling thread; at most 15 characters */

uint64_t thread_clock_ns(void); /* CLOCK_MONOTONIC */
int64_t thread_wall_ms(void);   /* CLOCK_REALTIME */

#endif
