/* Fetch (1). A fetch is looked at when it is the head of its connection's line: it answers at once
 * when min_bytes are there, when something is wrong, or when max_wait_ms is 0; otherwise it waits
 * in the list of each of its partitions. Records go out as ranges of segment files. Ranges whose
 * CRCs were not checked since the start are brought in by a reader thread (EFFECT_READ) and checked
 * here before they are served. Sessions (KIP-227) are declined: session id 0. */
#include "broker/state.h"

#include "base/log.h"

struct fetch_work {
    struct fetch_part *part;
    uint32_t parts_n;
    uint64_t known_bytes; /* found at the last look, plus what was appended since */
    uint32_t reads;       /* EFFECT_READ under way */
    bool expired;
};

/* ---- waiting ---- */

static void fetch_unlink(struct fetch_part *part)
{
    if (!part->waiting)
        return;
    part->waiting = false;
    if (part->prev)
        part->prev->next = part->next;
    else
        part->partition->waiters = part->next;
    if (part->next)
        part->next->prev = part->prev;
    part->prev = part->next = NULL;
}

static void fetch_link(struct fetch_part *part)
{
    if (part->waiting || !part->partition)
        return;
    struct partition *p = part->partition;
    part->waiting = true;
    part->prev = NULL;
    part->next = p->waiters;
    if (p->waiters)
        p->waiters->prev = part;
    p->waiters = part;
}

static void fetch_unlink_all(struct fetch_work *work)
{
    for (uint32_t i = 0; i < work->parts_n; i++)
        fetch_unlink(&work->part[i]);
}

static void fetch_mark(struct broker *b, struct request_row *row)
{
    if (row->dirty)
        return;
    row->dirty = true;
    row->dirty_next = b->dirty;
    b->dirty = row;
}

/* ---- looking ---- */

/* One partition: error, or the range that is there. room: bytes that may still be sent. first:
 * nothing was found yet, so the first batch is taken whatever its size. */
static void fetch_look(struct broker *b, struct fetch_part *part, uint64_t room, bool first)
{
    struct partition *p = part->partition;
    struct err err = {0};
    part->range = (struct plog_range){0};
    part->seen_bytes = plog_size_bytes(p->log);
    uint64_t max = part->max_bytes < 0 ? 0 : (uint64_t)part->max_bytes;
    if (max > room)
        max = room;
    if (part->offset < plog_start_offset(p->log) || part->offset > plog_stable_offset(p->log)) {
        part->error = WIRE_E_OFFSET_OUT_OF_RANGE;
        return;
    }
    int code = plog_read(b->store, p->log, part->offset, max, INT64_MAX, &part->range, &err);
    if (code == ERR_INVALID) {
        part->error = WIRE_E_OFFSET_OUT_OF_RANGE;
    } else if (code) {
        log_event(LOG_ERROR, "broker", "read failed", LOG_S("topic", p->topic->name),
                  LOG_I("partition", p->index), LOG_I("offset", part->offset),
                  LOG_T("why", err.msg));
        part->error = WIRE_E_KAFKA_STORAGE_ERROR;
    }
    if (part->error || (part->range.size_bytes > max && !first))
        part->range.size_bytes = 0;
}

static void fetch_verify(struct broker *b, struct fetch_part *part)
{
    struct partition *p = part->partition;
    struct err err = {0};
    if (!p || part->error || part->range.size_bytes == 0 || part->range.verified)
        return;
    if (plog_verify(b->store, p->log, &part->range, &err) == 0) {
        part->range.verified = true;
        return;
    }
    b->metrics.corrupt_ranges++;
    log_event(LOG_ERROR, "broker", "damaged records are not served", LOG_S("topic", p->topic->name),
              LOG_I("partition", p->index), LOG_I("offset", part->offset), LOG_T("why", err.msg));
    part->error = WIRE_E_KAFKA_STORAGE_ERROR;
    part->range.size_bytes = 0;
}

static void fetch_ask_read(struct broker *b, struct fetch_part *part)
{
    part->read_id = ++b->next_read_id;
    idmap_put(&b->reads, part->read_id, part);
    struct effect *e = broker_effect(b, EFFECT_READ);
    e->read_id = part->read_id;
    e->range = part->range;
}

/* ---- the answer ---- */

static void fetch_fill(const struct fetch_part *part, struct wire_fetch_response_partition *o,
                       int32_t index)
{
    *o = wire_fetch_response_partition_default;
    o->partition_index = index;
    o->error_code = part->error;
    o->high_watermark = -1;
    o->records = slice_of("", 0); /* clients expect an empty set, not null */
    if (!part->partition)
        return;
    const struct plog *log = part->partition->log;
    o->high_watermark = o->last_stable_offset = plog_stable_offset(log);
    o->log_start_offset = plog_start_offset(log);
    if (part->range.size_bytes)
        o->records = slice_of(part, (size_t)part->range.size_bytes); /* found again at its cut */
}

