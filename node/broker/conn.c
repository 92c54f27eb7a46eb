/* Connections, and the order of answers: Kafka answers the requests of a connection in the order in
 * which they came, whatever each of them waits for. */
#include "broker/state.h"

#include "base/log.h"

#include <inttypes.h>

enum { FREE_ROWS_MAX = 1024, ROW_ARENA_KEEP_BYTES = 64 << 10 };

struct effect *broker_effect(struct broker *b, enum effect_kind kind)
{
    struct effects *fx = b->fx;
    if (fx->n == fx->cap) {
        fx->cap = fx->cap ? fx->cap * 2 : 16;
        fx->effect = mem_realloc(fx->effect, fx->cap * sizeof *fx->effect);
    }
    struct effect *e = &fx->effect[fx->n++];
    memset(e, 0, sizeof *e);
    e->kind = kind;
    return e;
}

/* ---- rows ---- */

static struct request_row *row_new(struct broker *b)
{
    struct request_row *row = b->free_rows;
    if (row) {
        b->free_rows = row->next;
        b->free_rows_n--;
        struct arena kept = row->arena;
        memset(row, 0, sizeof *row);
        row->arena = kept;
    } else {
        row = MEM_NEW(struct request_row);
        arena_init(&row->arena, 0);
    }
    row->id = ++b->next_row_id;
    row->received_ms = b->now_ms;
    idmap_put(&b->rows, row->id, row);
    return row;
}

static void row_free(struct broker *b, struct request_row *row)
{
    ASSERT(!row->dirty);
    idmap_remove(&b->rows, row->id);
    deadlines_remove(&b->deadlines, &row->deadline);
    for (size_t i = 0; i < row->send_n; i++)
        buf_unref(row->send[i].buf);
    buf_unref(row->frame);
    row->frame = NULL;
    if (b->free_rows_n < FREE_ROWS_MAX && row->arena.used_bytes <= ROW_ARENA_KEEP_BYTES) {
        arena_reset(&row->arena);
        row->next = b->free_rows;
        b->free_rows = row;
        b->free_rows_n++;
    } else {
        arena_free(&row->arena);
        mem_free(row);
    }
}

struct request_row *row_by_id(const struct broker *b, uint64_t id)
{
    return idmap_get(&b->rows, id);
}

void row_set_deadline(struct broker *b, struct request_row *row, int64_t wait_ms)
{
    deadlines_remove(&b->deadlines, &row->deadline);
    deadlines_add(&b->deadlines, &row->deadline, b->now_ms + wait_ms);
}

void row_drop(struct broker *b, struct request_row *row)
{
    ASSERT(!row->conn);
    row_free(b, row);
}

/* ---- sending ---- */

static void conn_send(struct broker *b, struct conn *c, struct request_row *row)
{
    struct effect *e = broker_effect(b, EFFECT_SEND);
    e->conn = c->id;
    e->parts_n = row->send_n;
    e->part = arena_alloc(&b->fx->arena, row->send_n * sizeof *e->part);
    memcpy(e->part, row->send, row->send_n * sizeof *e->part);
    row->send_n = 0; /* the references went into the effect */
    b->metrics.bytes_out += row->send_bytes;
    metric_observe(&b->metrics.api[row->handler->api_key].latency, b->now_ms - row->received_ms);
}

static void row_begin(struct broker *b, struct request_row *row)
{
    row->state = ROW_ACTIVE;
    row->handler->begin(b, row);
}

/* Sends what is ready from the head of the line, and begins what waited for its turn. */
static void conn_pump(struct broker *b, struct conn *c)
{
    if (c->pumping)
        return;
    c->pumping = true;
    while (c->first && !c->closing) {
        struct request_row *row = c->first;
        if (row->state == ROW_QUEUED) {
            row_begin(b, row);
            if (c->first != row)
                continue;
        }
        if (row->state != ROW_DONE)
            break;
        conn_send(b, c, row);
        c->first = row->next;
        if (!c->first)
            c->last = NULL;
        c->pending--;
        row->conn = NULL;
        row_free(b, row);
    }
    c->pumping = false;
}

void row_begin_answer(struct broker *b, const struct request_row *row)
{
    bytes_clear(&b->out);
    wire_begin_response(&b->out, row->header.api_key, row->header.api_version,
                        row->header.correlation_id);
}

void row_answer_parts(struct broker *b, struct request_row *row, struct send_part *part, size_t n,
                      uint64_t size_bytes)
{
    ASSERT(row->state == ROW_ACTIVE && n > 0);
    deadlines_remove(&b->deadlines, &row->deadline);
    row->send = part;
    row->send_n = n;
    row->send_bytes = size_bytes;
    row->state = ROW_DONE;
    if (row->conn)
        conn_pump(b, row->conn);
    else
        row_free(b, row);
}

void row_answer(struct broker *b, struct request_row *row, const void *response)
{
    if (!row->conn) { /* nobody waits for it any more */
        row->state = ROW_DONE;
        row_free(b, row);
        return;
    }
    row_begin_answer(b, row);
    int code =
        wire_encode_response(row->header.api_key, row->header.api_version, response, &b->out);
    ASSERT(code == 0); /* versions were checked at the door, texts are bounded */
    wire_end_frame(&b->out, 0, 0);
    struct send_part *part = arena_zalloc(&row->arena, 1, sizeof *part);
    part->buf = buf_from(b->out.p, b->out.n);
    part->bytes = buf_bytes(part->buf);
    row_answer_parts(b, row, part, 1, part->bytes.n);
}

/* ---- connections ---- */

