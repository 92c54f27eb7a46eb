/* Walks over any message by its descriptor: fill with random values, write as text. For tests and
 * for the fuzz seeds; independent of the codecs. */
#ifndef TEST_WIRE_MESSAGE_TOOLS_H
#define TEST_WIRE_MESSAGE_TOOLS_H

#include "base/arena.h"
#include "base/bytes.h"
#include "wire/describe.h"

struct test_random {
    uint64_t state;
};
uint64_t test_random_next(struct test_random *r);
uint64_t test_random_below(struct test_random *r, uint64_t n);

/* A struct of `s` in the arena with random values in the fields that the version has and defaults
 * elsewhere. Arrays have up to `many` elements. */
void *message_fill(struct test_random *r, const struct wire_struct *s, int16_t version,
                   unsigned many, struct arena *a);

/* Every field that the version has, in the order of the declaration, as `name=value` words: numbers
 * in decimal, strings as s:hex, uuids as u:hex, arrays as [count, null as null. */
void message_dump(const struct wire_struct *s, int16_t version, const void *message,
                  struct bytes *out);

#endif
