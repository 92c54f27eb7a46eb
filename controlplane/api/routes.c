/* The route table: what is served, who may ask, and what /openapi.json says of it. */
#include "api/internal.h"

#define LIST_QUERY   "limit cursor"
#define LEDGER_QUERY "limit cursor order since until code principal key_id correlation_id"

/* clang-format off */
static const struct api_route routes[] = {
    {"GET", "/healthz", api_healthz, API_OPEN, "getHealth", "node", "Is the process alive?", NULL, NULL, "Health", 200, false},
    {"GET", "/readyz", api_readyz, API_OPEN, "getReadiness", "node", "Can this node serve now, and if not, why?", NULL, NULL, "Readiness", 200, false},
    {"GET", "/metrics", api_get_metrics, API_OPEN, "getMetrics", "node", "Metrics in Prometheus' text format", NULL, NULL, NULL, 200, false},
    {"GET", "/openapi.json", api_openapi, API_OPEN, "getOpenApi", "node", "This document", NULL, NULL, "OpenApi", 200, false},
    {"GET", "/v1/status", api_get_status, API_TOKEN, "getStatus", "node", "The node's own state", NULL, NULL, "Status", 200, false},

    {"GET", "/v1/topics", api_list_topics, API_TOKEN, "listTopics", "topics", "Topics and their contracts", LIST_QUERY " prefix team mode", NULL, "TopicList", 200, false},
    {"GET", "/v1/topics/{name}", api_get_topic, API_TOKEN, "getTopic", "topics", "One topic and its contract", NULL, NULL, "Topic", 200, false},
    {"PUT", "/v1/topics/{name}", api_put_topic, API_TOKEN, "putTopic", "topics", "Register a contract, or change it", NULL, "TopicDocument", "Topic", 200, true},
    {"DELETE", "/v1/topics/{name}", api_delete_topic, API_TOKEN, "deleteTopic", "topics", "Delete a topic with its records", "accept", NULL, NULL, 204, true},
    {"GET", "/v1/topics/{name}/partitions", api_get_partitions, API_TOKEN, "listPartitions", "topics", "Leaders and replicas", NULL, NULL, "PartitionList", 200, false},
    {"GET", "/v1/topics/{name}/offsets", api_get_offsets, API_TOKEN, "listOffsets", "topics", "First and next offset and size of each partition", NULL, NULL, "OffsetList", 200, false},
    {"GET", "/v1/topics/{name}/rejections", api_get_topic_rejections, API_TOKEN, "listTopicRejections", "topics", "Refused records of one topic", LEDGER_QUERY, NULL, "RejectionList", 200, false},
    {"GET", "/v1/topics/{name}/history", api_get_history, API_TOKEN, "listTopicHistory", "topics", "Earlier contracts, newest first", NULL, NULL, "HistoryList", 200, false},
    {"POST", "/v1/topics/{name}/explain", api_explain, API_TOKEN, "explainRecord", "topics", "Run a record through the contract, writing nothing", NULL, "ExplainRequest", "Explanation", 200, false},

    {"GET", "/v1/teams", api_list_teams, API_TOKEN, "listTeams", "teams", "Teams", LIST_QUERY " prefix", NULL, "DocumentList", 200, false},
    {"GET", "/v1/teams/{name}", api_get_team, API_TOKEN, "getTeam", "teams", "One team", NULL, NULL, "Document", 200, false},
    {"PUT", "/v1/teams/{name}", api_put_team, API_TOKEN, "putTeam", "teams", "Create or change a team", NULL, "TeamDocument", "Document", 200, true},
    {"DELETE", "/v1/teams/{name}", api_delete_team, API_TOKEN, "deleteTeam", "teams", "Delete a team that owns nothing", "accept", NULL, NULL, 204, true},

    {"GET", "/v1/producers", api_list_producers, API_TOKEN, "listProducers", "producers", "Producers", LIST_QUERY " prefix", NULL, "DocumentList", 200, false},
    {"GET", "/v1/producers/{name}", api_get_producer, API_TOKEN, "getProducer", "producers", "One producer", NULL, NULL, "Document", 200, false},
    {"PUT", "/v1/producers/{name}", api_put_producer, API_TOKEN, "putProducer", "producers", "Create or change a producer and its grants", NULL, "ProducerDocument", "Document", 200, true},
    {"DELETE", "/v1/producers/{name}", api_delete_producer, API_TOKEN, "deleteProducer", "producers", "Delete a producer", "accept", NULL, NULL, 204, true},
    {"GET", "/v1/producers/{name}/keys", api_list_keys, API_TOKEN, "listKeys", "producers", "A producer's public keys", NULL, NULL, "KeyList", 200, false},
    {"POST", "/v1/producers/{name}/keys", api_add_key, API_TOKEN, "addKey", "producers", "Add a public key", NULL, "KeyRequest", "Key", 201, true},
    {"GET", "/v1/producers/{name}/keys/{id}", api_get_key, API_TOKEN, "getKey", "producers", "One public key", NULL, NULL, "Key", 200, false},
    {"POST", "/v1/producers/{name}/keys/{id}/revoke", api_revoke_key, API_TOKEN, "revokeKey", "producers", "Revoke a key: in force everywhere when this answers", NULL, "RevokeRequest", "Key", 200, true},

    {"GET", "/v1/policies", api_list_policies, API_TOKEN, "listPolicies", "policies", "Policies", LIST_QUERY " prefix", NULL, "DocumentList", 200, false},
    {"GET", "/v1/policies/{name}", api_get_policy, API_TOKEN, "getPolicy", "policies", "One policy", NULL, NULL, "Document", 200, false},
    {"PUT", "/v1/policies/{name}", api_put_policy, API_TOKEN, "putPolicy", "policies", "Create or change a policy", NULL, "PolicyDocument", "Document", 200, true},
    {"DELETE", "/v1/policies/{name}", api_delete_policy, API_TOKEN, "deletePolicy", "policies", "Delete a policy", "accept", NULL, NULL, 204, true},

    {"POST", "/v1/plan", api_plan, API_TOKEN, "planChange", "changes", "What would applying these documents do?", NULL, "ChangeRequest", "Plan", 200, false},
    {"POST", "/v1/apply", api_apply, API_TOKEN, "applyChange", "changes", "Apply documents as one change, or nothing", NULL, "ChangeRequest", "Plan", 200, true},
    {"POST", "/v1/schemas/validate", api_validate_schema, API_TOKEN, "validatePayload", "schemas", "A payload against a schema that need not be registered", NULL, "ValidateRequest", "Validation", 200, false},

    {"GET", "/v1/nodes", api_list_nodes, API_TOKEN, "listNodes", "nodes", "The cluster's nodes", NULL, NULL, "NodeList", 200, false},
    {"GET", "/v1/nodes/{id}", api_get_node, API_TOKEN, "getNode", "nodes", "One node", NULL, NULL, "Node", 200, false},

    {"GET", "/v1/rejections", api_list_rejections, API_TOKEN, "listRejections", "audit", "Refused records, newest first", LEDGER_QUERY " topic", NULL, "RejectionList", 200, false},
    {"GET", "/v1/audit", api_list_audit, API_TOKEN, "listAudit", "audit", "Changes of the catalogue, newest first", "limit cursor order since until principal action target correlation_id", NULL, "AuditList", 200, false},
    {"GET", "/v1/audit/verify", api_verify_audit, API_TOKEN, "verifyAudit", "audit", "Check the hash chain of the audit log", NULL, NULL, "AuditVerification", 200, false},
    {"GET", "/v1/catalogue", api_get_catalogue, API_TOKEN, "getCatalogue", "changes", "The whole catalogue as documents that apply accepts", NULL, NULL, "Catalogue", 200, false},
};
/* clang-format on */

const struct api_route *api_routes(size_t *n)
{
    *n = sizeof routes / sizeof routes[0];
    return routes;
}
