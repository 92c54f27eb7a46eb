/* What the view does not answer: the export and the history. */
#include "base/check.h"
#include "base/codec.h"
#include "catalogue/internal.h"

#include <stdio.h>

static void put_document(struct json_writer *w, const struct document *d)
{
    struct bytes text = {0};
    document_write(d, &text);
    json_put_raw(w, bytes_slice(&text));
    bytes_free(&text);
}

static void put_kind(struct json_writer *w, const struct view *v, enum document_kind kind)
{
    for (size_t i = 0; i < v->documents_n; i++)
        if (v->document[i]->kind == kind)
            put_document(w, v->document[i]->document);
}

/* Topics without contract are no documents; they are listed so that the export leaves nothing out.
 */
static void put_ungoverned(struct json_writer *w, const struct view_topic *t)
{
    json_begin_object(w);
    json_name(w, "name");
    json_put_string(w, t->name);
    json_name(w, "partitions");
    json_put_int(w, t->partitions_n);
    json_name(w, "configs");
    json_begin_object(w);
    for (size_t i = 0; i < t->config_n; i++) {
        json_name_slice(w, t->config[i].name);
        json_put_string(w, t->config[i].value);
    }
    json_end_object(w);
    json_end_object(w);
}

int catalogue_export(struct catalogue *c, struct bytes *out, struct err *err)
{
    (void)err;
    const struct view *v = cat_view(c);
    struct json_writer w;
    uint8_t digest[32];
    struct bytes hex = {0};
    catalogue_digest(c, digest);
    hex_add(&hex, slice_of(digest, sizeof digest));
    json_writer_init(&w, out);
    json_begin_object(&w);
    json_name(&w, "version");
    json_put_int(&w, (int64_t)c->version);
    json_name(&w, "digest");
    json_put_string(&w, bytes_slice(&hex));
    json_name(&w, "cluster_id");
    json_put_string(&w, v->cluster_id);
    json_name(&w, "documents");
    json_begin_array(&w);
    put_kind(&w, v, DOCUMENT_TEAM);
    put_kind(&w, v, DOCUMENT_POLICY);
    put_kind(&w, v, DOCUMENT_PRODUCER);
    for (size_t i = 0; i < v->topics_n; i++)
        if (v->topic[i]->document)
            put_document(&w, v->topic[i]->document);
    json_end_array(&w);
    json_name(&w, "ungoverned_topics");
    json_begin_array(&w);
    for (size_t i = 0; i < v->topics_n; i++)
        if (!v->topic[i]->document)
            put_ungoverned(&w, v->topic[i]);
    json_end_array(&w);
    json_end_object(&w);
    bytes_free(&hex);
    return 0;
}

static void put_version(struct catalogue *c, struct json_writer *w, const struct row *r)
{
    char time[TIME_TEXT_SIZE];
    time_text(r->cell[HISTORY_TIME].i, time);
    json_begin_object(w);
    json_name(w, "version");
    json_put_int(w, r->cell[HISTORY_VERSION].i);
    json_name(w, "catalogue_version");
    json_put_int(w, (int64_t)r->rev);
    json_name(w, "time");
    json_put_cstr(w, time);
    json_name(w, "principal");
    json_put_string(w, r->cell[HISTORY_PRINCIPAL].b);
    json_name(w, "schema_id");
    if (r->cell[HISTORY_SCHEMA_ID].i)
        json_put_int(w, r->cell[HISTORY_SCHEMA_ID].i);
    else
        json_put_null(w);
    json_name(w, "contract");
    json_put_raw(w, text_join(c, r->cell[HISTORY_DOCUMENT].b, r->cell[HISTORY_SCHEMA].b,
                              r->cell[HISTORY_EXAMPLES].b, &c->scratch));
    json_end_object(w);
}

int catalogue_topic_history(struct catalogue *c, struct slice topic, struct bytes *out,
                            struct err *err)
{
    const struct view_topic *t = view_topic_live(cat_view(c), topic);
    if (!t)
        return err_set(err, ERR_NOT_FOUND, "there is no topic %.*s", SLICE_FMT(topic));
    sqlite3_stmt *st =
        rows_query(&c->rows, "SELECT * FROM topic_history WHERE topic=? ORDER BY version DESC");
    rows_bind_slice(st, 1, slice_of(t->id.bytes, sizeof t->id.bytes), false);
    for (bool first = true; rows_step(st); first = false) {
        struct row r;
        rows_column_row(st, TABLE_HISTORY, &r);
        struct json_writer w;
        if (!first)
            bytes_add_str(out, ",");
        json_writer_init(&w, out);
        put_version(c, &w, &r);
        arena_reset(&c->scratch);
    }
    sqlite3_finalize(st);
    return 0;
}
