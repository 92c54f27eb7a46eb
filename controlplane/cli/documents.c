#include "cli/documents.h"

#include "base/codec.h"
#include "base/mem.h"
#include "cli/internal.h"
#include "cli/yaml_read.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

struct loading {
    struct documents *d;
    const char *file;
    struct progress progress;
};

static bool is_path(struct slice s)
{
    return slice_starts(s, SLICE_LIT("./")) || slice_starts(s, SLICE_LIT("../")) ||
           slice_starts(s, SLICE_LIT("/"));
}

/* The file that a document names -> a JSON string. */
static int put_file(struct loading *l, size_t line, struct slice path, struct json_writer *w,
                    struct err *err)
{
    struct bytes name = {0}, text = {0};
    const char *slash = strrchr(l->file, '/');
    if (path.p[0] != '/' && slash != NULL)
        bytes_add(&name, l->file, (size_t)(slash - l->file) + 1);
    bytes_add_slice(&name, path);
    int rc = 0;
    if (memchr(path.p, 0, path.n) != NULL)
        rc = err_set(err, ERR_INVALID, "a path with a NUL");
    else
        rc = file_read(bytes_cstr(&name), CLI_FILE_MAX_BYTES, &text, err);
    if (rc == 0 && !utf8_valid(bytes_slice(&text)))
        rc = err_set(err, ERR_INVALID, "%s is not UTF-8 text", bytes_cstr(&name));
    if (rc == 0)
        json_put_string(w, bytes_slice(&text));
    else
        rc = err_wrap(err, "%s:%zu", l->file, line);
    bytes_free(&name);
    bytes_free(&text);
    return rc;
}

static void put_raw(const struct json_doc *doc, uint32_t i, struct json_writer *w)
{
    struct slice raw = json_raw(doc, i);
    if (json_type(doc, i) == JSON_STRING) /* with its quotes */
        raw = slice_of(raw.p - 1, raw.n + 2);
    json_put_raw(w, raw);
}

static int put_source(struct loading *l, size_t line, const struct json_doc *doc, uint32_t i,
                      struct arena *a, struct json_writer *w, struct err *err)
{
    struct slice text = json_type(doc, i) == JSON_STRING ? json_string(doc, i, a) : SLICE_NULL;
    if (text.p != NULL && is_path(text))
        return put_file(l, line, text, w, err);
    put_raw(doc, i, w);
    return 0;
}

static int put_sources(struct loading *l, size_t line, const struct json_doc *doc, uint32_t list,
                       struct arena *a, struct json_writer *w, struct err *err)
{
    if (json_type(doc, list) != JSON_ARRAY) {
        put_raw(doc, list, w);
        return 0;
    }
    json_begin_array(w);
    for (uint32_t i = json_first(doc, list); i != JSON_NONE; i = json_sibling(doc, list, i)) {
        int rc = put_source(l, line, doc, i, a, w, err);
        if (rc != 0)
            return rc;
    }
    json_end_array(w);
    return 0;
}

/* The object with files in the place of paths; `inner`: it is the member "value". */
static int put_object(struct loading *l, size_t line, const struct json_doc *doc, uint32_t object,
                      bool inner, struct arena *a, struct json_writer *w, struct err *err)
{
    int rc = 0;
    json_begin_object(w);
    for (uint32_t i = json_first(doc, object); i != JSON_NONE;) {
        uint32_t value = json_sibling(doc, object, i);
        struct slice name = json_string(doc, i, a);
        json_name_slice(w, name);
        if (inner && slice_eq_str(name, "schema"))
            rc = put_source(l, line, doc, value, a, w, err);
        else if (inner && slice_eq_str(name, "examples"))
            rc = put_sources(l, line, doc, value, a, w, err);
        else if (!inner && slice_eq_str(name, "value") && json_type(doc, value) == JSON_OBJECT)
            rc = put_object(l, line, doc, value, true, a, w, err);
        else
            put_raw(doc, value, w);
        if (rc != 0)
            return rc; /* the output is thrown away */
        i = json_sibling(doc, object, value);
    }
    json_end_object(w);
    return 0;
}

static int add_document(struct loading *l, const struct json_doc *doc, uint32_t node, size_t line,
                        struct err *err)
{
    struct documents *d = l->d;
    struct json_writer w;
    struct arena a;
    if (json_type(doc, node) != JSON_OBJECT)
        return err_set(err, ERR_INVALID, "%s:%zu: a document must be a map with kind and name",
                       l->file, line);
    if (d->n == CLI_DOCUMENTS_MAX)
        return err_set(err, ERR_LIMIT, "more than %d documents", CLI_DOCUMENTS_MAX);
    if ((d->n & (d->n - 1)) == 0)
        d->place = mem_realloc(d->place, (d->n == 0 ? 1 : 2 * d->n) * sizeof *d->place);
    if (d->n > 0)
        bytes_add_u8(&d->json, ',');
    d->place[d->n].file = mem_strdup(l->file);
    d->place[d->n++].line = line;
    json_writer_init(&w, &d->json);
    arena_init(&a, 0);
    int rc = put_object(l, line, doc, node, false, &a, &w, err);
    arena_free(&a);
    return rc;
}

