/* validate_files [--formats] [--format NAME] [--all] SCHEMA PAYLOAD...
 *
 * Judges each payload by the schema, one line each:
 *   valid<TAB>FILE
 *   invalid<TAB>FILE<TAB>POINTER<TAB>RULE<TAB>MESSAGE      (with --all a line for each problem)
 * Exit code: 0 all valid, 1 some not, 2 the schema is refused or a file cannot be read. */
#include "base/bytes.h"
#include "base/mem.h"
#include "schema/schema.h"

#include <stdio.h>
#include <stdlib.h>

enum { PROBLEMS_MAX = 64 };

static struct slice read_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    struct bytes b = {0};
    char part[65536];
    size_t n;
    if (f == NULL) {
        perror(path);
        exit(2);
    }
    while ((n = fread(part, 1, sizeof part, f)) > 0)
        bytes_add(&b, part, n);
    fclose(f);
    return bytes_slice(&b);
}

static bool judge(const struct schema *s, struct schema_scratch *scratch, const char *path,
                  bool all)
{
    static struct schema_problem problems[PROBLEMS_MAX];
    struct slice payload = read_file(path);
    size_t found = 0;
    enum schema_verdict verdict =
        schema_validate_all(s, payload, scratch, problems, all ? PROBLEMS_MAX : 1, &found);
    if (verdict == SCHEMA_VALID)
        printf("valid\t%s\n", path);
    for (size_t i = 0; i < found; i++)
        printf("%s\t%s\t%s\t%s\t%s\n", verdict == SCHEMA_MALFORMED ? "malformed" : "invalid", path,
               problems[i].path, problems[i].rule, problems[i].message);
    mem_free((void *)(uintptr_t)payload.p);
    return verdict == SCHEMA_VALID;
}

int main(int argc, char **argv)
{
    struct schema_options options = {0};
    enum schema_format format = SCHEMA_JSON;
    bool all = false;
    int at = 1;
    for (; at < argc && strncmp(argv[at], "--", 2) == 0; at++) {
        if (strcmp(argv[at], "--formats") == 0) {
            options.check_formats = true;
        } else if (strcmp(argv[at], "--all") == 0) {
            all = true;
        } else if (strcmp(argv[at], "--format") != 0 || ++at == argc ||
                   !schema_format_parse(slice_str(argv[at]), &format)) {
            fprintf(stderr, "validate_files: unknown option\n");
            return 2;
        }
    }
    if (at >= argc) {
        fprintf(stderr, "usage: validate_files [--formats] [--all] SCHEMA PAYLOAD...\n");
        return 2;
    }
    struct slice text = read_file(argv[at]);
    struct schema *s = NULL;
    struct err err = {0};
    if (schema_compile(format, text, NULL, 0, &options, &s, NULL, &err) != 0) {
        fprintf(stderr, "%s: %s\n", argv[at], err.msg);
        return 2;
    }
    struct schema_scratch *scratch = schema_scratch_new();
    bool valid = true;
    for (int i = at + 1; i < argc; i++)
        valid &= judge(s, scratch, argv[i], all);
    schema_scratch_free(scratch);
    schema_unref(s);
    mem_free((void *)(uintptr_t)text.p);
    return valid ? 0 : 1;
}
