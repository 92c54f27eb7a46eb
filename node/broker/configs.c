/* The settings that DescribeConfigs shows. Which values are allowed is the catalogue's to judge. */
#include "broker/state.h"

#include <inttypes.h>

struct topic_setting {
    const char *name;
    const char *fallback;
    enum config_type type;
    const char *broker_name;
    const char *about;
};

/* Defaults as Kafka 4's. */
static const struct topic_setting topic_settings[] = {
    {"cleanup.policy", "delete", CONFIG_LIST, "log.cleanup.policy",
     "What happens to old segments; delete is the only policy so far."},
    {"compression.type", "producer", CONFIG_STRING, "compression.type",
     "Batches are stored as the producer compressed them."},
    {"max.message.bytes", "1048588", CONFIG_INT, "message.max.bytes",
     "Largest record batch that is accepted."},
    {"message.timestamp.type", "CreateTime", CONFIG_STRING, "log.message.timestamp.type",
     "Records keep the time that their producer gave them."},
    {"min.insync.replicas", "1", CONFIG_INT, "min.insync.replicas",
     "Replicas that must be in sync for acks=all."},
    {"preallocate", "false", CONFIG_BOOLEAN, "log.preallocate",
     "Space is reserved as the segments grow."},
    {"retention.bytes", "-1", CONFIG_LONG, "log.retention.bytes",
     "Size of a partition beyond which its oldest segments go; -1: no limit."},
    {"retention.ms", "604800000", CONFIG_LONG, "log.retention.ms",
     "Age beyond which segments go; -1: no limit."},
    {"segment.bytes", "1073741824", CONFIG_INT, "log.segment.bytes", "Size of a segment file."},
    {"unclean.leader.election.enable", "false", CONFIG_BOOLEAN, "unclean.leader.election.enable",
     "Only replicas that are in sync may lead."},
};

size_t config_topic_count(void)
{
    return sizeof topic_settings / sizeof topic_settings[0];
}

static const char *config_number(struct arena *a, int64_t v)
{
    return arena_printf(a, "%" PRId64, v);
}

static const char *config_in_force(const struct view_topic *t, const char *name, struct arena *a)
{
    struct slice n = slice_str(name);
    if (slice_eq_str(n, "retention.ms"))
        return config_number(a, t->retention_ms);
    if (slice_eq_str(n, "retention.bytes"))
        return config_number(a, t->retention_bytes);
    if (slice_eq_str(n, "max.message.bytes"))
        return config_number(a, t->max_message_bytes);
    if (slice_eq_str(n, "segment.bytes"))
        return config_number(a, t->segment_bytes);
    if (slice_eq_str(n, "min.insync.replicas"))
        return config_number(a, t->min_insync_replicas);
    return NULL;
}

struct config_entry config_topic_entry(const struct broker *b, const struct view_topic *t, size_t i,
                                       struct arena *a)
{
    const struct topic_setting *s = &topic_settings[i];
    struct config_entry e = {
        .name = s->name,
        .value = config_in_force(t, s->name, a),
        .fallback = s->fallback,
        .read_only = t->contract != NULL,
        .type = s->type,
        .broker_name = s->broker_name,
        .about = s->about,
    };
    for (size_t k = 0; k < t->config_n; k++) {
        if (!slice_eq_str(t->config[k].name, s->name) || !t->config[k].value.p)
            continue;
        e.set = true;
        if (!e.value)
            e.value = arena_strdup(a, t->config[k].value);
    }
    if (!e.value)
        e.value = s->fallback;
    /* A contract sets these although nobody used AlterConfigs. */
    if (t->contract && !slice_eq(slice_str(e.value), slice_str(s->fallback)))
        e.set = true;
    (void)b;
    return e;
}

size_t config_broker_count(void)
{
    return 9;
}

struct config_entry config_broker_entry(const struct broker *b, size_t i, struct arena *a)
{
    const struct broker_config *c = &b->config;
    struct config_entry e = {.read_only = true, .set = true, .type = CONFIG_STRING};
    switch (i) {
    case 0:
        e.name = "node.id";
        e.value = config_number(a, c->node_id);
        e.type = CONFIG_INT;
        e.about = "Number of this node.";
        break;
    case 1:
        e.name = "advertised.listeners";
        e.value = arena_printf(a, "PLAINTEXT://%.*s:%d", SLICE_FMT(c->advertised_host),
                               c->advertised_port);
        e.about = "The address that clients are told.";
        break;
    case 2:
        e.name = "auto.create.topics.enable";
        e.value = c->auto_create_topics ? "true" : "false";
        e.type = CONFIG_BOOLEAN;
        e.about = "Whether Metadata creates unknown topics where governance is off.";
        break;
    case 3:
        e.name = "num.partitions";
        e.value = config_number(a, c->default_partitions);
        e.type = CONFIG_INT;
        e.about = "Partitions of a topic that names no number.";
        break;
    case 4:
        e.name = "socket.request.max.bytes";
        e.value = config_number(a, c->max_request_bytes);
        e.type = CONFIG_INT;
        e.about = "Largest request.";
        break;
    case 5:
        e.name = "fetch.max.bytes";
        e.value = config_number(a, c->fetch_max_bytes);
        e.type = CONFIG_INT;
        e.about = "Largest answer to one Fetch.";
        break;
    case 6:
        e.name = "default.replication.factor";
        e.value = "1";
        e.set = false;
        e.type = CONFIG_INT;
        e.about = "Replicas of a topic that names no number.";
        break;
    case 7:
        e.name = "delete.topic.enable";
        e.value = "true";
        e.set = false;
        e.type = CONFIG_BOOLEAN;
        e.about = "Topics without contract may be deleted through Kafka.";
        break;
    default:
        e.name = "log.cleanup.policy";
        e.value = "delete";
        e.set = false;
        e.type = CONFIG_LIST;
        e.about = "What happens to old segments.";
        break;
    }
    e.fallback = e.value;
    return e;
}
