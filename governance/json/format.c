/* The "format" keyword. The rules follow ajv-formats (mode "full"), the most used judge, where the
 * RFCs leave a choice; each function names its RFC. */
#include "json/internal.h"

#include "json/format.h"

static bool is_digit(uint8_t c)
{
    return (uint8_t)(c - '0') < 10;
}

static int two_digits(const uint8_t *p)
{
    return is_digit(p[0]) && is_digit(p[1]) ? (p[0] - '0') * 10 + (p[1] - '0') : -1;
}

/* RFC 3339 full-date. */
static bool is_date(struct slice s)
{
    static const uint8_t days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (s.n != 10 || s.p[4] != '-' || s.p[7] != '-')
        return false;
    int century = two_digits(s.p);
    int year = two_digits(s.p + 2);
    int month = two_digits(s.p + 5);
    int day = two_digits(s.p + 8);
    if (century < 0 || year < 0 || month < 1 || month > 12 || day < 1 || day > days[month - 1])
        return false;
    bool leap = year % 4 == 0 && (year != 0 || century % 4 == 0);
    return month != 2 || day < 29 || leap;
}

struct time_of_day {
    int hour, minute, second;
    bool fraction; /* of the second, not zero */
    int offset_hour, offset_minute, sign;
};

static bool read_offset(struct slice s, struct time_of_day *t)
{
    t->sign = s.n > 0 && s.p[0] == '-' ? -1 : 1;
    if (s.n == 1 && (s.p[0] | 0x20) == 'z')
        return true;
    if (s.n < 3 || (s.p[0] != '+' && s.p[0] != '-'))
        return false;
    t->offset_hour = two_digits(s.p + 1);
    if (s.n == 5)
        t->offset_minute = two_digits(s.p + 3);
    else if (s.n == 6 && s.p[3] == ':')
        t->offset_minute = two_digits(s.p + 4);
    else if (s.n != 3)
        return false;
    return t->offset_hour >= 0 && t->offset_hour <= 23 && t->offset_minute >= 0 &&
           t->offset_minute <= 59;
}

/* RFC 3339 full-time; a leap second only at the end of a UTC day. */
static bool is_time(struct slice s)
{
    struct time_of_day t = {0};
    if (s.n < 9 || s.p[2] != ':' || s.p[5] != ':')
        return false;
    t.hour = two_digits(s.p);
    t.minute = two_digits(s.p + 3);
    t.second = two_digits(s.p + 6);
    size_t i = 8;
    if (s.p[i] == '.') {
        size_t first = ++i;
        for (; i < s.n && is_digit(s.p[i]); i++)
            t.fraction |= s.p[i] != '0';
        if (i == first)
            return false;
    }
    if (t.hour < 0 || t.minute < 0 || t.second < 0 || !read_offset(slice_of(s.p + i, s.n - i), &t))
        return false;
    if (t.hour <= 23 && t.minute <= 59 && t.second < 60)
        return true;
    int minute = t.minute - t.offset_minute * t.sign;
    int hour = t.hour - t.offset_hour * t.sign - (minute < 0);
    return (hour == 23 || hour == -1) && (minute == 59 || minute == -1) && t.second == 60;
}

/* RFC 3339 date-time; a space may stand for the T, as ajv has it. */
static bool is_date_time(struct slice s)
{
    if (s.n < 20)
        return false;
    uint8_t c = s.p[10];
    if ((c | 0x20) != 't' && c != ' ' && !(c >= '\t' && c <= '\r'))
        return false;
    return is_date(slice_of(s.p, 10)) && is_time(slice_of(s.p + 11, s.n - 11));
}

/* Digits and one of the letters, each letter at most once and in order. Returns parts read. */
static int duration_parts(const uint8_t **p, const uint8_t *end, const char *letters)
{
    int parts = 0;
    while (*p < end && is_digit(**p)) {
        while (*p < end && is_digit(**p))
            (*p)++;
        const char *found = *p < end ? strchr(letters, **p) : NULL;
        if (found == NULL || *found == '\0')
            return -1;
        letters = found + 1;
        (*p)++;
        parts++;
    }
    return parts;
}

/* RFC 3339 appendix A. */
static bool is_duration(struct slice s)
{
    if (s.n < 3 || s.p[0] != 'P')
        return false;
    const uint8_t *p = s.p + 1;
    const uint8_t *end = s.p + s.n;
    if (end[-1] == 'W')
        return duration_parts(&p, end, "W") == 1 && p == end;
    int days = duration_parts(&p, end, "YMD");
    if (days < 0 || (p == end && days == 0))
        return false;
    if (p == end)
        return true;
    if (*p++ != 'T')
        return false;
    return duration_parts(&p, end, "HMS") > 0 && p == end;
}

/* RFC 4122 section 3, with or without urn:uuid: */
static bool is_uuid(struct slice s)
{
    static const char prefix[] = "urn:uuid:";
    if (s.n == 45) {
        for (size_t i = 0; i < 9; i++)
            if ((s.p[i] != ':' ? s.p[i] | 0x20 : ':') != prefix[i])
                return false;
        s = slice_of(s.p + 9, 36);
    }
    if (s.n != 36)
        return false;
    for (size_t i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? s.p[i] != '-' : !format_is_hex(s.p[i]))
            return false;
    }
    return true;
}

/* RFC 6901. */
static bool is_json_pointer(struct slice s)
{
    if (s.n > 0 && s.p[0] != '/')
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '~' && (i + 1 == s.n || (s.p[i + 1] != '0' && s.p[i + 1] != '1')))
            return false;
    return true;
}

/* draft-bhutton-relative-json-pointer-00. */
static bool is_relative_json_pointer(struct slice s)
{
    size_t i = 0;
    while (i < s.n && is_digit(s.p[i]))
        i++;
    if (i == 0 || (i > 1 && s.p[0] == '0'))
        return false;
    struct slice rest = slice_of(s.p + i, s.n - i);
    return slice_eq_str(rest, "#") || is_json_pointer(rest);
}

static bool is_regex(struct slice s)
{
    return regex_is_ecma(s);
}

format_check format_find(struct slice name, const char **known_name)
{
    static const struct {
        const char *name;
        format_check check;
    } formats[] = {
        {"date", is_date},
        {"time", is_time},
        {"date-time", is_date_time},
        {"duration", is_duration},
        {"email", format_is_email},
        {"hostname", format_is_hostname},
        {"ipv4", format_is_ipv4},
        {"ipv6", format_is_ipv6},
        {"uri", format_is_uri},
        {"uri-reference", format_is_uri_reference},
        {"uri-template", format_is_uri_template},
        {"uuid", is_uuid},
        {"regex", is_regex},
        {"json-pointer", is_json_pointer},
        {"relative-json-pointer", is_relative_json_pointer},
    };
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        if (slice_eq_str(name, formats[i].name)) {
            *known_name = formats[i].name;
            return formats[i].check;
        }
    }
    return NULL;
}
