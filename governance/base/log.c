#include "base/log.h"

/* The only writable file-scope data of the pure rooms; set before threads start. */
static log_sink sink_function;
static void *sink_arg;
static enum log_level sink_least;

void log_set_sink(log_sink sink, void *arg, enum log_level least)
{
    sink_function = sink;
    sink_arg = arg;
    sink_least = least;
}

void log_write(enum log_level level, const char *room, const char *event,
               const struct log_field *fields, size_t n)
{
    if (sink_function != NULL && level >= sink_least)
        sink_function(sink_arg, level, room, event, fields, n);
}
