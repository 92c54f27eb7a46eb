/* Heap memory that never returns NULL. Memory is bounded by budgets at the doors
 * (runtime/limits.h), so a failed allocation is a fault of the machine and ends the process
 * (ASSERT). */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

void *mem_alloc(size_t size_bytes);                /* uninitialised */
void *mem_zalloc(size_t count, size_t size_bytes); /* zeroed; overflow of the product is refused */
void *mem_realloc(void *p, size_t size_bytes);
char *mem_strdup(const char *s);
char *mem_strndup(const char *s, size_t n);
void mem_free(void *p); /* NULL is allowed */

#define MEM_NEW(type) ((type *)mem_zalloc(1, sizeof(type)))

#endif
