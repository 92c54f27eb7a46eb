/* Exact decimals: a view of a JSON number's text as 0.d1d2d3... * 10^exponent with d1 and the last
 * digit not zero. Nothing is rounded; 0, -0 and 0e5 are one value. */
#ifndef BASE_DECIMAL_H
#define BASE_DECIMAL_H

#include "base/bytes.h"
#include "base/slice.h"

struct decimal {
    const uint8_t *p; /* borrowed: the first significant digit in the text */
    uint32_t dot;     /* digits before a '.' that stands among them; >= n: none */
    uint32_t n;       /* significant digits; 0: the value is zero */
    int64_t exponent; /* within +-DECIMAL_EXPONENT_MAX unless huge */
    bool negative;
    bool huge; /* the exponent does not fit; then only the text tells values apart */
    struct slice text;
};

#define DECIMAL_EXPONENT_MAX (INT64_C(1) << 60)

/* text must be a number as RFC 8259 writes it. */
struct decimal decimal_of(struct slice text);

static inline unsigned decimal_digit(const struct decimal *d, uint32_t i)
{
    return (unsigned)(d->p[i + (i >= d->dot)] - '0');
}

int decimal_cmp(const struct decimal *a, const struct decimal *b); /* <0, 0, >0 */
bool decimal_is_integer(const struct decimal *d);                  /* 1.0 and 1e3 are */
uint64_t decimal_hash(const struct decimal *d);                    /* equal values, equal hashes */
/* As ECMAScript writes numbers (RFC 8785), but with all significant digits. */
void decimal_text(const struct decimal *d, struct bytes *out);

#endif
