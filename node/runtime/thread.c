#include "runtime/thread.h"

#include "runtime/limits.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

int thread_start(pthread_t *out, void *(*run)(void *arg), void *arg, struct err *err)
{
    pthread_attr_t attr;
    sigset_t all, old;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, THREAD_STACK_BYTES);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int rc = pthread_create(out, &attr, run, arg);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attr);
    if (rc)
        return err_set(err, ERR_IO, "cannot start a thread: %s", strerror(rc));
    return 0;
}

void thread_yield_to_others(void)
{
    /* In Linux nice belongs to the thread. Failing is no harm. */
    setpriority(PRIO_PROCESS, (id_t)gettid(), THREAD_NICE);
}

void thread_name(const char *name)
{
    pthread_setname_np(pthread_self(), name);
}

uint64_t thread_clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

int64_t thread_wall_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}
