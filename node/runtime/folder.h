/* The data folder: whose it is, that nobody else uses it, and the admin token.
 *
 *   lock         held (flock) by the running process
 *   node.json    format, cluster id, node id, incarnation; written once, then only the cluster id
 *   token        the admin API's bearer token, readable by the owner alone
 *
 * The incarnation is random and made with the folder: a wiped folder is another one, whatever its
 * node's number (design 6.3). */
#ifndef RUNTIME_FOLDER_H
#define RUNTIME_FOLDER_H

#include "base/err.h"
#include "base/slice.h"

enum {
    FOLDER_INCARNATION_HEX = 32,
    FOLDER_CLUSTER_ID_MAX = 64,
    FOLDER_TOKEN_CHARS = 43, /* base64url of 32 bytes */
};

struct folder {
    char path[4096]; /* absolute */
    int dir_fd;
    int lock_fd;
    int32_t node_id;
    bool fresh;   /* made by this start */
    bool written; /* files were written that the folder must be synced for */
    char incarnation[FOLDER_INCARNATION_HEX + 1];
    char cluster_id[FOLDER_CLUSTER_ID_MAX + 1]; /* "" until the cluster has one */
    char token[FOLDER_TOKEN_CHARS + 1];
};

/* Opens or makes the folder for this node. Errors say what to do: another process on it
 * (ERR_CONFLICT), another node's folder (ERR_CONFLICT), not a data folder (ERR_INVALID), damaged
 * (ERR_CORRUPT), ERR_IO. expected_cluster_id: "" for any. */
int folder_open(struct folder *f, const char *path, int32_t node_id,
                const char *expected_cluster_id, struct err *err);
/* ERR_CONFLICT when the folder belongs to another cluster. */
int folder_check_cluster(const struct folder *f, const char *cluster_id, struct err *err);
/* The same, and notes the cluster id on first start. */
int folder_set_cluster(struct folder *f, const char *cluster_id, struct err *err);
void folder_close(struct folder *f);

/* A number made of the incarnation, never 0: this folder's Raft server id. */
uint64_t folder_raft_id(const struct folder *f);

#endif
