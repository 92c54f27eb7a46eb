/* One field's value: from JSON, or its default, into the struct. */
#include "policy/parse.h"

#include "base/check.h"
#include "base/codec.h"
#include "policy/pattern.h"
#include "sign/sign.h"

#include <stdio.h>

void pointer_child(char out[POINTER_MAX], const char *parent, struct slice name)
{
    size_t n = strlen(parent);
    memcpy(out, parent, n);
    if (n + 2 < POINTER_MAX)
        out[n++] = '/';
    for (size_t i = 0; i < name.n && n + 3 < POINTER_MAX; i++) {
        uint8_t c = name.p[i];
        if (c == '~' || c == '/') { /* RFC 6901 section 3 */
            out[n++] = '~';
            out[n++] = c == '~' ? '0' : '1';
        } else {
            out[n++] = (char)c;
        }
    }
    out[n] = '\0';
}

void pointer_item(char out[POINTER_MAX], const char *parent, uint32_t index)
{
    char digits[16];
    (void)snprintf(digits, sizeof digits, "%u", index);
    pointer_child(out, parent, slice_str(digits));
}

void parse_invalid(struct parse *p, const char *pointer, const char *what)
{
    document_errors_add(p->errors, "value.invalid", pointer, "%s", what);
}

bool field_name_valid(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '.' || c == '_' || c == '-'))
            return false;
    }
    return s.n > 0 && !slice_eq_str(s, ".") && !slice_eq_str(s, "..");
}

static bool length_ok(struct parse *p, const char *pointer, size_t n, int64_t least, int64_t most)
{
    if ((int64_t)n > most) {
        document_errors_add(p->errors, "limit", pointer, "is %zu bytes long; at most %lld", n,
                            (long long)most);
        return false;
    }
    if ((int64_t)n < least) {
        parse_invalid(p, pointer, "must not be empty");
        return false;
    }
    return true;
}

static const struct field_choice *choice_find(struct parse *p, const struct field *f,
                                              const char *pointer, struct slice name)
{
    const struct field_choice *nearest = NULL;
    unsigned least = UINT32_MAX;
    for (const struct field_choice *c = f->choices; c->name != NULL; c++) {
        if (slice_eq_str(name, c->name)) {
            if (c->built)
                return c;
            document_errors_add(p->errors, "not-built", pointer,
                                "\"%s\" is not built yet in this version", c->name);
            return NULL;
        }
        if (!c->built)
            continue;
        unsigned d = text_distance(name, slice_str(c->name));
        if (d < least) {
            least = d;
            nearest = c;
        }
    }
    char known[160] = "";
    size_t n = 0;
    for (const struct field_choice *c = f->choices; c->name != NULL && n < sizeof known; c++) {
        if (c->built)
            n += (size_t)snprintf(known + n, sizeof known - n, "%s%s", n > 0 ? ", " : "", c->name);
    }
    ASSERT(nearest != NULL);
    document_errors_add(p->errors, "value.invalid", pointer,
                        "\"%.*s\" is not known; did you mean \"%s\"? (known: %s)",
                        (int)(name.n < 60 ? name.n : 60), (const char *)name.p, nearest->name,
                        known);
    return NULL;
}

#define PUT(type, base, offset) (*(type *)(void *)((char *)(base) + (offset)))

static void quantity_text(const struct field *f, int64_t v, char out[TIME_TEXT_SIZE])
{
    if (f->type == FIELD_DURATION)
        duration_text(v, out);
    else if (f->type == FIELD_SIZE)
        size_text(v, out);
    else
        (void)snprintf(out, TIME_TEXT_SIZE, "%lld", (long long)v);
}

static void set_number(struct parse *p, const struct field *f, void *base, const char *pointer,
                       int64_t v)
{
    /* -1 is "forever" or "unlimited", which a field knows whose default is not "unset". */
    bool unbounded =
        v == -1 && f->type != FIELD_INT && strcmp(f->standard, "null") != 0 && f->most == INT64_MAX;
    if (!unbounded && (v < f->least || v > f->most)) {
        char limit[TIME_TEXT_SIZE];
        bool below = v >= 0 && v < f->least;
        quantity_text(f, below ? f->least : f->most, limit);
        if (!below && f->most == INT64_MAX)
            parse_invalid(p, pointer, "has no unlimited value; leave it out");
        else
            document_errors_add(p->errors, "value.invalid", pointer, "must be at %s %s",
                                below ? "least" : "most", limit);
        return;
    }
    if (f->type == FIELD_INT)
        PUT(int32_t, base, f->offset) = (int32_t)v;
    else
        PUT(int64_t, base, f->offset) = v;
}

