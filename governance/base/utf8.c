#include "base/codec.h"

/* Length of the well-formed sequence at p, or 0 (Unicode 15, table 3-7). */
static size_t sequence_length(const uint8_t *p, const uint8_t *end)
{
    size_t left = (size_t)(end - p);
    uint8_t a = p[0];
    if (a < 0x80)
        return 1;
    if (a < 0xc2 || left < 2)
        return 0;
    uint8_t b = p[1];
    if (a < 0xe0)
        return (b & 0xc0) == 0x80 ? 2 : 0;
    if (left < 3 || (p[2] & 0xc0) != 0x80)
        return 0;
    if (a < 0xf0) {
        uint8_t low = a == 0xe0 ? 0xa0 : 0x80;
        uint8_t high = a == 0xed ? 0x9f : 0xbf;
        return b >= low && b <= high ? 3 : 0;
    }
    if (a > 0xf4 || left < 4 || (p[3] & 0xc0) != 0x80)
        return 0;
    uint8_t low = a == 0xf0 ? 0x90 : 0x80;
    uint8_t high = a == 0xf4 ? 0x8f : 0xbf;
    return b >= low && b <= high ? 4 : 0;
}

size_t utf8_sequence(const uint8_t *p, const uint8_t *end)
{
    return p < end ? sequence_length(p, end) : 0;
}

bool utf8_valid(struct slice s)
{
    if (s.n == 0)
        return true;
    const uint8_t *p = s.p;
    const uint8_t *end = p + s.n;
    while (p < end) {
        uint64_t word;
        while (end - p >= 8 && (memcpy(&word, p, 8), (word & 0x8080808080808080u) == 0))
            p += 8;
        if (p == end)
            break;
        size_t n = sequence_length(p, end);
        if (n == 0)
            return false;
        p += n;
    }
    return true;
}

size_t utf8_length(struct slice s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += (s.p[i] & 0xc0) != 0x80;
    return n;
}

size_t utf8_put(uint8_t *p, uint32_t c)
{
    if (c < 0x80) {
        p[0] = (uint8_t)c;
        return 1;
    }
    if (c < 0x800) {
        p[0] = (uint8_t)(0xc0 | c >> 6);
        p[1] = (uint8_t)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        p[0] = (uint8_t)(0xe0 | c >> 12);
        p[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
        p[2] = (uint8_t)(0x80 | (c & 0x3f));
        return 3;
    }
    p[0] = (uint8_t)(0xf0 | c >> 18);
    p[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
    p[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
    p[3] = (uint8_t)(0x80 | (c & 0x3f));
    return 4;
}
