#include "cli/internal.h"

int cli_status(struct cli *c)
{
    struct answer a;
    int rc = answer_get(c, "GET", "/v1/status", NULL, &a);
    if (rc == 0) {
        if (c->format == CLI_TABLE)
            c->format = CLI_YAML; /* an outline, not a table */
        rc = output_value(c, bytes_slice(&a.body));
    }
    answer_free(&a);
    return rc;
}
