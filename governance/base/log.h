/* The log sink: the one piece of process-wide state (docs/decisions/0003). Pure rooms may call
 * log_event; the shell installs the sink that writes. Without a sink nothing happens. One event is
 * one JSON line: time, level, node, room, event, then the fields. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/slice.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

struct log_field {
    const char *name;
    enum { LOG_FIELD_TEXT, LOG_FIELD_INT, LOG_FIELD_SLICE } type;
    const char *text; /* NULL: null */
    int64_t number;
    struct slice bytes;
};

#define LOG_T(name_, text_)                                                                        \
    ((struct log_field){.name = (name_), .type = LOG_FIELD_TEXT, .text = (text_)})
#define LOG_I(name_, num_)                                                                         \
    ((struct log_field){.name = (name_), .type = LOG_FIELD_INT, .number = (int64_t)(num_)})
#define LOG_S(name_, slice_)                                                                       \
    ((struct log_field){.name = (name_), .type = LOG_FIELD_SLICE, .bytes = (slice_)})

typedef void (*log_sink)(void *arg, enum log_level level, const char *room, const char *event,
                         const struct log_field *fields, size_t n);

/* Set once, before threads start; the sink must be safe to call from every thread. */
void log_set_sink(log_sink sink, void *arg, enum log_level least);
void log_write(enum log_level level, const char *room, const char *event,
               const struct log_field *fields, size_t n);

/* log_event(LOG_INFO, "broker", "view switched", LOG_I("version", v), LOG_T("why", w)); */
#define log_event(level, room, event, ...)                                                         \
    do {                                                                                           \
        const struct log_field log_fields_[] = {{0}, ##__VA_ARGS__};                               \
        log_write(level, room, event, log_fields_ + 1,                                             \
                  sizeof log_fields_ / sizeof log_fields_[0] - 1);                                 \
    } while (0)

#endif
