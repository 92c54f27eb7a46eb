/* A small blocking HTTP/1.1 client (docs/decisions/0008): one request per connection, to Writ's own
 * server, over TCP, with time-outs. */
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

#include "base/bytes.h"
#include "base/err.h"

struct client_target {
    char host[256]; /* name or address */
    char port[16];
    char token[256]; /* bearer token, or "" */
};

/* "http://host:port", "host:port", "host", "[::1]:port". */
int client_target_parse(struct client_target *t, const char *server, struct err *err);

/* ERR_UNAVAILABLE: nobody there, or no answer in time; ERR_CORRUPT: not an answer of HTTP. body
 * NULL: none; otherwise JSON. *status and *answer are of a whole answer. */
int client_call(const struct client_target *t, const char *method, const char *path,
                const struct bytes *body, int *status, struct bytes *answer, struct err *err);

/* What a node tells through the status socket in its data folder: one JSON object, then the end. */
int client_status(const char *folder, struct bytes *answer, struct err *err);

#endif
