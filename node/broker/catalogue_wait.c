/* Requests to the catalogue and their answers. An answer is handed on when the broker has switched
 * to the view that shows the change, so that a client that was told "created" finds the topic. */
#include "broker/state.h"

static void wait_finish(struct broker *b, struct catalogue_wait *w)
{
    struct request_row *row = w->row;
    if (row)
        row->catalogue_waits--;
    if (row || w->row_id == 0)
        w->done(b, row, w->part, w->result);
    result_free(w->result);
    mem_free(w->result);
    mem_free(w);
}

bool catalogue_ask(struct broker *b, struct request *r, struct request_row *row, uint32_t part,
                   catalogue_done done)
{
    if (b->catalogue.n >= BROKER_CATALOGUE_MAX) {
        request_free(r);
        return false;
    }
    struct catalogue_wait *w = MEM_NEW(struct catalogue_wait);
    const struct conn *c = row ? row->conn : NULL;
    w->id = r->id = ++b->next_catalogue_id;
    w->row = row;
    w->row_id = row ? row->id : 0;
    if (row)
        row->catalogue_waits++;
    w->part = part;
    w->done = done;
    r->now_ms = b->now_ms;
    r->principal = arena_copy(&r->arena, slice_str(c ? c->principal : "node"));
    idmap_put(&b->catalogue, w->id, w);
    broker_effect(b, EFFECT_CATALOGUE)->request = r;
    return true;
}

void catalogue_answered(struct broker *b, struct result *result)
{
    struct catalogue_wait *w = idmap_remove(&b->catalogue, result->request_id);
    if (!w) {
        result_free(result);
        mem_free(result);
        return;
    }
    w->result = result;
    w->version = result->code == ERR_OK && result->changed ? result->version : 0;
    if (b->view->version >= w->version) {
        wait_finish(b, w);
        return;
    }
    w->next = b->view_waits;
    b->view_waits = w;
}

void catalogue_view_moved(struct broker *b)
{
    struct catalogue_wait *all = b->view_waits, *ready = NULL;
    b->view_waits = NULL;
    while (all) {
        struct catalogue_wait *w = all;
        all = w->next;
        struct catalogue_wait **to = w->version <= b->view->version ? &ready : &b->view_waits;
        w->next = *to;
        *to = w;
    }
    while (ready) {
        struct catalogue_wait *w = ready;
        ready = w->next;
        wait_finish(b, w);
    }
}

void catalogue_row_gone(struct broker *b, struct request_row *row)
{
    size_t at = 0;
    struct catalogue_wait *w;
    if (row->catalogue_waits == 0)
        return;
    row->catalogue_waits = 0;
    while ((w = idmap_next(&b->catalogue, &at)))
        if (w->row == row)
            w->row = NULL;
    for (w = b->view_waits; w; w = w->next)
        if (w->row == row)
            w->row = NULL;
}

void catalogue_free_all(struct broker *b)
{
    size_t at = 0;
    struct catalogue_wait *w;
    while ((w = idmap_next(&b->catalogue, &at)))
        mem_free(w);
    idmap_free(&b->catalogue);
    while (b->view_waits) {
        w = b->view_waits;
        b->view_waits = w->next;
        result_free(w->result);
        mem_free(w->result);
        mem_free(w);
    }
}

/* Reasons of the catalogue that Kafka has an error for. */
static const struct {
    const char *reason;
    int16_t error;
} reasons[] = {
    {"topic.exists", WIRE_E_TOPIC_ALREADY_EXISTS},
    {"topic.unknown", WIRE_E_UNKNOWN_TOPIC_OR_PARTITION},
    {"topic.governed", WIRE_E_POLICY_VIOLATION},
    {"topic.ungoverned", WIRE_E_POLICY_VIOLATION},
    {"name.invalid", WIRE_E_INVALID_TOPIC_EXCEPTION},
    {"name.collision", WIRE_E_INVALID_TOPIC_EXCEPTION},
    {"partitions.invalid", WIRE_E_INVALID_PARTITIONS},
    {"partitions.shrink", WIRE_E_INVALID_PARTITIONS},
    {"replication.invalid", WIRE_E_INVALID_REPLICATION_FACTOR},
    {"replicas.too-many", WIRE_E_INVALID_REPLICATION_FACTOR},
    {"config.invalid", WIRE_E_INVALID_CONFIG},
};

int16_t catalogue_error(const struct result *r)
{
    if (r->code == ERR_OK)
        return 0;
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (slice_eq_str(slice_str(r->reason), reasons[i].reason))
            return reasons[i].error;
    switch (r->code) {
    case ERR_NOT_FOUND:
        return WIRE_E_UNKNOWN_TOPIC_OR_PARTITION;
    case ERR_DENIED:
        return WIRE_E_CLUSTER_AUTHORIZATION_FAILED;
    case ERR_LIMIT:
    case ERR_UNSUPPORTED:
        return WIRE_E_POLICY_VIOLATION;
    case ERR_UNAVAILABLE:
        return WIRE_E_NOT_CONTROLLER; /* retried by every client */
    case ERR_INVALID:
    case ERR_CONFLICT:
        return WIRE_E_INVALID_REQUEST;
    default:
        return WIRE_E_UNKNOWN_SERVER_ERROR;
    }
}
