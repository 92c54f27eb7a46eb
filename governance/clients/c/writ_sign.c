#define _POSIX_C_SOURCE 200809L /* clock_gettime */
#include "writ_sign.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define B64 sodium_base64_VARIANT_URLSAFE_NO_PADDING
enum { PROTECTED_MAX = 512 };

static void lp(crypto_hash_sha256_state *h, const void *p, size_t n)
{
    uint32_t v = p == NULL ? UINT32_MAX : (uint32_t)n;
    unsigned char b[4] = {(unsigned char)(v >> 24), (unsigned char)(v >> 16),
                          (unsigned char)(v >> 8), (unsigned char)v};
    crypto_hash_sha256_update(h, b, 4);
    if (p != NULL)
        crypto_hash_sha256_update(h, p, n);
}

void writ_context(const struct writ_record *r, const char *const *cover, size_t cover_n,
                  unsigned char out[32])
{
    crypto_hash_sha256_state h;
    crypto_hash_sha256_init(&h);
    crypto_hash_sha256_update(&h, (const unsigned char *)"ctx1", 4);
    lp(&h, r->topic, strlen(r->topic));
    lp(&h, r->key.p, r->key.n);
    crypto_hash_sha256_update(&h, (const unsigned char *)(r->value.p == NULL ? "\1" : "\0"), 1);
    for (size_t i = 0; i < cover_n; i++) {
        uint32_t count = 0;
        lp(&h, cover[i], strlen(cover[i]));
        for (size_t k = 0; k < r->headers_n; k++)
            count += strcmp(r->headers[k].name, cover[i]) == 0;
        unsigned char b[4] = {0, 0, (unsigned char)(count >> 8), (unsigned char)count};
        crypto_hash_sha256_update(&h, b, 4);
        for (size_t k = 0; k < r->headers_n; k++)
            if (strcmp(r->headers[k].name, cover[i]) == 0)
                lp(&h, r->headers[k].value.p, r->headers[k].value.n);
    }
    crypto_hash_sha256_final(&h, out);
}

/* protected "." value in one piece, for libsodium; NULL without memory. */
static unsigned char *message(const char *head, size_t head_n, struct writ_bytes value, size_t *n)
{
    unsigned char *m = malloc(head_n + 1 + value.n);
    if (m == NULL)
        return NULL;
    memcpy(m, head, head_n);
    m[head_n] = '.';
    if (value.n > 0)
        memcpy(m + head_n + 1, value.p, value.n);
    *n = head_n + 1 + value.n;
    return m;
}

/* A bounded string: what does not fit is counted and not written. */
struct text {
    char p[PROTECTED_MAX + 1];
    size_t n;
};

static void put(struct text *t, const char *s, size_t n)
{
    if (t->n + n < sizeof t->p)
        memcpy(t->p + t->n, s, n);
    t->n += n;
}

static void put_quoted(struct text *t, const char *s)
{
    char escaped[8];
    put(t, "\"", 1);
    for (; *s != '\0'; s++) {
        if (*s == '"' || *s == '\\')
            put(t, "\\", 1);
        if ((unsigned char)*s < 0x20)
            put(t, escaped, (size_t)snprintf(escaped, sizeof escaped, "\\u%04x", *s));
        else
            put(t, s, 1);
    }
    put(t, "\"", 1);
}

enum writ_status writ_sign_at(const struct writ_record *r, const char *kid,
                              const unsigned char secret_key[64], const char *const *cover,
                              size_t cover_n, int64_t iat_ms, const unsigned char jti[12],
                              char out[WRIT_SIGNATURE_SIZE])
{
    static const char start[] = "{\"alg\":\"EdDSA\",\"b64\":false,\"crit\":[\"b64\"],\"kid\":";
    unsigned char ctx[32], sig[64], *m;
    struct text json = {.n = 0};
    char id[17], c[44], middle[128];
    size_t n;
    if (cover_n > WRIT_NAMES_MAX || strlen(kid) >= WRIT_KID_SIZE)
        return WRIT_MALFORMED;
    writ_context(r, cover, cover_n, ctx);
    put(&json, start, sizeof start - 1);
    put_quoted(&json, kid);
    put(&json, middle,
        (size_t)snprintf(middle, sizeof middle, ",\"iat\":%lld,\"jti\":\"%s\",\"ctx\":\"%s\"",
                         (long long)iat_ms, sodium_bin2base64(id, sizeof id, jti, 12, B64),
                         sodium_bin2base64(c, sizeof c, ctx, 32, B64)));
    for (size_t i = 0; i < cover_n; i++) {
        put(&json, i == 0 ? ",\"sh\":[" : ",", i == 0 ? 7 : 1);
        put_quoted(&json, cover[i]);
    }
    put(&json, cover_n > 0 ? "]}" : "}", cover_n > 0 ? 2 : 1);
    if (json.n > PROTECTED_MAX)
        return WRIT_MALFORMED;
    sodium_bin2base64(out, WRIT_SIGNATURE_SIZE, (unsigned char *)json.p, json.n, B64);
    if ((m = message(out, strlen(out), r->value, &n)) == NULL)
        return WRIT_MALFORMED;
    crypto_sign_detached(sig, NULL, m, n, secret_key);
    free(m);
    n = strlen(out);
    memcpy(out + n, "..", 2);
    sodium_bin2base64(out + n + 2, WRIT_SIGNATURE_SIZE - n - 2, sig, sizeof sig, B64);
    return WRIT_OK;
}

enum writ_status writ_sign(const struct writ_record *r, const char *kid,
                           const unsigned char secret_key[64], const char *const *cover,
                           size_t cover_n, char out[WRIT_SIGNATURE_SIZE])
{
    unsigned char jti[12];
    struct timespec t;
    randombytes_buf(jti, sizeof jti);
    clock_gettime(CLOCK_REALTIME, &t);
    return writ_sign_at(r, kid, secret_key, cover, cover_n,
                        (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000, jti, out);
}
