#include "json/internal.h"

/* Integers of up to 18 digits, most numbers of most payloads, need no decimal. */
static bool small_integer(const struct json_doc *doc, uint32_t i, int64_t *out)
{
    const struct json_node *node = &doc->node[i];
    if (!node->integer || node->length > 18)
        return false;
    const uint8_t *p = doc->text.p + node->start;
    const uint8_t *end = p + node->length;
    p += node->negative;
    int64_t v = 0;
    for (; p < end; p++)
        v = v * 10 + (*p - '0');
    *out = node->negative ? -v : v;
    return true;
}

static uint64_t mul_mod(uint64_t a, uint64_t b, uint64_t m)
{
    return (uint64_t)((__extension__(unsigned __int128) a) * b % m);
}

static uint64_t power_of_ten_mod(int64_t exponent, uint64_t m)
{
    uint64_t result = 1 % m;
    uint64_t factor = 10 % m;
    for (; exponent > 0; exponent >>= 1) {
        if (exponent & 1)
            result = mul_mod(result, factor, m);
        factor = mul_mod(factor, factor, m);
    }
    return result;
}

/* value = V * 10^v, divisor = D * 10^d, neither V nor D ends in 0. The quotient is whole iff D
 * divides V * 10^(v - d); with v < d it never is, since then 10 would divide V. */
static bool is_multiple(const struct decimal *value, const struct rule_number *r)
{
    if (value->n == 0)
        return true;
    int64_t power = value->exponent - (int64_t)value->n - r->divisor_power;
    if (value->huge || power < 0)
        return false;
    uint64_t m = r->divisor_digits;
    uint64_t rest = 0;
    for (uint32_t i = 0; i < value->n; i++)
        rest = (uint64_t)(((__extension__(unsigned __int128) rest) * 10 + decimal_digit(value, i)) %
                          m);
    return mul_mod(rest, power_of_ten_mod(power, m), m) == 0;
}

static int compare(const struct bound *b, const struct decimal *value, const int64_t *small)
{
    if (small && b->small)
        return (*small > b->small_value) - (*small < b->small_value);
    return decimal_cmp(value, &b->value);
}

bool number_in_bounds(const struct rule_number *r, const struct json_doc *doc, uint32_t i,
                      enum kind *broken)
{
    int64_t v;
    bool small = small_integer(doc, i, &v);
    struct decimal d = decimal_of(json_raw(doc, i));
    const int64_t *pv = small ? &v : NULL;
    if (r->minimum.present && compare(&r->minimum, &d, pv) < 0) {
        *broken = KIND_MINIMUM;
        return false;
    }
    if (r->maximum.present && compare(&r->maximum, &d, pv) > 0) {
        *broken = KIND_MAXIMUM;
        return false;
    }
    if (r->exclusive_minimum.present && compare(&r->exclusive_minimum, &d, pv) <= 0) {
        *broken = KIND_EXCLUSIVE_MINIMUM;
        return false;
    }
    if (r->exclusive_maximum.present && compare(&r->exclusive_maximum, &d, pv) >= 0) {
        *broken = KIND_EXCLUSIVE_MAXIMUM;
        return false;
    }
    if (r->has_divisor && !is_multiple(&d, r)) {
        *broken = KIND_MULTIPLE_OF;
        return false;
    }
    return true;
}
