/* Kafka's error codes: the table in wire/error.def. Whether a client retries follows the exception
 * classes of Kafka's Java client. */
#ifndef WIRE_ERROR_H
#define WIRE_ERROR_H

#include <stdbool.h>
#include <stdint.h>

enum wire_error {
#define ERROR(code, name, retriable) WIRE_E_##name = (code),
#include "wire/error.def"
};

const char *wire_error_name(int16_t code); /* "INVALID_RECORD"; "UNKNOWN" for a code not listed */
bool wire_error_is_retriable(int16_t code);

#endif
