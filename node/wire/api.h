/* Which APIs the broker speaks and in which versions: the table in wire/api.def. */
#ifndef WIRE_API_H
#define WIRE_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum wire_api_key {
#define API(key, sname, name, first, last, served, codec_first, codec_last, flexible)              \
    WIRE_API_KEY_##sname = (key),
#include "wire/api.def"
};
/* The same in capitals, for handlers and tables. */
#define WIRE_PRODUCE                   WIRE_API_KEY_produce
#define WIRE_FETCH                     WIRE_API_KEY_fetch
#define WIRE_LIST_OFFSETS              WIRE_API_KEY_list_offsets
#define WIRE_METADATA                  WIRE_API_KEY_metadata
#define WIRE_API_VERSIONS              WIRE_API_KEY_api_versions
#define WIRE_CREATE_TOPICS             WIRE_API_KEY_create_topics
#define WIRE_DELETE_TOPICS             WIRE_API_KEY_delete_topics
#define WIRE_DELETE_RECORDS            WIRE_API_KEY_delete_records
#define WIRE_INIT_PRODUCER_ID          WIRE_API_KEY_init_producer_id
#define WIRE_DESCRIBE_CONFIGS          WIRE_API_KEY_describe_configs
#define WIRE_ALTER_CONFIGS             WIRE_API_KEY_alter_configs
#define WIRE_CREATE_PARTITIONS         WIRE_API_KEY_create_partitions
#define WIRE_INCREMENTAL_ALTER_CONFIGS WIRE_API_KEY_incremental_alter_configs
#define WIRE_DESCRIBE_CLUSTER          WIRE_API_KEY_describe_cluster
#define WIRE_DESCRIBE_TOPIC_PARTITIONS WIRE_API_KEY_describe_topic_partitions

struct wire_api {
    int16_t key;
    const char *name;     /* "Produce" */
    int16_t first, last;  /* advertised in ApiVersions */
    int16_t served_first; /* versions from here to last are answered, others get error 35 */
    int16_t codec_first, codec_last;
    int16_t flexible_first; /* compact lengths and tagged fields from here */
};

/* All of them, in the order of their keys. */
extern const struct wire_api wire_api[];
extern const size_t wire_apis_n;

const struct wire_api *wire_api_find(int16_t key); /* NULL: unknown */
bool wire_api_serves(int16_t key, int16_t version);
bool wire_api_codec_has(int16_t key, int16_t version);
bool wire_api_is_flexible(int16_t key, int16_t version); /* false for unknown ones */

#endif
