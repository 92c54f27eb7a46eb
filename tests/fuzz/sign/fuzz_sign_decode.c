/* sign_decode over any bytes; an input that begins with '{' is taken as the protected header's text
 * and encoded first, so that the scan behind base64 is reached. What it accepts the strict JSON
 * reader must accept too, and every slice must lie in the envelope or the header. */
#include "base/check.h"
#include "base/codec.h"
#include "base/json.h"
#include "sign/sign.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void inside(const struct sign_envelope *e, struct slice s)
{
    ASSERT(s.p >= e->decoded && s.p + s.n <= e->decoded + sizeof e->decoded);
    ASSERT(utf8_valid(s));
}

static void judge(struct slice header)
{
    static struct sign_envelope e;
    char detail[128];
    if (sign_decode(header, &e, detail) != SIGN_OK)
        return;
    uint8_t text[SIGN_PROTECTED_MAX_BYTES];
    size_t n;
    ASSERT(base64url_get(e.protected_b64, text, sizeof text, &n));
    struct json_doc doc = {0};
    struct json_limits limits = {.allow_duplicates = true}; /* inside unknown members only */
    ASSERT(json_parse(&doc, slice_of(text, n), &limits, NULL) == 0);
    int64_t iat;
    ASSERT(json_int64(&doc, json_get(&doc, 0, "iat"), &iat) && iat == e.iat_ms);
    json_free(&doc);
    inside(&e, e.kid);
    for (size_t i = 0; i < e.sh_n; i++)
        inside(&e, e.sh[i]);
    struct sign_record r = {.topic = SLICE_LIT("t")};
    uint8_t key[32] = {9};
    (void)sign_check_context(&e, &r);
    (void)sign_verify(&e, SLICE_LIT("v"), key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes header = {0};
    if (size == 0 || data[0] != '{') {
        judge(slice_of(data, size));
        return 0;
    }
    base64url_add(&header, slice_of(data, size));
    bytes_add_str(&header, "..");
    base64url_add(&header, slice_of((uint8_t[64]){1}, 64));
    judge(bytes_slice(&header));
    bytes_free(&header);
    return 0;
}
