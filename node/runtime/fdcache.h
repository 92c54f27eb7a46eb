/* A bounded cache of open files, least recently used first out. Entries are reference-counted, so a
 * file that is being sent stays open after it has left the cache. Owned by one thread. */
#ifndef RUNTIME_FDCACHE_H
#define RUNTIME_FDCACHE_H

#include "base/map.h"
#include "base/slice.h"

struct fdcache_file {
    int fd;
    uint32_t refs;                      /* the cache's own counts */
    struct fdcache_file *newer, *older; /* NULL, NULL when not in the cache */
    bool cached;
    uint64_t tag; /* which file it was when it was opened; the caller's */
    char path[];
};

struct fdcache {
    int dir_fd; /* paths are relative to it; borrowed */
    int flags;  /* of openat, besides O_CLOEXEC */
    unsigned max;
    unsigned n;
    struct map by_path;
    struct fdcache_file *newest, *oldest;
};

void fdcache_init(struct fdcache *c, int dir_fd, int flags, unsigned max);
void fdcache_clear(struct fdcache *c); /* drops all; referenced files stay open until put */
void fdcache_free(struct fdcache *c);
/* Opens or finds; a cached file with another tag is replaced. NULL with errno set. The reference is
 * given back with fdcache_put. */
struct fdcache_file *fdcache_get(struct fdcache *c, const char *path, uint64_t tag);
void fdcache_put(struct fdcache_file *f);
void fdcache_drop(struct fdcache *c, const char *path); /* no-op when absent */

#endif
