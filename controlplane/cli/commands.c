/* The table of commands: dispatch, help, completion and docs/cli.md all follow from it. */
#include "cli/internal.h"

#define END_OF_OPTIONS                                                                             \
    {                                                                                              \
        NULL, 0, NULL, NULL                                                                        \
    }

const struct cli_option cli_remote_options[] = {
    {"server", 0, "URL",
     "the node's admin address (default: WRIT_SERVER, the context file, or "
     "http://127.0.0.1:9192)"},
    {"token-file", 0, "FILE", "holds the bearer token (default: WRIT_TOKEN or the context file)"},
    {"data", 0, "DIR", "a node's data folder on this machine: tells its address and its token"},
    END_OF_OPTIONS,
};
const struct cli_option cli_format_options[] = {
    {"output", 'o', "FORMAT", "json, yaml or table (default)"},
    END_OF_OPTIONS,
};

static const struct cli_option change_options[] = {
    {"file", 'f', "PATH", "a folder, a file, or - for standard input; may be repeated"},
    {"if-version", 0, "N", "only if the catalogue is still at version N"},
    {"prune", 0, NULL, "delete what the documents do not name (needs --scope)"},
    {"scope", 0, "PREFIX", "the names that --prune may touch"},
    {"accept", 0, "GUARD", "override a guard by its name, e.g. loses-records; may be repeated"},
    END_OF_OPTIONS,
};
static const struct cli_option record_options[] = {
    {"record-key", 0, "KEY", "the record's key (default: none)"},
    {"header", 'H', "NAME=VALUE", "a header of the record, in order; may be repeated"},
    {"principal", 0, "NAME", "who would write it unsigned (default: anonymous)"},
    END_OF_OPTIONS,
};
static const struct cli_option get_options[] = {
    {"prefix", 0, "PREFIX", "names that begin with it"},
    {"team", 0, "TEAM", "topics of this team"},
    {"mode", 0, "MODE", "topics of this mode"},
    END_OF_OPTIONS,
};
static const struct cli_option delete_options[] = {
    {"accept", 0, "GUARD", "override a guard by its name, e.g. loses-records; may be repeated"},
    END_OF_OPTIONS,
};
static const struct cli_option key_new_options[] = {
    {"out", 0, "FILE", "where the secret key goes (default: writ.key); never overwritten"},
    {"kid", 0, "PRODUCER/KEY", "the key's full name, kept in the file"},
    END_OF_OPTIONS,
};
static const struct cli_option key_add_options[] = {
    {"public", 0, "KEY", "the public key (43 characters), or a key file"},
    {"not-before", 0, "TIME", "not valid before, e.g. 2026-12-01T00:00:00Z"},
    {"not-after", 0, "TIME", "not valid after"},
    END_OF_OPTIONS,
};
static const struct cli_option key_revoke_options[] = {
    {"reason", 0, "TEXT", "why; it stands in the audit record"},
    END_OF_OPTIONS,
};
static const struct cli_option sign_options[] = {
    {"key", 0, "FILE", "the secret key's file, as writ key new makes it"},
    {"kid", 0, "PRODUCER/KEY", "the key's full name (default: as in the file)"},
    {"topic", 't', "TOPIC", "the topic that the record is for"},
    {"record-key", 0, "KEY", "the record's key (default: none)"},
    {"header", 'H', "NAME=VALUE", "a header of the record, in order; may be repeated"},
    {"sign-header", 0, "NAME", "a header that the signature covers; may be repeated"},
    {"time", 0, "TIME", "the signature's time, to try a contract's window (default: now)"},
    {"null", 0, NULL, "the value is null; standard input is not read"},
    {"line", 0, NULL, "the value is the first line without its newline, as kcat reads it"},
    {"batch", 0, NULL, "one value per line in, one signature per line out"},
    {"null-separated", '0', NULL, "with --batch: values end with NUL, not newline"},
    {"key-delimiter", 'K', "TEXT", "with --batch: each line is KEY TEXT VALUE, as kcat's -K"},
    END_OF_OPTIONS,
};
static const struct cli_option verify_options[] = {
    {"public", 0, "KEY", "the public key (43 characters), or a key file"},
    {"signature", 0, "VALUE", "the header's value, or the line that writ sign prints"},
    {"kid", 0, "PRODUCER/KEY", "the signature must name this key"},
    {"topic", 't', "TOPIC", "the topic that the record was read from"},
    {"record-key", 0, "KEY", "the record's key (default: none)"},
    {"header", 'H', "NAME=VALUE", "a header of the record, in order; may be repeated"},
    {"null", 0, NULL, "the value is null; standard input is not read"},
    {"line", 0, NULL, "the value is the first line without its newline"},
    END_OF_OPTIONS,
};
static const struct cli_option rejection_options[] = {
    {"follow", 0, NULL, "the last ten, then each new one as it comes"},
    {"topic", 't', "TOPIC", "of this topic"},
    {"code", 0, "CODE", "with this verdict, e.g. payload.invalid"},
    {"key-id", 0, "KID", "signed by this key"},
    {"principal", 0, "NAME", "by this principal"},
    {"correlation-id", 0, "ID", "of this request"},
    {"since", 0, "TIME", "not before, e.g. 2026-11-25T09:00:00Z"},
    {"until", 0, "TIME", "not after"},
    {"limit", 0, "N", "at most N"},
    END_OF_OPTIONS,
};
static const struct cli_option audit_options[] = {
    {"follow", 0, NULL, "the last ten, then each new one as it comes"},
    {"principal", 0, "NAME", "by this principal"},
    {"action", 0, "ACTION", "e.g. apply, key.revoke"},
    {"target", 0, "TARGET", "e.g. Topic/shop.orders"},
    {"correlation-id", 0, "ID", "of this request"},
    {"since", 0, "TIME", "not before, e.g. 2026-11-25T09:00:00Z"},
    {"until", 0, "TIME", "not after"},
    {"limit", 0, "N", "at most N"},
    END_OF_OPTIONS,
};

