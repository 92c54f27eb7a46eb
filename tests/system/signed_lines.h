/* Values and their signatures, one a line, as refusal.sh writes them: rounds of five orders of
 * which the second (1) breaks a rule of the schema and the fourth (3) is not JSON. Plain C, also
 * for programs that do not use the wire room. */
#ifndef TEST_SIGNED_LINES_H
#define TEST_SIGNED_LINES_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUND = 5, BAD_RULE = 1, BAD_JSON = 3, LINES_MAX = 100 };

struct signed_lines {
    char *value[LINES_MAX];
    char *signature[LINES_MAX];
    int n;
};

static inline int signed_lines_column(const char *path, char **out)
{
    FILE *f = fopen(path, "r");
    size_t cap;
    int n = 0;
    while (f && n < LINES_MAX) {
        out[n] = NULL;
        cap = 0;
        if (getline(&out[n], &cap, f) <= 0) {
            free(out[n]);
            break;
        }
        out[n][strcspn(out[n], "\n")] = '\0';
        n++;
    }
    if (f)
        fclose(f);
    return n;
}

static inline void signed_lines_read(struct signed_lines *l, const char *values,
                                     const char *signatures)
{
    l->n = signed_lines_column(values, l->value);
    if (l->n == 0 || signed_lines_column(signatures, l->signature) != l->n) {
        fputs("values and signatures do not fit\n", stderr);
        exit(2);
    }
}

static inline void signed_lines_free(struct signed_lines *l)
{
    for (int i = 0; i < l->n; i++) {
        free(l->value[i]);
        free(l->signature[i]);
    }
}

#endif
