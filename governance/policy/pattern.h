/* Naming patterns: PCRE2 over a whole topic name, with limits, so that no pattern can hold the
 * controller. Internal to the room. */
#ifndef POLICY_PATTERN_H
#define POLICY_PATTERN_H

#include "base/slice.h"

/* Can the pattern be used? Otherwise why (a sentence fragment) says what is wrong with it. */
bool pattern_check(struct slice pattern, char *why, size_t why_size);

enum pattern_result {
    PATTERN_MATCHES,
    PATTERN_DIFFERS,
    PATTERN_LIMIT, /* gave up within POLICY_PATTERN_*_LIMIT: counts as no match */
};
enum pattern_result pattern_match(struct slice pattern, struct slice name);

#endif
