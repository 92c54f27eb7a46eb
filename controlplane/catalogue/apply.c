/* One committed entry into the state. */
#include "base/check.h"
#include "base/codec.h"
#include "base/log.h"
#include "base/mem.h"
#include "catalogue/internal.h"
#include "catalogue/outcome.h"

#include <stdio.h>

/* Texts that the deleted contracts of the past named. */
struct loose {
    uint8_t (*digest)[DIGEST_BYTES];
    size_t n, cap;
};

static void loose_add(struct loose *l, struct slice digest)
{
    if (digest.n != DIGEST_BYTES)
        return;
    if (l->n == l->cap) {
        l->cap = l->cap ? 2 * l->cap : 8;
        l->digest = mem_realloc(l->digest, l->cap * sizeof *l->digest);
    }
    memcpy(l->digest[l->n++], digest.p, DIGEST_BYTES);
}

static void loose_collect(struct catalogue *c, struct loose *l)
{
    for (size_t i = 0; i < l->n; i++) {
        struct row r = row_new(TABLE_TEXT);
        r.cell[TEXT_DIGEST].b = slice_of(l->digest[i], DIGEST_BYTES);
        if (!text_used(c, r.cell[TEXT_DIGEST].b))
            rows_delete(&c->rows, &r);
    }
    mem_free(l->digest);
}

/* Does each row stand where the decision saw it? 0, ERR_CONFLICT or ERR_CORRUPT. */
static int check_all(struct catalogue *c, struct facts_reader reader)
{
    struct fact f;
    int rc;
    while ((rc = facts_next(&reader, &f)) == 1) {
        if (f.op == FACT_PUT_ANY || f.op == FACT_DELETE_ANY)
            continue;
        uint64_t rev = rows_rev(&c->rows, &f.row);
        if (f.op == FACT_EXISTS ? rev == 0 : rev != f.expected_rev)
            return ERR_CONFLICT;
    }
    return rc;
}

static void write_all(struct catalogue *c, struct facts_reader reader, struct touched *t,
                      struct loose *loose)
{
    struct fact f;
    while (facts_next(&reader, &f) == 1) {
        f.row.rev = c->version;
        switch (f.op) {
        case FACT_PUT:
        case FACT_PUT_ANY:
            rows_put(&c->rows, &f.row);
            break;
        case FACT_DELETE:
        case FACT_DELETE_ANY:
            if (f.row.table->id == TABLE_HISTORY && rows_get(&c->rows, &f.row, &c->scratch)) {
                loose_add(loose, f.row.cell[HISTORY_SCHEMA].b);
                loose_add(loose, f.row.cell[HISTORY_EXAMPLES].b);
            }
            rows_delete(&c->rows, &f.row);
            break;
        case FACT_CHECK:
        case FACT_EXISTS:
            continue;
        }
        touched_add(t, &f.row);
    }
}

static void write_audit(struct catalogue *c, const struct facts_head *h, struct bytes *line)
{
    struct audit_entry e = {.time_ms = h->time_ms,
                            .principal = h->principal,
                            .action = h->action,
                            .target = h->target,
                            .result = SLICE_LIT("done"),
                            .correlation_id = h->correlation_id,
                            .catalogue_version = c->version,
                            .detail_json = h->detail.n ? h->detail : SLICE_NULL};
    struct bytes scratch = {0};
    audit_append(&c->audit, &e, line ? line : &scratch);
    bytes_free(&scratch);
}

static void write_idempotency(struct catalogue *c, const struct facts_head *h,
                              const struct result *out)
{
    struct row r = row_new(TABLE_IDEMPOTENCY);
    struct bytes packed = {0};
    outcome_pack(out, &packed);
    r.rev = c->version;
    r.cell[IDEMPOTENCY_PRINCIPAL].b = h->principal;
    r.cell[IDEMPOTENCY_KEY].b = h->idempotency_key;
    r.cell[IDEMPOTENCY_REQUEST].b = h->request_digest;
    r.cell[IDEMPOTENCY_RESULT].b = bytes_slice(&packed);
    rows_put(&c->rows, &r);
    bytes_free(&packed);
}

static void apply_entry(struct catalogue *c, struct facts_reader *reader,
                        const struct facts_head *h, const struct request *prepared,
                        struct result *out, struct bytes *line)
{
    out->request_id = h->request_id;
    out->version = c->version;
    if (h->idempotency_key.n &&
        outcome_recorded(c, h->principal, h->idempotency_key, h->request_digest, out))
        return;
    int rc = h->strict && h->base_version != c->version ? ERR_CONFLICT : check_all(c, *reader);
    if (rc != 0) {
        outcome_set(out, (enum err_code)rc, rc == ERR_CONFLICT ? "state.moved" : "entry.corrupt",
                    "the catalogue moved between the decision and its entry (version %llu, now "
                    "%llu)",
                    (unsigned long long)h->base_version, (unsigned long long)c->version);
        return;
    }
    struct touched touched = {0};
    struct loose loose = {0};
    arena_init(&touched.arena, 0);
    c->version++;
    write_all(c, *reader, &touched, &loose);
    loose_collect(c, &loose);
    write_audit(c, h, line);

    out->code = ERR_OK;
    out->changed = true;
    out->version = c->version;
    out->first_producer_id = h->first_producer_id;
    out->topic_id = h->topic_id;
    snprintf(out->message, sizeof out->message, "%.*s", SLICE_FMT(h->message));
    if (h->body.n)
        bytes_printf(&out->body, "{\"version\":%llu,%.*s", (unsigned long long)c->version,
                     SLICE_FMT(h->body));
    if (h->idempotency_key.n)
        write_idempotency(c, h, out);
    build_view(c, &touched, prepared);
    touched_free(&touched);
}

static void warn_size(struct catalogue *c)
{
    size_t n = catalogue_size_bytes(c);
    if (n > CATALOGUE_STATE_ALARM_BYTES)
        log_event(LOG_WARN, "catalogue", "the state nears its limit", LOG_I("bytes", n),
                  LOG_I("limit", CATALOGUE_STATE_MAX_BYTES));
}

void catalogue_apply(struct catalogue *c, uint64_t index, struct slice facts,
                     const struct request *prepared, struct result *out, struct bytes *audit_line)
{
    ASSERT(index > c->applied);
    c->applied = index;
    struct result unasked = {0};
    struct result *to = out ? out : &unasked;
    *to = (struct result){0};
    struct facts_reader reader;
    struct facts_head head;
    struct err err = {0};
    rows_exec(&c->rows, "BEGIN");
    int rc = facts_open(&reader, facts, &head, &err);
    if (rc == ERR_UNSUPPORTED) {
        /* Nodes that skip what others write would be two clusters. */
        log_event(LOG_ERROR, "catalogue", "cannot apply", LOG_T("why", err.msg));
        ASSERT(rc != ERR_UNSUPPORTED);
    }
    if (rc != 0)
        outcome_set(to, (enum err_code)rc, "entry.corrupt", "%s", err.msg);
    else
        apply_entry(c, &reader, &head, prepared, to, audit_line);
    facts_reader_free(&reader);
    static const uint64_t unset[4];
    head_store(c, unset);
    rows_exec(&c->rows, "COMMIT");
    arena_reset(&c->scratch);
    for (size_t i = 0; i < c->compiled_n; i++)
        schema_unref(c->compiled[i].schema);
    c->compiled_n = 0;
    warn_size(c);
    if (!out)
        result_free(&unasked);
}
