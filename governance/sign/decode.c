#include "sign/sign.h"

#include "base/codec.h"
#include "sign/scan.h"

#include <stdio.h>

enum { DETAIL_SIZE = 128, CTX_CHARS = 43, JTI_CHARS = 16, SIG_CHARS = 86, SIGN_KID_MAX = 128 };

/* Milliseconds since the epoch stay exact in every language up to here (2^53). */
#define IAT_MAX INT64_C(9007199254740991)

enum member { ALG, B64, CRIT, KID, IAT, JTI, CTX, SH, MEMBERS };
static const char *const member_names[MEMBERS] = {"alg", "b64", "crit", "kid",
                                                  "iat", "jti", "ctx",  "sh"};

static enum sign_status refuse(char *detail, enum sign_status status, const char *what)
{
    if (detail != NULL)
        (void)snprintf(detail, DETAIL_SIZE, "%s", what);
    return status;
}

static enum sign_status malformed(char *detail, const char *what)
{
    return refuse(detail, SIGN_MALFORMED, what);
}

/* A string of exactly n bytes in base64url. */
static bool fixed_bytes(struct scan *s, size_t chars, uint8_t *out, size_t n)
{
    struct slice text;
    size_t got;
    return scan_string(s, &text) && text.n == chars && base64url_get(text, out, n, &got) &&
           got == n;
}

static enum sign_status read_crit(struct scan *s, char *detail)
{
    struct slice name;
    if (scan_take(s, '[') && scan_string(s, &name) && slice_eq_str(name, "b64") &&
        scan_take(s, ']'))
        return SIGN_OK;
    return malformed(detail, "crit must be [\"b64\"]");
}

static enum sign_status read_sh(struct scan *s, struct sign_envelope *e, char *detail)
{
    if (!scan_take(s, '['))
        return malformed(detail, "sh must be a list of header names");
    if (scan_take(s, ']'))
        return SIGN_OK;
    do {
        struct slice name;
        if (e->sh_n == SIGN_SH_MAX)
            return malformed(detail, "sh names too many headers");
        if (!scan_string(s, &name))
            return malformed(detail, "sh must be a list of header names");
        for (size_t i = 0; i < e->sh_n; i++) {
            if (slice_eq(e->sh[i], name))
                return malformed(detail, "sh names a header twice");
        }
        e->sh[e->sh_n++] = name;
    } while (scan_take(s, ','));
    return scan_take(s, ']') ? SIGN_OK : malformed(detail, "sh must be a list of header names");
}

static enum sign_status read_member(struct scan *s, enum member m, struct sign_envelope *e,
                                    char *detail)
{
    struct slice text;
    switch (m) {
    case ALG:
        if (!scan_string(s, &text))
            return malformed(detail, "alg must be a string");
        if (!slice_eq_str(text, "EdDSA") && !slice_eq_str(text, "Ed25519"))
            return refuse(detail, SIGN_ALGORITHM, "alg must be EdDSA or Ed25519");
        return SIGN_OK;
    case B64:
        return scan_false(s) ? SIGN_OK : malformed(detail, "b64 must be false");
    case CRIT:
        return read_crit(s, detail);
    case KID:
        if (!scan_string(s, &e->kid) || e->kid.n == 0 || e->kid.n > SIGN_KID_MAX)
            return malformed(detail, "kid must be a string, <producer>/<key>");
        return SIGN_OK;
    case IAT:
        return scan_uint(s, IAT_MAX, &e->iat_ms)
                   ? SIGN_OK
                   : malformed(detail, "iat must be milliseconds since 1970, a whole number");
    case JTI:
        return fixed_bytes(s, JTI_CHARS, e->jti, sizeof e->jti)
                   ? SIGN_OK
                   : malformed(detail, "jti must be 16 characters of base64url");
    case CTX:
        return fixed_bytes(s, CTX_CHARS, e->ctx, sizeof e->ctx)
                   ? SIGN_OK
                   : malformed(detail, "ctx must be 43 characters of base64url");
    case SH:
        return read_sh(s, e, detail);
    case MEMBERS:
        break;
    }
    /* Unknown and not critical: ignored (RFC 7515 section 4), but it must be JSON. */
    return scan_skip(s) ? SIGN_OK : malformed(detail, "the protected header is not JSON");
}

static enum sign_status read_protected(struct scan *s, struct sign_envelope *e, char *detail)
{
    struct slice name[SCAN_MEMBERS_MAX];
    size_t n = 0;
    unsigned seen = 0;
    if (!scan_take(s, '{'))
        return malformed(detail, "the protected header is not a JSON object");
    if (!scan_take(s, '}')) {
        do {
            if (n == SCAN_MEMBERS_MAX)
                return malformed(detail, "the protected header has too many members");
            if (!scan_string(s, &name[n]) || !scan_take(s, ':'))
                return malformed(detail, "the protected header is not JSON");
            unsigned m = MEMBERS;
            for (unsigned i = 0; i < MEMBERS; i++) {
                if (slice_eq_str(name[n], member_names[i]))
                    m = i;
            }
            for (size_t i = 0; i < n; i++) {
                if (slice_eq(name[i], name[n]))
                    return malformed(detail, "the protected header has a member twice");
            }
            n++;
            seen |= 1U << m;
            enum sign_status status = read_member(s, (enum member)m, e, detail);
            if (status != SIGN_OK)
                return status;
        } while (scan_take(s, ','));
        if (!scan_take(s, '}'))
            return malformed(detail, "the protected header is not JSON");
    }
    scan_space(s);
    if (s->p != s->end)
        return malformed(detail, "bytes after the protected header's JSON");
    for (unsigned m = 0; m < SH; m++) { /* all but sh are required */
        if ((seen & (1U << m)) == 0) {
            if (detail != NULL)
                (void)snprintf(detail, DETAIL_SIZE, "%s is missing", member_names[m]);
            return SIGN_MALFORMED;
        }
    }
    return SIGN_OK;
}

enum sign_status sign_decode(struct slice header_value, struct sign_envelope *e, char *detail)
{
    size_t n = 0;
    e->sh_n = 0;
    e->kid = SLICE_NULL;
    if (header_value.n == 0)
        return malformed(detail, "the signature header is empty");
    if (header_value.n > SIGN_HEADER_MAX_BYTES)
        return malformed(detail, "the signature header is longer than 1024 bytes");
    const uint8_t *dot = memchr(header_value.p, '.', header_value.n);
    if (dot == NULL)
        return malformed(detail, "not a detached JWS: protected..signature");
    e->protected_b64 = slice_of(header_value.p, (size_t)(dot - header_value.p));
    size_t rest = header_value.n - e->protected_b64.n;
    if (rest != 2 + SIG_CHARS || dot[1] != '.')
        return malformed(detail, "not a detached JWS with an Ed25519 signature");
    if (!base64url_get(slice_of(dot + 2, SIG_CHARS), e->sig, sizeof e->sig, &n) ||
        n != sizeof e->sig)
        return malformed(detail, "the signature is not base64url");
    if (!base64url_get(e->protected_b64, e->decoded, sizeof e->decoded, &n))
        return malformed(detail, "the protected header is not base64url of at most 512 bytes");
    struct scan s = {e->decoded, e->decoded + n};
    return read_protected(&s, e, detail);
}
