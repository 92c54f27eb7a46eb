#include "base/decimal.h"

/* Value of the exponent part after 'e'; false when it does not fit. */
static bool exponent_parse(const uint8_t *p, const uint8_t *end, int64_t *out)
{
    bool negative = p < end && *p == '-';
    if (p < end && (*p == '-' || *p == '+'))
        p++;
    int64_t v = 0;
    for (; p < end; p++) {
        if (v > DECIMAL_EXPONENT_MAX / 16)
            return false;
        v = v * 10 + (*p - '0');
    }
    *out = negative ? -v : v;
    return true;
}

struct decimal decimal_of(struct slice text)
{
    struct decimal d = {.text = text};
    const uint8_t *p = text.p;
    const uint8_t *end = p + text.n;
    if (p < end && *p == '-') {
        d.negative = true;
        p++;
    }
    const uint8_t *dot = NULL;
    const uint8_t *first = NULL; /* first and last digit that is not zero */
    const uint8_t *last = NULL;
    for (; p < end && *p != 'e' && *p != 'E'; p++) {
        if (*p == '.') {
            dot = p;
        } else if (*p != '0') {
            if (first == NULL)
                first = p;
            last = p;
        }
    }
    if (first == NULL) {
        d.negative = false;
        return d;
    }
    const uint8_t *point = dot ? dot : p; /* where the decimal point stands or would stand */
    d.p = first;
    d.n = (uint32_t)(last - first + 1);
    d.dot = UINT32_MAX;
    d.exponent = point > first ? point - first : -(first - point - 1);
    if (dot && dot > first && dot < last) {
        d.dot = (uint32_t)(dot - first);
        d.n--;
    }
    int64_t e = 0;
    if (p < end && !exponent_parse(p + 1, end, &e))
        d.huge = true;
    d.exponent += e;
    return d;
}

/* Sign of the exponent of a huge decimal: whether it is beyond all others or next to zero. */
static int huge_side(const struct decimal *d)
{
    const uint8_t *p = memchr(d->text.p, 'e', d->text.n);
    if (p == NULL)
        p = memchr(d->text.p, 'E', d->text.n);
    return p != NULL && p[1] == '-' ? -1 : 1;
}

static int magnitude_cmp(const struct decimal *a, const struct decimal *b)
{
    if (a->huge || b->huge) {
        int side_a = a->huge ? huge_side(a) : 0;
        int side_b = b->huge ? huge_side(b) : 0;
        return side_a != side_b ? (side_a > side_b) - (side_a < side_b)
                                : slice_cmp(a->text, b->text);
    }
    if (a->exponent != b->exponent)
        return a->exponent < b->exponent ? -1 : 1;
    uint32_t n = a->n < b->n ? a->n : b->n;
    for (uint32_t i = 0; i < n; i++) {
        unsigned x = decimal_digit(a, i);
        unsigned y = decimal_digit(b, i);
        if (x != y)
            return x < y ? -1 : 1;
    }
    return (a->n > b->n) - (a->n < b->n);
}

int decimal_cmp(const struct decimal *a, const struct decimal *b)
{
    if (a->n == 0 && b->n == 0)
        return 0;
    if (a->n == 0)
        return b->negative ? 1 : -1;
    if (b->n == 0)
        return a->negative ? -1 : 1;
    if (a->negative != b->negative)
        return a->negative ? -1 : 1;
    int order = magnitude_cmp(a, b);
    return a->negative ? -order : order;
}

bool decimal_is_integer(const struct decimal *d)
{
    if (d->n == 0)
        return true;
    if (d->huge)
        return huge_side(d) > 0;
    return d->exponent >= (int64_t)d->n;
}

uint64_t decimal_hash(const struct decimal *d)
{
    uint64_t h = 0x9e3779b97f4a7c15u ^ d->n;
    if (d->huge) {
        for (size_t i = 0; i < d->text.n; i++)
            h = (h ^ d->text.p[i]) * 0x100000001b3u;
        return h;
    }
    for (uint32_t i = 0; i < d->n; i++)
        h = (h ^ decimal_digit(d, i)) * 0x100000001b3u;
    h = (h ^ (uint64_t)d->exponent ^ d->negative) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 29;
}

static void add_digits(const struct decimal *d, uint32_t from, uint32_t to, struct bytes *out)
{
    bytes_reserve(out, to - from);
    for (uint32_t i = from; i < to; i++)
        bytes_add_u8(out, (uint8_t)('0' + decimal_digit(d, i)));
}

static void add_zeros(int64_t n, struct bytes *out)
{
    for (; n > 0; n--)
        bytes_add_u8(out, '0');
}

void decimal_text(const struct decimal *d, struct bytes *out)
{
    enum { PLAIN_DIGITS = 21, PLAIN_ZEROS = 6 }; /* ECMA-262, Number::toString */
    if (d->n == 0) {
        bytes_add_u8(out, '0');
        return;
    }
    if (d->huge) {
        bytes_add_slice(out, d->text);
        return;
    }
    if (d->negative)
        bytes_add_u8(out, '-');
    int64_t point = d->exponent;
    if (point >= (int64_t)d->n && point <= PLAIN_DIGITS) {
        add_digits(d, 0, d->n, out);
        add_zeros(point - d->n, out);
    } else if (point > 0 && point <= PLAIN_DIGITS) {
        add_digits(d, 0, (uint32_t)point, out);
        bytes_add_u8(out, '.');
        add_digits(d, (uint32_t)point, d->n, out);
    } else if (point > -PLAIN_ZEROS && point <= 0) {
        bytes_add_str(out, "0.");
        add_zeros(-point, out);
        add_digits(d, 0, d->n, out);
    } else {
        add_digits(d, 0, 1, out);
        if (d->n > 1)
            bytes_add_u8(out, '.');
        add_digits(d, 1, d->n, out);
        bytes_printf(out, "e%c%lld", point > 0 ? '+' : '-',
                     (long long)(point > 0 ? point - 1 : 1 - point));
    }
}
