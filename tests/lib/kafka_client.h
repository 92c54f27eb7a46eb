/* A small synchronous Kafka client over a TCP socket, for system tests and tests with hostile
 * bytes: one connection, the wire room's codecs, nothing cleverer. Every call has the connection's
 * time-out; after an error of the connection (ERR_IO, ERR_UNAVAILABLE) only kafka_close is left.
 * Single thread. */
#ifndef TEST_KAFKA_CLIENT_H
#define TEST_KAFKA_CLIENT_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"
#include "wire/batch.h"
#include "wire/message.h"

/* Responses larger than this are an error of the server. */
#define KAFKA_CLIENT_FRAME_MAX (256 << 20)

struct kafka_client;

/* host_port is "127.0.0.1:9092". ERR_IO: no connection. */
int kafka_connect(struct kafka_client **out, const char *host_port, int timeout_ms,
                  struct err *err);
void kafka_close(struct kafka_client *c); /* NULL is allowed */
void kafka_set_timeout(struct kafka_client *c, int timeout_ms);
void kafka_set_client_id(struct kafka_client *c, const char *client_id); /* default "test" */

/* The socket, for a program that sends and receives by itself and leaves connecting and closing to
 * this one. */
int kafka_fd(const struct kafka_client *c);

/* Bytes as they are. kafka_read_frame: *frame (without its length) is lent until the next call.
 *   ERR_UNAVAILABLE  nothing came within the time-out
 *   ERR_NOT_FOUND    the server has closed the connection
 *   ERR_IO           another error of the socket
 *   ERR_INVALID      the frame's length is nonsense */
int kafka_write(struct kafka_client *c, struct slice bytes, struct err *err);
int kafka_read_frame(struct kafka_client *c, struct slice *frame, struct err *err);
/* Whether the server closes the connection within the time-out; answers on the way are skipped. */
bool kafka_is_closed_by_server(struct kafka_client *c);
void kafka_finish_writing(struct kafka_client *c); /* half-close */

/* Appends a whole request frame to *out; returns its correlation id. */
int32_t kafka_frame(struct kafka_client *c, int16_t api_key, int16_t version, const void *request,
                    struct bytes *out);
/* Sends without waiting; then receives in the same order. *response is lent until the next call of
 * this connection that receives. */
int kafka_send(struct kafka_client *c, int16_t api_key, int16_t version, const void *request,
               struct err *err);
int kafka_receive(struct kafka_client *c, int16_t api_key, int16_t version, void **response,
                  struct err *err);
int kafka_call(struct kafka_client *c, int16_t api_key, int16_t version, const void *request,
               void **response, struct err *err);

/* The usual requests. They return the connection's error (negative) or 0; what the server said
 * about the topic or partition is in *error_code (enum wire_error). Slices are lent as above. */
int kafka_create_topic(struct kafka_client *c, const char *topic, int partitions,
                       int16_t *error_code, struct err *err);
int kafka_delete_topic(struct kafka_client *c, const char *topic, int16_t *error_code,
                       struct err *err);
/* Asks for the topic until it has a leader for `partitions` partitions, 10 s at most. */
int kafka_await_topic(struct kafka_client *c, const char *topic, int partitions, struct err *err);

struct kafka_produced {
    int16_t error_code;
    int64_t base_offset;
    int64_t log_append_time_ms;
    struct slice error_message;
    const struct wire_produce_response_record_error *record_errors;
    int32_t record_errors_n;
};
/* Version 9. acks 0: nothing is awaited and *out is all zero. */
int kafka_produce(struct kafka_client *c, const char *topic, int32_t partition, int16_t acks,
                  struct slice batch, struct kafka_produced *out, struct err *err);

struct kafka_fetched {
    int16_t error_code;
    int64_t high_watermark;
    int64_t log_start_offset;
    struct slice records; /* whole batches, the last one may be cut off */
};
/* Version 11. */
int kafka_fetch(struct kafka_client *c, const char *topic, int32_t partition, int64_t offset,
                int32_t max_wait_ms, int32_t min_bytes, int32_t max_bytes,
                struct kafka_fetched *out, struct err *err);

/* timestamp: a time in ms, or -1 end, -2 start, -3 largest time. */
int kafka_list_offset(struct kafka_client *c, const char *topic, int32_t partition,
                      int64_t timestamp, int16_t *error_code, int64_t *offset,
                      int64_t *found_timestamp, struct err *err);

#endif
