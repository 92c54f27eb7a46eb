/* A growing byte string for building output. Zero-initialise; bytes_free when done. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include "base/slice.h"

#include <stdarg.h>

struct bytes {
    uint8_t *p; /* owned */
    size_t n;
    size_t cap;
};

void bytes_reserve(struct bytes *b, size_t more); /* room for `more` further bytes */
void bytes_add(struct bytes *b, const void *p, size_t n);
void bytes_add_slice(struct bytes *b, struct slice s);
void bytes_add_str(struct bytes *b, const char *s);
void bytes_add_u8(struct bytes *b, uint8_t v);
void bytes_add_be16(struct bytes *b, uint16_t v);
void bytes_add_be32(struct bytes *b, uint32_t v);
void bytes_add_be64(struct bytes *b, uint64_t v);
void bytes_printf(struct bytes *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void bytes_vprintf(struct bytes *b, const char *fmt, va_list ap);
void bytes_clear(struct bytes *b); /* n = 0, memory kept */
void bytes_free(struct bytes *b);  /* frees and zeroes */

static inline struct slice bytes_slice(const struct bytes *b)
{
    return (struct slice){b->p, b->n};
}

/* NUL-terminates (the NUL is not counted in n) and returns the text, owned by b. */
const char *bytes_cstr(struct bytes *b);

#endif
