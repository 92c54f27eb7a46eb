/* Plays histories from the command line: raft_sim_main FIRST COUNT NODES [key=value ...] */
#include "raft_sim.h"

#include "raft/guard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void set(struct raft_sim_options *o, const char *text)
{
    const char *eq = strchr(text, '=');
    unsigned long v = eq != NULL ? strtoul(eq + 1, NULL, 0) : 1;
    size_t n = eq != NULL ? (size_t)(eq - text) : strlen(text);
    const struct {
        const char *name;
        unsigned *number;
        bool *flag;
    } keys[] = {
        {"off", &o->guard_off, NULL},
        {"duration", &o->duration_ms, NULL},
        {"crash", &o->crash_ms, NULL},
        {"partition", &o->partition_ms, NULL},
        {"loss", &o->loss_ppm, NULL},
        {"duplicate", &o->duplicate_ppm, NULL},
        {"reorder", &o->reorder_ppm, NULL},
        {"stall", &o->stall_ppm, NULL},
        {"error", &o->write_error_ms, NULL},
        {"snapshot", &o->snapshot_entries, NULL},
        {"trailing", &o->trailing_entries, NULL},
        {"roles", NULL, &o->roles},
        {"transfers", NULL, &o->transfers},
        {"no_pre_vote", NULL, &o->no_pre_vote},
        {"send_fails", NULL, &o->send_fails},
        {"end_unchecked", NULL, &o->quiet_end_unchecked},
    };

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (strlen(keys[i].name) != n || strncmp(keys[i].name, text, n) != 0)
            continue;
        if (keys[i].number != NULL)
            *keys[i].number = (unsigned)v;
        else
            *keys[i].flag = v != 0;
        return;
    }
    fprintf(stderr, "unknown key %s\n", text);
    exit(2);
}

int main(int argc, char **argv)
{
    uint64_t first, count, bad = 0, acked = 0, roles = 0, installs = 0, restarts = 0, crashes = 0;
    uint64_t nobody = 0, hits[16] = {0};
    unsigned nodes;

    if (argc < 4) {
        fprintf(stderr, "usage: %s FIRST_SEED COUNT NODES [key=value ...]\n", argv[0]);
        return 2;
    }
    first = strtoull(argv[1], NULL, 0);
    count = strtoull(argv[2], NULL, 0);
    nodes = (unsigned)strtoul(argv[3], NULL, 0);
    for (uint64_t seed = first; seed < first + count; seed++) {
        struct raft_sim_options o = raft_sim_defaults(seed, nodes);
        struct raft_sim_result r;

        for (int i = 4; i < argc; i++)
            set(&o, argv[i]);
        raft_sim_run(&o, &r);
        if (r.violated && bad++ < 20)
            printf("seed %llu: %s\n", (unsigned long long)seed, r.what);
        acked += r.acknowledged;
        roles += r.role_changes;
        installs += r.snapshots_installed;
        restarts += r.config_restarts;
        crashes += r.crashes;
        nobody += r.sends_to_nobody;
        for (int i = 0; i < 16; i++)
            hits[i] += r.guard_hits[i];
        if (count == 1)
            printf("hash %016llx\n", (unsigned long long)r.hash);
    }
    printf("%llu of %llu histories violated; %llu acknowledged, %llu crashes, %llu role changes, "
           "%llu installs, %llu configuration restarts, %llu sends to nobody\nguard:",
           (unsigned long long)bad, (unsigned long long)count, (unsigned long long)acked,
           (unsigned long long)crashes, (unsigned long long)roles, (unsigned long long)installs,
           (unsigned long long)restarts, (unsigned long long)nobody);
    for (int i = 0; i < RAFT_GUARD_RULES; i++)
        printf(" %llu", (unsigned long long)hits[i]);
    printf("\n");
    return bad != 0;
}
