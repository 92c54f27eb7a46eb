#include "broker/idmap.h"

#include "base/check.h"
#include "base/mem.h"

static size_t idmap_home(const struct idmap *m, uint64_t id)
{
    return (size_t)((id * 0x9E3779B97F4A7C15u) >> 20) & (m->cap - 1);
}

static void idmap_place(struct idmap *m, uint64_t id, void *value)
{
    size_t i = idmap_home(m, id);
    while (m->slot[i].id) {
        ASSERT(m->slot[i].id != id);
        i = (i + 1) & (m->cap - 1);
    }
    m->slot[i] = (struct idmap_slot){id, value};
    m->n++;
}

void idmap_free(struct idmap *m)
{
    mem_free(m->slot);
    *m = (struct idmap){0};
}

void idmap_put(struct idmap *m, uint64_t id, void *value)
{
    ASSERT(id != 0 && value);
    if ((m->n + 1) * 2 > m->cap) {
        struct idmap old = *m;
        m->cap = old.cap ? old.cap * 2 : 64;
        m->slot = mem_zalloc(m->cap, sizeof *m->slot);
        m->n = 0;
        for (size_t i = 0; i < old.cap; i++)
            if (old.slot[i].id)
                idmap_place(m, old.slot[i].id, old.slot[i].value);
        mem_free(old.slot);
    }
    idmap_place(m, id, value);
}

static size_t idmap_find(const struct idmap *m, uint64_t id)
{
    if (m->n == 0 || id == 0)
        return SIZE_MAX;
    size_t i = idmap_home(m, id);
    while (m->slot[i].id) {
        if (m->slot[i].id == id)
            return i;
        i = (i + 1) & (m->cap - 1);
    }
    return SIZE_MAX;
}

void *idmap_get(const struct idmap *m, uint64_t id)
{
    size_t i = idmap_find(m, id);
    return i == SIZE_MAX ? NULL : m->slot[i].value;
}

void *idmap_remove(struct idmap *m, uint64_t id)
{
    size_t i = idmap_find(m, id);
    if (i == SIZE_MAX)
        return NULL;
    void *value = m->slot[i].value;
    /* Backward shift: close the gap so that look-ups need no tombstones. */
    size_t gap = i;
    for (size_t j = (i + 1) & (m->cap - 1); m->slot[j].id; j = (j + 1) & (m->cap - 1)) {
        size_t home = idmap_home(m, m->slot[j].id);
        if (((j - home) & (m->cap - 1)) >= ((j - gap) & (m->cap - 1))) {
            m->slot[gap] = m->slot[j];
            gap = j;
        }
    }
    m->slot[gap] = (struct idmap_slot){0, NULL};
    m->n--;
    return value;
}

void *idmap_next(const struct idmap *m, size_t *at)
{
    while (*at < m->cap) {
        struct idmap_slot *s = &m->slot[(*at)++];
        if (s->id)
            return s->value;
    }
    return NULL;
}
