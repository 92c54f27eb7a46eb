#include "runtime/logger.h"

#include "base/codec.h"
#include "base/json.h"
#include "runtime/limits.h"
#include "runtime/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

/* The process's one log (docs/decisions/0003). */
static struct {
    pthread_mutex_t lock;
    int fd;
    char path[4096];
    int32_t node_id;
    struct bytes line;
    int64_t second;
    uint32_t in_second, dropped;
} logger = {.lock = PTHREAD_MUTEX_INITIALIZER, .fd = 2};

static const char *const level_name[] = {"debug", "info", "warn", "error"};

static void put_field(struct json_writer *w, const struct log_field *f)
{
    json_name(w, f->name);
    switch (f->type) {
    case LOG_FIELD_TEXT:
        json_put_cstr(w, f->text);
        break;
    case LOG_FIELD_INT:
        json_put_int(w, f->number);
        break;
    case LOG_FIELD_SLICE:
        json_put_string(w, f->bytes);
        break;
    }
}

static void write_line(int64_t now_ms, enum log_level level, const char *room, const char *event,
                       const struct log_field *fields, size_t n)
{
    char time[TIME_TEXT_SIZE];
    struct json_writer w;
    time_text(now_ms, time);
    bytes_clear(&logger.line);
    json_writer_init(&w, &logger.line);
    json_begin_object(&w);
    json_name(&w, "time");
    json_put_cstr(&w, time);
    json_name(&w, "level");
    json_put_cstr(&w, level_name[level]);
    json_name(&w, "node");
    json_put_int(&w, logger.node_id);
    json_name(&w, "room");
    json_put_cstr(&w, room);
    json_name(&w, "event");
    json_put_cstr(&w, event);
    for (size_t i = 0; i < n; i++)
        put_field(&w, &fields[i]);
    json_end_object(&w);
    bytes_add_u8(&logger.line, '\n');
    /* One write, so that lines of several processes on one file do not mix. A log that cannot be
     * written must not stop the node. */
    ssize_t rc = write(logger.fd, logger.line.p, logger.line.n);
    (void)rc;
    if (logger.line.cap > LOG_LINE_BYTES)
        bytes_free(&logger.line);
}

static void sink(void *arg, enum log_level level, const char *room, const char *event,
                 const struct log_field *fields, size_t n)
{
    (void)arg;
    int64_t now_ms = thread_wall_ms();
    pthread_mutex_lock(&logger.lock);
    if (now_ms / 1000 != logger.second) {
        uint32_t dropped = logger.dropped;
        logger.second = now_ms / 1000;
        logger.in_second = logger.dropped = 0;
        if (dropped) {
            struct log_field f = LOG_I("lines", dropped);
            write_line(now_ms, LOG_WARN, "runtime", "log lines dropped", &f, 1);
        }
    }
    if (logger.in_second++ < LOG_LINES_PER_S || level == LOG_ERROR)
        write_line(now_ms, level, room, event, fields, n);
    else
        logger.dropped++;
    pthread_mutex_unlock(&logger.lock);
}

static int open_file(void)
{
    return open(logger.path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
}

int logger_open(const char *path, enum log_level least, int32_t node_id, struct err *err)
{
    logger.node_id = node_id;
    if (path && *path) {
        snprintf(logger.path, sizeof logger.path, "%s", path);
        int fd = open_file();
        if (fd < 0)
            return err_set(err, ERR_IO, "cannot open log file %s: %s", path, strerror(errno));
        logger.fd = fd;
    }
    log_set_sink(sink, NULL, least);
    return 0;
}

void logger_reopen(void)
{
    if (!*logger.path)
        return;
    int fd = open_file();
    if (fd < 0) {
        log_event(LOG_ERROR, "runtime", "log file cannot be reopened", LOG_T("path", logger.path),
                  LOG_T("why", strerror(errno)));
        return;
    }
    pthread_mutex_lock(&logger.lock);
    int old = logger.fd;
    logger.fd = fd;
    pthread_mutex_unlock(&logger.lock);
    close(old);
    log_event(LOG_INFO, "runtime", "log file reopened", LOG_T("path", logger.path));
}

bool logger_level(const char *name, enum log_level *out)
{
    for (size_t i = 0; i < sizeof level_name / sizeof *level_name; i++) {
        if (strcmp(name, level_name[i]))
            continue;
        *out = (enum log_level)i;
        return true;
    }
    return false;
}