/* Interleaves the encoded text with the file ranges. */
static void fetch_send(struct broker *b, struct request_row *row, const struct wire_cut *cut,
                       size_t cuts_n)
{
    struct send_part *part = arena_zalloc(&row->arena, 2 * cuts_n + 1, sizeof *part);
    size_t n = 0, at = 0;
    uint64_t in_files = 0;
    for (size_t i = 0; i < cuts_n; i++)
        in_files += cut[i].records.n;
    wire_end_frame(&b->out, 0, (size_t)in_files);
    struct buf *text = buf_from(b->out.p, b->out.n);
    for (size_t i = 0; i < cuts_n; i++) {
        const struct fetch_part *from = (const void *)cut[i].records.p;
        part[n].buf = buf_ref(text);
        part[n++].bytes = slice_of(text->data + at, cut[i].at - at);
        part[n++].range = from->range;
        at = cut[i].at;
    }
    if (at < text->n) {
        part[n].buf = buf_ref(text);
        part[n++].bytes = slice_of(text->data + at, text->n - at);
    }
    uint64_t size = text->n + in_files;
    buf_unref(text);
    row_answer_parts(b, row, part, n, size);
}

static void fetch_count(struct broker *b, const struct fetch_work *work)
{
    for (uint32_t i = 0; i < work->parts_n; i++) {
        const struct fetch_part *part = &work->part[i];
        if (part->error < METRIC_ERRORS)
            b->metrics.fetch_error[part->error]++;
        if (part->partition)
            part->partition->topic->counters.fetched_bytes += part->range.size_bytes;
    }
}

static void fetch_answer(struct broker *b, struct request_row *row)
{
    const struct wire_fetch_request *req = row->request;
    struct fetch_work *work = row->work;
    struct wire_fetch_response resp = wire_fetch_response_default;
    fetch_unlink_all(work);
    fetch_count(b, work);
    resp.responses_n = req->topics_n;
    resp.responses = arena_alloc(&row->arena, (size_t)req->topics_n * sizeof *resp.responses);
    const struct fetch_part *part = work->part;
    for (int32_t i = 0; i < req->topics_n; i++) {
        struct wire_fetch_response_topic *out = &resp.responses[i];
        *out = wire_fetch_response_topic_default;
        out->topic = req->topics[i].topic;
        out->partitions_n = req->topics[i].partitions_n;
        out->partitions =
            arena_alloc(&row->arena, (size_t)out->partitions_n * sizeof *out->partitions);
        for (int32_t j = 0; j < out->partitions_n; j++, part++)
            fetch_fill(part, &out->partitions[j], req->topics[i].partitions[j].partition);
    }
    struct wire_cut *cut = arena_alloc(&row->arena, work->parts_n * sizeof *cut);
    size_t cuts_n = 0;
    row_begin_answer(b, row);
    int code = wire_encode_response_cut(WIRE_FETCH, row->header.api_version, &resp, &b->out, cut,
                                        work->parts_n, &cuts_n);
    ASSERT(code == 0);
    fetch_send(b, row, cut, cuts_n);
}

/* ---- deciding ---- */

static uint64_t fetch_look_all(struct broker *b, struct request_row *row, bool *wrong)
{
    const struct wire_fetch_request *req = row->request;
    struct fetch_work *work = row->work;
    uint64_t room = req->max_bytes < 0 ? 0 : (uint64_t)req->max_bytes;
    uint64_t found = 0;
    if (room > (uint64_t)b->config.fetch_max_bytes)
        room = (uint64_t)b->config.fetch_max_bytes;
    for (uint32_t i = 0; i < work->parts_n; i++) {
        struct fetch_part *part = &work->part[i];
        if (part->partition && !part->error)
            fetch_look(b, part, room > found ? room - found : 0, found == 0);
        *wrong |= part->error != 0;
        found += part->range.size_bytes;
    }
    return found;
}

/* True when reads were asked for: the fetch goes on when they are back. */
static bool fetch_read_first(struct broker *b, struct fetch_work *work)
{
    for (uint32_t i = 0; i < work->parts_n; i++) {
        struct fetch_part *part = &work->part[i];
        if (part->range.size_bytes == 0 || part->range.verified)
            continue;
        fetch_ask_read(b, part);
        work->reads++;
    }
    return work->reads > 0;
}

static void fetch_decide(struct broker *b, struct request_row *row)
{
    const struct wire_fetch_request *req = row->request;
    struct fetch_work *work = row->work;
    bool wrong = false;
    if (work->reads)
        return; /* decided when they are back */
    uint64_t found = fetch_look_all(b, row, &wrong);
    bool enough = found >= (uint64_t)(req->min_bytes > 0 ? req->min_bytes : 0);
    if (enough || wrong || work->expired || req->max_wait_ms <= 0) {
        fetch_unlink_all(work);
        deadlines_remove(&b->deadlines, &row->deadline);
        if (!fetch_read_first(b, work))
            fetch_answer(b, row);
        return;
    }
    work->known_bytes = found;
    for (uint32_t i = 0; i < work->parts_n; i++)
        fetch_link(&work->part[i]);
    if (row->deadline.place == 0) {
        b->metrics.long_polls++;
        row_set_deadline(b, row,
                         req->max_wait_ms < BROKER_FETCH_WAIT_MAX_MS ? req->max_wait_ms
                                                                     : BROKER_FETCH_WAIT_MAX_MS);
    }
}

