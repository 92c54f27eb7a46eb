/* Limits of schemas and payloads. The JSON format's own stand in json/limits.h. */
#ifndef SCHEMA_LIMITS_H
#define SCHEMA_LIMITS_H

#include "json/limits.h"

enum {
    SCHEMA_TEXT_SIZE_MAX = JSON_SCHEMA_SIZE_MAX, /* a text with all that it refers to */
    SCHEMA_REFERENCES_MAX = JSON_REFERENCES_MAX,
};

#endif
