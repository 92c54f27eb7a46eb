/* The cluster itself: its id, its nodes, the ids that it gives to producers. */
#include "base/codec.h"
#include "catalogue/plan.h"

static struct slice number(struct plan *p, int64_t v)
{
    return slice_str(arena_printf(&p->arena, "%lld", (long long)v));
}

void decide_bootstrap(struct plan *p)
{
    p->action = "bootstrap";
    struct row id;
    if (meta_get(p->c, "cluster_id", &id))
        return; /* it has been: nothing to change */
    struct bytes text = {0};
    base64url_add(&text, slice_of(p->r->random, 16));
    struct slice name = arena_copy(&p->arena, bytes_slice(&text));
    bytes_free(&text);
    struct row rows[] = {
        meta_row("cluster_id", 0, name),
        meta_row("governance_off", p->r->governance_off, SLICE_LIT("")),
        meta_row("next_producer_id", 1, SLICE_LIT("")),
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        facts_put(&p->facts, &rows[i], 0);
    p->target = slice_str(arena_printf(&p->arena, "Cluster/%.*s", SLICE_FMT(name)));
}

void decide_producer_ids(struct plan *p)
{
    p->action = "producer-ids.allocate";
    int32_t n = p->r->count;
    if (n < 1 || n > CATALOGUE_PRODUCER_IDS_MAX) {
        outcome_set(p->out, ERR_INVALID, "count.invalid", "1 to %d producer ids at once, not %d",
                    CATALOGUE_PRODUCER_IDS_MAX, n);
        return;
    }
    struct row next;
    bool found = meta_get(p->c, "next_producer_id", &next);
    int64_t first = found ? next.cell[META_NUMBER].i : 1;
    if (first > INT64_MAX - n) {
        outcome_set(p->out, ERR_LIMIT, "producer-ids.exhausted", "no producer ids are left");
        return;
    }
    struct row after = meta_row("next_producer_id", first + n, SLICE_LIT(""));
    facts_put(&p->facts, &after, found ? next.rev : 0);
    p->first_producer_id = first;
    p->target = slice_str(arena_printf(&p->arena, "ProducerIds/%.*s", SLICE_FMT(number(p, first))));
}

static bool node_ok(struct plan *p, const struct view_node *n)
{
    if (n->id < 0 || n->kafka_port < 0 || n->kafka_port > 65535 || n->kafka_host.n > 255 ||
        n->admin_url.n > 1024 || n->rack.n > 255 || n->role.n > 32 || n->state.n > 32) {
        outcome_set(p->out, ERR_INVALID, "node.invalid",
                    "a node needs an id of 0 or more and addresses of sensible length");
        return false;
    }
    if (!view_node_by_id(p->v, n->id) && p->v->nodes_n >= CATALOGUE_NODES_MAX) {
        outcome_set(p->out, ERR_LIMIT, "limit.nodes", "more than %d nodes", CATALOGUE_NODES_MAX);
        return false;
    }
    return true;
}

static struct slice or_else(struct slice s, const char *otherwise)
{
    return s.n ? s : slice_str(otherwise);
}

void decide_node_register(struct plan *p)
{
    const struct view_node *n = &p->r->node;
    p->action = "node.register";
    if (!node_ok(p, n))
        return;
    struct row old = row_new(TABLE_NODE);
    old.cell[NODE_ID].i = n->id;
    bool found = rows_get(&p->c->rows, &old, &p->arena);
    struct row r = row_new(TABLE_NODE);
    r.cell[NODE_ID].i = n->id;
    r.cell[NODE_KAFKA_HOST].b = or_else(n->kafka_host, "");
    r.cell[NODE_KAFKA_PORT].i = n->kafka_port;
    r.cell[NODE_ADMIN_URL].b = or_else(n->admin_url, "");
    r.cell[NODE_RACK].b = or_else(n->rack, "");
    r.cell[NODE_ROLE].b = or_else(n->role, "voter");
    r.cell[NODE_STATE].b = or_else(n->state, "active");
    /* One more with each start: what an earlier life of the node still has under way is told apart
     * (KIP-903). */
    r.cell[NODE_BROKER_EPOCH].i = found ? old.cell[NODE_BROKER_EPOCH].i + 1 : 1;
    r.cell[NODE_RAFT_ID].i = (int64_t)n->raft_id;
    facts_put(&p->facts, &r, found ? old.rev : 0);
    p->target = slice_str(arena_printf(&p->arena, "Node/%d", n->id));
}
