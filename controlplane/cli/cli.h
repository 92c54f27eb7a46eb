/* The command line besides `writ serve`: speaks only the admin API, so it can run anywhere. A
 * shell: it reads files, talks and prints, and decides nothing. docs/cli.md is its manual. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>

/* argv as main got it: argv[1] names the command. Returns the exit code: 0 done, 1 refused or
 * differs, 2 usage, 3 cannot reach. */
int cli_main(int argc, char **argv);

/* Is this (argv[1]) a command of this room? The others are main's: serve, check-config, version. */
bool cli_knows(const char *command);

#endif
