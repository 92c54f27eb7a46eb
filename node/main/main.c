/* The one binary: the node and its own tools here, everything that speaks the admin API in the room
 * cli. */
#include "base/json.h"
#include "cli/cli.h"
#include "main/conf.h"
#include "main/serve.h"
#include "main/sock.h"

#include <stdio.h>
#include <string.h>

enum { EXIT_REFUSED = 1, EXIT_USAGE = 2, EXIT_UNREACHABLE = 3 };

static int complain(const char *command, const struct err *err, int status)
{
    fprintf(stderr, "writ %s: %s\n", command, err->msg);
    return status;
}

static int print(struct bytes *text)
{
    bool ok = fwrite(text->p, 1, text->n, stdout) == text->n && fflush(stdout) == 0;
    bytes_free(text);
    return ok ? 0 : EXIT_REFUSED;
}

static bool wants_help(int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
            return true;
    return false;
}

static int run_serve(int argc, char **argv)
{
    struct config config;
    struct err err;
    if (wants_help(argc, argv)) {
        struct bytes text = {0};
        conf_help(&text);
        return print(&text);
    }
    conf_defaults(&config);
    if (conf_args(&config, argc, argv, &err) || conf_check(&config, &err))
        return complain("serve", &err, EXIT_USAGE);
    return serve(&config);
}

static int print_config(const char *what)
{
    struct bytes text = {0};
    if (!strcmp(what, "markdown")) {
        conf_markdown(&text);
    } else if (!strcmp(what, "sample")) {
        conf_sample(&text);
    } else {
        fprintf(stderr, "writ check-config: --print takes markdown or sample\n");
        return EXIT_USAGE;
    }
    return print(&text);
}

static int run_check_config(int argc, char **argv)
{
    struct config config;
    struct err err;
    if (argc == 2 && !strcmp(argv[0], "--print"))
        return print_config(argv[1]);
    if (argc != 1 || wants_help(argc, argv)) {
        fprintf(stderr, "usage: writ check-config FILE\n"
                        "       writ check-config --print sample|markdown\n");
        return argc == 1 ? 0 : EXIT_USAGE;
    }
    conf_defaults(&config);
    if (conf_load(&config, argv[0], &err) || conf_check(&config, &err))
        return complain("check-config", &err, EXIT_REFUSED);
    printf("%s is right\n", argv[0]);
    return 0;
}

static int run_local_status(const char *data)
{
    struct bytes text = {0};
    struct err err;
    int rc = sock_ask(data, &text, &err);
    if (!rc)
        return print(&text);
    bytes_free(&text);
    return complain("status", &err, EXIT_UNREACHABLE);
}

int main(int argc, char **argv)
{
    const char *command = argc > 1 ? argv[1] : "";
    if (!strcmp(command, "serve"))
        return run_serve(argc - 2, argv + 2);
    if (!strcmp(command, "check-config"))
        return run_check_config(argc - 2, argv + 2);
    if (!strcmp(command, "status") && argc == 4 && !strcmp(argv[2], "--data"))
        return run_local_status(argv[3]);
    if (!strcmp(command, "version") || !strcmp(command, "--version")) {
        printf("writ %s\n", WRIT_VERSION);
        return 0;
    }
    return cli_main(argc, argv);
}