static const struct cli_command commands[] = {
    {"plan", "", 0, 0, change_options, true, true, cli_plan,
     "what applying documents would change, and what is in the way",
     "Reads the documents (all .yaml files of a folder and below), asks the node what applying "
     "them\n"
     "would do, and changes nothing. Refusals name the file, the line and the field.\n\n"
     "  writ plan -f contracts/\n"},
    {"apply", "", 0, 0, change_options, true, true, cli_apply,
     "brings documents into force, all of them or none",
     "Applies the documents as one change. Applying the same folder twice changes nothing the "
     "second\n"
     "time and says so. A change that would lose data is refused by a guard, which can be "
     "overridden\n"
     "by its name; the audit record says so.\n\n"
     "  writ apply -f contracts/\n"
     "  writ apply -f contracts/ --if-version 12      # as planned, or not at all\n"
     "  writ apply -f contracts/ --accept loses-records\n"},
    {"diff", "", 0, 0, change_options, true, true, cli_diff,
     "like plan; exit code 1 when anything differs",
     "For scripts that ask whether a folder and the cluster agree.\n\n"
     "  writ diff -f contracts/ || echo 'the cluster differs'\n"},
    {"export", "", 0, 0, NULL, true, true, cli_export,
     "the whole catalogue as documents that apply accepts",
     "Prints YAML (or, with -o json, one JSON object).\n\n"
     "  writ export > backup.yaml && writ apply -f backup.yaml\n"},
    {"explain", "TOPIC FILE", 2, 2, record_options, true, true, cli_explain,
     "every rule's result for a record, without writing it",
     "FILE is the value, byte for byte; - is standard input. Exit code 1 when it would be "
     "refused.\n\n"
     "  writ explain shop.orders order.json --record-key o-1 -H traceparent=00-...\n"},
    {"get", "KIND [NAME]", 1, 2, get_options, true, true, cli_get,
     "lists topics, teams, producers, policies or nodes, or shows one",
     "  writ get topics --team orders\n"
     "  writ get topic shop.orders -o yaml\n"},
    {"describe", "KIND NAME", 2, 2, NULL, true, true, cli_describe,
     "one thing with all there is to know: contract, partitions, offsets, refusals",
     "  writ describe topic shop.orders\n"},
    {"delete", "KIND NAME", 2, 2, delete_options, true, false, cli_delete,
     "deletes a topic, team, producer or policy",
     "Guarded: a topic with records, or a team that owns something, is not deleted without naming "
     "the\n"
     "guard that the refusal tells.\n\n"
     "  writ delete topic shop.old --accept loses-records\n"},
    {"key new", "", 0, 0, key_new_options, false, true, cli_key_new,
     "makes a key pair for signing records; needs no node",
     "The secret key goes into a file that only you can read (a JWK, RFC 8037, that any JOSE "
     "library\n"
     "takes); the public key is printed with the document to put it into.\n\n"
     "  writ key new --kid shop/k1 --out shop.key\n"},
    {"key add", "PRODUCER ID", 2, 2, key_add_options, true, true, cli_key_add,
     "adds a public key to a producer", "  writ key add shop k2 --public shop-2.key\n"},
    {"key list", "PRODUCER", 1, 1, NULL, true, true, cli_key_list, "a producer's keys",
     "  writ key list shop\n"},
    {"key revoke", "PRODUCER ID", 2, 2, key_revoke_options, true, true, cli_key_revoke,
     "revokes a key: when this answers, no node takes its signatures",
     "A revoked key stays revoked; add a new one first.\n\n"
     "  writ key revoke shop k1 --reason 'laptop stolen'\n"},
    {"sign", "", 0, 0, sign_options, false, false, cli_sign,
     "signs a record; prints the header line that kcat's -H takes",
     "The value is standard input, byte for byte: what the client will send. kcat strips the "
     "newline\n"
     "of a line that it reads from standard input; --line does the same here.\n\n"
     "  sig=$(writ sign --key shop.key --topic shop.orders --record-key o-1 < order.json)\n"
     "  kcat -P -b 127.0.0.1 -t shop.orders -k o-1 -H \"$sig\" order.json\n\n"
     "Many at once, a thousand times faster than one by one:\n\n"
     "  writ sign --key shop.key --topic shop.orders --batch < lines > signatures\n"},
    {"verify", "", 0, 0, verify_options, false, false, cli_verify,
     "checks a record's signature; needs no node",
     "Exit code 0 when it holds. Whether the key was valid at that time is not judged here.\n\n"
     "  writ verify --public shop.key --topic shop.orders --record-key o-1 \\\n"
     "      --signature \"$sig\" < order.json\n"},
    {"rejections", "", 0, 0, rejection_options, true, true, cli_rejections,
     "the ledger of refused records",
     "  writ rejections --topic shop.orders --code payload.invalid\n"
     "  writ rejections --follow\n"},
    {"audit", "", 0, 0, audit_options, true, true, cli_audit,
     "who changed what in the catalogue, and when",
     "  writ audit --action key.revoke\n"
     "  writ audit --follow\n"},
    {"audit verify", "", 0, 0, NULL, true, true, cli_audit_verify,
     "checks the hash chain of the audit log",
     "Every record holds the hash of the one before; an altered, added or missing one is found "
     "and\n"
     "named. Exit code 1 when the chain is broken.\n"},
    {"node list", "", 0, 0, NULL, true, true, cli_node_list, "the cluster's nodes",
     "  writ node list\n"},
    {"status", "", 0, 0, NULL, true, true, cli_status, "the node's own state",
     "With --data, through the node's Unix socket: works where its addresses cannot be reached.\n\n"
     "  writ status --data /var/lib/writ\n"},
    {"completion", "bash", 1, 1, NULL, false, false, cli_completion,
     "prints a completion script for bash", "  source <(writ completion bash)\n"},
};

const struct cli_command *cli_commands(size_t *n)
{
    *n = sizeof commands / sizeof commands[0];
    return commands;
}
