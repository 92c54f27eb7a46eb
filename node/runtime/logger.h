/* The log sink (base/log.h): one JSON line for each event, to stderr or a file, from any thread.
 *   {"time":"...","level":"info","node":1,"room":"runtime","event":"...", ...}
 * A flood is cut: what goes beyond LOG_LINES_PER_S is counted and told. */
#ifndef RUNTIME_LOGGER_H
#define RUNTIME_LOGGER_H

#include "base/err.h"
#include "base/log.h"

/* Opens and installs the sink. path NULL or "": stderr. Once, before threads start. */
int logger_open(const char *path, enum log_level least, int32_t node_id, struct err *err);
/* After a rotation: the same path anew (SIGHUP). Keeps the old file when that fails. */
void logger_reopen(void);
bool logger_level(const char *name, enum log_level *out); /* debug, info, warn, error */

#endif
