/* DescribeCluster (60). */
#include "broker/state.h"

enum { ENDPOINT_BROKERS = 1 };

static void describe_cluster_begin(struct broker *b, struct request_row *row)
{
    const struct wire_describe_cluster_request *req = row->request;
    struct wire_describe_cluster_response resp = wire_describe_cluster_response_default;
    struct node_address *node;
    if (req->endpoint_type != ENDPOINT_BROKERS) {
        resp.error_code = WIRE_E_UNSUPPORTED_ENDPOINT_TYPE;
        resp.error_message = SLICE_LIT("this listener serves brokers, not controllers");
        row_answer(b, row, &resp);
        return;
    }
    resp.brokers_n = (int32_t)nodes_alive(b, &row->arena, &node);
    resp.brokers = arena_alloc(&row->arena, (size_t)resp.brokers_n * sizeof *resp.brokers);
    for (int32_t i = 0; i < resp.brokers_n; i++) {
        resp.brokers[i] = wire_describe_cluster_response_broker_default;
        resp.brokers[i].broker_id = node[i].id;
        resp.brokers[i].host = node[i].host;
        resp.brokers[i].port = node[i].port;
        resp.brokers[i].rack = node[i].rack;
    }
    resp.cluster_id = b->view->cluster_id;
    resp.controller_id = b->view->controller;
    row_answer(b, row, &resp);
}

const struct handler handler_describe_cluster = {
    .api_key = WIRE_DESCRIBE_CLUSTER,
    .begin = describe_cluster_begin,
};
