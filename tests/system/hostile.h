/* Hostile clients against a running node: what each case does, what it expects. After every case an
 * honest connection, opened at the start, must still be served quickly. */
#ifndef TEST_HOSTILE_H
#define TEST_HOSTILE_H

#include "kafka_client.h"
#include "message_tools.h"

struct hostile {
    const char *host_port;
    struct kafka_client *honest;
    struct test_random random;
    const char *topic;
    int64_t records; /* written by the honest connection */
    int64_t slowest_ms;
    int failures;
};

/* Counts a failure and says so; returns whether `good`. */
bool expect(struct hostile *h, bool good, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
struct kafka_client *hostile_connect(struct hostile *h); /* ends the program when refused */
/* The honest connection writes a record and reads it back, soon. */
void hostile_check_honest(struct hostile *h, const char *after);
void hostile_make_batch(int codec, int n, struct bytes *out);

enum outcome { OUTCOME_CLOSED, OUTCOME_ANSWERED, OUTCOME_SILENT };
const char *outcome_name(enum outcome o);
/* What the server does about the bytes that were sent: the first thing within the time-out. */
enum outcome hostile_outcome(struct kafka_client *c);

/* hostile_frames.c */
void case_lengths(struct hostile *h);
void case_half_frames(struct hostile *h);
void case_other_protocols(struct hostile *h);
void case_unknown_versions(struct hostile *h);
void case_cut_off(struct hostile *h);
void case_flipped_bits(struct hostile *h);
void case_garbage(struct hostile *h);
/* hostile_batches.c */
void case_bad_batches(struct hostile *h);
void case_bombs(struct hostile *h);
/* hostile_crowds.c */
void case_giant_requests(struct hostile *h);
void case_never_reading(struct hostile *h);
void case_many_connections(struct hostile *h);
void case_pipelining(struct hostile *h);
void case_burst(struct hostile *h);

#endif