static int on_yaml(void *arg, struct slice json, size_t line, struct err *err)
{
    struct loading *l = arg;
    struct json_doc doc = {0};
    int rc = json_parse(&doc, json, NULL, err);
    rc = rc != 0 ? err_wrap(err, "%s:%zu", l->file, line) : add_document(l, &doc, 0, line, err);
    json_free(&doc);
    return rc;
}

static size_t line_of(const struct json_doc *doc, uint32_t i)
{
    size_t line = 1;
    for (uint32_t k = 0; k < doc->node[i].start; k++)
        line += doc->text.p[k] == '\n';
    return line;
}

static int add_json(struct loading *l, struct slice text, struct err *err)
{
    struct json_doc doc = {0};
    int rc = json_parse(&doc, text, NULL, err);
    if (rc != 0) {
        rc = err_wrap(err, "%s", l->file);
        json_free(&doc);
        return rc;
    }
    uint32_t list = json_type(&doc, 0) == JSON_OBJECT ? json_get(&doc, 0, "documents") : 0;
    if (json_type(&doc, list) == JSON_ARRAY) {
        for (uint32_t i = json_first(&doc, list); i != JSON_NONE && rc == 0;
             i = json_sibling(&doc, list, i))
            rc = add_document(l, &doc, i, line_of(&doc, i), err);
    } else {
        rc = add_document(l, &doc, 0, 1, err);
    }
    json_free(&doc);
    return rc;
}

static bool ends_with(const char *name, const char *end)
{
    size_t n = strlen(name), e = strlen(end);
    return n > e && strcmp(name + n - e, end) == 0;
}

static int add_file(struct loading *l, const char *path, struct err *err)
{
    struct bytes text = {0};
    if (l->d->files_n == CLI_FILES_MAX)
        return err_set(err, ERR_LIMIT, "more than %d files", CLI_FILES_MAX);
    l->file = path;
    l->d->files_n++;
    progress_step(&l->progress, l->d->files_n, 0);
    int rc = file_read(path, CLI_FILE_MAX_BYTES, &text, err);
    if (rc == 0)
        rc = ends_with(path, ".json") ? add_json(l, bytes_slice(&text), err)
                                      : yaml_read(path, bytes_slice(&text), on_yaml, l, err);
    bytes_free(&text);
    return rc;
}

static int add_path(struct loading *l, const char *path, unsigned depth, struct err *err);

static int wanted(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

static int add_folder(struct loading *l, const char *folder, unsigned depth, struct err *err)
{
    struct dirent **entry;
    if (depth == CLI_FOLDER_DEPTH_MAX)
        return err_set(err, ERR_LIMIT, "%s: folders nested too deep", folder);
    int n = scandir(folder, &entry, wanted, alphasort);
    if (n < 0)
        return err_set(err, ERR_IO, "%s: %s", folder, strerror(errno));
    int rc = 0;
    for (int i = 0; i < n; i++) {
        struct bytes path = {0};
        struct stat st;
        bytes_printf(&path, "%s%s%s", folder, ends_with(folder, "/") ? "" : "/", entry[i]->d_name);
        bool yaml = ends_with(entry[i]->d_name, ".yaml") || ends_with(entry[i]->d_name, ".yml");
        bool is_folder = stat(bytes_cstr(&path), &st) == 0 && S_ISDIR(st.st_mode);
        if (rc == 0 && (yaml || is_folder))
            rc = add_path(l, bytes_cstr(&path), depth + 1, err);
        bytes_free(&path);
        free(entry[i]);
    }
    free(entry);
    return rc;
}

static int add_path(struct loading *l, const char *path, unsigned depth, struct err *err)
{
    struct stat st;
    if (strcmp(path, "-") == 0)
        return add_file(l, path, err);
    if (stat(path, &st) != 0)
        return err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
    return S_ISDIR(st.st_mode) ? add_folder(l, path, depth, err) : add_file(l, path, err);
}

int documents_add(struct documents *d, const char *path, struct err *err)
{
    struct loading l = {.d = d};
    size_t before = d->n;
    progress_start(&l.progress, "reading documents");
    int rc = add_path(&l, path, 0, err);
    progress_end(&l.progress);
    if (rc == 0 && d->n == before)
        return err_set(err, ERR_NOT_FOUND, "%s holds no documents (files named *.yaml)", path);
    return rc;
}

void documents_free(struct documents *d)
{
    for (size_t i = 0; i < d->n; i++)
        mem_free(d->place[i].file);
    mem_free(d->place);
    bytes_free(&d->json);
    *d = (struct documents){0};
}
