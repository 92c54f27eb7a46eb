/* OpenSSL's one-shot SHA256_* are deprecated in favour of EVP, which allocates for each digest;
 * here nothing may. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "sign/sign.h"

#include "base/check.h"
#include "base/codec.h"
#include "base/mem.h"

#include <openssl/sha.h>
#include <sodium.h>

/* Values up to here are verified from the stack; libsodium has no multi-part plain Ed25519, so a
 * message must lie in one piece. */
enum { SIGN_STACK_BYTES = 8192 };

static void hash_be32(SHA256_CTX *h, uint32_t v)
{
    uint8_t b[4];
    be32_put(b, v);
    SHA256_Update(h, b, sizeof b);
}

static void hash_lp(SHA256_CTX *h, struct slice s)
{
    if (s.p == NULL) {
        hash_be32(h, UINT32_MAX);
        return;
    }
    hash_be32(h, (uint32_t)s.n);
    SHA256_Update(h, s.p, s.n);
}

void sign_context(const struct sign_record *r, const struct slice *sh, size_t sh_n, uint8_t out[32])
{
    SHA256_CTX h;
    SHA256_Init(&h);
    SHA256_Update(&h, "ctx1", 4);
    hash_lp(&h, r->topic);
    hash_lp(&h, r->key);
    SHA256_Update(&h, r->value.p == NULL ? "\1" : "\0", 1);
    for (size_t i = 0; i < sh_n; i++) {
        uint32_t count = 0;
        for (size_t k = 0; k < r->headers_n; k++)
            count += slice_eq(r->headers[k].name, sh[i]);
        /* A name is never null; an empty one may come without a pointer. */
        hash_be32(&h, (uint32_t)sh[i].n);
        SHA256_Update(&h, sh[i].p, sh[i].n);
        hash_be32(&h, count);
        for (size_t k = 0; k < r->headers_n; k++) {
            if (slice_eq(r->headers[k].name, sh[i]))
                hash_lp(&h, r->headers[k].value);
        }
    }
    SHA256_Final(out, &h);
}

enum sign_status sign_check_context(const struct sign_envelope *e, const struct sign_record *r)
{
    uint8_t ctx[32];
    sign_context(r, e->sh, e->sh_n, ctx);
    return memcmp(ctx, e->ctx, sizeof ctx) == 0 ? SIGN_OK : SIGN_CONTEXT;
}

static size_t message_size(struct slice protected_b64, struct slice value)
{
    return protected_b64.n + 1 + value.n;
}

static void message_put(uint8_t *p, struct slice protected_b64, struct slice value)
{
    memcpy(p, protected_b64.p, protected_b64.n);
    p[protected_b64.n] = '.';
    if (value.n > 0)
        memcpy(p + protected_b64.n + 1, value.p, value.n);
}

static enum sign_status verify(const struct sign_envelope *e, struct slice value,
                               const uint8_t public_key[32], uint8_t *room)
{
    size_t n = message_size(e->protected_b64, value);
    message_put(room, e->protected_b64, value);
    return crypto_sign_ed25519_verify_detached(e->sig, room, n, public_key) == 0 ? SIGN_OK
                                                                                 : SIGN_INVALID;
}

enum sign_status sign_verify(const struct sign_envelope *e, struct slice value,
                             const uint8_t public_key[32])
{
    struct bytes scratch = {0};
    enum sign_status status = sign_verify_with(e, value, public_key, &scratch);
    bytes_free(&scratch);
    return status;
}

enum sign_status sign_verify_with(const struct sign_envelope *e, struct slice value,
                                  const uint8_t public_key[32], struct bytes *scratch)
{
    uint8_t stack[SIGN_STACK_BYTES];
    size_t n = message_size(e->protected_b64, value);
    if (n <= sizeof stack)
        return verify(e, value, public_key, stack);
    bytes_clear(scratch);
    bytes_reserve(scratch, n);
    return verify(e, value, public_key, scratch->p);
}

