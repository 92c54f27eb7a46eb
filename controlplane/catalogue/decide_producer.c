/* Producers and their keys. A key id is given once: a key can be added and revoked, and neither
 * altered nor taken away, whatever a document says or leaves out. */
#include "base/check.h"
#include "catalogue/plan.h"
#include "sign/sign.h"

#include <stdio.h>

/* Values of producer_key.state. */
enum { STATE_ACTIVE = 0, STATE_REVOKED = 1, STATE_RETIRED = 2, STATE_REVOKED_RETIRED = 3 };

static struct slice kid_of(struct plan *p, struct slice producer, struct slice id)
{
    return slice_str(arena_printf(&p->arena, "%.*s/%.*s", SLICE_FMT(producer), SLICE_FMT(id)));
}

static const struct producer_key *find_key(const struct producer *p, struct slice id)
{
    for (size_t i = 0; p && i < p->keys_n; i++)
        if (slice_eq(p->key[i].id, id))
            return &p->key[i];
    return NULL;
}

static void key_pointer(size_t i, const char *member, char out[64])
{
    snprintf(out, 64, "/keys/%zu%s", i, member);
}

/* Is the public key anybody's already? A key that was revoked must not come back under a new id,
 * and a key with two ids would make two producers of one signer. */
static void check_public(struct plan *p, int index, const char *pointer, struct slice kid,
                         const struct producer_key *k)
{
    struct slice public = slice_of(k->public_key, sizeof k->public_key);
    const char *other = map_get(&p->publics, public);
    if (other && !slice_eq_str(kid, other)) {
        plan_violation(p, index, "key.public-key-used", pointer,
                       "this public key is also that of %s", other);
        return;
    }
    sqlite3_stmt *st =
        rows_query(&p->c->rows, "SELECT * FROM producer_key WHERE public_key=? AND state<>2");
    rows_bind_slice(st, 1, public, false);
    while (rows_step(st)) {
        struct row r;
        rows_column_row(st, TABLE_KEY, &r);
        if (slice_eq(r.cell[KEY_KID].b, kid))
            continue;
        bool revoked = r.cell[KEY_STATE].i != STATE_ACTIVE;
        plan_violation(p, index, "key.public-key-used", pointer,
                       revoked ? "this public key was revoked as %.*s: make a new key"
                               : "this public key is that of %.*s already",
                       SLICE_FMT(r.cell[KEY_KID].b));
        break;
    }
    sqlite3_finalize(st);
}

/* A key that the producer does not have yet. */
static void check_new_key(struct plan *p, int index, size_t i, struct slice kid,
                          const struct producer_key *k)
{
    char pointer[64];
    key_pointer(i, "/id", pointer);
    struct row r = row_new(TABLE_KEY);
    r.cell[KEY_KID].b = kid;
    if (rows_rev(&p->c->rows, &r))
        plan_violation(p, index, "key.id-used", pointer,
                       "the key id %.*s was used before; ids are never given twice: choose another",
                       SLICE_FMT(kid));
    key_pointer(i, "/public_key", pointer);
    if (!sign_public_key_ok(k->public_key))
        plan_violation(p, index, "key.weak", pointer,
                       "not a usable Ed25519 public key (of small order, or not canonical)");
    check_public(p, index, pointer, kid, k);
    map_put(&p->publics, slice_of(k->public_key, sizeof k->public_key),
            arena_strdup(&p->arena, kid));
}

/* What the document may say of a key that is there: its times, and that it is revoked. */
static struct producer_key merge_key(struct plan *p, int index, size_t i, struct slice name,
                                     const struct producer_key *old, const struct producer_key *now)
{
    struct producer_key k = *now;
    char pointer[64];
    if (memcmp(old->public_key, now->public_key, sizeof old->public_key) != 0) {
        key_pointer(i, "/public_key", pointer);
        plan_violation(p, index, "key.changed", pointer,
                       "the key id %.*s has another public key; add the new one under a new id",
                       SLICE_FMT(old->id));
    }
    if (old->state == KEY_REVOKED) {
        if (now->state == KEY_ACTIVE)
            plan_impact(p, "key.stays-revoked", DOCUMENT_PRODUCER, name, -1,
                        "the key %.*s was revoked and stays so", SLICE_FMT(old->id));
        k.state = KEY_REVOKED;
        k.revoked_at_ms = old->revoked_at_ms;
        k.reason = old->reason;
    } else if (now->state == KEY_REVOKED && now->revoked_at_ms == 0) {
        k.revoked_at_ms = p->r->now_ms;
    }
    return k;
}

