/* get, describe, delete, node list. */
#include "cli/kinds.h"

#include "base/codec.h"

#include <strings.h>

static const struct column topic_columns[] = {
    {"NAME", "name"},
    {"VERSION", "version"},
    {"MODE", "mode"},
    {"TEAM", "document.team"},
    {"FORMAT", "document.value.format"},
    {"SIGNED", "document.signing.required"},
    {"PARTITIONS", "partitions"},
    {"UPDATED", "updated_at"},
};
static const struct column team_columns[] = {
    {"NAME", "name"},
    {"CONTACT", "document.contact"},
    {"MEMBERS", "document.members"},
    {"UPDATED", "updated_at"},
};
static const struct column producer_columns[] = {
    {"NAME", "name"},
    {"TEAM", "document.team"},
    {"TOPICS", "document.topics"},
    {"PRINCIPALS", "document.principals"},
    {"UPDATED", "updated_at"},
};
static const struct column policy_columns[] = {
    {"NAME", "name"},
    {"PREFIX", "document.prefix"},
    {"GOVERNANCE", "document.governance"},
    {"PATTERN", "document.naming.pattern"},
    {"UPDATED", "updated_at"},
};
static const struct column node_columns[] = {
    {"ID", "id"},       {"STATE", "state"}, {"ROLE", "role"},
    {"KAFKA", "kafka"}, {"ADMIN", "admin"}, {"RACK", "rack"},
};

#define COLUMNS(list) list, sizeof(list) / sizeof((list)[0])
static const struct kind kinds[] = {
    {"topic", "topics", "Topic", true, COLUMNS(topic_columns)},
    {"team", "teams", "Team", true, COLUMNS(team_columns)},
    {"producer", "producers", "Producer", true, COLUMNS(producer_columns)},
    {"policy", "policies", "Policy", true, COLUMNS(policy_columns)},
    {"node", "nodes", "Node", false, COLUMNS(node_columns)},
};

const struct kind *kind_find(const struct cli *c, const char *word)
{
    const struct kind *nearest = NULL;
    unsigned least = UINT32_MAX;
    if (strcasecmp(word, "schema") == 0 || strcasecmp(word, "schemas") == 0) {
        (void)cli_usage(c, "a schema is part of its topic's contract in this version: writ get "
                           "topic NAME -o yaml");
        return NULL;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const struct kind *k = &kinds[i];
        if (strcasecmp(word, k->one) == 0 || strcasecmp(word, k->many) == 0)
            return k;
        unsigned d = text_distance(slice_str(word), slice_str(k->many));
        if (d < least) {
            least = d;
            nearest = k;
        }
    }
    (void)cli_usage(c,
                    "no kind \"%s\"; did you mean %s? (topics, teams, producers, policies, "
                    "nodes)",
                    word, nearest->many);
    return NULL;
}

static int get_one(struct cli *c, const struct kind *k, const char *name)
{
    struct bytes path = {0};
    struct answer a;
    bytes_printf(&path, "/v1/%s", k->many);
    path_add(&path, name);
    int rc = answer_get(c, "GET", bytes_cstr(&path), NULL, &a);
    if (rc == 0 && c->format != CLI_TABLE) {
        rc = output_value(c, bytes_slice(&a.body));
    } else if (rc == 0) {
        cJSON *list = cJSON_CreateArray();
        cJSON_AddItemReferenceToArray(list, a.json);
        output_table(list, k->columns, k->columns_n);
        cJSON_Delete(list);
    }
    answer_free(&a);
    bytes_free(&path);
    return rc;
}

static int print_list(struct cli *c, const char *path, const struct column *columns, size_t n,
                      const char *none)
{
    struct bytes items = {0};
    int rc = answer_list(c, path, &items);
    if (rc == 0 && c->format != CLI_TABLE) {
        rc = output_value(c, bytes_slice(&items));
    } else if (rc == 0) {
        cJSON *list = cJSON_ParseWithLength((const char *)items.p, items.n);
        if (cJSON_GetArraySize(list) == 0)
            (void)fprintf(stderr, "%s\n", none);
        else
            output_table(list, columns, n);
        cJSON_Delete(list);
    }
    bytes_free(&items);
    return rc;
}

