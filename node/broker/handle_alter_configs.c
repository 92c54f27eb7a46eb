/* AlterConfigs (33) replaces the settings of a topic, IncrementalAlterConfigs (44) changes those
 * that are named. Topics without contract only; a node's own settings stand in its configuration
 * file. */
#include "broker/state.h"

enum { RESOURCE_TOPIC = 2, OP_SET = 0, OP_DELETE = 1 };

struct alter_change {
    struct slice name, value; /* value NULL: back to the default */
};

/* The checks that both APIs share; 0: ask the catalogue. */
static int16_t alter_check(const struct broker *b, int8_t type, struct slice name, struct arena *a,
                           const char **message)
{
    if (type != RESOURCE_TOPIC) {
        *message =
            "only settings of topics can be changed; a node's stand in its configuration file";
        return WIRE_E_INVALID_REQUEST;
    }
    const struct topic_row *t = topic_by_name(b, name);
    if (!t) {
        *message = "no such topic";
        return WIRE_E_UNKNOWN_TOPIC_OR_PARTITION;
    }
    if (t->view->contract &&
        topic_admin_refused(b, name, "change its file and run: writ apply -f FILE", a, message))
        return WIRE_E_POLICY_VIOLATION;
    return 0;
}

static struct request *alter_request(struct slice topic, const struct alter_change *change,
                                     size_t n, bool replace, bool dry_run)
{
    struct request *r = request_new(REQUEST_CONFIG_SET);
    struct view_config *config = arena_alloc(&r->arena, n * sizeof *config);
    for (size_t i = 0; i < n; i++) {
        config[i].name = arena_copy(&r->arena, change[i].name);
        config[i].value = change[i].value.p ? arena_copy(&r->arena, change[i].value) : SLICE_NULL;
    }
    r->name = arena_copy(&r->arena, topic);
    r->config = config;
    r->config_n = n;
    r->replace_configs = replace;
    r->dry_run = dry_run;
    return r;
}

static void alter_settle_or_ask(struct broker *b, struct request_row *row, uint32_t i,
                                int16_t error, const char *message, struct request *r)
{
    if (error)
        admin_settle(row, i, error, message);
    else
        admin_ask(b, row, i, r);
}

/* ---- AlterConfigs ---- */

static void alter_configs_finish(struct broker *b, struct request_row *row)
{
    const struct wire_alter_configs_request *req = row->request;
    const struct admin_work *work = row->work;
    struct wire_alter_configs_response resp = wire_alter_configs_response_default;
    resp.responses_n = req->resources_n;
    resp.responses = arena_alloc(&row->arena, work->n * sizeof *resp.responses);
    for (uint32_t i = 0; i < work->n; i++) {
        struct wire_alter_configs_response_resource *o = &resp.responses[i];
        *o = wire_alter_configs_response_resource_default;
        o->error_code = work->item[i].error;
        o->error_message = text_or_null(work->item[i].message);
        o->resource_type = req->resources[i].resource_type;
        o->resource_name = req->resources[i].resource_name;
    }
    row_answer(b, row, &resp);
}

static void alter_configs_begin(struct broker *b, struct request_row *row)
{
    const struct wire_alter_configs_request *req = row->request;
    admin_begin(row, (uint32_t)req->resources_n, alter_configs_finish);
    for (int32_t i = 0; i < req->resources_n; i++) {
        const struct wire_alter_configs_request_resource *in = &req->resources[i];
        const char *message = NULL;
        struct request *r = NULL;
        int16_t error = alter_check(b, in->resource_type, in->resource_name, &row->arena, &message);
        if (!error) {
            struct alter_change *change =
                arena_alloc(&row->arena, (size_t)in->configs_n * sizeof *change);
            for (int32_t k = 0; k < in->configs_n; k++)
                change[k] = (struct alter_change){in->configs[k].name, in->configs[k].value};
            r = alter_request(in->resource_name, change, (size_t)in->configs_n, true,
                              req->validate_only);
        }
        alter_settle_or_ask(b, row, (uint32_t)i, error, message, r);
    }
    admin_wait(b, row, 0);
}

const struct handler handler_alter_configs = {
    .api_key = WIRE_ALTER_CONFIGS,
    .begin = alter_configs_begin,
    .expire = admin_expire,
};

/* ---- IncrementalAlterConfigs ---- */

static void incremental_finish(struct broker *b, struct request_row *row)
{
    const struct wire_incremental_alter_configs_request *req = row->request;
    const struct admin_work *work = row->work;
    struct wire_incremental_alter_configs_response resp =
        wire_incremental_alter_configs_response_default;
    resp.responses_n = req->resources_n;
    resp.responses = arena_alloc(&row->arena, work->n * sizeof *resp.responses);
    for (uint32_t i = 0; i < work->n; i++) {
        struct wire_incremental_alter_configs_response_resource *o = &resp.responses[i];
        *o = wire_incremental_alter_configs_response_resource_default;
        o->error_code = work->item[i].error;
        o->error_message = text_or_null(work->item[i].message);
        o->resource_type = req->resources[i].resource_type;
        o->resource_name = req->resources[i].resource_name;
    }
    row_answer(b, row, &resp);
}

static int16_t incremental_changes(const struct wire_incremental_alter_configs_request_resource *in,
                                   struct alter_change *change, const char **message)
{
    for (int32_t k = 0; k < in->configs_n; k++) {
        const struct wire_incremental_alter_configs_request_config *c = &in->configs[k];
        if (c->config_operation != OP_SET && c->config_operation != OP_DELETE) {
            *message = "append and subtract need a setting that is a list of several values; "
                       "there is none yet";
            return WIRE_E_INVALID_CONFIG;
        }
        if (c->config_operation == OP_SET && !c->value.p) {
            *message = "a setting cannot be set to null";
            return WIRE_E_INVALID_REQUEST;
        }
        change[k].name = c->name;
        change[k].value = c->config_operation == OP_SET ? c->value : SLICE_NULL;
    }
    return 0;
}

static void incremental_begin(struct broker *b, struct request_row *row)
{
    const struct wire_incremental_alter_configs_request *req = row->request;
    admin_begin(row, (uint32_t)req->resources_n, incremental_finish);
    for (int32_t i = 0; i < req->resources_n; i++) {
        const struct wire_incremental_alter_configs_request_resource *in = &req->resources[i];
        struct alter_change *change =
            arena_alloc(&row->arena, (size_t)in->configs_n * sizeof *change);
        const char *message = NULL;
        struct request *r = NULL;
        int16_t error = alter_check(b, in->resource_type, in->resource_name, &row->arena, &message);
        if (!error)
            error = incremental_changes(in, change, &message);
        if (!error)
            r = alter_request(in->resource_name, change, (size_t)in->configs_n, false,
                              req->validate_only);
        alter_settle_or_ask(b, row, (uint32_t)i, error, message, r);
    }
    admin_wait(b, row, 0);
}

const struct handler handler_incremental_alter_configs = {
    .api_key = WIRE_INCREMENTAL_ALTER_CONFIGS,
    .begin = incremental_begin,
    .expire = admin_expire,
};
