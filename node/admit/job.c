#include "admit/scratch.h"

#include "base/mem.h"

struct admit_job *admit_job_new(void)
{
    return MEM_NEW(struct admit_job);
}

void admit_job_again(struct admit_job *job)
{
    mem_free(job->refusal);
    mem_free(job->signature);
    job->refusal = NULL;
    job->signature = NULL;
    job->refusals_n = job->signatures_n = 0;
    job->error = 0;
    job->message[0] = 0;
}

void admit_job_free(struct admit_job *job)
{
    if (!job)
        return;
    admit_job_again(job);
    if (job->view)
        view_unref(job->view);
    buf_unref(job->buf);
    mem_free(job);
}

struct admit_scratch *admit_scratch_new(void)
{
    struct admit_scratch *s = MEM_NEW(struct admit_scratch);
    s->judge = judge_scratch_new();
    s->codec = wire_codec_scratch_new();
    return s;
}

void admit_scratch_free(struct admit_scratch *s)
{
    if (!s)
        return;
    judge_scratch_free(s->judge);
    wire_codec_scratch_free(s->codec);
    bytes_free(&s->records[0]);
    bytes_free(&s->records[1]);
    mem_free(s);
}