void fetch_read_done(struct broker *b, uint64_t id, int status)
{
    struct fetch_part *part = idmap_remove(&b->reads, id);
    if (!part)
        return; /* the connection has gone */
    struct request_row *row = part->row;
    struct fetch_work *work = row->work;
    part->read_id = 0;
    if (status < 0 && part->partition) {
        log_event(LOG_ERROR, "broker", "reading a segment failed",
                  LOG_S("topic", part->partition->topic->name),
                  LOG_I("partition", part->partition->index), LOG_I("status", status));
        part->error = WIRE_E_KAFKA_STORAGE_ERROR;
        part->range.size_bytes = 0;
    }
    if (--work->reads > 0)
        return;
    for (uint32_t i = 0; i < work->parts_n; i++)
        fetch_verify(b, &work->part[i]);
    fetch_answer(b, row);
}

/* New records: only when all waiters' bytes may be enough is the log looked at again. */
void fetch_moved(struct broker *b, struct partition *p)
{
    uint64_t size = plog_size_bytes(p->log);
    for (struct fetch_part *part = p->waiters; part; part = part->next) {
        struct fetch_work *work = part->row->work;
        const struct wire_fetch_request *req = part->row->request;
        bool shrunk = size < part->seen_bytes;
        work->known_bytes += shrunk ? 0 : size - part->seen_bytes;
        part->seen_bytes = size;
        if (shrunk || work->known_bytes >= (uint64_t)req->min_bytes)
            fetch_mark(b, part->row);
    }
}

/* The partition is removed: whoever reads it hears so. */
void fetch_fail_all(struct broker *b, struct partition *p)
{
    while (p->waiters) {
        struct fetch_part *part = p->waiters;
        fetch_unlink(part);
        part->partition = NULL;
        part->error = WIRE_E_UNKNOWN_TOPIC_OR_PARTITION;
        fetch_mark(b, part->row);
    }
    size_t at = 0;
    struct fetch_part *part;
    while ((part = idmap_next(&b->reads, &at))) {
        struct fetch_work *work = part->row->work;
        for (uint32_t i = 0; i < work->parts_n; i++) {
            if (work->part[i].partition != p)
                continue;
            work->part[i].partition = NULL;
            work->part[i].error = WIRE_E_UNKNOWN_TOPIC_OR_PARTITION;
            work->part[i].range.size_bytes = 0;
        }
    }
}

void fetch_look_again(struct broker *b)
{
    while (b->dirty) {
        struct request_row *row = b->dirty;
        b->dirty = row->dirty_next;
        row->dirty = false;
        fetch_decide(b, row);
    }
}

/* ---- the handler ---- */

static void fetch_begin(struct broker *b, struct request_row *row)
{
    const struct wire_fetch_request *req = row->request;
    if (req->session_id != 0 || req->session_epoch > 0) {
        /* We never gave out a session. */
        struct wire_fetch_response resp = wire_fetch_response_default;
        resp.error_code = WIRE_E_FETCH_SESSION_ID_NOT_FOUND;
        row_answer(b, row, &resp);
        return;
    }
    struct fetch_work *work = arena_zalloc(&row->arena, 1, sizeof *work);
    for (int32_t i = 0; i < req->topics_n; i++)
        work->parts_n += (uint32_t)req->topics[i].partitions_n;
    work->part = arena_zalloc(&row->arena, work->parts_n, sizeof *work->part);
    row->work = work;
    struct fetch_part *part = work->part;
    for (int32_t i = 0; i < req->topics_n; i++) {
        const struct wire_fetch_request_topic *in = &req->topics[i];
        struct topic_row *t = topic_by_name(b, in->topic);
        for (int32_t j = 0; j < in->partitions_n; j++, part++) {
            part->row = row;
            part->offset = in->partitions[j].fetch_offset;
            part->max_bytes = in->partitions[j].partition_max_bytes;
            part->partition = partition_find(b, t, in->partitions[j].partition, &part->error);
            if (part->partition)
                part->error =
                    partition_check_epoch(part->partition, in->partitions[j].current_leader_epoch);
        }
    }
    fetch_decide(b, row);
}

static void fetch_expire(struct broker *b, struct request_row *row)
{
    struct fetch_work *work = row->work;
    work->expired = true;
    fetch_decide(b, row);
}

static bool fetch_abandon(struct broker *b, struct request_row *row)
{
    struct fetch_work *work = row->work;
    fetch_unlink_all(work);
    for (uint32_t i = 0; i < work->parts_n; i++)
        if (work->part[i].read_id)
            idmap_remove(&b->reads, work->part[i].read_id);
    if (row->dirty) { /* take it off the list */
        struct request_row **at = &b->dirty;
        while (*at != row)
            at = &(*at)->dirty_next;
        *at = row->dirty_next;
        row->dirty = false;
    }
    return true;
}

const struct handler handler_fetch = {
    .api_key = WIRE_FETCH,
    .when_head = true,
    .begin = fetch_begin,
    .expire = fetch_expire,
    .abandon = fetch_abandon,
};
