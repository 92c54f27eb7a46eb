/* Stage 2: every record of a batch against the contract. All or nothing: one refused record refuses
 * the batch, and each refused record is described. */
#include "admit/scratch.h"

#include "base/mem.h"
#include "wire/error.h"

#include <openssl/sha.h>
#include <stdio.h>

static bool judge_find_key(void *arg, struct slice kid, struct judge_key *out)
{
    const struct view_key *k = view_key_by_id(arg, kid);
    if (!k)
        return false;
    *out = (struct judge_key){.producer = k->producer, .key = k->key};
    return true;
}

static void judge_fail(struct admit_job *job, int16_t error, const char *message)
{
    job->error = error;
    snprintf(job->message, sizeof job->message, "%.*s", (int)sizeof job->message - 1, message);
}

static int16_t judge_error_of(int code)
{
    if (code == ERR_LIMIT)
        return WIRE_E_MESSAGE_TOO_LARGE; /* clients answer it by splitting the batch */
    return code == ERR_UNSUPPORTED ? WIRE_E_UNSUPPORTED_COMPRESSION_TYPE : WIRE_E_INVALID_RECORD;
}

/* ---- one refusal ---- */

static void judge_copy_text(char *out, size_t out_size, struct slice s)
{
    size_t n = s.n < out_size - 1 ? s.n : out_size - 1;
    for (size_t i = 0; i < n; i++) {
        uint8_t c = s.p[i];
        out[i] = c >= 0x20 && c < 0x7f ? (char)c : '?';
    }
    out[n] = 0;
}

/* The record's own id of the work that it belongs to: a correlation-id header, else the trace id
 * inside a W3C traceparent ("00-<32 hex>-<16 hex>-<2 hex>"). The key id is the signature's. */
void admit_describe(struct admit_refusal *r, const struct wire_record *record)
{
    struct wire_header_iter it;
    struct wire_record_header h;
    struct slice id = SLICE_NULL, trace = SLICE_NULL;
    struct sign_envelope e;
    SHA256(record->value.p ? record->value.p : (const uint8_t *)"", record->value.n, r->digest);
    wire_header_iter_init(&it, record);
    while (wire_header_next(&it, &h)) {
        if (slice_eq_str(h.key, "correlation-id") || slice_eq_str(h.key, "correlation_id") ||
            slice_eq_str(h.key, "x-correlation-id"))
            id = h.value;
        else if (slice_eq_str(h.key, "traceparent") && h.value.n == 55)
            trace = slice_of(h.value.p + 3, 32);
        else if (slice_eq_str(h.key, SIGN_HEADER_NAME) && sign_decode(h.value, &e, NULL) == SIGN_OK)
            judge_copy_text(r->key_id, sizeof r->key_id, e.kid);
    }
    judge_copy_text(r->correlation_id, sizeof r->correlation_id, id.n ? id : trace);
}

static void judge_refuse(struct admit_job *job, const struct wire_record *record,
                         const struct verdict *verdict)
{
    if (!job->refusal)
        job->refusal = mem_alloc(sizeof *job->refusal);
    else if ((job->refusals_n & (job->refusals_n - 1)) == 0) /* 1, 2, 4, ...: full */
        job->refusal = mem_realloc(job->refusal, 2 * job->refusals_n * sizeof *job->refusal);
    struct admit_refusal *r = &job->refusal[job->refusals_n++];
    memset(r, 0, sizeof *r);
    r->batch_index = record->index;
    r->verdict = *verdict;
    admit_describe(r, record);
}

/* ---- one record ---- */

/* False: more headers than are judged. */
static bool judge_read(const struct wire_batch *batch, const struct wire_record *in,
                       struct admit_scratch *scratch, struct judge_record *out)
{
    struct wire_header_iter it;
    struct wire_record_header h;
    size_t n = 0, size = in->key.n + in->value.n;
    if (in->headers_count > ADMIT_HEADERS_MAX)
        return false;
    wire_header_iter_init(&it, in);
    while (wire_header_next(&it, &h)) {
        scratch->header[n++] = (struct sign_header){.name = h.key, .value = h.value};
        size += h.key.n + h.value.n;
    }
    *out = (struct judge_record){
        .key = in->key,
        .value = in->value,
        .headers = scratch->header,
        .headers_n = n,
        .timestamp_ms = batch->base_timestamp + in->timestamp_delta,
        .size_bytes = size,
    };
    return true;
}

