/* Any JSON as a document: refused with a reason, or written, read back and written alike. */
#include "base/check.h"
#include "policy/contract.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct document *parse(struct slice text, struct document_errors *errors)
{
    struct json_doc doc = {0};
    struct document *d = NULL;
    if (json_parse(&doc, text, NULL, NULL) == 0) {
        d = document_parse(&doc, 0, errors);
        ASSERT((d == NULL) == (errors->n > 0));
    }
    json_free(&doc);
    return d;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct document_errors errors = {0};
    struct bytes first = {0}, second = {0};
    struct document *d = parse(slice_of(data, size), &errors);
    if (d != NULL) {
        document_write(d, &first);
        struct document *again = parse(bytes_slice(&first), &errors);
        ASSERT(again != NULL);
        document_write(again, &second);
        ASSERT(slice_eq(bytes_slice(&first), bytes_slice(&second)));
        document_free(again);
    }
    document_free(d);
    document_errors_free(&errors);
    bytes_free(&first);
    bytes_free(&second);
    return 0;
}