static const char *wanted(enum field_type type)
{
    switch (type) {
    case FIELD_BOOL:
    case FIELD_TRISTATE:
        return "must be true or false";
    case FIELD_INT:
        return "must be a whole number";
    case FIELD_DURATION:
        return "must be a duration with its unit, such as 90s, 5m, 12h or 7d";
    case FIELD_SIZE:
        return "must be a size, such as 4096, 64KiB or 10GiB";
    case FIELD_SWITCH:
        return "must be on or off";
    case FIELD_TIME:
        return "must be a time such as 2026-11-25T09:00:00Z, as a string";
    default:
        return "must be a string (in YAML, quote what looks like a number, a time or true)";
    }
}

/* Names, texts and patterns. */
static void set_words(struct parse *p, const struct field *f, void *base, const char *pointer,
                      struct slice text)
{
    char why[160];
    if (!length_ok(p, pointer, text.n, f->least, f->most))
        return;
    if (f->type == FIELD_NAME && !field_name_valid(text))
        parse_invalid(p, pointer, "must be of letters, digits, '.', '_' and '-', not . or ..");
    else if (f->type == FIELD_PATTERN && !pattern_check(text, why, sizeof why))
        parse_invalid(p, pointer, why);
    else
        PUT(struct slice, base, f->offset) = text;
}

static void set_choice(struct parse *p, const struct field *f, void *base, const char *pointer,
                       struct slice text)
{
    const struct field_choice *c = choice_find(p, f, pointer, text);
    if (c == NULL)
        return;
    if (f->type == FIELD_CHOICE)
        PUT(int, base, f->offset) = c->value;
    else if (f->type == FIELD_CHOICE_BOOL)
        PUT(bool, base, f->offset) = c->value != 0;
    else
        PUT(struct slice, base, f->offset) = slice_str(c->name);
}

static void set_switch(struct parse *p, const struct field *f, void *base, const char *pointer,
                       struct slice text)
{
    bool off = slice_eq_str(text, "off");
    if (!off && !slice_eq_str(text, "on")) {
        parse_invalid(p, pointer, wanted(FIELD_SWITCH));
        return;
    }
    PUT(bool, base, f->offset) = off;
    PUT(bool, base, f->offset2) = true;
}

static void set_public_key(struct parse *p, const struct field *f, void *base, const char *pointer,
                           struct slice text)
{
    uint8_t key[32];
    size_t n;
    if (!base64url_get(text, key, sizeof key, &n) || n != sizeof key)
        parse_invalid(p, pointer,
                      "must be 43 characters of base64url: the 32 bytes of an Ed25519 public key");
    else if (!sign_public_key_ok(key))
        parse_invalid(p, pointer,
                      "is not a safe Ed25519 public key (small order or not canonical)");
    else
        memcpy((char *)base + f->offset, key, sizeof key);
}

/* A value that is one text, whether it came from the document or is a default. */
static void set_text(struct parse *p, const struct field *f, void *base, const char *pointer,
                     struct slice text)
{
    int64_t v;
    switch (f->type) {
    case FIELD_NAME:
    case FIELD_TEXT:
    case FIELD_SOURCE:
    case FIELD_PATTERN:
        set_words(p, f, base, pointer, text);
        return;
    case FIELD_CHOICE:
    case FIELD_CHOICE_BOOL:
    case FIELD_CHOICE_TEXT:
        set_choice(p, f, base, pointer, text);
        return;
    case FIELD_SWITCH:
        set_switch(p, f, base, pointer, text);
        return;
    case FIELD_DURATION:
    case FIELD_SIZE:
        if (f->type == FIELD_DURATION ? duration_parse(text, &v) : size_parse(text, &v))
            set_number(p, f, base, pointer, v);
        else
            parse_invalid(p, pointer, wanted(f->type));
        return;
    case FIELD_TIME:
        if (!time_parse(text, &v) || v <= 0)
            parse_invalid(p, pointer, wanted(FIELD_TIME));
        else
            PUT(int64_t, base, f->offset) = v;
        return;
    case FIELD_PUBLIC_KEY:
        set_public_key(p, f, base, pointer, text);
        return;
    default:
        UNREACHABLE();
    }
}

