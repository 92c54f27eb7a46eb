#include "base/mem.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

void *mem_alloc(size_t size_bytes)
{
    void *p = malloc(size_bytes ? size_bytes : 1);
    ASSERT(p != NULL);
    return p;
}

void *mem_zalloc(size_t count, size_t size_bytes)
{
    void *p = calloc(count ? count : 1, size_bytes ? size_bytes : 1);
    ASSERT(p != NULL);
    return p;
}

void *mem_realloc(void *p, size_t size_bytes)
{
    void *q = realloc(p, size_bytes ? size_bytes : 1);
    ASSERT(q != NULL);
    return q;
}

char *mem_strdup(const char *s)
{
    return mem_strndup(s, strlen(s));
}

char *mem_strndup(const char *s, size_t n)
{
    size_t length = strnlen(s, n);
    char *copy = mem_alloc(length + 1);
    memcpy(copy, s, length);
    copy[length] = '\0';
    return copy;
}

void mem_free(void *p)
{
    free(p);
}
