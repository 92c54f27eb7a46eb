#include "base/err.h"

#include <stdio.h>
#include <string.h>

int err_set(struct err *e, enum err_code code, const char *fmt, ...)
{
    if (e == NULL)
        return (int)code;
    e->code = code;
    va_list ap;
    va_start(ap, fmt);
    /* Formatted aside first: an argument may be e->msg itself. */
    char text[sizeof e->msg];
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (n < 0)
        text[0] = '\0';
    memcpy(e->msg, text, sizeof text);
    return (int)code;
}

int err_wrap(struct err *e, const char *fmt, ...)
{
    if (e == NULL)
        return 0;
    char text[sizeof e->msg];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (n < 0)
        return (int)e->code;
    size_t used = strlen(text);
    size_t room = sizeof text - used; /* at least 1: the NUL */
    if (room > 3) {
        size_t length = strnlen(e->msg, room - 3);
        memcpy(text + used, ": ", 2);
        memcpy(text + used + 2, e->msg, length);
        text[used + 2 + length] = '\0';
    }
    memcpy(e->msg, text, sizeof text);
    return (int)e->code;
}

const char *err_code_name(enum err_code code)
{
    switch (code) {
    case ERR_OK:
        return "ok";
    case ERR_INVALID:
        return "invalid";
    case ERR_NOT_FOUND:
        return "not-found";
    case ERR_CONFLICT:
        return "conflict";
    case ERR_LIMIT:
        return "limit";
    case ERR_CORRUPT:
        return "corrupt";
    case ERR_IO:
        return "io";
    case ERR_UNSUPPORTED:
        return "unsupported";
    case ERR_DENIED:
        return "denied";
    case ERR_UNAVAILABLE:
        return "unavailable";
    }
    return "unknown";
}
