/* Runs the command line inside the test, with its own standard streams and a folder of its own. */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "base/bytes.h"

struct outcome {
    int rc;
    struct bytes out, err; /* NUL-terminated; outcome_free */
};

/* words: "get topics -o json" split at blanks; input: standard input, may be NULL. */
struct outcome help_run(const char *words, const char *input, size_t input_n);
void outcome_free(struct outcome *o);
/* Fails the test unless the exit code is rc and `part` stands in out (or err). */
void help_expect(const char *words, int rc, const char *out_part, const char *err_part);

/* A fresh folder as working directory, and the way back with everything in it removed. */
void help_folder_enter(void);
void help_folder_leave(void);
void help_file(const char *name, const char *text);
struct bytes help_read(const char *name);

#endif
