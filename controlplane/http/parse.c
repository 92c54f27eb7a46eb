#include "http/parse.h"

#include "base/check.h"
#include "base/codec.h"
#include "base/mem.h"

enum state {
    START,
    START_LF,
    HEAD,
    BODY,
    CHUNK_SIZE,
    CHUNK_EXT,
    CHUNK_LF,
    CHUNK_DATA,
    CHUNK_END_CR,
    CHUNK_END_LF,
    TRAILER,
    DONE,
    FAILED,
};

void http_parse_init(struct http_parser *p)
{
    memset(p, 0, sizeof *p);
}

void http_parse_reset(struct http_parser *p)
{
    bytes_free(&p->head);
    mem_free(p->field);
    http_parse_init(p);
}

bool http_parse_started(const struct http_parser *p)
{
    return p->state != START;
}

static enum http_parse_event fail(struct http_parser *p, int status, const char *reason)
{
    p->state = FAILED;
    p->fail_status = status;
    p->fail_reason = reason;
    return HTTP_PARSE_FAIL;
}

/* RFC 9110 5.6.2 tchar. */
static bool is_token_char(uint8_t c)
{
    if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'))
        return true;
    return c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

static bool is_control(uint8_t c)
{
    return (c < 0x20 && c != '\t') || c == 0x7f;
}

/* "GET /path HTTP/1.1": exactly one space between the three parts. */
static int parse_request_line(struct http_parser *p, const uint8_t *at, const uint8_t *end)
{
    const uint8_t *q = at;
    while (q < end && is_token_char(*q))
        q++;
    if (q == at || q == end || *q != ' ' || q - at > HTTP_METHOD_MAX_BYTES)
        return 400;
    p->method = slice_of(at, (size_t)(q - at));
    at = ++q;
    while (q<end && * q> 0x20 && *q < 0x7f)
        q++;
    if (q == at || q == end || *q != ' ')
        return 400;
    p->target = slice_of(at, (size_t)(q - at));
    q++;
    if (end - q != 8 || memcmp(q, "HTTP/", 5) != 0 || q[6] != '.')
        return 400;
    if (q[5] != '1' || (q[7] != '0' && q[7] != '1'))
        return 505;
    p->minor = q[7] - '0';
    return 0;
}

/* A folded line or "Name :" has no token before its colon, so both are refused here. */
static int parse_field_line(struct http_parser *p, uint8_t *at, const uint8_t *end)
{
    uint8_t *q = at;
    while (q < end && is_token_char(*q)) {
        if (*q >= 'A' && *q <= 'Z')
            *q = (uint8_t)(*q + ('a' - 'A'));
        q++;
    }
    if (q == at || q == end || *q != ':')
        return 400;
    struct slice name = slice_of(at, (size_t)(q - at));
    const uint8_t *from = q + 1, *to = end;
    while (from < to && (*from == ' ' || *from == '\t'))
        from++;
    while (to > from && (to[-1] == ' ' || to[-1] == '\t'))
        to--;
    for (const uint8_t *c = from; c < to; c++)
        if (is_control(*c))
            return 400;
    if (p->fields_n == HTTP_FIELDS_MAX)
        return 431;
    p->field[p->fields_n++] = (struct http_field){name, slice_of(from, (size_t)(to - from))};
    return 0;
}

static enum http_parse_event parse_head(struct http_parser *p)
{
    p->field = mem_zalloc(HTTP_FIELDS_MAX, sizeof *p->field);
    uint8_t *at = p->head.p;
    uint8_t *end = p->head.p + p->head.n - 2; /* the last CRLF is the empty line */
    bool first = true;
    while (at < end) {
        uint8_t *cr = memchr(at, '\r', (size_t)(end - at));
        if (!cr || cr[1] != '\n')
            return fail(p, 400, "bare CR");
        int status = first ? parse_request_line(p, at, cr) : parse_field_line(p, at, cr);
        if (status)
            return fail(p, status, "malformed line in the request head");
        first = false;
        at = cr + 2;
    }
    int status = http_parse_check_head(p);
    if (status)
        return fail(p, status, "the request's target, Host or framing is not acceptable");
    p->left = p->length;
    p->state = p->chunked ? CHUNK_SIZE : p->left ? BODY : DONE;
    return HTTP_PARSE_HEAD;
}

/* Copies up to and including the empty line; a bare LF is refused as soon as it is seen. */
static enum http_parse_event take_head(struct http_parser *p, struct slice in, size_t *used)
{
    size_t i = 0;
    while (i < in.n) {
        const uint8_t *lf = memchr(in.p + i, '\n', in.n - i);
        size_t upto = lf ? (size_t)(lf - in.p) + 1 : in.n;
        if (p->head.n + (upto - i) > HTTP_HEAD_MAX_BYTES)
            return fail(p, 431, "the request head is larger than 16 KiB");
        if (memchr(in.p + i, 0, upto - i))
            return fail(p, 400, "NUL in the request head");
        bytes_add(&p->head, in.p + i, upto - i);
        i = upto;
        if (!lf)
            break;
        const uint8_t *h = p->head.p;
        size_t n = p->head.n;
        if (n < 2 || h[n - 2] != '\r')
            return fail(p, 400, "bare LF");
        if (n == 2)
            return fail(p, 400, "empty line before the request");
        if (h[n - 3] == '\n') {
            *used = i;
            return parse_head(p);
        }
    }
    *used = i;
    return HTTP_PARSE_NEED;
}

/* One empty line may come before a request (RFC 9112 2.2). */
static enum http_parse_event take_start(struct http_parser *p, struct slice in, size_t *used)
{
    if (p->state == START) {
        p->state = in.p[0] == '\r' ? START_LF : HEAD;
        *used = in.p[0] == '\r' ? 1 : 0;
        return HTTP_PARSE_NEED;
    }
    if (in.p[0] != '\n')
        return fail(p, 400, "bare CR");
    *used = 1;
    p->state = HEAD;
    return HTTP_PARSE_NEED;
}

static enum http_parse_event take_chunk_size(struct http_parser *p, uint8_t c)
{
    int digit = hex_digit(c);
    if (digit >= 0) {
        if (++p->chunk_digits > HTTP_CHUNK_DIGITS_MAX)
            return fail(p, 400, "chunk size");
        p->left = p->left * 16 + (uint64_t)digit;
    } else if (p->chunk_digits == 0) {
        return fail(p, 400, "chunk size");
    } else if (c == '\r') {
        p->state = CHUNK_LF;
    } else if (c == ';') {
        p->state = CHUNK_EXT;
    } else {
        return fail(p, 400, "chunk size");
    }
    return HTTP_PARSE_NEED;
}

/* Trailer fields are read, checked for form, and dropped. chunk_digits is 1 once the line has a
 * byte. */
static enum http_parse_event take_trailer(struct http_parser *p, uint8_t c)
{
    if (++p->extra_bytes > HTTP_EXTRA_MAX_BYTES)
        return fail(p, 431, "trailers too large");
    if (p->trailer_cr) {
        if (c != '\n')
            return fail(p, 400, "bare CR");
        if (p->chunk_digits == 0)
            p->state = DONE;
        p->trailer_cr = false;
        p->chunk_digits = 0;
        p->trailer_value = false;
    } else if (c == '\r') {
        if (p->chunk_digits && !p->trailer_value)
            return fail(p, 400, "malformed trailer");
        p->trailer_cr = true;
    } else if (!p->trailer_value) {
        if (c == ':' && p->chunk_digits)
            p->trailer_value = true;
        else if (!is_token_char(c))
            return fail(p, 400, "malformed trailer");
        p->chunk_digits = 1;
    } else if (is_control(c)) {
        return fail(p, 400, "malformed trailer");
    }
    return HTTP_PARSE_NEED;
}

static enum http_parse_event take_chunk_byte(struct http_parser *p, uint8_t c)
{
    switch (p->state) {
    case CHUNK_SIZE:
        return take_chunk_size(p, c);
    case CHUNK_EXT:
        if (++p->extra_bytes > HTTP_EXTRA_MAX_BYTES)
            return fail(p, 400, "chunk extensions too large");
        if (c == '\r')
            p->state = CHUNK_LF;
        else if (is_control(c))
            return fail(p, 400, "chunk extension");
        return HTTP_PARSE_NEED;
    case CHUNK_LF:
        if (c != '\n')
            return fail(p, 400, "chunk line");
        p->state = p->left ? CHUNK_DATA : TRAILER;
        p->chunk_digits = 0;
        return HTTP_PARSE_NEED;
    case CHUNK_END_CR:
        if (c != '\r')
            return fail(p, 400, "chunk end");
        p->state = CHUNK_END_LF;
        return HTTP_PARSE_NEED;
    case CHUNK_END_LF:
        if (c != '\n')
            return fail(p, 400, "chunk end");
        p->state = CHUNK_SIZE;
        p->chunk_digits = 0;
        p->left = 0;
        return HTTP_PARSE_NEED;
    default:
        ASSERT(p->state == TRAILER);
        return take_trailer(p, c);
    }
}

static enum http_parse_event take_body(struct http_parser *p, struct slice in, size_t *used)
{
    size_t take = in.n < p->left ? in.n : (size_t)p->left;
    p->body = slice_of(in.p, take);
    p->left -= take;
    *used = take;
    if (p->left == 0)
        p->state = p->chunked ? CHUNK_END_CR : DONE;
    return HTTP_PARSE_BODY;
}

enum http_parse_event http_parse_feed(struct http_parser *p, struct slice in, size_t *used)
{
    *used = 0;
    for (;;) {
        if (p->state == FAILED)
            return HTTP_PARSE_FAIL;
        if (p->state == DONE)
            return HTTP_PARSE_DONE;
        if (*used == in.n)
            return HTTP_PARSE_NEED;
        struct slice rest = slice_of(in.p + *used, in.n - *used);
        size_t took = 0;
        enum http_parse_event ev;
        if (p->state == START || p->state == START_LF) {
            ev = take_start(p, rest, &took);
        } else if (p->state == HEAD) {
            ev = take_head(p, rest, &took);
        } else if (p->state == BODY || p->state == CHUNK_DATA) {
            ev = take_body(p, rest, &took);
        } else {
            took = 1;
            ev = take_chunk_byte(p, rest.p[0]);
        }
        *used += took;
        if (ev != HTTP_PARSE_NEED)
            return ev;
    }
}
