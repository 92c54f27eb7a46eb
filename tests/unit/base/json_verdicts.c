/* For tests/compat/json_jansson.py: reads documents from standard input, each as a 32-bit length
 * (big-endian) and its bytes, and prints for each "1 CANONICAL" or "0 reason". */
#include "base/codec.h"
#include "base/json.h"

#include <stdio.h>

int main(void)
{
    struct json_doc doc = {0};
    struct bytes text = {0}, out = {0};
    struct json_limits limits = {.max_depth = 2000};
    uint8_t length[4];
    while (fread(length, 1, 4, stdin) == 4) {
        uint32_t n = be32_get(length);
        bytes_clear(&text);
        bytes_reserve(&text, n + 1);
        text.n = fread(text.p, 1, n, stdin);
        if (json_parse(&doc, bytes_slice(&text), &limits, NULL) == 0) {
            bytes_clear(&out);
            json_canonical(&doc, 0, &out);
            printf("1 %s\n", bytes_cstr(&out));
        } else {
            printf("0 %s\n", doc.error);
        }
    }
    bytes_free(&text);
    bytes_free(&out);
    json_free(&doc);
    return 0;
}
