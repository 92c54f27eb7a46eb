/* What the files of the api room share: one call in progress, the route table's row, the answers.
 */
#ifndef API_INTERNAL_H
#define API_INTERNAL_H

#include "api/api.h"

#include "base/json.h"

enum {
    API_PARAMS_MAX = 2,
    API_PAGE_DEFAULT = 100,
    API_PAGE_MAX = 1000,
    API_DOCUMENTS_MAX = 2000,
    API_PROBLEMS_MAX = 64, /* of one validated payload */
};

struct api {
    struct api_config config;
    struct schema_scratch *schema_scratch;
    struct judge_scratch *judge_scratch;
};

struct api_ctx;
typedef void (*api_handler)(struct api_ctx *x);

enum api_access { API_OPEN, API_TOKEN };

/* One row of the route table, from which requests are dispatched and /openapi.json is made. */
struct api_route {
    const char *method;
    const char *path; /* "/v1/topics/{name}" */
    api_handler handle;
    enum api_access access;
    const char *operation; /* operationId */
    const char *tag;
    const char *summary;
    const char *query;    /* space-separated parameter names (components.json), or NULL */
    const char *request;  /* component schema of the body, or NULL */
    const char *response; /* component schema of the answer, or NULL: no JSON body */
    int status;           /* of success */
    bool conditional;     /* takes If-Match / If-None-Match and Idempotency-Key */
};
const struct api_route *api_routes(size_t *n);

/* A call while it is handled. Lives on the stack; pending calls keep what they need themselves. */
struct api_ctx {
    struct api *api;
    const struct view *view;
    const struct api_call *call;
    const struct api_route *route;
    struct slice param[API_PARAMS_MAX];
    struct slice principal;
    struct api_response *resp;   /* the answer being made */
    struct api_outcome *outcome; /* NULL while a pending call is continued */
    struct arena *arena;
};

typedef void (*api_result_fn)(struct api_ctx *x, struct api_pending *p, const struct result *r);
typedef void (*api_reply_fn)(struct api_ctx *x, struct api_pending *p, const struct api_reply *r);

struct api_pending {
    struct arena arena; /* owns what the question and the continuation need */
    const struct api_route *route;
    struct slice correlation_id, principal, name, item;
    enum document_kind kind;
    bool created_expected;
    api_result_fn on_result;
    api_reply_fn on_reply;
    struct api_question question;
};

/* ---- answer.c ---- */
void api_json(struct api_ctx *x, int status, struct json_writer *w); /* begins a JSON body */
void api_field(struct api_ctx *x, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* RFC 9457. code is ours, stable; detail says what to do next. */
void api_problem(struct api_ctx *x, int status, const char *code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void api_problem_list(struct api_ctx *x, int status, const char *code, const char *detail,
                      const struct document_errors *errors);
void api_problem_result(struct api_ctx *x, const struct result *r);
int api_status_of(enum err_code code, const char *reason);

/* ---- helpers of api.c ---- */
struct slice api_header(const struct api_call *call, const char *lower_name);
/* Query parameter as text in the arena; SLICE_NULL when absent. */
struct slice api_query(struct api_ctx *x, const char *name);
/* limit and cursor; answers 400 and returns false when they make no sense. */
bool api_page(struct api_ctx *x, int32_t *limit, struct slice *cursor);
/* Parses the body as one JSON object; answers 400 and returns false otherwise. */
bool api_body(struct api_ctx *x, struct json_doc *doc);
/* Refuses members that the operation does not know, naming the nearest one. */
bool api_known_members(struct api_ctx *x, const struct json_doc *doc, uint32_t object,
                       const char *const *names, size_t n);
/* If-Match / If-None-Match -> request->if_resource_version; false: answered 400. */
bool api_condition(struct api_ctx *x, struct request *r);
struct request *api_request_new(struct api_ctx *x, enum request_kind kind);
struct api_pending *api_pending_new(struct api_ctx *x);
void api_ask_catalogue(struct api_ctx *x, struct request *r, struct api_pending *p);
void api_ask(struct api_ctx *x, struct api_pending *p);

/* ---- document.c ---- */
/* Parses, compiles the schema and checks the examples of one document; errors' pointers get
 * `prefix` in front. False when it is refused. */
bool api_prepare_document(struct api_ctx *x, const struct json_doc *doc, uint32_t node,
                          const char *prefix, struct request_document *out,
                          struct document_errors *errors);
void api_write_document(struct json_writer *w, const struct view_document *d);

/* ---- handlers, one file per resource ---- */
void api_list_topics(struct api_ctx *x);
void api_get_topic(struct api_ctx *x);
void api_put_topic(struct api_ctx *x);
void api_delete_topic(struct api_ctx *x);
void api_get_partitions(struct api_ctx *x);
void api_get_offsets(struct api_ctx *x);
void api_get_topic_rejections(struct api_ctx *x);
void api_get_history(struct api_ctx *x);
void api_explain(struct api_ctx *x);
void api_list_teams(struct api_ctx *x);
void api_get_team(struct api_ctx *x);
void api_put_team(struct api_ctx *x);
void api_delete_team(struct api_ctx *x);
void api_list_producers(struct api_ctx *x);
void api_get_producer(struct api_ctx *x);
void api_put_producer(struct api_ctx *x);
void api_delete_producer(struct api_ctx *x);
void api_list_policies(struct api_ctx *x);
void api_get_policy(struct api_ctx *x);
void api_put_policy(struct api_ctx *x);
void api_delete_policy(struct api_ctx *x);
void api_list_keys(struct api_ctx *x);
void api_get_key(struct api_ctx *x);
void api_add_key(struct api_ctx *x);
void api_revoke_key(struct api_ctx *x);
void api_plan(struct api_ctx *x);
void api_apply(struct api_ctx *x);
void api_validate_schema(struct api_ctx *x);
void api_list_nodes(struct api_ctx *x);
void api_get_node(struct api_ctx *x);
void api_list_rejections(struct api_ctx *x);
void api_list_audit(struct api_ctx *x);
void api_verify_audit(struct api_ctx *x);
void api_get_catalogue(struct api_ctx *x);
void api_get_status(struct api_ctx *x);
void api_get_metrics(struct api_ctx *x);
void api_healthz(struct api_ctx *x);
void api_readyz(struct api_ctx *x);
void api_openapi(struct api_ctx *x);

/* Shared by the document resources (document.c). */
void api_put_document(struct api_ctx *x, enum document_kind kind);
void api_delete_document(struct api_ctx *x, enum document_kind kind);
void api_list_documents(struct api_ctx *x, enum document_kind kind);
void api_get_document(struct api_ctx *x, enum document_kind kind);
void api_write_topic(struct json_writer *w, const struct view_topic *t);
/* The resource as it now stands in the view, with its ETag; 404 when it does not. */
void api_answer_resource(struct api_ctx *x, enum document_kind kind, struct slice name, int status);

#endif