void conn_open(struct broker *b, uint64_t id, struct slice peer)
{
    struct conn *c = MEM_NEW(struct conn);
    c->id = id;
    c->peer = slice_of(mem_strndup((const char *)peer.p, peer.n), peer.n);
    memcpy(c->principal, "anonymous", sizeof "anonymous");
    idmap_put(&b->conns, id, c);
    b->metrics.conns_opened++;
}

static void conn_release_rows(struct broker *b, struct conn *c)
{
    struct request_row *row = c->first;
    c->first = c->last = NULL;
    c->pending = 0;
    while (row) {
        struct request_row *next = row->next;
        row->conn = NULL;
        row->next = NULL;
        bool stays = false;
        if (row->state == ROW_ACTIVE) {
            catalogue_row_gone(b, row);
            stays = row->handler->abandon && !row->handler->abandon(b, row);
        }
        deadlines_remove(&b->deadlines, &row->deadline);
        if (!stays)
            row_free(b, row);
        row = next;
    }
}

static void conn_free(struct broker *b, struct conn *c)
{
    conn_release_rows(b, c);
    idmap_remove(&b->conns, c->id);
    mem_free((void *)c->peer.p);
    mem_free(c);
}

void conn_gone(struct broker *b, uint64_t id)
{
    struct conn *c = idmap_get(&b->conns, id);
    if (!c)
        return;
    conn_free(b, c);
    b->metrics.conns_closed++;
}

void conn_close(struct broker *b, struct conn *c, const char *why)
{
    if (c->closing)
        return;
    c->closing = true;
    b->metrics.conns_refused++;
    log_event(LOG_INFO, "broker", "connection closed", LOG_I("conn", c->id), LOG_S("peer", c->peer),
              LOG_T("why", why));
    struct effect *e = broker_effect(b, EFFECT_CLOSE);
    e->conn = c->id;
    e->message = arena_strdup(&b->fx->arena, slice_str(why));
}

void conn_free_all(struct broker *b)
{
    size_t at = 0;
    struct conn *c;
    while ((c = idmap_next(&b->conns, &at))) {
        conn_free(b, c);
        at = 0; /* the map changed */
    }
    size_t it = 0;
    struct request_row *row;
    while ((row = idmap_next(&b->rows, &it))) { /* orphans: acks=0, or the connection went first */
        row->dirty = false;
        row_free(b, row);
        it = 0;
    }
    while (b->free_rows) {
        row = b->free_rows;
        b->free_rows = row->next;
        arena_free(&row->arena);
        mem_free(row);
    }
}

/* ---- a frame ---- */

static void conn_remember_client(struct conn *c, struct slice client_id)
{
    size_t n = client_id.n < sizeof c->client_id - 1 ? client_id.n : sizeof c->client_id - 1;
    if (n)
        memcpy(c->client_id, client_id.p, n);
    c->client_id[n] = 0;
}

static void conn_append(struct conn *c, struct request_row *row)
{
    row->conn = c;
    if (c->last)
        c->last->next = row;
    else
        c->first = row;
    c->last = row;
    c->pending++;
}

/* Decodes the body; false after closing the connection. */
static bool conn_decode(struct broker *b, struct conn *c, struct request_row *row)
{
    struct err err = {0};
    const struct wire_request_header *h = &row->header;
    if (wire_decode_request(h->api_key, h->api_version, row->body, &row->arena, &row->request,
                            &err) == 0)
        return true;
    b->metrics.api[h->api_key].refused++;
    struct err why = {0};
    err_set(&why, ERR_INVALID, "request %s version %d cannot be read: %s",
            wire_api_find(h->api_key)->name, h->api_version, err.msg);
    conn_close(b, c, why.msg);
    return false;
}

void conn_request(struct broker *b, uint64_t id, struct buf *frame)
{
    struct conn *c = idmap_get(&b->conns, id);
    if (!c || c->closing || b->failed) {
        buf_unref(frame);
        return;
    }
    b->metrics.bytes_in += frame->n + 4;
    struct request_row *row = row_new(b);
    row->conn_id = id;
    row->frame = frame;
    struct err err = {0};
    if (wire_decode_request_header(buf_bytes(frame), &row->header, &row->body, &err)) {
        conn_close(b, c, err.msg);
        row_free(b, row);
        return;
    }
    const struct wire_request_header *h = &row->header;
    row->handler = broker_handler(h->api_key);
    const struct wire_api *api = wire_api_find(h->api_key);
    bool known = row->handler && h->api_version >= api->first && h->api_version <= api->last;
    if (!known && h->api_key != WIRE_API_VERSIONS) {
        if (row->handler)
            b->metrics.api[h->api_key].refused++;
        err_set(&err, ERR_UNSUPPORTED, "API key %d version %d is not served", h->api_key,
                h->api_version);
        conn_close(b, c, err.msg);
        row_free(b, row);
        return;
    }
    if (c->pending >= BROKER_PIPELINE_MAX) {
        conn_close(b, c, "too many requests without an answer");
        row_free(b, row);
        return;
    }
    b->metrics.api[h->api_key].requests++;
    conn_remember_client(c, h->client_id);
    if (known && !conn_decode(b, c, row)) {
        row_free(b, row);
        return;
    }
    if (h->api_key == WIRE_PRODUCE && ((struct wire_produce_request *)row->request)->acks == 0) {
        row->no_answer = true; /* stands in no line */
        row_begin(b, row);
        return;
    }
    bool head = !c->first;
    conn_append(c, row);
    if (row->handler->when_head && !head)
        return; /* its turn comes in conn_pump */
    if (!known) {
        row->state = ROW_ACTIVE;
        api_versions_answer_unknown(b, row);
        return;
    }
    row_begin(b, row);
}

uint32_t broker_conn_pending(const struct broker *b, uint64_t conn)
{
    const struct conn *c = idmap_get(&b->conns, conn);
    return c ? c->pending : 0;
}
