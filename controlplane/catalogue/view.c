#include "base/check.h"
#include "base/mem.h"
#include "catalogue/internal.h"

#include <stdatomic.h>

static bool released(_Atomic uint32_t *refs)
{
    uint32_t before = atomic_fetch_sub_explicit(refs, 1, memory_order_acq_rel);
    ASSERT(before > 0);
    return before == 1;
}

void leaf_topic_unref(const struct view_topic *t)
{
    struct leaf_topic *leaf = (struct leaf_topic *)(uintptr_t)t;
    if (released(&leaf->refs))
        leaf_topic_free(leaf);
}

void leaf_document_unref(const struct view_document *d)
{
    struct leaf_document *leaf = (struct leaf_document *)(uintptr_t)d;
    if (!released(&leaf->refs))
        return;
    document_free(leaf->document);
    mem_free(leaf);
}

void part_topics_unref(struct part_topics *p)
{
    if (!p || !released(&p->refs))
        return;
    for (size_t i = 0; i < p->ids_n; i++)
        leaf_topic_unref(p->by_id[i]);
    mem_free(p->by_name);
    mem_free(p->by_id);
    mem_free(p);
}

void part_documents_unref(struct part_documents *p)
{
    if (!p || !released(&p->refs))
        return;
    for (size_t i = 0; i < p->n; i++)
        leaf_document_unref(p->by_name[i]);
    mem_free(p->by_name);
    mem_free(p->policy);
    mem_free(p->key);
    mem_free(p->principal);
    arena_free(&p->arena);
    mem_free(p);
}

void part_nodes_unref(struct part_nodes *p)
{
    if (!p || !released(&p->refs))
        return;
    mem_free(p->node);
    arena_free(&p->arena);
    mem_free(p);
}

const struct view *view_ref(const struct view *v)
{
    struct view_full *full = (struct view_full *)(uintptr_t)v;
    atomic_fetch_add_explicit(&full->refs, 1, memory_order_relaxed);
    return v;
}

void view_unref(const struct view *v)
{
    struct view_full *full = (struct view_full *)(uintptr_t)v;
    if (!full || !released(&full->refs))
        return;
    part_topics_unref(full->parts.topics);
    part_topics_unref(full->parts.deleted);
    part_documents_unref(full->parts.documents);
    part_nodes_unref(full->parts.nodes);
    mem_free(full);
}

size_t part_topics_find(const struct part_topics *p, struct slice name, bool *found)
{
    size_t lo = 0, hi = p->n;
    *found = false;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int cmp = slice_cmp(p->by_name[mid]->name, name);
        if (cmp == 0) {
            *found = true;
            return mid;
        }
        if (cmp < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static int compare_document(const struct view_document *d, enum document_kind kind,
                            struct slice name)
{
    if (d->kind != kind)
        return d->kind < kind ? -1 : 1;
    return slice_cmp(d->name, name);
}

size_t part_documents_find(const struct part_documents *p, enum document_kind kind,
                           struct slice name, bool *found)
{
    size_t lo = 0, hi = p->n;
    *found = false;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int cmp = compare_document(p->by_name[mid], kind, name);
        if (cmp == 0) {
            *found = true;
            return mid;
        }
        if (cmp < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static const struct view_topic *by_name(const struct part_topics *p, struct slice name)
{
    bool found;
    size_t i = part_topics_find(p, name, &found);
    return found ? p->by_name[i] : NULL;
}

const struct view_topic *part_topics_by_id(const struct part_topics *p, struct slice id)
{
    size_t lo = 0, hi = p->ids_n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int cmp = memcmp(p->by_id[mid]->id.bytes, id.p, sizeof p->by_id[mid]->id.bytes);
        if (cmp == 0)
            return p->by_id[mid];
        if (cmp < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

const struct view_topic *view_topic_live(const struct view *v, struct slice name)
{
    return by_name(full_of(v)->parts.topics, name);
}

const struct view_topic *view_topic_by_name(const struct view *v, struct slice name)
{
    const struct view_topic *t = view_topic_live(v, name);
    return t ? t : by_name(full_of(v)->parts.deleted, name);
}

const struct view_topic *view_topic_by_id(const struct view *v, const struct topic_id *id)
{
    struct slice bytes = slice_of(id->bytes, sizeof id->bytes);
    const struct view_topic *t = part_topics_by_id(full_of(v)->parts.topics, bytes);
    return t ? t : part_topics_by_id(full_of(v)->parts.deleted, bytes);
}

const struct view_document *view_document_by_name(const struct view *v, enum document_kind kind,
                                                  struct slice name)
{
    bool found;
    size_t i = part_documents_find(full_of(v)->parts.documents, kind, name, &found);
    return found ? v->document[i] : NULL;
}

const struct view_key *view_key_by_id(const struct view *v, struct slice kid)
{
    const struct part_documents *p = full_of(v)->parts.documents;
    size_t lo = 0, hi = p->keys_n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int cmp = slice_cmp(p->key[mid].kid, kid);
        if (cmp == 0)
            return &p->key[mid];
        if (cmp < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

const struct view_node *view_node_by_id(const struct view *v, int32_t id)
{
    for (size_t i = 0; i < v->nodes_n; i++)
        if (v->node[i].id == id)
            return &v->node[i];
    return NULL;
}

bool view_producer_granted(const struct producer *p, struct slice topic)
{
    for (size_t i = 0; i < p->topics.n; i++)
        if (policy_grant_covers(p->topics.item[i], topic))
            return true;
    return false;
}

bool view_principal_may_write(const struct view *v, struct slice principal, struct slice topic)
{
    const struct part_documents *p = full_of(v)->parts.documents;
    size_t lo = 0, hi = p->principals_n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (slice_cmp(p->principal[mid].principal, principal) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (; lo < p->principals_n && slice_eq(p->principal[lo].principal, principal); lo++)
        if (view_producer_granted(p->principal[lo].producer, topic))
            return true;
    return false;
}

bool view_name_ungoverned(const struct view *v, struct slice topic_name)
{
    return policy_governance_off(v->policy, v->policies_n, topic_name, v->governance_off);
}
