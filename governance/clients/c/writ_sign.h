/* Signs and verifies Kafka records for Writ (docs/signatures.md): one detached JWS in the record
 * header WRIT_SIGNATURE_HEADER. Files to copy into an application: this and writ_sign.c; where
 * records are verified, writ_verify.c and writ_scan.[ch] too. They need libsodium alone
 * (cc app.c writ_sign.c -lsodium). Call sodium_init() once before. SPDX-License-Identifier:
 * Apache-2.0 */
#ifndef WRIT_SIGN_H
#define WRIT_SIGN_H

#include <stddef.h>
#include <stdint.h>

#define WRIT_SIGNATURE_HEADER "x-jws-signature"
enum { WRIT_SIGNATURE_SIZE = 1025, WRIT_KID_SIZE = 129, WRIT_NAMES_MAX = 16 };

struct writ_bytes {
    const void *p; /* NULL: null, which is not the same as empty */
    size_t n;
};

struct writ_header {
    const char *name;
    struct writ_bytes value;
};

/* The record as it is handed to the Kafka client. */
struct writ_record {
    const char *topic;
    struct writ_bytes key, value;
    const struct writ_header *headers; /* in record order */
    size_t headers_n;
};

enum writ_status {
    WRIT_OK,
    WRIT_MALFORMED,
    WRIT_ALGORITHM,
    WRIT_KEY_UNKNOWN,
    WRIT_CONTEXT, /* made for another topic, key or header value */
    WRIT_INVALID, /* does not fit the value and the key */
};

/* Writes the header's value, NUL-terminated. kid is "<producer>/<key>"; secret_key is libsodium's
 * (crypto_sign_seed_keypair of the seed, "d" in a JWK); cover names headers that the signature
 * binds. WRIT_MALFORMED: kid and names are too long. Sign when sending: the broker compares times.
 */
enum writ_status writ_sign(const struct writ_record *r, const char *kid,
                           const unsigned char secret_key[64], const char *const *cover,
                           size_t cover_n, char out[WRIT_SIGNATURE_SIZE]);
/* The same with the time and the id given, for tests. */
enum writ_status writ_sign_at(const struct writ_record *r, const char *kid,
                              const unsigned char secret_key[64], const char *const *cover,
                              size_t cover_n, int64_t iat_ms, const unsigned char jti[12],
                              char out[WRIT_SIGNATURE_SIZE]);

/* SHA-256 over topic, key, null-ness and the covered headers (docs/signatures.md, "ctx"). */
void writ_context(const struct writ_record *r, const char *const *cover, size_t cover_n,
                  unsigned char out[32]);

/* Returns the 32 bytes of the public key that was valid at iat_ms, or NULL. */
typedef const unsigned char *(*writ_find_key)(void *arg, const char *kid, int64_t iat_ms);

/* Judges the header's value (n bytes); WRIT_OK: signed by the key that find returned. */
enum writ_status writ_verify(const struct writ_record *r, const char *signature, size_t n,
                             writ_find_key find, void *arg);

#endif
