#include "base/check.h"
#include "catalogue/plan.h"

/* Answers at once what needs no look at the request's content: true. */
static bool answered(struct catalogue *c, const struct request *r, struct result *out)
{
    if (r->idempotency_key.n > CATALOGUE_IDEMPOTENCY_KEY_MAX_BYTES) {
        outcome_set(out, ERR_INVALID, "idempotency.too-long",
                    "an Idempotency-Key has at most %d bytes", CATALOGUE_IDEMPOTENCY_KEY_MAX_BYTES);
        return true;
    }
    if (r->idempotency_key.n) {
        uint8_t digest[DIGEST_BYTES];
        outcome_request_digest(r, digest);
        if (outcome_recorded(c, r->principal, r->idempotency_key, slice_of(digest, sizeof digest),
                             out))
            return true;
    }
    if (r->if_version && r->if_version != c->version) {
        outcome_set(out, ERR_CONFLICT, "if-version",
                    "the catalogue is at version %llu, not %llu: plan again",
                    (unsigned long long)c->version, (unsigned long long)r->if_version);
        return true;
    }
    return false;
}

static void decide_kind(struct plan *p)
{
    switch (p->r->kind) {
    case REQUEST_APPLY:
        decide_documents(p);
        break;
    case REQUEST_DELETE:
        decide_delete(p);
        break;
    case REQUEST_KEY_ADD:
        decide_key_add(p);
        break;
    case REQUEST_KEY_REVOKE:
        decide_key_revoke(p);
        break;
    case REQUEST_TOPIC_CREATE:
        decide_topic_create(p);
        break;
    case REQUEST_TOPIC_DELETE:
        decide_topic_delete(p);
        break;
    case REQUEST_PARTITIONS_ADD:
        decide_partitions_add(p);
        break;
    case REQUEST_CONFIG_SET:
        decide_config_set(p);
        break;
    case REQUEST_PRODUCER_IDS:
        decide_producer_ids(p);
        break;
    case REQUEST_NODE_REGISTER:
        decide_node_register(p);
        break;
    case REQUEST_BOOTSTRAP:
        decide_bootstrap(p);
        break;
    }
}

void catalogue_decide(struct catalogue *c, const struct request *r, struct bytes *facts,
                      struct result *out)
{
    *out = (struct result){.request_id = r->id, .version = c->version};
    bytes_clear(facts);
    if (!answered(c, r, out)) {
        struct plan p;
        plan_open(&p, c, r, out);
        decide_kind(&p);
        plan_finish(&p, facts);
        plan_close(&p);
    }
    arena_reset(&c->scratch);
    out->request_id = r->id;
}

/* --- documents -----------------------------------------------------------------------------------
 */

static void index_documents(struct plan *p)
{
    const struct request *r = p->r;
    for (size_t i = 0; i < r->documents_n; i++) {
        const struct document *d = r->documents[i].document;
        if (plan_document(p, d->kind, d->name)) {
            plan_violation(p, (int)i, "document.duplicate", "/name",
                           "%s %.*s stands twice in the set", document_kind_name(d->kind),
                           SLICE_FMT(d->name));
            continue;
        }
        uint8_t *key = arena_alloc(&p->arena, d->name.n + 1);
        key[0] = (uint8_t)d->kind;
        memcpy(key + 1, d->name.p, d->name.n);
        map_put(&p->documents, slice_of(key, d->name.n + 1), &r->documents[i]);
    }
}

static bool pruned(struct plan *p, enum document_kind kind, struct slice name)
{
    return slice_starts(name, p->r->prune_scope) && !plan_document(p, kind, name);
}

/* What the scope has and the documents do not name. */
static void mark_pruned(struct plan *p)
{
    for (size_t i = 0; i < p->v->topics_n; i++)
        if (p->v->topic[i]->contract && pruned(p, DOCUMENT_TOPIC, p->v->topic[i]->name))
            plan_mark_gone(p, DOCUMENT_TOPIC, p->v->topic[i]->name);
    for (size_t i = 0; i < p->v->documents_n; i++)
        if (pruned(p, p->v->document[i]->kind, p->v->document[i]->name))
            plan_mark_gone(p, p->v->document[i]->kind, p->v->document[i]->name);
}

