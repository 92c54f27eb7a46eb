/* The field tables: one row per field of a document, in the order in which documents are written.
 * Parsing, defaults, writing, comparing and docs/contracts.md all follow from them, so a field
 * cannot be accepted and forgotten. Internal to the room and to policy_docs. */
#ifndef POLICY_FIELDS_H
#define POLICY_FIELDS_H

#include "policy/contract.h"

enum field_type {
    FIELD_NAME,        /* struct slice: [A-Za-z0-9._-], not "." or ".." */
    FIELD_TEXT,        /* struct slice */
    FIELD_BOOL,        /* bool */
    FIELD_TRISTATE,    /* int32_t: -1 unset, 0, 1 */
    FIELD_SWITCH,      /* on | off: bool off at offset, bool set at offset2 */
    FIELD_CHOICE,      /* an enum, by name */
    FIELD_CHOICE_BOOL, /* a bool, by name */
    FIELD_CHOICE_TEXT, /* struct slice, one of the names */
    FIELD_INT,         /* int32_t */
    FIELD_DURATION,    /* int64_t milliseconds; -1: forever, or unset when the default is null */
    FIELD_SIZE,        /* int64_t bytes; -1: unlimited, or unset when the default is null */
    FIELD_TIME,        /* int64_t milliseconds since the epoch; 0: none */
    FIELD_LIST,        /* struct name_list of texts */
    FIELD_CHOICES,     /* struct name_list, each one of the names */
    FIELD_PATTERN,     /* struct slice: a regular expression (PCRE2) */
    FIELD_SOURCE,      /* struct slice: a text, or JSON in place */
    FIELD_SOURCES,     /* struct name_list of such */
    FIELD_TAGS,        /* struct name_list of names at offset, of values at offset2 */
    FIELD_PUBLIC_KEY,  /* 32 bytes, base64url */
    FIELD_KEYS,        /* struct producer_key *, count at offset2 */
    FIELD_NOT_BUILT,   /* known to contract.md, refused by name */
};

struct field_choice {
    const char *name;
    int value;
    bool built;
    const char *about;
};

struct field {
    const char *path; /* dotted, at most two parts; a group's fields stand together */
    enum field_type type;
    uint16_t offset, offset2;
    const struct field_choice *choices; /* ends with a NULL name */
    int64_t least, most;                /* of a number; of a text, list or name its length */
    uint32_t item_most;                 /* longest item of a list, in bytes */
    const char *standard; /* the default as text; "null": unset; NULL: the field is required */
    const char *about;    /* one or two sentences for the reference */
};

struct field_table {
    const char *title; /* "Topic" */
    const char *about;
    const struct field *field;
    size_t n;
};

enum { FIELDS_MAX = 48, DOCUMENT_ERRORS_MAX = 100, DOCUMENT_KINDS = 4 };

const struct field_table *field_table_of(enum document_kind kind);
const struct field_table *field_table_keys(void); /* an element of a Producer's keys */

#endif
