/* rejections and audit: lists with filters, and following them. */
#include "cli/internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

struct ledger {
    const char *path;
    const char *number; /* the member that orders the entries */
    const char *const *filters;
    const struct column *columns;
    size_t columns_n;
};

static const char *const rejection_filters[] = {"topic",          "code",  "principal", "key-id",
                                                "correlation-id", "since", "until",     NULL};
static const struct column rejection_columns[] = {
    {"TIME", "time"}, {"TOPIC", "topic"}, {"PARTITION", "partition"}, {"CODE", "code"},
    {"AT", "path"},   {"WHY", "detail"},  {"KEY", "key_id"},          {"PRINCIPAL", "principal"}};
static const struct ledger rejections = {"/v1/rejections", "id", rejection_filters,
                                         rejection_columns,
                                         sizeof rejection_columns / sizeof rejection_columns[0]};

static const char *const audit_filters[] = {"principal", "action", "target", "correlation-id",
                                            "since",     "until",  NULL};
static const struct column audit_columns[] = {{"SEQ", "seq"},
                                              {"TIME", "time"},
                                              {"WHO", "principal"},
                                              {"ACTION", "action"},
                                              {"TARGET", "target"},
                                              {"RESULT", "result"},
                                              {"VERSION", "catalogue_version"}};
static const struct ledger audit = {"/v1/audit", "seq", audit_filters, audit_columns,
                                    sizeof audit_columns / sizeof audit_columns[0]};

/* The list's path with the filters that were given; the API's names have underscores. */
static void put_path(const struct cli *c, const struct ledger *l, struct bytes *path)
{
    bytes_add_str(path, l->path);
    for (const char *const *f = l->filters; *f != NULL; f++) {
        char name[32];
        (void)snprintf(name, sizeof name, "%s", *f);
        for (char *p = name; *p != '\0'; p++) {
            if (*p == '-')
                *p = '_';
        }
        query_add(path, name, cli_value(c, *f));
    }
}

/* One line per entry, for following: columns with two blanks between. */
static void print_line(const struct cli *c, const struct ledger *l, const cJSON *item,
                       struct slice raw)
{
    struct bytes cell = {0};
    if (c->format == CLI_TABLE) {
        for (size_t k = 0; k < l->columns_n; k++) {
            bytes_add_str(&cell, k > 0 ? "  " : "");
            output_cell(item, l->columns[k].path, &cell);
        }
        bytes_add_u8(&cell, '\n');
        (void)fwrite(cell.p, 1, cell.n, stdout);
    } else {
        (void)printf("%s", c->format == CLI_YAML ? "---\n" : "");
        (void)output_value(c, raw);
    }
    bytes_free(&cell);
}

/* Prints the page's entries, oldest first, and raises *last to the largest number. */
static int print_page(const struct cli *c, const struct ledger *l, const struct answer *a,
                      bool newest_first, int64_t *last)
{
    struct json_doc doc = {0};
    int n = cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(a->json, "items"));
    const cJSON *items = cJSON_GetObjectItemCaseSensitive(a->json, "items");
    if (json_parse(&doc, bytes_slice(&a->body), NULL, NULL) != 0) {
        json_free(&doc);
        return cli_fail(CLI_UNREACHABLE, "the answer is no list: is this Writ's admin address?");
    }
    uint32_t list = json_get(&doc, 0, "items");
    for (int i = 0; i < n; i++) {
        int at = newest_first ? n - 1 - i : i;
        uint32_t node = json_first(&doc, list);
        for (int k = 0; k < at; k++)
            node = json_sibling(&doc, list, node);
        int64_t number;
        if (json_int64(&doc, json_get(&doc, node, l->number), &number) && number > *last)
            *last = number;
        print_line(c, l, cJSON_GetArrayItem(items, at), json_raw(&doc, node));
    }
    json_free(&doc);
    (void)fflush(stdout);
    return 0;
}

static int fetch(struct cli *c, const struct ledger *l, const char *limit, int64_t after,
                 struct answer *a)
{
    struct bytes path = {0};
    char cursor[24];
    put_path(c, l, &path);
    query_add(&path, "limit", limit);
    if (after >= 0) {
        (void)snprintf(cursor, sizeof cursor, "%" PRId64, after);
        query_add(&path, "order", "asc");
        query_add(&path, "cursor", cursor);
    }
    int rc = answer_get(c, "GET", bytes_cstr(&path), NULL, a);
    bytes_free(&path);
    return rc;
}

/* Until interrupted, or the node is away. */
static int follow(struct cli *c, const struct ledger *l)
{
    int64_t last = 0;
    struct answer a;
    int rc = fetch(c, l, "10", -1, &a);
    if (rc == 0)
        rc = print_page(c, l, &a, true, &last);
    answer_free(&a);
    while (rc == 0) {
        struct timespec pause = {.tv_nsec = CLI_FOLLOW_PAUSE_MS * 1000000L};
        (void)nanosleep(&pause, NULL);
        rc = fetch(c, l, "100", last, &a);
        if (rc == 0)
            rc = print_page(c, l, &a, false, &last);
        answer_free(&a);
        if (ferror(stdout))
            return CLI_DONE; /* the reader has gone */
    }
    return rc;
}

static int list(struct cli *c, const struct ledger *l)
{
    const char *limit = cli_value(c, "limit");
    struct answer a;
    if (cli_flag(c, "follow"))
        return follow(c, l);
    int rc = fetch(c, l, limit, -1, &a);
    const cJSON *items = cJSON_GetObjectItemCaseSensitive(a.json, "items");
    if (rc == 0 && c->format != CLI_TABLE) {
        rc = output_value(c, bytes_slice(&a.body));
    } else if (rc == 0 && cJSON_GetArraySize(items) == 0) {
        (void)fprintf(stderr, "None.\n");
    } else if (rc == 0) {
        output_table(items, l->columns, l->columns_n);
        if (cJSON_IsString(cJSON_GetObjectItemCaseSensitive(a.json, "next")))
            (void)fprintf(stderr,
                          "There are more: --limit N shows N, --since and --until narrow.\n");
    }
    answer_free(&a);
    return rc;
}

int cli_rejections(struct cli *c)
{
    return list(c, &rejections);
}

int cli_audit(struct cli *c)
{
    return list(c, &audit);
}

int cli_audit_verify(struct cli *c)
{
    struct answer a;
    int rc = answer_get(c, "GET", "/v1/audit/verify", NULL, &a);
    if (rc == 0) {
        bool ok = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(a.json, "ok"));
        if (c->format == CLI_TABLE && ok)
            (void)printf("The audit log is whole: every record follows from the one before.\n");
        if (c->format == CLI_TABLE && !ok)
            (void)printf("THE AUDIT LOG WAS ALTERED OR DAMAGED.\n");
        if (c->format == CLI_TABLE)
            c->format = CLI_YAML;
        rc = output_value(c, bytes_slice(&a.body));
        if (!ok)
            rc = CLI_REFUSED;
    }
    answer_free(&a);
    return rc;
}