static void delete_pruned(struct plan *p)
{
    for (size_t i = 0; i < p->v->topics_n; i++)
        if (plan_goes(p, DOCUMENT_TOPIC, p->v->topic[i]->name))
            plan_topic_delete(p, -1, p->v->topic[i], true);
    for (size_t i = 0; i < p->v->documents_n; i++)
        if (plan_goes(p, p->v->document[i]->kind, p->v->document[i]->name))
            plan_document_delete(p, -1, p->v->document[i]);
}

/* The policies as they will be: contracts of this request are judged by them. */
static void lay_policies(struct plan *p)
{
    size_t cap = p->v->policies_n + p->r->documents_n + 1, n = 0;
    const struct policy **list = arena_zalloc(&p->arena, cap, sizeof *list);
    for (size_t i = 0; i < p->v->policies_n; i++) {
        struct slice name = p->v->policy[i]->name;
        if (!plan_document(p, DOCUMENT_POLICY, name) && !plan_goes(p, DOCUMENT_POLICY, name))
            list[n++] = p->v->policy[i];
    }
    for (size_t i = 0; i < p->r->documents_n; i++)
        if (p->r->documents[i].document->kind == DOCUMENT_POLICY)
            list[n++] = &p->r->documents[i].document->policy;
    p->policy = list;
    p->policies_n = n;
}

static uint64_t version_of(struct plan *p, const struct document *d)
{
    if (d->kind == DOCUMENT_TOPIC) {
        const struct view_topic *t = view_topic_live(p->v, d->name);
        return t ? t->version : 0;
    }
    const struct view_document *v = view_document_by_name(p->v, d->kind, d->name);
    return v ? v->version : 0;
}

static bool limits_hold(struct plan *p)
{
    const struct request *r = p->r;
    if (r->documents_n > CATALOGUE_DOCUMENTS_MAX) {
        outcome_set(p->out, ERR_LIMIT, "documents.too-many", "%zu documents, more than %d",
                    r->documents_n, CATALOGUE_DOCUMENTS_MAX);
        return false;
    }
    if (r->prune && r->prune_scope.n == 0) {
        outcome_set(p->out, ERR_INVALID, "scope.missing",
                    "prune needs a scope: the prefix of the names that may be removed");
        return false;
    }
    if (r->if_resource_version && r->documents_n != 1) {
        outcome_set(p->out, ERR_INVALID, "if-match.several",
                    "a condition on one resource goes with exactly one document");
        return false;
    }
    return r->documents_n != 1 || plan_condition(p, version_of(p, r->documents[0].document));
}

void decide_documents(struct plan *p)
{
    p->action = "apply";
    if (!limits_hold(p))
        return;
    index_documents(p);
    if (p->r->prune)
        mark_pruned(p);
    lay_policies(p);
    for (size_t i = 0; i < p->r->documents_n; i++) {
        const struct request_document *d = &p->r->documents[i];
        if (plan_document(p, d->document->kind, d->document->name) != d)
            continue; /* the second of two: a violation already */
        switch (d->document->kind) {
        case DOCUMENT_TEAM:
            plan_team(p, (int)i, d->document);
            break;
        case DOCUMENT_POLICY:
            plan_policy(p, (int)i, d->document);
            break;
        case DOCUMENT_PRODUCER:
            plan_producer(p, (int)i, d->document);
            break;
        case DOCUMENT_TOPIC:
            plan_topic(p, (int)i, d);
            break;
        }
    }
    delete_pruned(p);
}

/* --- teams and policies --------------------------------------------------------------------------
 */

static bool same_text(const struct document *a, const struct document *b, struct arena *arena,
                      struct slice *text)
{
    struct bytes x = {0}, y = {0};
    document_write(a, &x);
    if (b)
        document_write(b, &y);
    bool same = b && slice_eq(bytes_slice(&x), bytes_slice(&y));
    *text = arena_copy(arena, bytes_slice(&x));
    bytes_free(&x);
    bytes_free(&y);
    return same;
}