/* kafka.md, "From verdict or fault to Kafka error". */
static int16_t judge_batch_error(const struct admit_job *job, int32_t records_n)
{
    size_t too_large = 0, not_granted = 0;
    for (size_t i = 0; i < job->refusals_n; i++) {
        too_large += job->refusal[i].verdict.code == VERDICT_RECORD_TOO_LARGE;
        not_granted += job->refusal[i].verdict.code == VERDICT_WRITE_NOT_GRANTED;
    }
    if (too_large == job->refusals_n)
        return WIRE_E_MESSAGE_TOO_LARGE;
    /* 29 poisons the topic in librdkafka, so it is never said for one bad record among others. */
    if (not_granted == job->refusals_n &&
        (job->refusals_n == (size_t)records_n || job->refusals_n == ADMIT_REFUSALS_MAX))
        return WIRE_E_TOPIC_AUTHORIZATION_FAILED;
    return WIRE_E_INVALID_RECORD;
}

static void judge_records(struct admit_job *job, const struct wire_batch *batch,
                          struct slice records, struct admit_scratch *scratch)
{
    const struct view_topic *t = job->topic;
    job->principal_granted = view_principal_may_write(job->view, job->principal, t->name);
    struct judge_context ctx = {
        .topic = t->name,
        .contract = t->contract,
        .contract_version = t->version,
        .schema = t->schema,
        .now_ms = job->now_ms,
        .principal_granted = job->principal_granted,
        .principal = job->principal,
        .find_key = judge_find_key,
        .find_key_arg = (void *)job->view,
    };
    job->signatures_n = (size_t)batch->records_count;
    job->signature = mem_zalloc(job->signatures_n, sizeof *job->signature);
    struct wire_record_iter it;
    struct wire_record record;
    struct err err = {0};
    int more;
    wire_record_iter_init(&it, records, batch, true);
    while ((more = wire_record_next(&it, &record, &err)) == 1) {
        struct judge_record rec;
        struct verdict verdict;
        if (!judge_read(batch, &record, scratch, &rec)) {
            judge_fail(job, WIRE_E_INVALID_RECORD, "a record has too many headers");
            return;
        }
        if (judge_record(&ctx, &rec, scratch->judge, &verdict, &job->signature[record.index]) ==
            VERDICT_ACCEPTED)
            continue;
        judge_refuse(job, &record, &verdict);
        if (job->refusals_n == ADMIT_REFUSALS_MAX)
            break;
    }
    if (more < 0)
        judge_fail(job, WIRE_E_INVALID_RECORD, err.msg);
    else if (job->refusals_n)
        job->error = judge_batch_error(job, batch->records_count);
}

static void judge_structure(struct admit_job *job, const struct wire_batch *batch,
                            struct slice records)
{
    struct wire_record_iter it;
    struct wire_record record;
    struct err err = {0};
    int more;
    wire_record_iter_init(&it, records, batch, true);
    while ((more = wire_record_next(&it, &record, &err)) == 1)
        ;
    if (more < 0)
        judge_fail(job, WIRE_E_INVALID_RECORD, err.msg);
}

static void judge_job(struct admit_job *job, struct admit_scratch *scratch)
{
    struct wire_batch batch;
    struct slice records;
    struct err err = {0};
    int code = wire_batch_parse(job->batch, &batch, &err);
    if (!code)
        code = wire_batch_records(&batch, ADMIT_RECORDS_MAX_BYTES, scratch->codec,
                                  &scratch->records[0], &records, &err);
    if (code) {
        judge_fail(job, judge_error_of(code), err.msg);
        return;
    }
    if (job->topic->governed)
        judge_records(job, &batch, records, scratch);
    else
        judge_structure(job, &batch, records);
}

void admit_judge(struct admit_job *job, struct admit_scratch *scratch)
{
    judge_job(job, scratch);
    /* One huge batch (or bomb) must not hold its memory for the life of the thread. */
    if (scratch->records[0].cap > ADMIT_SCRATCH_KEEP_BYTES)
        bytes_free(&scratch->records[0]);
}
