#include "writ_scan.h"
#include "writ_sign.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define B64 sodium_base64_VARIANT_URLSAFE_NO_PADDING
enum { PROTECTED_MAX = 512, SIG_CHARS = 86, MEMBERS_MAX = 32 };
enum { ALG = 1, B64_ = 2, CRIT = 4, KID = 8, IAT = 16, JTI = 32, CTX = 64, ALL = 127 };

struct envelope {
    char *kid, *jti, *ctx, *sh[WRIT_NAMES_MAX];
    size_t sh_n;
    int64_t iat_ms;
};

static int names(struct scan *s, struct envelope *e)
{
    if (!scan_take(s, '[') || scan_take(s, ']'))
        return s->p[-1] == ']';
    do {
        if (e->sh_n == WRIT_NAMES_MAX || !scan_string(s, &e->sh[e->sh_n]))
            return 0;
        for (size_t i = 0; i < e->sh_n; i++)
            if (strcmp(e->sh[i], e->sh[e->sh_n]) == 0)
                return 0;
        e->sh_n++;
    } while (scan_take(s, ','));
    return scan_take(s, ']');
}

static enum writ_status member(struct scan *s, const char *name, struct envelope *e, int *seen)
{
    static const char *const known[] = {"alg", "b64", "crit", "kid", "iat", "jti", "ctx", "sh"};
    char *text = NULL;
    int i = 0, ok;
    while (i < 8 && strcmp(name, known[i]) != 0)
        i++;
    *seen |= i < 7 ? 1 << i : 0;
    switch (i < 8 ? 1 << i : 0) {
    case ALG:
        if (!scan_string(s, &text))
            return WRIT_MALFORMED;
        ok = strcmp(text, "EdDSA") == 0 || strcmp(text, "Ed25519") == 0;
        return ok ? WRIT_OK : WRIT_ALGORITHM;
    case B64_:
        s->p += strspn(s->p, " \t\r\n");
        ok = strncmp(s->p, "false", 5) == 0 && scan_skip(s);
        break;
    case CRIT:
        ok = scan_take(s, '[') && scan_string(s, &text) && strcmp(text, "b64") == 0 &&
             scan_take(s, ']');
        break;
    case KID:
        ok = scan_string(s, &e->kid) && e->kid[0] != '\0' && strlen(e->kid) < WRIT_KID_SIZE;
        break;
    case IAT:
        ok = scan_uint(s, &e->iat_ms);
        break;
    case JTI:
        ok = scan_string(s, &e->jti) && strlen(e->jti) == 16;
        break;
    case CTX:
        ok = scan_string(s, &e->ctx) && strlen(e->ctx) == 43;
        break;
    case 128:
        ok = names(s, e);
        break;
    default: /* not critical: ignored */
        ok = scan_skip(s);
    }
    return ok ? WRIT_OK : WRIT_MALFORMED;
}

static enum writ_status decode(struct scan *s, struct envelope *e)
{
    char *name[MEMBERS_MAX];
    int n = 0, seen = 0;
    if (!scan_take(s, '{'))
        return WRIT_MALFORMED;
    do {
        if (n == MEMBERS_MAX || !scan_string(s, &name[n]) || !scan_take(s, ':'))
            return WRIT_MALFORMED;
        for (int i = 0; i < n; i++)
            if (strcmp(name[i], name[n]) == 0)
                return WRIT_MALFORMED;
        enum writ_status status = member(s, name[n++], e, &seen);
        if (status != WRIT_OK)
            return status;
    } while (scan_take(s, ','));
    if (!scan_take(s, '}'))
        return WRIT_MALFORMED;
    s->p += strspn(s->p, " \t\r\n");
    return *s->p == '\0' && seen == ALL ? WRIT_OK : WRIT_MALFORMED;
}

enum writ_status writ_verify(const struct writ_record *r, const char *signature, size_t n,
                             writ_find_key find, void *arg)
{
    unsigned char sig[64], ctx[32], said[32];
    char json[PROTECTED_MAX + 1];
    size_t got;
    const char *dot = n > 0 ? memchr(signature, '.', n) : NULL;
    if (dot == NULL || n >= WRIT_SIGNATURE_SIZE || n - (size_t)(dot - signature) != 2 + SIG_CHARS ||
        dot[1] != '.' ||
        sodium_base642bin(sig, sizeof sig, dot + 2, SIG_CHARS, NULL, &got, NULL, B64) != 0 ||
        got != sizeof sig)
        return WRIT_MALFORMED;
    size_t head_n = (size_t)(dot - signature);
    if (sodium_base642bin((unsigned char *)json, PROTECTED_MAX, signature, head_n, NULL, &got, NULL,
                          B64) != 0 ||
        memchr(json, 0, got) != NULL)
        return WRIT_MALFORMED;
    json[got] = '\0';
    struct envelope e = {0};
    enum writ_status status = decode(&(struct scan){json, 0}, &e);
    if (status != WRIT_OK)
        return status;
    if (sodium_base642bin(said, sizeof said, e.ctx, 43, NULL, &got, NULL, B64) != 0 || got != 32)
        return WRIT_MALFORMED;
    const unsigned char *key = find(arg, e.kid, e.iat_ms);
    if (key == NULL)
        return WRIT_KEY_UNKNOWN;
    writ_context(r, (const char *const *)e.sh, e.sh_n, ctx);
    if (memcmp(ctx, said, sizeof ctx) != 0)
        return WRIT_CONTEXT;
    unsigned char *m = malloc(head_n + 1 + r->value.n);
    if (m == NULL)
        return WRIT_INVALID;
    memcpy(m, signature, head_n + 1); /* the first dot with it */
    if (r->value.n > 0)
        memcpy(m + head_n + 1, r->value.p, r->value.n);
    int rc = crypto_sign_verify_detached(sig, m, head_n + 1 + r->value.n, key);
    free(m);
    return rc == 0 ? WRIT_OK : WRIT_INVALID;
}
