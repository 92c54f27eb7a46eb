/* The read-only view of the catalogue that the broker and the API work with. Immutable once
 * published; reference-counted (atomic), so any thread may hold one. Parts that a change does not
 * touch are shared between views (each leaf has its own count). */
#ifndef CATALOGUE_VIEW_H
#define CATALOGUE_VIEW_H

#include "base/map.h"
#include "base/slice.h"
#include "policy/contract.h"
#include "policy/policy.h"
#include "schema/schema.h"

struct topic_id {
    uint8_t bytes[16];
};

struct view_partition {
    int32_t leader; /* node id, -1: none */
    int32_t leader_epoch;
    int32_t partition_epoch;
    const int32_t *replicas;
    int32_t replicas_n;
    const int32_t *isr;
    int32_t isr_n;
};

/* A Kafka-side setting of an ungoverned topic ("retention.ms" -> "60000"). */
struct view_config {
    struct slice name, value;
};

struct view_topic {
    struct slice name;
    struct topic_id id;
    uint64_t version; /* of this contract or topic: 1, 2, ...; goes on over re-creation */
    bool governed;    /* a contract that is enforced: mode is not off, nor is governance here */
    bool internal;
    const struct contract *contract; /* NULL when it has none; set also where mode is off */
    const struct document *document; /* the contract's document; NULL when ungoverned */
    int64_t updated_ms;              /* time of the change that made this version */
    struct schema *schema;           /* the compiled value schema; NULL when ungoverned or bytes */
    int32_t schema_id;
    const struct view_partition *partition;
    int32_t partitions_n;
    /* In force, whether from the contract or from Kafka configs. -1: unlimited. */
    int64_t retention_ms, retention_bytes, max_message_bytes, segment_bytes;
    int32_t min_insync_replicas;
    enum contract_cleanup cleanup;
    const struct view_config *config; /* set explicitly through Kafka */
    size_t config_n;
    /* Deleted: kept for a while so that the reason is topic.deleted. Not in view.topic; the
     * look-ups by name (when no topic of that name lives) and by id give it. Name, id, version and
     * updated_ms (when it was deleted) are set, the rest is zero. */
    bool deleted;
};

/* A team, producer or policy as the API shows it. */
struct view_document {
    enum document_kind kind;
    struct slice name;
    /* The API's ETag: rises with each change and never repeats, also over deletion and re-creation
     * (it is the catalogue version of the change). */
    uint64_t version;
    int64_t updated_ms;
    const struct document *document;
};

struct view_key {
    struct slice kid; /* "<producer>/<key id>" */
    const struct producer *producer;
    const struct producer_key *key;
};

struct view_node {
    int32_t id;
    struct slice kafka_host;
    int32_t kafka_port;
    struct slice admin_url;
    struct slice rack;
    struct slice role;  /* "voter", "standby", "observer" */
    struct slice state; /* "active", ... */
    uint64_t broker_epoch;
    uint64_t raft_id;
};

struct view {
    uint64_t version;        /* the catalogue's: rises by one with each applied change */
    struct slice cluster_id; /* 22 characters, base64url of 16 bytes */
    bool governance_off;     /* for the whole cluster */
    int32_t controller;      /* node id, -1 unknown */
    const struct view_topic *const *topic; /* sorted by name */
    size_t topics_n;
    const struct view_node *node; /* sorted by id */
    size_t nodes_n;
    const struct policy *const *policy;
    size_t policies_n;
    const struct view_document *const
        *document; /* teams, producers, policies; by kind, then name */
    size_t documents_n;
};

const struct view *view_ref(const struct view *v);
void view_unref(const struct view *v);

const struct view_topic *view_topic_by_name(const struct view *v, struct slice name);
const struct view_topic *view_topic_by_id(const struct view *v, const struct topic_id *id);
const struct view_key *view_key_by_id(const struct view *v, struct slice kid);
const struct view_document *view_document_by_name(const struct view *v, enum document_kind kind,
                                                  struct slice name); /* not DOCUMENT_TOPIC */
const struct view_node *view_node_by_id(const struct view *v, int32_t id);
/* Does the principal belong to a producer that is granted the topic? */
bool view_principal_may_write(const struct view *v, struct slice principal, struct slice topic);
bool view_producer_granted(const struct producer *p, struct slice topic);
/* May an ungoverned topic of this name exist (governance off for the cluster or the prefix)? */
bool view_name_ungoverned(const struct view *v, struct slice topic_name);

#endif
