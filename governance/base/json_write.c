#include "base/json.h"

#include "base/check.h"
#include "base/codec.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void json_writer_init(struct json_writer *w, struct bytes *out)
{
    *w = (struct json_writer){.out = out};
}

static void before_value(struct json_writer *w)
{
    if (w->need_comma && !w->after_name)
        bytes_add_u8(w->out, ',');
    w->after_name = false;
    w->need_comma = true;
}

static void begin(struct json_writer *w, char bracket)
{
    before_value(w);
    bytes_add_u8(w->out, (uint8_t)bracket);
    w->depth++;
    w->need_comma = false;
}

static void end(struct json_writer *w, char bracket)
{
    ASSERT(w->depth > 0 && !w->after_name);
    bytes_add_u8(w->out, (uint8_t)bracket);
    w->depth--;
    w->need_comma = true;
}

void json_begin_object(struct json_writer *w)
{
    begin(w, '{');
}

void json_end_object(struct json_writer *w)
{
    end(w, '}');
}

void json_begin_array(struct json_writer *w)
{
    begin(w, '[');
}

void json_end_array(struct json_writer *w)
{
    end(w, ']');
}

static void add_escaped(struct bytes *out, uint8_t c)
{
    static const char letters[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    for (size_t i = 0; letters[i] != '\0'; i += 2) {
        if ((uint8_t)letters[i] == c) {
            bytes_add_u8(out, '\\');
            bytes_add_u8(out, (uint8_t)letters[i + 1]);
            return;
        }
    }
    bytes_printf(out, "\\u%04x", c);
}

static void add_string(struct bytes *out, struct slice s)
{
    const uint8_t *p = s.p;
    const uint8_t *stop = p + s.n;
    bytes_reserve(out, s.n + 2);
    bytes_add_u8(out, '"');
    while (p < stop) {
        const uint8_t *plain = p;
        while (p < stop && *p >= 0x20 && *p < 0x80 && *p != '"' && *p != '\\')
            p++;
        bytes_add(out, plain, (size_t)(p - plain));
        if (p == stop)
            break;
        if (*p < 0x80) {
            add_escaped(out, *p++);
            continue;
        }
        size_t n = utf8_sequence(p, stop);
        if (n > 0)
            bytes_add(out, p, n);
        else
            bytes_add_str(out, "\xef\xbf\xbd"); /* U+FFFD */
        p += n > 0 ? n : 1;
    }
    bytes_add_u8(out, '"');
}

void json_name_slice(struct json_writer *w, struct slice name)
{
    ASSERT(w->depth > 0 && !w->after_name);
    before_value(w);
    add_string(w->out, name);
    bytes_add_u8(w->out, ':');
    w->after_name = true;
}

void json_name(struct json_writer *w, const char *name)
{
    json_name_slice(w, slice_str(name));
}

void json_put_string(struct json_writer *w, struct slice s)
{
    before_value(w);
    add_string(w->out, s);
}

void json_put_cstr(struct json_writer *w, const char *s)
{
    if (s == NULL)
        json_put_null(w);
    else
        json_put_string(w, slice_str(s));
}

void json_put_int(struct json_writer *w, int64_t v)
{
    before_value(w);
    bytes_printf(w->out, "%" PRId64, v);
}

void json_put_double(struct json_writer *w, double v)
{
    if (!isfinite(v)) { /* JSON has no word for it */
        json_put_null(w);
        return;
    }
    char text[40];
    for (int precision = 15; precision <= 17; precision++) {
        snprintf(text, sizeof text, "%.*g", precision, v);
        if (strtod(text, NULL) == v)
            break;
    }
    before_value(w);
    bytes_add_str(w->out, text);
}

void json_put_bool(struct json_writer *w, bool v)
{
    before_value(w);
    bytes_add_str(w->out, v ? "true" : "false");
}

void json_put_null(struct json_writer *w)
{
    before_value(w);
    bytes_add_str(w->out, "null");
}

void json_put_raw(struct json_writer *w, struct slice json)
{
    before_value(w);
    bytes_add_slice(w->out, json);
}
