#include "raft/crc32c.h"

#include <string.h>

#ifdef __SSE4_2__
#include <nmmintrin.h>

uint32_t raft_crc32c(uint32_t crc, const void *p, size_t n)
{
    const uint8_t *c = p;
    uint64_t state = (uint32_t)~crc;

    for (; n >= 8; c += 8, n -= 8) {
        uint64_t word;

        memcpy(&word, c, sizeof word);
        state = _mm_crc32_u64(state, word);
    }
    uint32_t tail = (uint32_t)state;

    for (; n > 0; c++, n--)
        tail = _mm_crc32_u8(tail, *c);
    return ~tail;
}

#else

/* Four bits at a time: the reflected polynomial 0x82f63b78 over each nibble. */
static const uint32_t nibble[16] = {
    0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
    0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
};

uint32_t raft_crc32c(uint32_t crc, const void *p, size_t n)
{
    const uint8_t *c = p;

    crc = ~crc;
    for (; n > 0; c++, n--) {
        crc ^= *c;
        crc = (crc >> 4) ^ nibble[crc & 15];
        crc = (crc >> 4) ^ nibble[crc & 15];
    }
    return ~crc;
}

#endif
