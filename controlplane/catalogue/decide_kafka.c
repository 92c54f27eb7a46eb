/* What Kafka's admin requests ask of ungoverned topics. The reasons tell the broker which error to
 * answer: topic.exists 36, topic.unknown 3, topic.governed 44, name.invalid and name.collision 17,
 * partitions.invalid 37, replication.invalid 38, config.invalid 40. */
#include "base/check.h"
#include "catalogue/config.h"
#include "catalogue/plan.h"

#include <stdio.h>

/* The ungoverned topic that is meant, or NULL with the reason set. */
static const struct view_topic *ungoverned(struct plan *p, const char *instead)
{
    const struct view_topic *t = view_topic_live(p->v, p->r->name);
    if (!t) {
        outcome_set(p->out, ERR_NOT_FOUND, "topic.unknown", "there is no topic %.*s",
                    SLICE_FMT(p->r->name));
        return NULL;
    }
    if (t->contract) {
        outcome_set(p->out, ERR_DENIED, "topic.governed", "the topic %.*s has a contract: use `%s`",
                    SLICE_FMT(t->name), instead);
        return NULL;
    }
    return plan_condition(p, t->version) ? t : NULL;
}

static bool check_configs(struct plan *p)
{
    const struct request *r = p->r;
    if (r->config_n > CONFIG_NAMES_MAX) {
        outcome_set(p->out, ERR_INVALID, "config.invalid", "more than %d settings",
                    CONFIG_NAMES_MAX);
        return false;
    }
    for (size_t i = 0; i < r->config_n; i++) {
        struct view_config given = r->config[i];
        struct err err = {0};
        if (given.value.p == NULL)
            given.value = SLICE_NULL;
        if (given.value.p && config_check(&given, &err) != 0) {
            outcome_set(p->out, ERR_INVALID, "config.invalid", "%s", err.msg);
            return false;
        }
        for (size_t k = 0; k < i; k++)
            if (slice_eq(r->config[k].name, given.name)) {
                outcome_set(p->out, ERR_INVALID, "config.invalid", "%.*s is given twice",
                            SLICE_FMT(given.name));
                return false;
            }
    }
    return true;
}

static void put_config(struct plan *p, struct slice id, const struct view_config *config)
{
    struct row r = row_new(TABLE_CONFIG);
    r.cell[CONFIG_TOPIC].b = id;
    r.cell[CONFIG_NAME].b = config->name;
    r.cell[CONFIG_VALUE].b = config->value;
    if (config->value.p)
        facts_put_any(&p->facts, &r);
    else
        facts_delete_any(&p->facts, &r);
}

static bool check_new_topic(struct plan *p)
{
    const struct request *r = p->r;
    struct result *out = p->out;
    char why[128];
    if (!catalogue_name_ok(r->name, why)) {
        outcome_set(out, ERR_INVALID, "name.invalid", "%s", why);
        return false;
    }
    if (view_topic_live(p->v, r->name)) {
        outcome_set(out, ERR_CONFLICT, "topic.exists", "the topic %.*s exists", SLICE_FMT(r->name));
        return false;
    }
    struct slice other = topic_collision(p, r->name);
    if (other.p) {
        outcome_set(out, ERR_CONFLICT, "name.collision",
                    "%.*s differs from the topic %.*s only in '.' and '_'", SLICE_FMT(r->name),
                    SLICE_FMT(other));
        return false;
    }
    if (!view_name_ungoverned(p->v, r->name)) {
        outcome_set(out, ERR_DENIED, "topic.governed",
                    "%.*s is in a governed name space: write a contract (kind: Topic) and register "
                    "it with `writ apply -f FILE`",
                    SLICE_FMT(r->name));
        return false;
    }
    if (r->partitions < 1 || r->partitions > CATALOGUE_TOPIC_PARTITIONS_MAX) {
        outcome_set(out, ERR_INVALID, "partitions.invalid", "%d partitions: 1 to %d are possible",
                    r->partitions, CATALOGUE_TOPIC_PARTITIONS_MAX);
        return false;
    }
    if (r->replicas < 1 || (size_t)r->replicas > p->v->nodes_n) {
        outcome_set(out, ERR_INVALID, "replication.invalid",
                    "%d replicas need as many nodes; this cluster has %zu", r->replicas,
                    p->v->nodes_n);
        return false;
    }
    if (p->v->topics_n >= CATALOGUE_TOPICS_MAX) {
        outcome_set(out, ERR_LIMIT, "limit.topics", "more than %d topics", CATALOGUE_TOPICS_MAX);
        return false;
    }
    return check_configs(p);
}

/* `"pointer":..,"old":..,"new":..` for a number. */
static struct slice number_field(struct plan *p, const char *pointer, const char *old, int64_t now)
{
    return slice_str(arena_printf(&p->arena, "{\"pointer\":\"%s\",\"old\":%s,\"new\":%lld}",
                                  pointer, old, (long long)now));
}

