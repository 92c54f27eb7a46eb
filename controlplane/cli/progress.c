#include "cli/internal.h"

#include <time.h>
#include <unistd.h>

static int64_t clock_ms(clockid_t id)
{
    struct timespec t;
    (void)clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t clock_now_ms(void)
{
    return clock_ms(CLOCK_REALTIME);
}

int64_t clock_monotonic_ms(void)
{
    return clock_ms(CLOCK_MONOTONIC);
}

void progress_start(struct progress *p, const char *what)
{
    *p = (struct progress){.what = what, .started_ms = clock_monotonic_ms()};
}

void progress_step(struct progress *p, uint64_t done, uint64_t total)
{
    static const char full[] = "##############################";
    int64_t now = clock_monotonic_ms();
    if (now - p->started_ms < 500 || now - p->drawn_ms < 100 || !isatty(STDERR_FILENO))
        return;
    p->drawn_ms = now;
    p->drawn = true;
    if (total == 0) {
        (void)fprintf(stderr, "\r%s ... %llds ", p->what, (long long)(now - p->started_ms) / 1000);
        return;
    }
    int width = (int)sizeof full - 1, filled = (int)(done * (uint64_t)width / total);
    (void)fprintf(stderr, "\r%s [%.*s%*s] %llu/%llu ", p->what, filled, full, width - filled, "",
                  (unsigned long long)done, (unsigned long long)total);
}

void progress_end(struct progress *p)
{
    if (p->drawn)
        (void)fprintf(stderr, "\r%80s\r", "");
}
