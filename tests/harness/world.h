/* A deterministic world around one broker: clock, disk, verify pool, catalogue and clients are
 * played from a seed; the same seed gives the same history (world_hash). Between any two events the
 * broker's invariants are checked. A crash keeps what the disk has synced.
 * docs/internals/harness.md.
 *
 *   struct world *w = world_new(&(struct world_options){.seed = 1});
 *   world_apply(w, "[{\"kind\": \"Topic\", ...}]");
 *   uint64_t c = world_connect(w);
 *   struct wire_metadata_response *m = world_call(w, c, WIRE_METADATA, 12, &request);
 *   world_crash(w); world_start(w);
 *   world_free(w);
 */
#ifndef HARNESS_WORLD_H
#define HARNESS_WORLD_H

#include "broker/broker.h"
#include "catalogue/catalogue.h"
#include "wire/api.h"
#include "wire/batch.h"
#include "wire/error.h"
#include "wire/header.h"
#include "wire/message.h"

struct world;
struct sim_disk;

struct world_options {
    uint64_t seed;
    bool governance_off; /* for the whole cluster */
    bool auto_create;
    uint64_t segment_bytes;       /* 0: 256 KiB */
    uint64_t replay_memory_bytes; /* 0: 1 MiB */
    int64_t sync_us;              /* 0: 200 to 2,000; else about this */
    bool quiet_pool;              /* the pool answers in order and at once */
    bool unchecked; /* the invariants are not checked after each step: they cost as much
                     * as there is pending */
};

struct world *world_new(const struct world_options *options);
void world_free(struct world *w);

/* Plays the next event; false when nothing is left to happen before the clock would pass `until`.
 */
bool world_step(struct world *w);
void world_run_ms(struct world *w, int64_t ms);
int64_t world_now_ms(const struct world *w);
void world_sleep_ms(struct world *w, int64_t ms); /* the clock jumps; what falls due is played */
uint64_t world_random(struct world *w, uint64_t below);
uint64_t world_hash(const struct world *w); /* of everything that happened */

/* Power cut: the broker's memory and what the disk had not synced are gone, connections too. */
void world_crash(struct world *w);
/* SIGKILL: the page cache stays. */
void world_kill(struct world *w);
/* From the next start on. */
void world_set_replay_memory(struct world *w, uint64_t bytes);
/* Starts the broker on what is there. Fails the test when it refuses, unless err is given. */
int world_start(struct world *w, struct err *err);
bool world_is_up(const struct world *w);
const char *world_fatal(const struct world *w); /* message of EFFECT_FATAL, or NULL */

struct broker *world_broker(struct world *w);
struct sim_disk *world_disk(struct world *w);
const struct view *world_view(struct world *w);
/* How much the disk has left, as the runtime reports it. */
void world_set_space(struct world *w, uint64_t free_bytes, uint64_t watermark_bytes);

/* ---- the catalogue ---- */

/* Applies documents (a JSON array) as one request; fails the test when it is refused. */
void world_apply(struct world *w, const char *documents);
/* Any request; waits until the broker enforces it. The result is the caller's. */
struct result *world_request(struct world *w, struct request *r);
/* Holds the catalogue's answers back (a controller that is away). */
void world_hold_catalogue(struct world *w, bool hold);

/* ---- clients ---- */

uint64_t world_connect(struct world *w);
void world_disconnect(struct world *w, uint64_t conn);
bool world_closed(const struct world *w, uint64_t conn); /* by the broker */
/* Why it was closed; "" when it is open. */
const char *world_close_reason(const struct world *w, uint64_t conn);
/* Sends a request; returns its correlation id. */
int32_t world_send(struct world *w, uint64_t conn, int16_t api, int16_t version,
                   const void *request);
/* Sends a frame as it is (without its length). */
void world_send_bytes(struct world *w, uint64_t conn, struct slice frame);
/* Sends a frame and decodes the answer as of this API and version. */
void *world_call_bytes(struct world *w, uint64_t conn, int16_t api, int16_t version,
                       int32_t correlation_id, struct slice frame);
/* Answers on this connection are not matched with requests any more: it sends nonsense. */
void world_expect_any(struct world *w, uint64_t conn);
/* Waits for the answer to the oldest unanswered request (at most 60 s of the world's time). NULL:
 * the connection was closed. The decoded body lives until world_forget or the end. */
void *world_receive(struct world *w, uint64_t conn);
/* The answer if it is there already. */
void *world_poll(struct world *w, uint64_t conn);
size_t world_answers_waiting(const struct world *w, uint64_t conn);
void *world_call(struct world *w, uint64_t conn, int16_t api, int16_t version, const void *request);
/* The raw bytes of the last answer that world_receive or world_poll took (without its length). */
struct slice world_last_frame(const struct world *w, uint64_t conn);
void world_forget(struct world *w);
/* The last range of a segment file that was served. */
const struct plog_range *world_last_range(const struct world *w);

/* ---- the ledger ---- */

struct world_rejection {
    int64_t time_ms;
    char topic[256];
    int32_t partition, batch_index;
    enum verdict_code code;
    char path[256], rule[96], detail[256], key_id[96], principal[128], client_id[128],
        correlation_id[64];
    uint64_t contract_version;
    uint8_t digest[32];
    uint32_t count;
};
size_t world_rejections(const struct world *w, const struct world_rejection **out);
void world_clear_rejections(struct world *w);

#endif
