/* The strict JSON reader (RFC 8259): iterative, depth-limited, no allocation per value. It refuses
 * invalid UTF-8, lone surrogates, duplicate member names (compared after unescaping), leading
 * zeros, trailing bytes and anything that RFC 8259 does not allow. Numbers keep their text, so
 * 64-bit integers and decimals stay exact.
 *
 * A document is a tape of nodes in document order. Node 0 is the root. The children of an array or
 * object follow it; node.next is the index after the node's whole subtree, so siblings are reached
 * by i = doc->node[i].next. In an object each child is preceded by its name node (a JSON_STRING
 * with is_name set); name.next is the index of its value. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/slice.h"

enum json_type {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

struct json_node {
    uint32_t start;  /* offset in the text: first byte of the value; of a string, after the quote */
    uint32_t length; /* bytes of the value; of a string, without the quotes */
    uint32_t next;
    uint32_t count;   /* elements of an array, members of an object; of a name json_name_hash */
    uint8_t type;     /* enum json_type */
    bool escaped : 1; /* a string with a backslash: json_string unescapes */
    bool is_name : 1;
    bool integer : 1; /* a number without fraction and exponent */
    bool negative : 1;
};

struct json_limits {
    uint32_t max_depth;    /* nesting; 0: JSON_DEPTH_DEFAULT */
    uint32_t max_nodes;    /* 0: no limit but memory's */
    bool allow_duplicates; /* for payloads whose producer cannot help it; default refuse */
};

enum { JSON_DEPTH_DEFAULT = 64 };

/* Owns the node array, which is reused from parse to parse; the text is borrowed and must outlive
 * every use. Zero-initialise. */
struct json_doc {
    struct slice text;
    struct json_node *node;
    uint32_t n;
    uint32_t cap;
    void *scratch; /* parser's own stack and duplicate table, reused */
    /* After a failure: where, and which rule. */
    uint32_t error_offset;
    const char *error;
};

/* 0, or ERR_INVALID / ERR_LIMIT with doc->error, doc->error_offset and *err (NULL allowed) set. */
int json_parse(struct json_doc *doc, struct slice text, const struct json_limits *limits,
               struct err *err);
void json_free(struct json_doc *doc);

#define JSON_NONE UINT32_MAX

/* Index of the value of a member, or JSON_NONE. obj must be an object (or JSON_NONE, giving
 * JSON_NONE, so that look-ups chain). */
uint32_t json_get(const struct json_doc *doc, uint32_t obj, const char *name);
uint32_t json_get_slice(const struct json_doc *doc, uint32_t obj, struct slice name);
/* First child of an array (a value) or object (a name); JSON_NONE when empty. */
uint32_t json_first(const struct json_doc *doc, uint32_t i);
/* Next sibling within parent, or JSON_NONE at its end. In an object pass and get values or names
 * alike: the sibling after a name is its value. */
uint32_t json_sibling(const struct json_doc *doc, uint32_t parent, uint32_t i);

static inline enum json_type json_type(const struct json_doc *doc, uint32_t i)
{
    return i == JSON_NONE ? JSON_NULL : (enum json_type)doc->node[i].type;
}
/* The bytes of the value as they stand in the text (a string without quotes, still escaped). */
static inline struct slice json_raw(const struct json_doc *doc, uint32_t i)
{
    return (struct slice){doc->text.p + doc->node[i].start, doc->node[i].length};
}
/* The unescaped string: borrowed from the text when it has no escapes, else from the arena. */
struct slice json_string(const struct json_doc *doc, uint32_t i, struct arena *a);
char *json_cstr(const struct json_doc *doc, uint32_t i, struct arena *a); /* NUL-terminated copy */
/* Whether node i is a string with this unescaped text. */
bool json_string_is(const struct json_doc *doc, uint32_t i, struct slice text);
bool json_int64(const struct json_doc *doc, uint32_t i, int64_t *out); /* exact or false */
bool json_double(const struct json_doc *doc, uint32_t i, double *out);
/* Equality as JSON values: numbers by value, members in any order. */
bool json_equal(const struct json_doc *a, uint32_t i, const struct json_doc *b, uint32_t j);
/* JSON Pointer (RFC 6901) of node i, appended to out. */
void json_pointer(const struct json_doc *doc, uint32_t i, struct bytes *out);
/* Node at a JSON Pointer, or JSON_NONE. */
uint32_t json_at(const struct json_doc *doc, uint32_t root, struct slice pointer);

/* Writer: appends to a byte string; the caller nests rightly (asserted). */
struct json_writer {
    struct bytes *out;
    uint32_t depth;
    bool need_comma;
    bool after_name;
};
void json_writer_init(struct json_writer *w, struct bytes *out);
void json_begin_object(struct json_writer *w);
void json_end_object(struct json_writer *w);
void json_begin_array(struct json_writer *w);
void json_end_array(struct json_writer *w);
void json_name(struct json_writer *w, const char *name);
void json_name_slice(struct json_writer *w, struct slice name);
void json_put_string(struct json_writer *w, struct slice s); /* invalid UTF-8 becomes U+FFFD */
void json_put_cstr(struct json_writer *w, const char *s);    /* NULL: null */
void json_put_int(struct json_writer *w, int64_t v);
void json_put_double(struct json_writer *w, double v);
void json_put_bool(struct json_writer *w, bool v);
void json_put_null(struct json_writer *w);
void json_put_raw(struct json_writer *w, struct slice json); /* already valid JSON */

/* Canonical text (RFC 8785, JCS): sorted members, shortest numbers; equal values give equal bytes.
 * Numbers that a double cannot hold keep all their digits, so different values differ. */
void json_canonical(const struct json_doc *doc, uint32_t i, struct bytes *out);

#endif
