#include "kafka_client.h"

#include "base/check.h"
#include "base/codec.h"
#include "base/mem.h"
#include "wire/api.h"
#include "wire/error.h"
#include "wire/header.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct kafka_client {
    int fd;
    int timeout_ms;
    char client_id[64];
    int32_t next_id;    /* correlation id of the next request */
    int32_t expects_id; /* of the next response */
    struct bytes out;   /* the request being sent */
    struct bytes in;    /* the frame read last */
    struct arena arena; /* the response decoded last */
};

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int open_socket(const char *host_port, struct err *err)
{
    char host[256];
    const char *colon = strrchr(host_port, ':');
    if (!colon || (size_t)(colon - host_port) >= sizeof(host))
        return err_set(err, ERR_INVALID, "\"%s\" is not HOST:PORT", host_port);
    memcpy(host, host_port, (size_t)(colon - host_port));
    host[colon - host_port] = '\0';

    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
    int rv = getaddrinfo(host, colon + 1, &hints, &list);
    if (rv != 0)
        return err_set(err, ERR_IO, "%s: %s", host_port, gai_strerror(rv));
    int fd = -1;
    for (struct addrinfo *ai = list; ai && fd < 0; ai = ai->ai_next) {
        fd = socket(ai->ai_family, ai->ai_socktype | SOCK_CLOEXEC, 0);
        if (fd >= 0 && connect(fd, ai->ai_addr, ai->ai_addrlen) != 0) {
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(list);
    if (fd < 0)
        return err_set(err, ERR_IO, "%s: %s", host_port, strerror(errno));
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return fd;
}

int kafka_connect(struct kafka_client **out, const char *host_port, int timeout_ms, struct err *err)
{
    int fd = open_socket(host_port, err);
    if (fd < 0)
        return fd;
    struct kafka_client *c = MEM_NEW(struct kafka_client);
    c->fd = fd;
    c->timeout_ms = timeout_ms;
    c->next_id = c->expects_id = 1;
    arena_init(&c->arena, 0);
    kafka_set_client_id(c, "test");
    *out = c;
    return 0;
}

void kafka_close(struct kafka_client *c)
{
    if (!c)
        return;
    close(c->fd);
    bytes_free(&c->out);
    bytes_free(&c->in);
    arena_free(&c->arena);
    mem_free(c);
}

int kafka_fd(const struct kafka_client *c)
{
    return c->fd;
}

void kafka_set_timeout(struct kafka_client *c, int timeout_ms)
{
    c->timeout_ms = timeout_ms;
}

void kafka_set_client_id(struct kafka_client *c, const char *client_id)
{
    ASSERT(strlen(client_id) < sizeof(c->client_id));
    memcpy(c->client_id, client_id, strlen(client_id) + 1);
}

void kafka_finish_writing(struct kafka_client *c)
{
    shutdown(c->fd, SHUT_WR);
}

static int wait_for(struct kafka_client *c, short events, int64_t until_ms, struct err *err)
{
    for (;;) {
        int64_t left = until_ms - now_ms();
        struct pollfd p = {.fd = c->fd, .events = events};
        int rv = poll(&p, 1, left > 0 ? (int)left : 0);
        if (rv > 0)
            return 0;
        if (rv == 0)
            return err_set(err, ERR_UNAVAILABLE, "nothing within %d ms", c->timeout_ms);
        if (errno != EINTR)
            return err_set(err, ERR_IO, "poll: %s", strerror(errno));
    }
}

int kafka_write(struct kafka_client *c, struct slice bytes, struct err *err)
{
    int64_t until = now_ms() + c->timeout_ms;
    while (bytes.n > 0) {
        ssize_t n = send(c->fd, bytes.p, bytes.n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0) {
            bytes = slice_of(bytes.p + n, bytes.n - (size_t)n);
        } else if (errno == EAGAIN) {
            int rv = wait_for(c, POLLOUT, until, err);
            if (rv != 0)
                return rv;
        } else if (errno != EINTR) {
            return err_set(err, errno == EPIPE || errno == ECONNRESET ? ERR_NOT_FOUND : ERR_IO,
                           "send: %s", strerror(errno));
        }
    }
    return 0;
}

static int read_exactly(struct kafka_client *c, uint8_t *p, size_t n, struct err *err)
{
    int64_t until = now_ms() + c->timeout_ms;
    while (n > 0) {
        int rv = wait_for(c, POLLIN, until, err);
        if (rv != 0)
            return rv;
        ssize_t got = recv(c->fd, p, n, MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno == ECONNRESET))
            return err_set(err, ERR_NOT_FOUND, "the server has closed the connection");
        if (got < 0 && errno != EAGAIN && errno != EINTR)
            return err_set(err, ERR_IO, "recv: %s", strerror(errno));
        if (got > 0) {
            p += got;
            n -= (size_t)got;
        }
    }
    return 0;
}

int kafka_read_frame(struct kafka_client *c, struct slice *frame, struct err *err)
{
    uint8_t length[4];
    int rv = read_exactly(c, length, sizeof(length), err);
    if (rv != 0)
        return rv;
    uint32_t n = be32_get(length);
    if (n < 4 || n > KAFKA_CLIENT_FRAME_MAX)
        return err_set(err, ERR_INVALID, "a frame of %u bytes", n);
    bytes_clear(&c->in);
    bytes_reserve(&c->in, n);
    rv = read_exactly(c, c->in.p, n, err);
    if (rv != 0)
        return rv;
    c->in.n = n;
    *frame = bytes_slice(&c->in);
    return 0;
}

bool kafka_is_closed_by_server(struct kafka_client *c)
{
    int64_t until = now_ms() + c->timeout_ms;
    uint8_t waste[4096];
    while (wait_for(c, POLLIN, until, NULL) == 0) {
        ssize_t n = recv(c->fd, waste, sizeof(waste), MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
            return true;
    }
    return false;
}

int32_t kafka_frame(struct kafka_client *c, int16_t api_key, int16_t version, const void *request,
                    struct bytes *out)
{
    struct wire_request_header h = {
        .api_key = api_key,
        .api_version = version,
        .correlation_id = c->next_id++,
        .client_id = slice_str(c->client_id),
    };
    size_t start = wire_begin_request(out, &h);
    int rv = wire_encode_request(api_key, version, request, out);
    ASSERT(rv == 0);
    wire_end_frame(out, start, 0);
    return h.correlation_id;
}

int kafka_send(struct kafka_client *c, int16_t api_key, int16_t version, const void *request,
               struct err *err)
{
    bytes_clear(&c->out);
    kafka_frame(c, api_key, version, request, &c->out);
    return kafka_write(c, bytes_slice(&c->out), err);
}

int kafka_receive(struct kafka_client *c, int16_t api_key, int16_t version, void **response,
                  struct err *err)
{
    struct slice frame, body;
    int32_t id;
    int rv = kafka_read_frame(c, &frame, err);
    if (rv == 0)
        rv = wire_decode_response_header(frame, api_key, version, &id, &body, err);
    if (rv != 0)
        return rv;
    if (id != c->expects_id)
        return err_set(err, ERR_INVALID, "answer %d came where %d is due", id, c->expects_id);
    c->expects_id++;
    arena_reset(&c->arena);
    return wire_decode_response(api_key, version, body, &c->arena, response, err);
}

int kafka_call(struct kafka_client *c, int16_t api_key, int16_t version, const void *request,
               void **response, struct err *err)
{
    int rv = kafka_send(c, api_key, version, request, err);
    return rv == 0 ? kafka_receive(c, api_key, version, response, err) : rv;
}

int kafka_create_topic(struct kafka_client *c, const char *topic, int partitions,
                       int16_t *error_code, struct err *err)
{
    struct wire_create_topics_request_topic t = wire_create_topics_request_topic_default;
    struct wire_create_topics_request r = wire_create_topics_request_default;
    struct wire_create_topics_response *out;
    void *response;
    t.name = slice_str(topic);
    t.num_partitions = partitions;
    t.replication_factor = 1;
    r.topics = &t;
    r.topics_n = 1;
    r.timeout_ms = c->timeout_ms;
    int rv = kafka_call(c, WIRE_CREATE_TOPICS, 5, &r, &response, err);
    if (rv != 0)
        return rv;
    out = response;
    if (out->topics_n != 1)
        return err_set(err, ERR_INVALID, "CreateTopics answers %d topics", out->topics_n);
    *error_code = out->topics[0].error_code;
    return 0;
}

int kafka_delete_topic(struct kafka_client *c, const char *topic, int16_t *error_code,
                       struct err *err)
{
    struct slice name = slice_str(topic);
    struct wire_delete_topics_request r = wire_delete_topics_request_default;
    struct wire_delete_topics_response *out;
    void *response;
    r.topic_names = &name;
    r.topic_names_n = 1;
    r.timeout_ms = c->timeout_ms;
    int rv = kafka_call(c, WIRE_DELETE_TOPICS, 5, &r, &response, err);
    if (rv != 0)
        return rv;
    out = response;
    if (out->responses_n != 1)
        return err_set(err, ERR_INVALID, "DeleteTopics answers %d topics", out->responses_n);
    *error_code = out->responses[0].error_code;
    return 0;
}

static bool has_leaders(const struct wire_metadata_response *m, int partitions)
{
    if (m->topics_n != 1 || m->topics[0].error_code != 0 || m->topics[0].partitions_n < partitions)
        return false;
    for (int32_t i = 0; i < m->topics[0].partitions_n; i++) {
        if (m->topics[0].partitions[i].leader_id < 0 || m->topics[0].partitions[i].error_code != 0)
            return false;
    }
    return true;
}

int kafka_await_topic(struct kafka_client *c, const char *topic, int partitions, struct err *err)
{
    struct wire_metadata_request_topic t = wire_metadata_request_topic_default;
    struct wire_metadata_request r = wire_metadata_request_default;
    void *response;
    t.name = slice_str(topic);
    r.topics = &t;
    r.topics_n = 1;
    for (int64_t until = now_ms() + 10000; now_ms() < until;) {
        int rv = kafka_call(c, WIRE_METADATA, 9, &r, &response, err);
        if (rv != 0 || has_leaders(response, partitions))
            return rv;
        poll(NULL, 0, 20);
    }
    return err_set(err, ERR_UNAVAILABLE, "topic %s has no leaders", topic);
}

int kafka_produce(struct kafka_client *c, const char *topic, int32_t partition, int16_t acks,
                  struct slice batch, struct kafka_produced *out, struct err *err)
{
    struct wire_produce_request_partition p = wire_produce_request_partition_default;
    struct wire_produce_request_topic t = wire_produce_request_topic_default;
    struct wire_produce_request r = wire_produce_request_default;
    void *response;
    p.index = partition;
    p.records = batch;
    t.name = slice_str(topic);
    t.partition_data = &p;
    t.partition_data_n = 1;
    r.acks = acks;
    r.timeout_ms = c->timeout_ms;
    r.topic_data = &t;
    r.topic_data_n = 1;
    *out = (struct kafka_produced){0};
    if (acks == 0) {
        int rv = kafka_send(c, WIRE_PRODUCE, 9, &r, err);
        c->expects_id++; /* no answer to this one */
        return rv;
    }
    int rv = kafka_call(c, WIRE_PRODUCE, 9, &r, &response, err);
    if (rv != 0)
        return rv;
    const struct wire_produce_response *all = response;
    if (all->responses_n != 1 || all->responses[0].partition_responses_n != 1)
        return err_set(err, ERR_INVALID, "Produce answers %d topics", all->responses_n);
    const struct wire_produce_response_partition *one = all->responses[0].partition_responses;
    *out = (struct kafka_produced){
        .error_code = one->error_code,
        .base_offset = one->base_offset,
        .log_append_time_ms = one->log_append_time_ms,
        .error_message = one->error_message,
        .record_errors = one->record_errors,
        .record_errors_n = one->record_errors_n,
    };
    return 0;
}

int kafka_fetch(struct kafka_client *c, const char *topic, int32_t partition, int64_t offset,
                int32_t max_wait_ms, int32_t min_bytes, int32_t max_bytes,
                struct kafka_fetched *out, struct err *err)
{
    struct wire_fetch_request_partition p = wire_fetch_request_partition_default;
    struct wire_fetch_request_topic t = wire_fetch_request_topic_default;
    struct wire_fetch_request r = wire_fetch_request_default;
    void *response;
    p.partition = partition;
    p.fetch_offset = offset;
    p.partition_max_bytes = max_bytes;
    t.topic = slice_str(topic);
    t.partitions = &p;
    t.partitions_n = 1;
    r.max_wait_ms = max_wait_ms;
    r.min_bytes = min_bytes;
    r.max_bytes = max_bytes;
    r.topics = &t;
    r.topics_n = 1;
    int rv = kafka_call(c, WIRE_FETCH, 11, &r, &response, err);
    if (rv != 0)
        return rv;
    const struct wire_fetch_response *all = response;
    *out = (struct kafka_fetched){.error_code = all->error_code};
    if (all->error_code != 0)
        return 0;
    if (all->responses_n != 1 || all->responses[0].partitions_n != 1)
        return err_set(err, ERR_INVALID, "Fetch answers %d topics", all->responses_n);
    const struct wire_fetch_response_partition *one = all->responses[0].partitions;
    *out = (struct kafka_fetched){
        .error_code = one->error_code,
        .high_watermark = one->high_watermark,
        .log_start_offset = one->log_start_offset,
        .records = one->records,
    };
    return 0;
}

int kafka_list_offset(struct kafka_client *c, const char *topic, int32_t partition,
                      int64_t timestamp, int16_t *error_code, int64_t *offset,
                      int64_t *found_timestamp, struct err *err)
{
    struct wire_list_offsets_request_partition p = wire_list_offsets_request_partition_default;
    struct wire_list_offsets_request_topic t = wire_list_offsets_request_topic_default;
    struct wire_list_offsets_request r = wire_list_offsets_request_default;
    void *response;
    p.partition_index = partition;
    p.timestamp = timestamp;
    t.name = slice_str(topic);
    t.partitions = &p;
    t.partitions_n = 1;
    r.topics = &t;
    r.topics_n = 1;
    int rv = kafka_call(c, WIRE_LIST_OFFSETS, 7, &r, &response, err);
    if (rv != 0)
        return rv;
    const struct wire_list_offsets_response *all = response;
    if (all->topics_n != 1 || all->topics[0].partitions_n != 1)
        return err_set(err, ERR_INVALID, "ListOffsets answers %d topics", all->topics_n);
    *error_code = all->topics[0].partitions[0].error_code;
    *offset = all->topics[0].partitions[0].offset;
    *found_timestamp = all->topics[0].partitions[0].timestamp;
    return 0;
}
