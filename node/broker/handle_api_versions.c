/* ApiVersions (18): what is served. An unknown version is answered in version 0 with error 35 and
 * the list, so that the client can choose again (KIP-511). */
#include "broker/state.h"

#include <stdio.h>

/* The level of metadata.version that Kafka 3.9 finalizes. kafka-ui looks for it to use incremental
 * configs; transaction.version and share.version are left out on purpose. */
enum { METADATA_VERSION_LEVEL = 21 };

static void api_versions_list(struct request_row *row, struct wire_api_versions_response *resp)
{
    resp->api_keys = arena_alloc(&row->arena, broker_handlers_n * sizeof *resp->api_keys);
    resp->api_keys_n = (int32_t)broker_handlers_n;
    for (size_t i = 0; i < broker_handlers_n; i++) {
        const struct wire_api *api = wire_api_find(broker_handlers[i]->api_key);
        resp->api_keys[i] = wire_api_versions_response_api_default;
        resp->api_keys[i].api_key = api->key;
        resp->api_keys[i].min_version = api->first;
        resp->api_keys[i].max_version = api->last;
    }
}

void api_versions_answer_unknown(struct broker *b, struct request_row *row)
{
    struct wire_api_versions_response resp = wire_api_versions_response_default;
    resp.error_code = WIRE_E_UNSUPPORTED_VERSION;
    api_versions_list(row, &resp);
    row->header.api_version = 0;
    row_answer(b, row, &resp);
}

static void api_versions_remember(struct conn *c, const struct wire_api_versions_request *req)
{
    enum { MAX = BROKER_SOFTWARE_NAME_MAX };
    int name = req->client_software_name.n < MAX ? (int)req->client_software_name.n : MAX;
    int version = req->client_software_version.n < MAX ? (int)req->client_software_version.n : MAX;
    if (name)
        snprintf(c->software, sizeof c->software, "%.*s/%.*s", name,
                 (const char *)req->client_software_name.p, version,
                 (const char *)req->client_software_version.p);
}

static void api_versions_begin(struct broker *b, struct request_row *row)
{
    struct wire_api_versions_response resp = wire_api_versions_response_default;
    struct wire_api_versions_response_supported_feature supported =
        wire_api_versions_response_supported_feature_default;
    struct wire_api_versions_response_finalized_feature finalized =
        wire_api_versions_response_finalized_feature_default;
    if (row->conn)
        api_versions_remember(row->conn, row->request);
    api_versions_list(row, &resp);
    supported.name = finalized.name = SLICE_LIT("metadata.version");
    supported.min_version = finalized.min_version_level = 1;
    supported.max_version = finalized.max_version_level = METADATA_VERSION_LEVEL;
    resp.supported_features = &supported;
    resp.supported_features_n = 1;
    resp.finalized_features = &finalized;
    resp.finalized_features_n = 1;
    resp.finalized_features_epoch = 0;
    row_answer(b, row, &resp);
}

const struct handler handler_api_versions = {
    .api_key = WIRE_API_VERSIONS,
    .begin = api_versions_begin,
};
