#include "cli/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

int file_read(const char *path, size_t most, struct bytes *out, struct err *err)
{
    bool standard = strcmp(path, "-") == 0;
    int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
    int rc = 0;
    for (;;) {
        bytes_reserve(out, 65536);
        ssize_t n = read(fd, out->p + out->n, 65536);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            rc =
                err_set(err, ERR_IO, "%s: %s", standard ? "standard input" : path, strerror(errno));
        if (n <= 0)
            break;
        out->n += (size_t)n;
        if (out->n > most) {
            rc = err_set(err, ERR_LIMIT, "%s is larger than %zu bytes",
                         standard ? "standard input" : path, most);
            break;
        }
    }
    if (!standard)
        (void)close(fd);
    return rc;
}
