/* Reader of HTTP/1.1 requests (RFC 9110, 9112): bytes in, events out; no sockets, no clock. Strict
 * by construction: it accepts one spelling of everything that two readers could understand
 * differently (bare LF, folded lines, two lengths, a length beside chunks, ...), so that nothing
 * can be smuggled.
 *
 * The head is copied into memory that the parser owns until http_parse_reset; every slice handed
 * out with HTTP_PARSE_HEAD points into it. A slice of HTTP_PARSE_BODY points into the caller's
 * bytes. */
#ifndef HTTP_PARSE_H
#define HTTP_PARSE_H

#include "http/http.h"

enum {
    HTTP_HEAD_MAX_BYTES = 16384,
    HTTP_FIELDS_MAX = 64,
    HTTP_METHOD_MAX_BYTES = 20,
    HTTP_EXTRA_MAX_BYTES = 4096, /* chunk extensions and trailers together */
    HTTP_CHUNK_DIGITS_MAX = 8,
};

enum http_parse_event {
    HTTP_PARSE_NEED, /* all input taken, more is wanted */
    HTTP_PARSE_HEAD,
    HTTP_PARSE_BODY, /* parser->body has bytes */
    HTTP_PARSE_DONE,
    HTTP_PARSE_FAIL, /* answer fail_status and close */
};

struct http_parser {
    int state;
    struct bytes head;        /* owned */
    struct http_field *field; /* owned; HTTP_FIELDS_MAX */
    size_t fields_n;
    struct slice method, target, host, body;
    int minor; /* HTTP/1.minor */
    bool keep_alive, chunked, expect_continue, has_length;
    uint64_t length; /* declared */
    uint64_t left;   /* of the body or of this chunk */
    uint32_t extra_bytes;
    int chunk_digits;
    bool trailer_value, trailer_cr;
    int fail_status;
    const char *fail_reason; /* static */
};

void http_parse_init(struct http_parser *p);
void http_parse_reset(struct http_parser *p); /* ready for the next request; frees the head */
bool http_parse_started(const struct http_parser *p);

/* Takes some of in, says how much in *used, returns one event. Call again with the rest. */
enum http_parse_event http_parse_feed(struct http_parser *p, struct slice in, size_t *used);

/* For the parser itself (rules.c): target, Host, framing, persistence. 0 or the status to refuse
 * with. */
int http_parse_check_head(struct http_parser *p);

/* The path of a request target, percent-decoded once, into out (cap bytes), without the query.
 * False for NUL, control characters, an encoded slash, backslash, "//", dot segments or a bad
 * escape. */
bool http_path_clean(struct slice target, char *out, size_t cap, size_t *out_n,
                     struct slice *query);

#endif
