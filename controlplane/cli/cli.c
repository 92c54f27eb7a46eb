#include "cli/cli.h"

#include "base/codec.h"
#include "cli/internal.h"

#include <sodium.h>

static size_t first_word(const char *path)
{
    return strcspn(path, " ");
}

bool cli_knows(const char *command)
{
    size_t n;
    const struct cli_command *list = cli_commands(&n);
    for (size_t i = 0; i < n; i++) {
        if (strncmp(list[i].path, command, first_word(list[i].path)) == 0 &&
            command[first_word(list[i].path)] == '\0')
            return true;
    }
    return strcmp(command, "help") == 0 || strcmp(command, "--help") == 0 ||
           strcmp(command, "-h") == 0;
}

/* The command that argv[1] and perhaps argv[2] name; *words is how many. */
static const struct cli_command *find(int argc, char **argv, int *words)
{
    size_t n;
    const struct cli_command *list = cli_commands(&n), *found = NULL;
    char two[64];
    (void)snprintf(two, sizeof two, "%.30s %.30s", argv[1], argc > 2 ? argv[2] : "");
    for (size_t i = 0; i < n; i++) {
        if (strcmp(list[i].path, two) == 0) {
            *words = 2;
            return &list[i];
        }
        if (strcmp(list[i].path, argv[1]) == 0)
            found = &list[i];
    }
    *words = 1;
    return found;
}

/* argv[1] is no command, or the first half of one. */
static int unknown(int argc, char **argv)
{
    size_t n;
    const struct cli_command *list = cli_commands(&n);
    const char *nearest = "help";
    unsigned least = UINT32_MAX;
    bool half = false;
    for (size_t i = 0; i < n; i++) {
        size_t first = first_word(list[i].path);
        unsigned d = text_distance(slice_str(argv[1]), slice_of(list[i].path, first));
        if (strncmp(list[i].path, argv[1], first) == 0 && argv[1][first] == '\0') {
            if (!half)
                (void)fprintf(stderr, "writ: %s what?%s%s\n", argv[1], argc > 2 ? " Not " : "",
                              argc > 2 ? argv[2] : "");
            (void)fprintf(stderr, "  writ %s %s\n", list[i].path, list[i].arguments);
            half = true;
        } else if (d < least) {
            least = d;
            nearest = list[i].path;
        }
    }
    return half ? CLI_USAGE
                : cli_fail(CLI_USAGE, "no command %s; did you mean writ %s? writ --help lists all",
                           argv[1], nearest);
}

static bool wants_help(int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    }
    return false;
}

int cli_main(int argc, char **argv)
{
    struct cli c = {0};
    int words;
    if (argc < 2) {
        cli_help(stderr);
        return CLI_USAGE;
    }
    bool general = strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
                   strcmp(argv[1], "help") == 0;
    if (general && argc == 2) {
        cli_help(stdout);
        return CLI_DONE;
    }
    if (general) { /* writ help key new */
        argv++;
        argc--;
    }
    c.command = find(argc, argv, &words);
    if (c.command == NULL)
        return unknown(argc, argv);
    if (general || wants_help(argc - 1 - words, argv + 1 + words)) {
        cli_help_command(c.command, stdout);
        return CLI_DONE;
    }
    if (sodium_init() < 0)
        return cli_fail(CLI_USAGE, "the system gives no random numbers");
    int rc = cli_parse(&c, argc - 1 - words, argv + 1 + words);
    if (rc == 0)
        rc = c.command->run(&c);
    if (fflush(stdout) != 0 && rc == CLI_DONE)
        rc = cli_fail(CLI_REFUSED, "the output could not be written");
    return rc;
}
