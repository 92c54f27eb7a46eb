/* The configuration file: one YAML mapping of plain values, read as libyaml's events so that each
 * message has its line. */
#include "main/conf.h"

#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <yaml.h>

enum { KEYS_MAX = 256 };

struct reader {
    yaml_parser_t parser;
    yaml_event_t event;
    bool have_event;
    const char *path;
    struct err *err;
};

static int bad(struct reader *r, const char *what)
{
    return err_set(r->err, ERR_INVALID, "%s:%zu: %s", r->path, r->event.start_mark.line + 1, what);
}

static int next(struct reader *r)
{
    if (r->have_event)
        yaml_event_delete(&r->event);
    r->have_event = false;
    if (!yaml_parser_parse(&r->parser, &r->event))
        return err_set(r->err, ERR_INVALID, "%s:%zu: %s", r->path, r->parser.problem_mark.line + 1,
                       r->parser.problem ? r->parser.problem : "not YAML");
    r->have_event = true;
    return 0;
}

static struct slice scalar(const yaml_event_t *e)
{
    return slice_of(e->data.scalar.value, e->data.scalar.length);
}

static int read_pair(struct reader *r, struct config *c, char **seen, size_t *seen_n)
{
    if (r->event.type != YAML_SCALAR_EVENT)
        return bad(r, "a key must be plain text");
    struct slice key = scalar(&r->event);
    for (size_t i = 0; i < *seen_n; i++)
        if (slice_eq_str(key, seen[i]))
            return bad(r, "this key stands twice");
    if (*seen_n == KEYS_MAX)
        return bad(r, "too many keys");
    char *name = mem_strndup((const char *)key.p, key.n);
    seen[(*seen_n)++] = name;
    size_t line = r->event.start_mark.line + 1;
    int rc = next(r);
    if (rc)
        return rc;
    if (r->event.type != YAML_SCALAR_EVENT)
        return bad(r, "a value must be plain text, not a list or a mapping");
    struct err err;
    rc = conf_set(c, slice_str(name), scalar(&r->event), &err);
    if (rc)
        err_set(r->err, err.code, "%s:%zu: %s", r->path, line, err.msg);
    return rc;
}

static int read_mapping(struct reader *r, struct config *c)
{
    char *seen[KEYS_MAX];
    size_t seen_n = 0;
    int rc = next(r);
    while (!rc && r->event.type != YAML_MAPPING_END_EVENT) {
        rc = read_pair(r, c, seen, &seen_n);
        if (!rc)
            rc = next(r);
    }
    for (size_t i = 0; i < seen_n; i++)
        mem_free(seen[i]);
    return rc;
}

/* STREAM-START, then nothing or one DOCUMENT with one MAPPING, STREAM-END. */
static int read_stream(struct reader *r, struct config *c)
{
    int rc = next(r);
    if (!rc)
        rc = next(r);
    if (rc || r->event.type == YAML_STREAM_END_EVENT)
        return rc;
    rc = next(r);
    if (rc)
        return rc;
    if (r->event.type != YAML_MAPPING_START_EVENT)
        return bad(r, "the file must be lines of key: value");
    rc = read_mapping(r, c);
    if (!rc)
        rc = next(r);
    if (!rc)
        rc = next(r);
    if (!rc && r->event.type != YAML_STREAM_END_EVENT)
        return bad(r, "the file must be one document");
    return rc;
}

int conf_load(struct config *c, const char *path, struct err *err)
{
    FILE *f = fopen(path, "r");
    if (!f)
        return err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
    struct reader r = {.path = path, .err = err};
    if (!yaml_parser_initialize(&r.parser)) {
        fclose(f);
        return err_set(err, ERR_IO, "%s: out of memory", path);
    }
    yaml_parser_set_input_file(&r.parser, f);
    int rc = read_stream(&r, c);
    if (r.have_event)
        yaml_event_delete(&r.event);
    yaml_parser_delete(&r.parser);
    fclose(f);
    return rc;
}
