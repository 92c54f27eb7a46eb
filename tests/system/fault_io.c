/* Preloaded into a node: makes the next syncs or writes of files whose path holds a word fail, once
 * a trigger file exists. FAULT_TRIGGER names it; its text is "<call> <word> <errno>", for example
 * "fdatasync journal 5". */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static int due(const char *call, int fd)
{
    const char *path = getenv("FAULT_TRIGGER");
    FILE *f = path ? fopen(path, "r") : NULL;
    char name[32], word[64], link[64], target[4096];
    int code = 0;
    if (!f)
        return 0;
    int n = fscanf(f, "%31s %63s %d", name, word, &code);
    fclose(f);
    if (n != 3 || strcmp(name, call))
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t got = readlink(link, target, sizeof target - 1);
    if (got < 0)
        return 0;
    target[got] = 0;
    return strstr(target, word) ? code : 0;
}

int fdatasync(int fd)
{
    static int (*real)(int);
    int code = due("fdatasync", fd);
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "fdatasync");
    if (!code)
        return real(fd);
    errno = code;
    return -1;
}

ssize_t pwritev(int fd, const struct iovec *iov, int n, off_t offset)
{
    static ssize_t (*real)(int, const struct iovec *, int, off_t);
    int code = due("pwritev", fd);
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "pwritev");
    if (!code)
        return real(fd, iov, n, offset);
    errno = code;
    return -1;
}
