/* An error with its context, filled by the callee, wrapped on the way up. Functions that can fail
 * return int: 0 or the (negative) enum err_code that also stands in the struct. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdarg.h>

enum err_code {
    ERR_OK = 0,
    ERR_INVALID = -1, /* the input breaks a rule; msg says which */
    ERR_NOT_FOUND = -2,
    ERR_CONFLICT = -3,    /* the state has moved or is in the way */
    ERR_LIMIT = -4,       /* a limit would be passed */
    ERR_CORRUPT = -5,     /* stored bytes are damaged */
    ERR_IO = -6,          /* the operating system said no; msg has errno's text */
    ERR_UNSUPPORTED = -7, /* not built yet, or not by this version */
    ERR_DENIED = -8,
    ERR_UNAVAILABLE = -9, /* try again later */
};

struct err {
    enum err_code code;
    char msg[512];
};

/* Fill *e (NULL is allowed) and return code. */
int err_set(struct err *e, enum err_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Puts "prefix: " before the message; returns e->code. */
int err_wrap(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
const char *err_code_name(enum err_code code); /* "invalid", "not-found", ... */

#endif
