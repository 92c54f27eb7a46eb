/* A YAML stream -> documents as JSON text. */
#ifndef CLI_YAML_READ_H
#define CLI_YAML_READ_H

#include "base/bytes.h"
#include "base/err.h"

/* Called for each document that is not empty: its JSON and the line on which it begins (from 1).
 * A result other than 0 ends the reading and is returned. */
typedef int (*yaml_document)(void *arg, struct slice json, size_t line, struct err *err);

/* Anchors and aliases are followed within CLI_YAML_NODES_MAX values and CLI_YAML_DEPTH_MAX levels;
 * merge keys, tags of one's own and keys that are not texts are refused. Messages begin with
 * name:line. */
int yaml_read(const char *name, struct slice text, yaml_document each, void *arg, struct err *err);

#endif
