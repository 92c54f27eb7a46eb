/* Two catalogues that follow one log: whatever a test does is decided on the first and applied to
 * both, with every promise of catalogue.h checked on the way. */
#ifndef TEST_CATALOGUE_HELP_H
#define TEST_CATALOGUE_HELP_H

#include "catalogue/catalogue.h"

struct world {
    struct catalogue *a, *b;
    uint64_t index;
    int64_t now_ms;
    uint64_t random;         /* state of a small generator */
    struct audit_head audit; /* of the chain as an auditor follows it */
    char audit_line[2000];   /* the last one, cut */
    struct bytes *entry;     /* the log; owned */
    size_t entries_n, entries_cap;
    bool check; /* invariants after each step; default true */
};

void world_open(struct world *w); /* bootstrapped, governed, one node */
void world_open_empty(struct world *w);
void world_close(struct world *w);
uint64_t world_random(struct world *w);

/* Takes the request. The result is for the caller to free. */
struct result world_do(struct world *w, struct request *r);
struct request *world_request(struct world *w, enum request_kind kind);
/* documents: a JSON array. */
struct request *world_documents(struct world *w, const char *documents);
struct result world_apply(struct world *w, const char *documents);
/* Applies, expects success and whether anything changed. */
void world_must(struct world *w, const char *documents, bool changed);
/* Expects one violation of this code at this pointer. */
void world_refused(struct world *w, const char *documents, const char *code, const char *pointer);
void world_node(struct world *w, int32_t id);
struct result world_delete(struct world *w, enum document_kind kind, const char *name,
                           const char *accept);
/* base64url of the n-th test key. */
const char *world_key(unsigned n, char out[64]);
void world_key_bytes(unsigned n, uint8_t out[32]);
/* Reports that every partition of the topic holds so many records of 100 bytes. */
void world_report(struct world *w, const char *topic, int64_t records);

struct slice request_text(struct request *r, const char *s);

#define TEAM(name) "{\"kind\":\"Team\",\"name\":\"" name "\"}"
#define BYTES_TOPIC(name, more)                                                                    \
    "{\"kind\":\"Topic\",\"name\":\"" name                                                         \
    "\",\"team\":\"t\",\"value\":{\"format\":\"bytes\"}" more "}"
#define JSON_TOPIC(name, schema, more)                                                             \
    "{\"kind\":\"Topic\",\"name\":\"" name                                                         \
    "\",\"team\":\"t\",\"value\":{\"format\":\"json\",\"schema\":" schema "}" more "}"

#endif
