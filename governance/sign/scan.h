/* The protected header's JSON: a bounded scan in place, for at most SIGN_PROTECTED_MAX_BYTES. It
 * accepts exactly RFC 8259 objects with unique member names and does not allocate; strings are
 * unescaped where they stand, which never makes them longer. Internal to the room. */
#ifndef SIGN_SCAN_H
#define SIGN_SCAN_H

#include "base/slice.h"

struct scan {
    uint8_t *p; /* the next byte; moves forward only */
    uint8_t *end;
};

enum { SCAN_DEPTH_MAX = 8, SCAN_MEMBERS_MAX = 32 };

void scan_space(struct scan *s);
/* Skips white space, then takes the byte c if it is there. */
bool scan_take(struct scan *s, char c);
/* Each of these skips white space first and returns false when the value is not there or not valid
 * JSON. The slice points into the text and is valid UTF-8. */
bool scan_string(struct scan *s, struct slice *out);
bool scan_uint(struct scan *s, int64_t most, int64_t *out); /* digits only: no sign, no fraction */
bool scan_false(struct scan *s);
bool scan_skip(struct scan *s); /* any value */

#endif
