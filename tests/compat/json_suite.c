/* Runs folders of the JSON-Schema-Test-Suite against governance/json.
 *
 *   json_suite --dialect 7 [--formats] [--remotes DIR=URI]... [--ref URI=FILE]...
 *              [--skip 'file.json: group[: test]']... DIR...
 *
 * Prints each wrong verdict and ends with "N passed, N failed, N skipped"; exit code 0 only when
 * nothing failed and something passed. */
#include "base/bytes.h"
#include "base/mem.h"
#include "json/program.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

struct suite {
    struct json_compile_options options;
    struct json_reference refs[1024];
    size_t refs_n;
    const char *skips[256];
    size_t skips_n;
    struct json_scratch_run *scratch;
    unsigned passed, failed, skipped;
};

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

static void add_reference(struct suite *s, const char *uri, const char *path)
{
    if (s->refs_n == sizeof s->refs / sizeof *s->refs) {
        fprintf(stderr, "too many references\n");
        exit(2);
    }
    s->refs[s->refs_n++] = (struct json_reference){slice_str(mem_strdup(uri)), read_file(path)};
}

static bool is_json_file(const char *name)
{
    size_t n = strlen(name);
    return n > 5 && strcmp(name + n - 5, ".json") == 0;
}

/* Names in order, so that two runs print the same. */
static size_t list_folder(const char *path, char ***out)
{
    struct dirent **entries;
    int n = scandir(path, &entries, NULL, alphasort);
    if (n < 0) {
        perror(path);
        exit(2);
    }
    char **names = mem_zalloc((size_t)n, sizeof *names);
    for (int i = 0; i < n; i++) {
        names[i] = mem_strdup(entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    *out = names;
    return (size_t)n;
}

static void add_remotes(struct suite *s, const char *path, const char *uri)
{
    char **names;
    size_t n = list_folder(path, &names);
    for (size_t i = 0; i < n; i++) {
        char file[4096], name[4096];
        struct stat st;
        snprintf(file, sizeof file, "%s/%s", path, names[i]);
        snprintf(name, sizeof name, "%s/%s", uri, names[i]);
        if (names[i][0] != '.' && stat(file, &st) == 0) {
            if (S_ISDIR(st.st_mode) && strncmp(names[i], "draft", 5) != 0)
                add_remotes(s, file, name);
            else if (is_json_file(names[i]))
                add_reference(s, name, file);
        }
        mem_free(names[i]);
    }
    mem_free(names);
}

static bool is_skipped(const struct suite *s, const char *what)
{
    for (size_t i = 0; i < s->skips_n; i++)
        if (strncmp(what, s->skips[i], strlen(s->skips[i])) == 0)
            return true;
    return false;
}

static void run_test(struct suite *s, const struct json_doc *doc, uint32_t test, const char *where,
                     const struct json_program *program, const char *refusal)
{
    struct arena a;
    arena_init(&a, 0);
    const char *what =
        arena_printf(&a, "%s: %s", where, json_cstr(doc, json_get(doc, test, "description"), &a));
    bool want = json_type(doc, json_get(doc, test, "valid")) == JSON_TRUE;
    uint32_t data = json_get(doc, test, "data");
    struct slice text = json_raw(doc, data);
    if (json_type(doc, data) == JSON_STRING)
        text = slice_of(text.p - 1, text.n + 2);
    struct json_problem problem = {0};
    size_t found = 0;
    if (is_skipped(s, what)) {
        s->skipped++;
    } else if (program == NULL) {
        s->failed++;
        printf("FAILED %s: refused: %s\n", what, refusal);
    } else {
        enum json_verdict verdict =
            json_program_run(program, text, s->scratch, &problem, 1, &found);
        bool told = verdict == JSON_VALID || (found == 1 && problem.message[0] != '\0');
        if ((verdict == JSON_VALID) == want && told) {
            s->passed++;
        } else {
            s->failed++;
            printf("FAILED %s: should be %s: %s: %s\n", what, want ? "valid" : "invalid",
                   problem.path, problem.message);
        }
    }
    arena_free(&a);
}

static void run_group(struct suite *s, const struct json_doc *doc, uint32_t group, const char *file)
{
    struct arena a;
    arena_init(&a, 0);
    uint32_t schema = json_get(doc, group, "schema");
    struct json_program *program = NULL;
    struct err err = {0};
    json_program_compile(json_raw(doc, schema), s->refs, s->refs_n, &s->options, &program, NULL,
                         &err);
    const char *where =
        arena_printf(&a, "%s: %s", file, json_cstr(doc, json_get(doc, group, "description"), &a));
    uint32_t tests = json_get(doc, group, "tests");
    for (uint32_t t = json_first(doc, tests); t != JSON_NONE; t = json_sibling(doc, tests, t))
        run_test(s, doc, t, where, program, err.msg);
    json_program_free(program);
    arena_free(&a);
}

static void run_folder(struct suite *s, const char *path)
{
    char **names;
    size_t n = list_folder(path, &names);
    struct json_limits limits = {.max_depth = 200};
    for (size_t i = 0; i < n; i++) {
        if (is_json_file(names[i])) {
            char file[4096];
            snprintf(file, sizeof file, "%s/%s", path, names[i]);
            struct slice text = read_file(file);
            struct json_doc doc = {0};
            struct err err;
            if (json_parse(&doc, text, &limits, &err) != 0) {
                fprintf(stderr, "%s: %s\n", file, err.msg);
                exit(2);
            }
            for (uint32_t g = json_first(&doc, 0); g != JSON_NONE; g = json_sibling(&doc, 0, g))
                run_group(s, &doc, g, names[i]);
            json_free(&doc);
            mem_free((void *)(uintptr_t)text.p);
        }
        mem_free(names[i]);
    }
    mem_free(names);
}

/* NAME=VALUE cut in two. */
static char *cut(char *arg)
{
    char *equals = strchr(arg, '=');
    if (equals == NULL) {
        fprintf(stderr, "json_suite: %s has no =\n", arg);
        exit(2);
    }
    *equals = '\0';
    return equals + 1;
}

static void read_options(struct suite *s, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        bool more = i + 1 < argc;
        if (strcmp(argv[i], "--formats") == 0) {
            s->options.check_formats = true;
        } else if (more && strcmp(argv[i], "--dialect") == 0) {
            int draft = atoi(argv[++i]);
            s->options.dialect = draft == 2019   ? JSON_DRAFT_2019
                                 : draft == 2020 ? JSON_DRAFT_2020
                                                 : (enum json_dialect)draft;
        } else if (more && strcmp(argv[i], "--remotes") == 0) {
            char *uri = cut(argv[++i]);
            add_remotes(s, argv[i], uri);
        } else if (more && strcmp(argv[i], "--ref") == 0) {
            char *path = cut(argv[++i]);
            add_reference(s, argv[i], path);
        } else if (more && strcmp(argv[i], "--skip") == 0) {
            if (s->skips_n < sizeof s->skips / sizeof *s->skips)
                s->skips[s->skips_n++] = argv[++i];
        } else {
            run_folder(s, argv[i]);
        }
    }
}

int main(int argc, char **argv)
{
    struct suite *s = MEM_NEW(struct suite);
    s->scratch = json_scratch_new();
    read_options(s, argc, argv);
    printf("%u passed, %u failed, %u skipped\n", s->passed, s->failed, s->skipped);
    int rc = s->failed == 0 && s->passed > 0 ? 0 : 1;
    json_scratch_free(s->scratch);
    for (size_t i = 0; i < s->refs_n; i++) {
        mem_free((void *)(uintptr_t)s->refs[i].name.p);
        mem_free((void *)(uintptr_t)s->refs[i].text.p);
    }
    mem_free(s);
    return rc;
}
