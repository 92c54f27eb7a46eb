/* One key more, or one revoked: the producer's document with that change. */
#include "catalogue/plan.h"

static const struct view_document *producer_of(struct plan *p)
{
    const struct view_document *d = view_document_by_name(p->v, DOCUMENT_PRODUCER, p->r->name);
    if (!d) {
        outcome_set(p->out, ERR_NOT_FOUND, "producer.unknown", "there is no producer %.*s",
                    SLICE_FMT(p->r->name));
        return NULL;
    }
    return plan_condition(p, d->version) ? d : NULL;
}

static size_t find(const struct producer *p, struct slice id)
{
    size_t i = 0;
    while (i < p->keys_n && !slice_eq(p->key[i].id, id))
        i++;
    return i;
}

/* Plans the document with `key` as its only mention of keys: the others stay as they are. */
static void plan_with(struct plan *p, const struct view_document *d, struct producer_key *key)
{
    struct document changed = *d->document;
    changed.producer.key = key;
    changed.producer.keys_n = 1;
    plan_producer(p, -1, &changed);
    p->target =
        slice_str(arena_printf(&p->arena, "Key/%.*s/%.*s", SLICE_FMT(d->name), SLICE_FMT(key->id)));
}

void decide_key_add(struct plan *p)
{
    p->action = "key.add";
    const struct view_document *d = producer_of(p);
    if (!d)
        return;
    const struct producer *was = &d->document->producer;
    struct producer_key key = p->r->key;
    size_t at = find(was, key.id);
    if (at < was->keys_n) {
        outcome_set(p->out, ERR_CONFLICT, "key.exists",
                    "%.*s has a key %.*s already; choose another id", SLICE_FMT(was->name),
                    SLICE_FMT(key.id));
        return;
    }
    char why[128];
    if (!catalogue_name_ok(key.id, why) || key.id.n > 32) {
        plan_violation(p, -1, "name.invalid", "/id",
                       "a key id has 1 to 32 of the characters A-Z a-z 0-9 . _ -");
        return;
    }
    key.state = KEY_ACTIVE;
    key.revoked_at_ms = 0;
    key.reason = SLICE_LIT("");
    plan_with(p, d, &key);
}

void decide_key_revoke(struct plan *p)
{
    p->action = "key.revoke";
    const struct view_document *d = producer_of(p);
    if (!d)
        return;
    const struct producer *was = &d->document->producer;
    size_t at = find(was, p->r->key.id);
    if (at == was->keys_n) {
        outcome_set(p->out, ERR_NOT_FOUND, "key.unknown", "%.*s has no key %.*s",
                    SLICE_FMT(was->name), SLICE_FMT(p->r->key.id));
        return;
    }
    if (p->r->key.reason.n > CATALOGUE_REASON_MAX_BYTES) {
        plan_violation(p, -1, "value.invalid", "/reason", "longer than %d bytes",
                       CATALOGUE_REASON_MAX_BYTES);
        return;
    }
    struct producer_key key = was->key[at];
    if (key.state == KEY_ACTIVE) {
        key.state = KEY_REVOKED;
        key.revoked_at_ms = p->r->now_ms;
        key.reason = p->r->key.reason.p ? p->r->key.reason : SLICE_LIT("");
    }
    plan_with(p, d, &key);
}
