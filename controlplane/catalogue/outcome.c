#include "catalogue/outcome.h"

#include "base/codec.h"

#include <stdio.h>

void outcome_set(struct result *out, enum err_code code, const char *reason, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    out->code = code;
    snprintf(out->reason, sizeof out->reason, "%s", reason);
    vsnprintf(out->message, sizeof out->message, fmt, ap);
    va_end(ap);
}

/* u8 format | be64 version | be64 producer id | topic id | u8 length, message | be32 size of the
 * body | body */
enum { PACKED_FORMAT = 1, PACKED_HEAD = 1 + 8 + 8 + 16 + 1 };

void outcome_pack(const struct result *r, struct bytes *out)
{
    size_t message_n = strnlen(r->message, 255);
    struct slice body = bytes_slice(&r->body);
    struct bytes summary = {0};
    if (body.n > CATALOGUE_IDEMPOTENCY_BODY_MAX_BYTES) {
        bytes_printf(&summary, "{\"version\":%llu,\"changed\":true,\"repeated\":true}",
                     (unsigned long long)r->version);
        body = bytes_slice(&summary);
    }
    bytes_add_u8(out, PACKED_FORMAT);
    bytes_add_be64(out, r->version);
    bytes_add_be64(out, (uint64_t)r->first_producer_id);
    bytes_add(out, r->topic_id.bytes, sizeof r->topic_id.bytes);
    bytes_add_u8(out, (uint8_t)message_n);
    bytes_add(out, r->message, message_n);
    bytes_add_be32(out, (uint32_t)body.n);
    bytes_add_slice(out, body);
    bytes_free(&summary);
}

static void unpack(struct slice s, struct result *out)
{
    if (s.n < PACKED_HEAD || s.p[0] != PACKED_FORMAT)
        return;
    out->code = ERR_OK;
    out->changed = true;
    out->version = be64_get(s.p + 1);
    out->first_producer_id = (int64_t)be64_get(s.p + 9);
    memcpy(out->topic_id.bytes, s.p + 17, sizeof out->topic_id.bytes);
    size_t message_n = s.p[33];
    if (s.n < PACKED_HEAD + message_n + 4)
        return;
    memcpy(out->message, s.p + PACKED_HEAD, message_n);
    out->message[message_n] = 0;
    bytes_clear(&out->body);
    bytes_add(&out->body, s.p + PACKED_HEAD + message_n + 4, s.n - PACKED_HEAD - message_n - 4);
}

bool outcome_recorded(struct catalogue *c, struct slice principal, struct slice key,
                      struct slice request, struct result *out)
{
    struct row r = row_new(TABLE_IDEMPOTENCY);
    r.cell[IDEMPOTENCY_PRINCIPAL].b = principal;
    r.cell[IDEMPOTENCY_KEY].b = key;
    if (!rows_get(&c->rows, &r, &c->scratch))
        return false;
    if (slice_eq(r.cell[IDEMPOTENCY_REQUEST].b, request))
        unpack(r.cell[IDEMPOTENCY_RESULT].b, out);
    else
        outcome_set(out, ERR_CONFLICT, "idempotency.mismatch",
                    "this Idempotency-Key was used before for another request");
    return true;
}

/* --- the digest of a request ---------------------------------------------------------------------
 */

static void add(struct bytes *b, struct slice s)
{
    bytes_add_be32(b, (uint32_t)s.n);
    bytes_add_slice(b, s);
}

void outcome_request_digest(const struct request *r, uint8_t out[DIGEST_BYTES])
{
    struct bytes b = {0};
    bytes_add_u8(&b, (uint8_t)r->kind);
    bytes_add_u8(&b, (uint8_t)r->target_kind);
    bytes_add_u8(&b, (uint8_t)(r->prune | r->replace_configs << 1 | r->governance_off << 2));
    add(&b, r->name);
    add(&b, r->prune_scope);
    bytes_add_be32(&b, (uint32_t)r->partitions);
    bytes_add_be32(&b, (uint32_t)r->replicas);
    bytes_add_be32(&b, (uint32_t)r->count);
    for (size_t i = 0; i < r->accept.n; i++)
        add(&b, r->accept.item[i]);
    add(&b, r->key.id);
    add(&b, r->key.reason);
    bytes_add(&b, r->key.public_key, sizeof r->key.public_key);
    bytes_add_be64(&b, (uint64_t)r->key.not_before_ms);
    bytes_add_be64(&b, (uint64_t)r->key.not_after_ms);
    for (size_t i = 0; i < r->config_n; i++) {
        add(&b, r->config[i].name);
        bytes_add_u8(&b, r->config[i].value.p != NULL);
        add(&b, r->config[i].value);
    }
    for (size_t i = 0; i < r->documents_n; i++)
        document_write(r->documents[i].document, &b);
    digest_of(bytes_slice(&b), out);
    bytes_free(&b);
}
