#include "wire/crc32c.h"

#include "wire/crc32c_tables.h"

#include <string.h>

#ifdef __SSE4_2__
#include <nmmintrin.h>
#endif

/* Lanes of the hardware path: the tables join them, see wire/tools/crc32c_tables.c. */
#define LONG_BYTES  4096
#define SHORT_BYTES 256

static uint64_t load64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

uint32_t wire_crc32c_portable(uint32_t crc, const void *data, size_t n)
{
    const uint8_t *p = data;
    crc = ~crc;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    for (; n >= 8; n -= 8, p += 8) {
        uint64_t v = load64(p) ^ crc;
        crc = crc32c_step[7][v & 0xff] ^ crc32c_step[6][(v >> 8) & 0xff] ^
              crc32c_step[5][(v >> 16) & 0xff] ^ crc32c_step[4][(v >> 24) & 0xff] ^
              crc32c_step[3][(v >> 32) & 0xff] ^ crc32c_step[2][(v >> 40) & 0xff] ^
              crc32c_step[1][(v >> 48) & 0xff] ^ crc32c_step[0][v >> 56];
    }
#endif
    for (; n > 0; n--, p++)
        crc = (crc >> 8) ^ crc32c_step[0][(crc ^ *p) & 0xff];
    return ~crc;
}

#ifdef __SSE4_2__

static uint32_t after_zeros(const uint32_t table[4][256], uint32_t crc)
{
    return table[0][crc & 0xff] ^ table[1][(crc >> 8) & 0xff] ^ table[2][(crc >> 16) & 0xff] ^
           table[3][crc >> 24];
}

/* The instruction takes three cycles and one can start each cycle: three lanes keep it busy. */
static uint32_t three_lanes(uint32_t crc, const uint8_t *p, size_t lane,
                            const uint32_t table[4][256])
{
    uint64_t a = crc, b = 0, c = 0;
    for (size_t i = 0; i < lane; i += 8) {
        a = _mm_crc32_u64(a, load64(p + i));
        b = _mm_crc32_u64(b, load64(p + lane + i));
        c = _mm_crc32_u64(c, load64(p + 2 * lane + i));
    }
    crc = after_zeros(table, (uint32_t)a) ^ (uint32_t)b;
    return after_zeros(table, crc) ^ (uint32_t)c;
}

uint32_t wire_crc32c(uint32_t crc, const void *data, size_t n)
{
    const uint8_t *p = data;
    crc = ~crc;
    for (; n >= 3 * LONG_BYTES; n -= 3 * LONG_BYTES, p += 3 * LONG_BYTES)
        crc = three_lanes(crc, p, LONG_BYTES, crc32c_long);
    for (; n >= 3 * SHORT_BYTES; n -= 3 * SHORT_BYTES, p += 3 * SHORT_BYTES)
        crc = three_lanes(crc, p, SHORT_BYTES, crc32c_short);
    uint64_t crc64 = crc;
    for (; n >= 8; n -= 8, p += 8)
        crc64 = _mm_crc32_u64(crc64, load64(p));
    crc = (uint32_t)crc64;
    for (; n > 0; n--, p++)
        crc = _mm_crc32_u8(crc, *p);
    return ~crc;
}

#else

uint32_t wire_crc32c(uint32_t crc, const void *data, size_t n)
{
    return wire_crc32c_portable(crc, data, n);
}

#endif
