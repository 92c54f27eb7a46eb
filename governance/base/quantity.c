/* Times, durations and sizes as people write them. */
#include "base/codec.h"

#include <stdio.h>

enum { MS_SECOND = 1000, MS_MINUTE = 60 * MS_SECOND, MS_HOUR = 60 * MS_MINUTE };
#define MS_DAY (24 * (int64_t)MS_HOUR)

/* Days since 1970-01-01 in the proleptic Gregorian calendar, and back. The year is counted from
 * March so that the leap day comes last (Hinnant, "chrono-Compatible Low-Level Date Algorithms").
 */
static int64_t days_from_civil(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void civil_from_days(int64_t days, int64_t *year, int *month, int *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t of_era = days - era * 146097;
    int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * y + y / 4 - y / 100);
    int64_t m = (5 * of_year + 2) / 153;
    *day = (int)(of_year - (153 * m + 2) / 5 + 1);
    *month = (int)(m < 10 ? m + 3 : m - 9);
    *year = y + era * 400 + (*month <= 2);
}

void time_text(int64_t ms, char out[TIME_TEXT_SIZE])
{
    int64_t days = ms / MS_DAY;
    int64_t left = ms % MS_DAY;
    if (left < 0) {
        left += MS_DAY;
        days--;
    }
    int64_t year;
    int month, day;
    civil_from_days(days, &year, &month, &day);
    if (year < 0 || year > 9999) { /* outside what RFC 3339 can write */
        snprintf(out, TIME_TEXT_SIZE, "%lldms", (long long)ms);
        return;
    }
    int t = (int)left;
    snprintf(out, TIME_TEXT_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", (int)year, month, day,
             t / MS_HOUR, t / MS_MINUTE % 60, t / MS_SECOND % 60, t % 1000);
}

/* Reads exactly n digits at *at. */
static bool digits(struct slice s, size_t *at, size_t n, int *out)
{
    if (s.n - *at < n)
        return false;
    int v = 0;
    for (size_t i = 0; i < n; i++) {
        uint8_t c = s.p[*at + i];
        if (c < '0' || c > '9')
            return false;
        v = v * 10 + (c - '0');
    }
    *at += n;
    *out = v;
    return true;
}

static bool literal(struct slice s, size_t *at, char upper)
{
    if (*at >= s.n)
        return false;
    uint8_t c = s.p[*at];
    if (c >= 'a' && c <= 'z')
        c = (uint8_t)(c - 'a' + 'A');
    if (c != (uint8_t)upper)
        return false;
    (*at)++;
    return true;
}

