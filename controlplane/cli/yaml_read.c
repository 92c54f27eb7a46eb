#include "cli/yaml_read.h"

#include "base/codec.h"
#include "cli/internal.h"

#include <yaml.h>

struct reader {
    const char *name;
    yaml_document_t doc;
    struct json_writer w;
    unsigned nodes, depth;
    struct err *err;
};

static int refuse(struct reader *r, const yaml_node_t *node, const char *what)
{
    return err_set(r->err, ERR_INVALID, "%s:%zu: %s", r->name, node->start_mark.line + 1, what);
}

static struct slice scalar_text(const yaml_node_t *node)
{
    return slice_of(node->data.scalar.value, node->data.scalar.length);
}

static int put_plain(struct reader *r, const yaml_node_t *node)
{
    struct bytes number = {0};
    const char *why = "";
    char what[300];
    struct slice text = scalar_text(node);
    int rc = 0;
    switch (yaml_scalar(text, &number, &why)) {
    case YAML_TEXT:
        json_put_string(&r->w, text);
        break;
    case YAML_NULL:
        json_put_null(&r->w);
        break;
    case YAML_TRUE:
    case YAML_FALSE:
        json_put_bool(&r->w, yaml_scalar(text, &number, &why) == YAML_TRUE);
        break;
    case YAML_NUMBER:
        json_put_raw(&r->w, bytes_slice(&number));
        break;
    case YAML_REFUSED:
        (void)snprintf(what, sizeof what, "%.*s %s", (int)(text.n < 60 ? text.n : 60),
                       (const char *)text.p, why);
        rc = refuse(r, node, what);
    }
    bytes_free(&number);
    return rc;
}

/* libyaml gives !!str to every scalar that has no tag; a plain one without quotes is resolved here.
 */
static int put_scalar(struct reader *r, const yaml_node_t *node)
{
    const char *tag = (const char *)node->tag;
    if (strcmp(tag, YAML_STR_TAG) != 0)
        return refuse(r, node, "tags are not known here; leave it out, or quote a text");
    if (node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
        return put_plain(r, node);
    json_put_string(&r->w, scalar_text(node));
    return 0;
}

static int put_node(struct reader *r, int index);

static int put_sequence(struct reader *r, const yaml_node_t *node)
{
    json_begin_array(&r->w);
    for (const yaml_node_item_t *i = node->data.sequence.items.start;
         i < node->data.sequence.items.top; i++) {
        int rc = put_node(r, *i);
        if (rc != 0)
            return rc;
    }
    json_end_array(&r->w);
    return 0;
}

static int check_key(struct reader *r, const yaml_node_t *map, const yaml_node_pair_t *pair)
{
    char what[160];
    const yaml_node_t *key = yaml_document_get_node(&r->doc, pair->key);
    if (key->type != YAML_SCALAR_NODE)
        return refuse(r, key, "a key must be a text");
    struct slice name = scalar_text(key);
    if (slice_eq_str(name, "<<") && key->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
        return refuse(r, key, "merge keys (<<) are not known here; write the fields out");
    for (const yaml_node_pair_t *p = map->data.mapping.pairs.start; p < pair; p++) {
        if (slice_eq(scalar_text(yaml_document_get_node(&r->doc, p->key)), name)) {
            (void)snprintf(what, sizeof what, "%.*s stands there twice",
                           (int)(name.n < 100 ? name.n : 100), (const char *)name.p);
            return refuse(r, key, what);
        }
    }
    return 0;
}

static int put_mapping(struct reader *r, const yaml_node_t *node)
{
    json_begin_object(&r->w);
    for (const yaml_node_pair_t *p = node->data.mapping.pairs.start;
         p < node->data.mapping.pairs.top; p++) {
        int rc = check_key(r, node, p);
        if (rc != 0)
            return rc;
        json_name_slice(&r->w, scalar_text(yaml_document_get_node(&r->doc, p->key)));
        rc = put_node(r, p->value);
        if (rc != 0)
            return rc;
    }
    json_end_object(&r->w);
    return 0;
}

/* Recursion is bounded by CLI_YAML_DEPTH_MAX, what aliases multiply by CLI_YAML_NODES_MAX. */
static int put_node(struct reader *r, int index)
{
    const yaml_node_t *node = yaml_document_get_node(&r->doc, index);
    if (++r->nodes > CLI_YAML_NODES_MAX)
        return refuse(r, node, "too many values (aliases multiply them)");
    if (r->depth == CLI_YAML_DEPTH_MAX)
        return refuse(r, node, "nested too deep");
    r->depth++;
    int rc = node->type == YAML_SCALAR_NODE     ? put_scalar(r, node)
             : node->type == YAML_SEQUENCE_NODE ? put_sequence(r, node)
                                                : put_mapping(r, node);
    r->depth--;
    return rc;
}

static int put_document(struct reader *r, const yaml_node_t *root, yaml_document each, void *arg)
{
    struct bytes json = {0};
    json_writer_init(&r->w, &json);
    r->nodes = r->depth = 0;
    int rc = put_node(r, 1); /* the root is node 1 */
    /* A document of comments only is null. */
    if (rc == 0 && !slice_eq_str(bytes_slice(&json), "null"))
        rc = each(arg, bytes_slice(&json), root->start_mark.line + 1, r->err);
    bytes_free(&json);
    return rc;
}

int yaml_read(const char *name, struct slice text, yaml_document each, void *arg, struct err *err)
{
    struct reader r = {.name = name, .err = err};
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        return err_set(err, ERR_LIMIT, "%s: no memory", name);
    yaml_parser_set_input_string(&parser, text.p, text.n);
    int rc = 0;
    for (bool more = true; more && rc == 0;) {
        if (!yaml_parser_load(&parser, &r.doc)) {
            rc = err_set(err, ERR_INVALID, "%s:%zu: %s", name, parser.problem_mark.line + 1,
                         parser.problem != NULL ? parser.problem : "not YAML");
            break;
        }
        const yaml_node_t *root = yaml_document_get_root_node(&r.doc);
        more = root != NULL;
        if (more)
            rc = put_document(&r, root, each, arg);
        yaml_document_delete(&r.doc);
    }
    yaml_parser_delete(&parser);
    return rc;
}
