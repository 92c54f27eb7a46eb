/* Prometheus text for one value. */
#ifndef RUNTIME_METRICS_H
#define RUNTIME_METRICS_H

#include "base/bytes.h"

void metrics_value(struct bytes *out, const char *type, const char *name, const char *help,
                   double value);

#endif