static int days_in_month(int year, int month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

static bool time_offset(struct slice s, size_t *at, int *minutes)
{
    *minutes = 0;
    if (literal(s, at, 'Z'))
        return true;
    bool west = *at < s.n && s.p[*at] == '-';
    int hour, minute;
    if (!literal(s, at, west ? '-' : '+') || !digits(s, at, 2, &hour) || !literal(s, at, ':') ||
        !digits(s, at, 2, &minute) || hour > 23 || minute > 59)
        return false;
    *minutes = (hour * 60 + minute) * (west ? -1 : 1);
    return true;
}

bool time_parse(struct slice s, int64_t *ms)
{
    size_t at = 0;
    int year, month, day, hour, minute, second, offset;
    if (!digits(s, &at, 4, &year) || !literal(s, &at, '-') || !digits(s, &at, 2, &month) ||
        !literal(s, &at, '-') || !digits(s, &at, 2, &day) || month < 1 || month > 12 || day < 1 ||
        day > days_in_month(year, month))
        return false;
    if (!literal(s, &at, 'T') || !digits(s, &at, 2, &hour) || !literal(s, &at, ':') ||
        !digits(s, &at, 2, &minute) || !literal(s, &at, ':') || !digits(s, &at, 2, &second) ||
        hour > 23 || minute > 59 || second > 60)
        return false;
    int fraction = 0;
    if (literal(s, &at, '.')) {
        int scale = 100;
        size_t first = at;
        for (; at < s.n && s.p[at] >= '0' && s.p[at] <= '9'; at++) {
            fraction += (s.p[at] - '0') * scale; /* beyond milliseconds: cut */
            scale /= 10;
        }
        if (at == first)
            return false;
    }
    if (!time_offset(s, &at, &offset) || at != s.n)
        return false;
    int64_t t = days_from_civil(year, month, day) * MS_DAY + hour * (int64_t)MS_HOUR +
                minute * (int64_t)MS_MINUTE - offset * (int64_t)MS_MINUTE;
    /* A leap second is the last of a UTC day and nothing else. */
    if (second == 60 && (t % MS_DAY + MS_DAY) % MS_DAY != MS_DAY - MS_MINUTE)
        return false;
    *ms = t + second * (int64_t)MS_SECOND + fraction;
    return true;
}

struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit duration_units[] = {
    {"d", 24 * (int64_t)MS_HOUR}, {"h", MS_HOUR}, {"m", MS_MINUTE}, {"s", MS_SECOND}, {"ms", 1}};

static const struct unit size_units[] = {{"TiB", INT64_C(1) << 40},
                                         {"GiB", INT64_C(1) << 30},
                                         {"MiB", INT64_C(1) << 20},
                                         {"KiB", INT64_C(1) << 10},
                                         {"", 1},
                                         {"B", 1},
                                         {"kB", 1000},
                                         {"KB", 1000},
                                         {"MB", 1000 * 1000},
                                         {"GB", 1000 * 1000 * 1000},
                                         {"TB", INT64_C(1000000000000)}};
enum { SIZE_UNITS_BINARY = 5 }; /* the ones that size_text writes come first */

/* digits [ "." digits ] unit, where the product must be a whole number. */
static bool quantity_parse(struct slice s, const struct unit *units, size_t units_n, int64_t *out)
{
    size_t at = 0;
    int64_t whole = 0, fraction = 0, scale = 1;
    for (; at < s.n && s.p[at] >= '0' && s.p[at] <= '9'; at++)
        if (__builtin_mul_overflow(whole, 10, &whole) ||
            __builtin_add_overflow(whole, s.p[at] - '0', &whole))
            return false;
    if (at == 0)
        return false;
    if (at < s.n && s.p[at] == '.') {
        size_t first = ++at;
        for (; at < s.n && s.p[at] >= '0' && s.p[at] <= '9'; at++) {
            if (at - first >= 6) /* nobody writes more, and the product stays in 64 bits */
                return false;
            fraction = fraction * 10 + (s.p[at] - '0');
            scale *= 10;
        }
        if (at == first)
            return false;
    }
    struct slice name = {s.p + at, s.n - at};
    for (size_t i = 0; i < units_n; i++) {
        if (!slice_eq_str(name, units[i].name))
            continue;
        int64_t part;
        if (__builtin_mul_overflow(whole, units[i].factor, &whole) ||
            __builtin_mul_overflow(fraction, units[i].factor, &part) || part % scale != 0 ||
            __builtin_add_overflow(whole, part / scale, out))
            return false;
        return true;
    }
    return false;
}

static bool unbounded(struct slice s, int64_t *out)
{
    if (!slice_eq_str(s, "forever") && !slice_eq_str(s, "unlimited"))
        return false;
    *out = -1;
    return true;
}

bool duration_parse(struct slice s, int64_t *ms)
{
    return unbounded(s, ms) ||
           quantity_parse(s, duration_units, sizeof duration_units / sizeof *duration_units, ms);
}

bool size_parse(struct slice s, int64_t *size_bytes)
{
    return unbounded(s, size_bytes) ||
           quantity_parse(s, size_units, sizeof size_units / sizeof *size_units, size_bytes);
}

static void quantity_text(int64_t v, const struct unit *units, size_t units_n, char *out)
{
    for (size_t i = 0; i < units_n; i++) {
        if (v % units[i].factor != 0)
            continue;
        snprintf(out, TIME_TEXT_SIZE, "%lld%s", (long long)(v / units[i].factor), units[i].name);
        return;
    }
}

void duration_text(int64_t ms, char out[TIME_TEXT_SIZE])
{
    if (ms < 0)
        snprintf(out, TIME_TEXT_SIZE, "forever");
    else if (ms == 0)
        snprintf(out, TIME_TEXT_SIZE, "0s");
    else
        quantity_text(ms, duration_units, sizeof duration_units / sizeof *duration_units, out);
}

void size_text(int64_t size_bytes, char out[TIME_TEXT_SIZE])
{
    if (size_bytes < 0)
        snprintf(out, TIME_TEXT_SIZE, "unlimited");
    else if (size_bytes == 0)
        snprintf(out, TIME_TEXT_SIZE, "0");
    else
        quantity_text(size_bytes, size_units, SIZE_UNITS_BINARY, out);
}
