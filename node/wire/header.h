/* What precedes every body: a frame is a 4-byte length (not counted in itself), a header, a body.
 * Request headers are version 2 where the API's version is flexible (they end with tagged fields),
 * version 1 otherwise; the client id keeps its 2-byte length in both. Response headers are version
 * 1 where flexible (tagged fields), 0 otherwise; those of ApiVersions are always 0. */
#ifndef WIRE_HEADER_H
#define WIRE_HEADER_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/slice.h"

/* The smallest frame: key, version, correlation id and a client id's length. */
#define WIRE_REQUEST_MIN_BYTES 10

struct wire_request_header {
    int16_t api_key;
    int16_t api_version;
    int32_t correlation_id;
    struct slice client_id; /* borrowed from the frame; p == NULL: null */
};

/* Splits a frame (without its length) into header and body. The api and version are not judged:
 * for an API or version that the codec does not know the header is read as version 1, which is
 * enough to answer with an error (for ApiVersions the body is then empty).
 * ERR_INVALID: the frame is too short or its client id or tags break the format. */
int wire_decode_request_header(struct slice frame, struct wire_request_header *out,
                               struct slice *body, struct err *err);

/* Appends a frame's length (0 for now) and the response header; returns where the frame begins,
 * for wire_end_frame. */
size_t wire_begin_response(struct bytes *out, int16_t api_key, int16_t version,
                           int32_t correlation_id);
/* The same for a request. */
size_t wire_begin_request(struct bytes *out, const struct wire_request_header *header);
/* Writes the length of the frame that began at `start` and ends where `out` ends. `cut_bytes` are
 * sent in between but not in `out` (see wire_encode_response_cut). */
void wire_end_frame(struct bytes *out, size_t start, size_t cut_bytes);

/* Reads a response header; api and version are those of the request. */
int wire_decode_response_header(struct slice frame, int16_t api_key, int16_t version,
                                int32_t *correlation_id, struct slice *body, struct err *err);

#endif
