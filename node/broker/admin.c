/* What the admin requests share: a list of items, each settled at once (refused, or nothing to do)
 * or by the catalogue; the answer goes out when all are settled or the client's time is over. */
#include "broker/state.h"

struct admin_work *admin_begin(struct request_row *row, uint32_t n,
                               void (*finish)(struct broker *b, struct request_row *row))
{
    struct admin_work *work = arena_alloc(&row->arena, sizeof *work);
    work->item = arena_zalloc(&row->arena, n ? n : 1, sizeof *work->item);
    work->n = n;
    work->finish = finish;
    row->work = work;
    row->left = n + 1; /* one for the handler's begin */
    return work;
}

void admin_settle(struct request_row *row, uint32_t i, int16_t error, const char *message)
{
    struct admin_work *work = row->work;
    struct admin_item *item = &work->item[i];
    ASSERT(!item->settled);
    item->settled = true;
    item->error = error;
    item->message = message;
    row->left--;
}

static void admin_answered(struct broker *b, struct request_row *row, uint32_t i,
                           const struct result *r)
{
    struct admin_work *work = row->work;
    int16_t error = catalogue_error(r);
    static const struct topic_id none;
    if (memcmp(&r->topic_id, &none, sizeof none) != 0)
        work->item[i].id = r->topic_id;
    admin_settle(row, i, error, error ? arena_strdup(&row->arena, slice_str(r->message)) : NULL);
    if (row->left == 0)
        work->finish(b, row);
}

void admin_ask(struct broker *b, struct request_row *row, uint32_t i, struct request *r)
{
    if (!catalogue_ask(b, r, row, i, admin_answered))
        admin_settle(row, i, WIRE_E_REQUEST_TIMED_OUT, "too many changes are under way; try again");
}

void admin_wait(struct broker *b, struct request_row *row, int32_t timeout_ms)
{
    struct admin_work *work = row->work;
    int64_t wait = timeout_ms > 0 && timeout_ms < BROKER_CATALOGUE_WAIT_MAX_MS
                       ? timeout_ms
                       : BROKER_CATALOGUE_WAIT_MAX_MS;
    if (--row->left == 0)
        work->finish(b, row);
    else
        row_set_deadline(b, row, wait);
}

void admin_expire(struct broker *b, struct request_row *row)
{
    struct admin_work *work = row->work;
    catalogue_row_gone(b, row);
    for (uint32_t i = 0; i < work->n; i++)
        if (!work->item[i].settled)
            admin_settle(row, i, WIRE_E_REQUEST_TIMED_OUT,
                         "the catalogue has not answered yet; the change may still happen");
    work->finish(b, row);
}
