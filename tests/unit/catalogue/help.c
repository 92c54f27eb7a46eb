#include "help.h"

#include "base/codec.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>
#include <sodium.h>

uint64_t world_random(struct world *w)
{
    w->random = w->random * 6364136223846793005u + 1442695040888963407u;
    return w->random >> 17;
}

struct slice request_text(struct request *r, const char *s)
{
    return arena_copy(&r->arena, slice_str(s));
}

struct request *world_request(struct world *w, enum request_kind kind)
{
    struct request *r = request_new(kind);
    r->id = 1000 + w->index;
    r->principal = request_text(r, "admin");
    r->correlation_id = request_text(r, "c-1");
    r->now_ms = w->now_ms += 1000;
    for (size_t i = 0; i < sizeof r->random; i++)
        r->random[i] = (uint8_t)world_random(w);
    return r;
}

static void keep(struct world *w, struct slice entry)
{
    if (w->entries_n == w->entries_cap) {
        w->entries_cap = w->entries_cap ? 2 * w->entries_cap : 64;
        w->entry = mem_realloc(w->entry, w->entries_cap * sizeof *w->entry);
    }
    struct bytes *b = &w->entry[w->entries_n++];
    *b = (struct bytes){0};
    bytes_add_slice(b, entry);
}

static void check_audit(struct world *w, struct slice line, const struct result *result)
{
    struct err err = {0};
    if (!result->changed) {
        assert_int_equal(line.n, 0);
        return;
    }
    snprintf(w->audit_line, sizeof w->audit_line, "%.*s", SLICE_FMT(line));
    if (audit_check(&w->audit, line, &err) != 0)
        fail_msg("audit: %s in %.*s", err.msg, SLICE_FMT(line));
    struct audit_head head = catalogue_audit_head(w->a);
    assert_int_equal(head.seq, w->audit.seq);
    assert_memory_equal(head.hash, w->audit.hash, sizeof head.hash);
}

static void apply_both(struct world *w, struct slice facts, const struct request *r,
                       struct result *out)
{
    struct result other;
    struct bytes line = {0}, line_b = {0};
    uint8_t x[32], y[32];
    w->index++;
    catalogue_apply(w->a, w->index, facts, r, out, &line);
    catalogue_apply(w->b, w->index, facts, NULL, &other, &line_b);
    assert_int_equal(out->code, other.code);
    assert_int_equal(out->version, other.version);
    assert_true(slice_eq(bytes_slice(&out->body), bytes_slice(&other.body)));
    assert_true(slice_eq(bytes_slice(&line), bytes_slice(&line_b)));
    catalogue_digest(w->a, x);
    catalogue_digest(w->b, y);
    assert_memory_equal(x, y, sizeof x);
    check_audit(w, bytes_slice(&line), out);
    result_free(&other);
    bytes_free(&line);
    bytes_free(&line_b);
}

struct result world_do(struct world *w, struct request *r)
{
    struct result out;
    struct bytes facts = {0};
    uint8_t before[32], after[32];
    uint64_t version = catalogue_version(w->a);
    catalogue_digest(w->a, before);
    catalogue_decide(w->a, r, &facts, &out);
    catalogue_digest(w->a, after);
    assert_memory_equal(before, after, sizeof before);
    assert_int_equal(catalogue_version(w->a), version);
    assert_int_equal(out.request_id, r->id);
    if (facts.n) {
        assert_int_equal(out.code, ERR_OK);
        assert_false(r->dry_run);
        assert_int_equal(facts.n % 8, 0);
        keep(w, bytes_slice(&facts));
        uint64_t id = out.request_id;
        result_free(&out);
        apply_both(w, bytes_slice(&facts), r, &out);
        assert_int_equal(out.request_id, id);
        assert_int_equal(out.changed, out.code == ERR_OK);
    } else {
        assert_true(r->dry_run || !out.changed || r->idempotency_key.n);
    }
    if (w->check) {
        catalogue_check_invariants(w->a);
        catalogue_check_invariants(w->b);
    }
    if (out.body.n) {
        struct json_doc doc = {0};
        struct err err = {0};
        if (json_parse(&doc, bytes_slice(&out.body), NULL, &err) != 0)
            fail_msg("the body is no JSON: %s in %s", err.msg, bytes_cstr(&out.body));
        json_free(&doc);
    }
    bytes_free(&facts);
    request_free(r);
    return out;
}

