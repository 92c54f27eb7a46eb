/* The inside of the configuration table, for those who describe it. */
#ifndef MAIN_CONFIG_KEY_H
#define MAIN_CONFIG_KEY_H

#include "main/config.h"

enum config_type {
    CONFIG_TEXT,
    CONFIG_ADDRESS,
    CONFIG_BOOL,
    CONFIG_NUMBER,
    CONFIG_SIZE,
    CONFIG_DURATION,
};

struct config_key {
    const char *section; /* a heading, and nothing else is set */
    const char *key;
    enum config_type type;
    size_t offset, size;
    const char *fallback; /* text of the default */
    int64_t least, most;
    const char *sample;   /* shown in the sample file instead of an empty default; or NULL */
    const char *help;
};

extern const struct config_key config_keys[];
extern const size_t config_keys_n;

#endif
