#include "wire/error.h"

const char *wire_error_name(int16_t code)
{
    switch (code) {
#define ERROR(code, name, retriable)                                                               \
    case code:                                                                                     \
        return #name;
#include "wire/error.def"
    default:
        return "UNKNOWN";
    }
}

bool wire_error_is_retriable(int16_t code)
{
    switch (code) {
#define ERROR(code, name, retriable)                                                               \
    case code:                                                                                     \
        return retriable;
#include "wire/error.def"
    default:
        return false;
    }
}
