/* One line is {"seq":...,"...":...,"prev":"<hex>","hash":"<hex>"}. The record text that is hashed
 * is the line without its last member: everything up to and excluding `,"hash":"`. prev stands
 * inside it, so each line names its place even when it is looked at alone. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "audit/audit.h"

#include "base/check.h"
#include "base/codec.h"
#include "base/json.h"

#include <openssl/sha.h>

#define HASH_MEMBER ",\"hash\":\""
enum {
    HASH_HEX = 2 * AUDIT_HASH_BYTES,
    TAIL_BYTES = sizeof HASH_MEMBER - 1 + HASH_HEX + 2, /* ,"hash":"..."} */
};

static void chain(uint8_t out[AUDIT_HASH_BYTES], const uint8_t prev[AUDIT_HASH_BYTES],
                  struct slice text)
{
    SHA256_CTX h;
    SHA256_Init(&h);
    SHA256_Update(&h, prev, AUDIT_HASH_BYTES);
    SHA256_Update(&h, text.p, text.n);
    SHA256_Final(out, &h);
}

static void put_tail(struct bytes *out, const uint8_t hash[AUDIT_HASH_BYTES])
{
    bytes_add_str(out, HASH_MEMBER);
    hex_add(out, slice_of(hash, AUDIT_HASH_BYTES));
    bytes_add_str(out, "\"}");
}

static void put_text(struct json_writer *w, const char *name, struct slice s)
{
    json_name(w, name);
    if (s.p == NULL)
        json_put_null(w);
    else
        json_put_string(w, s);
}

void audit_append(struct audit_head *head, const struct audit_entry *e, struct bytes *out)
{
    char time[TIME_TEXT_SIZE];
    struct bytes prev = {0};
    struct json_writer w;
    size_t start = out->n;

    hex_add(&prev, slice_of(head->hash, sizeof head->hash));
    time_text(e->time_ms, time);
    json_writer_init(&w, out);
    json_begin_object(&w);
    json_name(&w, "seq");
    json_put_int(&w, (int64_t)(head->seq + 1));
    json_name(&w, "time");
    json_put_cstr(&w, time);
    put_text(&w, "principal", e->principal);
    put_text(&w, "action", e->action);
    put_text(&w, "target", e->target);
    put_text(&w, "result", e->result);
    put_text(&w, "correlation_id", e->correlation_id);
    json_name(&w, "catalogue_version");
    json_put_int(&w, (int64_t)e->catalogue_version);
    json_name(&w, "detail");
    if (e->detail_json.p == NULL)
        json_put_null(&w);
    else
        json_put_raw(&w, e->detail_json);
    put_text(&w, "prev", bytes_slice(&prev));
    json_end_object(&w);
    bytes_free(&prev);

    /* The object's end makes room for the hash. */
    ASSERT(out->n > start && out->p[out->n - 1] == '}');
    out->n--;
    uint8_t hash[AUDIT_HASH_BYTES];
    chain(hash, head->hash, slice_of(out->p + start, out->n - start));
    put_tail(out, hash);
    memcpy(head->hash, hash, sizeof hash);
    head->seq++;
}

/* What the line says of itself, against where the chain stands. */
static int check_place(const struct audit_head *head, const struct json_doc *doc, struct err *err)
{
    int64_t seq;
    uint8_t prev[AUDIT_HASH_BYTES];
    size_t n;
    if (json_type(doc, 0) != JSON_OBJECT || !json_int64(doc, json_get(doc, 0, "seq"), &seq))
        return err_set(err, ERR_CORRUPT, "after audit record %llu: a line without seq",
                       (unsigned long long)head->seq);
    if ((uint64_t)seq != head->seq + 1)
        return err_set(err, ERR_CORRUPT, "audit record %lld stands where %llu must: %s",
                       (long long)seq, (unsigned long long)(head->seq + 1),
                       (uint64_t)seq > head->seq ? "records are missing"
                                                 : "a record stands twice or was moved");
    uint32_t at = json_get(doc, 0, "prev");
    if (json_type(doc, at) != JSON_STRING || !hex_get(json_raw(doc, at), prev, sizeof prev, &n) ||
        n != sizeof prev || memcmp(prev, head->hash, sizeof prev) != 0)
        return err_set(err, ERR_CORRUPT,
                       "audit record %lld does not follow record %llu: prev is not its hash",
                       (long long)seq, (unsigned long long)head->seq);
    return 0;
}

int audit_check(struct audit_head *head, struct slice line, struct err *err)
{
    static const struct json_limits limits = {.max_depth = 80};
    struct json_doc doc = {0};
    uint8_t hash[AUDIT_HASH_BYTES];
    struct err why = {0};

    if (json_parse(&doc, line, &limits, &why) != 0) {
        json_free(&doc);
        return err_set(err, ERR_CORRUPT, "after audit record %llu: not JSON: %s",
                       (unsigned long long)head->seq, why.msg);
    }
    int rc = check_place(head, &doc, err);
    json_free(&doc);
    if (rc != 0)
        return rc;
    unsigned long long seq = head->seq + 1;
    if (line.n <= TAIL_BYTES)
        return err_set(err, ERR_CORRUPT, "audit record %llu does not end with its hash", seq);
    /* The tail is compared as text, so that a hash in capitals is an alteration too. */
    struct bytes tail = {0};
    chain(hash, head->hash, slice_of(line.p, line.n - TAIL_BYTES));
    put_tail(&tail, hash);
    ASSERT(tail.n == TAIL_BYTES);
    bool same = memcmp(tail.p, line.p + line.n - TAIL_BYTES, TAIL_BYTES) == 0;
    bytes_free(&tail);
    if (!same)
        return err_set(err, ERR_CORRUPT, "audit record %llu was altered: its hash does not fit",
                       seq);
    memcpy(head->hash, hash, sizeof hash);
    head->seq++;
    return 0;
}
