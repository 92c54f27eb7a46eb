/* Record signatures, version 1: one detached JWS (RFC 7515, RFC 7797, RFC 8037, RFC 9864) in the
 * record header "x-jws-signature". docs/signatures.md is the specification. Pure. */
#ifndef SIGN_SIGN_H
#define SIGN_SIGN_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/slice.h"

#define SIGN_HEADER_NAME "x-jws-signature"
enum {
    SIGN_HEADER_MAX_BYTES = 1024,
    SIGN_PROTECTED_MAX_BYTES = 512,
    SIGN_SH_MAX = 16,
    SIGN_JTI_BYTES = 12
};

struct sign_header {
    struct slice name;
    struct slice value; /* p == NULL: null */
};

/* What is signed. null value: value.p == NULL; null key likewise. Borrowed. */
struct sign_record {
    struct slice topic;
    struct slice key;
    struct slice value;
    const struct sign_header *headers; /* in record order */
    size_t headers_n;
};

/* The envelope, decoded. Slices point into the header value or into `decoded`. */
struct sign_envelope {
    struct slice kid;
    int64_t iat_ms;
    uint8_t jti[SIGN_JTI_BYTES];
    uint8_t ctx[32];
    uint8_t sig[64];
    struct slice sh[SIGN_SH_MAX];
    size_t sh_n;
    struct slice protected_b64; /* the signed ASCII part */
    uint8_t decoded[SIGN_PROTECTED_MAX_BYTES];
};

enum sign_status {
    SIGN_OK,
    SIGN_MALFORMED,
    SIGN_ALGORITHM,
    SIGN_CONTEXT,
    SIGN_INVALID,
};

/* Strict; detail (>= 128 bytes, NULL allowed) says what is wrong. e must not be moved afterwards:
 * its slices may point into itself. No allocation. */
enum sign_status sign_decode(struct slice header_value, struct sign_envelope *e, char *detail);

/* ctx = SHA-256("ctx1" | lp(topic) | lp(key) | u8(value is null) | per name in sh ...). */
void sign_context(const struct sign_record *r, const struct slice *sh, size_t sh_n,
                  uint8_t out[32]);

/* Does ctx bind this record? (cheap; before the signature) */
enum sign_status sign_check_context(const struct sign_envelope *e, const struct sign_record *r);

/* Ed25519 over ASCII(protected) | "." | value; strict verification (libsodium 1.0.18). The costly
 * step: run it in the pool. */
enum sign_status sign_verify(const struct sign_envelope *e, struct slice value,
                             const uint8_t public_key[32]);
/* The same with the caller's scratch, which a value above 8 KiB grows once: libsodium verifies a
 * message in one piece, so protected and value are put together there (smaller ones on the stack).
 */
enum sign_status sign_verify_with(const struct sign_envelope *e, struct slice value,
                                  const uint8_t public_key[32], struct bytes *scratch);
/* False for small-order or non-canonical public keys: refuse them at registration. */
bool sign_public_key_ok(const uint8_t public_key[32]);

/* Makes the header value. now_ms and jti come from the caller (pure). */
int sign_make(const struct sign_record *r, struct slice kid, const uint8_t secret_key[64],
              int64_t now_ms, const uint8_t jti[SIGN_JTI_BYTES], const struct slice *sh,
              size_t sh_n, struct bytes *out, struct err *err);

#endif
