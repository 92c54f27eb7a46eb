#include "cli/internal.h"

#include "base/codec.h"

#include <stdarg.h>
#include <stdlib.h>

int cli_fail(enum cli_exit code, const char *fmt, ...)
{
    va_list ap;
    (void)fputs("writ: ", stderr);
    va_start(ap, fmt);
    (void)vfprintf(stderr, fmt, ap);
    va_end(ap);
    (void)fputc('\n', stderr);
    return (int)code;
}

int cli_usage(const struct cli *c, const char *fmt, ...)
{
    va_list ap;
    (void)fputs("writ: ", stderr);
    va_start(ap, fmt);
    (void)vfprintf(stderr, fmt, ap);
    va_end(ap);
    (void)fprintf(stderr, "\nUsage: writ %s%s%s [options]; writ %s --help teaches it.\n",
                  c->command->path, c->command->arguments[0] != '\0' ? " " : "",
                  c->command->arguments, c->command->path);
    return CLI_USAGE;
}

const char *cli_value_at(const struct cli *c, const char *name, size_t i)
{
    for (size_t k = 0; k < c->given_n; k++) {
        if (strcmp(c->given[k].option->name, name) == 0 && i-- == 0)
            return c->given[k].value;
    }
    return NULL;
}

const char *cli_value(const struct cli *c, const char *name)
{
    for (size_t k = c->given_n; k > 0; k--) {
        if (strcmp(c->given[k - 1].option->name, name) == 0)
            return c->given[k - 1].value;
    }
    return NULL;
}

bool cli_flag(const struct cli *c, const char *name)
{
    return cli_value(c, name) != NULL;
}

/* The options that a command knows: its own, then the common ones. */
static const struct cli_option *option_lists(const struct cli_command *command, size_t i)
{
    static const struct cli_option none[] = {{NULL, 0, NULL, NULL}};
    switch (i) {
    case 0:
        return command->options != NULL ? command->options : none;
    case 1:
        return command->formats ? cli_format_options : none;
    case 2:
        return command->remote ? cli_remote_options : none;
    default:
        return NULL;
    }
}

static const struct cli_option *option_find(const struct cli_command *command, const char *name,
                                            size_t n, char letter, const char **nearest)
{
    unsigned least = UINT32_MAX;
    const struct cli_option *list;
    for (size_t i = 0; (list = option_lists(command, i)) != NULL; i++) {
        for (const struct cli_option *o = list; o->name != NULL; o++) {
            if (letter != 0 ? o->letter == letter : slice_eq(slice_of(name, n), slice_str(o->name)))
                return o;
            unsigned d = text_distance(slice_of(name, n), slice_str(o->name));
            if (letter == 0 && d < least) {
                least = d;
                *nearest = o->name;
            }
        }
    }
    return NULL;
}

static int take(struct cli *c, const struct cli_option *o, const char *value)
{
    if (c->given_n == CLI_OPTIONS_MAX)
        return cli_usage(c, "more than %d options", CLI_OPTIONS_MAX);
    c->given[c->given_n].option = o;
    c->given[c->given_n++].value = value;
    return 0;
}

/* argv[*i] begins with '-'. */
static int take_option(struct cli *c, int argc, char **argv, int *i)
{
    const char *word = argv[*i], *nearest = "help", *inside = NULL;
    const struct cli_option *o;
    if (word[1] == '-') {
        size_t n = strcspn(word + 2, "=");
        inside = word[2 + n] == '=' ? word + 3 + n : NULL;
        o = option_find(c->command, word + 2, n, 0, &nearest);
        if (o == NULL)
            return cli_usage(c, "no option %s; did you mean --%s?", word, nearest);
    } else {
        inside = word[2] != '\0' ? word + 2 : NULL;
        o = option_find(c->command, "", 0, word[1], &nearest);
        if (o == NULL)
            return cli_usage(c, "no option -%c", word[1]);
    }
    if (o->value == NULL)
        return inside != NULL ? cli_usage(c, "--%s takes no value", o->name) : take(c, o, "");
    if (inside != NULL)
        return take(c, o, inside);
    if (*i + 1 >= argc)
        return cli_usage(c, "--%s needs a value: %s", o->name, o->value);
    return take(c, o, argv[++*i]);
}

static int take_format(struct cli *c)
{
    const char *name = cli_value(c, "output");
    c->format = CLI_TABLE;
    if (name == NULL || strcmp(name, "table") == 0)
        return 0;
    if (strcmp(name, "json") != 0 && strcmp(name, "yaml") != 0)
        return cli_usage(c, "-o is json, yaml or table, not %s", name);
    c->format = name[0] == 'j' ? CLI_JSON : CLI_YAML;
    return 0;
}

int cli_parse(struct cli *c, int argc, char **argv)
{
    bool only_arguments = false;
    for (int i = 0; i < argc; i++) {
        if (!only_arguments && strcmp(argv[i], "--") == 0) {
            only_arguments = true;
        } else if (!only_arguments && argv[i][0] == '-' && argv[i][1] != '\0') {
            int rc = take_option(c, argc, argv, &i);
            if (rc != 0)
                return rc;
        } else if (c->arguments_n == c->command->most) {
            return c->command->most == 0
                       ? cli_usage(c, "takes no arguments, but there is \"%s\"", argv[i])
                       : cli_usage(c, "one argument too many: \"%s\"", argv[i]);
        } else {
            c->argument[c->arguments_n++] = argv[i];
        }
    }
    if (c->arguments_n < c->command->least)
        return cli_usage(c, "an argument is missing");
    return take_format(c);
}
