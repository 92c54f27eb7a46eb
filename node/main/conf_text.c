/* The table as text: --help, docs/configuration.md, deploy/writ.conf.sample. */
#include "main/conf_key.h"

enum { HELP_COLUMN = 30, HELP_WIDTH = 98, SAMPLE_WIDTH = 98 };

static const char *type_name(enum conf_type type)
{
    static const char *const name[] = {
        [CONFIG_TEXT] = "text",     [CONFIG_ADDRESS] = "host:port", [CONFIG_BOOL] = "on|off",
        [CONFIG_NUMBER] = "number", [CONFIG_SIZE] = "size",         [CONFIG_DURATION] = "duration"};
    return name[type];
}

/* Words of text broken to width, each line but the first after prefix. */
static void wrap(struct bytes *out, const char *text, const char *prefix, size_t width, size_t used)
{
    while (*text) {
        size_t n = strcspn(text, " ");
        if (used && used + 1 + n > width) {
            bytes_printf(out, "\n%s", prefix);
            used = 0;
        } else if (used) {
            bytes_add_u8(out, ' ');
            used++;
        }
        bytes_add(out, text, n);
        used += n;
        text += n + strspn(text + n, " ");
    }
    bytes_add_u8(out, '\n');
}

void conf_help(struct bytes *out)
{
    char prefix[HELP_COLUMN + 1];
    memset(prefix, ' ', HELP_COLUMN);
    prefix[HELP_COLUMN] = 0;
    bytes_add_str(out, "usage: writ serve [--config FILE] [--key value]...\n\n"
                       "Runs a node. Keys are the same in the file (key: value) and as flags; "
                       "flags win.\n");
    for (size_t i = 0; i < conf_keys_n; i++) {
        const struct conf_key *k = &conf_keys[i];
        if (k->section) {
            bytes_printf(out, "\n%s\n", k->section);
            continue;
        }
        size_t start = out->n;
        bytes_printf(out, "  --%s %s", k->key, type_name(k->type));
        size_t used = out->n - start;
        if (used + 1 > HELP_COLUMN)
            bytes_printf(out, "\n%s", prefix);
        else
            bytes_add(out, prefix, HELP_COLUMN - used);
        struct bytes text = {0};
        bytes_add_str(&text, k->help);
        if (*k->fallback)
            bytes_printf(&text, " [%s]", k->fallback);
        wrap(out, bytes_cstr(&text), prefix, HELP_WIDTH - HELP_COLUMN, 0);
        bytes_free(&text);
    }
}

void conf_markdown(struct bytes *out)
{
    bytes_add_str(
        out, "<!-- Made from node/main/conf_table.h by `writ check-config --print markdown`. "
             "Do not edit. -->\n# Configuration\n"
             "`writ serve --config FILE` reads a file of `key: value` lines (YAML); each key is "
             "also a flag (`--key value`), and flags win over the file. Unknown keys are refused. "
             "`writ check-config FILE` says whether a file is right. A commented file with all "
             "defaults: [deploy/writ.conf.sample](../deploy/writ.conf.sample).\n\n"
             "Sizes are bytes or carry a unit (`64KiB`, `1GiB`), durations carry one (`500ms`, "
             "`30s`, `5m`, `7d`).\n");
    for (size_t i = 0; i < conf_keys_n; i++) {
        const struct conf_key *k = &conf_keys[i];
        if (k->section) {
            bytes_printf(out, "\n## %s\n| key | type | default | |\n|---|---|---|---|\n",
                         k->section);
            continue;
        }
        bytes_printf(out, "| `%s` | %s | %s%s%s | %s |\n", k->key,
                     k->type == CONFIG_BOOL ? "on, off" : type_name(k->type),
                     *k->fallback ? "`" : "", k->fallback, *k->fallback ? "`" : "", k->help);
    }
}

void conf_sample(struct bytes *out)
{
    bytes_add_str(out, "# Configuration of a Writ node: key: value, all keys with their defaults.\n"
                       "# Made from node/main/conf_table.h by `writ check-config --print sample`.\n"
                       "# Reference: docs/configuration.md\n");
    for (size_t i = 0; i < conf_keys_n; i++) {
        const struct conf_key *k = &conf_keys[i];
        if (k->section) {
            bytes_printf(out, "\n# ---- %s ----\n", k->section);
            continue;
        }
        bytes_add_str(out, "\n# ");
        wrap(out, k->help, "# ", SAMPLE_WIDTH - 2, 0);
        /* What has no useful default is shown with an example. */
        bytes_printf(out, "%s%s: %s\n", k->sample && strcmp(k->key, "data") ? "#" : "", k->key,
                     k->sample      ? k->sample
                     : *k->fallback ? k->fallback
                                    : "\"\"");
    }
}