/* The producer with the keys that it has and those that the document adds. */
static struct document merge(struct plan *p, int index, const struct document *d,
                             const struct producer *old)
{
    struct document merged = *d;
    struct producer *to = &merged.producer;
    size_t old_n = old ? old->keys_n : 0;
    to->key = arena_zalloc(&p->arena, old_n + d->producer.keys_n + 1, sizeof *to->key);
    to->keys_n = old_n;
    for (size_t i = 0; i < old_n; i++)
        to->key[i] = old->key[i];
    for (size_t i = 0; i < d->producer.keys_n; i++) {
        const struct producer_key *k = &d->producer.key[i];
        size_t at = 0;
        while (at < old_n && !slice_eq(old->key[at].id, k->id))
            at++;
        if (at < old_n) {
            to->key[at] = merge_key(p, index, i, d->name, &old->key[at], k);
            continue;
        }
        check_new_key(p, index, i, kid_of(p, d->name, k->id), k);
        struct producer_key *added = &to->key[to->keys_n++];
        *added = *k;
        if (added->state == KEY_REVOKED && added->revoked_at_ms == 0)
            added->revoked_at_ms = p->r->now_ms;
    }
    if (to->keys_n > CATALOGUE_KEYS_PER_PRODUCER_MAX)
        plan_violation(p, index, "limit.keys", "/keys",
                       "%zu keys, more than %d (revoked ones count: make a new producer)",
                       to->keys_n, CATALOGUE_KEYS_PER_PRODUCER_MAX);
    return merged;
}

static bool same_key(const struct producer_key *a, const struct producer_key *b)
{
    return a->state == b->state && a->not_before_ms == b->not_before_ms &&
           a->not_after_ms == b->not_after_ms && a->revoked_at_ms == b->revoked_at_ms &&
           slice_eq(a->reason, b->reason);
}

static struct row key_row(struct plan *p, struct slice producer, size_t position,
                          const struct producer_key *k)
{
    struct row r = row_new(TABLE_KEY);
    r.cell[KEY_KID].b = kid_of(p, producer, k->id);
    r.cell[KEY_PRODUCER].b = producer;
    r.cell[KEY_ID].b = k->id;
    r.cell[KEY_POSITION].i = (int64_t)position;
    r.cell[KEY_PUBLIC].b = slice_of(k->public_key, sizeof k->public_key);
    r.cell[KEY_STATE].i = k->state == KEY_REVOKED ? STATE_REVOKED : STATE_ACTIVE;
    r.cell[KEY_NOT_BEFORE].i = k->not_before_ms;
    r.cell[KEY_NOT_AFTER].i = k->not_after_ms;
    r.cell[KEY_REVOKED_AT].i = k->revoked_at_ms;
    r.cell[KEY_REASON].b = k->reason;
    return r;
}

static void put_keys(struct plan *p, const struct producer *now, const struct producer *old)
{
    for (size_t i = 0; i < now->keys_n; i++) {
        const struct producer_key *was = find_key(old, now->key[i].id);
        if (was && same_key(was, &now->key[i]))
            continue;
        struct row r = key_row(p, now->name, i, &now->key[i]);
        /* The producer's own row guards the keys that it has; a new id must be nobody's. */
        if (was)
            facts_put_any(&p->facts, &r);
        else
            facts_put(&p->facts, &r, 0);
        /* The list of all keys may be too long to stand in the plan. */
        if (!was)
            plan_impact(p, "key.added", DOCUMENT_PRODUCER, now->name, -1, "the key %.*s/%.*s",
                        SLICE_FMT(now->name), SLICE_FMT(now->key[i].id));
        if (was && was->state == KEY_ACTIVE && now->key[i].state == KEY_REVOKED)
            plan_impact(p, "key.revoked", DOCUMENT_PRODUCER, now->name, -1,
                        "signatures by %.*s/%.*s are refused from now on", SLICE_FMT(now->name),
                        SLICE_FMT(now->key[i].id));
    }
}

