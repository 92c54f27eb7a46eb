#include "catalogue/config.h"

#include "base/check.h"

#include <inttypes.h>
#include <stddef.h>

/* Kafka 4.x, org.apache.kafka.common.config.TopicConfig. A setting that is not built yet is
 * accepted only with the value that describes what happens anyway. */
struct known {
    const char *name;
    int64_t least, most, standard; /* of a number */
    const char *only;              /* of a word: the one value there is */
    size_t offset;                 /* of an int64_t in struct view_topic; SIZE_MAX: none */
};

#define AT(member) offsetof(struct view_topic, member)

static const struct known settings[] = {
    {"retention.ms", -1, INT64_MAX, 604800000, NULL, AT(retention_ms)},
    {"retention.bytes", -1, INT64_MAX, -1, NULL, AT(retention_bytes)},
    {"max.message.bytes", 0, 64 << 20, 1048588, NULL, AT(max_message_bytes)},
    {"segment.bytes", 1 << 14, INT32_MAX, 1 << 30, NULL, AT(segment_bytes)},
    {"min.insync.replicas", 1, 32, 1, NULL, SIZE_MAX},
    {"cleanup.policy", 0, 0, 0, "delete", SIZE_MAX},
    {"compression.type", 0, 0, 0, "producer", SIZE_MAX},
    {"message.timestamp.type", 0, 0, 0, "CreateTime", SIZE_MAX},
    {"unclean.leader.election.enable", 0, 0, 0, "false", SIZE_MAX},
    {"preallocate", 0, 0, 0, "false", SIZE_MAX},
    {"remote.storage.enable", 0, 0, 0, "false", SIZE_MAX},
};

/* Known to Kafka, without meaning here yet. */
static const char *const not_built[] = {
    "delete.retention.ms",
    "file.delete.delay.ms",
    "flush.messages",
    "flush.ms",
    "index.interval.bytes",
    "max.compaction.lag.ms",
    "min.compaction.lag.ms",
    "min.cleanable.dirty.ratio",
    "message.timestamp.before.max.ms",
    "segment.index.bytes",
    "segment.jitter.ms",
    "message.timestamp.after.max.ms",
    "segment.ms",
    "local.retention.bytes",
    "local.retention.ms",
    "compression.gzip.level",
    "compression.lz4.level",
    "compression.zstd.level",
    "follower.replication.throttled.replicas",
    "leader.replication.throttled.replicas",
    "message.format.version",
    "message.downconversion.enable",
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct known *find(struct slice name)
{
    for (size_t i = 0; i < COUNT(settings); i++)
        if (slice_eq_str(name, settings[i].name))
            return &settings[i];
    return NULL;
}

/* Decimal with an optional '-', exact. */
static bool parse_int(struct slice s, int64_t *out)
{
    bool minus = s.n > 0 && s.p[0] == '-';
    size_t i = minus;
    if (i == s.n || s.n - i > 19)
        return false;
    uint64_t v = 0;
    for (; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        v = v * 10 + (uint64_t)(s.p[i] - '0');
    }
    if (v > (uint64_t)INT64_MAX)
        return false;
    *out = minus ? -(int64_t)v : (int64_t)v;
    return true;
}

int config_check(const struct view_config *config, struct err *err)
{
    const struct known *k = find(config->name);
    struct slice value = config->value;
    if (!k) {
        for (size_t i = 0; i < COUNT(not_built); i++)
            if (slice_eq_str(config->name, not_built[i]))
                return err_set(err, ERR_UNSUPPORTED, "the setting %s is not built yet",
                               not_built[i]);
        return err_set(err, ERR_INVALID, "unknown setting %.*s",
                       (int)(config->name.n > 100 ? 100 : config->name.n),
                       (const char *)config->name.p);
    }
    int shown = (int)(value.n > CONFIG_VALUE_MAX_BYTES ? CONFIG_VALUE_MAX_BYTES : value.n);
    if (k->only) {
        if (slice_eq_str(value, k->only))
            return 0;
        return err_set(err, ERR_UNSUPPORTED, "%s=%.*s is not built yet; only %s is", k->name, shown,
                       (const char *)value.p, k->only);
    }
    int64_t v;
    if (!parse_int(value, &v))
        return err_set(err, ERR_INVALID, "%s=%.*s is not a whole number", k->name, shown,
                       (const char *)value.p);
    if (v < k->least || v > k->most)
        return err_set(err, ERR_INVALID, "%s=%" PRId64 " is outside %" PRId64 " to %" PRId64,
                       k->name, v, k->least, k->most);
    return 0;
}

void config_defaults(struct view_topic *t)
{
    for (size_t i = 0; i < COUNT(settings); i++)
        if (settings[i].offset != SIZE_MAX)
            memcpy((char *)t + settings[i].offset, &settings[i].standard, sizeof(int64_t));
    t->min_insync_replicas = 1;
    t->cleanup = CLEANUP_DELETE;
}

void config_apply(const struct view_config *config, struct view_topic *t)
{
    const struct known *k = find(config->name);
    int64_t v;
    if (!k || k->only || !parse_int(config->value, &v))
        return;
    if (k->offset != SIZE_MAX)
        memcpy((char *)t + k->offset, &v, sizeof v);
    else
        t->min_insync_replicas = (int32_t)v;
}
