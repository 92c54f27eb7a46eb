#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "catalogue/internal.h"

#include <sodium.h>
#include <zstd.h>

void digest_of(struct slice s, uint8_t out[DIGEST_BYTES])
{
    crypto_generichash(out, DIGEST_BYTES, s.p, s.n, NULL, 0);
}

void schema_key(enum schema_format format, struct slice text, uint8_t out[DIGEST_BYTES])
{
    crypto_generichash_state st;
    uint8_t f = (uint8_t)format;
    crypto_generichash_init(&st, NULL, 0, DIGEST_BYTES);
    crypto_generichash_update(&st, &f, 1);
    crypto_generichash_update(&st, text.p, text.n);
    crypto_generichash_final(&st, out, DIGEST_BYTES);
}

/* A value as it stands in the text, with a string's quotes. */
static struct slice raw_value(const struct json_doc *doc, uint32_t i)
{
    struct slice s = json_raw(doc, i);
    if (json_type(doc, i) == JSON_STRING)
        s = slice_of(s.p - 1, s.n + 2);
    return s;
}

/* The two places that are cut out, in the order of the text. */
static size_t find_cuts(const struct json_doc *doc, struct slice cut[2], bool is_schema[2])
{
    uint32_t value = json_get(doc, 0, "value");
    uint32_t at[2] = {json_get(doc, value, "schema"), json_get(doc, value, "examples")};
    size_t n = 0;
    for (int i = 0; i < 2; i++) {
        if (at[i] == JSON_NONE)
            continue;
        cut[n] = raw_value(doc, at[i]);
        is_schema[n] = i == 0;
        n++;
    }
    if (n == 2 && cut[0].p > cut[1].p) {
        struct slice s = cut[0];
        cut[0] = cut[1];
        cut[1] = s;
        is_schema[0] = false;
        is_schema[1] = true;
    }
    return n;
}

/* text with each cut replaced. */
static struct slice splice(struct slice text, const struct slice *cut, const struct slice *with,
                           size_t n, struct arena *a)
{
    size_t size = text.n;
    for (size_t i = 0; i < n; i++)
        size += with[i].n - cut[i].n;
    uint8_t *out = arena_alloc(a, size ? size : 1), *p = out;
    const uint8_t *from = text.p;
    for (size_t i = 0; i < n; i++) {
        memcpy(p, from, (size_t)(cut[i].p - from));
        p += cut[i].p - from;
        memcpy(p, with[i].p, with[i].n);
        p += with[i].n;
        from = cut[i].p + cut[i].n;
    }
    memcpy(p, from, (size_t)(text.p + text.n - from));
    return slice_of(out, size);
}

struct request_prepared *prepared_new(const struct document *d)
{
    struct request_prepared *p = MEM_NEW(struct request_prepared);
    arena_init(&p->arena, 0);
    document_write(d, &p->text);
    digest_of(bytes_slice(&p->text), p->content);
    int rc = json_parse(&p->json, bytes_slice(&p->text), NULL, NULL);
    ASSERT(rc == 0);
    struct slice cut[2], with[2];
    bool is_schema[2];
    size_t n = find_cuts(&p->json, cut, is_schema);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (slice_eq_str(cut[i], "null") || slice_eq_str(cut[i], "[]"))
            continue; /* nothing there */
        struct text_part *part = is_schema[i] ? &p->schema : &p->examples;
        part->text = cut[i];
        digest_of(cut[i], part->digest);
        cut[kept] = cut[i];
        with[kept] = is_schema[i] ? slice_str("null") : slice_str("[]");
        kept++;
    }
    p->skeleton = splice(bytes_slice(&p->text), cut, with, kept, &p->arena);
    return p;
}

static void compress_part(struct text_part *part, struct arena *a)
{
    if (!part->text.p || part->row.table)
        return;
    struct row *r = &part->row;
    *r = row_new(TABLE_TEXT);
    r->cell[TEXT_DIGEST].b = slice_of(part->digest, sizeof part->digest);
    r->cell[TEXT_SIZE].i = (int64_t)part->text.n;
    r->cell[TEXT_CONTENT].b = part->text;
    if (part->text.n < CATALOGUE_TEXT_COMPRESS_BYTES)
        return;
    size_t bound = ZSTD_compressBound(part->text.n);
    uint8_t *out = arena_alloc(a, bound);
    size_t n = ZSTD_compress(out, bound, part->text.p, part->text.n, 3);
    if (!ZSTD_isError(n) && n < part->text.n) {
        r->cell[TEXT_CODEC].i = 1;
        r->cell[TEXT_CONTENT].b = slice_of(out, n);
    }
}

void prepared_compress(struct request_prepared *p)
{
    compress_part(&p->schema, &p->arena);
    compress_part(&p->examples, &p->arena);
}

void prepared_free(struct request_prepared *p)
{
    if (!p)
        return;
    json_free(&p->json);
    bytes_free(&p->text);
    arena_free(&p->arena);
    mem_free(p);
}

static struct slice text_load(struct catalogue *c, struct slice digest, struct arena *a)
{
    struct row r = row_new(TABLE_TEXT);
    r.cell[TEXT_DIGEST].b = digest;
    bool found = rows_get(&c->rows, &r, &c->scratch);
    ASSERT(found);
    if (r.cell[TEXT_CODEC].i == 0)
        return arena_copy(a, r.cell[TEXT_CONTENT].b);
    size_t n = (size_t)r.cell[TEXT_SIZE].i;
    uint8_t *p = arena_alloc(a, n);
    size_t got = ZSTD_decompress(p, n, r.cell[TEXT_CONTENT].b.p, r.cell[TEXT_CONTENT].b.n);
    ASSERT(got == n);
    return slice_of(p, n);
}

struct slice text_join(struct catalogue *c, struct slice skeleton, struct slice schema_digest,
                       struct slice examples_digest, struct arena *a)
{
    if (schema_digest.n == 0 && examples_digest.n == 0)
        return skeleton;
    struct json_doc doc = {0};
    int rc = json_parse(&doc, skeleton, NULL, NULL);
    ASSERT(rc == 0);
    struct slice cut[2], with[2];
    bool is_schema[2];
    size_t n = find_cuts(&doc, cut, is_schema);
    for (size_t i = 0; i < n; i++) {
        struct slice digest = is_schema[i] ? schema_digest : examples_digest;
        with[i] = digest.n ? text_load(c, digest, a) : cut[i];
    }
    struct slice out = splice(skeleton, cut, with, n, a);
    json_free(&doc);
    return out;
}

bool text_used(struct catalogue *c, struct slice digest)
{
    sqlite3_stmt *st =
        rows_query(&c->rows, "SELECT EXISTS(SELECT 1 FROM topic_history WHERE schema=?1)"
                             " OR EXISTS(SELECT 1 FROM topic_history WHERE examples=?1)");
    rows_bind_slice(st, 1, digest, false);
    bool used = rows_step(st) && sqlite3_column_int(st, 0) != 0;
    sqlite3_finalize(st);
    return used;
}

struct document *document_of(struct slice text)
{
    struct json_doc doc = {0};
    struct document_errors errors = {0};
    int rc = json_parse(&doc, text, NULL, NULL);
    struct document *d = rc == 0 ? document_parse(&doc, 0, &errors) : NULL;
    if (!d && errors.n)
        log_event(LOG_ERROR, "catalogue", "a stored document is not valid",
                  LOG_T("code", errors.item[0].code), LOG_T("pointer", errors.item[0].pointer),
                  LOG_T("detail", errors.item[0].detail));
    ASSERT(d != NULL);
    document_errors_free(&errors);
    json_free(&doc);
    return d;
}
