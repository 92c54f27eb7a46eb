#include "api/internal.h"

#include <stdio.h>

static void put_node(struct json_writer *w, const struct view_node *n)
{
    char kafka[300];
    snprintf(kafka, sizeof kafka, "%.*s:%d", (int)(n->kafka_host.n > 255 ? 255 : n->kafka_host.n),
             (const char *)n->kafka_host.p, n->kafka_port);
    json_begin_object(w);
    json_name(w, "id");
    json_put_int(w, n->id);
    json_name(w, "kafka");
    json_put_cstr(w, kafka);
    json_name(w, "admin");
    json_put_string(w, n->admin_url);
    json_name(w, "rack");
    if (n->rack.n)
        json_put_string(w, n->rack);
    else
        json_put_null(w);
    json_name(w, "role");
    json_put_string(w, n->role);
    json_name(w, "state");
    json_put_string(w, n->state);
    json_name(w, "broker_epoch");
    json_put_int(w, (int64_t)n->broker_epoch);
    json_end_object(w);
}

void api_list_nodes(struct api_ctx *x)
{
    struct json_writer w;
    api_json(x, 200, &w);
    json_begin_object(&w);
    json_name(&w, "items");
    json_begin_array(&w);
    for (size_t i = 0; i < x->view->nodes_n; i++)
        put_node(&w, &x->view->node[i]);
    json_end_array(&w);
    json_name(&w, "next");
    json_put_null(&w);
    json_end_object(&w);
}

void api_get_node(struct api_ctx *x)
{
    int64_t id = 0;
    for (size_t i = 0; i < x->param[0].n && id >= 0 && id < INT32_MAX; i++) {
        uint8_t c = x->param[0].p[i];
        id = c >= '0' && c <= '9' ? id * 10 + (c - '0') : -1;
    }
    const struct view_node *n =
        id >= 0 && id <= INT32_MAX ? view_node_by_id(x->view, (int32_t)id) : NULL;
    if (!n) {
        api_problem(x, 404, "node.unknown", "there is no node with this id");
        return;
    }
    struct json_writer w;
    api_json(x, 200, &w);
    put_node(&w, n);
}
