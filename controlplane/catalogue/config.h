/* Kafka's topic settings: which are known, what they mean here, and their bounds. */
#ifndef CATALOGUE_CONFIG_H
#define CATALOGUE_CONFIG_H

#include "base/err.h"
#include "catalogue/view.h"

enum {
    CONFIG_NAMES_MAX = 32, /* explicit settings of one topic */
    CONFIG_VALUE_MAX_BYTES = 64,
    CONFIG_BATCH_OVERHEAD_BYTES = 4096, /* a batch around its largest record */
};

/* ERR_INVALID with the reason for an unknown name or a bad value, ERR_UNSUPPORTED by name for what
 * Kafka has and is not built yet. */
int config_check(const struct view_config *config, struct err *err);
/* Kafka's defaults (server defaults of 4.x) into the topic's settings. */
void config_defaults(struct view_topic *t);
/* One checked setting into the topic's settings. */
void config_apply(const struct view_config *config, struct view_topic *t);

#endif
