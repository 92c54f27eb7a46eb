/* The entry that goes through Raft: what is written, under which expectations, and what the one who
 * asked and the audit file are told. docs/decisions/0004. Internal to the room.
 *
 *   "WF" | u8 version | u8 flags (1: zstd) | be32 size of the payload, raw | payload | zeros to 8
 *
 * payload: u8 kind, u8 flags (1: strict), varint request id, varint base version, zigzag time_ms,
 * then length-prefixed principal, correlation id, action, target, detail (JSON), message, body
 * (JSON after the version member), idempotency key, request digest; zigzag first producer id, 16
 * bytes topic id, varint number of writes, and the writes: u8 op, u8 table, [varint expected rev],
 * cells. */
#ifndef CATALOGUE_FACTS_H
#define CATALOGUE_FACTS_H

#include "base/err.h"
#include "catalogue/request.h"
#include "catalogue/rows.h"

enum { FACTS_VERSION = 1 };

/* Part of the format: never renumber. */
enum fact_op {
    FACT_PUT = 1,        /* the row must have the expected rev (0: be absent); all cells */
    FACT_PUT_ANY = 2,    /* whatever was there; all cells */
    FACT_DELETE = 3,     /* the expected rev; key cells */
    FACT_DELETE_ANY = 4, /* key cells */
    FACT_CHECK = 5,      /* nothing is written; the expected rev; key cells */
    FACT_EXISTS = 6,     /* nothing is written; key cells */
};

struct facts_head {
    enum request_kind kind;
    bool strict; /* the catalogue must be at base_version exactly */
    uint64_t request_id;
    uint64_t base_version; /* that was decided on */
    int64_t time_ms;
    struct slice principal, correlation_id, action, target, detail, message, body;
    struct slice idempotency_key, request_digest; /* empty: none */
    int64_t first_producer_id;
    struct topic_id topic_id;
};

/* Collects writes. Zero-initialise; bytes_free(&ops). */
struct facts {
    struct bytes ops;
    uint64_t ops_n;
};
void facts_put(struct facts *f, const struct row *r, uint64_t expected_rev);
void facts_put_any(struct facts *f, const struct row *r);
void facts_delete(struct facts *f, const struct row *r, uint64_t expected_rev);
void facts_delete_any(struct facts *f, const struct row *r);
void facts_check(struct facts *f, const struct row *r, uint64_t expected_rev);
void facts_exists(struct facts *f, const struct row *r);

/* The whole entry into out. ERR_LIMIT, with the size in the message, when it is too large. */
int facts_encode(const struct facts_head *head, const struct facts *f, struct bytes *out,
                 struct err *err);

struct fact {
    enum fact_op op;
    uint64_t expected_rev;
    struct row row;
};

/* Reading: the payload is borrowed from the entry or owned by `raw`; free with facts_reader_free.
 */
struct facts_reader {
    struct bytes raw;
    const uint8_t *p, *end;
    uint64_t left; /* writes still to read */
};
/* ERR_CORRUPT; ERR_UNSUPPORTED: a newer version wrote it. *head borrows from the reader. */
int facts_open(struct facts_reader *r, struct slice entry, struct facts_head *head,
               struct err *err);
/* 1: a fact; 0: the end; ERR_CORRUPT. */
int facts_next(struct facts_reader *r, struct fact *out);
void facts_reader_free(struct facts_reader *r);

#endif
