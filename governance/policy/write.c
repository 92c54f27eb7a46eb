/* A document as JSON, field by field from the tables, and the difference of two. */
#include "policy/fields.h"

#include "base/check.h"
#include "base/codec.h"

#define GET(type, base, offset) (*(const type *)(const void *)((const char *)(base) + (offset)))

static void write_list(struct json_writer *w, struct name_list list)
{
    json_begin_array(w);
    for (size_t i = 0; i < list.n; i++)
        json_put_string(w, list.item[i]);
    json_end_array(w);
}

static void write_time(struct json_writer *w, int64_t ms)
{
    char text[TIME_TEXT_SIZE];
    if (ms == 0) {
        json_put_null(w);
        return;
    }
    time_text(ms, text);
    json_put_cstr(w, text);
}

static void write_quantity(struct json_writer *w, const struct field *f, int64_t v)
{
    char text[TIME_TEXT_SIZE];
    if (v == -1 && strcmp(f->standard, "null") == 0) {
        json_put_null(w);
        return;
    }
    if (f->type == FIELD_DURATION)
        duration_text(v, text);
    else
        size_text(v, text);
    json_put_cstr(w, text);
}

static void write_text(struct json_writer *w, const struct field *f, struct slice text)
{
    if (text.n == 0 && f->standard != NULL && strcmp(f->standard, "null") == 0)
        json_put_null(w);
    else
        json_put_string(w, text);
}

static void write_choice(struct json_writer *w, const struct field *f, int value)
{
    for (const struct field_choice *c = f->choices; c->name != NULL; c++) {
        if (c->value == value) {
            json_put_cstr(w, c->name);
            return;
        }
    }
    UNREACHABLE();
}

static void write_tags(struct json_writer *w, struct name_list names, struct name_list values)
{
    ASSERT(names.n == values.n);
    json_begin_object(w);
    for (size_t i = 0; i < names.n; i++) {
        json_name_slice(w, names.item[i]);
        json_put_string(w, values.item[i]);
    }
    json_end_object(w);
}

static void write_public_key(struct json_writer *w, const uint8_t *key)
{
    struct bytes text = {0};
    base64url_add(&text, slice_of(key, 32));
    json_put_string(w, bytes_slice(&text));
    bytes_free(&text);
}

static void write_fields(struct json_writer *w, const struct field_table *t, const void *base);

static void write_keys(struct json_writer *w, const struct producer_key *keys, size_t n)
{
    json_begin_array(w);
    for (size_t i = 0; i < n; i++) {
        json_begin_object(w);
        write_fields(w, field_table_keys(), &keys[i]);
        json_end_object(w);
    }
    json_end_array(w);
}

static void write_value(struct json_writer *w, const struct field *f, const void *base)
{
    int32_t number;
    switch (f->type) {
    case FIELD_NAME:
    case FIELD_TEXT:
    case FIELD_CHOICE_TEXT:
    case FIELD_PATTERN:
    case FIELD_SOURCE:
        write_text(w, f, GET(struct slice, base, f->offset));
        return;
    case FIELD_BOOL:
        json_put_bool(w, GET(bool, base, f->offset));
        return;
    case FIELD_TRISTATE:
        number = GET(int32_t, base, f->offset);
        if (number < 0)
            json_put_null(w);
        else
            json_put_bool(w, number != 0);
        return;
    case FIELD_SWITCH:
        if (!GET(bool, base, f->offset2))
            json_put_null(w);
        else
            json_put_cstr(w, GET(bool, base, f->offset) ? "off" : "on");
        return;
    case FIELD_CHOICE:
        write_choice(w, f, GET(int, base, f->offset));
        return;
    case FIELD_CHOICE_BOOL:
        write_choice(w, f, GET(bool, base, f->offset));
        return;
    case FIELD_INT:
        number = GET(int32_t, base, f->offset);
        if (number < 0)
            json_put_null(w);
        else
            json_put_int(w, number);
        return;
    case FIELD_DURATION:
    case FIELD_SIZE:
        write_quantity(w, f, GET(int64_t, base, f->offset));
        return;
    case FIELD_TIME:
        write_time(w, GET(int64_t, base, f->offset));
        return;
    case FIELD_LIST:
    case FIELD_CHOICES:
    case FIELD_SOURCES:
        write_list(w, GET(struct name_list, base, f->offset));
        return;
    case FIELD_TAGS:
        write_tags(w, GET(struct name_list, base, f->offset),
                   GET(struct name_list, base, f->offset2));
        return;
    case FIELD_PUBLIC_KEY:
        write_public_key(w, (const uint8_t *)base + f->offset);
        return;
    case FIELD_KEYS:
        write_keys(w, GET(struct producer_key *, base, f->offset), GET(size_t, base, f->offset2));
        return;
    case FIELD_NOT_BUILT:
        break;
    }
    UNREACHABLE();
}

static void write_fields(struct json_writer *w, const struct field_table *t, const void *base)
{
    struct slice group = SLICE_NULL; /* the open one */
    for (size_t i = 0; i < t->n; i++) {
        const struct field *f = &t->field[i];
        if (f->type == FIELD_NOT_BUILT)
            continue;
        const char *dot = strchr(f->path, '.');
        struct slice mine = dot != NULL ? slice_of(f->path, (size_t)(dot - f->path)) : SLICE_NULL;
        if (!slice_eq(group, mine)) {
            if (group.n > 0)
                json_end_object(w);
            if (mine.n > 0) {
                json_name_slice(w, mine);
                json_begin_object(w);
            }
            group = mine;
        }
        json_name(w, dot != NULL ? dot + 1 : f->path);
        write_value(w, f, base);
    }
    if (group.n > 0)
        json_end_object(w);
}

void document_write(const struct document *d, struct bytes *out)
{
    struct json_writer w;
    json_writer_init(&w, out);
    json_begin_object(&w);
    json_name(&w, "kind");
    json_put_cstr(&w, document_kind_name(d->kind));
    write_fields(&w, field_table_of(d->kind), &d->topic);
    json_end_object(&w);
}

/* One field's value as text, for comparing. */
static void value_text(const struct field *f, const struct document *d, struct bytes *out)
{
    struct json_writer w;
    bytes_clear(out);
    json_writer_init(&w, out);
    write_value(&w, f, &d->topic);
}

void document_diff(const struct document *old, const struct document *now, struct json_writer *w)
{
    ASSERT(old->kind == now->kind);
    const struct field_table *t = field_table_of(old->kind);
    struct bytes before = {0}, after = {0}, pointer = {0};
    for (size_t i = 0; i < t->n; i++) {
        const struct field *f = &t->field[i];
        if (f->type == FIELD_NOT_BUILT)
            continue;
        value_text(f, old, &before);
        value_text(f, now, &after);
        if (slice_eq(bytes_slice(&before), bytes_slice(&after)))
            continue;
        bytes_clear(&pointer);
        bytes_printf(&pointer, "/%s", f->path);
        for (size_t k = 1; k < pointer.n; k++) {
            if (pointer.p[k] == '.')
                pointer.p[k] = '/';
        }
        json_begin_object(w);
        json_name(w, "pointer");
        json_put_string(w, bytes_slice(&pointer));
        json_name(w, "old");
        json_put_raw(w, bytes_slice(&before));
        json_name(w, "new");
        json_put_raw(w, bytes_slice(&after));
        json_end_object(w);
    }
    bytes_free(&before);
    bytes_free(&after);
    bytes_free(&pointer);
}
