/* CRC32C (Castagnoli, RFC 3720 appendix B.4), as the log and snapshot files use it. */
#ifndef RAFT_CRC32C_H
#define RAFT_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Continues from `crc`; start with 0. Chaining the parts of a range gives the range's CRC. */
uint32_t raft_crc32c(uint32_t crc, const void *p, size_t n);

#endif
