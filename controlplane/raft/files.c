#include "raft/files.h"

#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct folder {
    struct raft_files files; /* first: the interface is the object */
    int fd;
};

static int folder_fd(struct raft_files *f)
{
    return ((struct folder *)f)->fd;
}

static int folder_open(struct raft_files *f, const char *name, bool create)
{
    int fd = openat(folder_fd(f), name, O_RDWR | O_CLOEXEC | (create ? O_CREAT : 0), 0600);

    return fd < 0 ? -errno : fd;
}

static void folder_close(struct raft_files *f, int handle)
{
    (void)f;
    close(handle);
}

static int64_t folder_size(struct raft_files *f, int handle)
{
    struct stat st;

    (void)f;
    return fstat(handle, &st) != 0 ? -errno : (int64_t)st.st_size;
}

static int64_t folder_read(struct raft_files *f, int handle, uint64_t offset, void *p, size_t n)
{
    size_t done = 0;

    (void)f;
    while (done < n) {
        ssize_t got = pread(handle, (char *)p + done, n - done, (off_t)(offset + done));

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        done += (size_t)got;
    }
    return (int64_t)done;
}

static int folder_write(struct raft_files *f, int handle, uint64_t offset, const void *p, size_t n)
{
    size_t done = 0;

    (void)f;
    while (done < n) {
        ssize_t put = pwrite(handle, (const char *)p + done, n - done, (off_t)(offset + done));

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return -errno;
        done += (size_t)put;
    }
    return 0;
}

static int folder_allocate(struct raft_files *f, int handle, uint64_t size_bytes)
{
    int rc;

    (void)f;
    do
        rc = posix_fallocate(handle, 0, (off_t)size_bytes);
    while (rc == EINTR);
    return -rc;
}

static int folder_sync(struct raft_files *f, int handle)
{
    (void)f;
    return fdatasync(handle) != 0 ? -errno : 0;
}

static int folder_sync_folder(struct raft_files *f)
{
    return fsync(folder_fd(f)) != 0 ? -errno : 0;
}

static int folder_rename(struct raft_files *f, const char *from, const char *to)
{
    return renameat(folder_fd(f), from, folder_fd(f), to) != 0 ? -errno : 0;
}

static int folder_remove(struct raft_files *f, const char *name)
{
    return unlinkat(folder_fd(f), name, 0) != 0 ? -errno : 0;
}

static int folder_list(struct raft_files *f, void (*entry)(void *arg, const char *name), void *arg)
{
    int fd = openat(folder_fd(f), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);

    if (dir == NULL) {
        int rc = -errno;

        if (fd >= 0)
            close(fd);
        return rc;
    }
    for (;;) {
        errno = 0;
        struct dirent *d = readdir(dir);

        if (d == NULL)
            break;
        if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
            entry(arg, d->d_name);
    }
    int rc = -errno;

    closedir(dir);
    return rc;
}

/* The new folder's own name must survive a power cut too. */
static int sync_parent(const char *folder)
{
    char *path = mem_strdup(folder);
    size_t n = strlen(path);

    while (n > 1 && path[n - 1] == '/')
        path[--n] = '\0';

    char *slash = strrchr(path, '/');

    if (slash == path)
        slash[1] = '\0';
    else if (slash != NULL)
        *slash = '\0';

    int fd = open(slash == NULL ? "." : path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = fd < 0 || fsync(fd) != 0 ? -errno : 0;

    if (fd >= 0)
        close(fd);
    mem_free(path);
    return rc;
}

int raft_files_open(struct raft_files **out, const char *folder, struct err *e)
{
    *out = NULL;
    if (mkdir(folder, 0700) == 0) {
        int rc = sync_parent(folder);

        if (rc != 0)
            return err_set(e, ERR_IO, "cannot sync the parent of %s: %s", folder, strerror(-rc));
    } else if (errno != EEXIST) {
        return err_set(e, ERR_IO, "cannot make the folder %s: %s", folder, strerror(errno));
    }

    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return err_set(e, ERR_IO, "cannot open the folder %s: %s", folder, strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        int code = errno == EWOULDBLOCK ? ERR_CONFLICT : ERR_IO;

        err_set(e, (enum err_code)code, "%s is in use by another process (%s): stop it first",
                folder, strerror(errno));
        close(fd);
        return code;
    }

    struct folder *f = MEM_NEW(struct folder);

    f->fd = fd;
    f->files = (struct raft_files){
        .open = folder_open,
        .close = folder_close,
        .size = folder_size,
        .read = folder_read,
        .write = folder_write,
        .allocate = folder_allocate,
        .sync = folder_sync,
        .sync_folder = folder_sync_folder,
        .rename = folder_rename,
        .remove = folder_remove,
        .list = folder_list,
    };
    *out = &f->files;
    return 0;
}

void raft_files_close(struct raft_files *f)
{
    if (f == NULL)
        return;
    close(folder_fd(f));
    mem_free(f);
}
