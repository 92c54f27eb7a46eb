/* The files against the books, after a replay: what is missing is damage, what is too much is what
 * a crash left (a tail that was never synced, a segment that retention had removed). */
#include "log/state.h"

#include "base/log.h"

#include <errno.h>

static int check_segment(struct store *s, struct plog *p, struct log_segment *g, struct err *err)
{
    struct disk *d = s->disk;
    char path[DISK_PATH_MAX];
    log_path_segment(&p->id, g->base, ".log", path);
    int64_t size = d->size(d, path);
    if (size == -ENOENT) {
        size = 0;
    }
    if (size < 0) {
        return log_disk_error(err, "read", path, size);
    }
    if (size < (int64_t)g->size) {
        return err_set(err, ERR_CORRUPT,
                       "%s is missing or too short (%lld of %u bytes): restore this file from a "
                       "copy, or move the data folder away and start empty",
                       path, (long long)size, g->size);
    }
    if (size > (int64_t)g->size) {
        int e = d->truncate(d, path, g->size);
        return e ? log_disk_error(err, "truncate", path, e) : 0;
    }
    return 0;
}

int log_sweep_sizes(struct store *s, struct err *err)
{
    for (struct plog *p = s->first; p; p = p->next) {
        for (uint32_t i = 0; i < p->segments_n; i++) {
            int e = check_segment(s, p, &p->segment[i], err);
            if (e) {
                return e;
            }
        }
    }
    return 0;
}

static bool belongs(const struct plog *p, const char *name)
{
    int64_t base = 0;
    size_t i = 0;
    for (; i < 20 && name[i] >= '0' && name[i] <= '9'; i++) {
        base = (int64_t)((uint64_t)base * 10 + (uint64_t)(name[i] - '0'));
    }
    if (i < 20 || (strcmp(name + 20, ".log") != 0 && strcmp(name + 20, ".index") != 0)) {
        return false;
    }
    return log_segment_find(p, base) != NULL;
}

static int sweep_dir(struct store *s, const struct plog_id *id, const struct plog *p,
                     struct err *err)
{
    struct disk *d = s->disk;
    char dir[DISK_PATH_MAX], path[DISK_PATH_MAX];
    struct bytes names = {0};
    log_path_dir(id, dir);
    int e = log_list(d, dir, &names, err);
    for (size_t at = 0; !e && at < names.n; at += strlen((char *)names.p + at) + 1) {
        const char *name = (const char *)names.p + at;
        size_t dir_n = strlen(dir), name_n = strlen(name);
        if ((p && belongs(p, name)) || dir_n + name_n + 2 > sizeof path) {
            continue;
        }
        memcpy(path, dir, dir_n);
        path[dir_n] = '/';
        memcpy(path + dir_n + 1, name, name_n + 1);
        int x = d->remove(d, path);
        e = x ? log_disk_error(err, "remove", path, x) : 0;
    }
    bytes_free(&names);
    if (!e && !p) {
        int x = d->remove(d, dir);
        e = x ? log_disk_error(err, "remove", dir, x) : 0;
        log_event(LOG_INFO, "log", "removed what a deleted replica left", LOG_T("path", dir));
    }
    return e;
}

int log_sweep_strangers(struct store *s, struct err *err)
{
    struct bytes names = {0};
    int e = log_list(s->disk, "topics", &names, err);
    for (size_t at = 0; !e && at < names.n; at += strlen((char *)names.p + at) + 1) {
        struct plog_id id;
        if (log_path_parse_dir((const char *)names.p + at, &id)) {
            e = sweep_dir(s, &id, store_find(s, &id), err);
        }
    }
    bytes_free(&names);
    return e;
}
