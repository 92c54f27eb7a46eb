/* YAML on standard input -> one JSON line per document; exit code 1 when it is refused. */
#include "cli/internal.h"
#include "cli/yaml_read.h"

static int put(void *arg, struct slice json, size_t line, struct err *err)
{
    (void)arg;
    (void)line;
    (void)err;
    (void)printf("%.*s\n", SLICE_FMT(json));
    return 0;
}

int main(void)
{
    struct bytes text = {0};
    struct err err = {0};
    int rc = file_read("-", CLI_FILE_MAX_BYTES, &text, &err);
    if (rc == 0)
        rc = yaml_read("input", bytes_slice(&text), put, NULL, &err);
    if (rc != 0)
        (void)fprintf(stderr, "%s\n", err.msg);
    bytes_free(&text);
    return rc == 0 ? 0 : 1;
}
