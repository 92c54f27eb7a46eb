/* A record as the command line describes it, and keys in files. */
#ifndef CLI_RECORD_H
#define CLI_RECORD_H

#include "cli/internal.h"
#include "sign/sign.h"

/* key, value and headers of a record from --record-key, --header NAME=VALUE. Slices borrow from the
 * command line. 0 or the exit code. */
struct record {
    struct sign_header header[CLI_HEADERS_MAX];
    struct sign_record r;
};
int record_take(const struct cli *c, struct record *rec);

/* The key files of `writ key new`: a JWK (RFC 8037). */
struct key_file {
    uint8_t secret[64]; /* libsodium's: seed and public key */
    uint8_t public_key[32];
    bool has_secret;
    char kid[129]; /* "" when the file has none */
};
int key_file_read(const char *path, struct key_file *k, struct err *err);
/* 43 characters of base64url, or the path of a JWK. */
int public_key_read(const char *text, struct key_file *k, struct err *err);

#endif
