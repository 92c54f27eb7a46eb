/* Assertions that stay on in production (docs/decisions/0003). A failed one ends the process at
 * once: the node recovers from its journal, which is safer than going on in a broken state. */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

/* Writes "file:line: assertion failed: expr" to descriptor 2 and aborts. */
_Noreturn void check_failed(const char *file, int line, const char *expr);

#define ASSERT(cond)  ((cond) ? (void)0 : check_failed(__FILE__, __LINE__, #cond))
#define UNREACHABLE() check_failed(__FILE__, __LINE__, "unreachable")

#endif
