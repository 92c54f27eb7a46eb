#include "cli/client.h"

#include "cli/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int client_target_parse(struct client_target *t, const char *server, struct err *err)
{
    t->host[0] = '\0';
    (void)snprintf(t->port, sizeof t->port, "9192");
    if (strncmp(server, "https://", 8) == 0)
        return err_set(err, ERR_UNSUPPORTED, "TLS to the admin API is not built yet: %s", server);
    const char *p = strncmp(server, "http://", 7) == 0 ? server + 7 : server;
    size_t n = strcspn(p, "/");
    if (n < strlen(p) && strcmp(p + n, "/") != 0)
        return err_set(err, ERR_INVALID, "a server is http://host:port, without a path: %s",
                       server);
    const char *host = p, *colon;
    size_t host_n;
    if (*p == '[') { /* an IPv6 address */
        host = p + 1;
        host_n = strcspn(host, "]/");
        colon = host + host_n < p + n && host[host_n] == ']' ? host + host_n + 1 : NULL;
        if (colon == NULL || (colon < p + n && *colon != ':'))
            return err_set(err, ERR_INVALID, "not a server: %s", server);
    } else {
        host_n = strcspn(p, ":/");
        colon = p + host_n;
    }
    if (host_n == 0 || host_n >= sizeof t->host)
        return err_set(err, ERR_INVALID, "not a server: %s (try http://127.0.0.1:9192)", server);
    (void)snprintf(t->host, sizeof t->host, "%.*s", (int)host_n, host);
    if (colon < p + n) {
        size_t port_n = (size_t)(p + n - colon - 1);
        if (port_n == 0 || port_n > 5 || strspn(colon + 1, "0123456789") != port_n)
            return err_set(err, ERR_INVALID, "not a port in %s", server);
        (void)snprintf(t->port, sizeof t->port, "%.*s", (int)port_n, colon + 1);
    }
    return 0;
}

static const char *where(const struct client_target *t, char out[400])
{
    (void)snprintf(out, 400, strchr(t->host, ':') != NULL ? "http://[%s]:%s" : "http://%s:%s",
                   t->host, t->port);
    return out;
}

static int unreachable(const struct client_target *t, const char *why, struct err *err)
{
    char name[400];
    return err_set(err, ERR_UNAVAILABLE, "cannot reach %s: %s", where(t, name), why);
}

/* Waits until the socket is ready; false at the deadline. */
static bool ready(int fd, short events, int64_t deadline_ms)
{
    struct pollfd p = {.fd = fd, .events = events};
    for (;;) {
        int64_t left = deadline_ms - clock_monotonic_ms();
        int rc = left <= 0 ? 0 : poll(&p, 1, (int)left);
        if (rc >= 0 || errno != EINTR)
            return rc > 0;
    }
}

/* A connected, non-blocking socket, or -1 with errno. */
static int try_connect(int family, const struct sockaddr *address, socklen_t n)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    int error = 0;
    socklen_t error_n = sizeof error;
    if (connect(fd, address, n) == 0)
        return fd;
    if (errno != EINPROGRESS)
        error = errno;
    else if (!ready(fd, POLLOUT, clock_monotonic_ms() + CLI_CONNECT_TIMEOUT_MS))
        error = ETIMEDOUT;
    else
        (void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_n);
    if (error == 0)
        return fd;
    (void)close(fd);
    errno = error;
    return -1;
}

static int connect_to(const struct client_target *t, int *fd, struct err *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    int rc = getaddrinfo(t->host, t->port, &hints, &list);
    if (rc != 0)
        return unreachable(t, gai_strerror(rc), err);
    *fd = -1;
    for (struct addrinfo *a = list; a != NULL && *fd < 0; a = a->ai_next)
        *fd = try_connect(a->ai_family, a->ai_addr, a->ai_addrlen);
    int saved = errno;
    freeaddrinfo(list);
    return *fd >= 0 ? 0 : unreachable(t, strerror(saved), err);
}

static int send_all(const struct client_target *t, int fd, struct slice s, int64_t deadline_ms,
                    struct err *err)
{
    while (s.n > 0) {
        ssize_t n = send(fd, s.p, s.n, MSG_NOSIGNAL);
        if (n > 0)
            s = slice_of(s.p + n, s.n - (size_t)n);
        else if (errno == EPIPE || errno == ECONNRESET)
            return 0; /* the server may have answered and closed already */
        else if (errno != EAGAIN && errno != EINTR)
            return unreachable(t, strerror(errno), err);
        else if (!ready(fd, POLLOUT, deadline_ms))
            return unreachable(t, "the request was not taken in time", err);
    }
    return 0;
}

