/* InitProducerId (22): ids come in blocks from the catalogue, each given out once. A transactional
 * id is refused: there are no transactions yet. For an idempotent producer that asks again, a new
 * id is the safe answer (KIP-360 raises epochs only for transactional ones). */
#include "broker/state.h"

enum { IDS_LOW = BROKER_PRODUCER_IDS_BLOCK / 4 };

static void ids_answer(struct broker *b, struct request_row *row, int16_t error, int64_t id)
{
    struct wire_init_producer_id_response resp = wire_init_producer_id_response_default;
    resp.error_code = error;
    resp.producer_id = id;
    resp.producer_epoch = error ? -1 : 0;
    row_answer(b, row, &resp);
}

/* Rows leave in about the order in which they came, so the walk is short. */
static void ids_unlink(struct broker *b, struct request_row *row)
{
    struct request_row *before = NULL, *at = b->ids_first;
    while (at != row) {
        before = at;
        at = at->wait_next;
    }
    if (before)
        before->wait_next = row->wait_next;
    else
        b->ids_first = row->wait_next;
    if (b->ids_last == row)
        b->ids_last = before;
    row->wait_next = NULL;
}

static void ids_serve(struct broker *b)
{
    while (b->ids_first && txn_ids_left(&b->ids) > 0) {
        struct request_row *row = b->ids_first;
        b->ids_first = row->wait_next;
        if (!b->ids_first)
            b->ids_last = NULL;
        row->wait_next = NULL;
        ids_answer(b, row, 0, txn_ids_take(&b->ids));
    }
}

static void ids_arrived(struct broker *b, struct request_row *none, uint32_t part,
                        const struct result *r);

static void ids_ask(struct broker *b)
{
    if (!txn_ids_ask(&b->ids, IDS_LOW))
        return;
    struct request *r = request_new(REQUEST_PRODUCER_IDS);
    r->count = BROKER_PRODUCER_IDS_BLOCK;
    if (!catalogue_ask(b, r, NULL, 0, ids_arrived))
        txn_ids_asked_in_vain(&b->ids);
}

static void ids_arrived(struct broker *b, struct request_row *none, uint32_t part,
                        const struct result *r)
{
    (void)none;
    (void)part;
    if (r->code == ERR_OK)
        txn_ids_add(&b->ids, r->first_producer_id, BROKER_PRODUCER_IDS_BLOCK);
    else
        txn_ids_asked_in_vain(&b->ids);
    ids_serve(b);
    if (b->ids_first && r->code == ERR_OK)
        ids_ask(b);
}

static void init_producer_id_begin(struct broker *b, struct request_row *row)
{
    const struct wire_init_producer_id_request *req = row->request;
    if (req->transactional_id.p) {
        ids_answer(b, row, WIRE_E_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, -1);
        return;
    }
    if (txn_ids_left(&b->ids) > 0) {
        ids_answer(b, row, 0, txn_ids_take(&b->ids));
        ids_ask(b);
        return;
    }
    row->wait_next = NULL;
    if (b->ids_last)
        b->ids_last->wait_next = row;
    else
        b->ids_first = row;
    b->ids_last = row;
    row_set_deadline(b, row, BROKER_PRODUCER_IDS_WAIT_MS);
    ids_ask(b);
}

/* The catalogue is away: every client tries again after 14. */
static void init_producer_id_expire(struct broker *b, struct request_row *row)
{
    ids_unlink(b, row);
    ids_answer(b, row, WIRE_E_COORDINATOR_LOAD_IN_PROGRESS, -1);
}

static bool init_producer_id_abandon(struct broker *b, struct request_row *row)
{
    ids_unlink(b, row);
    return true;
}

const struct handler handler_init_producer_id = {
    .api_key = WIRE_INIT_PRODUCER_ID,
    .begin = init_producer_id_begin,
    .expire = init_producer_id_expire,
    .abandon = init_producer_id_abandon,
};
