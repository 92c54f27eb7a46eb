/* The one configuration table. From it come the flags of `writ serve` (each key is --key), the
 * file's keys (flat YAML, key: value), `--help`, docs/configuration.md and deploy/writ.conf.sample;
 * the last two are checked by a test. A new key is one line in conf_table.h. */
#ifndef MAIN_CONF_H
#define MAIN_CONF_H

#include "base/bytes.h"
#include "base/err.h"

enum { CONFIG_TEXT_MAX = 1024, CONFIG_VOTERS_MAX = 7 };

struct config {
    char data[CONFIG_TEXT_MAX];
    int64_t node;
    char voters[CONFIG_TEXT_MAX];
    char cluster_id[64];
    bool governance;
    char kafka_listen[256], kafka_advertise[256], admin_listen[256], admin_advertise[256];
    char log_file[CONFIG_TEXT_MAX];
    char log_level[16];
    bool auto_create_topics;
    int64_t default_partitions;
    int64_t request_max_bytes, fetch_max_bytes, memory_bytes, replay_memory_bytes;
    int64_t max_connections, max_pending_requests;
    int64_t request_timeout_ms, idle_timeout_ms, write_timeout_ms;
    int64_t judge_threads;
    int64_t free_space_min_bytes;
    int64_t journal_file_bytes, journal_bytes, journal_group_bytes;
    bool journal_direct;
    int64_t segment_bytes, segment_ms;
    int64_t ledger_rows, ledger_ms;
    int64_t stop_grace_ms;
};

void conf_defaults(struct config *c);
/* One key; value as it stands in the file or after the flag. The message names the nearest key. */
int conf_set(struct config *c, struct slice key, struct slice value, struct err *err);
/* A file of flat YAML. Messages start with path:line. */
int conf_load(struct config *c, const char *path, struct err *err);
/* `--config FILE` first, wherever it stands, then the other flags (--key value or --key=value).
 * argv[0] is the first argument. */
int conf_args(struct config *c, int argc, char **argv, struct err *err);
/* What must hold between keys. */
int conf_check(const struct config *c, struct err *err);

/* "host:port", "[::1]:port"; false when it is not one. */
bool conf_address(const char *text, char host[256], int *port);

void conf_help(struct bytes *out);     /* for --help */
void conf_markdown(struct bytes *out); /* docs/configuration.md */
void conf_sample(struct bytes *out);   /* deploy/writ.conf.sample */

#endif
