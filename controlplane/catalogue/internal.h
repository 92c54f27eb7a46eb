/* What the files of the room share. */
#ifndef CATALOGUE_INTERNAL_H
#define CATALOGUE_INTERNAL_H

#include "catalogue/catalogue.h"
#include "catalogue/facts.h"
#include "catalogue/limits.h"
#include "catalogue/rows.h"

enum { DIGEST_BYTES = 32 };

/* --- leaves and parts of views (view.c, leaf.c) --------------------------------------------------
 */

/* Each is immutable once made and reference-counted; the view_ struct comes first, so that the
 * view's pointers are these. */
struct leaf_topic {
    struct view_topic v;
    _Atomic uint32_t refs;
    int32_t *nodes;            /* owned: node lists of the partitions, all in one block */
    struct document *document; /* owned; NULL: ungoverned */
    uint64_t rev;
    uint8_t content[DIGEST_BYTES];       /* of the whole document */
    uint8_t schema_digest[DIGEST_BYTES]; /* rows of text; zero: none */
    uint8_t examples_digest[DIGEST_BYTES];
};

struct leaf_document {
    struct view_document v;
    _Atomic uint32_t refs;
    struct document *document; /* owned */
};

/* Sorted arrays of leaves, shared by the views in which none of them differs. */
struct part_topics {
    _Atomic uint32_t refs;
    size_t n;
    const struct view_topic **by_name;
    /* All of them, by id: of deleted topics also those whose name another one has had since. */
    size_t ids_n;
    const struct view_topic **by_id; /* holds the references */
};

struct part_principal {
    struct slice principal;
    const struct producer *producer;
};

struct part_documents {
    _Atomic uint32_t refs;
    size_t n;
    const struct view_document **by_name; /* by kind, then name */
    const struct policy **policy;         /* of those that are policies */
    size_t policies_n;
    struct view_key *key; /* by kid */
    size_t keys_n;
    struct part_principal *principal; /* who may write unsigned, by principal */
    size_t principals_n;
    struct arena arena; /* kids */
};

struct part_nodes {
    _Atomic uint32_t refs;
    size_t n;
    struct view_node *node;
    struct arena arena;
};

struct view_parts {
    struct part_topics *topics, *deleted;
    struct part_documents *documents;
    struct part_nodes *nodes;
};

struct view_full {
    struct view v; /* first */
    _Atomic uint32_t refs;
    struct view_parts parts;
    char cluster_id[24];
};

static inline const struct leaf_topic *leaf_of(const struct view_topic *t)
{
    return (const struct leaf_topic *)t;
}
static inline const struct view_full *full_of(const struct view *v)
{
    return (const struct view_full *)v;
}

/* The topic of this name, deleted ones left out. */
const struct view_topic *view_topic_live(const struct view *v, struct slice name);
void leaf_topic_free(struct leaf_topic *leaf);
void leaf_topic_unref(const struct view_topic *t);
void leaf_document_unref(const struct view_document *d);
void part_topics_unref(struct part_topics *p);
void part_documents_unref(struct part_documents *p);
void part_nodes_unref(struct part_nodes *p);
/* Index of the name, or where it would stand (*found). */
size_t part_topics_find(const struct part_topics *p, struct slice name, bool *found);
const struct view_topic *part_topics_by_id(const struct part_topics *p, struct slice id);
size_t part_documents_find(const struct part_documents *p, enum document_kind kind,
                           struct slice name, bool *found);

/* --- the catalogue -------------------------------------------------------------------------------
 */

/* A schema compiled by decide because the request brought none: apply picks it up. */
struct compiled {
    uint8_t key[DIGEST_BYTES]; /* schema_key() */
    bool check_formats;
    struct schema *schema; /* owned reference */
};
enum { COMPILED_MAX = 64 };

struct catalogue {
    struct rows rows;
    sqlite3_stmt *partitions, *configs, *keys, *head; /* of one topic, one producer; the head row */
    uint64_t version, applied;
    struct audit_head audit;
    struct report report; /* owned copy */
    bool report_known;
    struct arena report_arena;
    int32_t controller;
    struct view_full *view;
    struct compiled compiled[COMPILED_MAX];
    size_t compiled_n;
    struct arena scratch;                  /* of one call */
    struct schema_scratch *schema_scratch; /* for examples; made when needed */
};

static inline const struct view *cat_view(const struct catalogue *c)
{
    return &c->view->v;
}

/* What an entry touched; names may repeat. */
struct touched_name {
    enum document_kind kind; /* DOCUMENT_TOPIC: also ungoverned ones */
    struct slice name;       /* in the arena */
};
struct touched {
    struct touched_name *name;
    size_t names_n, names_cap;
    bool nodes, meta, deleted, policies;
    bool everything;
    struct arena arena;
};
void touched_add(struct touched *t, const struct row *r);
void touched_free(struct touched *t);

/* Publishes the view of the present state, rebuilding what was touched (build.c). */
void build_view(struct catalogue *c, const struct touched *t, const struct request *prepared);

/* meta (state.c) */
bool meta_get(struct catalogue *c, const char *name, struct row *out); /* arena: c->scratch */
int64_t meta_number(struct catalogue *c, const char *name, int64_t otherwise);
struct row meta_row(const char *name, int64_t number, struct slice content);
void head_load(struct catalogue *c, uint64_t digest[4]);
void head_store(struct catalogue *c, const uint64_t digest[4]);

/* --- texts (text.c) ------------------------------------------------------------------------------
 */

/* A contract as it is stored: its text with the schema and the examples cut out, and those. */
struct text_part {
    struct slice text; /* the JSON value; NULL: the document has none */
    uint8_t digest[DIGEST_BYTES];
    struct row row; /* of table text; table NULL until compressed */
};
struct request_prepared {
    struct arena arena;
    struct bytes text;    /* the whole document */
    struct json_doc json; /* of it */
    struct slice skeleton;
    uint8_t content[DIGEST_BYTES];
    struct text_part schema, examples;
};
struct request_prepared *prepared_new(const struct document *d);
void prepared_compress(struct request_prepared *p);
void prepared_free(struct request_prepared *p);
/* Puts them back; digests of 0 bytes: none. Asserts that the texts exist. */
struct slice text_join(struct catalogue *c, struct slice skeleton, struct slice schema_digest,
                       struct slice examples_digest, struct arena *a);
/* Is the text part of any contract, present or past? */
bool text_used(struct catalogue *c, struct slice digest);
/* Identity of a schema: format and text. */
void schema_key(enum schema_format format, struct slice text, uint8_t out[DIGEST_BYTES]);
void digest_of(struct slice s, uint8_t out[DIGEST_BYTES]);
/* Parses the canonical text of a document; it was valid when it was stored (asserted). */
struct document *document_of(struct slice text);

#endif
