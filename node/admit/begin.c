#include "admit/admit.h"

#include "wire/error.h"

static int16_t admit_error_of(int code)
{
    switch (code) {
    case ERR_CORRUPT:
        return WIRE_E_CORRUPT_MESSAGE;
    case ERR_UNSUPPORTED:
        return WIRE_E_UNSUPPORTED_COMPRESSION_TYPE;
    default:
        return WIRE_E_INVALID_RECORD;
    }
}

int16_t admit_begin(struct slice records, int16_t produce_version, int64_t max_bytes,
                    struct wire_batch *out, struct err *why)
{
    if (records.n == 0) {
        err_set(why, ERR_INVALID, "the request holds no record batch for this partition");
        return WIRE_E_INVALID_RECORD;
    }
    /* A batch that is cut short or of another format will not get better by sending it again, so it
     * is 87, never the retriable 2. */
    if (wire_batch_parse(records, out, why))
        return WIRE_E_INVALID_RECORD;
    if (out->bytes.n != records.n) {
        err_set(why, ERR_INVALID, "a Produce request holds exactly one batch for each partition");
        return WIRE_E_INVALID_RECORD;
    }
    if ((int64_t)records.n > max_bytes) {
        err_set(why, ERR_LIMIT, "the batch has %zu bytes, the topic allows %lld", records.n,
                (long long)max_bytes);
        return WIRE_E_MESSAGE_TOO_LARGE;
    }
    int code = wire_batch_check(out, why);
    if (code)
        return admit_error_of(code);
    if (out->attributes & WIRE_BATCH_CONTROL) {
        err_set(why, ERR_INVALID, "clients may not write control batches");
        return WIRE_E_INVALID_RECORD;
    }
    if (out->attributes & WIRE_BATCH_TRANSACTIONAL) {
        err_set(why, ERR_UNSUPPORTED, "transactions are not supported");
        return WIRE_E_INVALID_TXN_STATE;
    }
    if (wire_batch_codec(out) == WIRE_CODEC_ZSTD && produce_version < 7) {
        err_set(why, ERR_UNSUPPORTED, "zstd needs Produce version 7 (KIP-110)");
        return WIRE_E_UNSUPPORTED_COMPRESSION_TYPE;
    }
    return 0;
}

int16_t admit_walk(const struct wire_batch *batch, struct err *why)
{
    struct wire_record_iter it;
    struct wire_record record;
    wire_record_iter_init(&it, batch->records, batch, true);
    int more;
    while ((more = wire_record_next(&it, &record, why)) == 1)
        ;
    return more == 0 ? 0 : WIRE_E_INVALID_RECORD;
}
