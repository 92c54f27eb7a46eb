/* The documents of contract.md as structs: parsing with exact reasons, and printing back.
 * Parsing is strict: an unknown field is an error that names the nearest known one, and a field or
 * value whose behaviour is not built yet is refused by name. A parsed document is immutable; its
 * strings live in its own arena. */
#ifndef POLICY_CONTRACT_H
#define POLICY_CONTRACT_H

#include "base/arena.h"
#include "base/json.h"
#include "schema/schema.h"

enum document_kind { DOCUMENT_TOPIC, DOCUMENT_TEAM, DOCUMENT_PRODUCER, DOCUMENT_POLICY };
enum contract_event { CONTRACT_EVENT, CONTRACT_COMMAND, CONTRACT_CHANGE };
enum contract_mode { MODE_ENFORCE, MODE_QUARANTINE, MODE_SHADOW, MODE_OFF };
enum contract_framing { FRAMING_NONE, FRAMING_CONFLUENT, FRAMING_HEADER };
enum contract_cleanup { CLEANUP_DELETE, CLEANUP_COMPACT, CLEANUP_COMPACT_DELETE };
enum contract_key_format { KEY_ANY, KEY_STRING, KEY_BYTES };
enum contract_flush { FLUSH_SYNC, FLUSH_REPLICATED };

struct name_list {
    struct slice *item;
    size_t n;
};

/* Defaults stand in policy/contract.c's field table, from which docs/contracts.md is generated. */
struct contract {
    struct slice name;
    struct slice team;
    struct slice description;
    enum contract_event event;
    struct slice type;
    struct {
        enum schema_format format;
        struct slice schema_text; /* empty for bytes */
        bool check_formats;       /* value.formats: assert */
        enum contract_framing framing;
        struct slice compatibility; /* "NONE" only, for now */
        struct name_list examples;  /* texts, each must be valid */
    } value;
    struct {
        enum contract_key_format format;
        bool required;
    } key;
    struct name_list headers_required;
    struct {
        bool required;
        int64_t window_ms;        /* default 2 min */
        struct name_list headers; /* names that the signature must cover */
    } signing;
    struct {
        int64_t time_ms;    /* -1: forever */
        int64_t size_bytes; /* -1: unlimited */
        enum contract_cleanup cleanup;
    } retention;
    int32_t partitions;
    int32_t replicas;
    int32_t min_insync_replicas;
    int64_t record_limit_bytes;
    enum contract_flush flush;
    enum contract_mode mode;
    struct name_list tag_names, tag_values; /* parallel */
};

struct team {
    struct slice name, description, contact;
    struct name_list members; /* principals */
};

enum key_state { KEY_ACTIVE, KEY_REVOKED };

struct producer_key {
    struct slice id; /* unique within the producer; the signature's kid is "<producer>/<id>" */
    uint8_t public_key[32];
    enum key_state state;
    int64_t not_before_ms; /* 0: none */
    int64_t not_after_ms;  /* 0: none */
    int64_t revoked_at_ms;
    struct slice reason;
};

struct producer {
    struct slice name, team, description;
    struct producer_key *key;
    size_t keys_n;
    struct name_list topics;     /* exact names, or prefixes ending in '*' */
    struct name_list principals; /* who may write unsigned as this producer */
};

struct policy {
    struct slice name;
    struct slice prefix; /* of topic names; "" is the root */
    bool governance_off; /* governance: off for this prefix; counts only with governance_set */
    bool governance_set; /* false: the next shorter prefix decides, last the cluster's switch */
    /* Unset: NULL slice, empty list, or -1, and the next shorter prefix decides. */
    struct slice naming_pattern;
    struct name_list required_fields; /* JSON pointers into the contract document */
    struct name_list allowed_formats;
    int64_t retention_min_ms, retention_max_ms;
    int32_t replicas_min;
    int32_t signing_required; /* -1 unset, 0, 1 */
    struct name_list modes_allowed;
    int64_t record_limit_max_bytes;
};

struct document {
    enum document_kind kind;
    struct slice name;
    struct arena arena; /* owns every slice below */
    union {
        struct contract topic;
        struct team team;
        struct producer producer;
        struct policy policy;
    };
};

/* One reason why a document is refused. pointer is a JSON Pointer into the document. */
struct document_error {
    char code[48]; /* "field.unknown", "value.invalid", "not-built", "policy.naming", ... */
    char pointer[160];
    char detail[320];
};

struct document_errors {
    struct document_error *item; /* owned */
    size_t n, cap;
};
void document_errors_add(struct document_errors *es, const char *code, const char *pointer,
                         const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void document_errors_free(struct document_errors *es);

/* node is the document's object in doc. Returns a new document (document_free) or NULL with at
 * least one error. */
struct document *document_parse(const struct json_doc *doc, uint32_t node,
                                struct document_errors *errors);
void document_free(struct document *d);
/* The document as JSON with every field, in the order of the field table, defaults included; equal
 * documents give equal bytes, so comparing texts is comparing documents. */
void document_write(const struct document *d, struct bytes *out);
/* Field by field: appends one entry per difference to a JSON array being written:
 * {"pointer": "/retention/time", "old": ..., "new": ...}. */
void document_diff(const struct document *old, const struct document *now, struct json_writer *w);

const char *document_kind_name(enum document_kind k); /* "Topic" */
bool document_kind_parse(struct slice name, enum document_kind *out);

/* Compiles a Topic's value schema and judges its examples by it. 0 and one reference in *out (NULL
 * for format bytes and for other kinds), or ERR_INVALID with at least one error at /value/schema or
 * /value/examples/<i>. Costly: run it on a worker. */
int document_compile(const struct document *d, struct schema **out, struct document_errors *errors);

#endif
