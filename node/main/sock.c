#include "main/sock.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 16, ASK_TIMEOUT_S = 5, ANSWER_MAX_BYTES = 1 << 20 };

static const char name[] = "status.sock";

struct sock {
    uv_pipe_t pipe;
    void (*write)(void *arg, struct bytes *out);
    void *arg;
};

struct answer {
    uv_pipe_t pipe;
    uv_write_t write;
    struct bytes text;
};

static void on_answer_closed(uv_handle_t *h)
{
    struct answer *a = h->data;
    bytes_free(&a->text);
    mem_free(a);
}

static void on_written(uv_write_t *w, int status)
{
    struct answer *a = w->data;
    (void)status;
    uv_close((uv_handle_t *)&a->pipe, on_answer_closed);
}

static void on_connection(uv_stream_t *server, int status)
{
    struct sock *s = server->data;
    if (status < 0)
        return;
    struct answer *a = MEM_NEW(struct answer);
    uv_pipe_init(server->loop, &a->pipe, 0);
    a->pipe.data = a->write.data = a;
    if (uv_accept(server, (uv_stream_t *)&a->pipe) < 0) {
        uv_close((uv_handle_t *)&a->pipe, on_answer_closed);
        return;
    }
    s->write(s->arg, &a->text);
    bytes_add_u8(&a->text, '\n');
    uv_buf_t buf = uv_buf_init((char *)a->text.p, (unsigned)a->text.n);
    if (uv_write(&a->write, (uv_stream_t *)&a->pipe, &buf, 1, on_written) < 0)
        uv_close((uv_handle_t *)&a->pipe, on_answer_closed);
}

static void on_closed(uv_handle_t *h)
{
    mem_free(h->data);
}

/* A socket's path has 108 bytes at most, a data folder's may be longer: go through the descriptor.
 */
static void short_path(int dir_fd, char out[64])
{
    snprintf(out, 64, "/proc/self/fd/%d/%s", dir_fd, name);
}

int sock_open(struct sock **out, uv_loop_t *loop, int dir_fd,
              void (*write)(void *arg, struct bytes *out), void *arg, struct err *err)
{
    struct sock *s = MEM_NEW(struct sock);
    char path[64];
    s->write = write;
    s->arg = arg;
    uv_pipe_init(loop, &s->pipe, 0);
    s->pipe.data = s;
    unlinkat(dir_fd, name, 0); /* of an earlier process: the folder's lock is ours */
    short_path(dir_fd, path);
    int rc = uv_pipe_bind(&s->pipe, path);
    if (!rc)
        rc = uv_listen((uv_stream_t *)&s->pipe, BACKLOG, on_connection);
    if (rc) {
        uv_close((uv_handle_t *)&s->pipe, on_closed);
        return err_set(err, ERR_IO, "cannot open the socket %s in the data folder: %s", name,
                       uv_strerror(rc));
    }
    fchmodat(dir_fd, name, 0660, 0);
    *out = s;
    return 0;
}

void sock_close(struct sock *s)
{
    uv_close((uv_handle_t *)&s->pipe, on_closed);
}

int sock_ask(const char *data, struct bytes *out, struct err *err)
{
    int dir_fd = open(data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0)
        return err_set(err, ERR_NOT_FOUND, "data folder %s: %s", data, strerror(errno));
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    short_path(dir_fd, sa.sun_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval limit = {.tv_sec = ASK_TIMEOUT_S};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    int rc = connect(fd, (struct sockaddr *)&sa, sizeof sa);
    ssize_t n = -1;
    while (!rc && out->n < ANSWER_MAX_BYTES) {
        bytes_reserve(out, 4096);
        n = read(fd, out->p + out->n, 4096);
        if (n <= 0)
            break;
        out->n += (size_t)n;
    }
    int saved = errno;
    close(fd);
    close(dir_fd);
    if (rc < 0)
        return err_set(err, ERR_UNAVAILABLE, "no node runs on %s (%s)", data, strerror(saved));
    if (n < 0)
        return err_set(err, ERR_UNAVAILABLE, "the node on %s does not answer (%s)", data,
                       strerror(saved));
    return 0;
}
