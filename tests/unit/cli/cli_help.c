#include "cli_help.h"

#include "cli/cli.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/writ-cli-XXXXXX";
static char before[4096];

void help_folder_enter(void)
{
    memcpy(folder, "/tmp/writ-cli-XXXXXX", sizeof folder);
    assert_non_null(getcwd(before, sizeof before));
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    assert_int_equal(setenv("HOME", folder, 1), 0);
    assert_int_equal(unsetenv("XDG_CONFIG_HOME"), 0);
    assert_int_equal(unsetenv("WRIT_SERVER"), 0);
    assert_int_equal(unsetenv("WRIT_TOKEN"), 0);
}

void help_folder_leave(void)
{
    char command[64];
    assert_int_equal(chdir(before), 0);
    (void)snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

void help_file(const char *name, const char *text)
{
    FILE *f = fopen(name, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
}

static struct bytes read_all(FILE *f)
{
    struct bytes b = {0};
    for (int c; (c = fgetc(f)) != EOF;)
        bytes_add_u8(&b, (uint8_t)c);
    (void)bytes_cstr(&b);
    return b;
}

struct bytes help_read(const char *name)
{
    FILE *f = fopen(name, "rb");
    assert_non_null(f);
    struct bytes b = read_all(f);
    (void)fclose(f);
    return b;
}

struct outcome help_run(const char *words, const char *input, size_t input_n)
{
    char line[4096], *argv[64] = {(char *)(uintptr_t) "writ"}, *save = NULL;
    int argc = 1, kept[3];
    struct outcome o = {0};
    FILE *file[3] = {tmpfile(), tmpfile(), tmpfile()};
    (void)snprintf(line, sizeof line, "%s", words);
    for (char *w = strtok_r(line, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save))
        argv[argc++] = w;
    assert_non_null(file[0]);
    if (input != NULL)
        (void)fwrite(input, 1, input_n, file[0]);
    rewind(file[0]);
    (void)fflush(NULL);
    for (int i = 0; i < 3; i++) {
        kept[i] = dup(i);
        assert_true(dup2(fileno(file[i]), i) == i);
    }
    clearerr(stdin);
    (void)fseek(stdin, 0, SEEK_SET);
    o.rc = cli_main(argc, argv);
    (void)fflush(NULL);
    for (int i = 0; i < 3; i++) {
        assert_true(dup2(kept[i], i) == i);
        (void)close(kept[i]);
    }
    rewind(file[1]);
    rewind(file[2]);
    o.out = read_all(file[1]);
    o.err = read_all(file[2]);
    for (int i = 0; i < 3; i++)
        (void)fclose(file[i]);
    return o;
}

void outcome_free(struct outcome *o)
{
    bytes_free(&o->out);
    bytes_free(&o->err);
}

void help_expect(const char *words, int rc, const char *out_part, const char *err_part)
{
    struct outcome o = help_run(words, NULL, 0);
    const char *out = bytes_cstr(&o.out), *err = bytes_cstr(&o.err);
    if (o.rc != rc || strstr(out, out_part) == NULL || strstr(err, err_part) == NULL)
        fail_msg("writ %s: exit code %d (wanted %d)\nout: %s\nerr: %s", words, o.rc, rc, out, err);
    outcome_free(&o);
}