void parse_set_default(struct parse *p, const struct field *f, void *base)
{
    bool unset = strcmp(f->standard, "null") == 0;
    switch (f->type) {
    case FIELD_LIST:
    case FIELD_CHOICES:
    case FIELD_SOURCES:
    case FIELD_TAGS:
    case FIELD_KEYS:
        return; /* zero is empty */
    case FIELD_BOOL:
        PUT(bool, base, f->offset) = strcmp(f->standard, "true") == 0;
        return;
    case FIELD_INT:
    case FIELD_TRISTATE:
        PUT(int32_t, base, f->offset) = unset ? -1 : (int32_t)(f->standard[0] - '0');
        return;
    case FIELD_DURATION:
    case FIELD_SIZE:
        if (unset) {
            PUT(int64_t, base, f->offset) = -1;
            return;
        }
        break;
    default:
        if (unset)
            return;
    }
    set_text(p, f, base, "", slice_str(f->standard));
}

static struct slice node_text(struct parse *p, uint32_t node)
{
    return arena_copy(p->arena, json_string(p->doc, node, p->arena));
}

/* A string as its text; any other value as its JSON. */
static struct slice node_source(struct parse *p, uint32_t node)
{
    if (json_type(p->doc, node) == JSON_STRING)
        return node_text(p, node);
    return arena_copy(p->arena, json_raw(p->doc, node));
}

/* Fills *out from an array of texts; each goes through `check`. */
static void set_list(struct parse *p, const struct field *f, void *base, const char *pointer,
                     uint32_t node)
{
    if (json_type(p->doc, node) != JSON_ARRAY) {
        parse_invalid(p, pointer, "must be a list");
        return;
    }
    uint32_t count = p->doc->node[node].count;
    if (count > f->most) {
        document_errors_add(p->errors, "limit", pointer, "has %u entries; at most %lld", count,
                            (long long)f->most);
        return;
    }
    struct name_list list = {arena_zalloc(p->arena, count + 1, sizeof *list.item), 0};
    uint32_t index = 0;
    for (uint32_t i = json_first(p->doc, node); i != JSON_NONE;
         i = json_sibling(p->doc, node, i), index++) {
        char at[POINTER_MAX];
        pointer_item(at, pointer, index);
        if (f->type != FIELD_SOURCES && json_type(p->doc, i) != JSON_STRING) {
            parse_invalid(p, at, "must be a string");
            continue;
        }
        struct slice text = f->type == FIELD_SOURCES ? node_source(p, i) : node_text(p, i);
        if (f->type == FIELD_CHOICES) {
            if (choice_find(p, f, at, text) == NULL)
                continue;
        } else if (!length_ok(p, at, text.n, 1, f->item_most)) {
            continue;
        }
        for (size_t k = 0; f->type != FIELD_SOURCES && k < list.n; k++) {
            if (slice_eq(list.item[k], text)) {
                parse_invalid(p, at, "stands in the list twice");
                break;
            }
        }
        list.item[list.n++] = text;
    }
    PUT(struct name_list, base, f->offset) = list;
}

/* Tags sorted by name, so that equal documents are written alike. */
static void set_tags(struct parse *p, const struct field *f, void *base, const char *pointer,
                     uint32_t node)
{
    if (json_type(p->doc, node) != JSON_OBJECT) {
        parse_invalid(p, pointer, "must be a map of names to texts");
        return;
    }
    uint32_t count = p->doc->node[node].count;
    if (count > f->most) {
        document_errors_add(p->errors, "limit", pointer, "has %u entries; at most %lld", count,
                            (long long)f->most);
        return;
    }
    struct name_list names = {arena_zalloc(p->arena, count + 1, sizeof *names.item), 0};
    struct name_list values = {arena_zalloc(p->arena, count + 1, sizeof *values.item), 0};
    for (uint32_t i = json_first(p->doc, node); i != JSON_NONE;
         i = json_sibling(p->doc, node, p->doc->node[i].next)) {
        struct slice name = node_text(p, i);
        uint32_t value = p->doc->node[i].next;
        char at[POINTER_MAX];
        pointer_child(at, pointer, name);
        if (json_type(p->doc, value) != JSON_STRING) {
            parse_invalid(p, at, "must be a string");
            continue;
        }
        struct slice text = node_text(p, value);
        if (!length_ok(p, at, name.n, 1, f->item_most) ||
            !length_ok(p, at, text.n, 0, f->item_most))
            continue;
        size_t k = names.n++;
        values.n++;
        for (; k > 0 && slice_cmp(names.item[k - 1], name) > 0; k--) {
            names.item[k] = names.item[k - 1];
            values.item[k] = values.item[k - 1];
        }
        names.item[k] = name;
        values.item[k] = text;
    }
    PUT(struct name_list, base, f->offset) = names;
    PUT(struct name_list, base, f->offset2) = values;
}

