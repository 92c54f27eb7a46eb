/* The admin HTTP resources (contract.md section 4), pure: a call and the view in; out comes an
 * answer, a catalogue request, or a question to the shell. A call that is not answered at once is
 * continued with api_result or api_reply. Runs on the API worker thread. */
#ifndef API_API_H
#define API_API_H

#include "catalogue/catalogue.h"

struct api_field {
    struct slice name; /* lower case */
    struct slice value;
};

struct api_call {
    struct slice method, path, query, body;
    const struct api_field *field;
    size_t fields_n;
    struct slice correlation_id; /* of X-Request-Id / traceparent, or made by the shell */
    int64_t now_ms;
    uint8_t random[64];
};

struct api_response {
    int status;
    const char *content_type;
    struct bytes body; /* owned */
    struct {
        const char *name; /* static */
        char value[160];
    } field[6];
    size_t fields_n;
};
void api_response_free(struct api_response *r);

/* Things that only the running node knows. The shell fills the reply's JSON. */
enum api_question_kind {
    API_ASK_REJECTIONS, /* the ledger */
    API_ASK_AUDIT,      /* the audit file */
    API_ASK_AUDIT_VERIFY,
    API_ASK_OFFSETS, /* of one topic: start, end, size per partition */
    API_ASK_STATUS,  /* the node's own status */
    API_ASK_METRICS, /* Prometheus text */
    API_ASK_READY,   /* reasons why not; empty: ready */
    API_ASK_EXPORT,  /* catalogue_export */
    API_ASK_HISTORY, /* catalogue_topic_history */
    API_ASK_DIGEST,
};

struct api_question {
    enum api_question_kind kind;
    struct slice topic;
    struct slice code, principal, key_id, correlation_id, action, target; /* filters; NULL: any */
    int64_t since_ms, until_ms;                                           /* 0: open */
    int64_t after; /* cursor: entries with a larger sequence number (newest first: smaller) */
    bool ascending;
    int32_t limit;
};

/* JSON items, one object each, without the surrounding array for list questions; for the others one
 * whole JSON value or text. */
struct api_reply {
    enum err_code code;
    char message[256];
    struct bytes body; /* owned by the caller */
    int64_t next;      /* cursor of the next page, -1: none */
};

enum api_next { API_ANSWERED, API_CATALOGUE, API_QUESTION };

struct api_pending; /* opaque: what a call waits for */

struct api_outcome {
    enum api_next next;
    struct api_response response; /* API_ANSWERED */
    struct request *request;      /* API_CATALOGUE: taken by the caller */
    struct api_question question; /* API_QUESTION: borrows from pending */
    struct api_pending *pending;  /* with the last two: give it to api_result / api_reply */
};

/* Process-wide facts of the API: the token's digest, the node's id, the schema cache. */
struct api;
struct api_config {
    uint8_t token_sha256[32]; /* bearer token; compared in constant time */
    bool token_required;
    int32_t node_id;
};
struct api *api_new(const struct api_config *config);
void api_free(struct api *a);

void api_call(struct api *a, const struct view *view, const struct api_call *call,
              struct api_outcome *out);
/* Continue and free the pending call; *out is its answer. */
void api_result(struct api *a, const struct view *view, struct api_pending *p,
                const struct result *result, struct api_response *out);
void api_reply(struct api *a, const struct view *view, struct api_pending *p,
               const struct api_reply *reply, struct api_response *out);

#endif
