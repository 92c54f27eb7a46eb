/* What raft_node_start does before there is a node: options, configuration, folder. */
#ifndef RAFT_NODE_OPEN_H
#define RAFT_NODE_OPEN_H

#include "raft/node.h"
#include "raft/store.h"

void raft_node_set_defaults(struct raft_node_options *o);
int raft_node_check(const struct raft_node_config *c, struct err *e);

/* Opens the store, makes its first state when it is fresh, and loads it. The files are borrowed;
 * *out and *state are the caller's. */
int raft_node_open_store(struct raft_store **out, struct raft_files *files,
                         const struct raft_node_config *c, struct raft_store_state *state,
                         struct err *e);

#endif