/* Teams and policies are one row of the same form each. */
static bool put_document(struct plan *p, enum table_id table, const struct document *d)
{
    const struct view_document *old = view_document_by_name(p->v, d->kind, d->name);
    struct slice text;
    if (same_text(d, old ? old->document : NULL, &p->arena, &text)) {
        plan_change(p, "unchanged", d->kind, d->name, NULL, NULL);
        return false;
    }
    struct row row = row_new(table);
    row.cell[TEAM_NAME].b = d->name;
    row.cell[TEAM_UPDATED].i = p->r->now_ms;
    row.cell[TEAM_DOCUMENT].b = text;
    facts_put(&p->facts, &row, old ? old->version : 0);
    plan_change(p, old ? "update" : "create", d->kind, d->name, old ? old->document : NULL, d);
    return true;
}

void plan_team(struct plan *p, int index, const struct document *d)
{
    bool exists = view_document_by_name(p->v, DOCUMENT_TEAM, d->name) != NULL;
    if (!put_document(p, TABLE_TEAM, d))
        return;
    plan_owner(p, index, exists ? d->name : SLICE_NULL);
    if (!exists && plan_count(p, DOCUMENT_TEAM) > CATALOGUE_TEAMS_MAX)
        plan_violation(p, index, "limit.teams", "", "more than %d teams", CATALOGUE_TEAMS_MAX);
}

/* Contracts and topics that the new policies would not let in any more: they stay as they are. */
static void policy_consequences(struct plan *p, const struct policy *policy)
{
    for (size_t i = 0; i < p->v->topics_n; i++) {
        const struct view_topic *t = p->v->topic[i];
        if (!slice_starts(t->name, policy->prefix) || plan_document(p, DOCUMENT_TOPIC, t->name) ||
            plan_goes(p, DOCUMENT_TOPIC, t->name))
            continue;
        bool off = policy_governance_off(p->policy, p->policies_n, t->name, p->v->governance_off);
        if (!t->contract) {
            if (!off)
                plan_impact(p, "topic.ungoverned", DOCUMENT_TOPIC, t->name, -1,
                            "has no contract: writes to it are refused until it has one");
            continue;
        }
        if (t->governed && off)
            plan_impact(p, "topic.unchecked", DOCUMENT_TOPIC, t->name, -1,
                        "its contract is no longer looked at");
        struct policy resolved = policy_resolve(p->policy, p->policies_n, t->name);
        struct document_errors errors = {0};
        struct bytes text = {0};
        struct json_doc json = {0};
        document_write(t->document, &text);
        int rc = json_parse(&json, bytes_slice(&text), NULL, NULL);
        ASSERT(rc == 0);
        policy_check(&resolved, t->contract, &json, &errors);
        if (errors.n)
            plan_impact(p, "policy.existing", DOCUMENT_TOPIC, t->name, -1,
                        "would not be accepted now: %s %s", errors.item[0].code,
                        errors.item[0].detail);
        document_errors_free(&errors);
        json_free(&json);
        bytes_free(&text);
    }
}

void plan_policy(struct plan *p, int index, const struct document *d)
{
    for (size_t i = 0; i < p->policies_n; i++)
        if (slice_eq(p->policy[i]->prefix, d->policy.prefix) &&
            !slice_eq(p->policy[i]->name, d->policy.name)) {
            plan_violation(p, index, "policy.prefix-taken", "/prefix",
                           "the policy %.*s has this prefix already",
                           SLICE_FMT(p->policy[i]->name));
            break;
        }
    if (!put_document(p, TABLE_POLICY, d))
        return;
    plan_owner(p, index, SLICE_NULL);
    p->policies_moved = true;
    if (plan_count(p, DOCUMENT_POLICY) > CATALOGUE_POLICIES_MAX)
        plan_violation(p, index, "limit.policies", "", "more than %d policies",
                       CATALOGUE_POLICIES_MAX);
    policy_consequences(p, &d->policy);
}
