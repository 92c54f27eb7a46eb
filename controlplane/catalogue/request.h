/* A request to the catalogue, from the broker (CreateTopics, producer ids) or the API (apply), and
 * its result. Requests cross threads: each is one owned object that the catalogue answers once. */
#ifndef CATALOGUE_REQUEST_H
#define CATALOGUE_REQUEST_H

#include "base/bytes.h"
#include "catalogue/view.h"
#include "policy/contract.h"

enum request_kind {
    REQUEST_APPLY,  /* documents: plan or apply */
    REQUEST_DELETE, /* one resource by kind and name */
    REQUEST_KEY_ADD,
    REQUEST_KEY_REVOKE,
    REQUEST_TOPIC_CREATE,   /* Kafka CreateTopics or auto-creation: ungoverned topics */
    REQUEST_TOPIC_DELETE,   /* Kafka DeleteTopics */
    REQUEST_PARTITIONS_ADD, /* Kafka CreatePartitions */
    REQUEST_CONFIG_SET,     /* Kafka (Incremental)AlterConfigs of an ungoverned topic */
    REQUEST_PRODUCER_IDS,   /* a block of producer ids for this node */
    REQUEST_NODE_REGISTER,  /* this node's addresses and incarnation, at start */
    REQUEST_BOOTSTRAP,      /* first start of the cluster: cluster id, governance default */
};

/* A document with what the API worker prepared on its own thread. */
struct request_document {
    struct document *document; /* owned */
    struct schema *schema;     /* owned reference; compiled value schema of a Topic, or NULL */
    struct request_prepared *prepared; /* owned; by request_prepare, or NULL */
};

struct request {
    enum request_kind kind;
    uint64_t id;                  /* the sender's; comes back in the result */
    struct slice principal;       /* who asks; owned by arena */
    struct slice correlation_id;  /* owned by arena */
    struct slice idempotency_key; /* may be NULL */
    int64_t now_ms;
    uint8_t random[64];  /* entropy from the shell: ids are made of it (decide is pure) */
    bool dry_run;        /* plan: same computation, nothing written */
    uint64_t if_version; /* 0: any; else the catalogue version must be this (apply) */
    /* 0: any; UINT64_MAX: must not exist (If-None-Match: *); else the version (view.h) of the one
     * resource that the request is about: a DELETE, KEY_*, CONFIG_SET, or an APPLY of one document.
     */
    uint64_t if_resource_version;
    /* true: the principal may change only what belongs to a team that it is a member of. false: an
     * operator (the cluster's bearer token). */
    bool owner_checked;

    struct request_document *documents; /* REQUEST_APPLY; owned */
    size_t documents_n;
    bool prune; /* with scope: names the prefix that is pruned */
    struct slice prune_scope;
    struct name_list accept; /* guards overridden by name: "loses-records", ... */

    enum document_kind target_kind; /* REQUEST_DELETE */
    struct slice name;              /* topic, producer, ... */
    struct producer_key key;        /* REQUEST_KEY_ADD, and key.id + key.reason for REVOKE */
    int32_t partitions;             /* TOPIC_CREATE, PARTITIONS_ADD (the new total) */
    int32_t replicas;
    const struct view_config *config; /* TOPIC_CREATE, CONFIG_SET: value NULL deletes */
    size_t config_n;
    bool replace_configs;  /* AlterConfigs: what is not named is reset */
    int32_t count;         /* PRODUCER_IDS */
    struct view_node node; /* NODE_REGISTER */
    bool governance_off;   /* BOOTSTRAP */

    struct arena arena; /* owns every slice and array above */
};

struct request *request_new(enum request_kind kind);
/* Does for the documents, on the thread that calls it, what decide would else do on the control
 * thread: canonical texts, digests, compression. For the API's worker, before it sends the request.
 */
void request_prepare(struct request *r);
void request_free(struct request *r);

struct result {
    uint64_t request_id;
    enum err_code code; /* ERR_OK, ERR_INVALID (violations), ERR_CONFLICT, ERR_NOT_FOUND, ... */
    char reason[48];    /* stable code for the API and Kafka: "topic.exists", "if-version", ...;
                         * "state.moved": decide again (the table: docs/internals/catalogue.md) */
    char message[512];
    uint64_t version;  /* catalogue version after (or of) the decision */
    bool changed;      /* false: nothing had to be done */
    struct bytes body; /* JSON: the plan (docs/internals/catalogue.md); owned; may be empty */
    struct document_errors violations; /* owned; pointer starts with /documents/<i> */
    int64_t first_producer_id;
    struct topic_id topic_id;
};

void result_free(struct result *r);

#endif
