#include "catalogue/internal.h"

#include "base/mem.h"

struct request *request_new(enum request_kind kind)
{
    struct request *r = MEM_NEW(struct request);
    r->kind = kind;
    arena_init(&r->arena, 0);
    return r;
}

void request_prepare(struct request *r)
{
    for (size_t i = 0; i < r->documents_n; i++) {
        struct request_document *d = &r->documents[i];
        if (d->prepared || !d->document || d->document->kind != DOCUMENT_TOPIC)
            continue;
        d->prepared = prepared_new(d->document);
        prepared_compress(d->prepared);
    }
}

void request_free(struct request *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->documents_n; i++) {
        document_free(r->documents[i].document);
        schema_unref(r->documents[i].schema);
        prepared_free(r->documents[i].prepared);
    }
    mem_free(r->documents);
    arena_free(&r->arena);
    mem_free(r);
}

void result_free(struct result *r)
{
    bytes_free(&r->body);
    document_errors_free(&r->violations);
    *r = (struct result){0};
}
