#include "raft/node_open.h"

#include "raft/guard.h"

#include <string.h>
#include <sys/random.h>

void raft_node_set_defaults(struct raft_node_options *o)
{
    if (o->election_timeout_ms == 0)
        o->election_timeout_ms = 1000;
    if (o->heartbeat_ms == 0)
        o->heartbeat_ms = 100;
    if (o->install_timeout_ms == 0)
        o->install_timeout_ms = 3000;
    if (o->snapshot_entries == 0)
        o->snapshot_entries = 20000;
    if (o->snapshot_bytes == 0)
        o->snapshot_bytes = UINT64_C(16) * 1024 * 1024;
    if (o->trailing_entries == 0)
        o->trailing_entries = 2000;
    if (o->trailing_bytes == 0)
        o->trailing_bytes = UINT64_C(4) * 1024 * 1024;
    if (o->stall_limit_ms == 0)
        o->stall_limit_ms = 20000;
}

int raft_node_check(const struct raft_node_config *c, struct err *e)
{
    bool self = c->voters_n == 0;

    if (raft_guard_library_is_newer())
        return err_set(
            e, ERR_UNSUPPORTED,
            "libraft is newer than 0.15: this program is built for Debian's libraft2 0.15");
    if (c->raft_id == 0 || c->address == NULL || strlen(c->address) > RAFT_NODE_ADDRESS_MAX)
        return err_set(e, ERR_INVALID, "a Raft id and an address of at most %d bytes are needed",
                       RAFT_NODE_ADDRESS_MAX);
    if (c->voters_n > RAFT_NODE_VOTERS_MAX)
        return err_set(e, ERR_INVALID, "%zu voters are more than %d", c->voters_n,
                       RAFT_NODE_VOTERS_MAX);
    for (size_t i = 0; i < c->voters_n; i++) {
        self |= c->voters[i].id == c->raft_id;
        if (strlen(c->voters[i].address) > RAFT_NODE_ADDRESS_MAX)
            return err_set(e, ERR_INVALID, "the address of voter %llu is too long",
                           (unsigned long long)c->voters[i].id);
    }
    return self ? 0 : err_set(e, ERR_INVALID, "the list of voters does not have this node in it");
}

static int bootstrap(struct raft_store *s, const struct raft_node_config *c, struct err *e)
{
    struct raft_configuration conf;
    struct raft_node_voter self = {.id = c->raft_id, .address = c->address};
    const struct raft_node_voter *voter = c->voters_n > 0 ? c->voters : &self;
    size_t count = c->voters_n > 0 ? c->voters_n : 1;
    int rc = 0;

    raft_configuration_init(&conf);
    for (size_t i = 0; i < count && rc == 0; i++) {
        int status = raft_configuration_add(&conf, voter[i].id, voter[i].address, RAFT_VOTER);

        if (status != 0)
            rc = err_set(e, ERR_INVALID, "voter %llu at %s: %s", (unsigned long long)voter[i].id,
                         voter[i].address, raft_strerror(status));
    }
    if (rc == 0)
        rc = raft_store_bootstrap(s, &conf, e);
    raft_configuration_close(&conf);
    return rc;
}

int raft_node_open_store(struct raft_store **out, struct raft_files *files,
                         const struct raft_node_config *c, struct raft_store_state *state,
                         struct err *e)
{
    uint64_t incarnation;
    int rc;

    *out = NULL;
    if (getrandom(&incarnation, sizeof incarnation, 0) != (ssize_t)sizeof incarnation)
        return err_set(e, ERR_IO, "the system gives no random numbers");
    rc = raft_store_open(out, files, c->raft_id, incarnation, NULL, e);
    if (rc == 0 && raft_store_is_fresh(*out))
        rc = bootstrap(*out, c, e);
    if (rc == 0)
        rc = raft_store_load(*out, state, e);
    if (rc == 0)
        return 0;
    raft_store_close(*out);
    return err_wrap(e, "%s", c->folder);
}
