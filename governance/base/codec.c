#include "base/codec.h"

size_t varint_get(const uint8_t *p, const uint8_t *end, size_t max_bytes, uint64_t *out)
{
    uint64_t v = 0;
    size_t left = (size_t)(end - p);
    for (size_t i = 0; i < max_bytes && i < left; i++) {
        uint64_t part = p[i] & 0x7f;
        /* The last byte may not carry bits beyond the type: 4 bits of the fifth byte for 32 bits,
         * 1 bit of the tenth for 64. */
        if ((max_bytes == 5 && i == 4 && part > 0x0f) || (i == 9 && part > 1))
            return 0;
        v |= part << (7 * i);
        if (!(p[i] & 0x80)) {
            *out = v;
            return i + 1;
        }
    }
    return 0;
}

size_t varint_put(uint8_t *p, uint64_t v)
{
    size_t n = 0;
    while (v >= 0x80) {
        p[n++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    p[n++] = (uint8_t)v;
    return n;
}

size_t varint_size(uint64_t v)
{
    size_t n = 1;
    while (v >= 0x80) {
        v >>= 7;
        n++;
    }
    return n;
}

static const char base64_plain[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char base64_url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void base64_encode(struct bytes *out, struct slice in, const char *alphabet, bool pad)
{
    bytes_reserve(out, (in.n + 2) / 3 * 4);
    uint8_t *p = out->p + out->n;
    size_t i = 0;
    for (; in.n - i >= 3; i += 3) {
        uint32_t v = (uint32_t)in.p[i] << 16 | (uint32_t)in.p[i + 1] << 8 | in.p[i + 2];
        *p++ = (uint8_t)alphabet[v >> 18];
        *p++ = (uint8_t)alphabet[v >> 12 & 63];
        *p++ = (uint8_t)alphabet[v >> 6 & 63];
        *p++ = (uint8_t)alphabet[v & 63];
    }
    size_t left = in.n - i;
    if (left > 0) {
        uint32_t v = (uint32_t)in.p[i] << 16 | (left > 1 ? (uint32_t)in.p[i + 1] << 8 : 0);
        *p++ = (uint8_t)alphabet[v >> 18];
        *p++ = (uint8_t)alphabet[v >> 12 & 63];
        if (left > 1)
            *p++ = (uint8_t)alphabet[v >> 6 & 63];
        else if (pad)
            *p++ = '=';
        if (pad)
            *p++ = '=';
    }
    out->n = (size_t)(p - out->p);
}

void base64url_add(struct bytes *out, struct slice in)
{
    if (in.n > 0)
        base64_encode(out, in, base64_url, false);
}

void base64_add(struct bytes *out, struct slice in)
{
    if (in.n > 0)
        base64_encode(out, in, base64_plain, true);
}

static int base64_digit(uint8_t c, const char *alphabet)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == (uint8_t)alphabet[62])
        return 62;
    if (c == (uint8_t)alphabet[63])
        return 63;
    return -1;
}

/* Unpadded text; the caller has checked that out has room for n * 3 / 4 bytes. */
static bool base64_decode(struct slice in, const char *alphabet, uint8_t *out, size_t *out_n)
{
    if (in.n % 4 == 1)
        return false;
    uint32_t v = 0;
    unsigned bits = 0;
    size_t n = 0;
    for (size_t i = 0; i < in.n; i++) {
        int d = base64_digit(in.p[i], alphabet);
        if (d < 0)
            return false;
        v = (v << 6 | (uint32_t)d) & 0xffff;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out[n++] = (uint8_t)(v >> bits);
        }
    }
    *out_n = n;
    return (v & ((1u << bits) - 1)) == 0;
}

static size_t base64_decoded_size(size_t n)
{
    return n / 4 * 3 + (n % 4 == 0 ? 0 : n % 4 - 1);
}

bool base64url_get(struct slice in, uint8_t *out, size_t out_cap, size_t *out_n)
{
    if (in.n % 4 == 1 || base64_decoded_size(in.n) > out_cap)
        return false;
    return base64_decode(in, base64_url, out, out_n);
}

bool base64_get(struct slice in, struct bytes *out)
{
    if (in.n % 4 != 0)
        return false;
    for (int pad = 0; pad < 2 && in.n > 0 && in.p[in.n - 1] == '='; pad++)
        in.n--;
    bytes_reserve(out, base64_decoded_size(in.n) + 1);
    size_t n;
    if (!base64_decode(in, base64_plain, out->p + out->n, &n))
        return false;
    out->n += n;
    return true;
}

void hex_add(struct bytes *out, struct slice in)
{
    static const char digits[] = "0123456789abcdef";
    bytes_reserve(out, in.n * 2);
    for (size_t i = 0; i < in.n; i++) {
        out->p[out->n++] = (uint8_t)digits[in.p[i] >> 4];
        out->p[out->n++] = (uint8_t)digits[in.p[i] & 15];
    }
}

int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool hex_get(struct slice in, uint8_t *out, size_t out_cap, size_t *out_n)
{
    if (in.n % 2 != 0 || in.n / 2 > out_cap)
        return false;
    for (size_t i = 0; i < in.n; i += 2) {
        int high = hex_digit(in.p[i]);
        int low = hex_digit(in.p[i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i / 2] = (uint8_t)(high << 4 | low);
    }
    *out_n = in.n / 2;
    return true;
}

unsigned text_distance(struct slice a, struct slice b)
{
    enum { TEXT_MAX = 255 }; /* names are shorter; of longer ones the beginnings are compared */
    size_t a_n = a.n < TEXT_MAX ? a.n : TEXT_MAX;
    size_t b_n = b.n < TEXT_MAX ? b.n : TEXT_MAX;
    unsigned row[TEXT_MAX + 1];
    for (size_t j = 0; j <= b_n; j++)
        row[j] = (unsigned)j;
    for (size_t i = 1; i <= a_n; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_n; j++) {
            unsigned best = diagonal + (a.p[i - 1] != b.p[j - 1]);
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[b_n];
}
