#include "policy/fields.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>

void document_errors_add(struct document_errors *es, const char *code, const char *pointer,
                         const char *fmt, ...)
{
    if (es->n == DOCUMENT_ERRORS_MAX)
        return; /* a hundred reasons are enough to refuse */
    if (es->n == es->cap) {
        es->cap = es->cap == 0 ? 8 : es->cap * 2;
        es->item = mem_realloc(es->item, es->cap * sizeof *es->item);
    }
    struct document_error *e = &es->item[es->n++];
    (void)snprintf(e->code, sizeof e->code, "%s", code);
    (void)snprintf(e->pointer, sizeof e->pointer, "%s", pointer);
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(e->detail, sizeof e->detail, fmt, ap);
    va_end(ap);
}

void document_errors_free(struct document_errors *es)
{
    mem_free(es->item);
    *es = (struct document_errors){0};
}