void decide_topic_create(struct plan *p)
{
    const struct request *r = p->r;
    p->action = "topic.create";
    if (!check_new_topic(p))
        return;
    p->topic_id = topic_new_id(p, r->name);
    p->out->topic_id = p->topic_id;
    p->policies_checked = true; /* that the name is ungoverned follows from them */
    struct row t = row_new(TABLE_TOPIC);
    t.cell[TOPIC_NAME].b = r->name;
    t.cell[TOPIC_ID].b = arena_copy(&p->arena, slice_of(p->topic_id.bytes, 16));
    t.cell[TOPIC_VERSION].i = topic_first_version(p, r->name);
    t.cell[TOPIC_CREATED].i = t.cell[TOPIC_UPDATED].i = r->now_ms;
    facts_put(&p->facts, &t, 0);
    topic_put_claim(p, r->name);
    topic_put_partitions(p, t.cell[TOPIC_ID].b, 0, r->partitions, r->replicas);
    for (size_t i = 0; i < r->config_n; i++)
        if (r->config[i].value.p)
            put_config(p, t.cell[TOPIC_ID].b, &r->config[i]);
    plan_change_fields(p, "create", DOCUMENT_TOPIC, r->name,
                       number_field(p, "/partitions", "null", r->partitions));
}

void decide_topic_delete(struct plan *p)
{
    p->action = "topic.delete";
    const struct view_topic *t = ungoverned(p, "writ delete topic NAME");
    if (t)
        plan_topic_delete(p, -1, t, false);
}

void decide_partitions_add(struct plan *p)
{
    const struct request *r = p->r;
    p->action = "partitions.add";
    const struct view_topic *t = ungoverned(p, "writ apply -f FILE");
    if (!t)
        return;
    if (r->partitions <= t->partitions_n || r->partitions > CATALOGUE_TOPIC_PARTITIONS_MAX) {
        outcome_set(p->out, ERR_INVALID, "partitions.invalid",
                    "the topic has %d partitions: %d is not more, or more than %d", t->partitions_n,
                    r->partitions, CATALOGUE_TOPIC_PARTITIONS_MAX);
        return;
    }
    struct row row = topic_row_of(p, t);
    facts_put(&p->facts, &row, leaf_of(t)->rev);
    topic_put_partitions(p, row.cell[TOPIC_ID].b, t->partitions_n, r->partitions,
                         t->partition[0].replicas_n);
    p->topic_id = t->id;
    char old[16];
    snprintf(old, sizeof old, "%d", t->partitions_n);
    plan_change_fields(p, "update", DOCUMENT_TOPIC, t->name,
                       number_field(p, "/partitions", old, r->partitions));
}

static const struct view_config *config_of(const struct view_topic *t, struct slice name)
{
    for (size_t i = 0; i < t->config_n; i++)
        if (slice_eq(t->config[i].name, name))
            return &t->config[i];
    return NULL;
}

static void put_text(struct json_writer *w, const struct view_config *config)
{
    if (config && config->value.p)
        json_put_string(w, config->value);
    else
        json_put_null(w);
}

/* One setting, if it differs; adds to the list of changed fields. */
static void change_config(struct plan *p, const struct view_topic *t, const struct view_config *now,
                          struct bytes *fields)
{
    const struct view_config *old = config_of(t, now->name);
    if (now->value.p == NULL ? !old : old && slice_eq(old->value, now->value))
        return;
    put_config(p, slice_of(t->id.bytes, sizeof t->id.bytes), now);
    struct json_writer w;
    if (fields->n)
        bytes_add_str(fields, ",");
    json_writer_init(&w, fields);
    json_begin_object(&w);
    json_name(&w, "pointer");
    json_put_cstr(&w, arena_printf(&p->arena, "/configs/%.*s", SLICE_FMT(now->name)));
    json_name(&w, "old");
    put_text(&w, old);
    json_name(&w, "new");
    put_text(&w, now);
    json_end_object(&w);
}

void decide_config_set(struct plan *p)
{
    const struct request *r = p->r;
    p->action = "config.set";
    const struct view_topic *t = ungoverned(p, "writ apply -f FILE");
    if (!t || !check_configs(p))
        return;
    struct bytes fields = {0};
    for (size_t i = 0; i < r->config_n; i++)
        change_config(p, t, &r->config[i], &fields);
    for (size_t i = 0; r->replace_configs && i < t->config_n; i++) {
        bool named = false;
        for (size_t k = 0; k < r->config_n; k++)
            named |= slice_eq(r->config[k].name, t->config[i].name);
        struct view_config gone = {.name = t->config[i].name};
        if (!named)
            change_config(p, t, &gone, &fields);
    }
    if (fields.n) {
        struct row row = topic_row_of(p, t);
        facts_put(&p->facts, &row, leaf_of(t)->rev);
        p->topic_id = t->id;
        plan_change_fields(p, "update", DOCUMENT_TOPIC, t->name, bytes_slice(&fields));
    }
    bytes_free(&fields);
}
