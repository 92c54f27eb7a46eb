#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Noreturn void check_failed(const char *file, int line, const char *expr)
{
    /* snprintf into the stack and write(2): the heap and stdio may be what is broken. */
    char text[512];
    int n = snprintf(text, sizeof text, "%s:%d: assertion failed: %s\n", file, line, expr);
    if (n > 0) {
        size_t size = (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
        ssize_t wrote = write(2, text, size);
        (void)wrote;
    }
    abort();
}