struct request *world_documents(struct world *w, const char *documents)
{
    struct request *r = world_request(w, REQUEST_APPLY);
    struct json_doc doc = {0};
    struct err err = {0};
    if (json_parse(&doc, slice_str(documents), NULL, &err) != 0)
        fail_msg("the test's own JSON: %s in %s", err.msg, documents);
    r->documents_n = doc.node[0].count;
    r->documents = mem_zalloc(r->documents_n + 1, sizeof *r->documents);
    size_t n = 0;
    for (uint32_t i = json_first(&doc, 0); i != JSON_NONE; i = json_sibling(&doc, 0, i)) {
        struct document_errors errors = {0};
        struct document *d = document_parse(&doc, i, &errors);
        if (!d)
            fail_msg("%s at %s: %s", errors.item[0].code, errors.item[0].pointer,
                     errors.item[0].detail);
        document_errors_free(&errors);
        r->documents[n++].document = d;
    }
    json_free(&doc);
    return r;
}

struct result world_apply(struct world *w, const char *documents)
{
    return world_do(w, world_documents(w, documents));
}

void world_must(struct world *w, const char *documents, bool changed)
{
    struct result r = world_apply(w, documents);
    if (r.code != ERR_OK)
        fail_msg("%s: %s", r.reason, r.message);
    assert_int_equal(r.changed, changed);
    result_free(&r);
}

void world_refused(struct world *w, const char *documents, const char *code, const char *pointer)
{
    struct result r = world_apply(w, documents);
    assert_int_equal(r.code, ERR_INVALID);
    assert_string_equal(r.reason, "violations");
    if (r.violations.n != 1 || strcmp(r.violations.item[0].code, code) != 0 ||
        strcmp(r.violations.item[0].pointer, pointer) != 0)
        fail_msg("%zu violations, the first %s at %s: %s (wanted %s at %s)", r.violations.n,
                 r.violations.item[0].code, r.violations.item[0].pointer,
                 r.violations.item[0].detail, code, pointer);
    result_free(&r);
}

void world_node(struct world *w, int32_t id)
{
    struct request *r = world_request(w, REQUEST_NODE_REGISTER);
    r->node = (struct view_node){.id = id,
                                 .kafka_host = SLICE_LIT("localhost"),
                                 .kafka_port = 9092,
                                 .raft_id = 77,
                                 .role = SLICE_LIT("voter"),
                                 .state = SLICE_LIT("active")};
    struct result out = world_do(w, r);
    assert_int_equal(out.code, ERR_OK);
    result_free(&out);
}

struct result world_delete(struct world *w, enum document_kind kind, const char *name,
                           const char *accept)
{
    struct request *r = world_request(w, REQUEST_DELETE);
    r->target_kind = kind;
    r->name = request_text(r, name);
    if (accept) {
        r->accept.item = arena_zalloc(&r->arena, 1, sizeof *r->accept.item);
        r->accept.item[r->accept.n++] = request_text(r, accept);
    }
    return world_do(w, r);
}

void world_open_empty(struct world *w)
{
    struct err err = {0};
    *w = (struct world){.now_ms = 1764000000000, .random = 42, .check = true};
    assert_int_equal(catalogue_open(&w->a, &err), 0);
    assert_int_equal(catalogue_open(&w->b, &err), 0);
    catalogue_check_invariants(w->a);
}

void world_open(struct world *w)
{
    world_open_empty(w);
    struct result out = world_do(w, world_request(w, REQUEST_BOOTSTRAP));
    assert_int_equal(out.code, ERR_OK);
    result_free(&out);
    world_node(w, 1);
}

void world_close(struct world *w)
{
    catalogue_close(w->a);
    catalogue_close(w->b);
    for (size_t i = 0; i < w->entries_n; i++)
        bytes_free(&w->entry[i]);
    mem_free(w->entry);
}

void world_key_bytes(unsigned n, uint8_t out[32])
{
    uint8_t seed[32] = {0}, secret[64];
    be32_put(seed, n);
    crypto_sign_seed_keypair(out, secret, seed);
}

const char *world_key(unsigned n, char out[64])
{
    uint8_t public[32];
    world_key_bytes(n, public);
    struct bytes text = {0};
    base64url_add(&text, slice_of(public, sizeof public));
    snprintf(out, 64, "%s", bytes_cstr(&text));
    bytes_free(&text);
    return out;
}

void world_report(struct world *w, const char *topic, int64_t records)
{
    const struct view *v = catalogue_view(w->a);
    const struct view_topic *t = view_topic_by_name(v, slice_str(topic));
    assert_non_null(t);
    struct report_partition p[8] = {0};
    struct report report = {.made_at_ms = w->now_ms, .partition = p};
    for (int32_t i = 0; i < t->partitions_n && i < 8; i++)
        p[report.partitions_n++] = (struct report_partition){.topic = t->name,
                                                             .partition = i,
                                                             .log_start_offset = 10,
                                                             .log_end_offset = 10 + records,
                                                             .high_watermark = 10 + records,
                                                             .size_bytes = 100 * records};
    catalogue_set_report(w->a, &report);
    view_unref(v);
}
