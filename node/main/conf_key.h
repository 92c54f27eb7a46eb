/* The inside of the configuration table, for those who describe it. */
#ifndef MAIN_CONF_KEY_H
#define MAIN_CONF_KEY_H

#include "main/conf.h"

enum conf_type {
    CONFIG_TEXT,
    CONFIG_ADDRESS,
    CONFIG_BOOL,
    CONFIG_NUMBER,
    CONFIG_SIZE,
    CONFIG_DURATION,
};

struct conf_key {
    const char *section; /* a heading, and nothing else is set */
    const char *key;
    enum conf_type type;
    size_t offset, size;
    const char *fallback; /* text of the default */
    int64_t least, most;
    const char *sample; /* shown in the sample file instead of an empty default; or NULL */
    const char *help;
};

extern const struct conf_key conf_keys[];
extern const size_t conf_keys_n;

#endif