static int receive_all(const struct client_target *t, int fd, int64_t deadline_ms,
                       struct bytes *out, struct err *err)
{
    struct progress p;
    progress_start(&p, "waiting for the node");
    int rc = 0;
    for (;;) {
        int64_t step = clock_monotonic_ms() + 200;
        progress_step(&p, 0, 0);
        bytes_reserve(out, 65536);
        ssize_t n = recv(fd, out->p + out->n, 65536, 0);
        if (n > 0) {
            out->n += (size_t)n;
            if (out->n > CLI_ANSWER_MAX_BYTES + CLI_ANSWER_HEAD_MAX_BYTES)
                rc = err_set(err, ERR_LIMIT, "the answer is larger than %d MiB",
                             CLI_ANSWER_MAX_BYTES >> 20);
        } else if (n == 0) {
            break;
        } else if (errno != EAGAIN && errno != EINTR) {
            if (errno == ECONNRESET && out->n > 0)
                break;
            rc = unreachable(t, strerror(errno), err);
        } else if (!ready(fd, POLLIN, step < deadline_ms ? step : deadline_ms) &&
                   clock_monotonic_ms() >= deadline_ms) {
            rc = unreachable(t, "no answer in time; what was asked may still happen", err);
        }
        if (rc != 0)
            break;
    }
    progress_end(&p);
    return rc;
}

/* A head field's value (name in lower case, with its colon), or NULL. */
static const char *field(const char *head, const char *name)
{
    size_t n = strlen(name);
    for (const char *p = strstr(head, "\r\n"); p != NULL; p = strstr(p, "\r\n")) {
        p += 2;
        if (strncasecmp(p, name, n) == 0)
            return p + n + strspn(p + n, " ");
    }
    return NULL;
}

/* The whole answer in raw -> its status and body. */
static int take_answer(const struct client_target *t, struct bytes *raw, int *status,
                       struct bytes *answer, struct err *err)
{
    char name[400];
    const char *text = bytes_cstr(raw);
    char *end = strstr(text, "\r\n\r\n");
    if (raw->n == 0)
        return unreachable(t, "it closed the connection without an answer", err);
    if (end == NULL || strncmp(text, "HTTP/1.1 ", 9) != 0 || field(text, "transfer-encoding:"))
        return err_set(err, ERR_CORRUPT,
                       "%s does not answer as Writ does: is it the admin address?", where(t, name));
    size_t head_n = (size_t)(end - text) + 4;
    *end = '\0';
    *status = atoi(text + 9);
    const char *length = field(text, "content-length:");
    size_t body_n = length != NULL ? (size_t)strtoull(length, NULL, 10) : 0;
    if (body_n != raw->n - head_n)
        return unreachable(t, "the answer was cut off", err);
    bytes_clear(answer);
    bytes_add(answer, raw->p + head_n, body_n);
    return 0;
}

int client_call(const struct client_target *t, const char *method, const char *path,
                const struct bytes *body, int *status, struct bytes *answer, struct err *err)
{
    struct bytes head = {0}, raw = {0};
    int fd = -1;
    int rc = connect_to(t, &fd, err);
    if (rc != 0)
        return rc;
    int64_t deadline_ms = clock_monotonic_ms() + CLI_ANSWER_TIMEOUT_MS;
    bytes_printf(&head,
                 "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n"
                 "Accept: application/json\r\nUser-Agent: writ/" WRIT_VERSION "\r\n",
                 method, path, t->host);
    if (t->token[0] != '\0')
        bytes_printf(&head, "Authorization: Bearer %s\r\n", t->token);
    if (body != NULL)
        bytes_printf(&head, "Content-Type: application/json\r\nContent-Length: %zu\r\n", body->n);
    else if (strcmp(method, "GET") != 0)
        bytes_add_str(&head, "Content-Length: 0\r\n");
    bytes_add_str(&head, "\r\n");
    rc = send_all(t, fd, bytes_slice(&head), deadline_ms, err);
    if (rc == 0 && body != NULL)
        rc = send_all(t, fd, bytes_slice(body), deadline_ms, err);
    if (rc == 0)
        rc = receive_all(t, fd, deadline_ms, &raw, err);
    if (rc == 0)
        rc = take_answer(t, &raw, status, answer, err);
    (void)close(fd);
    bytes_free(&head);
    bytes_free(&raw);
    return rc;
}

int client_status(const char *folder, struct bytes *answer, struct err *err)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int n = snprintf(a.sun_path, sizeof a.sun_path, "%s/status.sock", folder);
    if (n < 0 || (size_t)n >= sizeof a.sun_path)
        return err_set(err, ERR_INVALID, "%s: the path is too long for a Unix socket", folder);
    int fd = try_connect(AF_UNIX, (const struct sockaddr *)&a, sizeof a);
    if (fd < 0)
        return err_set(err, ERR_UNAVAILABLE, "no node runs on %s: %s", folder, strerror(errno));
    struct client_target t = {.host = "status.sock"};
    int rc = receive_all(&t, fd, clock_monotonic_ms() + CLI_CONNECT_TIMEOUT_MS, answer, err);
    (void)close(fd);
    return rc;
}
