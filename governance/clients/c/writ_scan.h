/* Internal to writ_verify.c: a scan over the protected header's JSON, in place. Strings are
 * unescaped where they stand, which never makes them longer. The text ends with a NUL and has none
 * inside. */
#ifndef WRIT_SCAN_H
#define WRIT_SCAN_H

#include <stdint.h>

struct scan {
    char *p;
    int depth;
};

/* Each skips white space, then takes what it names; 0 when it is not there or not valid JSON. */
int scan_take(struct scan *s, char c);
int scan_string(struct scan *s, char **out); /* NUL-terminated: the NUL replaces a byte of it */
int scan_uint(struct scan *s, int64_t *out); /* digits only, below 2^53 */
int scan_skip(struct scan *s);               /* any value, nested at most 8 deep */

#endif
