/* Filling results, and remembering them by idempotency key. Internal to the room. */
#ifndef CATALOGUE_OUTCOME_H
#define CATALOGUE_OUTCOME_H

#include "catalogue/internal.h"

void outcome_set(struct result *out, enum err_code code, const char *reason, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* A successful result as bytes, for the table. */
void outcome_pack(const struct result *r, struct bytes *out);
/* The result recorded under this key, if any: true. When what was asked then differs from `request`
 * (its digest), the result is ERR_CONFLICT "idempotency.mismatch". */
bool outcome_recorded(struct catalogue *c, struct slice principal, struct slice key,
                      struct slice request, struct result *out);
/* Digest over everything that makes a request what it is. */
void outcome_request_digest(const struct request *r, uint8_t out[DIGEST_BYTES]);

#endif