bool sign_public_key_ok(const uint8_t public_key[32])
{
    /* On the curve, canonical, in the prime-order group, not of small order. */
    return crypto_core_ed25519_is_valid_point(public_key) == 1;
}

/* A JSON string; kid and header names may hold anything that is UTF-8. */
static void put_string(struct bytes *out, struct slice s)
{
    bytes_add_u8(out, '"');
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (c == '"' || c == '\\')
            bytes_printf(out, "\\%c", c);
        else if (c < 0x20)
            bytes_printf(out, "\\u%04x", c);
        else
            bytes_add_u8(out, c);
    }
    bytes_add_u8(out, '"');
}

static void put_protected(struct bytes *out, const struct sign_record *r, struct slice kid,
                          int64_t now_ms, const uint8_t jti[SIGN_JTI_BYTES], const struct slice *sh,
                          size_t sh_n)
{
    uint8_t ctx[32];
    bytes_add_str(out, "{\"alg\":\"EdDSA\",\"b64\":false,\"crit\":[\"b64\"],\"kid\":");
    put_string(out, kid);
    bytes_printf(out, ",\"iat\":%lld,\"jti\":\"", (long long)now_ms);
    base64url_add(out, slice_of(jti, SIGN_JTI_BYTES));
    bytes_add_str(out, "\",\"ctx\":\"");
    sign_context(r, sh, sh_n, ctx);
    base64url_add(out, slice_of(ctx, sizeof ctx));
    bytes_add_u8(out, '"');
    for (size_t i = 0; i < sh_n; i++) {
        bytes_add_str(out, i == 0 ? ",\"sh\":[" : ",");
        put_string(out, sh[i]);
    }
    bytes_add_str(out, sh_n > 0 ? "]}" : "}");
}

int sign_make(const struct sign_record *r, struct slice kid, const uint8_t secret_key[64],
              int64_t now_ms, const uint8_t jti[SIGN_JTI_BYTES], const struct slice *sh,
              size_t sh_n, struct bytes *out, struct err *err)
{
    if (kid.n == 0 || !utf8_valid(kid))
        return err_set(err, ERR_INVALID, "a key id is <producer>/<key>, in UTF-8");
    if (sh_n > SIGN_SH_MAX)
        return err_set(err, ERR_LIMIT, "a signature covers at most %d headers", SIGN_SH_MAX);
    for (size_t i = 0; i < sh_n; i++) {
        if (!utf8_valid(sh[i]))
            return err_set(err, ERR_INVALID, "a header name is not UTF-8");
        for (size_t k = 0; k < i; k++) {
            if (slice_eq(sh[i], sh[k]))
                return err_set(err, ERR_INVALID, "header %.*s is named twice", SLICE_FMT(sh[i]));
        }
    }
    struct bytes json = {0}, protected = {0}, message = {0};
    uint8_t sig[64];
    int rc = 0;
    put_protected(&json, r, kid, now_ms, jti, sh, sh_n);
    base64url_add(&protected, bytes_slice(&json));
    if (json.n > SIGN_PROTECTED_MAX_BYTES || protected.n + 2 + 86 > SIGN_HEADER_MAX_BYTES) {
        rc = err_set(err, ERR_LIMIT, "key id and header names are too long: %zu bytes of %d",
                     json.n, SIGN_PROTECTED_MAX_BYTES);
        goto done;
    }
    size_t n = message_size(bytes_slice(&protected), r->value);
    bytes_reserve(&message, n);
    message_put(message.p, bytes_slice(&protected), r->value);
    ASSERT(crypto_sign_ed25519_detached(sig, NULL, message.p, n, secret_key) == 0);
    bytes_add(out, protected.p, protected.n);
    bytes_add_str(out, "..");
    base64url_add(out, slice_of(sig, sizeof sig));
done:
    bytes_free(&json);
    bytes_free(&protected);
    bytes_free(&message);
    return rc;
}
