/* Internal to the room: what parse.c (the walk over members) and value.c (one field's value) share.
 */
#ifndef POLICY_PARSE_H
#define POLICY_PARSE_H

#include "policy/fields.h"

struct parse {
    const struct json_doc *doc;
    struct arena *arena; /* the document's; owns every text that is kept */
    struct document_errors *errors;
};

enum { POINTER_MAX = sizeof((struct document_error *)0)->pointer };

/* out = parent + "/" + name, escaped (RFC 6901) and cut at the end of out. */
void pointer_child(char out[POINTER_MAX], const char *parent, struct slice name);
void pointer_item(char out[POINTER_MAX], const char *parent, uint32_t index);

void parse_invalid(struct parse *p, const char *pointer, const char *what);
bool field_name_valid(struct slice s);

void parse_set_default(struct parse *p, const struct field *f, void *base);
void parse_set_field(struct parse *p, const struct field *f, void *base, const char *pointer,
                     uint32_t node);
/* A whole object by its table; base is the struct, node an object. */
void parse_fields(struct parse *p, const struct field_table *t, void *base, uint32_t node,
                  const char *pointer);

#endif
