/* Entries from anywhere: reading them ends in rows or in a refusal. Raft's log is checksummed, so
 * this is the second line of defence. Each input is read as a whole entry, and as a payload that
 * gets its header here. */
#include "catalogue/catalogue.h"

#include "catalogue/facts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct facts_reader reader;
    struct facts_head head;
    struct fact fact;
    struct bytes entry = {0};
    bytes_add_str(&entry, "WF");
    bytes_add_u8(&entry, FACTS_VERSION);
    bytes_add_u8(&entry, 0);
    bytes_add_be32(&entry, (uint32_t)size);
    bytes_add(&entry, data, size);
    while (entry.n % 8)
        bytes_add_u8(&entry, 0);
    if (facts_open(&reader, bytes_slice(&entry), &head, NULL) == 0) {
        while (facts_next(&reader, &fact) == 1)
            continue;
        facts_reader_free(&reader);
    }
    /* As it is: header and compression are the fuzzer's. */
    if (facts_open(&reader, slice_of(data, size), &head, NULL) == 0) {
        while (facts_next(&reader, &fact) == 1)
            continue;
        facts_reader_free(&reader);
    }
    bytes_free(&entry);
    return 0;
}
