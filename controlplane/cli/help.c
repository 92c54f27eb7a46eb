#include "cli/internal.h"

static void put_option(FILE *out, const struct cli_option *o)
{
    char left[64], letter[8] = "";
    if (o->letter != 0)
        (void)snprintf(letter, sizeof letter, "-%c, ", o->letter);
    (void)snprintf(left, sizeof left, "%s--%s%s%s", letter, o->name, o->value != NULL ? " " : "",
                   o->value != NULL ? o->value : "");
    (void)fprintf(out, "  %-26s %s\n", left, o->about);
}

static void put_options(FILE *out, const struct cli_option *list)
{
    for (; list != NULL && list->name != NULL; list++)
        put_option(out, list);
}

void cli_help_command(const struct cli_command *command, FILE *out)
{
    (void)fprintf(out, "writ %s%s%s: %s\n\n%s", command->path,
                  command->arguments[0] != '\0' ? " " : "", command->arguments, command->about,
                  command->more);
    if (command->options == NULL && !command->formats && !command->remote)
        return;
    (void)fputs("\nOptions:\n", out);
    put_options(out, command->options);
    if (command->formats)
        put_options(out, cli_format_options);
    if (command->remote)
        put_options(out, cli_remote_options);
}

void cli_help(FILE *out)
{
    size_t n;
    const struct cli_command *list = cli_commands(&n);
    (void)fputs(
        "Usage: writ COMMAND [arguments] [options]\n\n"
        "The node itself:\n"
        "  serve                      runs a node; writ serve --help lists its settings\n"
        "  check-config FILE          reads a configuration and says what is wrong with it\n"
        "  version                    this program's version\n\n"
        "Talking to a node (or to nobody):\n",
        out);
    for (size_t i = 0; i < n; i++) {
        char left[64];
        (void)snprintf(left, sizeof left, "%s %s", list[i].path, list[i].arguments);
        (void)fprintf(out, "  %-26s %s\n", left, list[i].about);
    }
    (void)fputs(
        "\nwrit COMMAND --help teaches one. Exit codes: 0 done, 1 refused or differs, 2 wrong "
        "usage,\n3 cannot reach the node.\n",
        out);
}

static void put_words(const struct cli_option *list)
{
    for (; list != NULL && list->name != NULL; list++)
        (void)printf(" --%s", list->name);
}

/* First words, second words of two-word commands, options of each. */
int cli_completion(struct cli *c)
{
    size_t n;
    const struct cli_command *list = cli_commands(&n);
    if (strcmp(c->argument[0], "bash") != 0)
        return cli_usage(c, "only for bash, not for %s", c->argument[0]);
    (void)fputs("_writ() {\n"
                "    local current=${COMP_WORDS[COMP_CWORD]} words=\n"
                "    COMPREPLY=()\n"
                "    case \"${COMP_WORDS[*]:1:COMP_CWORD-1}\" in\n"
                "    '') words='serve check-config version",
                stdout);
    for (size_t i = 0; i < n; i++) {
        size_t first = strcspn(list[i].path, " ");
        bool seen = i > 0 && strncmp(list[i].path, list[i - 1].path, first + 1) == 0;
        seen |= i > 0 && list[i].path[first] == ' ' &&
                strncmp(list[i].path, list[i - 1].path, first) == 0;
        if (!seen)
            (void)printf(" %.*s", (int)first, list[i].path);
    }
    (void)fputs("' ;;\n"
                "    key) words='new add list revoke' ;;\n"
                "    audit) words='verify --follow' ;;\n"
                "    node) words='list' ;;\n"
                "    get|describe|delete) words='topic team producer policy node' ;;\n",
                stdout);
    for (size_t i = n; i > 0; i--) { /* "audit verify" before "audit" */
        const struct cli_command *k = &list[i - 1];
        (void)printf("    '%s'|'%s '*) words='--help", k->path, k->path);
        put_words(k->options);
        put_words(k->formats ? cli_format_options : NULL);
        put_words(k->remote ? cli_remote_options : NULL);
        (void)fputs("' ;;\n", stdout);
    }
    (void)fputs("    esac\n"
                "    case $current in\n"
                "    -*) COMPREPLY=($(compgen -W \"$words\" -- \"$current\")) ;;\n"
                "    *) COMPREPLY=($(compgen -W \"$words\" -- \"$current\") "
                "$(compgen -f -- \"$current\")) ;;\n"
                "    esac\n"
                "}\n"
                "complete -o filenames -F _writ writ\n",
                stdout);
    return CLI_DONE;
}
