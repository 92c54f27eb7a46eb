/* What the API calls the kinds of things. */
#ifndef CLI_KINDS_H
#define CLI_KINDS_H

#include "cli/internal.h"

struct kind {
    const char *one, *many; /* "topic", "topics" */
    const char *title;      /* "Topic" */
    bool document;          /* can be deleted; has .document */
    const struct column *columns;
    size_t columns_n;
};

/* Any of one, many, title; NULL after a message that names the nearest. */
const struct kind *kind_find(const struct cli *c, const char *word);

#endif