static void set_keys(struct parse *p, const struct field *f, void *base, const char *pointer,
                     uint32_t node)
{
    if (json_type(p->doc, node) != JSON_ARRAY) {
        parse_invalid(p, pointer, "must be a list of keys");
        return;
    }
    uint32_t count = p->doc->node[node].count;
    if (count > f->most) {
        document_errors_add(p->errors, "limit", pointer, "has %u entries; at most %lld", count,
                            (long long)f->most);
        return;
    }
    struct producer_key *keys = arena_zalloc(p->arena, count + 1, sizeof *keys);
    uint32_t n = 0;
    for (uint32_t i = json_first(p->doc, node); i != JSON_NONE; i = json_sibling(p->doc, node, i)) {
        char at[POINTER_MAX];
        pointer_item(at, pointer, n);
        if (json_type(p->doc, i) != JSON_OBJECT) {
            parse_invalid(p, at, "must be a key: a map with id and public_key");
            return;
        }
        struct producer_key *key = &keys[n++];
        parse_fields(p, field_table_keys(), key, i, at);
        if (key->not_after_ms != 0 && key->not_after_ms <= key->not_before_ms)
            parse_invalid(p, at, "not_after must be later than not_before");
        for (uint32_t k = 0; k + 1 < n; k++) {
            if (key->id.n > 0 && slice_eq(keys[k].id, key->id))
                parse_invalid(p, at, "another key of this producer has the same id");
        }
    }
    PUT(struct producer_key *, base, f->offset) = keys;
    PUT(size_t, base, f->offset2) = n;
}

static void set_scalar(struct parse *p, const struct field *f, void *base, const char *pointer,
                       uint32_t node)
{
    enum json_type type = json_type(p->doc, node);
    bool boolean = type == JSON_TRUE || type == JSON_FALSE;
    int64_t v;
    if (f->type == FIELD_BOOL && boolean) {
        PUT(bool, base, f->offset) = type == JSON_TRUE;
    } else if (f->type == FIELD_TRISTATE && boolean) {
        PUT(int32_t, base, f->offset) = type == JSON_TRUE;
    } else if (f->type == FIELD_INT && json_int64(p->doc, node, &v)) {
        set_number(p, f, base, pointer, v);
    } else if (f->type == FIELD_SIZE && json_int64(p->doc, node, &v)) {
        if (v < 0) /* -1 would read as unlimited, which has a word of its own */
            parse_invalid(p, pointer, wanted(FIELD_SIZE));
        else
            set_number(p, f, base, pointer, v);
    } else if ((f->type == FIELD_SWITCH || f->type == FIELD_CHOICE) && boolean) {
        /* YAML 1.1 reads on and off as booleans */
        set_text(p, f, base, pointer, slice_str(type == JSON_TRUE ? "on" : "off"));
    } else if (f->type == FIELD_SOURCE) {
        set_text(p, f, base, pointer, node_source(p, node));
    } else if (type == JSON_STRING && f->type != FIELD_BOOL && f->type != FIELD_TRISTATE &&
               f->type != FIELD_INT) {
        set_text(p, f, base, pointer, node_text(p, node));
    } else {
        parse_invalid(p, pointer, wanted(f->type));
    }
}

void parse_set_field(struct parse *p, const struct field *f, void *base, const char *pointer,
                     uint32_t node)
{
    if (f->type == FIELD_NOT_BUILT) {
        document_errors_add(p->errors, "not-built", pointer,
                            "\"%s\" is not built yet in this version; leave it out", f->path);
        return;
    }
    if (json_type(p->doc, node) == JSON_NULL) {
        if (f->standard == NULL)
            document_errors_add(p->errors, "field.missing", pointer, "\"%s\" is required", f->path);
        else
            parse_set_default(p, f, base);
        return;
    }
    switch (f->type) {
    case FIELD_LIST:
    case FIELD_CHOICES:
    case FIELD_SOURCES:
        set_list(p, f, base, pointer, node);
        return;
    case FIELD_TAGS:
        set_tags(p, f, base, pointer, node);
        return;
    case FIELD_KEYS:
        set_keys(p, f, base, pointer, node);
        return;
    default:
        set_scalar(p, f, base, pointer, node);
    }
}
