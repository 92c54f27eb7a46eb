/* `writ serve`: the node, from its start to its stop. */
#ifndef MAIN_SERVE_H
#define MAIN_SERVE_H

#include "main/conf.h"

/* Runs until SIGTERM or SIGINT. The exit status. */
int serve(const struct config *config);

#endif