static void put_producer(struct plan *p, const struct document *d, uint64_t expected)
{
    struct document bare = *d;
    bare.producer.key = NULL;
    bare.producer.keys_n = 0;
    struct bytes text = {0};
    document_write(&bare, &text);
    struct row row = row_new(TABLE_PRODUCER);
    row.cell[PRODUCER_NAME].b = d->name;
    row.cell[PRODUCER_UPDATED].i = p->r->now_ms;
    row.cell[PRODUCER_TEAM].b = d->producer.team;
    row.cell[PRODUCER_DOCUMENT].b = arena_copy(&p->arena, bytes_slice(&text));
    bytes_free(&text);
    facts_put(&p->facts, &row, expected);
}

/* Topics that the producer could write and cannot any more. */
static void lost_grants(struct plan *p, const struct producer *old, const struct producer *now)
{
    for (size_t i = 0; i < p->v->topics_n; i++) {
        struct slice topic = p->v->topic[i]->name;
        if (view_producer_granted(old, topic) && !(now && view_producer_granted(now, topic)))
            plan_impact(p, "grant-lost", DOCUMENT_PRODUCER, old->name, -1,
                        "may no longer write %.*s", SLICE_FMT(topic));
    }
}

static void check_team(struct plan *p, int index, struct slice team)
{
    if (!plan_has(p, DOCUMENT_TEAM, team)) {
        plan_violation(p, index, "reference.team-unknown", "/team",
                       "there is no team %.*s, neither in the catalogue nor in this set",
                       SLICE_FMT(team));
        return;
    }
    if (plan_document(p, DOCUMENT_TEAM, team))
        return;
    struct row r = row_new(TABLE_TEAM);
    r.cell[TEAM_NAME].b = team;
    facts_exists(&p->facts, &r);
}

void plan_producer(struct plan *p, int index, const struct document *d)
{
    const struct view_document *old = view_document_by_name(p->v, DOCUMENT_PRODUCER, d->name);
    const struct producer *was = old ? &old->document->producer : NULL;
    struct document now = merge(p, index, d, was);
    struct bytes a = {0}, b = {0};
    document_write(&now, &a);
    if (old)
        document_write(old->document, &b);
    bool same = old && slice_eq(bytes_slice(&a), bytes_slice(&b));
    bytes_free(&a);
    bytes_free(&b);
    if (same) {
        plan_change(p, "unchanged", d->kind, d->name, NULL, NULL);
        return;
    }
    check_team(p, index, d->producer.team);
    if (was)
        plan_owner(p, index, was->team);
    if (!was || !slice_eq(was->team, d->producer.team))
        plan_owner(p, index, d->producer.team);
    put_producer(p, &now, old ? old->version : 0);
    put_keys(p, &now.producer, was);
    plan_change(p, old ? "update" : "create", d->kind, d->name, old ? old->document : NULL, &now);
    if (was)
        lost_grants(p, was, &now.producer);
    if (!old && plan_count(p, DOCUMENT_PRODUCER) > CATALOGUE_PRODUCERS_MAX)
        plan_violation(p, index, "limit.producers", "", "more than %d producers",
                       CATALOGUE_PRODUCERS_MAX);
}

/* The keys of a producer that goes stay as rows, so that no id and no revoked key comes back. */
void plan_producer_delete(struct plan *p, const struct view_document *d)
{
    const struct producer *was = &d->document->producer;
    for (size_t i = 0; i < was->keys_n; i++) {
        struct row r = key_row(p, was->name, i, &was->key[i]);
        r.cell[KEY_STATE].i += STATE_RETIRED;
        facts_put_any(&p->facts, &r);
    }
    lost_grants(p, was, NULL);
}
