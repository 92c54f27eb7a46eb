/* CRC32C (Castagnoli, RFC 3720 appendix B.4): the checksum of record batches, of the journal and
 * of segments. Uses the SSE4.2 instruction, three lanes interleaved, where the build has it, and
 * tables of eight bytes a step elsewhere. */
#ifndef WIRE_CRC32C_H
#define WIRE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The CRC of `n` bytes; `crc` is 0 to begin, or the value so far to go on:
 * crc32c(crc32c(0, a), b) is the CRC of a followed by b. */
uint32_t wire_crc32c(uint32_t crc, const void *p, size_t n);
/* The same by tables, on every machine. For tests, and for comparison. */
uint32_t wire_crc32c_portable(uint32_t crc, const void *p, size_t n);

#endif
