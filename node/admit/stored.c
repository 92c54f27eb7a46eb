/* Batches that are in the log already: what the replay memory needs of them. */
#include "admit/scratch.h"

static int stored_open(struct slice bytes, struct admit_scratch *scratch, int which,
                       struct wire_batch *batch, struct slice *records, struct err *err)
{
    int code = wire_batch_parse(bytes, batch, err);
    return code ? code
                : wire_batch_records(batch, ADMIT_RECORDS_MAX_BYTES, scratch->codec,
                                     &scratch->records[which], records, err);
}

int admit_signatures(struct slice bytes, struct admit_scratch *scratch, admit_signature_seen seen,
                     void *arg, struct err *err)
{
    struct wire_batch batch;
    struct slice records;
    int code = stored_open(bytes, scratch, 0, &batch, &records, err);
    if (code)
        return code;
    struct wire_record_iter it;
    struct wire_record record;
    wire_record_iter_init(&it, records, &batch, false);
    while ((code = wire_record_next(&it, &record, err)) == 1) {
        struct slice value;
        struct sign_envelope e;
        if (!wire_record_header_find(&record, SIGN_HEADER_NAME, &value) ||
            sign_decode(value, &e, NULL) != SIGN_OK)
            continue;
        struct judge_signature s = {.present = true, .iat_ms = e.iat_ms};
        s.kid_hash = judge_kid_hash(e.kid);
        memcpy(s.jti, e.jti, sizeof s.jti);
        seen(arg, record.index, &s);
    }
    return code;
}

bool admit_cursor_open(struct admit_cursor *c, struct admit_scratch *scratch, int slot,
                       struct slice batch)
{
    *c = (struct admit_cursor){.scratch = scratch, .slot = slot, .record.index = -1};
    if (stored_open(batch, scratch, slot, &c->batch, &c->records, NULL))
        return false;
    wire_record_iter_init(&c->it, c->records, &c->batch, false);
    return true;
}

bool admit_cursor_at(struct admit_cursor *c, int32_t index)
{
    if (index < c->record.index) {
        wire_record_iter_init(&c->it, c->records, &c->batch, false);
        c->record.index = -1;
    }
    while (c->record.index < index)
        if (wire_record_next(&c->it, &c->record, NULL) != 1)
            return false;
    return c->record.index == index;
}

static bool stored_same(struct slice a, struct slice b)
{
    return (a.p == NULL) == (b.p == NULL) && slice_eq(a, b);
}

bool admit_records_equal(const struct wire_record *a, const struct wire_record *b)
{
    return stored_same(a->key, b->key) && stored_same(a->value, b->value) &&
           a->headers_count == b->headers_count && slice_eq(a->headers, b->headers);
}
