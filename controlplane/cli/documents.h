/* Folders of YAML (and JSON) files -> the documents of a plan or an apply. */
#ifndef CLI_DOCUMENTS_H
#define CLI_DOCUMENTS_H

#include "base/bytes.h"
#include "base/err.h"

struct document_place {
    char *file; /* owned */
    size_t line;
};

struct documents {
    struct bytes json;            /* the documents, with commas between */
    struct document_place *place; /* where each stands; owned */
    size_t n;
    size_t files_n;
};

/* Adds what path holds: a file (.json: one document, a list of them, or what `writ export -o json`
 * printed; otherwise YAML), "-" for YAML on standard input, or a folder with all .yaml and .yml
 * files in it and below, in the order of their names, without hidden ones. value.schema and
 * value.examples that begin with ./, ../ or / are replaced by the text of the file that they name,
 * relative to their own. Messages begin with file:line. */
int documents_add(struct documents *d, const char *path, struct err *err);
void documents_free(struct documents *d);

#endif
