/* Borrowed bytes: a slice never owns what it points to. p may be NULL only when n is 0; where a
 * protocol knows null and empty, null is p == NULL and empty is p != NULL with n == 0. */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const uint8_t *p;
    size_t n;
};

#define SLICE_NULL   ((struct slice){NULL, 0})
#define SLICE_LIT(s) ((struct slice){(const uint8_t *)("" s), sizeof(s) - 1})

static inline struct slice slice_of(const void *p, size_t n)
{
    return (struct slice){(const uint8_t *)p, n};
}

static inline struct slice slice_str(const char *s)
{
    return (struct slice){(const uint8_t *)s, s ? strlen(s) : 0};
}

static inline bool slice_eq(struct slice a, struct slice b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool slice_eq_str(struct slice a, const char *s)
{
    return slice_eq(a, slice_str(s));
}

static inline bool slice_starts(struct slice s, struct slice prefix)
{
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

/* Order of bytes, shorter first when one is a prefix of the other. <0, 0, >0. */
int slice_cmp(struct slice a, struct slice b);

/* For printf's "%.*s". */
#define SLICE_FMT(s) (int)(s).n, (const char *)(s).p

#endif
