/* Requests in one line, for tests over struct world. Versions are the newest that are advertised
 * unless said otherwise. */
#ifndef HARNESS_CLIENT_H
#define HARNESS_CLIENT_H

#include "harness/world.h"

#include "sign/sign.h"

struct client_record {
    const char *key;    /* NULL: null */
    struct slice value; /* p == NULL: null */
    const struct wire_record_header *header;
    size_t headers_n;
    int64_t timestamp_ms; /* 0: the world's now */
};

struct client_producer {
    int64_t id; /* -1: none */
    int16_t epoch;
    int32_t sequence; /* of the next batch's first record */
    int codec;
};
#define CLIENT_PRODUCER_NONE ((struct client_producer){.id = -1, .epoch = -1, .sequence = -1})

struct client_outcome {
    bool closed; /* the connection went away instead of an answer */
    int16_t error;
    int64_t base_offset;
    int64_t log_start_offset;
    char message[512];
    int32_t record_errors_n;
    int32_t record_error_index[128];
    char record_error[16][512];
};

void client_create_topic(struct world *w, uint64_t conn, const char *topic, int32_t partitions);
/* One batch; appended to *out. */
void client_batch(struct world *w, struct client_producer *p, const struct client_record *record,
                  size_t n, struct bytes *out);
/* Sends a batch of one partition without waiting. Advances the producer's sequence. */
void client_send_batch(struct world *w, uint64_t conn, const char *topic, int32_t partition,
                       struct slice batch, int16_t acks, int16_t version);
struct client_outcome client_outcome(const struct wire_produce_response *r);
struct client_outcome client_produce_batch(struct world *w, uint64_t conn, const char *topic,
                                           int32_t partition, struct slice batch);
struct client_outcome client_produce(struct world *w, uint64_t conn, const char *topic,
                                     int32_t partition, struct client_producer *p,
                                     const struct client_record *record, size_t n);
struct client_outcome client_produce_text(struct world *w, uint64_t conn, const char *topic,
                                          int32_t partition, const char *value);

/* One fetched record; slices live as long as the world's answers. */
struct client_fetched {
    int64_t offset;
    struct slice key, value;
};
struct client_fetch {
    int64_t offset;
    int32_t max_wait_ms, min_bytes, max_bytes, partition_max_bytes; /* 0: 500, 1, 50 MiB, 1 MiB */
    int32_t leader_epoch;                                           /* -1: do not check */
};
struct wire_fetch_response *client_fetch(struct world *w, uint64_t conn, const char *topic,
                                         int32_t partition, const struct client_fetch *f);
/* All records from `offset` to the end; fails the test on an error. Returns their number. */
size_t client_read_all(struct world *w, uint64_t conn, const char *topic, int32_t partition,
                       int64_t offset, struct client_fetched *out, size_t max);
int64_t client_list_offset(struct world *w, uint64_t conn, const char *topic, int32_t partition,
                           int64_t timestamp);
struct client_producer client_init_producer(struct world *w, uint64_t conn);

/* A key pair from a number, and a signed record: fills header[0] (its bytes live as long as the
 * world's answers). */
void client_key(uint64_t number, uint8_t public_key[32], uint8_t secret_key[64]);
void client_sign(struct world *w, const char *topic, const char *kid, const uint8_t secret_key[64],
                 struct client_record *record, struct wire_record_header *header);
/* Memory that lives as long as the world's answers. */
struct arena *world_arena(struct world *w);

#endif
