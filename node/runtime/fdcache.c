#include "runtime/fdcache.h"

#include "base/check.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

void fdcache_init(struct fdcache *c, int dir_fd, int flags, unsigned max)
{
    *c = (struct fdcache){.dir_fd = dir_fd, .flags = flags | O_CLOEXEC, .max = max};
    map_init(&c->by_path, (uint64_t)(uintptr_t)c);
}

static void unlink_file(struct fdcache *c, struct fdcache_file *f)
{
    *(f->newer ? &f->newer->older : &c->newest) = f->older;
    *(f->older ? &f->older->newer : &c->oldest) = f->newer;
    f->newer = f->older = NULL;
}

static void push_newest(struct fdcache *c, struct fdcache_file *f)
{
    f->newer = NULL;
    f->older = c->newest;
    *(c->newest ? &c->newest->newer : &c->oldest) = f;
    c->newest = f;
}

static void drop_file(struct fdcache *c, struct fdcache_file *f)
{
    unlink_file(c, f);
    map_remove(&c->by_path, slice_str(f->path));
    f->cached = false;
    c->n--;
    fdcache_put(f);
}

void fdcache_clear(struct fdcache *c)
{
    while (c->oldest)
        drop_file(c, c->oldest);
}

void fdcache_free(struct fdcache *c)
{
    fdcache_clear(c);
    map_free(&c->by_path);
}

void fdcache_put(struct fdcache_file *f)
{
    ASSERT(f->refs > 0);
    if (--f->refs)
        return;
    close(f->fd);
    mem_free(f);
}

void fdcache_drop(struct fdcache *c, const char *path)
{
    struct fdcache_file *f = map_get(&c->by_path, slice_str(path));
    if (f)
        drop_file(c, f);
}

struct fdcache_file *fdcache_get(struct fdcache *c, const char *path, uint64_t tag)
{
    struct fdcache_file *f = map_get(&c->by_path, slice_str(path));
    if (f && f->tag != tag) {
        drop_file(c, f);
        f = NULL;
    }
    if (f) {
        if (c->newest != f) {
            unlink_file(c, f);
            push_newest(c, f);
        }
        f->refs++;
        return f;
    }
    int fd = openat(c->dir_fd, path, c->flags, 0640);
    if (fd < 0)
        return NULL;
    size_t n = strlen(path) + 1;
    f = mem_alloc(sizeof *f + n);
    *f = (struct fdcache_file){.fd = fd, .refs = 2, .cached = true, .tag = tag};
    memcpy(f->path, path, n);
    map_put(&c->by_path, slice_str(path), f);
    push_newest(c, f);
    if (++c->n > c->max)
        drop_file(c, c->oldest);
    return f;
}
