/* What the files of the room share. */
#ifndef CLI_INTERNAL_H
#define CLI_INTERNAL_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/json.h"
#include "base/slice.h"
#include "cli/limits.h"

#include <cjson/cJSON.h>
#include <stdio.h>

enum cli_exit { CLI_DONE = 0, CLI_REFUSED = 1, CLI_USAGE = 2, CLI_UNREACHABLE = 3 };
enum cli_format { CLI_TABLE, CLI_JSON, CLI_YAML };

struct cli_option {
    const char *name;  /* "record-key"; the last of a list has NULL */
    char letter;       /* 'f' for -f, or 0 */
    const char *value; /* what it takes, for the help: "FILE"; NULL: a flag */
    const char *about;
};

struct cli;

struct cli_command {
    const char *path;                 /* "key new": one or two words */
    const char *arguments;            /* "PRODUCER ID" or "" */
    unsigned least, most;             /* how many */
    const struct cli_option *options; /* NULL: none of its own */
    bool remote;                      /* talks to a node: --server and its like */
    bool formats;                     /* -o json|yaml|table */
    int (*run)(struct cli *c);
    const char *about; /* one line */
    const char *more;  /* what it teaches: paragraphs and examples */
};

const struct cli_command *cli_commands(size_t *n);
extern const struct cli_option cli_remote_options[], cli_format_options[];

/* One parsed command line. */
struct cli {
    const struct cli_command *command;
    const char *argument[CLI_ARGUMENTS_MAX];
    size_t arguments_n;
    struct {
        const struct cli_option *option;
        const char *value; /* "" for a flag */
    } given[CLI_OPTIONS_MAX];
    size_t given_n;
    enum cli_format format;
};

/* args.c. 0, or CLI_USAGE after a message that says what is right. */
int cli_parse(struct cli *c, int argc, char **argv);
const char *cli_value(const struct cli *c, const char *name); /* the last one given, or NULL */
bool cli_flag(const struct cli *c, const char *name);
/* The i-th value of an option that may be repeated, or NULL. */
const char *cli_value_at(const struct cli *c, const char *name, size_t i);
int cli_usage(const struct cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* "writ: ..." on standard error; returns code. */
int cli_fail(enum cli_exit code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* help.c */
void cli_help(FILE *out);
void cli_help_command(const struct cli_command *command, FILE *out);
int cli_completion(struct cli *c);

/* files.c: whole files; "-" is standard input. */
int file_read(const char *path, size_t most, struct bytes *out, struct err *err);

/* answer.c: one call of the admin API. */
struct answer {
    int status;
    struct bytes body;
    cJSON *json; /* NULL when the body is not JSON */
};
/* 0 for any 2xx; otherwise the problem has been told on standard error and the exit code is
 * returned. answer_free in any case. body NULL: none. */
int answer_get(const struct cli *c, const char *method, const char *path, const struct bytes *body,
               struct answer *out);
/* The same, but a problem is left for the caller to tell (answer_tell): 0 for any answer. */
int answer_any(const struct cli *c, const char *method, const char *path, const struct bytes *body,
               struct answer *out);
int answer_tell(const struct answer *a);
void answer_free(struct answer *a);
/* All pages of a list; *items is a JSON array text with every item as the node wrote it. */
int answer_list(const struct cli *c, const char *path, struct bytes *items);
/* Path pieces, percent-encoded. */
void path_add(struct bytes *path, const char *text);
void query_add(struct bytes *path, const char *name, const char *value); /* NULL value: nothing */

/* output.c: a cell is the text of a member found by a dotted path ("document.team"). */
struct column {
    const char *title;
    const char *path;
};
void output_cell(const cJSON *item, const char *path, struct bytes *out);
void output_table(const cJSON *items, const struct column *columns, size_t n);
/* Prints text as json or yaml, whichever c wants (not CLI_TABLE). */
int output_value(const struct cli *c, struct slice json);

/* yaml_write.c. Block style; strings that YAML would read as something else are quoted. */
void yaml_write(const struct json_doc *doc, uint32_t node, struct bytes *out);

/* yaml_scalar.c: what a plain scalar means. */
enum yaml_meaning { YAML_TEXT, YAML_NULL, YAML_TRUE, YAML_FALSE, YAML_NUMBER, YAML_REFUSED };
/* With YAML_NUMBER the JSON number is appended to out; with YAML_REFUSED *why says how to write it.
 */
enum yaml_meaning yaml_scalar(struct slice text, struct bytes *out, const char **why);

/* progress.c: a bar on standard error, only when that is a terminal and the work takes longer than
 * half a second. */
struct progress {
    const char *what;
    int64_t started_ms, drawn_ms;
    bool drawn;
};
void progress_start(struct progress *p, const char *what);
void progress_step(struct progress *p, uint64_t done, uint64_t total); /* total 0: unknown */
void progress_end(struct progress *p);
int64_t clock_now_ms(void); /* since the epoch */
int64_t clock_monotonic_ms(void);

/* The commands. */
int cli_plan(struct cli *c);
int cli_apply(struct cli *c);
int cli_diff(struct cli *c);
int cli_export(struct cli *c);
int cli_explain(struct cli *c);
int cli_get(struct cli *c);
int cli_describe(struct cli *c);
int cli_delete(struct cli *c);
int cli_key_new(struct cli *c);
int cli_key_add(struct cli *c);
int cli_key_list(struct cli *c);
int cli_key_revoke(struct cli *c);
int cli_sign(struct cli *c);
int cli_verify(struct cli *c);
int cli_rejections(struct cli *c);
int cli_audit(struct cli *c);
int cli_audit_verify(struct cli *c);
int cli_node_list(struct cli *c);
int cli_status(struct cli *c);

#endif
