/* What a plain (unquoted) scalar means. YAML 1.1 and 1.2 agree on most; where they do not, and a
 * reader could be surprised, the scalar is refused with the way to write it, or stays text. */
#include "cli/internal.h"

#include <strings.h>

static bool is_one_of(struct slice s, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (slice_eq_str(s, *words))
            return true;
    }
    return false;
}

static size_t span(struct slice s, size_t i, const char *set)
{
    size_t n = 0;
    while (i + n < s.n && s.p[i + n] != '\0' && strchr(set, s.p[i + n]) != NULL)
        n++;
    return n;
}

/* Digits of a base after 0x, 0o or 0b: a number that fits 63 bits, or text. */
static enum yaml_meaning based(struct slice s, size_t i, bool minus, struct bytes *out,
                               const char **why)
{
    unsigned base = s.p[i + 1] == 'x' ? 16 : s.p[i + 1] == 'o' ? 8 : 2;
    uint64_t v = 0;
    if (i + 2 == s.n)
        return YAML_TEXT;
    for (size_t k = i + 2; k < s.n; k++) {
        const char *digits = "0123456789abcdef";
        const char *at = s.p[k] == '\0' ? NULL : strchr(digits, s.p[k] | 0x20);
        if (at == NULL || (unsigned)(at - digits) >= base)
            return YAML_TEXT;
        if (v > (UINT64_MAX >> 1) / base - 1) {
            *why = "is too large a number; quote it if it is a text";
            return YAML_REFUSED;
        }
        v = v * base + (unsigned)(at - digits);
    }
    bytes_printf(out, "%s%llu", minus ? "-" : "", (unsigned long long)v);
    return YAML_NUMBER;
}

/* [digits][.digits][e[+-]digits] from i on, in JSON's spelling. */
static enum yaml_meaning decimal(struct slice s, size_t i, bool minus, struct bytes *out,
                                 const char **why)
{
    static const char d[] = "0123456789";
    size_t whole = span(s, i, d), at = i + whole, part = 0, exponent = 0, sign = 0;
    bool dot = at < s.n && s.p[at] == '.';
    if (dot)
        part = span(s, ++at, d);
    if (whole + part == 0)
        return YAML_TEXT;
    at += part;
    if (at < s.n && (s.p[at] | 0x20) == 'e') {
        sign = at + 1 < s.n && (s.p[at + 1] == '+' || s.p[at + 1] == '-');
        exponent = span(s, at + 1 + sign, d);
        if (exponent == 0)
            return YAML_TEXT;
    }
    size_t end = at + (exponent > 0 ? 1 + sign + exponent : 0);
    if (end != s.n)
        return YAML_TEXT; /* 2026-11-25, 1.2.3, 12:30 */
    if (whole > 1 && s.p[i] == '0') {
        *why = "begins with 0, which YAML 1.1 reads as octal: quote it if it is a text, or write "
               "the number without it";
        return YAML_REFUSED;
    }
    bytes_add_str(out, minus ? "-" : "");
    bytes_add_str(out, whole == 0 ? "0" : "");
    bytes_add(out, s.p + i, whole);
    if (part > 0) {
        bytes_add_u8(out, '.');
        bytes_add(out, s.p + i + whole + 1, part);
    } else if (dot && exponent == 0) {
        bytes_add_str(out, ".0");
    }
    bytes_add(out, s.p + at, end - at);
    return YAML_NUMBER;
}

enum yaml_meaning yaml_scalar(struct slice text, struct bytes *out, const char **why)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const trues[] = {"true", "True", "TRUE", "yes", "Yes",
                                        "YES",  "on",   "On",   "ON",  NULL};
    static const char *const falses[] = {"false", "False", "FALSE", "no",  "No",
                                         "NO",    "off",   "Off",   "OFF", NULL};
    static const char *const strange[] = {".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN", NULL};
    if (is_one_of(text, nulls))
        return YAML_NULL;
    if (is_one_of(text, trues))
        return YAML_TRUE;
    if (is_one_of(text, falses))
        return YAML_FALSE;
    bool minus = text.p[0] == '-';
    size_t i = minus || text.p[0] == '+';
    if (is_one_of(slice_of(text.p + i, text.n - i), strange)) {
        *why = "is no number that JSON knows; quote it if it is a text";
        return YAML_REFUSED;
    }
    if (i + 1 < text.n && text.p[i] == '0' && text.p[i + 1] != '\0' &&
        strchr("xob", text.p[i + 1]) != NULL)
        return based(text, i, minus, out, why);
    return decimal(text, i, minus, out, why);
}
