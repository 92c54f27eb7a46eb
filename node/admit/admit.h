/* What a produced batch must pass. Three stages (docs/internals/admit.md):
 *   1. admit_begin   (owner's thread): batch well formed, topic governed?, acks, principal
 *   2. admit_judge   (pool): decompress, CRC, parse, judge each record; pure, any thread
 *   3. admit_finish  (owner's thread, first in first out per partition): view moved? replayed?
 * A batch that is not governed skips stage 2. Sequence numbers are txn's, asked by the broker before
 * stage 2 (duplicates are answered from memory before any signature is checked). */
#ifndef ADMIT_ADMIT_H
#define ADMIT_ADMIT_H

#include "base/buf.h"
#include "catalogue/view.h"
#include "policy/judge.h"

/* One refused record of a batch. */
struct admit_refusal {
    int32_t batch_index;
    struct verdict verdict;
    uint8_t digest[32];
    char key_id[96];
    char correlation_id[64]; /* from the record's traceparent or correlation-id header */
};

/* A batch on its way through the pool. Owned by whoever holds it; carries all it needs. */
struct admit_job {
    uint64_t id;
    const struct view *view; /* owned reference: judged under this one */
    const struct view_topic *topic;
    struct slice principal;  /* borrowed from the connection's row: copied into the job */
    char principal_text[128];
    bool principal_granted;
    struct buf *buf;         /* owned reference */
    struct slice batch;
    int64_t now_ms;
    void *ticket;            /* the broker's row id for it, opaque here */

    /* Results of admit_judge. */
    int16_t error;           /* Kafka error for the whole batch: 2, 76, 87, ...; 0: judged */
    struct admit_refusal *refusal; /* owned */
    size_t refusals_n;
    struct judge_signature *signature; /* one per record, when the contract wants them; owned */
    size_t signatures_n;
};

struct admit_job *admit_job_new(void);
void admit_job_free(struct admit_job *job);

struct admit_scratch; /* one per pool thread */
struct admit_scratch *admit_scratch_new(void);
void admit_scratch_free(struct admit_scratch *s);

void admit_judge(struct admit_job *job, struct admit_scratch *scratch);

#endif
