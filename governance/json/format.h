/* Formats of the network's names (format_net.c). */
#ifndef JSON_FORMAT_H
#define JSON_FORMAT_H

#include "base/slice.h"

bool format_is_email(struct slice s);         /* RFC 5321, dot-atom and a domain with a dot */
bool format_is_hostname(struct slice s);      /* RFC 1123 */
bool format_is_ipv4(struct slice s);          /* RFC 2673 section 3.2 */
bool format_is_ipv6(struct slice s);          /* RFC 4291 section 2.2, no zone */
bool format_is_uri(struct slice s);           /* RFC 3986, with a scheme */
bool format_is_uri_reference(struct slice s); /* RFC 3986 section 4.1 */
bool format_is_uri_template(struct slice s);  /* RFC 6570 */

static inline bool format_is_hex(uint8_t c)
{
    return (uint8_t)(c - '0') < 10 || (uint8_t)((c | 0x20) - 'a') < 6;
}

#endif
