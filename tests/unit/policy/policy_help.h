/* Documents from JSON text, for the room's tests. */
#ifndef POLICY_HELP_H
#define POLICY_HELP_H

#include "policy/contract.h"

/* Parses; a NULL result has its reasons in *errors (the caller frees them). */
struct document *help_parse(const char *json, struct document_errors *errors);
/* Parses and fails the test when it is refused. */
struct document *help_document(const char *json);
/* Refused, with exactly one error of this code and pointer, whose detail contains `part`. */
void help_refused(const char *json, const char *code, const char *pointer, const char *part);

#endif
