/* Prints the reference part of docs/cli.md from the table of commands. */
#include "cli/internal.h"

static void put_options(const struct cli_option *o)
{
    for (; o != NULL && o->name != NULL; o++) {
        if (o->letter != 0)
            (void)printf("| `-%c`, `--%s%s%s` | %s |\n", o->letter, o->name,
                         o->value != NULL ? " " : "", o->value != NULL ? o->value : "", o->about);
        else
            (void)printf("| `--%s%s%s` | %s |\n", o->name, o->value != NULL ? " " : "",
                         o->value != NULL ? o->value : "", o->about);
    }
}

/* The help's paragraphs, with its indented examples as code. */
static void put_more(const char *more)
{
    bool code = false;
    while (*more != '\0') {
        size_t n = strcspn(more, "\n");
        bool indented = n > 2 && more[0] == ' ' && more[1] == ' ';
        if (indented != code && n > 0) {
            (void)printf("```\n");
            code = indented;
        }
        (void)printf("%.*s\n", (int)n - (code && n > 0 ? 2 : 0), more + (code && n > 0 ? 2 : 0));
        more += n + (more[n] == '\n');
    }
    (void)printf("%s\n", code ? "```\n" : "");
}

int main(void)
{
    size_t n;
    const struct cli_command *list = cli_commands(&n);
    (void)printf("\nOptions of every command that prints an answer:\n\n| option | |\n|---|---|\n");
    put_options(cli_format_options);
    (void)printf("\nOptions of every command that talks to a node:\n\n| option | |\n|---|---|\n");
    put_options(cli_remote_options);
    for (size_t i = 0; i < n; i++) {
        const struct cli_command *k = &list[i];
        (void)printf("\n### writ %s%s%s\n\n%s%s.\n\n", k->path, k->arguments[0] != '\0' ? " " : "",
                     k->arguments, k->remote ? "" : "(No node is needed.) ", k->about);
        put_more(k->more);
        if (k->options != NULL) {
            (void)printf("| option | |\n|---|---|\n");
            put_options(k->options);
        }
    }
    return 0;
}
