/* DescribeConfigs (32): settings of topics and of this node, with their sources and synonyms. */
#include "broker/state.h"

enum { RESOURCE_TOPIC = 2, RESOURCE_BROKER = 4 };

static bool describe_wanted(const struct wire_describe_configs_request_resource *in,
                            const char *name)
{
    if (in->configuration_keys_n < 0)
        return true;
    for (int32_t i = 0; i < in->configuration_keys_n; i++)
        if (slice_eq_str(in->configuration_keys[i], name))
            return true;
    return false;
}

static void describe_synonym(struct wire_describe_configs_response_config *o, const char *name,
                             const char *value, enum config_source source)
{
    struct wire_describe_configs_response_synonym *s = &o->synonyms[o->synonyms_n++];
    *s = wire_describe_configs_response_synonym_default;
    s->name = slice_str(name);
    s->value = slice_str(value);
    s->source = (int8_t)source;
}

static void describe_entry(struct request_row *row, const struct config_entry *e, bool topic,
                           struct wire_describe_configs_response_config *o)
{
    const struct wire_describe_configs_request *req = row->request;
    enum config_source source = CONFIG_DEFAULT;
    if (e->set)
        source = topic ? CONFIG_OF_TOPIC : CONFIG_STATIC_BROKER;
    *o = wire_describe_configs_response_config_default;
    o->name = slice_str(e->name);
    o->value = slice_str(e->value);
    o->read_only = e->read_only;
    o->config_source = (int8_t)source;
    o->config_type = (int8_t)e->type;
    o->documentation = req->include_documentation ? slice_str(e->about) : SLICE_NULL;
    if (!req->include_synonyms)
        return;
    o->synonyms = arena_alloc(&row->arena, 2 * sizeof *o->synonyms);
    if (e->set)
        describe_synonym(o, e->name, e->value, source);
    if (topic && e->broker_name)
        describe_synonym(o, e->broker_name, e->fallback, CONFIG_DEFAULT);
    else if (!e->set)
        describe_synonym(o, e->name, e->value, CONFIG_DEFAULT);
}

static void describe_resource(struct broker *b, struct request_row *row,
                              const struct wire_describe_configs_request_resource *in,
                              const struct view_topic *t,
                              struct wire_describe_configs_response_result *o)
{
    size_t n = t ? config_topic_count() : config_broker_count();
    o->configs = arena_alloc(&row->arena, n * sizeof *o->configs);
    for (size_t i = 0; i < n; i++) {
        struct config_entry e =
            t ? config_topic_entry(b, t, i, &row->arena) : config_broker_entry(b, i, &row->arena);
        if (describe_wanted(in, e.name))
            describe_entry(row, &e, t != NULL, &o->configs[o->configs_n++]);
    }
}

static void describe_one(struct broker *b, struct request_row *row,
                         const struct wire_describe_configs_request_resource *in,
                         struct wire_describe_configs_response_result *o)
{
    *o = wire_describe_configs_response_result_default;
    o->error_message = SLICE_NULL;
    o->resource_type = in->resource_type;
    o->resource_name = in->resource_name;
    if (in->resource_type == RESOURCE_TOPIC) {
        const struct topic_row *t = topic_by_name(b, in->resource_name);
        if (t) {
            describe_resource(b, row, in, t->view, o);
            return;
        }
        o->error_code = WIRE_E_UNKNOWN_TOPIC_OR_PARTITION;
    } else if (in->resource_type == RESOURCE_BROKER) {
        const char *self = arena_printf(&row->arena, "%d", b->config.node_id);
        if (slice_eq_str(in->resource_name, self)) {
            describe_resource(b, row, in, NULL, o);
            return;
        }
        if (in->resource_name.n == 0)
            return; /* cluster-wide dynamic settings: there are none */
        o->error_code = WIRE_E_INVALID_REQUEST;
        o->error_message =
            slice_str(arena_printf(&row->arena, "this is node %s: ask node %.*s itself", self,
                                   SLICE_FMT(in->resource_name)));
    } else {
        o->error_code = WIRE_E_INVALID_REQUEST;
        o->error_message = SLICE_LIT("only topics (2) and brokers (4) have settings");
    }
}

static void describe_configs_begin(struct broker *b, struct request_row *row)
{
    const struct wire_describe_configs_request *req = row->request;
    struct wire_describe_configs_response resp = wire_describe_configs_response_default;
    resp.results_n = req->resources_n;
    resp.results = arena_alloc(&row->arena, (size_t)req->resources_n * sizeof *resp.results);
    for (int32_t i = 0; i < req->resources_n; i++) {
        struct wire_describe_configs_response_result *o = &resp.results[i];
        /* A few bytes of the request ask for kilobytes of the answer, so their number is bounded.
         */
        if (req->resources_n <= BROKER_ADMIN_TOPICS_MAX) {
            describe_one(b, row, &req->resources[i], o);
            continue;
        }
        *o = wire_describe_configs_response_result_default;
        o->resource_type = req->resources[i].resource_type;
        o->resource_name = req->resources[i].resource_name;
        o->error_code = WIRE_E_INVALID_REQUEST;
        o->error_message = SLICE_LIT("too many resources in one request");
    }
    row_answer(b, row, &resp);
}

const struct handler handler_describe_configs = {
    .api_key = WIRE_DESCRIBE_CONFIGS,
    .begin = describe_configs_begin,
};
