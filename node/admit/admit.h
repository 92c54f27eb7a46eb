/* What a produced batch must pass. Three stages (docs/internals/admit.md):
 *   1. admit_begin   owner's thread: one well-formed batch, size, codec, CRC
 *   2. admit_judge   pool: decompress, parse, judge each record; pure, any thread
 *   3. the broker's  owner's thread, first in first out per partition: has the view moved, is it a
 *                    duplicate, a replay, is the sequence next (node/broker/produce.c)
 * An uncompressed batch of a topic without contract skips the pool: admit_walk checks its records
 * at once. Duplicates by producer id and sequence are answered by the broker between 1 and 2,
 * before any signature is checked. */
#ifndef ADMIT_ADMIT_H
#define ADMIT_ADMIT_H

#include "base/buf.h"
#include "catalogue/view.h"
#include "policy/judge.h"
#include "wire/batch.h"

enum {
    /* Refused records of one batch that are described; judging stops at the last of them. */
    ADMIT_REFUSALS_MAX = 100,
    /* Decompressed records of one batch. */
    ADMIT_RECORDS_MAX_BYTES = 64 << 20,
    ADMIT_SCRATCH_KEEP_BYTES = 4 << 20, /* of decompressed records, between batches */
    /* Headers of one record of a governed topic. */
    ADMIT_HEADERS_MAX = 256,
};

/* One refused record of a batch. */
struct admit_refusal {
    int32_t batch_index;
    struct verdict verdict;
    uint8_t digest[32]; /* SHA-256 of the value; of nothing when it is null */
    char key_id[96];
    char correlation_id[64]; /* from the record's traceparent or correlation-id header */
};

/* A batch on its way through the pool. Owned by whoever holds it; carries all it needs. */
struct admit_job {
    uint64_t id;
    const struct view *view; /* owned reference: judged under this one */
    const struct view_topic *topic;
    struct slice principal; /* borrowed from the connection's row: copied into the job */
    char principal_text[128];
    bool principal_granted; /* found by admit_judge */
    struct buf *buf;        /* owned reference */
    struct slice batch;
    int64_t now_ms;
    void *ticket; /* the broker's row id for it, opaque here */

    /* Results of admit_judge. */
    int16_t error;     /* Kafka error for the whole batch: 10, 29, 76, 87, ...; 0: accepted */
    char message[256]; /* one sentence when the batch as a whole is refused; else "" */
    struct admit_refusal *refusal; /* owned */
    size_t refusals_n;
    struct judge_signature *signature; /* one per record, when the topic is governed; owned */
    size_t signatures_n;
};

struct admit_job *admit_job_new(void);
void admit_job_free(struct admit_job *job);
/* Forgets the results, for another judgement under another view. */
void admit_job_again(struct admit_job *job);

struct admit_scratch; /* one per pool thread */
struct admit_scratch *admit_scratch_new(void);
void admit_scratch_free(struct admit_scratch *s);

/* Stage 1: `records` is what a Produce request carries for one partition. *out borrows from it.
 * produce_version decides about zstd (KIP-110: from 7 on). Returns 0 or Kafka's error, with a
 * sentence in why (ERR_* codes in it are not used). */
int16_t admit_begin(struct slice records, int16_t produce_version, int64_t max_bytes,
                    struct wire_batch *out, struct err *why);
/* The records of an uncompressed batch, structure only. 0 or 87. */
int16_t admit_walk(const struct wire_batch *batch, struct err *why);

void admit_judge(struct admit_job *job, struct admit_scratch *scratch);

/* Fills digest, key id and correlation id of a refusal from the record. */
void admit_describe(struct admit_refusal *r, const struct wire_record *record);

/* Visits the records of a stored batch that carry a readable signature header, to rebuild the
 * replay memory after a start. */
typedef void (*admit_signature_seen)(void *arg, int32_t batch_index,
                                     const struct judge_signature *signature);
int admit_signatures(struct slice batch, struct admit_scratch *scratch, admit_signature_seen seen,
                     void *arg, struct err *err);
/* A walk over the records of one batch, for comparing a retry with what is stored. `slot` (0 or 1)
 * says which of the scratch's two buffers holds the decompressed records. Going forward costs one
 * pass in all. False: the batch cannot be read, or has no such record. */
struct admit_cursor {
    struct admit_scratch *scratch;
    int slot;
    struct wire_batch batch;
    struct slice records;
    struct wire_record_iter it;
    struct wire_record record; /* the current one */
};
bool admit_cursor_open(struct admit_cursor *c, struct admit_scratch *scratch, int slot,
                       struct slice batch);
bool admit_cursor_at(struct admit_cursor *c, int32_t index);
/* Key, value and headers equal, byte for byte. */
bool admit_records_equal(const struct wire_record *a, const struct wire_record *b);

#endif