int cli_get(struct cli *c)
{
    const struct kind *k = kind_find(c, c->argument[0]);
    if (k == NULL)
        return CLI_USAGE;
    if (c->arguments_n == 2)
        return get_one(c, k, c->argument[1]);
    struct bytes path = {0};
    char none[64];
    bytes_printf(&path, "/v1/%s", k->many);
    query_add(&path, "prefix", cli_value(c, "prefix"));
    query_add(&path, "team", cli_value(c, "team"));
    query_add(&path, "mode", cli_value(c, "mode"));
    (void)snprintf(none, sizeof none, "No %s.", k->many);
    int rc = print_list(c, bytes_cstr(&path), k->columns, k->columns_n, none);
    bytes_free(&path);
    return rc;
}

int cli_node_list(struct cli *c)
{
    return print_list(c, "/v1/nodes", COLUMNS(node_columns), "No nodes.");
}

/* One part of describe: a title and a list below it. */
static int describe_list(struct cli *c, const char *title, const char *name, const char *what,
                         const struct column *columns, size_t n)
{
    struct bytes path = {0};
    struct answer a;
    bytes_add_str(&path, "/v1/topics");
    path_add(&path, name);
    bytes_printf(&path, "/%s", what);
    int rc = answer_get(c, "GET", bytes_cstr(&path), NULL, &a);
    const cJSON *items = cJSON_GetObjectItemCaseSensitive(a.json, "items");
    if (rc == 0) {
        (void)printf("\n%s\n", title);
        if (cJSON_GetArraySize(items) == 0)
            (void)printf("none\n");
        else
            output_table(items, columns, n);
    }
    answer_free(&a);
    bytes_free(&path);
    return rc;
}

int cli_describe(struct cli *c)
{
    static const struct column partitions[] = {{"PARTITION", "partition"},
                                               {"LEADER", "leader"},
                                               {"EPOCH", "leader_epoch"},
                                               {"REPLICAS", "replicas"},
                                               {"ISR", "isr"}};
    static const struct column offsets[] = {
        {"PARTITION", "partition"}, {"START", "start"}, {"END", "end"}, {"BYTES", "size_bytes"}};
    static const struct column refused[] = {{"TIME", "time"},
                                            {"PARTITION", "partition"},
                                            {"CODE", "code"},
                                            {"AT", "path"},
                                            {"WHY", "detail"}};
    const char *name = c->argument[1];
    const struct kind *k = kind_find(c, c->argument[0]);
    if (k == NULL)
        return CLI_USAGE;
    enum cli_format asked = c->format;
    if (asked == CLI_TABLE)
        c->format = CLI_YAML;
    int rc = get_one(c, k, name);
    c->format = asked;
    if (rc != 0 || asked != CLI_TABLE || strcmp(k->one, "topic") != 0)
        return rc;
    rc = describe_list(c, "Partitions", name, "partitions", COLUMNS(partitions));
    if (rc == 0)
        rc = describe_list(c, "Offsets", name, "offsets", COLUMNS(offsets));
    if (rc == 0)
        rc = describe_list(c, "Last refusals (writ rejections --topic NAME has more)", name,
                           "rejections?limit=5", COLUMNS(refused));
    return rc;
}

int cli_delete(struct cli *c)
{
    const struct kind *k = kind_find(c, c->argument[0]);
    const char *guard;
    struct bytes path = {0}, accept = {0};
    struct answer a;
    if (k == NULL)
        return CLI_USAGE;
    if (!k->document)
        return cli_usage(c, "a node is not deleted by this command");
    bytes_printf(&path, "/v1/%s", k->many);
    path_add(&path, c->argument[1]);
    for (size_t i = 0; (guard = cli_value_at(c, "accept", i)) != NULL; i++)
        bytes_printf(&accept, "%s%s", i > 0 ? "," : "", guard);
    query_add(&path, "accept", accept.n > 0 ? bytes_cstr(&accept) : NULL);
    int rc = answer_get(c, "DELETE", bytes_cstr(&path), NULL, &a);
    if (rc == 0)
        (void)printf("Deleted %s %s.\n", k->title, c->argument[1]);
    answer_free(&a);
    bytes_free(&path);
    bytes_free(&accept);
    return rc;
}
