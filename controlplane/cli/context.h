/* Which node, and with which token. */
#ifndef CLI_CONTEXT_H
#define CLI_CONTEXT_H

#include "cli/client.h"
#include "cli/internal.h"

/* First that says: --data DIR (the address that its status socket tells, and its token), --server
 * and --token-file; WRIT_SERVER and WRIT_TOKEN; the context file,
 * $XDG_CONFIG_HOME/writ/context.json or ~/.config/writ/context.json
 * ({"server": ..., "token": ... or "token_file": ...}); http://127.0.0.1:9192 without a token. 0,
 * or the exit code after a message. */
int context_target(const struct cli *c, struct client_target *t);

#endif
