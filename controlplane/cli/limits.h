/* Limits of the command line. */
#ifndef CLI_LIMITS_H
#define CLI_LIMITS_H

enum {
    CLI_ARGUMENTS_MAX = 8,
    CLI_OPTIONS_MAX = 256, /* given on one command line */
    CLI_HEADERS_MAX = 64,  /* --header */
    CLI_FILES_MAX = 10000,
    CLI_FOLDER_DEPTH_MAX = 16,
    CLI_DOCUMENTS_MAX = 10000,
    CLI_FILE_MAX_BYTES = 8 * 1024 * 1024,
    CLI_VALUE_MAX_BYTES = 64 * 1024 * 1024, /* a record's value on standard input */
    CLI_BATCH_MAX_BYTES = 1024 * 1024 * 1024,
    CLI_KEY_FILE_MAX_BYTES = 4096,
    /* YAML: values after aliases are followed, and nesting. */
    CLI_YAML_NODES_MAX = 200000,
    CLI_YAML_DEPTH_MAX = 60,
    CLI_ANSWER_MAX_BYTES = 64 * 1024 * 1024,
    CLI_ANSWER_HEAD_MAX_BYTES = 64 * 1024,
    CLI_PAGES_MAX = 100000,
    CLI_CONNECT_TIMEOUT_MS = 5000,
    CLI_ANSWER_TIMEOUT_MS = 120000, /* an apply waits for leases */
    CLI_FOLLOW_PAUSE_MS = 500,
};

#endif
